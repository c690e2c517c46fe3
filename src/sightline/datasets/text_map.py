"""A map of the Earth in characters: where the photos of a dataset lie, in any terminal."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from sightline.errors import UsageError
from sightline.geo.coordinates import as_coordinates

_SHADES = ".:-=+*#%@"


def text_map(latlon: ArrayLike, *, columns: int = 72, rows: int = 24) -> list[str]:
    """Draw how many photos lie where, as one line of text for each band of latitude.

    Equirectangular, north up, longitude -180° at the left. Characters grow denser with the
    logarithm of the number of photos; a blank means none.

    Args:
        latlon: (n, 2) degrees, latitude first.
        columns: Width in characters.
        rows: Height in lines.

    Returns:
        ``rows`` lines of ``columns`` characters.

    Raises:
        CoordinateError: A place is out of range.
        UsageError: The size is not positive.
    """
    if columns < 1 or rows < 1:
        raise UsageError(
            f"columns and rows must be positive. Got {columns!r} and {rows!r}.",
            hint="72 by 24 fits a terminal.",
        )
    places = as_coordinates(latlon)
    row = np.minimum(((90.0 - places[:, 0]) / 180.0 * rows).astype(np.int64), rows - 1)
    column = np.minimum(((places[:, 1] + 180.0) / 360.0 * columns).astype(np.int64), columns - 1)
    counts = np.bincount(row * columns + column, minlength=rows * columns).reshape(rows, columns)
    most = max(int(counts.max(initial=0)), 1)
    depth = np.log1p(counts) / np.log1p(most) * len(_SHADES)
    shade = np.clip(np.ceil(depth).astype(np.int64), 0, len(_SHADES))
    letters = " " + _SHADES
    return ["".join(letters[value] for value in line) for line in shade.tolist()]
