"""The pictures of single bays: windows, doors, shops, balconies, fences, as materials."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

SIDE = 64
"""Texels along a tile's side."""
SIZED = 5
"""How many of the first tiles have a window of any size."""


class Paint(IntEnum):
    """The materials of a façade."""

    WALL = 0
    TRIM = 1
    SHADE = 2
    GLASS = 3
    FRAME = 4
    SHUTTER = 5
    DOOR = 6
    METAL = 7
    SIGN = 8
    PLINTH = 9


class Tile(IntEnum):
    """What a bay shows. Those up to `ARCH` exist for every width and height of windows."""

    PANE = 0
    CROSS = 1
    SHUTTERED = 2
    FRENCH = 3
    ARCH = 4
    BLANK = 5
    RIBBON = 6
    CURTAIN = 7
    DOOR = 8
    SHOP = 9
    AWNING = 10
    ENTRANCE = 11
    ROLLER = 12
    STRIP = 13
    CORNICE = 14
    PARAPET = 15
    ATTIC = 16
    FENCE = 17
    WIRE = 18
    COPED = 19
    BARN_DOOR = 20


class _Canvas:
    """A tile being drawn; x to the right and y upwards, both 0 to 1."""

    def __init__(self) -> None:
        centres = (np.arange(SIDE) + 0.5) / SIDE
        self.x, self.y = centres[:, None], centres[None, :]
        self.codes = np.zeros((SIDE, SIDE), np.uint8)

    def box(self, paint: Paint, left: float, right: float, bottom: float, top: float) -> None:
        inside = (self.x >= left) & (self.x < right) & (self.y >= bottom) & (self.y < top)
        self.codes[inside] = paint

    def where(self, paint: Paint, mask: Mask) -> None:
        self.codes[np.broadcast_to(mask, self.codes.shape)] = paint

    def window(self, left: float, right: float, bottom: float, top: float, frame: float) -> None:
        """A pane in its frame, with the shadow of the lintel and a sill."""
        self.box(Paint.FRAME, left, right, bottom, top)
        self.box(Paint.GLASS, left + frame, right - frame, bottom + frame, top - frame)
        self.box(Paint.SHADE, left + frame, right - frame, top - frame - 0.045, top - frame)
        self.box(Paint.TRIM, left - 0.03, right + 0.03, bottom - 0.04, bottom)


def drawn_tile(tile: Tile, width: float, height: float, *, ground: bool) -> NDArray[np.uint8]:
    """Draw one tile.

    Args:
        tile: What it shows.
        width: Of its window, share of the bay.
        height: Of its window, share of the floor.
        ground: On the ground floor a plinth and a string course are seen.

    Returns:
        uint8 (SIDE, SIDE) of `Paint`, columns from the left, each upwards.
    """
    canvas = _Canvas()
    left, right = 0.5 - width / 2, 0.5 + width / 2
    bottom = 0.30 if height < 0.58 else 0.24
    top = min(bottom + height, 0.93)
    if ground:
        canvas.box(Paint.PLINTH, 0, 1, 0, 0.13)
        canvas.box(Paint.TRIM, 0, 1, 0.965, 1)
    if tile < SIZED:
        _draw_window(canvas, tile, (left, right, bottom, top), ground)
    else:
        _PLAIN.get(tile, _draw_blank)(canvas)
    return canvas.codes


def _draw_window(
    canvas: _Canvas, tile: Tile, edges: tuple[float, float, float, float], ground: bool
) -> None:
    left, right, bottom, top = edges
    middle = (left + right) / 2
    if tile is Tile.FRENCH and not ground:
        _draw_balcony(canvas, left, right, top)
        return
    if tile is Tile.SHUTTERED:
        wing = min((right - left) * 0.5, left - 0.01)
        canvas.box(Paint.SHUTTER, left - wing, left, bottom, top)
        canvas.box(Paint.SHUTTER, right, right + wing, bottom, top)
        slats = ((canvas.y * 24) % 1 < 0.22) & (canvas.codes == Paint.SHUTTER)
        canvas.where(
            Paint.SHADE, slats & (np.abs(canvas.x - middle) < (right - left) / 2 + wing - 0.03)
        )
    canvas.window(left, right, bottom, top, 0.03)
    if tile is not Tile.PANE:
        canvas.box(Paint.FRAME, middle - 0.014, middle + 0.014, bottom, top)
    if tile is Tile.CROSS:
        canvas.box(Paint.FRAME, left, right, top - 0.17, top - 0.145)
    if tile is Tile.ARCH:
        radius = (right - left) / 2
        bent = (canvas.x - middle) ** 2 + (canvas.y - (top - radius)) ** 2 > radius**2
        canvas.where(Paint.WALL, bent & (canvas.y > top - radius) & (canvas.y < top + 0.01))
        ring = (
            np.abs(np.hypot(canvas.x - middle, canvas.y - (top - radius)) - radius - 0.02) < 0.028
        )
        canvas.where(Paint.TRIM, ring & (canvas.y > top - radius))


