"""Our own rasteriser for things seen from above: boxes, discs, and the shadows of heights.

Shapes become lists of pixels with their owner, all shapes at once: the rows of a shape, the stretch
of each row inside it, and the pixels of each stretch are three index computations. Nothing depends
on a drawing library's idea of an edge, and a pixel's distance to the edge comes with it, so edges
can be soft.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Integers = NDArray[np.intp]

_MARGIN = np.float32(0.5)  # pixels: a shape covers part of pixels whose centre lies outside
_STEEP = np.float32(1e-6)


@dataclass(frozen=True)
class Canvas:
    """A grid of square pixels, north up.

    Attributes:
        west_m: East coordinate of the left edge.
        north_m: North coordinate of the upper edge.
        metres_per_pixel: Side of a pixel.
        rows: Pixels from north to south.
        columns: Pixels from west to east.
    """

    west_m: float
    north_m: float
    metres_per_pixel: float
    rows: int
    columns: int

    def eastings(self) -> Floats:
        """Return the east coordinate of each column's centres, float32 (columns,)."""
        steps = np.arange(self.columns) + 0.5
        return (self.west_m + steps * self.metres_per_pixel).astype(np.float32)

    def northings(self) -> Floats:
        """Return the north coordinate of each row's centres, float32 (rows,)."""
        steps = np.arange(self.rows) + 0.5
        return (self.north_m - steps * self.metres_per_pixel).astype(np.float32)

    def positions(self, points: Doubles) -> tuple[Floats, Floats]:
        """Return column and row, in pixels from the first pixel's centre, of points (n, 2)."""
        scale = 1.0 / self.metres_per_pixel
        column = (points[:, 0] - self.west_m) * scale - 0.5
        row = (self.north_m - points[:, 1]) * scale - 0.5
        return column.astype(np.float32), row.astype(np.float32)

    def touches(self, centre: Doubles, reach: Floats | np.float32) -> NDArray[np.bool_]:
        """Return which squares of half a side ``reach`` about points (n, 2) touch the canvas."""
        width = self.columns * self.metres_per_pixel / 2
        height = self.rows * self.metres_per_pixel / 2
        east = np.abs(centre[:, 0] - (self.west_m + width))
        north = np.abs(centre[:, 1] - (self.north_m - height))
        touched: NDArray[np.bool_] = (east < reach + np.float32(width)) & (
            north < reach + np.float32(height)
        )
        return touched

    def concerns(
        self, centre: Doubles, reach: Floats, top_m: Floats, sun: tuple[float, float, float]
    ) -> NDArray[np.bool_]:
        """Return which things touch the canvas themselves or by their shadow on level ground.

        Args:
            centre: float64 (n, 2), east and north.
            reach: float32 (n,), how far they extend around it.
            top_m: float32 (n,), their height.
            sun: (east, north, up), the unit vector to the sun.
        """
        length = top_m * np.float32(0.5 / max(sun[2], 0.05))
        touched = np.ones(top_m.size, dtype=np.bool_)
        for axis, (part, middle, half) in enumerate(
            (
                (sun[0], self.west_m + self.columns * self.metres_per_pixel / 2, self.columns),
                (sun[1], self.north_m - self.rows * self.metres_per_pixel / 2, self.rows),
            )
        ):
            # From the thing to its shadow's tip: a stretch about the point halfway.
            halfway = centre[:, axis] - length * np.float32(part)
            halfway -= middle
            np.abs(halfway, out=halfway)
            halfway -= length * np.float32(abs(part))
            touched &= halfway < reach + np.float32(half * self.metres_per_pixel / 2)
        return touched


class Pixels(NamedTuple):
    """Pixels of many shapes, shape by shape, each shape's from north to south.

    Attributes:
        pixel: intp (n,), flat index into the canvas.
        owner: intp (n,), which shape.
        along: float32 (n,), metres from the shape's centre along its axis (discs: east).
        across: float32 (n,), metres to the left of the axis (discs: north).
    """

    pixel: Integers
    owner: Integers
    along: Floats
    across: Floats


