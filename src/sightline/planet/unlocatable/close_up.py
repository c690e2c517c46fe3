"""Close-ups: a flower, a leaf, a fruit, a mug or a page, sharp before a blurred background."""

from __future__ import annotations

import math

import numpy as np

from sightline.planet.draws import Draws
from sightline.planet.unlocatable.canvas import Plane, Sketch, mixed, rotated, varied

_BACKGROUNDS = (
    (0.22, 0.38, 0.16),
    (0.32, 0.42, 0.22),
    (0.45, 0.38, 0.28),
    (0.55, 0.52, 0.48),
    (0.18, 0.20, 0.22),
    (0.62, 0.66, 0.70),
)
_PETALS = (
    (0.93, 0.92, 0.88),
    (0.90, 0.25, 0.30),
    (0.95, 0.78, 0.20),
    (0.62, 0.40, 0.78),
    (0.93, 0.55, 0.70),
    (0.40, 0.48, 0.85),
    (0.95, 0.50, 0.18),
)
_FRUIT = ((0.78, 0.16, 0.14), (0.92, 0.55, 0.12), (0.55, 0.66, 0.18), (0.90, 0.80, 0.25))
_GLAZES = ((0.90, 0.89, 0.86), (0.22, 0.35, 0.55), (0.75, 0.30, 0.22), (0.25, 0.45, 0.38))


def draw_close_up(canvas: Sketch, draws: Draws) -> None:
    """Paint one thing from near."""
    _background(canvas, draws)
    painters = (_flower, _leaf, _fruit, _mug, _page)
    painters[draws.weighted(np.array([0.34, 0.22, 0.16, 0.16, 0.12]))](canvas, draws)


def _background(canvas: Sketch, draws: Draws) -> None:
    base = varied(draws, draws.pick(_BACKGROUNDS), 0.06)
    other = varied(draws, draws.pick(_BACKGROUNDS), 0.10)
    share = canvas.noise(draws, draws.between(0.8, 3.0), 2)[..., None]
    canvas.pixels[:] = base + share * (other - base)
    if draws.chance(0.6):  # points of light out of focus become discs
        for _ in range(4 + draws.index(22)):
            radius = draws.between(0.05, 0.2)
            x, y = draws.between(-1.2, 1.2), draws.between(-1.2, 1.2)
            disc = canvas.edge(_distance(canvas, x, y) - np.float32(radius), 0.03)
            light = mixed(base, (1.0, 0.98, 0.85), draws.between(0.2, 0.8))
            canvas.blend(disc * np.float32(draws.between(0.15, 0.5)), light)


def _distance(canvas: Sketch, x: float, y: float) -> Plane:
    found: Plane = np.hypot(canvas.x - np.float32(x), canvas.y - np.float32(y))
    return found


def _flower(canvas: Sketch, draws: Draws) -> None:
    if draws.chance(0.8):
        _stem(canvas, draws)
    for _ in range(1 if draws.chance(0.7) else 2 + draws.index(2)):
        _one_flower(canvas, draws)


def _stem(canvas: Sketch, draws: Draws) -> None:
    bend = np.float32(draws.between(-0.4, 0.4))
    sideways = np.abs(canvas.x - bend * np.clip(canvas.y, 0, 2) ** 2)
    below = canvas.edge(-canvas.y)
    canvas.blend(canvas.edge(sideways - np.float32(0.035)) * below, (0.24, 0.42, 0.17))


