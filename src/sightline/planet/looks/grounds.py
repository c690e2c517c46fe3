"""What is drawn into plots: furrows, parking bays, park paths, courts, paving and flower beds.

Each drawing works only on the points of its own material, in lattice coordinates, softened by the
footprint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.planet.looks import coverage
from sightline.planet.world.contents import Material
from sightline.planet.world.ground_raster import LATTICE_A, LATTICE_B

if TYPE_CHECKING:
    from sightline.planet.looks.surface import Spot

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

CELL_M = np.float32(64.0)
_PAINT = (0.80, 0.80, 0.80)
_COURTS = np.array(
    [(0.62, 0.36, 0.27), (0.27, 0.42, 0.36), (0.31, 0.38, 0.52), (0.45, 0.52, 0.36)], np.float32
).T.copy()


def draw(planes: Floats, spot: Spot) -> None:
    """Draw what lies in the plots into ``planes`` (3, n)."""
    present = spot.table.grid.present
    drawn = [each for each in _DRAWINGS if each in present]
    if not drawn:
        return
    material = spot.table.grid.material.take(spot.plot)
    for each in drawn:
        here = np.flatnonzero(material == each)
        if here.size:
            _DRAWINGS[each](planes, spot, here)


def _coordinates(spot: Spot, here: Indices) -> tuple[Floats, Floats]:
    """Return the place within the cell, in metres along both lattice axes."""
    first = spot.fields[LATTICE_A].take(here)
    second = spot.fields[LATTICE_B].take(here)
    first -= np.floor(first)
    second -= np.floor(second)
    first *= CELL_M
    second *= CELL_M
    return first, second


def _blend(
    planes: Floats, here: Indices, share: Floats, colour: tuple[float, float, float] | Floats
) -> None:
    """Move points by a share each towards one colour, or each to its own of planes (3, n)."""
    touched = np.flatnonzero(share > 0)
    if touched.size < share.size:
        here, share = here.take(touched), share.take(touched)
        if isinstance(colour, np.ndarray):
            colour = colour.take(touched, axis=1)
    for channel in range(3):
        plane = planes[channel].take(here)
        plane += (colour[channel] - plane) * share
        planes[channel][here] = plane


def _scale(planes: Floats, here: Indices, factor: Floats) -> None:
    for channel in range(3):
        planes[channel][here] *= factor


def _field(planes: Floats, spot: Spot, here: Indices) -> None:
    """Draw furrows a few metres apart and the tracks of machines, along one lattice axis."""
    grid = spot.table.grid
    plot = spot.plot.take(here)
    footprint = spot.at(here)
    parcel = grid.parcel.take(plot)
    turned = parcel * np.float32(7)
    turned -= np.floor(turned)
    a = spot.fields[LATTICE_A].take(here) + spot.start[0]
    b = spot.fields[LATTICE_B].take(here) + spot.start[1]
    across = np.where(turned < np.float32(0.5), a, b)
    across *= CELL_M
    across += spot.blotch.take(here) * np.float32(0.25)
    strength = _FURROWS.take(grid.variant.take(plot))
    rows = across * np.float32(1 / _FURROW_M)
    rows -= np.floor(rows)
    rows -= np.float32(0.5)
    np.abs(rows, out=rows)
    rows -= np.float32(0.25)
    rows *= strength * coverage.fade(_FURROW_M, footprint)
    tracks = across - np.rint(across * np.float32(1 / _TRACKS_M)) * np.float32(_TRACKS_M)
    np.abs(tracks, out=tracks)
    tracks -= np.float32(0.9)
    ruts = coverage.line(tracks, 0.45, footprint)
    ruts *= np.float32(0.18)
    rows -= ruts
    rows += np.float32(1)
    _scale(planes, here, rows)


# Whole numbers of both to 64 cells, after which windows may count anew: 2.6 and 21 metres.
_FURROW_M, _TRACKS_M = 4096 / 1575, 4096 / 195
_FURROWS = np.array([0.06, 0.14, 0.42, 0.24, 0.20, 0.55], dtype=np.float32)


def _parking(planes: Floats, spot: Spot, here: Indices) -> None:
    """Draw the bays of the rows in which `vehicles` parks, aisles between."""
    footprint = spot.at(here)
    a, b = _coordinates(spot, here)
    along = a - np.float32(_BAYS_FROM_M)
    inside = coverage.inside(
        np.minimum(along, np.float32(_BAY_M * _BAYS) - along) + np.float32(0.1), footprint
    )
    from_row = np.abs(b - np.float32(_ROWS_M[0]))
    for row in _ROWS_M[1:]:
        np.minimum(from_row, np.abs(b - np.float32(row)), out=from_row)
    inside *= coverage.inside(np.float32(2.6) - from_row, footprint)
    step = np.float32(_BAY_M)
    along -= np.rint(along / step) * step
    lines = coverage.line(along, 0.12, footprint)
    lines *= inside
    lines *= np.clip(np.float32(0.85) + np.float32(0.25) * spot.blotch.take(here), 0, 0.95)
    _blend(planes, here, lines, _PAINT)


_ROWS_M = (12.8, 23.04, 40.96, 51.2)
_BAYS_FROM_M = 10.24
_BAY_M = 2.72
_BAYS = 16


def _park(planes: Floats, spot: Spot, here: Indices) -> None:
    """Mow stripes into the lawns of some parks, and lay a court or a playground into others."""
    a, b = _coordinates(spot, here)
    parcel = spot.table.grid.parcel.take(spot.plot.take(here))
    mown = np.flatnonzero(parcel > np.float32(0.55))
    if mown.size:
        stripes = coverage.dashes(a.take(mown) + b.take(mown), 3.0, 6.0, spot.at(here.take(mown)))
        stripes *= np.float32(0.07)
        stripes += np.float32(0.97)
        _scale(planes, here.take(mown), stripes)
    sporty = np.flatnonzero(parcel < np.float32(0.3))
    if sporty.size:
        _court(planes, spot, here.take(sporty), a.take(sporty), b.take(sporty))


def _court(planes: Floats, spot: Spot, here: Indices, a: Floats, b: Floats) -> None:
    """Draw a court of 15 by 26 metres beside the paths, with its lines and its key areas."""
    footprint = spot.at(here)
    u, v = a - np.float32(46.5), b - np.float32(12.5)
    np.abs(u, out=u)
    np.abs(v, out=v)
    inside = np.minimum(np.float32(14.5) - u, np.float32(9.0) - v)
    near = np.flatnonzero(inside > np.float32(-1.0))
    if not near.size:
        return
    here, u, v, inside = here.take(near), u.take(near), v.take(near), inside.take(near)
    if isinstance(footprint, np.ndarray):
        footprint = footprint.take(near)
    parcel = spot.table.grid.parcel.take(spot.plot.take(here))
    code = (parcel * np.float32(4096)).astype(np.intp) % len(_COURTS)
    _blend(planes, here, coverage.inside(inside, footprint), _COURTS.take(code, axis=1))
    outline = np.minimum(np.float32(13.0) - u, np.float32(7.5) - v)
    lines = coverage.line(outline, 0.12, footprint)
    within = coverage.inside(outline, footprint)
    middle = coverage.line(u, 0.12, footprint)
    circle = coverage.line(np.hypot(u, v) - np.float32(1.8), 0.12, footprint)
    key = coverage.line(np.maximum(np.float32(7.2) - u, v - np.float32(2.4)), 0.12, footprint)
    for mark in (middle, circle, key):
        mark *= within
        np.maximum(lines, mark, out=lines)
    _blend(planes, here, lines * np.float32(0.85), _PAINT)


def _plaza(planes: Floats, spot: Spot, here: Indices) -> None:
    """Draw a paving of large slabs, every fourth row of another stone."""
    footprint = spot.at(here)
    a, b = _coordinates(spot, here)
    bands = coverage.dashes(a, 1.0, 8.0, footprint)
    np.maximum(bands, coverage.dashes(b, 1.0, 8.0, footprint), out=bands)
    joints = _joints(a, b, np.float32(1.0), footprint)
    factor = np.float32(1) - bands * np.float32(0.13)
    factor -= joints * np.float32(0.16)
    _scale(planes, here, factor)


def _paved(planes: Floats, spot: Spot, here: Indices) -> None:
    """Draw the joints of concrete slabs, four metres a side."""
    footprint = spot.at(here)
    a, b = _coordinates(spot, here)
    joints = _joints(a, b, np.float32(4.0), footprint)
    joints *= np.float32(-0.14)
    joints += np.float32(1)
    _scale(planes, here, joints)


def _garden(planes: Floats, spot: Spot, here: Indices) -> None:
    """Draw beds: rows of plants between paths a few steps apart, in the plots that have them."""
    footprint = spot.at(here)
    a, b = _coordinates(spot, here)
    chance = spot.table.grid.chance.take(spot.plot.take(here))
    along = np.where(chance * np.float32(17) % np.float32(1) < np.float32(0.5), a, b)
    beds = coverage.dashes(along, 1.3, 2.0, footprint)
    digging = np.clip(chance * np.float32(4) - np.float32(1.6), 0, 1)
    beds *= digging * np.float32(0.45)
    climate = spot.table.grid.climate.take(spot.plot.take(here))
    soil = spot.table.palette.soil * np.float32(0.7)
    _blend(planes, here, beds, np.ascontiguousarray(soil.T).take(climate, axis=1))


def _joints(
    first: Floats, second: Floats, period: np.float32, footprint: Floats | np.float32
) -> Floats:
    """Return the share of joints, two centimetres wide, between square slabs."""
    share: Floats | None = None
    for place in (first, second):
        off = place - np.rint(place / period) * period
        part = coverage.line(off, 0.03, footprint)
        share = part if share is None else np.maximum(share, part)
    assert share is not None  # noqa: S101 - both axes were drawn
    return share


_DRAWINGS = {
    int(Material.FIELD): _field,
    int(Material.PARKING): _parking,
    int(Material.PARK): _park,
    int(Material.PLAZA): _plaza,
    int(Material.PAVED): _paved,
    int(Material.GARDEN): _garden,
}
