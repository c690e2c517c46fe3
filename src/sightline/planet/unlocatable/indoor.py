"""Rooms: a box in perspective with furniture, a window and its light."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.planet.draws import Draws
from sightline.planet.unlocatable.canvas import Plane, Sketch, varied
from sightline.planet.unlocatable.furnishing import FABRICS, FLOORS, Box, Room, furnished

_WALLS = (
    (0.86, 0.84, 0.79),
    (0.78, 0.80, 0.80),
    (0.70, 0.76, 0.70),
    (0.84, 0.74, 0.60),
    (0.62, 0.66, 0.74),
    (0.76, 0.62, 0.58),
)


@dataclass
class _Hits:
    """What each pixel sees: depth (the factor of its ray), place, facing, owner (-1: the shell)."""

    depth: Plane
    point: tuple[Plane, Plane, Plane]
    face: NDArray[np.int8]
    owner: NDArray[np.int16]


_RIGHT, _LEFT, _CEILING, _FLOOR, _BACK, _SIDE, _TOP, _FRONT = range(8)


def draw_indoor(canvas: Sketch, draws: Draws) -> None:
    """Paint a room."""
    room = furnished(draws)
    hits = _cast(canvas, draws, room)
    image = _shell(canvas, draws, room, hits)
    for number, box in enumerate(room.boxes):
        mine = hits.owner == number
        facing = np.where(hits.face == _TOP, 1.0, np.where(hits.face == _SIDE, 0.72, 0.84))
        weave = 0.88 + 0.24 * canvas.noise(draws, 40, 2)
        image[mine] = (facing * weave)[mine][:, None].astype(np.float32) * box.colour
    image *= _light(draws, room, hits)[..., None]
    outside = _window_cover(room, hits)
    canvas.pixels[:] = image
    view = canvas.noise(draws, 5, 3)[..., None] * np.float32(0.3) + np.float32(0.75)
    canvas.blend(outside, view * varied(draws, (0.92, 0.96, 1.0), 0.04))


def _cast(canvas: Sketch, draws: Draws, room: Room) -> _Hits:
    """Intersect the rays (x, y, 1), turned a little sideways, with room and boxes."""
    zoom, turn = np.float32(draws.between(0.55, 0.95)), draws.between(-0.35, 0.35)
    shape = (canvas.height, canvas.width)
    cosine, sine = np.float32(math.cos(turn)), np.float32(math.sin(turn))
    x = np.broadcast_to(canvas.x * zoom * cosine + sine, shape)
    z = np.broadcast_to(cosine - canvas.x * zoom * sine, shape)
    y = np.broadcast_to(-canvas.y * zoom - np.float32(draws.between(-0.05, 0.25)), shape)
    rays = (_not_zero(x), _not_zero(y), _not_zero(z))
    shell = np.stack(
        [
            np.where(rays[0] > 0, room.right, room.left) / rays[0],
            np.where(rays[1] > 0, room.ceiling, room.floor) / rays[1],
            np.where(rays[2] > 0, room.back, -2.0) / rays[2],
        ]
    ).astype(np.float32)
    axis = shell.argmin(axis=0)
    depth = shell.min(axis=0)
    sides = np.where(x > 0, _RIGHT, _LEFT), np.where(y > 0, _CEILING, _FLOOR)
    face = np.where(axis == 0, sides[0], np.where(axis == 1, sides[1], _BACK)).astype(np.int8)
    owner = np.full(shape, -1, np.int16)
    for number, box in enumerate(room.boxes):
        _cast_box(rays, box, number, depth, face, owner)
    return _Hits(depth, (x * depth, y * depth, z * depth), face, owner)


def _not_zero(ray: Plane) -> Plane:
    return np.where(np.abs(ray) < 1e-6, np.float32(1e-6), ray)


def _cast_box(
    rays: tuple[Plane, Plane, Plane],
    box: Box,
    number: int,
    depth: Plane,
    face: NDArray[np.int8],
    owner: NDArray[np.int16],
) -> None:
    """Slab test (Kay and Kajiya 1986) of one box; updates the arrays where it is nearer."""
    columns = rays[0] / rays[2], (box.low, box.high)
    # Only the columns that the box can cover are worth a test.
    bearings = [side[0] / ahead for side in columns[1] for ahead in (box.low[2], box.high[2])]
    seen = np.flatnonzero(
        (columns[0][0] >= min(bearings) - 0.02) & (columns[0][0] <= max(bearings) + 0.02)
    )
    if not len(seen):
        return
    part = np.s_[:, seen[0] : seen[-1] + 1]
    near = np.full(depth[part].shape, -np.inf, np.float32)
    far = np.full(depth[part].shape, np.inf, np.float32)
    facing = np.zeros(depth[part].shape, np.int8)
    for ray, low, high, name in zip(rays, box.low, box.high, (_SIDE, _TOP, _FRONT), strict=True):
        first, second = np.float32(low) / ray[part], np.float32(high) / ray[part]
        enter = np.minimum(first, second)
        facing = np.where(enter > near, np.int8(name), facing)
        near = np.maximum(near, enter)
        far = np.minimum(far, np.maximum(first, second))
    hit = (near < far) & (near > 0.3) & (near < depth[part])
    depth[part][hit] = near[hit]
    face[part][hit] = facing[hit]
    owner[part][hit] = number


def _shell(canvas: Sketch, draws: Draws, room: Room, hits: _Hits) -> Plane:
    """Walls, floor and ceiling with their materials, float32 (height, width, 3)."""
    wall = varied(draws, draws.pick(_WALLS), 0.04)
    x, y, z = hits.point
    image = np.empty((*hits.depth.shape, 3), np.float32)
    along = np.where(hits.face == _BACK, x, z)
    paper = 1 + 0.05 * (canvas.noise(draws, 6, 2) - 0.5)
    if draws.chance(0.3):
        paper = paper + 0.05 * (np.sin(along * np.float32(draws.between(8, 40))) > 0)
    image[:] = paper[..., None] * wall
    skirting = (y < room.floor + 0.1) & (hits.face != _FLOOR)
    image[skirting] = np.array((0.92, 0.91, 0.88), np.float32)
    image[hits.face == _CEILING] = np.array((0.92, 0.92, 0.90), np.float32)
    ground = hits.face == _FLOOR
    image[ground] = _floor(canvas, draws, x, z)[ground]
    for _ in range(draws.index(4)):
        _picture_on_wall(draws, room, hits, image)
    return image


def _floor(canvas: Sketch, draws: Draws, x: Plane, z: Plane) -> Plane:
    colour = varied(draws, draws.pick(FLOORS), 0.05)
    kind = draws.index(3)
    if kind == 0:  # boards
        board = np.floor(x / np.float32(0.14))
        tone = np.mod(board * 0.618 + np.floor(z / 1.3 + np.mod(board * 0.37, 1)) * 0.29, 1)
        light = 0.82 + 0.3 * tone + 0.12 * canvas.noise(draws, 30, 2)
    elif kind == 1:  # tiles
        size = np.float32(draws.between(0.25, 0.6))
        joint = (np.mod(x, size) < 0.015) | (np.mod(z, size) < 0.015)
        odd = np.mod(np.floor(x / size) + np.floor(z / size), 2)
        light = np.where(joint, 0.65, 1.0 - np.float32(draws.between(0, 0.3)) * odd)
    else:  # carpet
        light = 0.85 + 0.3 * canvas.noise(draws, 60, 2)
    floor = light.astype(np.float32)[..., None] * colour
    if draws.chance(0.5):
        rug = varied(draws, draws.pick(FABRICS), 0.08)
        distance = np.maximum(
            np.abs(x - np.float32(draws.between(-0.8, 0.8))) - 0.9, np.abs(z - 3) - 0.7
        )
        band = 0.8 + 0.25 * (np.mod(distance * 9, 1) > 0.5)
        floor = np.where((distance < 0)[..., None], band[..., None] * rug, floor)
    found: Plane = floor.astype(np.float32)
    return found


def _picture_on_wall(draws: Draws, room: Room, hits: _Hits, image: Plane) -> None:
    wall = draws.pick(
        ((_BACK, room.left, room.right), (_LEFT, 1.2, room.back), (_RIGHT, 1.2, room.back))
    )
    along = hits.point[0] if wall[0] == _BACK else hits.point[2]
    x = np.abs(along - np.float32(draws.between(wall[1], wall[2])))
    y = np.abs(hits.point[1] - np.float32(draws.between(0.0, 0.5)))
    half = draws.between(0.15, 0.5), draws.between(0.15, 0.4)
    here = hits.face == wall[0]
    frame = np.maximum(x - np.float32(half[0]), y - np.float32(half[1]))
    image[here & (frame < 0.03)] = varied(draws, draws.pick(FLOORS), 0.08)
    image[here & (frame < 0)] = varied(draws, draws.pick(FABRICS), 0.15)
    image[here & (frame < -0.08)] = varied(draws, draws.pick(FABRICS), 0.15)


def _window_place(room: Room, hits: _Hits) -> tuple[NDArray[np.bool_], Plane, Plane]:
    """Pixels on the window's wall, and their place on it from the window's centre."""
    wall, centre, height, _, _ = room.window
    face = {"back": _BACK, "left": _LEFT, "right": _RIGHT}[wall]
    along = hits.point[0] if wall == "back" else hits.point[2]
    here = (hits.face == face) & (hits.owner < 0)
    return here, along - np.float32(centre), hits.point[1] - np.float32(height)


def _window_cover(room: Room, hits: _Hits) -> Plane:
    here, along, up = _window_place(room, hits)
    half_width, half_height = room.window[3:]
    inside = np.maximum(np.abs(along) - half_width, np.abs(up) - half_height) < 0
    bars = (np.abs(along) < 0.025) | (np.abs(up - half_height * 0.3) < 0.02)
    found: Plane = (here & inside & ~bars).astype(np.float32)
    return found


def _light(draws: Draws, room: Room, hits: _Hits) -> Plane:
    """Brightness: what comes from the window falls off with distance; corners are darker."""
    wall, centre, height, half_width, half_height = room.window
    source = {
        "back": (centre, height, room.back),
        "left": (room.left, height, centre),
        "right": (room.right, height, centre),
    }[wall]
    x, y, z = hits.point
    square = (
        (x - np.float32(source[0])) ** 2
        + (y - np.float32(source[1])) ** 2
        + (z - np.float32(source[2])) ** 2
    )
    strength = np.float32(draws.between(1.0, 2.4) * half_width * half_height * 4)
    light = np.float32(draws.between(0.22, 0.5)) + strength / (square + np.float32(1.5))
    corner = np.minimum(
        np.minimum(x - np.float32(room.left), np.float32(room.right) - x), np.float32(room.back) - z
    )
    light *= 0.82 + 0.18 * np.clip(corner * 2.5, 0, 1)
    if draws.chance(0.5):  # sun through the window lies on the floor as a slanting patch
        slant = np.float32(draws.between(-0.8, 0.8))
        reach = np.float32(draws.between(0.4, 1.6))
        across, away = (x, room.back - z) if wall == "back" else (z, np.abs(x - source[0]))
        drop = np.float32(height - room.floor)
        patch = np.maximum(
            np.abs(across - np.float32(centre) - slant * away) - np.float32(half_width * 0.9),
            np.abs(away - reach * drop) - np.float32(half_height * 1.2),
        )
        light = light + np.where((hits.face == _FLOOR) & (patch < 0), np.float32(0.55), 0)
    found: Plane = np.clip(light, 0, 1.6).astype(np.float32)
    return found
