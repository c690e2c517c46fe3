"""Landmarks: churches, temples, obelisks, arenas and other famous things, made of boxes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sightline.planet.world.blocks import Blocks
from sightline.planet.world.contents import ALWAYS, NEVER, BoxKind, Buildings, RoofKind, Use
from sightline.planet.world.hashing import number
from sightline.planet.world.settlements import LandmarkKind
from sightline.planet.world.sheet import Sheet

Box = tuple[float, float, float, float, float, float, RoofKind, int]
"""Along, across, half length, half width, eave, rise (metres), roof, colour (0 wall, 1 other)."""


def landmark_buildings(sheet: Sheet, blocks: Blocks) -> tuple[Buildings, NDArray[np.int64]]:
    """Return the boxes of a sheet's landmarks and the cell of each, (n, 2)."""
    boxes: list[Box] = []
    owner: list[int] = []
    for number_, (kind, key) in enumerate(
        zip(sheet.landmarks.kind.tolist(), sheet.landmarks.key.tolist(), strict=True)
    ):
        made = _BUILDERS[LandmarkKind(kind)](_Chance(key))
        boxes += made
        owner += [number_] * len(made)
    rows = np.array(owner, np.int64)
    table = np.array([box[:6] for box in boxes], np.float32).reshape(-1, 6)
    roof = np.array([box[6] for box in boxes], np.int8)
    second = np.array([box[7] for box in boxes], np.int64)
    return _buildings(sheet, blocks, rows, table, roof, second), blocks.landmark_cell[rows]


def _buildings(
    sheet: Sheet,
    blocks: Blocks,
    owner: NDArray[np.int64],
    table: NDArray[np.float32],
    roof: NDArray[np.int8],
    second: NDArray[np.int64],
) -> Buildings:
    row, column = blocks.landmark_cell[owner].T
    corner = sheet.metres
    opposite = corner[row + 1, column + 1] - corner[row, column]
    centre = corner[row, column] + opposite * np.float32(0.5)
    side = corner[row + 1, column] - corner[row, column]
    length = np.sqrt(side[:, 0] * side[:, 0] + side[:, 1] * side[:, 1])
    axis = side / length[:, None]
    across = np.stack([-axis[:, 1], axis[:, 0]], axis=1)
    key = sheet.landmarks.key[owner]
    walls, roofs = _colours(sheet.landmarks.key)
    count = len(owner)
    half_length, half_width = table[:, 2], table[:, 3]
    # The ridge runs along the longer side.
    turned = half_width > half_length
    return Buildings(
        centre=centre + axis * table[:, :1] + across * table[:, 1:2],
        axis=np.where(turned[:, None], across, axis),
        half_length=np.maximum(half_length, half_width),
        half_width=np.minimum(half_length, half_width),
        base_m=np.zeros(count, np.float32),
        eave_m=table[:, 4],
        rise_m=table[:, 5],
        roof=roof,
        kind=np.full(count, BoxKind.BUILDING, np.int8),
        use=np.full(count, Use.LANDMARK, np.int8),
        wall=np.where(second[:, None] == 1, walls[owner] * np.float32(0.86), walls[owner]),
        roof_colour=roofs[owner],
        phase=((key >> np.uint32(8)) & np.uint32(255)).astype(np.float32) / np.float32(256.0),
        floor_m=np.full(count, 5.0, np.float32),
        bay_m=np.full(count, 3.6, np.float32),
        window_width=np.full(count, 0.32, np.float32),
        window_height=np.full(count, 0.6, np.float32),
        style=sheet.style[row, column].astype(np.int16),
        house=key,
        built_year=np.full(count, ALWAYS, np.int16),
        gone_year=np.full(count, NEVER, np.int16),
    )


_STONES = np.array(
    [
        [0.78, 0.72, 0.60],
        [0.66, 0.62, 0.56],
        [0.88, 0.86, 0.80],
        [0.62, 0.36, 0.28],
        [0.82, 0.70, 0.52],
        [0.56, 0.58, 0.60],
    ],
    np.float32,
)
_CROWNS = np.array(
    [
        [0.32, 0.50, 0.44],
        [0.36, 0.36, 0.40],
        [0.62, 0.30, 0.20],
        [0.78, 0.62, 0.24],
        [0.50, 0.48, 0.46],
    ],
    np.float32,
)


