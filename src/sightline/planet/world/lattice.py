"""The planet's lattice: an equiangular cube around the sphere, each face 156,672 cells a side.

A cell is 63.9 m wide where a face is nearest to the cube; towards an edge it shrinks to 45 m in
one direction. Vertices on an edge are the same points for both faces. Charts go on smoothly
beyond their face's edge, so a window may be laid out on one chart; which face a thing belongs to
is decided by where it lies. There is no special case at poles or at the antimeridian.

C. Ronchi, R. Iacono, P. S. Paolucci, "The cubed sphere", J. Comput. Phys. 124 (1996) 93-114.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.geo.coordinates import EARTH_RADIUS_M
from sightline.planet.world.trigonometry import PI, RADIANS, arcus, sine_cosine, tangent

FloatArray = NDArray[np.float64]

CELLS = 156_672
"""Cells along a face's side: a multiple of 1024, so that coarser lattices end at edges too."""
CELL_M = EARTH_RADIUS_M * PI / 2.0 / CELLS
"""Nominal width of a cell, 63.87 m."""
FACES = 6

# Per face: the direction it looks to, then the directions in which a and b grow.
_AXES = np.array(
    [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[-1, 0, 0], [0, -1, 0], [0, 0, 1]],
        [[0, 1, 0], [-1, 0, 0], [0, 0, 1]],
        [[0, -1, 0], [1, 0, 0], [0, 0, 1]],
        [[0, 0, 1], [0, 1, 0], [-1, 0, 0]],
        [[0, 0, -1], [0, 1, 0], [1, 0, 0]],
    ],
    dtype=np.float64,
)
_STEP = PI / 2.0 / CELLS


def vectors_of_latlng(latlng: ArrayLike) -> FloatArray:
    """Return unit vectors ``(n, 3)`` of places ``(n, 2)`` in degrees."""
    places = np.asarray(latlng, np.float64).reshape(-1, 2)
    sine, cosine = sine_cosine(places)
    return _stacked(cosine[:, 0] * cosine[:, 1], cosine[:, 0] * sine[:, 1], sine[:, 0])


def latlng_of_vectors(vectors: FloatArray) -> FloatArray:
    """Return degrees ``(n, 2)`` of directions ``(n, 3)``; longitudes in [-180, 180)."""
    x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
    latitude = arcus(z, np.sqrt(x * x + y * y)) / RADIANS
    longitude = arcus(y, x) / RADIANS
    return np.stack([latitude, np.where(longitude >= 180.0, -180.0, longitude)], axis=1)


def vectors_of(face: int, a: ArrayLike, b: ArrayLike) -> FloatArray:
    """Return unit vectors ``(..., 3)`` of lattice points, which may lie beyond the face's edge."""
    directions = _directions(face, np.asarray(a, np.float64), np.asarray(b, np.float64))
    x, y, z = directions[..., 0], directions[..., 1], directions[..., 2]
    return directions / np.sqrt(x * x + y * y + z * z)[..., None]


def vectors_of_grid(face: int, a: ArrayLike, b: ArrayLike) -> FloatArray:
    """Return unit vectors ``(m, n, 3)`` of the grid of ``(m,)`` by ``(n,)`` lattice coordinates."""
    half = CELLS / 2.0
    first = tangent((np.asarray(a, np.float64) - half) * _STEP)[:, None]
    second = tangent((np.asarray(b, np.float64) - half) * _STEP)[None, :]
    scale = 1.0 / np.sqrt(1.0 + first * first + second * second)
    normal, axis_a, axis_b = _AXES[face]
    directions = normal + first[..., None] * axis_a + second[..., None] * axis_b
    result: FloatArray = directions * scale[..., None]
    return result


def latlng_of(face: int, a: ArrayLike, b: ArrayLike) -> FloatArray:
    """Return degrees ``(n, 2)`` of lattice points, arrays of one length."""
    return latlng_of_vectors(vectors_of(face, np.atleast_1d(a), np.atleast_1d(b)))


