"""Pictures of plants and street furniture, drawn from hashes: shape and shade, without colour.

A texel is one byte: 0 is seen through, 1 to 127 is the first colour (leaves, a sign's board) and
128 to 255 the second (wood, a pole), each with its shade in 64ths. A picture is stored in columns,
top first, in two sizes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sightline.planet.ground.sprite_drawing import SIDE, furniture_picture, plant_picture
from sightline.planet.world.contents import FurnitureKind, Species

SMALL = 24
VARIANTS = 4
"""Pictures of each species."""

_FIRST_FURNITURE = 2 * len(Species) * VARIANTS


@dataclass(frozen=True)
class SpriteSet:
    """All pictures.

    Attributes:
        texels: uint8, flat: the large pictures (number, column, row), then the small ones.
        small: Where the small ones begin.
        shades: float32 (256,), shade of each texel.
    """

    texels: NDArray[np.uint8]
    small: int
    shades: NDArray[np.float32]


def plant_number(
    species: NDArray[np.integer], variant: NDArray[np.integer], bare: NDArray[np.bool_]
) -> NDArray[np.int32]:
    """Return the numbers of plants' pictures, with or without leaves."""
    number = (species.astype(np.int32) * 2 + bare) * VARIANTS + variant
    return np.asarray(number, np.int32)


def furniture_number(kind: NDArray[np.integer], form: NDArray[np.integer]) -> NDArray[np.int32]:
    """Return the numbers of furniture's pictures; the form is a `SignKind` or `PoleKind`."""
    return np.asarray(_FIRST_FURNITURE + kind.astype(np.int32) * 4 + form, np.int32)


@cache
def sprite_set() -> SpriteSet:
    """Draw all pictures."""
    pictures = [
        plant_picture(species, variant, bare=bare)
        for species in Species
        for bare in (False, True)
        for variant in range(VARIANTS)
    ]
    pictures += [furniture_picture(kind, form) for kind in FurnitureKind for form in range(4)]
    large = np.stack(pictures)
    step = SIDE // SMALL
    blocks = large.reshape(len(large), SMALL, step, SMALL, step).transpose(0, 1, 3, 2, 4)
    blocks = blocks.reshape(len(large), SMALL, SMALL, step * step)
    filled = (blocks > 0).sum(axis=-1)
    # The middle of the texels that are there, where enough of them are.
    ordered = np.sort(np.where(blocks > 0, blocks, 255), axis=-1)
    middle = np.take_along_axis(ordered, np.maximum(filled // 2 - 1, 0)[..., None], axis=-1)[..., 0]
    small = np.where(filled >= 5, middle, 0).astype(np.uint8)
    shades = (np.arange(256) & 127).astype(np.float32) / np.float32(64)
    return SpriteSet(np.concatenate([large.ravel(), small.ravel()]), large.size, shades)