def _colours(keys: NDArray[np.uint32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    stone = np.array([number(int(k), 1) % len(_STONES) for k in keys], np.int64)
    crown = np.array([number(int(k), 2) % len(_CROWNS) for k in keys], np.int64)
    return _STONES[stone], _CROWNS[crown]


class _Chance:
    """Numbers for one landmark."""

    def __init__(self, key: int) -> None:
        self._key, self._next = key, 10

    def between(self, low: float, high: float) -> float:
        self._next += 1
        return low + (high - low) * (number(self._key, self._next) * 2.0**-32)

    def whole(self, low: int, high: int) -> int:
        return int(self.between(low, high + 0.999))


_FLAT, _GABLE, _HIP = RoofKind.FLAT, RoofKind.GABLE, RoofKind.HIP


def _church(chance: _Chance) -> list[Box]:
    nave, width, high = chance.between(10, 18), chance.between(4.5, 7), chance.between(8, 14)
    tower, spire = high + chance.between(6, 22), chance.between(5, 18)
    half = chance.between(2.2, 3.6)
    boxes: list[Box] = [
        (0, 0, nave, width, high, width * 1.1, _GABLE, 0),
        (nave * 0.3, 0, width * 0.8, width * 1.9, high, width * 0.75, _GABLE, 0),
        (-nave - half + 0.5, 0, half, half, tower, spire, _HIP, 1),
    ]
    if chance.whole(0, 2) == 0:
        shift = width - half * 0.6
        boxes[2] = (-nave, shift, half, half, tower, spire, _HIP, 1)
        boxes.append((-nave, -shift, half, half, tower, spire, _HIP, 1))
    return boxes


def _temple(chance: _Chance) -> list[Box]:
    """Tiers that grow smaller upwards, each with its own hipped roof."""
    half, tiers = chance.between(7, 12), chance.whole(2, 5)
    high = chance.between(4, 6)
    boxes: list[Box] = [(0, 0, half + 3, half + 3, 1.2, 0.0, _FLAT, 1)]
    for tier in range(tiers):
        shrunk = half * (1.0 - 0.72 * tier / tiers)
        top = 1.2 + high * (tier + 1)
        boxes.append((0, 0, shrunk, shrunk * 0.85, top, shrunk * 0.35, _HIP, tier & 1))
    return boxes


def _obelisk(chance: _Chance) -> list[Box]:
    half, high = chance.between(1.3, 2.6), chance.between(18, 48)
    return [
        (0, 0, half * 4, half * 4, 0.8, 0.0, _FLAT, 1),
        (0, 0, half * 2.2, half * 2.2, 3.0, 0.0, _FLAT, 0),
        (0, 0, half, half, high, half * 2.2, _HIP, 0),
    ]


def _mosque(chance: _Chance) -> list[Box]:
    half, high = chance.between(9, 14), chance.between(7, 11)
    minaret, slim = high + chance.between(12, 26), chance.between(1.0, 1.6)
    boxes: list[Box] = [
        (0, 0, half, half, high, 0.0, _FLAT, 0),
        (0, 0, half * 0.62, half * 0.62, high + 3.5, half * 0.6, _HIP, 1),
        (-half - 5, 0, 5, half, 5.0, 0.0, _FLAT, 1),
    ]
    corners = ((1, 1), (1, -1), (-1, 1), (-1, -1))[: (1, 2, 4)[chance.whole(0, 2)]]
    boxes += [(x * half, y * half, slim, slim, minaret, slim * 3.5, _HIP, 0) for x, y in corners]
    return boxes


def _arena(chance: _Chance) -> list[Box]:
    """Four stands around a field."""
    long, wide = chance.between(17, 20), chance.between(13, 17)
    deep, high = chance.between(3, 4.5), chance.between(9, 20)
    low = high * chance.between(0.5, 1.0)
    return [
        (0, wide, long + deep, deep, high, 0.0, _FLAT, 0),
        (0, -wide, long + deep, deep, high, 0.0, _FLAT, 0),
        (long, 0, deep, wide - deep, low, 0.0, _FLAT, 1),
        (-long, 0, deep, wide - deep, low, 0.0, _FLAT, 1),
    ]


def _palace(chance: _Chance) -> list[Box]:
    """Three wings around a court of honour, with a raised middle."""
    long, deep, high = chance.between(15, 20), chance.between(4.5, 6), chance.between(10, 15)
    wing = chance.between(7, 12)
    return [
        (0, 10, long, deep, high, deep * 0.7, _HIP, 0),
        (long - deep, 10 - deep - wing, deep, wing, high - 2, deep * 0.7, _HIP, 0),
        (-long + deep, 10 - deep - wing, deep, wing, high - 2, deep * 0.7, _HIP, 0),
        (0, 9, deep * 1.2, deep * 1.25, high + 4, deep, _HIP, 1),
    ]


def _mast(chance: _Chance) -> list[Box]:
    high, slim = chance.between(70, 160), chance.between(2.2, 3.4)
    return [
        (0, 0, 9, 9, 6.0, 0.0, _FLAT, 1),
        (0, 0, slim * 1.5, slim * 1.5, high * 0.35, 0.0, _FLAT, 0),
        (0, 0, slim, slim, high, slim, _HIP, 0),
        (0, 0, 0.7, 0.7, high * 1.25, 4.0, _HIP, 1),
    ]


def _skyscraper(chance: _Chance) -> list[Box]:
    half, high = chance.between(10, 15), chance.between(90, 210)
    steps = chance.whole(2, 4)
    boxes: list[Box] = [(0, 0, half + 6, half + 6, 9.0, 0.0, _FLAT, 1)]
    for step in range(steps):
        shrunk = half * (1.0 - 0.2 * step)
        top = high * (0.55 + 0.45 * (step + 1) / steps)
        last = step == steps - 1
        boxes.append((0, 0, shrunk, shrunk, top, half if last else 0.0, _HIP if last else _FLAT, 0))
    return boxes


def _fortress(chance: _Chance) -> list[Box]:
    half, high, thick = chance.between(15, 19), chance.between(7, 11), chance.between(1.2, 2.0)
    tower = high + chance.between(3, 8)
    boxes: list[Box] = [
        (0, half, half, thick, high, 0.0, _FLAT, 0),
        (0, -half, half, thick, high, 0.0, _FLAT, 0),
        (half, 0, thick, half, high, 0.0, _FLAT, 0),
        (-half, 0, thick, half, high, 0.0, _FLAT, 0),
        (half * 0.3, half * 0.25, 6, 5, tower + 8, 4.0, _HIP, 1),
    ]
    boxes += [
        (x * half, y * half, 3.2, 3.2, tower, 4.5, _HIP, 1)
        for x, y in ((1, 1), (1, -1), (-1, 1), (-1, -1))
    ]
    return boxes


def _arch(chance: _Chance) -> list[Box]:
    """Two piers; the beam over them is drawn down to the ground only behind the opening."""
    half, high = chance.between(6, 10), chance.between(16, 30)
    pier = half * 0.36
    return [
        (half - pier, 0, pier, half * 0.45, high, 0.0, _FLAT, 0),
        (-half + pier, 0, pier, half * 0.45, high, 0.0, _FLAT, 0),
        (half - pier, 0, pier * 1.1, half * 0.5, high * 0.12, 0.0, _FLAT, 1),
        (-half + pier, 0, pier * 1.1, half * 0.5, high * 0.12, 0.0, _FLAT, 1),
    ]


_BUILDERS: dict[LandmarkKind, Callable[[_Chance], list[Box]]] = {
    LandmarkKind.CHURCH: _church,
    LandmarkKind.TEMPLE: _temple,
    LandmarkKind.OBELISK: _obelisk,
    LandmarkKind.MOSQUE: _mosque,
    LandmarkKind.ARENA: _arena,
    LandmarkKind.PALACE: _palace,
    LandmarkKind.MAST: _mast,
    LandmarkKind.SKYSCRAPER: _skyscraper,
    LandmarkKind.FORTRESS: _fortress,
    LandmarkKind.ARCH: _arch,
}
