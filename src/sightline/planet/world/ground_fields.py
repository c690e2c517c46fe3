"""Fills the ground raster of a window from its sheets and streets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.planet.world.ground_raster import (
    ACROSS,
    ALONG,
    ELEVATION,
    FIELDS,
    HALF_WIDTH,
    LATTICE_A,
    LATTICE_B,
    ROAD_EDGE,
    STEPS_PER_CELL,
    TO_END,
    WATER,
    Facet,
    FacetedRaster,
    GroundRaster,
)
from sightline.planet.world.lattice import CELL_M, CELLS, Frame
from sightline.planet.world.quads import doubled, undisplaced
from sightline.planet.world.sheet import Sheet
from sightline.planet.world.streets import Segments

Float32 = NDArray[np.float32]
FloatArray = NDArray[np.float64]

_FAR_M = np.float32(30.0)
_AROUND_ROAD_M = 12.0
_AT_ONCE = 256  # streets, so that large windows need little memory
_LIKE_BITS = 5  # boxes alike but for this many bits of their sides are worked out together
_NOTHING = np.zeros((0, 0), np.float32)
_OVERSHOT = np.float32(1.004)
_NO_JUNCTION_M = np.float32(200.0)
_AT_END_M = np.float32(0.01)
# Half way between two roads neither is the nearer one, and by how much it seems to be hangs on the
# window, whose grid is straight where the lattice bends: some millimetres. There the first stays.
_NEARER_M = np.float32(0.005)
_FAR_FROM_ROADS = ((ACROSS, _FAR_M), (ALONG, 0.0), (TO_END, 0.0), (HALF_WIDTH, 3.0))


def ground_raster(
    frame: Frame,
    reach_m: float,
    sheets: list[Sheet],
    segments: Segments,
    table_starts: list[tuple[int, int]],
) -> GroundRaster:
    """Return the raster of a window.

    Args:
        frame: The window's local metres.
        reach_m: Its reach.
        sheets: Its sheets, that of the origin's face first.
        segments: All streets and paths.
        table_starts: Per sheet, what its vertex (i0, j0) is called in the table of cells.
    """
    facets: list[Facet] = []
    tables: list[Float32] = []
    rows = 0
    for sheet, start in zip(sheets, table_starts, strict=True):
        chart = frame if sheet.face == frame.face else frame.on(sheet.face)
        extent = _extent(chart, reach_m)
        if extent is None:
            continue
        place = _Place(chart, *extent)
        tables.append(_filled(place, sheet, start, segments))
        facets.append(_facet(place, rows))
        rows += len(place.b)
    first, spacing_m = facets[0], CELL_M / STEPS_PER_CELL
    if len(facets) == 1:
        return GroundRaster(spacing_m, tables[0], first.to_column, first.to_row)
    widest = max(facet.columns for facet in facets)
    together = np.zeros((len(FIELDS), rows, widest), np.float32).transpose(1, 2, 0)
    for facet, table in zip(facets, tables, strict=True):
        here = slice(facet.first_row, facet.first_row + facet.rows)
        together[here, : facet.columns] = table
    return FacetedRaster(spacing_m, together, first.to_column, first.to_row, tuple(facets))


def _filled(place: _Place, sheet: Sheet, start: tuple[int, int], segments: Segments) -> Float32:
    """Return the fields of one face's grid."""
    # Each field lies in one piece, since they are written and read one by one more often.
    table = np.empty((len(FIELDS), len(place.b), len(place.a)), np.float32).transpose(1, 2, 0)
    _smooth_fields(table, place, sheet, start)
    _road_fields(table, place, segments)
    return table


def _facet(place: _Place, first_row: int) -> Facet:
    (a_east, a_north), (b_east, b_north) = place.frame.to_lattice()
    step = float(STEPS_PER_CELL)
    low_a, low_b = place.low
    return Facet(
        first_row,
        len(place.b),
        len(place.a),
        (a_east * step, a_north * step, (place.frame.a - low_a) * step),
        (b_east * step, b_north * step, (place.frame.b - low_b) * step),
        (-low_a * step, (CELLS - low_a) * step, -low_b * step, (CELLS - low_b) * step),
        place.frame.face,
    )


