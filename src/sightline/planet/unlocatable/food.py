"""Food: a plate, a bowl or a board on a table, from above or aslant."""

from __future__ import annotations

import math

import numpy as np

from sightline.planet.draws import Draws
from sightline.planet.unlocatable.canvas import Plane, Sketch, rotated, varied

_WOOD = ((0.48, 0.32, 0.20), (0.62, 0.46, 0.30), (0.26, 0.17, 0.12), (0.72, 0.60, 0.45))
_CLOTH = ((0.85, 0.84, 0.80), (0.62, 0.18, 0.18), (0.24, 0.32, 0.45), (0.55, 0.58, 0.50))
_CHINA = ((0.93, 0.93, 0.91), (0.86, 0.84, 0.79), (0.24, 0.26, 0.30), (0.52, 0.62, 0.68))
_SAUCES = ((0.62, 0.18, 0.08), (0.74, 0.48, 0.14), (0.52, 0.36, 0.18), (0.42, 0.48, 0.16))
_PIECES = (
    (0.45, 0.25, 0.12),
    (0.72, 0.45, 0.20),
    (0.80, 0.20, 0.12),
    (0.90, 0.82, 0.62),
    (0.92, 0.55, 0.40),
    (0.30, 0.50, 0.15),
    (0.88, 0.78, 0.25),
)
_LEAVES = ((0.28, 0.48, 0.14), (0.42, 0.58, 0.22), (0.20, 0.36, 0.12))


def draw_food(canvas: Sketch, draws: Draws) -> None:
    """Paint a meal."""
    _table(canvas, draws)
    x = canvas.x - np.float32(draws.between(-0.25, 0.25))
    y = canvas.y - np.float32(draws.between(-0.2, 0.25))
    y = y / np.float32(draws.between(0.5, 1.0))
    size = draws.between(0.62, 1.0)
    _dish(canvas, draws, x, y, size)
    painters = (_pieces, _noodles, _soup, _pizza, _salad, _cake)
    painters[draws.index(len(painters))](canvas, draws, x, y, size * 0.72)
    if draws.chance(0.5):
        _cutlery(canvas, draws, x, size)
    if draws.chance(0.35):
        _glass(canvas, draws)


def _table(canvas: Sketch, draws: Draws) -> None:
    x, y = rotated(canvas.x, canvas.y, draws.between(-0.6, 0.6))
    if draws.chance(0.6):
        colour = varied(draws, draws.pick(_WOOD), 0.05)
        boards = np.mod(np.floor(y * np.float32(draws.between(1.5, 5))) * 0.37, 1)
        grain = canvas.noise(draws, 26, 3, stretch=9) + 0.25 * boards
        canvas.pixels[:] = (0.62 + 0.55 * grain)[..., None] * colour
        return
    first, second = (varied(draws, draws.pick(_CLOTH), 0.05) for _ in range(2))
    pitch = np.float32(draws.between(5, 16))
    check = 0.5 * ((np.sin(x * pitch) > 0).astype(np.float32) + (np.sin(y * pitch) > 0))
    plain = np.float32(draws.pick((0.0, 0.35, 1.0)))
    folds = 0.8 + 0.4 * canvas.noise(draws, 2, 3)
    canvas.pixels[:] = (first + (plain * check)[..., None] * (second - first)) * folds[..., None]


def _dish(canvas: Sketch, draws: Draws, x: Plane, y: Plane, size: float) -> None:
    radius = np.hypot(x, y)
    china = varied(draws, draws.pick(_CHINA), 0.03)
    shadow = np.exp(-np.clip(np.hypot(x - 0.06, y - 0.09) - np.float32(size), 0, 1) * 12)
    canvas.blend(shadow * np.float32(0.45), (0.04, 0.03, 0.03))
    rim = np.float32(size * draws.between(0.72, 0.86))
    slope = np.where(radius > rim, 0.9, 1.0) + 0.10 * np.exp(-(((radius - rim) / 0.03) ** 2))
    light = slope * (0.9 + 0.12 * (-x - y) / np.float32(size))
    canvas.blend(canvas.edge(radius - np.float32(size), 0.02), light[..., None] * china)
    if draws.chance(0.3):
        band = canvas.edge(np.abs(radius - np.float32(size * 0.93)) - np.float32(0.012))
        canvas.blend(band, varied(draws, (0.25, 0.35, 0.60), 0.15))


def _within(canvas: Sketch, x: Plane, y: Plane, size: float, ragged: Plane) -> Plane:
    return canvas.edge(np.hypot(x, y) - np.float32(size) + (ragged - np.float32(0.5)) * 0.4, 0.02)


def _lump(canvas: Sketch, x: Plane, y: Plane, radius: float, bump: Plane) -> tuple[Plane, Plane]:
    """Cover and light of a rounded piece; ``bump`` makes its border and skin uneven."""
    distance = np.hypot(x, y) / np.float32(radius) + (bump - np.float32(0.5)) * np.float32(0.5)
    height = np.sqrt(np.clip(1 - distance * distance, 0, 1))
    light = 0.45 + 0.4 * height - 0.28 * (x + y) / np.float32(radius) + 0.35 * (bump - 0.5)
    return canvas.edge((distance - 1) * np.float32(radius)), np.clip(light, 0.1, 1.3)


