"""Which places lie in shadow, from one map in the sun's own axes.

In those axes all light runs along one row direction. A point at height z and at s metres down-light
is lit only if nothing up-light of it has a greater z + s · tan(elevation), so one running maximum
of that number along the light gives the shadow of everything at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.planet.ground.rays import Boxes
from sightline.planet.ground.running import run_down
from sightline.planet.ground.viewpoint import expanded
from sightline.planet.looks import noise
from sightline.planet.world.contents import RoofKind, plain

_ROOF_KIND = plain(RoofKind)

Floats = NDArray[np.float32]

_ACROSS_M, _DOWN_M = 0.5, 0.7
_NOWHERE = np.float32(-1e6)
_SOFT_M = 0.3
_DEEPEST_M = 30.0  # how far below the eye the ground may lie


@dataclass(frozen=True)
class Crowns:
    """Plants as ellipsoids, relative to the eye.

    Attributes:
        east, north: (n,) metres from the camera.
        middle: (n,) height of the crown's middle from the eye.
        radius: (n,) metres.
        half_height: (n,) metres.
        key: (n,) uint32.
    """

    east: Floats
    north: Floats
    middle: Floats
    radius: Floats
    half_height: Floats
    key: NDArray[np.uint32]


@dataclass(frozen=True)
class ShadowMap:
    """The running maximum, around the camera.

    Attributes:
        levels: float32 (down · across,), flat.
        columns: How many columns the map has.
        rows: How many rows.
        light: (east, north) of the horizontal way the light goes.
        rise: Tangent of the sun's elevation.
        middle: (across, down) metres of the map's middle from the camera.
    """

    levels: Floats
    columns: int
    rows: int
    light: tuple[float, float]
    rise: float
    middle: tuple[float, float]

    def reach(self, east: Floats, north: Floats) -> Floats:
        """Return the height from the eye up to which places lie in shadow.

        Args:
            east: (n,) metres from the camera.
            north: (n,) metres from the camera.
        """
        across, down = _in_light(self.light, east, north)
        place, cell = self._cells(across, down)
        place += np.float32(0.5)
        cell += place.astype(np.intp)
        level = self.levels.take(cell)
        down *= np.float32(self.rise)
        level -= down
        return level

    def before(self, east: Floats, north: Floats, away: Floats) -> Floats:
        """Return `reach` some metres up-light of places: what shades a thing, but not itself."""
        return self.reach(
            east - np.float32(self.light[0]) * away, north - np.float32(self.light[1]) * away
        )

    def shade(self, east: Floats, north: Floats, height: Floats) -> Floats:
        """Return how much of the sun is hidden, 0 to 1, from places at heights from the eye."""
        across, down = _in_light(self.light, east, north)
        share, cell = self._cells(across, down)
        down *= np.float32(self.rise)
        down += height
        near = self._depth(cell, down)
        cell += 1
        beside = self._depth(cell, down)
        beside -= near
        beside *= share
        near += beside
        return near

    def _depth(self, cell: NDArray[np.intp], level: Floats) -> Floats:
        depth = self.levels.take(cell)
        depth -= level
        depth *= np.float32(1 / _SOFT_M)
        np.maximum(depth, 0, out=depth)
        return np.minimum(depth, 1, out=depth)

    def _cells(self, across: Floats, down: Floats) -> tuple[Floats, NDArray[np.intp]]:
        """The share of the way to the next column, and the flat index; borders hold outside."""
        place = across - np.float32(self.middle[0])
        place *= np.float32(1 / _ACROSS_M)
        place += np.float32(self.columns / 2 - 0.5)
        np.maximum(place, 0, out=place)
        np.minimum(place, np.float32(self.columns - 1.001), out=place)
        column = place.astype(np.int32)
        place -= column
        row = down - np.float32(self.middle[1])
        row *= np.float32(1 / _DOWN_M)
        row += np.float32(self.rows / 2)
        np.maximum(row, 0, out=row)
        np.minimum(row, np.float32(self.rows - 1), out=row)
        cell = row.astype(np.intp)
        cell *= self.columns
        cell += column
        return place, cell


def cast_shadows(
    sun: tuple[float, float, float],
    middle: tuple[float, float],
    half_m: float,
    boxes: Boxes,
    crowns: Crowns,
) -> ShadowMap:
    """Make the map.

    Args:
        sun: (east, north, up), the unit vector to it; above the horizon.
        middle: (east, north) metres of the map's middle from the camera.
        half_m: Half the map's side.
        boxes: What stands, relative to the eye.
        crowns: Plants, relative to the eye.
    """
    flat = max(math.hypot(sun[0], sun[1]), 1e-6)
    light = (-sun[0] / flat, -sun[1] / flat)
    columns, rows = round(2 * half_m / _ACROSS_M), round(2 * half_m / _DOWN_M)
    turned = _in_light(light, np.array([middle[0]], np.float32), np.array([middle[1]], np.float32))
    centre = (float(turned[0][0]), float(turned[1][0]))
    shadows = ShadowMap(
        np.full(columns * rows, _NOWHERE, np.float32), columns, rows, light, sun[2] / flat, centre
    )
    _add_boxes(shadows, boxes)
    _add_crowns(shadows, crowns)
    run_down(np.maximum, shadows.levels.reshape(rows, columns))
    return shadows


def _in_light(light: tuple[float, float], east: Floats, north: Floats) -> tuple[Floats, Floats]:
    """Metres to the left of the light's way and along it."""
    across = north * np.float32(light[0])
    across -= east * np.float32(light[1])
    down = east * np.float32(light[0])
    down += north * np.float32(light[1])
    return across, down


