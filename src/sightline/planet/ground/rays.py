"""Exact hits of every column's vertical plane with boxes, and which of them each pixel sees.

Boxes stand in the ground, so a column's pixel sees the nearest box whose top reaches it. That needs
no depth test: each hit writes its rank by distance into the row where its top begins, and a running
minimum down the column carries it to all rows below.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.planet.ground.roofs import Chords, OutlineChords
from sightline.planet.ground.running import run_down
from sightline.planet.ground.viewpoint import Viewpoint, expanded
from sightline.planet.world.contents import RoofKind, plain

_ROOF_KIND = plain(RoofKind)

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

_NEAREST_M = np.float32(0.25)
_LOWEST_RISE_M = np.float32(0.05)
_TURN = np.float32(2 * np.pi)


@dataclass(frozen=True)
class Boxes:
    """What is cast, relative to the eye.

    Attributes:
        east, north: (n,) metres from the camera to the middle.
        axis_east, axis_north: (n,) unit vector of the length.
        half_length, half_width: (n,) metres.
        base: (n,) height of the foot from the eye.
        eave: (n,) height of the walls' top from the eye.
        rise: (n,) metres.
        roof: (n,) int8 `RoofKind`; of vehicles `vehicle_shapes.Shape`.
        vehicles: How many of the last rows are vehicles; their ``eave`` is the wheels' foot and
            their ``rise`` the whole height.
    """

    east: Floats
    north: Floats
    axis_east: Floats
    axis_north: Floats
    half_length: Floats
    half_width: Floats
    base: Floats
    eave: Floats
    rise: Floats
    roof: NDArray[np.int8]
    vehicles: int = 0

    def __len__(self) -> int:
        return len(self.east)

    def bearings(self, view: Viewpoint) -> tuple[Floats, Floats, Floats]:
        """Return each box's bearing and the angles it takes to the left and to the right."""
        long_east, long_north = (
            self.half_length * self.axis_east,
            self.half_length * self.axis_north,
        )
        wide_east, wide_north = -self.half_width * self.axis_north, self.half_width * self.axis_east
        places = np.empty((2, 5, len(self)), np.float32)
        for axis, (middle, lengthwise, sidewise) in enumerate(
            ((self.east, long_east, wide_east), (self.north, long_north, wide_north))
        ):
            first, second = middle + lengthwise, middle - lengthwise
            places[axis] = (
                middle, first + sidewise, first - sidewise, second + sidewise, second - sidewise,
            )  # fmt: skip
        bearing = view.bearing(places[0], places[1])
        turn = bearing[1:] - bearing[0]
        turn -= _TURN * np.rint(turn * (1 / _TURN))
        return bearing[0], -turn.min(axis=0), turn.max(axis=0)

    @cached_property
    def table(self) -> Floats:
        """float32 (8, n): axis, the middle in the box's axes, half sides, eave, rise."""
        along = self.east * self.axis_east
        along += self.north * self.axis_north
        across = self.north * self.axis_east
        across -= self.east * self.axis_north
        return np.stack(
            [
                self.axis_east, self.axis_north, along, across,
                self.half_length, self.half_width, self.eave, self.rise,
            ]
        )  # fmt: skip


@dataclass(frozen=True)
class Rays:
    """Boxes met by columns, nearest first: what decides which pixels see them.

    Attributes:
        box: intp (n,) row of the boxes.
        column: int32 (n,).
        enter: (n,) horizontal distance of the entry, metres.
        end_wall: bool (n,): entered through one of the two walls across the length.
        rate_along, rate_across: (n,) the column's direction in the box's axes.
        roof_start, roof_slope: (n,) the roof's height along the ray: start + slope · t.
        middle: (n,) distance half way to the point of the roof that is highest for the eye.
    """

    box: Indices
    column: NDArray[np.int32]
    enter: Floats
    end_wall: NDArray[np.bool_]
    rate_along: Floats
    rate_across: Floats
    roof_start: Floats
    roof_slope: Floats
    middle: Floats


@dataclass(frozen=True)
class Owners:
    """What each pixel sees of the boxes: ``2 · ray``, plus 1 on its roof; ``none`` elsewhere."""

    rank: Indices
    none: int