def _draw_balcony(canvas: _Canvas, left: float, right: float, top: float) -> None:
    canvas.window(left, right, 0.06, top, 0.03)
    canvas.box(Paint.FRAME, 0.485, 0.515, 0.06, top)
    canvas.box(Paint.TRIM, 0.03, 0.97, 0.0, 0.07)
    canvas.box(Paint.SHADE, 0.05, 0.95, 0.93, 1.0)
    rails = (canvas.x > 0.05) & (canvas.x < 0.95) & (canvas.y > 0.07) & (canvas.y < 0.40)
    canvas.where(Paint.METAL, rails & (((canvas.x * 18) % 1 < 0.3) | (canvas.y > 0.365)))


def _draw_blank(canvas: _Canvas) -> None:
    del canvas


def _draw_ribbon(canvas: _Canvas) -> None:
    canvas.box(Paint.GLASS, 0, 1, 0.33, 0.82)
    canvas.box(Paint.SHADE, 0, 1, 0.78, 0.82)
    canvas.box(Paint.FRAME, 0, 0.02, 0.33, 0.82)
    canvas.box(Paint.FRAME, 0.49, 0.51, 0.33, 0.82)
    canvas.box(Paint.TRIM, 0, 1, 0.29, 0.33)


def _draw_curtain(canvas: _Canvas) -> None:
    canvas.box(Paint.GLASS, 0, 1, 0.0, 1)
    canvas.box(Paint.SHADE, 0, 1, 0.0, 0.20)
    for x in (0.0, 0.33, 0.66):
        canvas.box(Paint.METAL, x, x + 0.022, 0, 1)
    canvas.box(Paint.METAL, 0, 1, 0.0, 0.022)
    canvas.box(Paint.METAL, 0, 1, 0.20, 0.225)


def _draw_door(canvas: _Canvas) -> None:
    canvas.box(Paint.TRIM, 0.29, 0.71, 0.0, 0.80)
    canvas.box(Paint.DOOR, 0.33, 0.67, 0.03, 0.66)
    canvas.box(Paint.GLASS, 0.33, 0.67, 0.68, 0.765)
    canvas.box(Paint.SHADE, 0.37, 0.49, 0.08, 0.32)
    canvas.box(Paint.SHADE, 0.52, 0.63, 0.08, 0.32)
    canvas.box(Paint.GLASS, 0.40, 0.60, 0.40, 0.60)
    canvas.box(Paint.METAL, 0.345, 0.36, 0.33, 0.37)
    canvas.box(Paint.PLINTH, 0.25, 0.75, 0.0, 0.03)


def _draw_shop(canvas: _Canvas) -> None:
    canvas.box(Paint.TRIM, 0, 1, 0.0, 0.93)
    canvas.box(Paint.PLINTH, 0, 1, 0.0, 0.12)
    canvas.box(Paint.GLASS, 0.05, 0.95, 0.12, 0.70)
    canvas.box(Paint.FRAME, 0.63, 0.65, 0.04, 0.70)
    canvas.box(Paint.GLASS, 0.66, 0.93, 0.04, 0.70)
    canvas.box(Paint.SIGN, 0.04, 0.96, 0.75, 0.92)
    letters = (canvas.x > 0.2) & (canvas.x < 0.8) & (np.abs(canvas.y - 0.835) < 0.035)
    canvas.where(Paint.TRIM, letters & ((canvas.x * 23) % 1 < 0.62))
    canvas.box(Paint.SHADE, 0.05, 0.95, 0.66, 0.70)


def _draw_awning(canvas: _Canvas) -> None:
    _draw_shop(canvas)
    cloth = (canvas.y > 0.58) & (canvas.y < 0.80)
    canvas.where(Paint.SIGN, cloth)
    canvas.where(Paint.TRIM, cloth & ((canvas.x * 5) % 1 < 0.5))
    canvas.box(Paint.SHADE, 0.04, 0.96, 0.50, 0.58)


