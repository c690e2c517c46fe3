"""One bay of one floor, drawn once: the small pictures of which façades are made.

A tile holds materials, not colours: each texel names an entry of a building's palette (`MIXES`),
pure or a mixture of two materials. Coarser levels are made of mixtures, so that far façades are as
bright as near ones without a filter at run time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sightline.planet.ground.facade_drawing import SIDE, SIZED, Paint, Tile, drawn_tile

LEVELS = 6
"""Sizes of a tile: 64, 32, 16, 8, 4 and 2 texels."""

WIDTHS = (0.34, 0.45, 0.56, 0.68)
"""Windows' shares of a bay that tiles exist for."""
HEIGHTS = (0.42, 0.51, 0.60)
"""Windows' shares of a floor that tiles exist for."""


_PAIRS = (
    (Paint.WALL, Paint.GLASS), (Paint.WALL, Paint.FRAME), (Paint.GLASS, Paint.FRAME),
    (Paint.WALL, Paint.SHADE), (Paint.WALL, Paint.SHUTTER), (Paint.WALL, Paint.DOOR),
    (Paint.WALL, Paint.METAL), (Paint.GLASS, Paint.SHADE), (Paint.WALL, Paint.TRIM),
    (Paint.GLASS, Paint.METAL), (Paint.GLASS, Paint.SHUTTER), (Paint.GLASS, Paint.SIGN),
    (Paint.WALL, Paint.SIGN), (Paint.WALL, Paint.PLINTH),
)  # fmt: skip


@cache
def mixes() -> NDArray[np.float32]:
    """Return float32 (64, paints): the share of each material in each entry of a palette."""
    rows = [np.eye(len(Paint))[paint] for paint in Paint]
    for first, second in _PAIRS:
        for share in (0.25, 0.5, 0.75):
            rows.append((1 - share) * rows[first] + share * rows[second])
    rows.extend([rows[0]] * (64 - len(rows)))
    return np.array(rows, np.float32)


@dataclass(frozen=True)
class TileSet:
    """All tiles at all sizes, flat.

    Attributes:
        codes: uint8; texel (u, v) of a tile of side s lies at its start + u · s + v, v upwards.
        starts: intp (LEVELS,), where each level begins.
        count: How many tiles there are.
    """

    codes: NDArray[np.uint8]
    starts: NDArray[np.intp]
    count: int

    def start(
        self, tile: NDArray[np.integer], level: NDArray[np.integer], column: NDArray[np.integer]
    ) -> NDArray[np.int32]:
        """Return where a tile's column of texels begins at a level."""
        shift = 6 - level
        base = self.starts.take(level) + (tile.astype(np.intp) << (2 * shift))
        return np.asarray(base + (column.astype(np.intp) << shift), np.int32)


def tile_number(
    tile: NDArray[np.integer],
    width: NDArray[np.integer],
    height: NDArray[np.integer],
    ground: NDArray[np.integer],
) -> NDArray[np.int32]:
    """Return the number of tiles.

    Args:
        tile: `Tile`.
        width: Index of `WIDTHS`.
        height: Index of `HEIGHTS`.
        ground: 1 on the ground floor, where a plinth is seen.
    """
    sizes = len(WIDTHS) * len(HEIGHTS)
    sized = (tile * sizes + width * len(HEIGHTS) + height) * 2 + ground
    plain = SIZED * sizes * 2 + (tile - SIZED) * 2 + ground
    return np.where(tile < SIZED, sized, plain).astype(np.int32)


@cache
def tile_set() -> TileSet:
    """Draw all tiles."""
    drawn: list[NDArray[np.uint8]] = []
    for tile in Tile:
        sizes = [(w, h) for w in WIDTHS for h in HEIGHTS] if tile < SIZED else [(0.5, 0.5)]
        drawn.extend(
            drawn_tile(tile, w, h, ground=ground) for w, h in sizes for ground in (False, True)
        )
    finest = np.stack(drawn)
    parts: list[NDArray[np.uint8]] = []
    starts: list[int] = []
    for level in range(LEVELS):
        starts.append(sum(len(part) for part in parts))
        parts.append((finest if level == 0 else _coarser(finest, 1 << level)).ravel())
    return TileSet(np.concatenate(parts), np.array(starts, np.intp), len(drawn))


def _coarser(finest: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Average materials over step x step texels and name the nearest mixture."""
    table = mixes()
    side = SIDE // step
    blocks = finest.reshape(len(finest), side, step, side, step)
    shares = np.stack(
        [(blocks == paint).mean(axis=(2, 4), dtype=np.float32) for paint in Paint], axis=-1
    )
    best = np.full(shares.shape[:3], np.inf, np.float32)
    code = np.zeros(shares.shape[:3], np.uint8)
    for number in range(len(Paint) + 3 * len(_PAIRS)):
        apart = ((shares - table[number]) ** 2).sum(axis=-1)
        np.copyto(code, np.uint8(number), where=apart < best)
        np.minimum(best, apart, out=best)
    return code
