"""Lots: the plots along streets, each for one house."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sightline.planet.world.blocks import Blocks
from sightline.planet.world.contents import Use, plain
from sightline.planet.world.hashing import KeyArray, child_keys, units
from sightline.planet.world.rows import Rows
from sightline.planet.world.settlements import URBAN_DENSITY
from sightline.planet.world.sheet import Sheet
from sightline.planet.world.streets import Edges

_USE = plain(Use)

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# By use: width of a lot and depth of the house, metres; 0 is the country's own.
_WIDTH_M = np.array([0.0, 0.0, 27.0, 38.0, 44.0, 40.0], np.float32)
_DEPTH_M = np.array([0.0, 0.0, 13.0, 19.0, 22.0, 0.0], np.float32)
_MOST_LOTS = 9


@dataclass(frozen=True)
class Lots(Rows):
    """Plots of land along streets.

    Args:
        foot: (n, 2) metres: the middle of the lot, on the street's middle line.
        along: (n, 2) unit vector along the street.
        inward: (n, 2) unit vector away from the street.
        width: (n,) metres along the street.
        kerb: (n,) half width of the street.
        front: (n,) from the street's middle line to the house.
        depth: (n,) of the house.
        use: (n,) :class:`Use`.
        closed: (n,) bool: wall to wall with the next lots.
        side: (n,) side of the cell, 0 along a, then counter-clockwise.
        middle: (n,) bool: over the middle of the side.
        end: (n,) bool: first or last of its side.
        row: (n,) cell.
        column: (n,).
        style: (n,) rows of the sheet's styles.
        density: (n,).
        key: (n,) uint32.
        replaced_year: (n,) int16: the year in which this house makes way for another one on the
            same lot, which comes as a lot of its own; 0 for neither.
        successor: (n,) bool: it is the other one.
    """

    foot: Float64
    along: Float64
    inward: Float64
    width: Float32
    kerb: Float32
    front: Float32
    depth: Float32
    use: NDArray[np.int8]
    closed: BoolArray
    side: IntArray
    middle: BoolArray
    end: BoolArray
    row: IntArray
    column: IntArray
    style: IntArray
    density: Float32
    key: KeyArray
    replaced_year: NDArray[np.int16]
    successor: BoolArray


@dataclass(frozen=True)
class _Cells:
    """What all lots of a cell share, (m - 1, n - 1)."""

    use: NDArray[np.int8]
    closed: BoolArray
    width: Float32
    depth: Float32
    setback: Float32
    kept: BoolArray  # (4, m - 1, n - 1), by side
    half: Float32


def lots_of(sheet: Sheet, edges: tuple[Edges, Edges], blocks: Blocks, near: BoolArray) -> Lots:
    """Divide the sides of cells (those ``near``) with houses into lots; empty ones are left out."""
    cells = _cells(sheet, edges, blocks)
    side, row, column = np.nonzero(cells.kept & near & (cells.use >= 0) & (cells.use <= _USE.FARM))
    corner = np.stack(
        [
            sheet.metres[:-1, :-1],
            sheet.metres[1:, :-1],
            sheet.metres[1:, 1:],
            sheet.metres[:-1, 1:],
        ]
    )
    start, end = corner[side, row, column], corner[(side + 1) & 3, row, column]
    delta = end - start
    length = np.sqrt(delta[:, 0] * delta[:, 0] + delta[:, 1] * delta[:, 1])
    along = delta / length[:, None]
    before, after = _insets(cells, side, row, column, corner, along)
    free = length - before - after
    use, width = cells.use[row, column], cells.width[row, column]
    count = np.floor(free / width).astype(np.int64)
    count = np.where((count < 1) & (free > width * np.float32(0.6)), 1, count)
    count = np.clip(count, 0, np.where(use == _USE.FARM, 1, _MOST_LOTS))
    face = np.repeat(np.arange(len(row)), count)
    slot = np.arange(len(face)) - np.repeat(np.cumsum(count) - count, count)
    each = np.minimum(free / np.maximum(count, 1), width * np.float32(1.45))[face]
    return _built(
        sheet,
        cells,
        blocks,
        (side, row, column),
        face,
        slot,
        count,
        each,
        before,
        free,
        start,
        along,
        length,
    )


def _built(
    sheet: Sheet,
    cells: _Cells,
    blocks: Blocks,
    sides: tuple[IntArray, IntArray, IntArray],
    face: IntArray,
    slot: IntArray,
    count: IntArray,
    each: Float64,
    before: Float64,
    free: Float64,
    start: Float64,
    along: Float64,
    lengths: Float64,
) -> Lots:
    side, row, column = (part[face] for part in sides)
    use, closed = cells.use[row, column], cells.closed[row, column]
    key = child_keys(sheet.key[row, column], side * 16 + slot + 200)
    middle = (slot - (count[face] - 1) * 0.5) * each
    place = before[face] + free[face] * np.float32(0.5) + middle
    ahead = along[face]
    inward = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)
    kerb = cells.half[side, row, column]
    front = kerb + cells.setback[row, column]
    loose = (use == _USE.DETACHED) | (use == _USE.FARM)
    front = front + np.where(loose, units(key, 30) * np.float32(2.5), np.float32(0.0))
    lots = Lots(
        start[face] + ahead * place[:, None],
        ahead,
        inward,
        each.astype(np.float32),
        kerb,
        front,
        cells.depth[row, column] * np.where(closed, np.float32(1.0), 0.82 + 0.3 * units(key, 31)),
        use,
        closed,
        side,
        np.abs(
            before[face] + free[face] * np.float32(0.5) + middle - lengths[face] * np.float32(0.5)
        )
        < each * np.float32(0.5) + np.float32(0.5),
        (slot == 0) | (slot == count[face] - 1),
        row,
        column,
        sheet.style[row, column],
        sheet.density[row, column],
        key,
        np.zeros(len(key), np.int16),
        np.zeros(len(key), bool),
    )
    return _with_successors(lots.rows(np.flatnonzero(_occupied(lots, blocks))))


def _with_successors(lots: Lots) -> Lots:
    """Give one lot in forty a second house, which takes the first one's place in some year."""
    chance = units(lots.key, 33)
    replaced = np.flatnonzero(chance < np.float32(0.025))
    year = (2004 + np.floor(chance * np.float32(1200.0))).astype(np.int16)
    year = np.where(chance < np.float32(0.025), year, np.int16(0)).astype(np.int16)
    first = replace(lots, replaced_year=year)
    second = replace(
        first.rows(replaced),
        key=child_keys(lots.key[replaced], 1),
        successor=np.ones(len(replaced), bool),
    )
    return Lots.join([first, second])