def _pieces(canvas: Sketch, draws: Draws, x: Plane, y: Plane, size: float) -> None:
    bump = canvas.noise(draws, 14, 4)
    sauce = varied(draws, draws.pick(_SAUCES), 0.05)
    canvas.blend(_within(canvas, x, y, size * 0.85, bump), (0.7 + 0.6 * bump)[..., None] * sauce)
    for _ in range(2 + draws.index(3)):
        colour = varied(draws, draws.pick(_PIECES), 0.05)
        radius = draws.between(0.08, 0.26)
        for _ in range(1 + draws.index(6)):
            away, angle = size * 0.75 * math.sqrt(draws.unit()), draws.between(0, 2 * math.pi)
            centre = (away * math.cos(angle), away * math.sin(angle))
            lump = _lump(canvas, x - np.float32(centre[0]), y - np.float32(centre[1]), radius, bump)
            canvas.blend(lump[0], lump[1][..., None] * colour)


def _noodles(canvas: Sketch, draws: Draws, x: Plane, y: Plane, size: float) -> None:
    warp_x, warp_y = (canvas.noise(draws, draws.between(2, 4), 2) - 0.5 for _ in range(2))
    strand = np.sin((x + 1.6 * warp_x) * np.float32(42) + 9 * warp_y)
    other = np.sin((y + 1.6 * warp_y) * np.float32(38) + 9 * warp_x)
    over = canvas.noise(draws, 5, 2) > 0.5
    light = 0.72 + 0.25 * np.where(over, strand, other)
    colour = varied(draws, (0.88, 0.72, 0.38), 0.05)
    ragged = canvas.noise(draws, 7, 3)
    canvas.blend(_within(canvas, x, y, size * 0.95, ragged), light[..., None] * colour)
    spill = canvas.noise(draws, 3, 4)
    cover = _within(canvas, x, y, size * 0.6, spill) * np.clip((spill - 0.3) * 4, 0, 0.92)
    sauce = varied(draws, draws.pick(_SAUCES), 0.05)
    canvas.blend(cover, (0.6 + 0.7 * canvas.noise(draws, 30, 2))[..., None] * sauce)
    _garnish(canvas, draws, x, y, size * 0.6)


def _soup(canvas: Sketch, draws: Draws, x: Plane, y: Plane, size: float) -> None:
    broth = varied(draws, draws.pick(_SAUCES), 0.06)
    swirl = canvas.noise(draws, 4, 4)
    canvas.blend(
        canvas.edge(np.hypot(x, y) - np.float32(size * 1.05), 0.02),
        (0.75 + 0.5 * swirl)[..., None] * broth,
    )
    ring = np.hypot(x - 0.1, y + 0.05) + 0.25 * (swirl - 0.5)
    cream = canvas.edge(np.abs(ring - np.float32(size * 0.4)) - np.float32(0.03), 0.05)
    canvas.blend(cream * np.float32(draws.between(0, 0.9)), (0.94, 0.90, 0.82))
    _garnish(canvas, draws, x, y, size * 0.8)


def _pizza(canvas: Sketch, draws: Draws, x: Plane, y: Plane, size: float) -> None:
    bump = canvas.noise(draws, 12, 4)
    crust = (0.75 + 0.5 * bump)[..., None] * varied(draws, (0.78, 0.55, 0.30), 0.04)
    canvas.blend(_within(canvas, x, y, size * 1.3, 0.25 * bump + 0.375), crust)
    canvas.blend(_within(canvas, x, y, size * 1.12, bump), (0.68, 0.20, 0.08))
    cheese = np.clip((canvas.noise(draws, 6, 3) - 0.35) * 6, 0, 1)
    melted = (0.85 + 0.3 * bump)[..., None] * varied(draws, (0.93, 0.78, 0.42), 0.03)
    canvas.blend(_within(canvas, x, y, size * 1.1, bump) * cheese, melted)
    colour = varied(draws, draws.pick(_PIECES), 0.04)
    for _ in range(6 + draws.index(12)):
        away, angle = size * math.sqrt(draws.unit()), draws.between(0, 2 * math.pi)
        slice_x = x - np.float32(away * math.cos(angle))
        slice_y = y - np.float32(away * math.sin(angle))
        cover, light = _lump(canvas, slice_x, slice_y, 0.12, 0.4 * bump + 0.3)
        canvas.blend(cover, np.clip(light + 0.15, 0, 1)[..., None] * colour)
    _garnish(canvas, draws, x, y, size)


