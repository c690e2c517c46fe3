"""Drawings of plants and of what stands beside streets; `sprite_shapes` says what a texel means."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sightline.planet.looks import noise
from sightline.planet.world.contents import FurnitureKind, Species
from sightline.planet.world.countries import PoleKind, SignKind

Floats = NDArray[np.float64]

SIDE = 96
"""Texels along a picture's side."""
SECOND = 128
"""From this texel on, the second colour."""


class _Canvas:
    """A picture being drawn: x -1 to 1 to the right, y 0 at the foot to 1 at the top."""

    def __init__(self, salt: int) -> None:
        self.x = ((np.arange(SIDE) + 0.5) / SIDE * 2 - 1)[:, None]
        self.y = 1 - ((np.arange(SIDE) + 0.5) / SIDE)[None, :]
        tile = noise.fine().reshape(noise.SIDE, noise.SIDE).astype(np.float64)
        top, left = (salt * 37) % 400, (salt * 61) % 400
        self.grain = tile[top : top + SIDE, left : left + SIDE]
        self.shade = np.zeros((SIDE, SIDE))
        self.second = np.zeros((SIDE, SIDE), bool)
        self.salt = salt

    def chance(self, draw: int) -> float:
        return float(noise.fraction(np.array([self.salt]), draw, 8500)[0])

    def fill(self, mask: NDArray[np.bool_], shade: Floats | float, *, second: bool) -> None:
        mask = np.broadcast_to(mask, self.shade.shape)
        self.shade[mask] = np.broadcast_to(shade, self.shade.shape)[mask]
        self.second[mask] = second

    def box(
        self, left: float, right: float, low: float, high: float, shade: float, *, second: bool
    ) -> None:
        inside = (self.x >= left) & (self.x < right) & (self.y >= low) & (self.y < high)
        self.fill(inside, shade, second=second)

    def branch(self, start: tuple[float, float], end: tuple[float, float], wide: float) -> None:
        """A stick of wood, thinner at its end."""
        (x0, y0), (x1, y1) = start, end
        reach = max(wide, 0.012) + 0.03
        part = self._around((min(x0, x1), max(x0, x1)), (min(y0, y1), max(y0, y1)), reach, reach)
        x, y = self.x[part[0]], self.y[:, part[1]]
        length = (x1 - x0) ** 2 + (y1 - y0) ** 2
        share = np.clip(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length, 0, 1)
        apart = np.hypot(x - x0 - share * (x1 - x0), (y - y0 - share * (y1 - y0)) * 1.4)
        stick = apart < np.maximum(wide * (1 - 0.7 * share), 0.012)
        shade = 0.85 + 0.3 * self.grain[part] - 0.25 * (x > x0)
        self.shade[part][stick] = shade[stick]
        self.second[part][stick] = True

    def leaves(
        self, count: int, middle: tuple[float, float], size: tuple[float, float], leaf: float
    ) -> None:
        """A crown of many small clumps, the upper ones lighter."""
        for number in range(count):
            angle, far = 6.2832 * self.chance(3 * number), self.chance(3 * number + 1) ** 0.6
            cx = middle[0] + np.cos(angle) * far * size[0]
            cy = middle[1] + np.sin(angle) * far * size[1]
            radius = leaf * (0.7 + 0.6 * self.chance(3 * number + 2))
            part = self._around((cx, cx), (cy, cy), radius * 1.4, radius * 0.9)
            grain = self.grain[part]
            dx, dy = (self.x[part[0]] - cx) / radius, (self.y[:, part[1]] - cy) / (radius * 0.62)
            clump = dx * dx + dy * dy + 0.9 * grain < 0.85
            light = 0.80 + 0.26 * (cy - middle[1]) / size[1] + 0.22 * dy - 0.06 * dx
            light = light + 0.14 * (self.chance(900 + number) - 0.5) + 0.26 * grain
            self.shade[part][clump] = light[clump]
            self.second[part][clump] = False

    def _around(
        self, across: tuple[float, float], up: tuple[float, float], reach_x: float, reach_y: float
    ) -> tuple[slice, slice]:
        """The texels of a rectangle and what lies within reach of it."""
        left = max(int((across[0] - reach_x + 1) / 2 * SIDE) - 1, 0)
        right = max(int((across[1] + reach_x + 1) / 2 * SIDE) + 2, left)
        top = max(int((1 - up[1] - reach_y) * SIDE) - 1, 0)
        return slice(left, right), slice(top, max(int((1 - up[0] + reach_y) * SIDE) + 2, top))

    def finished(self) -> NDArray[np.uint8]:
        there = self.shade > 0
        level = np.clip(self.shade * 64, 2, 126).astype(np.uint8)
        return np.where(there, level + np.uint8(SECOND) * self.second, 0).astype(np.uint8)