def _one_flower(canvas: Sketch, draws: Draws) -> None:
    x, y = rotated(
        canvas.x - np.float32(draws.between(-0.35, 0.35)),
        canvas.y - np.float32(draws.between(-0.35, 0.25)),
        draws.between(0, 2 * math.pi),
    )
    y = y / np.float32(draws.between(0.55, 1.0))  # seen from the side
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    colour = varied(draws, draws.pick(_PETALS), 0.06)
    size, petals = draws.between(0.45, 0.95), 4 + draws.index(14)
    for ring in range(1 + draws.index(3)):
        turned = angle * petals / 2 + np.float32(draws.between(0, 3))
        lobe = np.abs(np.cos(turned))
        reach = np.float32(size * (1 - 0.25 * ring)) * lobe ** np.float32(draws.between(0.25, 0.7))
        inside = canvas.edge(radius - reach, 0.02)
        veins = 0.9 + 0.1 * np.cos(turned * np.float32(14)) * np.clip(radius * 2, 0, 1)
        light = veins * (0.62 + 0.25 * lobe + 0.25 * np.clip(radius / size, 0, 1))
        canvas.blend(inside, light[..., None] * mixed(colour, (1, 1, 1), 0.12 * ring))
    heart = np.float32(size * draws.between(0.14, 0.34))
    crumbs = 0.55 + 0.6 * canvas.noise(draws, 34, 2)
    seed = varied(draws, draws.pick(((0.85, 0.65, 0.15), (0.35, 0.22, 0.10))), 0.05)
    canvas.blend(canvas.edge(radius - heart, 0.03), crumbs[..., None] * seed)


def _leaf(canvas: Sketch, draws: Draws) -> None:
    colour = varied(
        draws, draws.pick(((0.26, 0.47, 0.16), (0.70, 0.40, 0.12), (0.55, 0.16, 0.12))), 0.06
    )
    for _ in range(1 + draws.index(4)):
        x, y = rotated(
            canvas.x - np.float32(draws.between(-0.3, 0.3)),
            canvas.y - np.float32(draws.between(-0.3, 0.3)),
            draws.between(0, 2 * math.pi),
        )
        length, width = draws.between(0.7, 1.3), draws.between(0.25, 0.6)
        along = np.clip((x / np.float32(length) + 1) / 2, 0, 1)
        half = np.float32(width * 2.2) * along**0.7 * (1 - along)
        teeth = np.float32(0.02 * draws.unit()) * np.cos(x * np.float32(70))
        inside = canvas.edge(np.abs(y) - half + teeth, 0.015)
        vein = (x - np.abs(y) * np.float32(draws.between(0.8, 1.6))) * np.float32(
            draws.between(9, 16)
        )
        ribs = np.clip(1.6 * np.cos(vein * np.float32(math.pi)) - 0.5, 0, 1)
        middle = canvas.edge(np.abs(y) - np.float32(0.014))
        light = 0.72 + 0.4 * canvas.noise(draws, 6, 3) + 0.12 * np.sign(y)
        light = light + 0.18 * ribs + 0.3 * middle
        canvas.blend(inside, light[..., None] * colour)
    for _ in range(draws.index(14)):  # drops of water
        spot = _distance(canvas, draws.between(-0.7, 0.7), draws.between(-0.7, 0.7))
        radius = np.float32(draws.between(0.015, 0.06))
        canvas.blend(canvas.edge(spot - radius) * np.float32(0.45), (0.92, 0.96, 0.96))


def _fruit(canvas: Sketch, draws: Draws) -> None:
    for _ in range(1 + draws.index(5)):
        colour = varied(draws, draws.pick(_FRUIT), 0.05)
        x = canvas.x - np.float32(draws.between(-0.7, 0.7))
        y = canvas.y - np.float32(draws.between(-0.3, 0.7))
        radius = np.float32(draws.between(0.3, 0.75))
        inner = np.clip(1 - (x * x + y * y) / radius**2, 0, 1)
        front = np.sqrt(inner)
        light = 0.25 + 0.8 * np.clip(0.6 * front - 0.5 * y / radius - 0.35 * x / radius, 0, 1)
        skin = 0.86 + 0.28 * canvas.noise(draws, draws.between(3, 30), 3)
        shadow = np.exp(-(x**2 + 5 * (y - radius * 0.95) ** 2) / radius**2 * 2)
        canvas.blend(np.clip(shadow * 0.5, 0, 1), (0.05, 0.05, 0.06))
        canvas.blend(canvas.edge(np.hypot(x, y) - radius), (light * skin)[..., None] * colour)
        shine = np.exp(-((x + 0.35 * radius) ** 2 + (y + 0.4 * radius) ** 2) / (0.1 * radius) ** 2)
        canvas.blend(shine * np.float32(draws.between(0.2, 0.8)), (1, 1, 1))


