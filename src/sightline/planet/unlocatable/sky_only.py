"""Nothing but sky: clear, clouded, at sunset, by night; from an aircraft's window too."""

from __future__ import annotations

import math

import numpy as np

from sightline.planet.draws import Draws
from sightline.planet.unlocatable.canvas import Plane, Sketch, rotated, varied

_DAY = (((0.20, 0.40, 0.72), (0.62, 0.77, 0.92)), ((0.30, 0.52, 0.80), (0.75, 0.85, 0.95)))
_DUSK = (
    ((0.22, 0.26, 0.45), (0.96, 0.56, 0.28)),
    ((0.35, 0.30, 0.52), (0.95, 0.62, 0.52)),
    ((0.12, 0.17, 0.36), (0.90, 0.42, 0.20)),
)
_GREY = (((0.60, 0.63, 0.67), (0.74, 0.76, 0.78)), ((0.42, 0.45, 0.50), (0.62, 0.64, 0.67)))


def draw_sky(canvas: Sketch, draws: Draws) -> None:
    """Paint a sky."""
    kind = draws.weighted(np.array([0.42, 0.28, 0.16, 0.14]))
    if kind == 3:
        _night(canvas, draws)
    else:
        top, bottom = draws.pick((_DAY, _DUSK, _GREY)[kind])
        _gradient(canvas, varied(draws, top, 0.04), varied(draws, bottom, 0.04), draws)
        if kind < 2 and draws.chance(0.45):
            _sun(canvas, draws, low=kind == 1)
        _clouds(canvas, draws, warm=kind == 1, grey=kind == 2)
        if draws.chance(0.25):
            _trail(canvas, draws)
        if draws.chance(0.2):
            _birds(canvas, draws)
    if draws.chance(0.15):
        _cabin_window(canvas, draws)


def _gradient(canvas: Sketch, top: Plane, bottom: Plane, draws: Draws) -> None:
    _, down = rotated(canvas.x, canvas.y, draws.between(-0.25, 0.25))
    share = np.clip((down + 1.1) / 2.2, 0, 1) ** np.float32(draws.between(0.7, 1.8))
    canvas.pixels[:] = top + share[..., None] * (bottom - top)


def _sun(canvas: Sketch, draws: Draws, *, low: bool) -> None:
    east, down = draws.between(-1, 1), draws.between(0.2, 0.9) if low else draws.between(-1, 0)
    distance = np.hypot(canvas.x - np.float32(east), canvas.y - np.float32(down))
    glow = np.exp(-distance * np.float32(draws.between(1.4, 3.0)))[..., None]
    canvas.pixels += glow * np.array([0.75, 0.55, 0.25] if low else [0.5, 0.48, 0.42], np.float32)
    canvas.blend(canvas.edge(distance - np.float32(0.09), 0.06), (1.0, 0.97, 0.88))


def _clouds(canvas: Sketch, draws: Draws, *, warm: bool, grey: bool) -> None:
    amount = draws.between(0.45, 0.95) if grey else draws.between(0.0, 0.75)
    if amount < 0.1:
        return
    stretch = draws.pick((1.0, 1.6, 3.0, 5.0))
    field = canvas.noise(draws, draws.between(1.5, 6), octaves=5, stretch=stretch)
    thin = np.float32(draws.between(0.12, 0.4))
    edge = np.float32(0.72 - 0.42 * amount)
    cover = np.clip((field - edge) / thin, 0, 1)
    relief = np.clip((field - canvas.noise(draws, 3, 2)) * 1.2 + 0.6, 0, 1)[..., None]
    lit = np.array([1.0, 0.74, 0.55] if warm else [0.98, 0.98, 0.97], np.float32)
    dark = np.array([0.40, 0.33, 0.40] if warm else [0.55, 0.58, 0.63], np.float32)
    canvas.blend(cover * np.float32(0.94), dark + relief * (lit - dark))


def _trail(canvas: Sketch, draws: Draws) -> None:
    along, across = rotated(canvas.x, canvas.y, draws.between(0, math.pi))
    wobble = 0.02 * (canvas.noise(draws, 5, 2) - 0.5)
    width = 0.01 + 0.02 * np.clip(along + 1.2, 0, 2.4)
    reach = canvas.edge(along - np.float32(draws.between(0.2, 1.3)))
    cover = canvas.edge(
        np.abs(across - np.float32(draws.between(-0.5, 0.5)) + wobble) - width, 0.04
    )
    canvas.blend(cover * reach * np.float32(0.7), (0.97, 0.97, 0.98))


def _birds(canvas: Sketch, draws: Draws) -> None:
    for _ in range(1 + draws.index(9)):
        x = canvas.x - np.float32(draws.between(-0.9, 0.9))
        y = canvas.y - np.float32(draws.between(-0.9, 0.7))
        span = draws.between(0.02, 0.06)
        wing = y + np.float32(draws.between(4, 12)) * (np.abs(x) - np.float32(span / 2)) ** 2
        shape = np.maximum(np.abs(wing) - canvas.pixel, np.abs(x) - np.float32(span))
        canvas.blend(canvas.edge(shape), (0.10, 0.10, 0.12))


def _night(canvas: Sketch, draws: Draws) -> None:
    _gradient(
        canvas,
        varied(draws, (0.02, 0.03, 0.07), 0.01),
        varied(draws, (0.07, 0.09, 0.16), 0.03),
        draws,
    )
    if draws.chance(0.5):
        haze = canvas.noise(draws, 2, 4)
        canvas.blend(np.clip(haze - 0.5, 0, 1) * 0.8, (0.30, 0.28, 0.36))
    for _ in range(20 + draws.index(160)):
        row, column = draws.index(canvas.height), draws.index(canvas.width)
        canvas.pixels[row, column] += np.float32(draws.between(0.1, 0.9))
    if draws.chance(0.6):
        x = canvas.x - np.float32(draws.between(-0.7, 0.7))
        y = canvas.y - np.float32(draws.between(-0.7, 0.5))
        radius = draws.between(0.06, 0.35)
        disc = canvas.edge(np.hypot(x, y) - np.float32(radius), 0.015)
        bite = canvas.edge(
            np.hypot(x - np.float32(radius * draws.between(-1.8, 1.8)), y) - np.float32(radius),
            0.03,
        )
        seas = 0.95 - 0.4 * np.clip(canvas.noise(draws, 6 / radius * 0.3, 3) - 0.45, 0, 1)
        canvas.pixels += np.exp(-np.hypot(x, y) * 4)[..., None] * np.float32(0.10)
        canvas.blend(disc * (1 - bite), seas[..., None] * np.array([1, 0.98, 0.9], np.float32))


def _cabin_window(canvas: Sketch, draws: Draws) -> None:
    """The rounded frame of an aircraft's window."""
    x = np.abs(canvas.x - np.float32(draws.between(-0.1, 0.1))) / np.float32(
        draws.between(0.62, 0.8)
    )
    y = np.abs(canvas.y) / np.float32(draws.between(0.85, 1.0))
    outside = 1 - canvas.edge((x**4 + y**4) ** 0.25 - 1, 0.05)
    shade = np.clip(0.72 - 0.2 * ((x**4 + y**4) ** 0.25 - 1), 0.3, 0.8)
    canvas.blend(outside, shade[..., None] * np.array([0.92, 0.93, 0.95], np.float32))