def boxes(
    canvas: Canvas, centre: Doubles, axis: Floats, half_length: Floats, half_width: Floats
) -> Pixels:
    """Return the pixels of turned rectangles, those included that the edge only cuts.

    Args:
        canvas: Where to draw.
        centre: float64 (n, 2), east and north.
        axis: float32 (n, 2), unit vector of the length.
        half_length: float32 (n,), metres.
        half_width: float32 (n,), metres.
    """
    scale = np.float32(1.0 / canvas.metres_per_pixel)
    column, row = canvas.positions(centre)
    length = half_length * scale + _MARGIN
    width = half_width * scale + _MARGIN
    east, south = axis[:, 0], -axis[:, 1]
    reach = length * np.abs(south) + width * np.abs(east)
    owner, y = _rows(canvas, row, reach)
    slope_along, slope_across = east.take(owner), south.take(owner)
    # In pixels: along = x east + y south, across = x south - y east (left of the axis is positive).
    along = y * slope_across
    across = -y * slope_along
    first, last = _slab(slope_along, along, length.take(owner))
    left, right = _slab(slope_across, across, width.take(owner))
    np.maximum(first, left, out=first)
    np.minimum(last, right, out=last)
    which, x, index = _stretches(canvas, owner, y, row, column, first, last)
    metres = np.float32(canvas.metres_per_pixel)
    along *= metres
    across *= metres
    slope_along *= metres
    slope_across *= metres
    out_along = slope_along.take(which)
    out_along *= x
    out_along += along.take(which)
    out_across = slope_across.take(which)
    out_across *= x
    out_across += across.take(which)
    return Pixels(index, owner.take(which), out_along, out_across)


def discs(canvas: Canvas, centre: Doubles, radius: Floats) -> Pixels:
    """Return the pixels of discs, those included that the edge only cuts.

    Args:
        canvas: Where to draw.
        centre: float64 (n, 2), east and north.
        radius: float32 (n,), metres.
    """
    scale = np.float32(1.0 / canvas.metres_per_pixel)
    column, row = canvas.positions(centre)
    reach = radius * scale + _MARGIN
    owner, y = _rows(canvas, row, reach)
    half = reach.take(owner)
    half *= half
    half -= y * y
    np.maximum(half, 0, out=half)
    np.sqrt(half, out=half)
    which, x, index = _stretches(canvas, owner, y, row, column, -half, half)
    metres = np.float32(canvas.metres_per_pixel)
    x *= metres
    across = (y * -metres).take(which)
    return Pixels(index, owner.take(which), x, across)


def sun_margin(
    sun: tuple[float, float, float], highest_m: float, metres_per_pixel: float, most_m: float
) -> tuple[int, int, int, int]:
    """Return how many pixels beyond its edges a picture must know to have its shadows right.

    Args:
        sun: (east, north, up), the unit vector to the sun.
        highest_m: Height of the highest thing around.
        metres_per_pixel: Side of a pixel.
        most_m: No margin is larger: shadows that begin farther away are lost.

    Returns:
        Pixels to the north, south, west and east.
    """
    east, north, up = sun
    reach = highest_m / max(up, 0.05)

    def pixels(part: float) -> int:
        return math.ceil(min(most_m, max(0.0, part * reach)) / metres_per_pixel)

    return pixels(north), pixels(-north), pixels(-east), pixels(east)


def shaded_height(
    height: Floats, sun: tuple[float, float, float], metres_per_pixel: float
) -> Floats:
    """Return up to which height each pixel lies in the shadow of what stands towards the sun.

    A point at height z above a pixel is in shadow where the result exceeds z. The grid is sheared
    by whole pixels until the sun stands along a column; there it is one running maximum.

    Args:
        height: float32 (rows, columns), metres above the ground.
        sun: (east, north, up), the unit vector to the sun.
        metres_per_pixel: Side of a pixel.

    Returns:
        float32 (rows, columns), never less than ``height``.
    """
    east, north, up = sun
    flat = math.hypot(east, north)
    if flat < 1e-3:
        return height.copy()
    if abs(east) > abs(north):
        turned = _march(np.ascontiguousarray(height.T), -east, -north, up, metres_per_pixel)
        return np.ascontiguousarray(turned.T)
    return _march(height, north, east, up, metres_per_pixel)