def _extent(frame: Frame, reach_m: float) -> tuple[float, float, int, int] | None:
    """Return a grid's first lattice coordinates and its size; None off the window's face.

    The grid ends a little beyond the face, where another one's begins.
    """
    (a_east, a_north), (b_east, b_north) = frame.to_lattice()
    reach_a = (abs(a_east) + abs(a_north)) * (reach_m + 4.0)
    reach_b = (abs(b_east) + abs(b_north)) * (reach_m + 4.0)
    along_a, along_b = _stretch_of(frame.a, reach_a), _stretch_of(frame.b, reach_b)
    if along_a is None or along_b is None:
        return None
    return along_a[0], along_b[0], along_a[1], along_b[1]


def _stretch_of(middle: float, reach: float) -> tuple[float, int] | None:
    """Return the first coordinate and the number of a grid's points along one axis."""
    # Whole multiples of four steps, so that every fourth point is the same in every window.
    step = STEPS_PER_CELL / 4.0
    low = float(np.floor((middle - reach) * step)) / step
    count = 4 * int(np.ceil((middle + reach - low) * step)) + 5
    if low >= CELLS or middle + reach <= 0.0:
        return None
    first = max(low, -1.0 / step)
    count -= round((first - low) * STEPS_PER_CELL)
    return first, min(count, round((CELLS + 1.0 / step - first) * STEPS_PER_CELL) + 1)


class _Place:
    """Where the raster's points lie: on the chart, and in metres as sums of row and column."""

    def __init__(self, frame: Frame, low_a: float, low_b: float, columns: int, rows: int) -> None:
        self.a = low_a + np.arange(columns) / STEPS_PER_CELL
        self.b = low_b + np.arange(rows) / STEPS_PER_CELL
        (east_a, east_b), (north_a, north_b) = frame.cell_m
        away_a, away_b = self.a - frame.a, self.b - frame.b
        self.east = (away_a * east_a, (away_b * east_b)[:, None])
        self.north = (away_a * north_a, (away_b * north_b)[:, None])
        self.low = (low_a, low_b)
        self.frame = frame

    def index_boxes(self, segments: Segments) -> NDArray[np.int64]:
        """Return first row, end row, first column, end column around each segment, (n, 4)."""
        margin = segments.half_width.astype(np.float64) + _AROUND_ROAD_M
        start, end = segments.start, segments.end
        (a_east, a_north), (b_east, b_north) = self.frame.to_lattice()
        sides = []
        for east, north, offset, count in (
            (b_east, b_north, self.frame.b - self.low[1], len(self.b)),
            (a_east, a_north, self.frame.a - self.low[0], len(self.a)),
        ):
            first = start[:, 0] * east + start[:, 1] * north + offset
            last = end[:, 0] * east + end[:, 1] * north + offset
            more = margin * (abs(east) + abs(north))
            low = np.floor((np.minimum(first, last) - more) * STEPS_PER_CELL)
            high = np.floor((np.maximum(first, last) + more) * STEPS_PER_CELL) + 2
            sides += [np.maximum(low, 0), np.maximum(np.minimum(high, count), 0)]
        return np.stack(sides, axis=1).astype(np.int64)


def _road_fields(table: Float32, place: _Place, segments: Segments) -> None:
    """Measure the distance to every street in a box around it; the nearest edge wins.

    Of two streets that lie beside a point as near as each other, the first one wins.
    """
    shape = table.shape[:2]
    edge = np.full(shape, _FAR_M)
    held = np.zeros(shape, np.bool_)  # by a street that lies beside the point
    nearest = np.full(shape, len(segments), np.int16)
    boxes = place.index_boxes(segments)
    usable = np.flatnonzero((boxes[:, 1] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 2]))
    delta = segments.end - segments.start
    length = np.sqrt(delta[:, 0] * delta[:, 0] + delta[:, 1] * delta[:, 1])
    along = delta / length[:, None]
    # A point's place along and across a segment is a sum of one part per row and one per column.
    rows = _axes(place.east[1], place.north[1], along, None)
    columns = _axes(place.east[0], place.north[0], along, segments.start)
    lengths = length.astype(np.float32)
    for first in range(0, len(usable), _AT_ONCE):
        chosen = usable[first : first + _AT_ONCE]
        away = _edge_distances(chosen, boxes, rows, columns, lengths, segments.half_width)
        for number, (distance, beside) in zip(chosen.tolist(), away, strict=True):
            top, bottom, left, right = boxes[number].tolist()
            box = (slice(top, bottom), slice(left, right))
            view = edge[box]
            nearer = view - distance > (beside & held[box]) * _NEARER_M
            np.copyto(view, distance, where=nearer)
            np.copyto(held[box], beside, where=nearer)
            np.copyto(nearest[box], number, where=nearer)
    table[..., ROAD_EDGE] = edge
    _along_nearest(table, nearest, rows, columns, segments, lengths)