def plant_picture(species: Species, variant: int, *, bare: bool) -> NDArray[np.uint8]:
    """Draw a plant, uint8 (SIDE, SIDE): columns from the left, each from the top."""
    canvas = _Canvas(int(species) * 16 + variant + 1)
    _PLANTS[species](canvas, bare)
    return canvas.finished()


def _twigs(canvas: _Canvas, foot: float, reach: float, top: float, count: int) -> None:
    """Boughs that fork twice, rising to both sides of the stem."""
    for number in range(count):
        start = foot + (top - foot) * 0.8 * canvas.chance(700 + number)
        side = 1 if number % 2 else -1
        narrow = 1 - 0.6 * (start - foot) / max(top - foot, 0.1)
        far = side * reach * narrow * (0.5 + 0.5 * canvas.chance(740 + number))
        end = min(start + 0.10 + 0.22 * canvas.chance(780 + number), 0.98)
        canvas.branch((0.0, start), (far, end), 0.026 * narrow)
        for fork in range(4):
            part = 0.35 + 0.16 * fork
            at = (far * part, start + (end - start) * part)
            turn = 0.26 * (canvas.chance(820 + 4 * number + fork) - 0.35)
            canvas.branch(at, (at[0] + side * turn, min(at[1] + 0.13, 0.995)), 0.013)


def _broadleaf(canvas: _Canvas, bare: bool) -> None:
    canvas.branch((0.0, 0.0), (0.03, 0.9), 0.065)
    _twigs(canvas, 0.26, 0.88, 0.95, 30 if bare else 8)
    if not bare:
        canvas.leaves(70, (0.0, 0.62), (0.72, 0.30), 0.25)


def _conifer(canvas: _Canvas, bare: bool) -> None:
    del bare
    canvas.branch((0.0, 0.0), (0.0, 0.6), 0.06)
    wide = np.clip((0.99 - canvas.y) * 1.0, 0, None)
    tier = (canvas.y * 9 + 0.3 * canvas.chance(1)) % 1
    ragged = wide * (0.98 - 0.42 * tier) + 0.10 * canvas.grain * (wide + 0.2)
    shade = 0.62 + 0.42 * (1 - tier) - 0.30 * np.abs(canvas.x) / np.maximum(wide, 0.08)
    shade = shade + 0.24 * canvas.grain + 0.15 * canvas.y
    canvas.fill(
        (np.abs(canvas.x) < ragged) & (canvas.y > 0.08), np.maximum(shade, 0.2), second=False
    )


def _shrub(canvas: _Canvas, bare: bool) -> None:
    for number in range(14 if bare else 4):
        far = (canvas.chance(600 + number) - 0.5) * 1.7
        canvas.branch((far * 0.2, 0.0), (far, 0.5 + 0.45 * canvas.chance(640 + number)), 0.03)
    if not bare:
        canvas.leaves(46, (0.0, 0.44), (0.68, 0.36), 0.30)