def _march(
    height: Floats, towards_first: float, sideways: float, up: float, metres_per_pixel: float
) -> Floats:
    """Return `shaded_height` for a sun that stands mostly along the first axis.

    ``towards_first`` is positive where the sun stands beyond the first row; ``sideways`` is
    positive where it stands beyond the last column.
    """
    rows, columns = height.shape
    slope = sideways / abs(towards_first)
    drop = np.float32(
        metres_per_pixel * math.sqrt(1 + slope * slope) * up / math.hypot(towards_first, sideways)
    )
    # Row u counts from the sun: the line to the sun goes to smaller u and moves by slope per row.
    shift = [round(slope * u) for u in range(rows)]
    least = min(shift[0], shift[-1])
    seen = height if towards_first > 0 else height[::-1]
    result = np.empty((rows, columns), dtype=np.float32)
    back = result if towards_first > 0 else result[::-1]
    # The running maximum along every line of light at once; it falls by ``drop`` from row to row.
    running = np.zeros(columns + max(shift[0], shift[-1]) - least, dtype=np.float32)
    for u in range(rows):
        start = shift[u] - least
        here = running[start : start + columns]
        np.subtract(running, drop, out=running)
        np.maximum(here, seen[u], out=here)
        back[u] = here
    return result


def _rows(canvas: Canvas, row: Floats, reach: Floats) -> tuple[Integers, Floats]:
    """Return, for each row that each shape may touch, the shape and the row relative to it."""
    first = np.ceil(row - reach)
    last = np.floor(row + reach)
    np.clip(first, 0, canvas.rows, out=first)
    np.clip(last, -1, canvas.rows - 1, out=last)
    counts = (last - first).astype(np.intp)
    counts += 1
    np.maximum(counts, 0, out=counts)
    owner = np.repeat(np.arange(row.size, dtype=np.intp), counts)
    begin = np.cumsum(counts, dtype=np.intp)
    begin -= counts
    y = np.arange(owner.size, dtype=np.float32)
    y += (first - row - begin.astype(np.float32)).take(owner)
    return owner, y


def _slab(slope: Floats, offset: Floats, half: Floats) -> tuple[Floats, Floats]:
    """Return where ``|slope x + offset| <= half``: first and last x."""
    inverse = np.where(np.abs(slope) < _STEEP, _STEEP, slope)
    np.divide(np.float32(1), inverse, out=inverse)
    middle = offset * inverse
    np.negative(middle, out=middle)
    np.abs(inverse, out=inverse)
    inverse *= half
    return middle - inverse, middle + inverse


def _stretches(
    canvas: Canvas,
    owner: Integers,
    y: Floats,
    row: Floats,
    column: Floats,
    first: Floats,
    last: Floats,
) -> tuple[Integers, Floats, Integers]:
    """Return each pixel's stretch, its column relative to its shape's centre, and its flat index.

    ``first`` and ``last`` are relative to the shape's column, and are overwritten.
    """
    middle = column.take(owner)
    first += middle
    last += middle
    np.ceil(first, out=first)
    np.floor(last, out=last)
    np.clip(first, 0, canvas.columns, out=first)
    np.clip(last, -1, canvas.columns - 1, out=last)
    counts = (last - first).astype(np.intp)
    counts += 1
    np.maximum(counts, 0, out=counts)
    begin = np.cumsum(counts, dtype=np.intp)
    begin -= counts
    which = np.repeat(np.arange(owner.size, dtype=np.intp), counts)
    whole = np.rint(y + row.take(owner)).astype(np.intp)
    start = first.astype(np.intp)
    start -= begin
    step = np.arange(which.size, dtype=np.intp)
    offset = whole * canvas.columns
    offset += start
    index = offset.take(which)
    index += step
    start_x = start.astype(np.float32)
    start_x -= middle
    # Float32 counts whole numbers up to 16 million: no canvas has a stretch that long.
    x = start_x.take(which)
    x += step
    return which, x, index
