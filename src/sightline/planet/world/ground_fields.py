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
    GroundRaster,
)
from sightline.planet.world.lattice import CELL_M, CELLS, Frame, faces_of, on_chart, vectors_of
from sightline.planet.world.quads import doubled, undisplaced
from sightline.planet.world.sheet import Sheet
from sightline.planet.world.streets import Segments

Float32 = NDArray[np.float32]
FloatArray = NDArray[np.float64]

_FAR_M = np.float32(30.0)
_AROUND_ROAD_M = 12.0
_AT_ONCE = 256  # streets, so that large windows need little memory
_LIKE_BITS = 4  # boxes alike but for this many bits of their sides are worked out together
_NOTHING = np.zeros((0, 0), np.float32)
_OVERSHOT = np.float32(1.004)
_NO_JUNCTION_M = np.float32(200.0)


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
    if len(sheets) > 1:
        # Windows on both sides of a cube edge agree on whose chart the grid lies.
        frame = frame.on(min(sheet.face for sheet in sheets))
    low_a, low_b, columns, rows = _extent(frame, reach_m)
    # Each field lies in one piece, since they are written and read one by one more often.
    table = np.empty((len(FIELDS), rows, columns), np.float32).transpose(1, 2, 0)
    place = _Place(frame, low_a, low_b, columns, rows)
    _smooth_fields(table, place, sheets, table_starts)
    _road_fields(table, place, segments)
    (a_east, a_north), (b_east, b_north) = frame.to_lattice()
    step = float(STEPS_PER_CELL)
    to_column = (a_east * step, a_north * step, (frame.a - low_a) * step)
    to_row = (b_east * step, b_north * step, (frame.b - low_b) * step)
    return GroundRaster(CELL_M / STEPS_PER_CELL, table, to_column, to_row)


def _extent(frame: Frame, reach_m: float) -> tuple[float, float, int, int]:
    """Return the raster's first lattice coordinates and its size."""
    (a_east, a_north), (b_east, b_north) = frame.to_lattice()
    reach_a = (abs(a_east) + abs(a_north)) * (reach_m + 4.0)
    reach_b = (abs(b_east) + abs(b_north)) * (reach_m + 4.0)
    # Whole multiples of four steps, so that every fourth point is the same in every window.
    step = STEPS_PER_CELL / 4.0
    low_a = float(np.floor((frame.a - reach_a) * step)) / step
    low_b = float(np.floor((frame.b - reach_b) * step)) / step
    columns = 4 * int(np.ceil((frame.a + reach_a - low_a) * step)) + 5
    rows = 4 * int(np.ceil((frame.b + reach_b - low_b) * step)) + 5
    return low_a, low_b, columns, rows


class _Place:
    """Where the raster's points lie: on the chart, and in metres as sums of row and column."""

    def __init__(self, frame: Frame, low_a: float, low_b: float, columns: int, rows: int) -> None:
        self.face = frame.face
        self.a = low_a + np.arange(columns) / STEPS_PER_CELL
        self.b = low_b + np.arange(rows) / STEPS_PER_CELL
        (east_a, east_b), (north_a, north_b) = frame.cell_m
        away_a, away_b = self.a - frame.a, self.b - frame.b
        self.east = (away_a * east_a, (away_b * east_b)[:, None])
        self.north = (away_a * north_a, (away_b * north_b)[:, None])
        self.step = np.array([[east_a, east_b], [north_a, north_b]]) / STEPS_PER_CELL
        self.low = (low_a, low_b)
        self.frame = frame

    def index_boxes(self, segments: Segments) -> NDArray[np.int64]:
        """Return first row, end row, first column, end column around each segment, (n, 4)."""
        margin = segments.half_width.astype(np.float64) + _AROUND_ROAD_M
        start, end = segments.start.astype(np.float64), segments.end.astype(np.float64)
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
    """Measure the distance to every street in a box around it; the nearest edge wins."""
    shape = table.shape[:2]
    edge = np.full(shape, _FAR_M)
    nearest = np.full(shape, len(segments), np.int16)
    boxes = place.index_boxes(segments)
    usable = np.flatnonzero((boxes[:, 1] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 2]))
    delta = (segments.end - segments.start).astype(np.float64)
    length = np.sqrt(delta[:, 0] * delta[:, 0] + delta[:, 1] * delta[:, 1])
    along = (delta / length[:, None]).astype(np.float32)
    # A point's place along and across a segment is a sum of one part per row and one per column.
    rows = _axes(place.east[1], place.north[1], along, None)
    columns = _axes(place.east[0], place.north[0], along, segments.start)
    lengths = length.astype(np.float32)
    for first in range(0, len(usable), _AT_ONCE):
        chosen = usable[first : first + _AT_ONCE]
        away = _edge_distances(chosen, boxes, rows, columns, lengths, segments.half_width)
        for number, distance in zip(chosen.tolist(), away, strict=True):
            top, bottom, left, right = boxes[number].tolist()
            box = (slice(top, bottom), slice(left, right))
            view = edge[box]
            nearer = distance < view
            np.copyto(view, distance, where=nearer)
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
) -> list[Float32]:
    """Return the distance to the edge of each chosen street at the points of its box.

    Boxes of about one size are worked out together, padded to the largest.
    """
    found = [_NOTHING] * len(chosen)
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
        # Beyond two streets' ends their corner is as near to both: the one less overshot wins.
        beyond *= beyond * _OVERSHOT
        sideways *= sideways
        beyond += sideways
        np.sqrt(beyond, out=beyond)
        beyond -= halves[group, None, None]
        for place, distance in zip(places.tolist(), beyond, strict=True):
            found[place] = distance[: height[place], : width[place]]
    return found


