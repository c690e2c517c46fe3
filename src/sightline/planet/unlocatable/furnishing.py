"""What stands in a room: furniture of boxes, drawn at random."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sightline.planet.draws import Draws
from sightline.planet.unlocatable.canvas import Plane, varied

FLOORS = ((0.52, 0.36, 0.22), (0.66, 0.52, 0.36), (0.32, 0.24, 0.18), (0.60, 0.60, 0.58))
FABRICS = (
    (0.45, 0.47, 0.50),
    (0.55, 0.22, 0.18),
    (0.22, 0.32, 0.42),
    (0.36, 0.42, 0.28),
    (0.72, 0.64, 0.50),
    (0.85, 0.83, 0.78),
    (0.42, 0.28, 0.18),
    (0.12, 0.12, 0.13),
)

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Box:
    """A piece of furniture: corners in metres (right, up, ahead) and its colour."""

    low: Triple
    high: Triple
    colour: Plane


@dataclass
class Room:
    """A room in the camera's axes, metres: right, up, ahead; the eye is the origin.

    ``window`` is (wall, centre along the wall, centre height, half width, half height).
    """

    left: float
    right: float
    floor: float
    ceiling: float
    back: float
    window: tuple[str, float, float, float, float]
    boxes: list[Box] = field(default_factory=list)


def furnished(draws: Draws) -> Room:
    """Draw a room with three pieces of furniture or more."""
    room = Room(
        left=-draws.between(1.2, 3.2),
        right=draws.between(1.2, 3.2),
        floor=-draws.between(1.2, 1.6),
        ceiling=draws.between(0.9, 1.8),
        back=draws.between(3.0, 7.5),
        window=("back", 0.0, 0.0, 0.0, 0.0),
    )
    wall = draws.pick(("back", "left", "right"))
    span = (room.left, room.right) if wall == "back" else (1.0, room.back)
    half = draws.between(0.4, 0.42 * (span[1] - span[0]))
    centre = draws.between(span[0] + half, span[1] - half)
    room.window = (wall, centre, draws.between(0.0, 0.3), half, draws.between(0.45, 0.75))
    makers = (_sofa, _table, _cupboard, _bed, _shelf, _lamp, _table, _chair)
    for _ in range(3 + draws.index(4)):
        room.boxes += draws.pick(makers)(draws, room)
    return room


def _place(draws: Draws, room: Room, width: float, depth: float) -> tuple[float, float]:
    """Right and ahead of a piece's nearer left corner, inside the room."""
    ahead = draws.between(1.6, max(room.back - depth, 1.7))
    return draws.between(room.left, max(room.right - width, room.left + 0.1)), ahead


def _block(room: Room, at: Triple, size: Triple, colour: Plane) -> Box:
    """A box from its corner (right, above the floor, ahead) and its size."""
    low = (at[0], room.floor + at[1], at[2])
    return Box(low, (low[0] + size[0], low[1] + size[1], low[2] + size[2]), colour)


def _sofa(draws: Draws, room: Room) -> list[Box]:
    width, depth = draws.between(1.3, 2.2), 0.85
    x = draws.between(room.left, max(room.right - width, room.left + 0.1))
    z = room.back - depth
    colour = varied(draws, draws.pick(FABRICS), 0.05)
    boxes = [
        _block(room, (x, 0.0, z), (width, 0.45, depth), colour),
        _block(room, (x, 0.45, z + 0.6), (width, 0.42, 0.25), colour * np.float32(0.92)),
        _block(room, (x - 0.18, 0.0, z), (0.18, 0.62, depth), colour * np.float32(0.85)),
        _block(room, (x + width, 0.0, z), (0.18, 0.62, depth), colour * np.float32(0.85)),
    ]
    if draws.chance(0.6):
        cushion = varied(draws, draws.pick(FABRICS), 0.08)
        boxes.append(_block(room, (x + 0.1, 0.45, z + 0.4), (0.42, 0.36, 0.18), cushion))
    return boxes


