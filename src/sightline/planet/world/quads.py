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
        a: Lattice coordinates less ``i0``, of a grid of 4 m + 1 by 4 n + 1 points.
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
        self._most = np.array([[size[0] - 2], [size[1] - 2]], np.float32)

    def solve(
        self, a: Float32, b: Float32, start_a: Float32, start_b: Float32, steps: int
    ) -> tuple[Float32, Float32]:
        """Improve places in the undisplaced lattice by a number of Newton's steps."""
        # Both numbers of everything lie in one array, so that half as many calls are made.
        given, q = np.stack([a, b]), np.stack([start_a, start_b])
        zero, most = np.float32(0.0), self._most
        for _ in range(steps):
            cell = np.floor(q)
            np.maximum(cell, zero, out=cell)
            np.minimum(cell, most, out=cell)
            index = cell[0] * self._columns
            index += cell[1]
            low, right, up, twist = self._table.take(index.astype(np.intp), axis=1).reshape(
                4, 2, -1
            )
            u, v = q - cell
            more = twist * u
            twist *= v
            right += twist
            low += right * u
            low += up * v
            low -= given  # by how much the place is missed
            up += more  # the slope along b at u
            (miss_a, miss_b), (right_a, right_b), (up_a, up_b) = low, right, up
            area = right_a * up_b
            area -= right_b * up_a
            np.maximum(area, np.float32(0.15), out=area)
            step = np.empty_like(q)
            np.subtract(miss_a * up_b, miss_b * up_a, out=step[0])
            np.subtract(miss_b * right_a, miss_a * right_b, out=step[1])
            step /= area
            q -= step
        return q[0], q[1]