@dataclass(frozen=True)
class Hits:
    """Rays that are seen, with what painting asks about them.

    Attributes:
        box: intp (n,) row of the boxes.
        column: int32 (n,).
        distance: (n,) horizontal distance of the entry, metres.
        end_wall: bool (n,): entered through one of the two walls across the length.
        side: (n,) +1 or -1: which of the two.
        place: (n,) metres along the wall from its left corner as seen from outside.
        length: (n,) metres of that wall.
        normal_east, normal_north: (n,) outward normal of the wall.
        roof_start, roof_slope: (n,) the roof's height along the ray: start + slope · t.
        roof_normal: (3, n) east, north, up; of the roof that is seen.
    """

    box: Indices
    column: NDArray[np.int32]
    distance: Floats
    end_wall: NDArray[np.bool_]
    side: Floats
    place: Floats
    length: Floats
    normal_east: Floats
    normal_north: Floats
    roof_start: Floats
    roof_slope: Floats
    roof_normal: Floats


def cast(view: Viewpoint, boxes: Boxes) -> tuple[Rays, Owners]:
    """Find which boxes every column meets and which of them every pixel sees.

    Args:
        view: The camera.
        boxes: In any order.
    """
    start, count = view.spans(*boxes.bearings(view))
    box, column = expanded(start, count)
    if view.projection.circle:
        column %= np.int32(view.projection.width)
    table = boxes.table
    axis_east, axis_north, along, across, half_length, half_width, *_ = table.take(box, axis=1)
    east, north = view.along_east.take(column), view.along_north.take(column)
    crossing = np.empty((5, len(box)), np.float32)
    rate_along, rate_across, enter, leave, ahead = crossing
    # Parallel rays get a very small slope, so that they meet the wall far away instead of nowhere.
    np.add(east * axis_east, north * axis_north, out=rate_along)
    np.subtract(north * axis_east, east * axis_north, out=rate_across)
    crossing[:2] += np.float32(1e-7)
    inverse_along, inverse_across = 1 / rate_along, 1 / rate_across
    along *= inverse_along
    across *= inverse_across
    half_length *= np.abs(inverse_along)
    half_width *= np.abs(inverse_across)
    enter_along, enter_across = along - half_length, across - half_width
    np.maximum(enter_along, enter_across, out=enter)
    along += half_length
    across += half_width
    np.minimum(along, across, out=leave)
    np.subtract(enter_along, enter_across, out=ahead)
    met = ((enter < leave) & (enter > _NEAREST_M)).nonzero()[0]
    # 16 bits of a float's own order are 1 part in 4096; a sort by them is a fast radix sort.
    bits = (enter.take(met).view(np.uint32) - np.uint32(0x3E800000)) >> np.uint32(11)
    order = met.take(np.argsort(bits.astype(np.uint16), kind="stable"))
    return _rays(
        view, boxes, table, box.take(order), column.take(order), crossing.take(order, axis=1)
    )


def _rays(
    view: Viewpoint,
    boxes: Boxes,
    table: Floats,
    box: Indices,
    column: NDArray[np.int32],
    crossing: Floats,
) -> tuple[Rays, Owners]:
    rate_along, rate_across, enter, leave, ahead = crossing
    eave, rise = table[6].take(box), table[7].take(box)
    vehicle = box >= len(boxes) - boxes.vehicles
    pitched = (rise > _LOWEST_RISE_M) & (boxes.roof.take(box) != _ROOF_KIND.FLAT)
    top = eave / enter
    # Without a pitched roof: the flat one, seen from above where the eye is higher.
    start, slope, middle = eave, np.zeros_like(eave), enter.copy()
    crest = np.maximum(top, eave / leave)
    for kind, chosen in ((Chords, pitched & ~vehicle), (OutlineChords, vehicle)):
        roofed = chosen.nonzero()[0]
        if not roofed.size:
            continue
        chords = _chords(kind, boxes, table, box.take(roofed), crossing.take(roofed, axis=1))
        wall_top, roof_top, peak = chords.silhouette()
        top[roofed], crest[roofed] = wall_top, roof_top
        first = wall_top * chords.enter
        rate = (roof_top * peak - first) / np.maximum(peak - chords.enter, np.float32(1e-3))
        slope[roofed], start[roofed] = rate, first - rate * chords.enter
        middle[roofed] = (chords.enter + peak) * np.float32(0.5)
    rays = Rays(box, column, enter, ahead >= 0, rate_along, rate_across, start, slope, middle)
    return rays, _owners(view, rays, top, crest)


