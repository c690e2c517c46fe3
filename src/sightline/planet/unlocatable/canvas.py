"""A canvas with coordinates, soft shapes, smooth noise and a camera's finish."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import UsageError
from sightline.planet.draws import Draws

Plane = NDArray[np.floating[Any]]
Colour = Sequence[float] | Plane

SMALLEST = 16


class Sketch:
    """Pixels in [0, 1] with a coordinate system.

    Args:
        size: (height, width) in pixels.

    Attributes:
        pixels: float32 (height, width, 3).
        x: float32 (1, width); 0 at the centre, ±1 at the ends of the shorter side.
        y: float32 (height, 1); grows downwards.

    Raises:
        UsageError: The size is smaller than 16 pixels.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.height, self.width = (int(side) for side in size)
        if min(self.height, self.width) < SMALLEST:
            raise UsageError(
                f"A picture's size must be {SMALLEST} pixels or more a side. Got {size!r}.",
                hint="Give (height, width) in pixels.",
            )
        half = min(self.height, self.width) / 2
        self.pixel = 1.0 / half
        self.x: Plane = _centred(self.width, half)[None, :]
        self.y: Plane = _centred(self.height, half)[:, None]
        self.pixels = np.zeros((self.height, self.width, 3), np.float32)

    def noise(self, draws: Draws, features: float, octaves: int = 3, stretch: float = 1.0) -> Plane:
        """Smooth noise, (height, width) in [0, 1].

        Args:
            draws: Where the noise comes from.
            features: How many of its largest features stand along the shorter side.
            octaves: How many ever finer layers are added.
            stretch: How much longer than high the features are.
        """
        total: Plane = np.zeros((self.height, self.width), np.float32)
        weight, sums = 1.0, 0.0
        for octave in range(octaves):
            step = features * 2.0**octave
            rows = max(int(step * self.height * self.pixel / 2), 1) + 3
            columns = max(int(step / stretch * self.width * self.pixel / 2), 1) + 3
            grid = draws.octets(rows * columns).reshape(rows, columns).astype(np.float32)
            total += (weight / 255.0) * _enlarged(grid, self.height, self.width)
            sums += weight
            weight *= 0.5
        total /= np.float32(sums)
        return total

    def blend(self, cover: Plane, colour: Colour) -> None:
        """Lay ``colour`` (a triple, or an image) over the pixels where ``cover`` says so.

        Args:
            cover: float32 (height, width) in [0, 1], or of a shape that broadcasts to it.
            colour: Three numbers, or float32 (height, width, 3).
        """
        over = np.broadcast_to(cover, (self.height, self.width))[..., None]
        self.pixels += over * (np.asarray(colour, np.float32) - self.pixels)

    def edge(self, distance: Plane, softness: float = 0.0) -> Plane:
        """Cover of a shape from the signed distance to its border, negative inside."""
        width = np.float32(max(softness, self.pixel * 1.2))
        found: Plane = np.clip(np.float32(0.5) - distance / width, 0, 1)
        return found

    def finished(self, draws: Draws) -> NDArray[np.uint8]:
        """Take the picture: white balance, exposure, vignette and noise; uint8 RGB."""
        warmth, exposure = 0.05 * draws.normal(), 1.0 + 0.08 * draws.normal()
        balance = np.array([1 + warmth, 1.0, 1 - warmth], np.float32) * np.float32(exposure)
        falloff = np.float32(draws.between(0.0, 0.12)) * (self.x * self.x + self.y * self.y)
        image = np.clip(self.pixels, 0, 1) * balance * (1 - np.clip(falloff, 0, 0.5))[..., None]
        grain = draws.octets(2 * image.size).reshape(2, *image.shape).astype(np.float32)
        image += (grain[0] + grain[1] - 255) * np.float32(draws.between(0.004, 0.02) / 255)
        image *= 255
        image += np.float32(0.5)
        return np.clip(image, 0, 255).astype(np.uint8)


def _centred(count: int, half: float) -> Plane:
    return ((np.arange(count, dtype=np.float32) + np.float32(0.5)) - count / 2) / np.float32(half)


def _enlarged(grid: Plane, height: int, width: int) -> Plane:
    return _along(_along(grid, height).T, width).T


def _along(grid: Plane, count: int) -> Plane:
    """Rows resampled to ``count`` with smooth (Hermite) weights, leaving a margin at the ends."""
    position = np.linspace(0.5, len(grid) - 1.5, count, dtype=np.float32)
    row = position.astype(np.intp)
    part = position - row
    part = (part * part * (3 - 2 * part))[:, None]
    found: Plane = grid[row] * (1 - part) + grid[row + 1] * part
    return found


def mixed(first: Colour, second: Colour, share: float) -> Plane:
    """A colour between two, as a float32 triple."""
    a, b = np.asarray(first, np.float32), np.asarray(second, np.float32)
    return a + np.float32(share) * (b - a)


def varied(draws: Draws, colour: Colour, spread: float) -> Plane:
    """A colour near another one: lightness and each channel a little off."""
    light = spread * draws.normal()
    parts = [c + light + 0.4 * spread * draws.normal() for c in colour]
    return np.clip(np.array(parts, np.float32), 0.02, 0.98)


def rotated(x: Plane, y: Plane, angle: float) -> tuple[Plane, Plane]:
    """Coordinates in axes turned by ``angle`` radians."""
    cosine, sine = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    return x * cosine + y * sine, y * cosine - x * sine
