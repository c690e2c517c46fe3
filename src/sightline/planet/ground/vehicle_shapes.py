"""How vehicles look: the outline of each kind from the side, and what is painted where on it.

A vehicle is a box whose roof follows its outline, so bonnet, windscreen, roof and boot have their
true silhouettes from every side. Paint is looked up in small pictures of its side, front and back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

STEPS = 64
"""Places along a vehicle at which its outline is tabulated."""
POINTS = 8
"""Corners of an outline."""
SIDE_WIDTH, SIDE_HEIGHT = 96, 48
END_WIDTH, END_HEIGHT = 32, 32


class Shape(IntEnum):
    """The outlines that exist."""

    SALOON = 0
    HATCHBACK = 1
    ESTATE = 2
    VAN = 3
    TRUCK = 4
    BUS = 5


class Part(IntEnum):
    """What a texel shows."""

    BODY = 0
    GLASS = 1
    TYRE = 2
    RIM = 3
    DARK = 4
    HEADLIGHT = 5
    TAILLIGHT = 6
    TRIM = 7
    PLATE = 8
    LINE = 9


# Place along the half length, back to front, and share of the height; glass between the two
# pairs of numbers; windows of the side: back, front, sill, top.
_OUTLINES: dict[Shape, tuple[tuple[float, float], ...]] = {
    Shape.SALOON: (
        (-1, 0.52), (-0.96, 0.66), (-0.64, 0.70), (-0.38, 0.98),
        (0.10, 1.0), (0.42, 0.70), (0.94, 0.56), (1, 0.40),
    ),
    Shape.HATCHBACK: (
        (-1, 0.48), (-0.97, 0.66), (-0.84, 0.92), (-0.70, 0.98),
        (0.10, 1.0), (0.46, 0.70), (0.93, 0.58), (1, 0.42),
    ),
    Shape.ESTATE: (
        (-1, 0.45), (-0.98, 0.64), (-0.90, 0.93), (-0.82, 0.98),
        (0.18, 1.0), (0.48, 0.68), (0.95, 0.60), (1, 0.44),
    ),
    Shape.VAN: (
        (-1, 0.90), (-0.99, 0.97), (-0.96, 1.0), (0.0, 1.0),
        (0.52, 0.98), (0.80, 0.60), (0.97, 0.50), (1, 0.36),
    ),
    Shape.TRUCK: (
        (-1, 0.98), (-0.99, 1.0), (0.0, 1.0), (0.42, 1.0),
        (0.46, 0.80), (0.84, 0.78), (0.96, 0.46), (1, 0.34),
    ),
    Shape.BUS: (
        (-1, 0.96), (-0.985, 1.0), (-0.5, 1.0), (0.0, 1.0),
        (0.5, 1.0), (0.955, 1.0), (0.985, 0.96), (1, 0.90),
    ),
}  # fmt: skip
_SCREENS: dict[Shape, tuple[tuple[float, float], ...]] = {
    Shape.SALOON: ((-0.61, -0.40), (0.13, 0.40)),
    Shape.HATCHBACK: ((-0.955, -0.85), (0.13, 0.44)),
    Shape.ESTATE: ((-0.97, -0.90), (0.21, 0.46)),
    Shape.VAN: ((0.55, 0.79),),
    Shape.TRUCK: ((0.85, 0.95),),
    Shape.BUS: ((0.956, 0.995),),
}
_WINDOWS: dict[Shape, tuple[tuple[float, float, float, float], ...]] = {
    Shape.SALOON: ((-0.46, -0.16, 0.68, 0.92), (-0.13, 0.27, 0.68, 0.93)),
    Shape.HATCHBACK: ((-0.78, -0.24, 0.66, 0.92), (-0.21, 0.32, 0.66, 0.93)),
    Shape.ESTATE: (
        (-0.86, -0.56, 0.66, 0.92),
        (-0.53, -0.18, 0.66, 0.93),
        (-0.15, 0.34, 0.66, 0.93),
    ),
    Shape.VAN: ((0.28, 0.66, 0.58, 0.90),),
    Shape.TRUCK: ((0.56, 0.82, 0.50, 0.72),),
    Shape.BUS: tuple((-0.94 + 0.235 * n, -0.73 + 0.235 * n, 0.46, 0.86) for n in range(8)),
}
_WHEELS: dict[Shape, tuple[tuple[float, ...], float, float]] = {
    # middles, radius as a share of the half length, radius as a share of the height
    Shape.SALOON: ((-0.60, 0.62), 0.145, 0.225),
    Shape.HATCHBACK: ((-0.64, 0.64), 0.155, 0.215),
    Shape.ESTATE: ((-0.62, 0.62), 0.150, 0.205),
    Shape.VAN: ((-0.60, 0.66), 0.135, 0.165),
    Shape.TRUCK: ((-0.66, -0.46, 0.66), 0.115, 0.150),
    Shape.BUS: ((-0.52, 0.62), 0.085, 0.160),
}


@dataclass(frozen=True)
class VehicleShapes:
    """Tables by shape.

    Attributes:
        heights: float32 (shapes, STEPS + 1), share of the height from back to front.
        corners: float32 (shapes, POINTS), places of the outline's corners, -1 to 1.
        top: uint8 (shapes, STEPS), `Part` seen on the outline.
        side: uint8 (shapes, SIDE_WIDTH, SIDE_HEIGHT), back to front, upwards.
        ends: uint8 (shapes, 2, END_WIDTH, END_HEIGHT), back and front.
    """

    heights: Floats
    corners: Floats
    top: NDArray[np.uint8]
    side: NDArray[np.uint8]
    ends: NDArray[np.uint8]


@cache
def vehicle_shapes() -> VehicleShapes:
    """Draw all tables."""
    places = np.linspace(-1, 1, STEPS + 1)
    outlines = [np.array(_OUTLINES[shape]) for shape in Shape]
    return VehicleShapes(
        heights=np.stack([np.interp(places, o[:, 0], o[:, 1]) for o in outlines]).astype(
            np.float32
        ),
        corners=np.stack([o[:, 0] for o in outlines]).astype(np.float32),
        top=np.stack([_top(shape) for shape in Shape]),
        side=np.stack([_side(shape) for shape in Shape]),
        ends=np.stack([np.stack([_back(shape), _front(shape)]) for shape in Shape]),
    )


def _top(shape: Shape) -> NDArray[np.uint8]:
    middles = (np.arange(STEPS) + 0.5) / STEPS * 2 - 1
    parts = np.full(STEPS, Part.BODY, np.uint8)
    for back, front in _SCREENS[shape]:
        parts[(middles > back) & (middles < front)] = Part.GLASS
    return parts


def _side(shape: Shape) -> NDArray[np.uint8]:
    x = ((np.arange(SIDE_WIDTH) + 0.5) / SIDE_WIDTH * 2 - 1)[:, None]
    z = ((np.arange(SIDE_HEIGHT) + 0.5) / SIDE_HEIGHT)[None, :]
    parts = np.full((SIDE_WIDTH, SIDE_HEIGHT), Part.BODY, np.uint8)
    outline = np.array(_OUTLINES[shape])
    top = np.interp(x, outline[:, 0], outline[:, 1])
    middles, across, tall = _WHEELS[shape]
    floor = 0.42 * tall
    parts[np.broadcast_to(z < floor, parts.shape)] = Part.DARK
    parts[(z > floor) & (z < floor + 0.05) & (np.abs(x) < 0.95)] = Part.TRIM
    for back, front, sill, lintel in _WINDOWS[shape]:
        # Screens lean, so the windows beside them are cut by the outline.
        pane = (x > back) & (x < front) & (z > sill) & (z < np.minimum(lintel, top - 0.05))
        parts[pane] = Part.GLASS
    for edge in (-0.13, 0.30) if shape <= Shape.ESTATE else (0.26,):
        seam = (np.abs(x - edge) < 0.011) & (z > 0.25) & (z < 0.66)
        parts[seam] = Part.LINE
    lamps = (z > 0.44) & (z < 0.60)
    parts[lamps & (x < -0.93)] = Part.TAILLIGHT
    parts[(z > 0.40) & (z < 0.52) & (x > 0.92)] = Part.HEADLIGHT
    for middle in middles:
        arch = np.hypot((x - middle) / across, (z - tall) / tall)
        parts[arch < 1.17] = Part.DARK
        parts[arch < 1.0] = Part.TYRE
        parts[arch < 0.60] = Part.RIM
        parts[arch < 0.16] = Part.DARK
    return parts


def _end(shape: Shape) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8]]:
    y = ((np.arange(END_WIDTH) + 0.5) / END_WIDTH * 2 - 1)[:, None]
    z = ((np.arange(END_HEIGHT) + 0.5) / END_HEIGHT)[None, :]
    parts = np.full((END_WIDTH, END_HEIGHT), Part.BODY, np.uint8)
    tall = _WHEELS[shape][2]
    parts[np.broadcast_to(z < 0.45 * tall, parts.shape)] = Part.DARK
    parts[(np.abs(y) > 0.68) & (z < 0.9 * tall)] = Part.TYRE
    return y, z, parts


def _back(shape: Shape) -> NDArray[np.uint8]:
    y, z, parts = _end(shape)
    high = shape in (Shape.VAN, Shape.TRUCK, Shape.BUS)
    parts[(z > 0.16) & (z < 0.26) & (np.abs(y) < 0.95)] = Part.TRIM
    low, top = (0.26, 0.40) if high else (0.40, 0.54)
    parts[(np.abs(y) > 0.68) & (np.abs(y) < 0.96) & (z > low) & (z < top)] = Part.TAILLIGHT
    parts[(np.abs(y) < 0.26) & (z > 0.28) & (z < 0.36)] = Part.PLATE
    if high:
        parts[(np.abs(y) < 0.02) & (z > 0.2)] = Part.LINE
    if shape in (Shape.VAN, Shape.BUS):
        parts[(np.abs(y) > 0.10) & (np.abs(y) < 0.80) & (z > 0.60) & (z < 0.86)] = Part.GLASS
    return parts


def _front(shape: Shape) -> NDArray[np.uint8]:
    y, z, parts = _end(shape)
    parts[(z > 0.14) & (z < 0.22) & (np.abs(y) < 0.9)] = Part.TRIM
    parts[(np.abs(y) < 0.5) & (z > 0.22) & (z < 0.34)] = Part.DARK
    parts[(np.abs(y) > 0.58) & (np.abs(y) < 0.94) & (z > 0.27) & (z < 0.38)] = Part.HEADLIGHT
    parts[(np.abs(y) < 0.24) & (z > 0.15) & (z < 0.21)] = Part.PLATE
    if shape is Shape.BUS:
        parts[(np.abs(y) < 0.92) & (z > 0.40) & (z < 0.84)] = Part.GLASS
    return parts