def on_chart(face: int, vectors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return lattice coordinates on one face's chart of directions ``(..., 3)`` before it."""
    normal, first, second = (_dot(vectors, axis) for axis in _AXES[face])
    half = CELLS / 2.0
    return arcus(first, normal) / _STEP + half, arcus(second, normal) / _STEP + half


def lattice_of(vectors: FloatArray) -> tuple[NDArray[np.int64], FloatArray, FloatArray]:
    """Return face, a and b of directions ``(n, 3)``; on an edge the lower face has them."""
    face = faces_of(vectors)
    a, b = np.empty(len(vectors)), np.empty(len(vectors))
    for number in range(FACES):
        chosen = np.flatnonzero(face == number)
        if len(chosen):
            a[chosen], b[chosen] = on_chart(number, vectors[chosen])
    return face, a, b


def faces_of(vectors: FloatArray) -> NDArray[np.int64]:
    """Return the face (0 to 5) in front of which directions ``(n, 3)`` lie."""
    x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
    signed = np.stack([x, -x, y, -y, z, -z])
    result: NDArray[np.int64] = np.argmax(signed, axis=0)
    return result


@dataclass(frozen=True)
class Frame:
    """Metres east and north of a lattice point: the sphere seen from straight above.

    Within 300 m of the origin a metre is a metre to 1e-9.

    Args:
        face: The origin's face.
        a: Its first lattice coordinate.
        b: Its second.
        axes: float64 (3, 3): unit vectors up, east and north. At a pole, where north is undefined,
            east is the y axis.
        cell_m: ((east per a, east per b), (north per a, north per b)) at the origin, metres.
    """

    face: int
    a: float
    b: float
    axes: FloatArray
    cell_m: tuple[tuple[float, float], tuple[float, float]]

    @classmethod
    def at(cls, face: int, a: float, b: float) -> Frame:
        """Return the frame whose origin is a lattice point; the last few are kept."""
        return _frame_at(face, a, b)

    def on(self, face: int) -> Frame:
        """Return the same metres with another face's chart, on which the origin may lie beyond."""
        a, b = (float(part) for part in on_chart(face, self.axes[0]))
        return Frame(face, a, b, self.axes, _cell_sides(face, a, b, self.axes))

    def metres(self, vectors: FloatArray) -> FloatArray:
        """Return ``(..., 2)`` metres east and north of unit vectors ``(..., 3)`` nearby."""
        offset = vectors - self.axes[0]
        east, north = _dot(offset, self.axes[1]), _dot(offset, self.axes[2])
        return np.stack([east, north], axis=-1) * EARTH_RADIUS_M

    def vectors(self, metres: FloatArray) -> FloatArray:
        """Return unit vectors ``(n, 3)`` of metres ``(n, 2)`` east and north."""
        east, north = metres[:, :1] / EARTH_RADIUS_M, metres[:, 1:] / EARTH_RADIUS_M
        up = np.sqrt(1.0 - east * east - north * north)
        result: FloatArray = up * self.axes[0] + east * self.axes[1] + north * self.axes[2]
        return result

    def to_lattice(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return ((a per east, a per north), (b per east, b per north)): cells per metre."""
        (east_a, east_b), (north_a, north_b) = self.cell_m
        area = east_a * north_b - east_b * north_a
        return (north_b / area, -east_b / area), (-north_a / area, east_a / area)


@lru_cache(maxsize=16)
def _frame_at(face: int, a: float, b: float) -> Frame:
    up = vectors_of(face, a, b)
    x, y, z = (float(part) for part in up)
    across = float(np.sqrt(x * x + y * y))
    east = np.array([-y / across, x / across, 0.0]) if across > 1e-9 else np.array([0.0, 1, 0])
    north = np.array(
        [
            y * east[2] - z * east[1],
            z * east[0] - x * east[2],
            x * east[1] - y * east[0],
        ]
    )
    axes = np.stack([up, east, north])
    axes.setflags(write=False)
    return Frame(face, a, b, axes, _cell_sides(face, a, b, axes))


def _directions(face: int, a: FloatArray, b: FloatArray) -> FloatArray:
    half = CELLS / 2.0
    first = tangent((a - half) * _STEP)[..., None]
    second = tangent((b - half) * _STEP)[..., None]
    normal, axis_a, axis_b = _AXES[face]
    result: FloatArray = normal + first * axis_a + second * axis_b
    return result


def _cell_sides(
    face: int, a: float, b: float, axes: FloatArray
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Differentiate the chart: the tangent's slope is 1 + tangent squared, then project."""
    half = CELLS / 2.0
    slopes = tangent(np.array([(a - half) * _STEP, (b - half) * _STEP]))
    first, second = float(slopes[0]), float(slopes[1])
    scale = EARTH_RADIUS_M * _STEP / float(np.sqrt(1.0 + first * first + second * second))
    along_a = _AXES[face, 1] * ((1.0 + first * first) * scale)
    along_b = _AXES[face, 2] * ((1.0 + second * second) * scale)
    _, east, north = axes
    return (
        (float(_dot(along_a, east)), float(_dot(along_b, east))),
        (float(_dot(along_a, north)), float(_dot(along_b, north))),
    )


def _dot(vectors: FloatArray, axis: FloatArray) -> FloatArray:
    """Written out, so that the order of the sum is fixed."""
    result: FloatArray = (
        vectors[..., 0] * axis[0] + vectors[..., 1] * axis[1] + vectors[..., 2] * axis[2]
    )
    return result


def _stacked(x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
    return np.stack([x, y, z], axis=-1)