def _stretch(
    axes: Float32, group: NDArray[np.intp], first: NDArray[np.int64], count: int
) -> Float32:
    """Return ``count`` points of a raster axis from ``first`` on, (n, 2, count); the last again."""
    points = np.minimum(first[:, None] + np.arange(count), axes.shape[2] - 1)
    stretch: Float32 = axes[group[:, None, None], np.arange(2)[:, None], points[:, None]]
    return stretch


def _axes(east: FloatArray, north: FloatArray, along: Float32, start: Float32 | None) -> Float32:
    """Return each segment's forward and sideways part of one raster axis, (n, 2, points)."""
    away_east, away_north = east.ravel().astype(np.float32), north.ravel().astype(np.float32)
    if start is not None:
        away_east, away_north = away_east - start[:, :1], away_north - start[:, 1:]
    x, y = along[:, :1], along[:, 1:]
    parts = np.empty((len(along), 2, east.size), np.float32)
    np.add(away_east * x, away_north * y, out=parts[:, 0])
    np.subtract(away_north * x, away_east * y, out=parts[:, 1])
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
    flat = nearest.ravel()
    table[..., ACROSS] = _FAR_M
    table[..., ALONG] = 0.0
    table[..., TO_END] = 0.0
    table[..., HALF_WIDTH] = 3.0
    found = np.flatnonzero(flat < len(segments))
    if not len(found):
        return
    street = flat[found].astype(np.int32)
    row, column = np.divmod(found.astype(np.int32), np.int32(width))
    by_row, by_column = street * np.int32(2 * height) + row, street * np.int32(2 * width) + column
    forward = rows.take(by_row) + columns.take(by_column)
    sideways = rows.take(by_row + np.int32(height)) + columns.take(by_column + np.int32(width))
    before = np.where(segments.open_start, _NO_JUNCTION_M, np.float32(0.0))
    after = lengths + np.where(segments.open_end, _NO_JUNCTION_M, np.float32(0.0))
    to_end = np.minimum(forward + before.take(street), after.take(street) - forward)
    for field, values in (
        (ACROSS, sideways),
        (ALONG, forward),
        (TO_END, to_end),
        (HALF_WIDTH, segments.half_width.take(street)),
    ):
        table[..., field].reshape(-1)[found] = values


def _smooth_fields(
    table: Float32, place: _Place, sheets: list[Sheet], table_starts: list[tuple[int, int]]
) -> None:
    rows, columns = table.shape[:2]
    a, b = (
        np.broadcast_to(place.a, (rows, columns)),
        np.broadcast_to(place.b[:, None], (rows, columns)),
    )
    if len(sheets) == 1:
        _fill(table.reshape(-1, len(FIELDS)), sheets[0], a, b, table_starts[0])
        return
    flat = table.reshape(-1, len(FIELDS))
    outside = ((a < 0.0) | (a > CELLS) | (b < 0.0) | (b > CELLS)).ravel()
    vectors = vectors_of(place.face, a.ravel()[outside], b.ravel()[outside])
    face = np.full(rows * columns, place.face)
    face[outside] = faces_of(vectors)
    every = np.flatnonzero(outside)
    # Points that no sheet has (far beyond the reach, at a corner) take the first sheet's border.
    face[~np.isin(face, [sheet.face for sheet in sheets])] = sheets[0].face
    for sheet, start in zip(sheets, table_starts, strict=True):
        chosen = np.flatnonzero(face == sheet.face)
        if not len(chosen):
            continue
        here_a, here_b = a.ravel()[chosen], b.ravel()[chosen]
        if sheet.face != place.face:
            here_a, here_b = on_chart(sheet.face, vectors[np.searchsorted(every, chosen)])
        part = np.empty((len(chosen), len(FIELDS)), np.float32)
        _fill(part, sheet, here_a[None], here_b[None], start)
        flat[chosen] = part


def _fill(
    flat: Float32, sheet: Sheet, a: FloatArray, b: FloatArray, start: tuple[int, int]
) -> None:
    """Write lattice coordinates, water and elevation of points on a sheet's own chart."""
    here_a = (a - sheet.i0).astype(np.float32)
    here_b = (b - sheet.j0).astype(np.float32)
    q_a, q_b = undisplaced(sheet, here_a, here_b)
    fine = _refined(np.stack([sheet.water, sheet.elevation], axis=-1))
    flat[:, LATTICE_A] = q_a + np.float32(start[0])
    flat[:, LATTICE_B] = q_b + np.float32(start[1])
    if a.shape[0] <= 8 or a.shape[1] <= 8:
        flat[:, WATER : ELEVATION + 1] = _read(fine, q_a, q_b)
        return
    # Every fourth point and straight lines between: the fields change little over eight metres.
    coarse = q_a.reshape(a.shape)[::4, ::4], q_b.reshape(a.shape)[::4, ::4]
    values = _read(fine, coarse[0].ravel(), coarse[1].ravel()).reshape(*coarse[0].shape, 2)
    half = (2 * coarse[0].shape[0] - 1, 2 * coarse[0].shape[1] - 1)
    for field, number in ((WATER, 0), (ELEVATION, 1)):
        flat[:, field] = doubled(doubled(values[..., number], half), a.shape).ravel()


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