def _mug(canvas: Sketch, draws: Draws) -> None:
    colour = varied(draws, draws.pick(_GLAZES), 0.06)
    table = varied(draws, (0.50, 0.36, 0.24), 0.10)
    front = np.float32(draws.between(0.1, 0.4))
    canvas.blend(canvas.edge(front - canvas.y, 0.25), table * np.float32(0.9))
    x = canvas.x - np.float32(draws.between(-0.35, 0.35))
    radius, top = draws.between(0.35, 0.55), draws.between(-0.6, -0.3)
    bottom, squash = draws.between(0.5, 0.75), np.float32(draws.between(0.15, 0.4))
    side = np.float32(1.0 if draws.chance(0.5) else -1.0)
    grip = np.hypot(x - side * np.float32(radius * 1.05), canvas.y - np.float32((top + bottom) / 2))
    canvas.blend(canvas.edge(np.abs(grip - np.float32(0.22)) - np.float32(0.055)), colour * 0.7)
    curve = squash * np.sqrt(np.clip(radius**2 - x * x, 0, None))
    body = np.maximum(np.abs(x) - np.float32(radius), np.float32(top) - canvas.y)
    body = np.maximum(body, canvas.y - np.float32(bottom) - curve)
    light = 0.45 + 0.55 * np.clip(1 - np.abs(x / np.float32(radius) + 0.45), 0, 1)
    bands = 1 - 0.25 * (np.cos(canvas.y * np.float32(draws.between(8, 30))) > draws.between(0, 1.3))
    canvas.blend(canvas.edge(body), (light * bands)[..., None] * colour)
    mouth = np.hypot(x, (canvas.y - np.float32(top)) / squash) - np.float32(radius)
    canvas.blend(canvas.edge(mouth), colour * np.float32(1.05))
    drink = varied(
        draws, draws.pick(((0.18, 0.09, 0.05), (0.72, 0.52, 0.34), (0.55, 0.28, 0.08))), 0.04
    )
    foam = 0.8 + 0.5 * canvas.noise(draws, 8, 3)
    canvas.blend(canvas.edge(mouth + np.float32(0.05)), foam[..., None] * drink)


def _page(canvas: Sketch, draws: Draws) -> None:
    """A printed page: lines of words, out of focus towards the edges."""
    x, y = rotated(canvas.x, canvas.y, draws.between(-0.4, 0.4))
    x = x * (1 + np.float32(draws.between(-0.3, 0.3)) * y)
    paper = varied(draws, (0.93, 0.91, 0.85), 0.03)
    canvas.pixels[:] = (0.85 + 0.2 * canvas.noise(draws, 1.5, 2))[..., None] * paper
    pitch = draws.between(0.09, 0.2)
    line = np.floor(y / np.float32(pitch))
    inside = y / np.float32(pitch) - line
    # Words: a hash of line and column opens and closes them.
    letter = np.floor(x / np.float32(pitch * 0.22))
    word = np.floor(x / np.float32(pitch * draws.between(1.3, 2.2)) + line * np.float32(0.37))
    drawn = np.mod(letter * 12.9898 + line * 78.233, 7.31) / 7.31
    gap = np.mod(x / np.float32(pitch * 1.7) + line * np.float32(0.37), 1) < 0.14
    indent = np.mod(word * 3.1 + line * 5.7, 11) < 0.8
    high = 0.30 + 0.22 * (drawn > 0.7)
    ink = (np.abs(inside - np.float32(0.5)) < high * 0.7) & (drawn > 0.12) & ~gap & ~indent
    stroke = np.mod(x / np.float32(pitch * 0.22), 1) < 0.72
    sharp = np.exp(-((y - np.float32(draws.between(-0.4, 0.4))) ** 2) * 2.5)
    margin = canvas.edge(np.abs(x) - np.float32(draws.between(0.75, 1.4)))
    canvas.blend((ink & stroke) * sharp * margin * np.float32(0.85), (0.10, 0.10, 0.12))