def _occupied(lots: Lots, blocks: Blocks) -> BoolArray:
    chance = units(lots.key, 32)
    empty = np.array([0.10, 0.035, 0.06, 0.15, 0.15, 0.45], np.float32)[lots.use]
    taken = chance > empty
    taken &= (lots.density > URBAN_DENSITY) | (lots.use == _USE.FARM)
    return taken & ~_in_lane(lots, blocks)


def _in_lane(lots: Lots, blocks: Blocks) -> BoolArray:
    """A lane into the block takes the lot over the middle of its side."""
    lane = blocks.path[lots.row, lots.column]
    side = np.where(lane == 3, 0, np.where(lane == 4, 3, -1))
    result: BoolArray = (
        (lots.side == side) & lots.middle & (lots.closed | (lots.use == _USE.DETACHED))
    )
    return result


def _cells(sheet: Sheet, edges: tuple[Edges, Edges], blocks: Blocks) -> _Cells:
    inner = (slice(0, -1), slice(0, -1))
    kept_a, kept_b = edges[0].kept, edges[1].kept
    half_a, half_b = edges[0].half_width, edges[1].half_width
    use = blocks.use[inner]
    chance, district = blocks.chance[inner], blocks.district[inner]

    def style(name: str) -> Float32:
        return sheet.column(name)[inner]

    scale = np.float32(0.85) + np.float32(0.4) * district
    plot, deep = style("plot_width_m") * scale, style("house_depth_m")
    kind = np.clip(use, 0, _USE.FARM)
    width = np.where(kind == _USE.DETACHED, plot, _WIDTH_M[kind])
    width = np.where(kind == _USE.ROW, np.float32(2.5) + plot * np.float32(0.34), width)
    depth = np.where(_DEPTH_M[kind] == 0.0, deep, _DEPTH_M[kind])
    setback = style("setback_m") * (np.float32(0.7) + np.float32(0.6) * district)
    pavement = style("pavement_width_m") + np.float32(0.35)
    narrow = np.where(style("row_houses") > 0.5, np.float32(0.3), setback * np.float32(0.5))
    behind = np.select(
        [kind == _USE.DETACHED, kind == _USE.ROW, kind == _USE.WAREHOUSE, kind == _USE.FARM],
        [np.float32(1.0) + setback, narrow, np.float32(6.0), np.float32(9.0)],
        np.float32(1.5),
    )
    court = (kind == _USE.APARTMENT) & (style("courtyards") + district > np.float32(0.75))
    closed = (kind == _USE.ROW) | court
    behind = np.where(court, np.float32(0.3) + (chance > 0.8) * np.float32(2.0), behind)
    return _Cells(
        use,
        closed,
        width.astype(np.float32),
        depth.astype(np.float32),
        (pavement + behind).astype(np.float32),
        np.stack([kept_a[:-1, :-1], kept_b[1:, :-1], kept_a[:-1, 1:], kept_b[:-1, :-1]]),
        np.stack([half_a[:-1, :-1], half_b[1:, :-1], half_a[:-1, 1:], half_b[:-1, :-1]]),
    )


def _insets(
    cells: _Cells, side: IntArray, row: IntArray, column: IntArray, corner: Float64, along: Float64
) -> tuple[Float64, Float64]:
    """Return how much of a side its two corners take: the crossing street, and houses on it.

    Rows along a run to the corners; those along b fit between them.
    """
    insets = []
    back = cells.half[side, row, column] + cells.setback[row, column] + cells.depth[row, column]
    for other, near, far, sign in (
        ((side + 3) & 3, side, (side + 3) & 3, 1),
        ((side + 1) & 3, (side + 1) & 3, (side + 2) & 3, -1),
    ):
        toward = corner[far, row, column] - corner[near, row, column]
        length = np.sqrt(toward[:, 0] * toward[:, 0] + toward[:, 1] * toward[:, 1])
        cosine = (
            np.float32(sign) * (toward[:, 0] * along[:, 0] + toward[:, 1] * along[:, 1]) / length
        )
        sine = np.maximum(np.sqrt(np.maximum(1 - cosine * cosine, 0)), np.float32(0.4))
        street = cells.kept[other, row, column]
        inset = np.where(street, cells.half[other, row, column], np.float32(0.0))
        inset = inset + np.where(street, cells.setback[row, column], np.float32(1.5))
        behind = street & ((side & 1) == 1)
        gap = np.where(cells.closed[row, column], np.float32(0.0), np.float32(4.0))
        inset = inset + np.where(behind, cells.depth[row, column] + gap, np.float32(0.0))
        inset = (inset + np.where(street, np.maximum(cosine, 0) * back, 0)) / sine
        insets.append(inset)
    return insets[0], insets[1]
