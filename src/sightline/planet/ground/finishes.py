"""The grain of surfaces: plaster, bricks, boards, panels, leaves, roof tiles, as factors of colour.

Each finish is a square tile that repeats, stored sharp and blurred in two steps for the distance.
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sightline.planet.looks import noise

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

SIDE = 128
PERIOD_M = 4.0
TEXELS_PER_M = SIDE / PERIOD_M
LEVELS = 4
"""Sharp, blurred over 4 and 16 texels, and flat."""


class Finish(IntEnum):
    """What a surface is made of."""

    PLASTER = 0
    BRICK = 1
    BOARDS = 2
    STONE = 3
    PANELS = 4
    RIBS = 5
    LEAVES = 6
    ROOF_TILES = 7
    SEAMS = 8
    GRAVEL = 9


@cache
def finishes() -> Floats:
    """Return float32, flat: finish · LEVELS + level, then u · SIDE + v; the mean of each is 1."""
    parts = []
    for finish in Finish:
        sharp = _drawn(finish)
        sharp = sharp / sharp.mean()
        parts.append(sharp)
        for step in (4, 16):
            blocks = sharp.reshape(SIDE // step, step, SIDE // step, step).mean(axis=(1, 3))
            parts.append(np.repeat(np.repeat(blocks, step, axis=0), step, axis=1))
        parts.append(np.ones_like(sharp))
    return np.stack(parts).astype(np.float32).ravel()


def starts(finish: NDArray[np.integer], footprint_m: Floats, along_m: Floats) -> NDArray[np.int32]:
    """Return where a finish's column of texels begins.

    Args:
        finish: (n,) `Finish`.
        footprint_m: (n,) width of a pixel on the surface.
        along_m: (n,) place along the surface.
    """
    level = np.searchsorted(np.array([0.05, 0.2, 0.7], np.float32), footprint_m).astype(np.int32)
    column = np.floor(along_m * np.float32(TEXELS_PER_M)).astype(np.int32) & (SIDE - 1)
    return np.asarray(((finish.astype(np.int32) * LEVELS + level) * SIDE + column) * SIDE, np.int32)


def _drawn(finish: Finish) -> Floats:
    """(u, v) factors; v upwards."""
    texel = np.arange(SIDE)
    centres = ((texel + 0.5) / TEXELS_PER_M).astype(np.float64)
    u, v = centres[:, None], centres[None, :]
    grain = noise.fine().reshape(noise.SIDE, noise.SIDE)[:SIDE, :SIDE].astype(np.float64)
    blotch = noise.medium().reshape(noise.SIDE, noise.SIDE)[::4, ::4][:SIDE, :SIDE].astype(float)
    value: Doubles = 1 + 0.05 * grain + 0.06 * blotch
    if finish is Finish.BRICK:
        value = value + _courses(u, v, 0.25, 0.0833, 0.016, 0.20, tones=0.10)
    elif finish is Finish.STONE:
        value = value + _courses(u, v, 0.8, 0.4, 0.028, 0.16, tones=0.07)
    elif finish is Finish.PANELS:
        value = value + _courses(u, v, 4.0, 2.0, 0.03, 0.22, tones=0.03, staggered=False)
    elif finish is Finish.BOARDS:
        part = (v / 0.16) % 1
        value = value + 0.08 * part - 0.22 * (part < 0.14)
    elif finish is Finish.RIBS:
        value = value + 0.10 * np.sin(u / 0.25 * 2 * np.pi) + 0 * v
    elif finish is Finish.LEAVES:
        value = 1 + 0.75 * grain + 0.2 * blotch
    elif finish is Finish.ROOF_TILES:
        value = value + _courses(u, v, 0.25, 0.25, 0.05, 0.22, tones=0.12)
    elif finish is Finish.SEAMS:
        value = value - 0.18 * ((u / 0.5) % 1 < 0.1) + 0 * v
    elif finish is Finish.GRAVEL:
        value = value + 0.06 * grain
    return np.clip(value, 0.15, 2.0).astype(np.float32)


def _courses(
    u: Doubles,
    v: Doubles,
    length_m: float,
    height_m: float,
    joint_m: float,
    depth: float,
    *,
    tones: float,
    staggered: bool = True,
) -> Doubles:
    """Blocks in courses: darker joints, and a tone for each block."""
    course = np.floor(v / height_m)
    shifted = u / length_m + (0.5 * (course % 2) if staggered else 0.0)
    count = round(PERIOD_M / length_m)
    block = (np.floor(shifted) % count).astype(np.int64)
    tone = noise.fraction(block, course.astype(np.int64), 8300) - 0.5
    joint = ((shifted % 1) * length_m < joint_m) | ((v / height_m % 1) * height_m < joint_m)
    return np.asarray(tones * 2 * tone - depth * joint, np.float64)