def _columns(
    shadows: ShadowMap, across: Floats, half: Floats
) -> tuple[NDArray[np.intp], NDArray[np.int32], Floats]:
    """Owner, column and metres from the owner's middle of every column that lies under a span."""
    place = (across - np.float32(shadows.middle[0])) * np.float32(1 / _ACROSS_M)
    place += np.float32(shadows.columns / 2 - 0.5)
    reach = half * np.float32(1 / _ACROSS_M)
    first = np.clip(np.ceil(place - reach), 0, shadows.columns).astype(np.int32)
    last = np.clip(np.floor(place + reach), -1, shadows.columns - 1).astype(np.int32)
    owner, column = expanded(first, np.maximum(last + 1 - first, 0))
    return owner, column, (column - place.take(owner)) * np.float32(_ACROSS_M)


def _write(shadows: ShadowMap, column: NDArray[np.int32], down: Floats, level: Floats) -> None:
    """Raise levels; what lies up-light of the map acts from its first row."""
    row = np.floor((down - np.float32(shadows.middle[1])) * np.float32(1 / _DOWN_M))
    row += np.float32(shadows.rows // 2)
    inside = np.flatnonzero(row < shadows.rows)
    cell = np.maximum(row.take(inside), 0).astype(np.int32) * np.int32(shadows.columns)
    cell += column.take(inside)
    np.maximum.at(shadows.levels, cell, level.take(inside))


def _add_boxes(shadows: ShadowMap, boxes: Boxes) -> None:
    across, down = _in_light(shadows.light, boxes.east, boxes.north)
    turn_across, turn_down = _in_light(shadows.light, boxes.axis_east, boxes.axis_north)
    half = np.abs(turn_across) * boxes.half_length + np.abs(turn_down) * boxes.half_width
    # What stands down-light of the map, or whose shadow ends before it, has no columns.
    reach = np.hypot(boxes.half_length, boxes.half_width)
    tallest = boxes.eave + boxes.rise + np.float32(_DEEPEST_M)
    begin = np.float32(shadows.middle[1] - shadows.rows * _DOWN_M / 2)
    inside = down - reach < begin + np.float32(shadows.rows * _DOWN_M)
    inside &= down + reach + tallest * np.float32(1 / shadows.rise) > begin
    half = np.where(inside, half, np.float32(-_ACROSS_M))
    box, column, offset = _columns(shadows, across, np.asarray(half, np.float32))
    # The line at this offset in the box's axes: its way along is turn_down, across -turn_across.
    rate_along, rate_across = turn_down.take(box) + np.float32(1e-7), -turn_across.take(box)
    rate_across = rate_across + np.float32(1e-7)
    along, sideways = offset * turn_across.take(box), offset * turn_down.take(box)
    inverse_along, inverse_across = 1 / rate_along, 1 / rate_across
    reach_along = boxes.half_length.take(box) * np.abs(inverse_along)
    reach_across = boxes.half_width.take(box) * np.abs(inverse_across)
    enter = np.maximum(
        -along * inverse_along - reach_along, -sideways * inverse_across - reach_across
    )
    leave = np.minimum(
        -along * inverse_along + reach_along, -sideways * inverse_across + reach_across
    )
    leave = np.maximum(leave, enter)
    rise = np.float32(shadows.rise)
    start = down.take(box)
    eave, roof = boxes.eave.take(box), boxes.rise.take(box)
    roof = np.where(boxes.roof.take(box) == _ROOF_KIND.FLAT, 0, roof)
    level = eave + (start + leave) * rise
    ridge = eave + roof + (start + (enter + leave) * np.float32(0.5)) * rise
    _write(shadows, column, start + leave, np.maximum(level, ridge))


def _add_crowns(shadows: ShadowMap, crowns: Crowns) -> None:
    across, down = _in_light(shadows.light, crowns.east, crowns.north)
    crown, column, offset = _columns(shadows, across, crowns.radius)
    radius = crowns.radius.take(crown)
    share = offset / radius
    width = np.sqrt(np.maximum(1 - share * share, 0))
    rise = np.float32(shadows.rise)
    reach = np.sqrt(crowns.half_height**2 + (crowns.radius * rise) ** 2).take(crown)
    # Leaves fray the outline; the pattern turns with the plant's key and stays with its place.
    spot = (offset * np.float32(2.5)).astype(np.int32) + 64 * (crowns.key % 4096).astype(
        np.int32
    ).take(crown)
    ragged = noise.fine().take(spot & (noise.SIDE * noise.SIDE - 1))
    width += np.float32(0.35) * ragged
    level = crowns.middle.take(crown) + down.take(crown) * rise + reach * width
    _write(shadows, column, down.take(crown) + np.float32(_DOWN_M), level)