def _table(draws: Draws, room: Room) -> list[Box]:
    width, depth, height = (
        draws.between(0.8, 1.7),
        draws.between(0.6, 1.0),
        draws.between(0.4, 0.78),
    )
    x, z = _place(draws, room, width, depth)
    wood = varied(draws, draws.pick(FLOORS), 0.06)
    boxes = [_block(room, (x, height - 0.05, z), (width, 0.05, depth), wood)]
    for right in (0.03, width - 0.09):
        for ahead in (0.03, depth - 0.09):
            leg = (x + right, 0.0, z + ahead)
            boxes.append(_block(room, leg, (0.06, height - 0.05, 0.06), wood * np.float32(0.8)))
    for _ in range(draws.index(3)):
        thing = (x + draws.between(0.1, width - 0.2), height, z + draws.between(0.1, depth - 0.2))
        size = (draws.between(0.08, 0.25), draws.between(0.05, 0.3), draws.between(0.08, 0.2))
        boxes.append(_block(room, thing, size, varied(draws, draws.pick(FABRICS), 0.12)))
    return boxes


def _cupboard(draws: Draws, room: Room) -> list[Box]:
    width, height = draws.between(0.8, 1.6), draws.between(0.8, 2.0)
    x = room.left if draws.chance(0.5) else room.right - 0.55
    z = draws.between(1.5, max(room.back - width, 1.6))
    colour = varied(draws, draws.pick((*FLOORS, (0.90, 0.89, 0.86))), 0.05)
    return [_block(room, (x, 0.0, z), (0.55, height, width), colour)]


def _bed(draws: Draws, room: Room) -> list[Box]:
    width = draws.between(1.0, 1.8)
    x = room.left if draws.chance(0.5) else room.right - width
    z = max(room.back - 2.0, 1.5)
    sheet = varied(draws, draws.pick(FABRICS), 0.06)
    return [
        _block(room, (x, 0.0, z), (width, 0.3, 2.0), varied(draws, draws.pick(FLOORS), 0.05)),
        _block(room, (x, 0.3, z), (width, 0.22, 2.0), sheet),
        _block(
            room,
            (x + 0.15, 0.52, z + 1.45),
            (width - 0.3, 0.14, 0.45),
            np.array((0.9, 0.9, 0.88), np.float32),
        ),
    ]


def _shelf(draws: Draws, room: Room) -> list[Box]:
    """Boards with books."""
    width, boards = draws.between(0.7, 1.4), 2 + draws.index(3)
    x = draws.between(room.left, max(room.right - width, room.left + 0.1))
    z = room.back - 0.3
    wood = varied(draws, draws.pick(FLOORS), 0.05)
    boxes = []
    for board in range(boards):
        level = 0.25 + 0.38 * board
        boxes.append(_block(room, (x, level, z), (width, 0.03, 0.3), wood))
        along = 0.02
        for _ in range(2 + draws.index(3)):
            thick = draws.between(0.06, 0.2)
            if along + thick > width:
                break
            book = varied(draws, draws.pick(FABRICS), 0.12)
            size = (thick, draws.between(0.18, 0.3), 0.2)
            boxes.append(_block(room, (x + along, level + 0.03, z), size, book))
            along += thick + draws.between(0.0, 0.15)
    return boxes


def _lamp(draws: Draws, room: Room) -> list[Box]:
    x, z = _place(draws, room, 0.4, 0.4)
    height = draws.between(1.2, 1.7)
    shade = varied(draws, (0.95, 0.86, 0.65), 0.05) * np.float32(1.35)
    return [
        _block(room, (x + 0.18, 0.0, z + 0.18), (0.04, height, 0.04), np.full(3, 0.2, np.float32)),
        _block(room, (x, height, z), (0.4, 0.3, 0.4), shade),
    ]


def _chair(draws: Draws, room: Room) -> list[Box]:
    x, z = _place(draws, room, 0.45, 0.45)
    colour = varied(draws, draws.pick((*FLOORS, *FABRICS)), 0.05)
    boxes = [
        _block(room, (x, 0.42, z), (0.45, 0.05, 0.45), colour),
        _block(room, (x, 0.47, z + 0.4), (0.45, 0.45, 0.05), colour * np.float32(0.9)),
    ]
    for right in (0.0, 0.41):
        for ahead in (0.0, 0.41):
            leg = (x + right, 0.0, z + ahead)
            boxes.append(_block(room, leg, (0.04, 0.42, 0.04), colour * np.float32(0.75)))
    return boxes