def _edge_distances(
    chosen: NDArray[np.intp],
    boxes: NDArray[np.int64],
    rows: Float32,
    columns: Float32,
    lengths: Float32,
    halves: Float32,
) -> list[tuple[Float32, NDArray[np.bool_]]]:
    """Return each chosen street's distance to its edge, and whether it lies beside the point.

    Both at the points of its box; it does not lie beside those beyond its ends.

    Boxes of about one size are worked out together, padded to the largest.
    """
    found = [(_NOTHING, _NOTHING > 0)] * len(chosen)
    box = boxes[chosen]
    height, width = box[:, 1] - box[:, 0], box[:, 3] - box[:, 2]
    sizes = (height >> _LIKE_BITS) * 65536 + (width >> _LIKE_BITS)
    for size in np.unique(sizes).tolist():
        places = np.flatnonzero(sizes == size)
        group, most = chosen[places], (height[places].max(), width[places].max())
        row = _stretch(rows, group, box[places, 0], most[0])[..., None]
        column = _stretch(columns, group, box[places, 2], most[1])[:, :, None]
        forward, sideways = row[:, 0] + column[:, 0], row[:, 1] + column[:, 1]
        beyond = np.minimum(forward, lengths[group, None, None])
        np.maximum(beyond, np.float32(0.0), out=beyond)
        beyond -= forward
        beside = beyond == 0
        # Beyond two streets' ends their corner is as near to both: the one less overshot wins.
        beyond *= beyond * _OVERSHOT
        sideways *= sideways
        beyond += sideways
        np.sqrt(beyond, out=beyond)
        beyond -= halves[group, None, None]
        for number, place in enumerate(places.tolist()):
            part = (slice(height[place]), slice(width[place]))
            found[place] = beyond[number][part], beside[number][part]
    return found


def _stretch(
    axes: Float32, group: NDArray[np.intp], first: NDArray[np.int64], count: int
) -> Float32:
    """Return ``count`` points of a raster axis from ``first`` on, (n, 2, count); the last again."""
    points = np.minimum(first[:, None] + np.arange(count), axes.shape[2] - 1)
    stretch: Float32 = axes[group[:, None, None], np.arange(2)[:, None], points[:, None]]
    return stretch


def _axes(
    east: FloatArray, north: FloatArray, along: FloatArray, start: FloatArray | None
) -> Float32:
    """Return each segment's forward and sideways part of one raster axis, (n, 2, points)."""
    away_east, away_north = east.ravel(), north.ravel()
    if start is not None:
        away_east, away_north = away_east - start[:, :1], away_north - start[:, 1:]
    x, y = along[:, :1], along[:, 1:]
    parts = np.empty((len(along), 2, east.size), np.float32)
    np.add(away_east * x, away_north * y, out=parts[:, 0], casting="same_kind")
    np.subtract(away_north * x, away_east * y, out=parts[:, 1], casting="same_kind")
    return parts


