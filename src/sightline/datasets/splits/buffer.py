"""The strip between two splits that belongs to neither."""

from __future__ import annotations

import math

import numpy as np

from sightline.datasets.splits.assignment import Assignment, refuse_empty
from sightline.datasets.splits.neighbours import nearest_within
from sightline.errors import UsageError
from sightline.geo.coordinates import FloatArray


def leave_out_near(assignment: Assignment, places: FloatArray, buffer_m: float) -> Assignment:
    """Leave rows out so that no two splits have places nearer than ``buffer_m``.

    The smallest split keeps all its rows, the next loses those near to it, and so on, so that the
    test set is not thinned for the sake of the training set.

    Args:
        assignment: The split of each row.
        places: (n, 2) degrees, checked.
        buffer_m: Metres of great circle; 0 leaves nothing out.

    Raises:
        UsageError: The buffer is negative or no number, or a split would lose all its rows.
    """
    if not (math.isfinite(buffer_m) and buffer_m >= 0):
        raise UsageError(
            f"buffer_m must be a number of metres, 0 or more. Got {buffer_m!r}.",
            hint="Take the width of an aerial tile, so that tiles of two splits share no ground.",
        )
    if buffer_m == 0:
        return assignment
    codes = assignment.codes.copy()
    counts = list(assignment.counts.values())
    order = sorted(range(len(counts)), key=counts.__getitem__)
    kept = codes == order[0]
    for code in order[1:]:
        rows = np.flatnonzero(codes == code)
        near, _ = nearest_within(places[rows], places[kept], buffer_m)
        codes[rows[near >= 0]] = -1
        kept |= codes == code
    thinned = Assignment(assignment.names, codes, assignment.groups)
    refuse_empty(thinned, f"all its rows lie within {buffer_m:g} m of a smaller split")
    return thinned
