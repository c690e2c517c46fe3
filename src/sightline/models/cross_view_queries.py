"""Photos as queries of an atlas of aerial patches, one for every heading that has to be tried.

The functions are given ``run``, which encodes photos uint8 (n, h, w, 3), and optionally their
headings, to vectors float32 (n, d) of unit length.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.errors import EncoderError, VectorError
from sightline.models.protocol import GroundQueries, Heading, Pixels, Vectors
from sightline.models.region_shifts import headings_of_shifts, turned_queries
from sightline.models.view_geometry import CIRCLE_DEGREES, GroundGeometry, Panorama

# A panorama of unknown heading is turned by so much at a time for a network whose photos all look
# north: it was never shown others, so every step costs a pass.
ROLL_DEGREES = 45.0

# Headings nearer than this differ by rounding alone.
_SAME_DEGREES = 1e-6

Degrees = NDArray[np.float64]


class Run(Protocol):
    """Photos, and optionally headings (n,), to vectors."""

    def __call__(
        self, given: Pixels, heading_degrees: Degrees | None = None
    ) -> NDArray[np.float32]:
        """Encode uint8 (n, h, w, 3) as float32 (n, d)."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What decides which queries a network's photos become.

    Attributes:
        name: Of the model, for errors.
        heading: Whether the network is told where photos look.
        geometry: What the photos show.
        regions: r of a vector whose regions can be turned; None where they cannot.
        turns: Rows that a patch is stored as.
    """

    name: str
    heading: Heading
    geometry: GroundGeometry
    regions: int | None
    turns: int


def queries_of(run: Run, given: Pixels, headings: Degrees | None, asking: Asking) -> GroundQueries:
    """Photos as queries, one for every heading that has to be tried.

    Args:
        run: Encodes.
        given: uint8 (n, h, w, 3).
        headings: (n,) in [0, 360), or None if they are unknown.
        asking: Of the network.

    Raises:
        EncoderError: A heading that this model cannot have.
        VectorError: The network returned NaN, infinity or a zero vector.
    """
    if asking.heading == "aligned" and isinstance(asking.geometry, Panorama):
        return rolled_queries(run, given, headings)
    if asking.heading == "aligned":
        refuse_turned(asking.name, headings)
        if asking.regions is None:
            return plain_queries(run, given, 0.0)
        # Without being told, its regions would be the view's own and not those of the compass.
        headings = np.zeros(len(given))
    if asking.regions is None:
        return plain_queries(run, given, np.nan)
    if headings is None:
        made = shifted_queries(run, given, asking.geometry, asking.regions, asking.turns)
    else:
        made = phased_queries(run, given, headings, asking.regions, asking.turns)
    return by_regions(made, asking.regions) if asking.heading == "unknown" else made


def plain_queries(run: Run, given: Pixels, heading_degrees: float) -> GroundQueries:
    """One query for each photo, all of one heading; NaN if the network has none to tell."""
    return _queries(run(given)[:, None], np.full((len(given), 1), heading_degrees))


def refuse_turned(name: str, headings: Degrees | None) -> None:
    """Raise an EncoderError for a photo that does not look north where every photo has to."""
    if headings is None:
        return
    turned = headings[np.minimum(headings, CIRCLE_DEGREES - headings) > _SAME_DEGREES]
    if len(turned):
        raise EncoderError(
            f"Photos for {name} must look where their patch is up. Got a heading of "
            f"{turned[0]:g} degrees.",
            hint="Use a model for photos of known or unknown heading.",
        )


def rolled_queries(run: Run, given: Pixels, headings: Degrees | None) -> GroundQueries:
    """Panoramas turned until they look north: by their headings, or by all that are tried."""
    if headings is None:
        tried = np.tile(np.arange(0.0, CIRCLE_DEGREES, ROLL_DEGREES), (len(given), 1))
    else:
        tried = headings[:, None]
    columns = np.rint(tried * (given.shape[2] / CIRCLE_DEGREES)).astype(int)
    turned = np.empty((len(given), tried.shape[1], *given.shape[1:]), dtype=np.uint8)
    for photo, pixels in enumerate(given):
        for number, shift in enumerate(columns[photo]):
            turned[photo, number] = np.roll(pixels, shift, axis=1)
    vectors = run(turned.reshape(-1, *given.shape[1:]))
    return _queries(vectors.reshape(*tried.shape, vectors.shape[1]), tried)


def shifted_queries(
    run: Run, given: Pixels, geometry: GroundGeometry, regions: int, turns: int
) -> GroundQueries:
    """Photos of unknown heading: their regions shifted by all r, against rows of any turn.

    Args:
        run: Encodes.
        given: uint8 (n, h, w, 3).
        geometry: What the photos show.
        regions: r of a vector.
        turns: Rows that a patch is stored as.
    """
    vectors = torch.from_numpy(run(given))
    shifted = turned_queries(vectors.reshape(len(given), regions, -1)).numpy()
    told = headings_of_shifts(
        torch.arange(regions) * turns, geometry, regions=regions, phases=turns
    )
    return _queries(
        shifted, np.tile(told.numpy(), (len(given), 1)), turn_degrees=_step(regions, turns)
    )


def phased_queries(
    run: Run, given: Pixels, headings: Degrees, regions: int, turns: int
) -> GroundQueries:
    """Photos of known heading: one query for each turn of a row, with the regions of that turn."""
    step = _step(regions, turns)
    # A patch whose regions begin later suits a photo whose regions do.
    told = np.mod(headings[:, None] - np.arange(turns) * step, CIRCLE_DEGREES)
    vectors = np.stack([run(given, told[:, turn]) for turn in range(turns)], axis=1)
    return _queries(vectors, told, turns=np.arange(turns), turn_degrees=step)


def by_regions(queries: GroundQueries, regions: int) -> GroundQueries:
    """The same queries, whose scores are mean cosines of regions, by what is seen of each.

    As :func:`~sightline.models.region_shifts.shift_scores` defines them, where every region of a
    row has the same length.
    """
    parts = queries.vectors.reshape(*queries.vectors.shape[:2], regions, -1)
    lengths = np.linalg.norm(parts, axis=3).sum(axis=2)
    return replace(queries, scales=(np.sqrt(regions) / lengths).astype(np.float32))


def checked_headings(heading_degrees: object, count: int) -> Degrees:
    """Headings (n,) in [0, 360).

    Raises:
        EncoderError: Not ``count`` finite numbers.
    """
    given = np.asarray(heading_degrees, dtype=np.float64)
    if given.shape != (count,) or not np.isfinite(given).all():
        raise EncoderError(
            f"heading_degrees must hold {count} finite bearings. Got {given!r}.",
            hint="Give one heading for each photo, or None if they are unknown.",
        )
    return np.mod(given, CIRCLE_DEGREES)


def checked_rows(vectors: NDArray[np.float32], rows: int) -> Vectors:
    """Vectors (n * rows, s, d) that are finite and not zero.

    Raises:
        VectorError: Naming the picture.
    """
    # A zero vector stays zero when it is scaled to unit length.
    sound = np.isfinite(vectors).all(axis=2) & (vectors != 0).any(axis=2)
    bad = np.flatnonzero(~sound.all(axis=1))
    if len(bad):
        raise VectorError(
            f"The network returned NaN, infinity or a zero vector for picture {bad[0] // rows} of "
            f"{len(vectors) // rows}.",
            hint="Leave this picture out; if all fail, the weights do not fit the architecture.",
        )
    return vectors


def _step(regions: int, turns: int) -> float:
    return CIRCLE_DEGREES / (regions * turns)


def _queries(
    vectors: NDArray[np.float32],
    headings: Degrees,
    *,
    turns: NDArray[np.int64] | None = None,
    turn_degrees: float = 0.0,
) -> GroundQueries:
    shape = vectors.shape[:2]
    return GroundQueries(
        vectors=checked_rows(vectors, 1),
        headings=headings,
        turns=np.full(shape[1], -1) if turns is None else turns,
        scales=np.ones(shape, np.float32),
        turn_degrees=turn_degrees,
    )
