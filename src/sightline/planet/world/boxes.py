"""Boxes on lots, and how they are collected part by part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.planet.world.contents import BoxKind

Float32 = NDArray[np.float32]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Boxes:
    """Boxes on lots, before they get their ground. See ``contents.Buildings`` for most fields.

    ``lot`` is the row of the lot (its cell, style and key), ``place`` metres along and inward.
    """

    lot: IntArray
    place: Float32
    turned: BoolArray
    half_length: Float32
    half_width: Float32
    eave: Float32
    rise: Float32
    roof: NDArray[np.int8]
    kind: NDArray[np.int8]
    wall: Float32
    roof_colour: Float32


class Collector:
    """Collects boxes part by part."""

    def __init__(self) -> None:
        self._parts: list[tuple[NDArray[Any], ...]] = []

    def add(
        self,
        lot: IntArray,
        along: ArrayLike,
        inward: ArrayLike,
        half_length: ArrayLike,
        half_width: ArrayLike,
        eave: ArrayLike,
        rise: ArrayLike,
        roof: ArrayLike,
        wall: Float32,
        roof_colour: Float32,
        *,
        turned: ArrayLike = False,
        kind: ArrayLike = BoxKind.BUILDING,
    ) -> None:
        """Add one box to each of some lots; numbers are broadcast."""
        count = len(lot)
        if not count:
            return

        self._parts.append(
            (
                lot,
                np.stack([_wide(along, count), _wide(inward, count)], axis=1),
                _wide(turned, count, np.bool_),
                _wide(half_length, count),
                _wide(half_width, count),
                _wide(eave, count),
                _wide(rise, count),
                _wide(roof, count, np.int8),
                _wide(kind, count, np.int8),
                _coloured(wall, count),
                _coloured(roof_colour, count),
            )
        )

    def boxes(self) -> Boxes:
        """Return all boxes."""
        return Boxes(*(np.concatenate(part) for part in zip(*self._parts, strict=True)))


def _wide(value: ArrayLike, count: int, kind: type = np.float32) -> NDArray[Any]:
    array: NDArray[Any] = np.asarray(value, kind)
    return array if array.ndim else np.full(count, array)


def _coloured(colour: Float32, count: int) -> Float32:
    return colour if colour.ndim == 2 else np.full((count, 3), colour)