def _salad(canvas: Sketch, draws: Draws, x: Plane, y: Plane, size: float) -> None:
    bump = canvas.noise(draws, 20, 3)
    for _ in range(26):
        away, angle = size * 0.85 * math.sqrt(draws.unit()), draws.between(0, 2 * math.pi)
        leaf_x, leaf_y = rotated(
            x - np.float32(away * math.cos(angle)),
            y - np.float32(away * math.sin(angle)),
            draws.between(0, math.pi),
        )
        cover, light = _lump(canvas, leaf_x, leaf_y * 2, draws.between(0.15, 0.3), bump)
        rib = canvas.edge(np.abs(leaf_y) - np.float32(0.008)) * 0.3
        leaf = varied(draws, draws.pick(_LEAVES), 0.05)
        canvas.blend(cover, (light + rib)[..., None] * leaf)
    for _ in range(3 + draws.index(6)):
        away, angle = size * 0.7 * math.sqrt(draws.unit()), draws.between(0, 2 * math.pi)
        red_x, red_y = (
            x - np.float32(away * math.cos(angle)),
            y - np.float32(away * math.sin(angle)),
        )
        cover, light = _lump(canvas, red_x, red_y, 0.11, 0.3 * bump + 0.35)
        canvas.blend(cover, light[..., None] * varied(draws, (0.82, 0.18, 0.12), 0.04))


def _cake(canvas: Sketch, draws: Draws, x: Plane, y: Plane, size: float) -> None:
    x, y = rotated(x, y, draws.between(0, 2 * math.pi))
    # A slice is what lies right of the tip and between two lines through it.
    slope = np.float32(draws.between(0.3, 0.55))
    tip = x + np.float32(size * 0.8)
    shape = np.maximum(np.abs(y) - slope * tip, np.hypot(tip, y) - np.float32(size * 1.6))
    body = varied(draws, draws.pick(((0.36, 0.20, 0.10), (0.85, 0.68, 0.40))), 0.04)
    crumb = 0.8 + 0.4 * canvas.noise(draws, 30, 3)
    shadow = np.maximum(np.abs(y - 0.12) - slope * tip, np.hypot(tip, y) - np.float32(size * 1.6))
    canvas.blend(canvas.edge(shadow, 0.08), body * np.float32(0.55))
    canvas.blend(canvas.edge(shape), crumb[..., None] * body)
    icing = varied(
        draws, draws.pick(((0.95, 0.92, 0.86), (0.30, 0.14, 0.08), (0.9, 0.6, 0.7))), 0.03
    )
    canvas.blend(canvas.edge(shape + np.float32(0.06)), (0.9 + 0.2 * crumb)[..., None] * icing)
    for _ in range(draws.index(6)):
        berry_x = tip - np.float32(size * draws.between(0.4, 1.3))
        cover, light = _lump(
            canvas, berry_x, y - np.float32(draws.between(-0.1, 0.1)), 0.1, crumb / 2
        )
        canvas.blend(cover, light[..., None] * varied(draws, (0.70, 0.10, 0.18), 0.05))


def _garnish(canvas: Sketch, draws: Draws, x: Plane, y: Plane, size: float) -> None:
    colour = varied(draws, draws.pick(_LEAVES), 0.04)
    for _ in range(draws.index(30)):
        away, angle = size * math.sqrt(draws.unit()), draws.between(0, 2 * math.pi)
        bit_x, bit_y = rotated(
            x - np.float32(away * math.cos(angle)),
            y - np.float32(away * math.sin(angle)),
            draws.between(0, math.pi),
        )
        distance = np.hypot(bit_x, 2 * bit_y) - np.float32(draws.between(0.015, 0.045))
        canvas.blend(canvas.edge(distance), colour * np.float32(draws.between(0.7, 1.2)))


def _cutlery(canvas: Sketch, draws: Draws, x: Plane, size: float) -> None:
    metal = varied(draws, (0.72, 0.73, 0.75), 0.05)
    for side in (-1, 1):
        sideways = x - np.float32(side * (size + 0.14))
        sheen = 0.7 + 0.5 * np.cos(sideways * np.float32(60))
        handle = np.maximum(np.abs(sideways) - np.float32(0.025), np.abs(canvas.y - 0.1) - 0.75)
        canvas.blend(canvas.edge(handle), sheen[..., None] * metal)
        head = np.hypot(sideways / np.float32(0.06), (canvas.y + np.float32(0.62)) / 0.2) - 1
        canvas.blend(canvas.edge(head * np.float32(0.06)), metal * np.float32(0.95))


def _glass(canvas: Sketch, draws: Draws) -> None:
    side = 1.0 if draws.chance(0.5) else -1.0
    radius = np.hypot(
        canvas.x - np.float32(side * draws.between(0.75, 1.0)), canvas.y + np.float32(0.75)
    )
    drink = varied(
        draws, draws.pick(((0.80, 0.55, 0.15), (0.45, 0.06, 0.12), (0.75, 0.82, 0.85))), 0.05
    )
    canvas.blend(canvas.edge(radius - np.float32(0.26)), drink)
    canvas.blend(
        canvas.edge(np.abs(radius - np.float32(0.27)) - np.float32(0.015)), (0.88, 0.9, 0.92)
    )
    shine = np.exp(-((radius - np.float32(0.18)) ** 2) * 900) * (canvas.x * side < 0.85)
    canvas.blend(shine * np.float32(0.5), (1, 1, 1))