def _along_nearest(
    table: Float32,
    nearest: NDArray[np.int16],
    rows: Float32,
    columns: Float32,
    segments: Segments,
    lengths: Float32,
) -> None:
    """Fill in the place along the nearest street, where there is one near."""
    height, width = nearest.shape
    none = nearest == len(segments)
    if none.all():
        for field, value in _FAR_FROM_ROADS:
            table[..., field] = value
        return
    street = np.minimum(nearest, len(segments) - 1).astype(np.intp)
    by_row, by_column = street * (2 * height), street * (2 * width)
    by_row += np.arange(height)[:, None]
    by_column += np.arange(width)
    forward = rows.take(by_row)
    forward += columns.take(by_column)
    by_row += height
    by_column += width
    sideways = rows.take(by_row)
    sideways += columns.take(by_column)
    before = np.where(segments.open_start, _NO_JUNCTION_M, np.float32(0.0))
    after = lengths + np.where(segments.open_end, _NO_JUNCTION_M, np.float32(0.0))
    to_end = before.take(street)
    to_end += forward
    np.minimum(to_end, after.take(street) - forward, out=to_end)
    # Where one piece ends and the next begins, rounding decides which is nearer: 0 either way.
    short = lengths.take(street)
    short -= forward
    np.copyto(forward, np.float32(0.0), where=np.abs(short) < _AT_END_M)
    table[..., ACROSS], table[..., ALONG], table[..., TO_END] = sideways, forward, to_end
    table[..., HALF_WIDTH] = segments.half_width.take(street)
    if none.any():
        for field, value in _FAR_FROM_ROADS:
            np.copyto(table[..., field], value, where=none)


def _smooth_fields(table: Float32, place: _Place, sheet: Sheet, start: tuple[int, int]) -> None:
    """Write lattice coordinates, water and elevation of a grid on a sheet's own chart."""
    shape = table.shape[:2]
    here_a = (place.a - sheet.i0).astype(np.float32)
    here_b = (place.b - sheet.j0).astype(np.float32)
    q_a, q_b = undisplaced(
        sheet, np.broadcast_to(here_a, shape), np.broadcast_to(here_b[:, None], shape)
    )
    fine = _refined(np.stack([sheet.water, sheet.elevation], axis=-1))
    table[..., LATTICE_A] = (q_a + np.float32(start[0])).reshape(shape)
    table[..., LATTICE_B] = (q_b + np.float32(start[1])).reshape(shape)
    # Every fourth point and straight lines between: the fields change little over eight metres.
    coarse = q_a.reshape(shape)[::4, ::4], q_b.reshape(shape)[::4, ::4]
    values = _read(fine, coarse[0].ravel(), coarse[1].ravel()).reshape(*coarse[0].shape, 2)
    half = (2 * coarse[0].shape[0] - 1, 2 * coarse[0].shape[1] - 1)
    for field, number in ((WATER, 0), (ELEVATION, 1)):
        table[..., field] = doubled(doubled(values[..., number], half), shape)


_QUARTERS = 4


def _refined(values: FloatArray) -> Float32:
    """Interpolate vertices to quarters of cells by cubics through four (Catmull-Rom)."""
    for axis in (0, 1):
        values = np.swapaxes(values, 0, axis)
        ends = (2.0 * values[:1] - values[1:2], values, 2.0 * values[-1:] - values[-2:-1])
        padded = np.concatenate(ends)
        before, here, after, beyond = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
        parts = []
        for quarter in range(_QUARTERS):
            t = quarter / _QUARTERS
            weights = (
                ((-0.5 * t + 1.0) * t - 0.5) * t,
                (1.5 * t - 2.5) * t * t + 1.0,
                ((-1.5 * t + 2.0) * t + 0.5) * t,
                (0.5 * t - 0.5) * t * t,
            )
            parts.append(
                before * weights[0] + here * weights[1] + after * weights[2] + beyond * weights[3]
            )
        fine = np.stack(parts, axis=1).reshape(-1, *values.shape[1:])
        values = np.swapaxes(np.concatenate([fine, values[-1:]]), 0, axis)
    return np.ascontiguousarray(values.astype(np.float32))


def _read(fine: Float32, q_a: Float32, q_b: Float32) -> Float32:
    height, width = fine.shape[:2]
    quarters = np.float32(_QUARTERS)
    a = np.minimum(np.maximum(q_a * quarters, np.float32(0.0)), np.float32(height - 1.001))
    b = np.minimum(np.maximum(q_b * quarters, np.float32(0.0)), np.float32(width - 1.001))
    i, j = a.astype(np.int32), b.astype(np.int32)
    a, b = (a - i)[:, None], (b - j)[:, None]
    table = fine.reshape(-1, fine.shape[2])
    index = i * np.int32(width) + j
    low, high = table.take(index, 0), table.take(index + width, 0)
    low += (table.take(index + 1, 0) - low) * b
    high += (table.take(index + width + 1, 0) - high) * b
    result: Float32 = low + (high - low) * a
    return result
