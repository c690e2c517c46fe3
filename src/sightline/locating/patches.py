"""Rows of an aerial atlas as distinct patches: of each its best turn, asked from any heading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.atlas.matches import Matches
from sightline.geo.coordinates import normalise_longitude
from sightline.geo.distance import bearing_degrees, destination, great_circle_m
from sightline.locating.evidence import Floats
from sightline.models.protocol import GroundQueries

_CIRCLE_DEGREES = 360.0


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """The patches that fit one photo, best first.

    Attributes:
        coordinates: Of their centres, degrees, float64 (p, 2).
        scores: float64 (p,), of the best turn.
        headings: float64 (p,), the bearing of the photo's centre column that fits best; NaN where
            the model cannot tell.
        uris: object (p,).
    """

    coordinates: Floats
    scores: Floats
    headings: Floats
    uris: NDArray[Any]

    def __len__(self) -> int:
        return len(self.scores)

    def taken(self, chosen: NDArray[Any] | slice) -> Patches:
        """Return some of them."""
        return Patches(
            self.coordinates[chosen],
            self.scores[chosen],
            self.headings[chosen],
            self.uris[chosen],
        )


def distinct_patches(
    matches: Matches, queries: GroundQueries, view_turns: NDArray[np.float64]
) -> Patches:
    """Merge what the queries of one photo found.

    A row that a query may not be compared with, being of another turn, is left out.

    Args:
        matches: One row for each query vector, (v * s, k): all of the first view, then the second.
        queries: Of the photo's v views.
        view_turns: (v,), how far each view looks to the right of the photo's centre, in degrees.

    Returns:
        Patches with different centres; equal scores by the order in which they were found.
    """
    views, asked = queries.headings.shape
    shape = matches.ids.shape
    own = np.tile(queries.turns, views)[:, None]
    turn = matches.views.astype(np.int64)
    kept = np.flatnonzero((matches.ids >= 0) & ((own < 0) | (own == turn)))
    scores = matches.scores.astype(np.float64) * queries.scales.reshape(-1, 1)
    told = queries.headings - np.repeat(view_turns[:, None], asked, axis=1)
    headings = told.reshape(-1, 1) + turn * queries.turn_degrees
    found = Patches(
        matches.coordinates.reshape(-1, 2)[kept],
        scores.reshape(-1)[kept],
        np.mod(np.broadcast_to(headings, shape).reshape(-1)[kept], _CIRCLE_DEGREES),
        matches.uris.reshape(-1)[kept],
    )
    found = found.taken(np.argsort(-found.scores, kind="stable"))
    _, first = np.unique(found.coordinates, axis=0, return_index=True)
    return found.taken(np.sort(first))


def apart(patches: Patches, distance_m: float) -> NDArray[np.intp]:
    """Which patches show places of their own: best first, none near a better one.

    Args:
        patches: Best first.
        distance_m: Centres nearer than this are of one place.

    Returns:
        Ascending positions.
    """
    chosen: list[int] = []
    left = np.arange(len(patches))
    while len(left):
        chosen.append(int(left[0]))
        away = great_circle_m(patches.coordinates[left], patches.coordinates[left[0]])
        # Itself too, whatever its distance is rounded to.
        left = left[(away >= distance_m) & (left != left[0])]
    return np.array(chosen, dtype=np.intp)


def offsets_m(origin: Floats, places: Floats) -> Floats:
    """Places near an origin as metres east and north of it, (p, 2)."""
    distance, bearing = great_circle_m(origin, places), bearing_degrees(origin, places)
    turn = np.radians(bearing)
    return np.stack([distance * np.sin(turn), distance * np.cos(turn)], axis=-1)


def moved(origin: Floats, east_m: float, north_m: float) -> tuple[float, float]:
    """The place some metres east and north of an origin."""
    bearing = np.degrees(np.arctan2(east_m, north_m))
    lat, lon = destination(origin, bearing, np.hypot(east_m, north_m))
    return float(lat), float(normalise_longitude(lon))


def square_points(centres: Floats, patch_m: float, side: int = 12) -> Floats:
    """Points spread evenly over squares.

    Args:
        centres: Degrees (p, 2).
        patch_m: Side of a square in metres.
        side: Points along it.

    Returns:
        Degrees (p, side², 2).
    """
    steps = ((np.arange(side) + 0.5) / side - 0.5) * patch_m
    east, north = (axis.ravel() for axis in np.meshgrid(steps, steps))
    bearing = np.degrees(np.arctan2(east, north))
    return destination(centres[:, None, :], bearing, np.hypot(east, north))
