"""From a map's own pixels to a north-up square of the ground: where each pixel lies, and its mean.

A patch is read from the map at 1.3 to 2.6 of the map's (averaged) pixels per pixel of the patch, or
fewer where the map has no more, interpolated bilinearly on a north-up lattice as fine as that, and
averaged over the patch's pixels. So nothing is aliased when shrinking, and enlarging is bilinear.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.geo.coordinates import FloatArray
from sightline.imagery.aerial.source import AerialPixels

PixelMap = Callable[[FloatArray], FloatArray]
"""Points of the patch (n, 2), both from -1 to 1, east and south, to a map's pixels (n, 2)."""

# The polynomials that stand for a map's projection within one patch, coarse to fine. Each is
# believed when the one of half its degree already agrees with it to this part of a pixel, of the
# map or of the patch, whichever is larger.
_DEGREES = (4, 8, 16, 32)
_AGREE_PX = 0.02
_HALF_VALID, _ALL_VALID = 0.5, 0.999


def lobatto(degree: int) -> FloatArray:
    """Return the Chebyshev-Lobatto points of a degree, ``(degree + 1,)`` from -1 to 1."""
    return -np.cos(np.pi * np.arange(degree + 1) / degree)


def lattice(axis: FloatArray) -> FloatArray:
    """Return all pairs of an axis with itself ``(n², 2)``, row by row from north to south."""
    east, south = np.meshgrid(axis, axis)
    return np.column_stack([east.ravel(), south.ravel()])


class PatchMap:
    """Where the pixels of a patch lie in a map, by polynomials that were checked against it.

    Args:
        pixel_map: The exact answer.
        size_px: Side of the patch in pixels.

    Attributes:
        nodes: Pixels of the map ``(n, 2)``, column and row, that enclose the patch; those that
            the map's projection does not show are not finite.
    """

    def __init__(self, pixel_map: PixelMap, size_px: int) -> None:
        self._map = pixel_map
        self._values: FloatArray | None = None
        for degree in _DEGREES:
            self.nodes = pixel_map(lattice(lobatto(degree)))
            values = self.nodes.reshape(degree + 1, degree + 1, 2)
            if not np.isfinite(values).all():
                break
            coarse = np.stack(_interpolated(values[::2, ::2], lobatto(degree)), axis=-1)
            pixel = max(1.0, float(np.ptp(values, axis=(0, 1)).max()) / size_px)
            if np.abs(coarse - values).max() <= _AGREE_PX * pixel:
                self._values = values
                break

    def at(
        self, size_px: int, corner: FloatArray | None = None, step: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Return the middles of ``size_px`` × ``size_px`` pixels: columns and rows, both (s, s).

        Args:
            size_px: Side of the lattice.
            corner: The map's pixel ``(2,)`` to count from; by default its corner.
            step: How many of the map's pixels ``(2,)`` to count as one.
        """
        axis = (2.0 * np.arange(size_px) + 1.0) / size_px - 1.0
        corner = np.zeros(2) if corner is None else corner
        step = np.ones(2) if step is None else step
        if self._values is None:
            found = ((self._map(lattice(axis)) - corner) / step).reshape(size_px, size_px, 2)
            return found[..., 0], found[..., 1]
        return _interpolated((self._values - corner) / step, axis)


def _interpolated(values: FloatArray, axis: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Values (d + 1, d + 1, 2) on Lobatto points, interpolated on a lattice: two of (s, s)."""
    weights = _weights(len(values) - 1, axis.tobytes())
    return weights @ values[..., 0] @ weights.T, weights @ values[..., 1] @ weights.T


@lru_cache(maxsize=64)
def _weights(degree: int, axis: bytes) -> FloatArray:
    """Barycentric weights (s, degree + 1) of Lobatto points (Berrut and Trefethen 2004, 5.4)."""
    points = np.frombuffer(axis, np.float64)
    nodes = lobatto(degree)
    sign = (-1.0) ** np.arange(degree + 1)
    sign[[0, -1]] /= 2.0
    gaps = points[:, None] - nodes[None]
    exact = gaps == 0.0
    parts = sign / np.where(exact, 1.0, gaps)
    weights: FloatArray = parts / parts.sum(axis=1, keepdims=True)
    # On a node itself the formula divides by zero, and the node's value is the answer.
    on_node = exact.any(axis=1)
    weights[on_node] = exact[on_node]
    weights.flags.writeable = False
    return weights


def bilinear(
    canvas: NDArray[np.float32], column: FloatArray, row: FloatArray
) -> NDArray[np.float32]:
    """Read a canvas between its pixels.

    Args:
        canvas: (h + 2, w + 2, 4): colours times validity, and validity; with one pixel all around
            where nothing is valid, so that every pixel has its four neighbours.
        column: (s, s), 0 at the outer corner of the first pixel inside that border. Outside the
            canvas, and where not finite, nothing is valid.
        row: (s, s), likewise.

    Returns:
        (s, s, 4), as ``canvas``.
    """
    height, width = canvas.shape[0] - 2, canvas.shape[1] - 2
    x, y = column.ravel() + 0.5, row.ravel() + 0.5
    inside = (x > 0.0) & (y > 0.0) & (x < width + 1) & (y < height + 1)
    if not inside.all():  # NaN is not inside
        x, y = np.where(inside, x, 0.0), np.where(inside, y, 0.0)
    left, top = np.floor(x), np.floor(y)
    right = (x - left).astype(np.float32)[:, None]
    down = (y - top).astype(np.float32)[:, None]
    first = (top * (width + 2) + left).astype(np.intp)
    flat = canvas.reshape(-1, 4)
    above = _between(flat, first, right)
    below = _between(flat, first + (width + 2), right)
    below -= above
    below *= down
    above += below
    if not inside.all():
        above[~inside] = 0.0
    return above.reshape(*column.shape, 4)


def _between(
    flat: NDArray[np.float32], left: NDArray[np.intp], share: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Pixels ``left`` and their right neighbours, mixed."""
    start = np.take(flat, left, axis=0)
    step = np.take(flat, left + 1, axis=0)
    step -= start
    step *= share
    start += step
    return start


def averaged(fine: NDArray[np.float32], size_px: int, metres_per_pixel: float) -> AerialPixels:
    """Average a lattice (n, n, 4) as :func:`bilinear` returns it over a patch's pixels."""
    whole = bool(fine[..., 3].min() >= _ALL_VALID)
    if len(fine) != size_px:
        # In float32: Pillow rounds 8-bit halves up, twice, and that would brighten the patch.
        size = (size_px, size_px)
        bands = [
            Image.fromarray(np.ascontiguousarray(fine[..., i])) for i in range(3 + (not whole))
        ]
        fine = np.stack([np.asarray(b.resize(size, Image.Resampling.BOX)) for b in bands], axis=-1)
    if whole:
        pixels = _rounded(fine[..., :3])
        return AerialPixels(pixels, np.ones(pixels.shape[:2], np.bool_), metres_per_pixel)
    weight = fine[..., 3]
    valid = weight >= _HALF_VALID
    colours = fine[..., :3] / np.where(valid, weight, 1.0)[..., None]
    return AerialPixels(_rounded(np.where(valid[..., None], colours, 0.0)), valid, metres_per_pixel)


def _rounded(colours: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.clip(np.rint(colours), 0, 255).astype(np.uint8)
