"""The displaced cells of a sheet, and how to find the undisplaced place of a point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.planet.world.sheet import Sheet

Float32 = NDArray[np.float32]


def undisplaced(sheet: Sheet, a: Float32, b: Float32) -> tuple[Float32, Float32]:
    """Solve for the place in the undisplaced lattice of points on the chart (Newton's method).

    Args:
        sheet: Whose vertices are displaced.
        a: Lattice coordinates less ``i0``, any shape.
        b: The same for b.

    Returns:
        Flat arrays: whole numbers are streets, and a cell's vertices are its four corners.
    """
    corner = sheet.shift.astype(np.float32)
    size = corner.shape[:2]
    i, j = np.meshgrid(np.arange(size[0]), np.arange(size[1]), indexing="ij")
    vertex = corner + np.stack([i, j], axis=-1).astype(np.float32)
    low, right = vertex[:-1, :-1], vertex[1:, :-1] - vertex[:-1, :-1]
    up = vertex[:-1, 1:] - vertex[:-1, :-1]
    twist = vertex[1:, 1:] - vertex[:-1, 1:] - right
    quads = np.concatenate([low, right, up, twist], axis=-1).reshape(-1, 8)
    cells = _Quads(np.ascontiguousarray(quads.T), size)
    if a.shape[0] <= 8 or a.shape[1] <= 8:
        flat_a, flat_b = a.ravel(), b.ravel()
        return cells.solve(flat_a, flat_b, flat_a, flat_b, 7)
    # Solve every fourth point, then every second, then all: inside a cell the solution is nearly
    # a plane, so only points beside a cell's border are solved again each time.
    given = a[::4, ::4], b[::4, ::4]
    flat = given[0].ravel(), given[1].ravel()
    found = cells.solve(*flat, *flat, 7)
    for step, near in ((2, 0.36), (1, 0.43)):
        finer = a[::step, ::step], b[::step, ::step]
        q = [
            fine + doubled(coarse.reshape(old.shape) - old, fine.shape)
            for coarse, old, fine in zip(found, given, finer, strict=True)
        ]
        given, flat = finer, (finer[0].ravel(), finer[1].ravel())
        found = q[0].ravel(), q[1].ravel()
        again = np.flatnonzero(
            np.maximum(_from_whole(found[0]), _from_whole(found[1])) > np.float32(near)
        )
        start = found[0][again], found[1][again]
        found[0][again], found[1][again] = cells.solve(flat[0][again], flat[1][again], *start, 2)
    return found


def doubled(values: Float32, shape: tuple[int, ...]) -> Float32:
    """Interpolate every second point to all, linearly; the last point of both is the same."""
    wide = np.empty((values.shape[0], shape[1]), np.float32)
    wide[:, ::2] = values
    wide[:, 1::2] = (values[:, :-1] + values[:, 1:]) * np.float32(0.5)
    result = np.empty(shape, np.float32)
    result[::2] = wide
    result[1::2] = (wide[:-1] + wide[1:]) * np.float32(0.5)
    return result


def _from_whole(q: Float32) -> Float32:
    """Return how far numbers lie from the middle between two whole ones, 0 to 0.5."""
    result: Float32 = np.abs(q - np.floor(q) - np.float32(0.5))
    return result


class _Quads:
    """The displaced cells of a sheet, each a bilinear patch, and how to find places in them.

    Args:
        table: (8, cells): lower corner, side along a, side along b, twist, two numbers each.
        size: (m, n) vertices.
    """

    def __init__(self, table: Float32, size: tuple[int, ...]) -> None:
        self._table, self._columns = table, np.float32(size[1] - 1)
        self._most = np.float32(size[0] - 2), np.float32(size[1] - 2)

    def solve(
        self, a: Float32, b: Float32, start_a: Float32, start_b: Float32, steps: int
    ) -> tuple[Float32, Float32]:
        """Improve places in the undisplaced lattice by a number of Newton's steps."""
        q_a, q_b = start_a, start_b
        zero = np.float32(0.0)
        for _ in range(steps):
            i = np.minimum(np.maximum(np.floor(q_a), zero), self._most[0])
            j = np.minimum(np.maximum(np.floor(q_b), zero), self._most[1])
            index = (i * self._columns + j).astype(np.intp)
            low_a, low_b, right_a, right_b, up_a, up_b, twist_a, twist_b = (
                row.take(index) for row in self._table
            )
            u, v = q_a - i, q_b - j
            more_a, more_b = twist_a * u, twist_b * u
            twist_a *= v
            twist_b *= v
            right_a += twist_a
            right_b += twist_b
            miss_a = low_a + right_a * u + up_a * v - a
            miss_b = low_b + right_b * u + up_b * v - b
            up_a += more_a  # the slope along b at u
            up_b += more_b
            area = right_a * up_b - right_b * up_a
            np.maximum(area, np.float32(0.15), out=area)
            q_a = q_a - (miss_a * up_b - miss_b * up_a) / area
            q_b = q_b - (miss_b * right_a - miss_a * right_b) / area
        return q_a, q_b
