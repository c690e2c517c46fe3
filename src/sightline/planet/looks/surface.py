"""The colour of the ground at any point: what both renderers lay under their objects.

Points may be scattered (a photo's pixels, footprints growing with distance) or a grid (an aerial
image's). Everything is placed by the lattice's coordinates or by a road's own, so the ground does
not depend on the window it is seen through, and everything fine fades or is averaged by the
footprint, so it does not flicker with distance.

Layers, from below: materials of plots, what is drawn in them (`grounds`), snow, water and its
banks, pavements, roads (`road_surface`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.planet.looks import coverage, grounds, noise, road_surface
from sightline.planet.looks.field_reading import fields_at
from sightline.planet.looks.moment import Moment
from sightline.planet.looks.palette import SNOW
from sightline.planet.looks.plots import PLOTS, PlotTable, plot_table
from sightline.planet.world.ground_raster import LATTICE_A, LATTICE_B, WATER

if TYPE_CHECKING:
    from sightline.planet.world.neighbourhood import Neighbourhood

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

COARSE_TEXELS = 128.0  # per cell: half a metre
_FINER = ((0.30, 512.0), (0.08, 1024.0))  # below this footprint, this many texels per cell
_WOBBLE = np.float32(0.018)  # cells by which the border of two materials wanders
_BANK_M = 3.5


def colour(
    neighbourhood: Neighbourhood,
    east: Floats,
    north: Floats,
    footprint_m: Floats | float,
    moment: Moment,
    *,
    fields: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Return the ground's colour at points, before light.

    Args:
        neighbourhood: What lies there.
        east: float32 (n,), metres east of its origin.
        north: float32 (n,), metres north of it.
        footprint_m: Width of the ground that a pixel sees: one number, or float32 (n,).
        moment: Season, snow and wetness.
        fields: float32 (FIELDS, n) of the points, if they are already known.

    Returns:
        Colours, float32 (n, 3): a view of planes (3, n), which ``.T`` gives back contiguous. And
        the fields, float32 (FIELDS, n).
    """
    if fields is None:
        fields = fields_at(neighbourhood, east, north)
    footprint: Floats | np.float32
    if isinstance(footprint_m, np.ndarray):
        footprint = np.maximum(footprint_m, np.float32(0.01))
    else:
        footprint = np.float32(max(footprint_m, 0.01))
    table = plot_table(neighbourhood, moment)
    spot = Spot(neighbourhood, fields, footprint, table)
    planes = _materials(spot)
    grounds.draw(planes, spot)
    if moment.snow > 0.02:
        _snow(planes, spot, moment)
    _water(planes, spot)
    road_surface.draw(planes, spot, neighbourhood, moment)
    return planes.T, fields


