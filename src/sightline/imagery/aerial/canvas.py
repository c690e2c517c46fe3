"""What a patch shows of a raster, read as coarsely as the patch needs it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sightline.errors import AerialOutsideError
from sightline.geo.coordinates import FloatArray
from sightline.imagery.aerial.raster import Piece, Raster, Window

# A canvas for one patch stays below this, whatever the projection does to the patch.
_MOST_CANVAS_PX = 1 << 26
_MARGIN_PX = 2.0


class Canvas(NamedTuple):
    """A part of a raster, every block of its pixels made one.

    Attributes:
        pixels: float32 (h + 2, w + 2, 4): colours times the share that is valid, and that share,
            0 to 1; with one pixel all around where nothing is valid.
        corner: The raster's pixel ``(2,)``, column and row, of the corner inside that border.
    """

    pixels: NDArray[np.float32]
    corner: FloatArray


class _Strip(NamedTuple):
    """Blocks of one axis that are read at once: from where, how many, and of which pixels."""

    start: int
    blocks: int
    first_px: int
    length_px: int


def read_canvas(
    raster: Raster, shown: FloatArray, step: NDArray[np.int_], name: str, location: str
) -> Canvas | None:
    """Read what a patch shows.

    Args:
        raster: The raster.
        shown: Its pixels ``(n, 2)`` that enclose the patch.
        step: Columns and rows ``(2,)`` of a block.
        name: What errors call the source.
        location: Where it is.

    Returns:
        The canvas, or None where nothing is valid.

    Raises:
        AerialOutsideError: It would take too much memory.
    """
    margin = _MARGIN_PX * step
    first = np.floor((shown.min(axis=0) - margin) / step).astype(int)
    last = np.ceil((shown.max(axis=0) + margin) / step).astype(int)
    # Beyond the raster there is nothing; but columns may come back from the other side.
    in_all = -(-np.array(raster.size) // step)
    first[1], last[1] = max(first[1], 0), min(last[1], in_all[1])
    if raster.full_turn_px is None:
        first[0], last[0] = max(first[0], 0), min(last[0], in_all[0])
    columns, rows = (int(n) for n in last - first)
    if columns <= 0 or rows <= 0:
        return None
    if columns * rows > _MOST_CANVAS_PX:
        raise AerialOutsideError(
            f"The projection of {name!r} tears a patch apart here: it would take "
            f"{columns} × {rows} pixels.",
            hint="Ask for a smaller patch, or use imagery in another projection.",
            path=location,
        )
    pixels = np.zeros((rows + 2, columns + 2, 4), np.float32)
    inner = pixels[1:-1, 1:-1]
    down = [*_strips(int(first[1]), int(last[1]), int(step[1]), raster.size[1])]
    for across in _columns(raster, int(first[0]), int(last[0]), int(step[0])):
        for along in down:
            window = Window(across.first_px, along.first_px, across.length_px, along.length_px)
            piece = raster.read(window, across.blocks, along.blocks)
            left, top = across.start - first[0], along.start - first[1]
            share = window.width * window.height / (across.blocks * along.blocks * step.prod())
            _paste(inner[top : top + along.blocks, left : left + across.blocks], piece, share)
    return Canvas(pixels, (first * step).astype(np.float64)) if inner[..., 3].any() else None


def _strips(first: int, last: int, step: int, size: int) -> Iterator[_Strip]:
    """Blocks from ``first`` to ``last`` of an axis of ``size`` pixels.

    The pixels left over at its end are read as a block of their own. Without them every file of a
    mosaic would end some pixels early, and a shrunken patch would show the gap.
    """
    start, stop, left = max(first, 0), min(last, size // step), size % step
    if start < stop:
        yield _Strip(start, stop - start, start * step, (stop - start) * step)
    if left and start <= size // step < last:
        yield _Strip(size // step, 1, size - left, left)


def _columns(raster: Raster, first: int, last: int, step: int) -> Iterator[_Strip]:
    """Blocks from ``first`` to ``last``, of the turns of the Earth before and after it too."""
    width, turn = raster.size[0], raster.full_turn_px
    yield from _strips(first, last, step, width)
    for begin in () if turn is None else (-turn, turn):
        # Columns belong to the turn in which their middles lie: none is left out at the seam.
        start = max(first, math.ceil(begin / step - 0.5))
        stop = min(last, math.ceil((begin + width) / step - 0.5), start + width // step)
        if start < stop:
            length = (stop - start) * step
            left = int(min(max(round(start * step - begin), 0), width - length))
            yield _Strip(start, stop - start, left, length)


def _paste(canvas: NDArray[np.float32], piece: Piece, share: float) -> None:
    canvas[..., :3] = piece.colours
    canvas[..., 3] = 1.0
    if share != 1.0:
        canvas *= np.float32(share)
    if piece.valid is not None:
        canvas[~piece.valid] = 0.0