def _draw_entrance(canvas: _Canvas) -> None:
    canvas.box(Paint.TRIM, 0.14, 0.86, 0.0, 0.88)
    canvas.box(Paint.GLASS, 0.18, 0.82, 0.02, 0.74)
    for x in (0.18, 0.49, 0.79):
        canvas.box(Paint.DOOR, x, x + 0.035, 0.02, 0.74)
    canvas.box(Paint.DOOR, 0.18, 0.82, 0.02, 0.12)
    canvas.box(Paint.METAL, 0.10, 0.90, 0.80, 0.87)
    canvas.box(Paint.SHADE, 0.18, 0.82, 0.68, 0.74)


def _draw_roller(canvas: _Canvas) -> None:
    canvas.box(Paint.FRAME, 0.14, 0.86, 0.0, 0.76)
    canvas.box(Paint.METAL, 0.17, 0.83, 0.0, 0.73)
    ribs = (canvas.x > 0.17) & (canvas.x < 0.83) & (canvas.y < 0.73)
    canvas.where(Paint.SHADE, ribs & ((canvas.y * 22) % 1 < 0.3))
    canvas.box(Paint.SIGN, 0.10, 0.14, 0.0, 0.3)


def _draw_strip(canvas: _Canvas) -> None:
    canvas.box(Paint.FRAME, 0, 1, 0.68, 0.88)
    canvas.box(Paint.GLASS, 0.01, 0.99, 0.70, 0.86)
    canvas.box(Paint.FRAME, 0.32, 0.34, 0.70, 0.86)
    canvas.box(Paint.FRAME, 0.65, 0.67, 0.70, 0.86)


def _draw_cornice(canvas: _Canvas) -> None:
    canvas.codes[:] = Paint.TRIM
    canvas.box(Paint.SHADE, 0, 1, 0.0, 0.22)


def _draw_parapet(canvas: _Canvas) -> None:
    canvas.box(Paint.TRIM, 0, 1, 0.75, 1)


def _draw_attic(canvas: _Canvas) -> None:
    canvas.window(0.36, 0.64, 0.18, 0.62, 0.035)


def _draw_fence(canvas: _Canvas) -> None:
    canvas.where(Paint.SHADE, (canvas.x * 16) % 1 < 0.28)
    canvas.box(Paint.WALL, 0, 1, 0.22, 0.32)
    canvas.box(Paint.WALL, 0, 1, 0.72, 0.82)
    canvas.where(Paint.SHADE, ((canvas.x * 16) % 1 < 0.5) & (canvas.y > 0.95))


def _draw_wire(canvas: _Canvas) -> None:
    canvas.codes[:] = Paint.SHADE
    mesh = ((canvas.x * 20 + canvas.y * 9) % 1 < 0.2) | ((canvas.x * 20 - canvas.y * 9) % 1 < 0.2)
    canvas.where(Paint.METAL, mesh)
    canvas.box(Paint.METAL, 0.0, 0.035, 0, 1)
    canvas.box(Paint.METAL, 0, 1, 0.95, 1)


def _draw_coped(canvas: _Canvas) -> None:
    canvas.box(Paint.TRIM, 0, 1, 0.90, 1)
    canvas.box(Paint.SHADE, 0, 1, 0.86, 0.90)
    canvas.box(Paint.PLINTH, 0, 1, 0, 0.10)


def _draw_barn_door(canvas: _Canvas) -> None:
    canvas.box(Paint.DOOR, 0.12, 0.88, 0, 0.82)
    planks = (canvas.x > 0.12) & (canvas.x < 0.88) & (canvas.y < 0.82)
    canvas.where(Paint.SHADE, planks & ((canvas.x * 14) % 1 < 0.14))
    canvas.where(Paint.TRIM, planks & (np.abs(np.abs(canvas.x - 0.5) * 2.1 - canvas.y) < 0.035))
    canvas.box(Paint.TRIM, 0.12, 0.88, 0.78, 0.82)


_PLAIN = {
    Tile.RIBBON: _draw_ribbon,
    Tile.CURTAIN: _draw_curtain,
    Tile.DOOR: _draw_door,
    Tile.SHOP: _draw_shop,
    Tile.AWNING: _draw_awning,
    Tile.ENTRANCE: _draw_entrance,
    Tile.ROLLER: _draw_roller,
    Tile.STRIP: _draw_strip,
    Tile.CORNICE: _draw_cornice,
    Tile.PARAPET: _draw_parapet,
    Tile.ATTIC: _draw_attic,
    Tile.FENCE: _draw_fence,
    Tile.WIRE: _draw_wire,
    Tile.COPED: _draw_coped,
    Tile.BARN_DOOR: _draw_barn_door,
}
