"""Covers: the ranges of S2 leaves that hold a region, found by refining cells from the faces.

A cover may hold more than the region and never less. The refinement works on whole arrays of
cells; a region only has to say, for an array of cells, which may touch it and which lie inside.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sightline.errors import RegionError
from sightline.geo.cells import MAX_LEVEL, children, corner_vectors, levels, range_max, range_min
from sightline.geo.coordinates import FloatArray, from_unit_vectors
from sightline.geo.cube import IdArray

BoolArray = NDArray[np.bool_]
Classifier = Callable[[IdArray], tuple[BoolArray, BoolArray]]
"""Cells ``(n,)`` to two masks: may touch the region, lies wholly inside it. In doubt: touches."""

_FACES = np.array([((2 * face + 1) << 60) for face in range(6)], dtype=np.uint64)
# Cells looked at per range that is asked for: more make a tighter cover and cost time.
_EFFORT = 8
# Degrees added around a cell: far more than rounding (1e-14), far less than a leaf (8e-8).
_MARGIN = 1e-11


def cover(classify: Classifier, max_cells: int) -> IdArray:
    """Return at most ``max_cells`` ranges of leaves that hold every touched cell.

    Args:
        classify: The region's answer for an array of cells.
        max_cells: The largest number of ranges, at least 1.

    Returns:
        ``(k, 2)`` inclusive leaf ids, ascending and disjoint; ``(0, 2)`` if nothing is touched.

    Raises:
        RegionError: If ``max_cells`` is less than 1.
    """
    check_max_cells(max_cells)
    decided: list[IdArray] = []
    count = 0
    cells = _FACES
    while cells.size:
        touched, inside = classify(cells)
        decided.append(cells[touched & inside])
        count += decided[-1].size
        cells = cells[touched & ~inside]
        if cells.size == 0 or count + cells.size > _EFFORT * max_cells:
            break
        if levels(cells[:1])[0] == MAX_LEVEL:
            break
        cells = children(cells).ravel()
    return limit_ranges(ranges_of(np.concatenate([*decided, cells])), max_cells)


def check_max_cells(max_cells: int) -> None:
    """Raise RegionError unless at least one range is asked for."""
    if max_cells < 1:
        message = f"A cover needs at least one range. Got max_cells={max_cells}."
        raise RegionError(message, hint="Ask for 1 or more; 64 is the default.")


def ranges_of(ids: IdArray) -> IdArray:
    """Return the leaf ranges of cells, ``(k, 2)``: ascending, merged where they touch."""
    if ids.size == 0:
        return np.empty((0, 2), dtype=np.uint64)
    order = np.argsort(range_min(ids))
    low, high = range_min(ids)[order], np.maximum.accumulate(range_max(ids)[order])
    # Leaf ids are odd: neighbours on the curve differ by two.
    opens = np.concatenate([[True], low[1:] > high[:-1] + np.uint64(2)])
    closes = np.concatenate([opens[1:], [True]])
    return np.stack([low[opens], high[closes]], axis=1)


def limit_ranges(ranges: IdArray, max_ranges: int) -> IdArray:
    """Join ranges across the smallest gaps until ``max_ranges`` are left."""
    if len(ranges) <= max_ranges:
        return ranges
    gaps = ranges[1:, 0] - ranges[:-1, 1]
    keep = np.sort(np.argsort(gaps, kind="stable")[len(gaps) - (max_ranges - 1) :])
    low = np.concatenate([ranges[:1, 0], ranges[keep + 1, 0]])
    high = np.concatenate([ranges[keep, 1], ranges[-1:, 1]])
    return np.stack([low, high], axis=1)


def in_ranges(leaves: IdArray, ranges: IdArray) -> BoolArray:
    """Say which leaf ids ``(n,)`` lie in one of the ascending, disjoint ranges ``(k, 2)``."""
    if len(ranges) == 0:
        return np.zeros(leaves.shape, dtype=np.bool_)
    at = np.searchsorted(ranges[:, 0], leaves, side="right") - 1
    return np.asarray((at >= 0) & (leaves <= ranges[np.maximum(at, 0), 1]))


def rectangles(ids: IdArray) -> FloatArray:
    """Return boxes of latitude and longitude that hold the cells, ``(n, 4)`` degrees.

    The columns are south, west, north, east. West may fall below -180 and east exceed 180, by
    181 at most, so that a box over the antimeridian is one interval. An edge of a cell is a great
    circle, so its northernmost point can lie between its ends; its longitudes cannot.
    """
    corner = corner_vectors(ids)
    following = np.roll(corner, -1, axis=1)
    places = from_unit_vectors(corner)
    lat, lon = places[..., 0], places[..., 1]
    summit = _summits(corner, following)
    south = np.minimum(lat.min(axis=1), np.where(summit < 0, summit, 90.0).min(axis=1))
    north = np.maximum(lat.max(axis=1), np.where(summit > 0, summit, -90.0).max(axis=1))
    centre = from_unit_vectors(corner.sum(axis=1))[:, 1]
    offset = (lon - centre[:, None] + 180.0) % 360.0 - 180.0
    # The polar faces hold their pole inside; every other cell that reaches it has it as a corner.
    north = np.where(ids == _FACES[2], 90.0, north)
    south = np.where(ids == _FACES[5], -90.0, south)
    # A pole lies on all meridians, and near it a longitude is rounded as it is magnified.
    shrink = np.cos(np.deg2rad(np.maximum(north, -south)))
    slack = _MARGIN * (1.0 + 0.1 / np.maximum(shrink, 1e-16))
    west = np.where(slack > 1.0, -180.0, centre + offset.min(axis=1) - slack)
    east = np.where(slack > 1.0, 180.0, centre + offset.max(axis=1) + slack)
    south = np.maximum(south - _MARGIN, -90.0)
    north = np.minimum(north + _MARGIN, 90.0)
    return np.stack([south, west, north, east], axis=1)


def caps(ids: IdArray) -> tuple[FloatArray, FloatArray]:
    """Return centres ``(n, 3)`` and angular radii ``(n,)`` in radians of caps around the cells."""
    corner = corner_vectors(ids)
    centre = corner.sum(axis=1)
    centre /= np.linalg.norm(centre, axis=1, keepdims=True)
    # The farthest point of a convex spherical polygon within a hemisphere is a corner.
    radius = angles(corner, centre[:, None, :]).max(axis=1)
    return centre, radius + np.deg2rad(_MARGIN)


def angles(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return angles in radians between unit vectors ``(..., 3)``, exact at 0 and at pi."""
    apart = np.linalg.norm(a - b, axis=-1)
    together = np.linalg.norm(a + b, axis=-1)
    return np.asarray(2.0 * np.arctan2(apart, together))


def _summits(start: FloatArray, end: FloatArray) -> FloatArray:
    """Return the latitude where each edge turns north or south, 0 where it does so outside.

    The summit of a great circle with unit normal n is the direction of z - (z·n) n; it lies on
    the arc if it is on the inner side of both ends. Its antipode is the southern summit.
    """
    normal = np.cross(start, end)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    rise = np.hypot(normal[..., 0], normal[..., 1])
    up = np.array([0.0, 0.0, 1.0]) - normal[..., 2:] * normal
    after = np.einsum("...i,...i->...", np.cross(normal, start), up)
    before = np.einsum("...i,...i->...", np.cross(end, normal), up)
    latitude = np.rad2deg(np.arctan2(rise, np.abs(normal[..., 2])))
    northern, southern = (after > 0) & (before > 0), (after < 0) & (before < 0)
    return np.asarray(np.where(northern, latitude, np.where(southern, -latitude, 0.0)))