def _chords(
    kind: type[Chords], boxes: Boxes, table: Floats, box: Indices, crossing: Floats
) -> Chords:
    _, _, along, across, half_length, half_width, eave, rise = table.take(box, axis=1)
    rate_along, rate_across, enter, leave = crossing[:4]
    return kind(
        -along, -across, rate_along, rate_across, enter, leave,
        half_length, half_width, eave, rise, boxes.roof.take(box),
    )  # fmt: skip


def _owners(view: Viewpoint, rays: Rays, top: Floats, crest: Floats) -> Owners:
    projection = view.projection
    width, height = projection.width, projection.height
    none = 2 * len(rays.box)
    # Few rays fit into 16 bits, which are faster to run down.
    small: type[np.integer[Any]] = np.uint16 if none <= np.iinfo(np.uint16).max else np.int32
    rank = np.full((height + 1, width), none, small)
    if none:
        numbers = np.arange(none).astype(small)
        wall = projection.first_rows(top, rays.column) * np.int32(width) + rays.column
        roofed = (crest > top).nonzero()[0]
        columns = rays.column.take(roofed)
        roof = projection.first_rows(crest.take(roofed), columns) * np.int32(width) + columns
        np.minimum.at(rank.ravel(), wall, numbers[0::2])
        np.minimum.at(rank.ravel(), roof, numbers[1::2].take(roofed))
        run_down(np.minimum, rank)
    return Owners(rank[:-1].astype(np.intp), none)


def hits_of(boxes: Boxes, rays: Rays, seen: Indices) -> Hits:
    """Return the rays that are seen, with all that painting asks.

    Args:
        boxes: What was cast.
        rays: From `cast`.
        seen: intp (n,), which of them.
    """
    box, enter, end_wall = rays.box.take(seen), rays.enter.take(seen), rays.end_wall.take(seen)
    table = boxes.table.take(box, axis=1)
    axis_east, axis_north, middle_along, middle_across, half_length, half_width, _, _ = table
    rate_along, rate_across = rays.rate_along.take(seen), rays.rate_across.take(seen)
    side = -np.sign(np.where(end_wall, rate_along, rate_across))
    along = enter * rate_along - middle_along
    across = enter * rate_across - middle_across
    # From the left corner as seen from outside: the end walls run with +across for side +1.
    place = np.where(end_wall, across * side + half_width, half_length - along * side)
    normal = np.zeros((3, len(box)), np.float32)
    normal[2] = 1
    vehicle = box >= len(boxes) - boxes.vehicles
    pitched = (table[7] > _LOWEST_RISE_M) & (boxes.roof.take(box) != _ROOF_KIND.FLAT)
    for kind, chosen in ((Chords, pitched & ~vehicle), (OutlineChords, vehicle)):
        roofed = chosen.nonzero()[0]
        if not roofed.size:
            continue
        middle = rays.middle.take(seen.take(roofed))
        crossing = np.stack([rate_along, rate_across, enter, enter]).take(roofed, axis=1)
        chords = _chords(kind, boxes, boxes.table, box.take(roofed), crossing)
        n_along, n_across, n_up = chords.normals(middle)
        east, north = axis_east.take(roofed), axis_north.take(roofed)
        normal[0, roofed] = n_along * east - n_across * north
        normal[1, roofed] = n_along * north + n_across * east
        normal[2, roofed] = n_up
    return Hits(
        box, rays.column.take(seen), enter, end_wall, side, place,
        2 * np.where(end_wall, half_width, half_length),
        np.where(end_wall, axis_east, -axis_north) * side,
        np.where(end_wall, axis_north, axis_east) * side,
        rays.roof_start.take(seen), rays.roof_slope.take(seen), normal,
    )  # fmt: skip