def _palm(canvas: _Canvas, bare: bool) -> None:
    del bare
    bend = 0.25 * (canvas.chance(1) - 0.5)
    canvas.branch((0.0, 0.0), (bend, 0.80), 0.065)
    for number in range(15):
        angle = np.pi * (number - 2 + 0.6 * canvas.chance(20 + number)) / 10.0
        side, rise = np.cos(angle), np.sin(angle)
        length = 0.93 * (0.75 + 0.25 * canvas.chance(60 + number)) * max(abs(side), 0.25)
        part = np.clip((canvas.x - bend) / (length * (1 if side > 0 else -1)), 0, 1)
        spine = 0.80 + 0.19 * max(rise, 0) * part**0.6 - (0.10 + 0.09 * (1 - rise)) * part**2
        wide = 0.055 * np.sin(np.pi * np.clip(part, 0.04, 0.97)) ** 0.6
        frond = (np.abs(canvas.y - spine) < wide) & (part > 0.01) & (part < 0.99)
        frond &= ((part * 26 + 30 * np.abs(canvas.y - spine)) % 1 < 0.7) | (wide < 0.03)
        shade = 0.7 + 0.3 * canvas.chance(40 + number) + 0.25 * canvas.grain
        canvas.fill(frond, shade, second=False)


def _savanna(canvas: _Canvas, bare: bool) -> None:
    canvas.branch((0.0, 0.0), (0.05, 0.7), 0.05)
    for number in range(6):
        far = (number - 2.5) * 0.28
        canvas.branch((0.02, 0.35), (far, 0.78), 0.035)
    if not bare:
        canvas.leaves(48, (0.0, 0.82), (0.80, 0.10), 0.20)


def _cypress(canvas: _Canvas, bare: bool) -> None:
    del bare
    canvas.branch((0.0, 0.0), (0.0, 0.3), 0.12)
    wide = 0.92 * np.sqrt(
        np.clip(np.sin(np.pi * np.clip(canvas.y * 0.96 + 0.06, 0, 1) ** 0.75), 0, 1)
    )
    edge = np.abs(canvas.x) < wide + 0.12 * canvas.grain
    shade = 0.85 - 0.35 * np.abs(canvas.x) + 0.30 * canvas.grain + 0.1 * canvas.y
    canvas.fill(edge & (canvas.y > 0.05), np.maximum(shade, 0.2), second=False)


def _poplar(canvas: _Canvas, bare: bool) -> None:
    canvas.branch((0.0, 0.0), (0.0, 0.95), 0.08)
    _twigs(canvas, 0.15, 0.7, 1.0, 22 if bare else 4)
    if not bare:
        canvas.leaves(60, (0.0, 0.56), (0.52, 0.40), 0.34)


_PLANTS: dict[Species, Callable[[_Canvas, bool], None]] = {
    Species.BROADLEAF: _broadleaf,
    Species.CONIFER: _conifer,
    Species.SHRUB: _shrub,
    Species.PALM: _palm,
    Species.SAVANNA: _savanna,
    Species.CYPRESS: _cypress,
    Species.POPLAR: _poplar,
}


def furniture_picture(kind: FurnitureKind, form: int) -> NDArray[np.uint8]:
    """Draw a piece of furniture in one of its forms; as `plant_picture`."""
    canvas = _Canvas(400 + int(kind) * 8 + form)
    _FURNITURE[kind](canvas, form)
    return canvas.finished()


def _pole(canvas: _Canvas, form: int) -> None:
    wide = 0.13 if form == PoleKind.CONCRETE else 0.10
    canvas.box(-wide, wide, 0, 1, 0.9, second=True)
    canvas.box(0.02, wide, 0, 1, 0.65, second=True)
    for height in (0.955,) if form == PoleKind.STEEL else (0.955, 0.86):
        canvas.box(-1.0, 1.0, height - 0.012, height + 0.008, 0.75, second=True)
        for place in (-0.9, -0.5, 0.5, 0.9):
            canvas.box(place - 0.05, place + 0.05, height, height + 0.022, 1.2, second=True)