class Spot:
    """The points of one call, with what every layer asks about them.

    Attributes:
        fields: float32 (FIELDS, n).
        footprint: float32 scalar or (n,).
        a: float32 (n,), lattice coordinate that noise may be looked up with.
        b: The same along the other axis.
        start: What is added to the fields' lattice coordinates to count cells modulo 64, as other
            windows, and windows on other faces, count them.
        grain: float32 (n,), fine noise in about [-1, 1], faded by the footprint.
        blotch: float32 (n,), smooth noise of 4 to 32 m.
        plot: intp (n,), index into the plot table.
        table: The plot table.
    """

    def __init__(
        self,
        neighbourhood: Neighbourhood,
        fields: Floats,
        footprint: Floats | np.float32,
        table: PlotTable,
    ) -> None:
        self.fields, self.footprint, self.table = fields, footprint, table
        cells = neighbourhood.cells
        self.start = np.float32(cells.i0 & 63), np.float32(cells.j0 & 63)
        # Noise repeats after four cells: whole windows may differ by multiples of that only.
        self.a = fields[LATTICE_A] + np.float32(cells.i0 & 3)
        self.b = fields[LATTICE_B] + np.float32(cells.j0 & 3)
        coarse = noise.index(self.a, self.b, COARSE_TEXELS)
        self.blotch = noise.medium().take(coarse)
        self.grain = self._grain(coarse)
        wobble = self.blotch * _WOBBLE
        rows, columns = table.shape
        first = (fields[LATTICE_A] + wobble) * np.float32(PLOTS)
        second = (fields[LATTICE_B] - wobble) * np.float32(PLOTS)
        np.clip(first, 0, rows - 1, out=first)
        np.clip(second, 0, columns - 1, out=second)
        plot = first.astype(np.intp)
        plot *= columns
        plot += second.astype(np.intp)
        self.plot = plot

    def _grain(self, coarse: Indices) -> Floats:
        tile, footprint = noise.fine(), self.footprint
        if not isinstance(footprint, np.ndarray):
            scale = COARSE_TEXELS
            for below, texels in _FINER:
                scale = texels if footprint < below else scale
            index = coarse if scale == COARSE_TEXELS else noise.index(self.a, self.b, scale)
            grain = tile.take(index)
            if footprint > 0.5:
                grain *= np.float32(0.5) / footprint
            return grain
        grain = tile.take(coarse)
        for below, texels in _FINER:
            near = np.flatnonzero(footprint < np.float32(below))
            if near.size:
                index = noise.index(self.a.take(near), self.b.take(near), texels)
                grain[near] = tile.take(index)
        grain *= np.minimum(np.float32(1), np.float32(0.5) / footprint)
        return grain

    def at(self, chosen: Indices) -> Floats | np.float32:
        """Return the footprint of chosen points."""
        if isinstance(self.footprint, np.ndarray):
            return self.footprint.take(chosen)
        return self.footprint


def _materials(spot: Spot) -> Floats:
    """Return planes (3, n) of the plots' colours with their grain and blotches."""
    table, plot = spot.table, spot.plot
    texture = table.grid.grain.take(plot)
    texture *= spot.grain
    texture += np.float32(1)
    blotches = table.grid.blotch.take(plot)
    blotches *= spot.blotch
    planes = np.empty((3, plot.size), dtype=np.float32)
    for channel in range(3):
        plane = planes[channel]
        table.colour[channel].take(plot, out=plane)
        # Blotches of dry and lush ground differ in hue, not only in lightness.
        plane *= texture + blotches * np.float32((1.0, 0.72, 0.85)[channel])
    return planes


def _snow(planes: Floats, spot: Spot, moment: Moment) -> None:
    """Lay snow on everything that is drawn so far: patches while there is little."""
    thin = 1.0 - moment.snow
    cover = spot.blotch * np.float32(1.1 * thin)
    cover += spot.grain * np.float32(0.35 * thin)
    cover += np.float32(1.55 * moment.snow - 0.3)
    np.clip(cover, 0, 0.96, out=cover)
    cover *= spot.table.grid.snow.take(spot.plot)
    dimple = spot.grain * np.float32(0.03)
    dimple += spot.blotch * np.float32(0.02)
    for channel in range(3):
        plane = planes[channel]
        plane += ((dimple + SNOW[channel]) - plane) * cover


def _water(planes: Floats, spot: Spot) -> None:
    """Draw water with a bank of reeds, sand or stone."""
    near = np.flatnonzero(spot.fields[WATER] < np.float32(_BANK_M))
    if not near.size:
        return
    table = spot.table
    depth = -spot.fields[WATER].take(near)
    grain, blotch, plot = spot.grain.take(near), spot.blotch.take(near), spot.plot.take(near)
    wet = coverage.inside(depth, spot.at(near))
    wobbling = depth + np.float32(_BANK_M - 0.7) + blotch * np.float32(0.7)
    bank = np.clip(wobbling * np.float32(0.8), 0, np.float32(0.92))
    deep = np.clip(depth * np.float32(0.09), 0, 1)
    tone = np.float32(1) + grain * np.float32(0.07) + blotch * np.float32(0.06)
    for channel in range(3):
        plane = planes[channel].take(near)
        plane += (table.bank[channel].take(plot) * (1 + grain * np.float32(0.2)) - plane) * bank
        water = table.water[channel].take(plot) * tone
        shallow = np.float32((0.10, 0.09, 0.05)[channel])
        water += shallow * (np.float32(1) - deep)
        plane += (water - plane) * wet
        planes[channel][near] = plane