def _lamp(canvas: _Canvas, form: int) -> None:
    canvas.box(-0.06, 0.06, 0, 0.97, 0.9, second=True)
    canvas.box(-0.12, 0.12, 0, 0.08, 0.8, second=True)
    if form % 2:
        canvas.box(-0.30, 0.30, 0.90, 0.97, 1.1, second=False)
        canvas.box(-0.36, 0.36, 0.97, 1.0, 0.8, second=True)
    else:
        canvas.box(-0.06, 0.85, 0.965, 0.985, 0.9, second=True)
        canvas.box(0.42, 1.0, 0.955, 0.985, 0.8, second=True)
        canvas.box(0.48, 0.96, 0.94, 0.957, 1.25, second=False)


def _sign(canvas: _Canvas, form: int) -> None:
    canvas.box(-0.07, 0.07, 0, 0.98, 0.95, second=True)
    x, y = canvas.x / 0.95, (canvas.y - 0.84) / 0.15
    shapes = {
        SignKind.DISC: x * x + y * y < 1,
        SignKind.SQUARE: np.maximum(np.abs(x), np.abs(y)) < 0.92,
        SignKind.DIAMOND: np.abs(x) + np.abs(y) < 1,
        SignKind.PLATE: (np.abs(x) < 1) & (np.abs(y) < 0.55),
    }
    board = shapes[SignKind(form)]
    canvas.fill(board, 1.9, second=False)
    canvas.fill(
        board & (np.abs(x) + np.abs(y) * 0.6 < 0.9) & (np.hypot(x, y) < 0.84), 1.0, second=False
    )
    letters = (np.abs(y) < 0.16) & (np.abs(x) < 0.55) & ((canvas.x * 5.5) % 1 < 0.6)
    canvas.fill(letters, 1.9, second=False)


def _bollard(canvas: _Canvas, form: int) -> None:
    del form
    canvas.box(-0.7, 0.7, 0, 0.95, 0.9, second=True)
    canvas.box(-0.7, 0.7, 0.70, 0.85, 1.4, second=False)


def _bench(canvas: _Canvas, form: int) -> None:
    del form
    for place in (-0.8, 0.72):
        canvas.box(place, place + 0.08, 0, 0.95, 0.6, second=True)
    for low in (0.40, 0.62, 0.80):
        canvas.box(-0.95, 0.95, low, low + 0.13, 1.0, second=False)


def _hydrant(canvas: _Canvas, form: int) -> None:
    del form
    canvas.box(-0.45, 0.45, 0, 0.82, 0.95, second=False)
    canvas.box(-0.8, 0.8, 0.5, 0.66, 0.8, second=False)
    cap = (canvas.x / 0.45) ** 2 + ((canvas.y - 0.80) / 0.18) ** 2 < 1
    canvas.fill(cap, 1.15, second=False)


def _shelter(canvas: _Canvas, form: int) -> None:
    del form
    canvas.box(-0.95, 0.95, 0.08, 0.88, 0.9, second=False)
    canvas.box(-1.0, 1.0, 0.90, 1.0, 0.7, second=True)
    for place in (-0.97, -0.33, 0.30, 0.92):
        canvas.box(place, place + 0.05, 0, 0.92, 0.6, second=True)
    canvas.box(-0.8, 0.2, 0.20, 0.26, 0.8, second=True)


_FURNITURE: dict[FurnitureKind, Callable[[_Canvas, int], None]] = {
    FurnitureKind.POLE: _pole,
    FurnitureKind.LAMP: _lamp,
    FurnitureKind.SIGN: _sign,
    FurnitureKind.BOLLARD: _bollard,
    FurnitureKind.BENCH: _bench,
    FurnitureKind.HYDRANT: _hydrant,
    FurnitureKind.SHELTER: _shelter,
}
