"""Roads and pavements: asphalt with its wear, lines by country, crossings, kerbs, slabs, verges.

A point knows its road from the raster: how far it is from the edge, where it lies across and along,
and how far the junction is. All marks are thresholds on these, softened by the footprint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.planet.looks import coverage
from sightline.planet.looks.moment import Moment
from sightline.planet.looks.palette import SNOW
from sightline.planet.world.countries import CountryStyle, Crosswalk
from sightline.planet.world.ground_raster import ACROSS, ALONG, HALF_WIDTH, ROAD_EDGE, TO_END

if TYPE_CHECKING:
    from sightline.planet.looks.surface import Spot
    from sightline.planet.world.neighbourhood import Neighbourhood

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

URBAN = 0.15
"""The density from which streets have pavements and crossings."""

DIRT_HALF_WIDTH_M = 2.45
"""Narrower roads are not sealed."""

_LINE_M = 0.14
_VERGE_M = 1.6
_WHITE = (0.86, 0.86, 0.84)
_YELLOW = (0.83, 0.64, 0.17)


def draw(planes: Floats, spot: Spot, neighbourhood: Neighbourhood, moment: Moment) -> None:
    """Draw everything that belongs to streets into ``planes`` (3, n)."""
    _beside(planes, spot, neighbourhood, moment)
    styles, grid = neighbourhood.styles, spot.table.grid
    half = spot.footprint * np.float32(0.5)
    road = np.flatnonzero(spot.fields[ROAD_EDGE] < half)
    for number, style in enumerate(styles):
        here = road
        if len(styles) > 1:
            here = road[np.flatnonzero(grid.style.take(spot.plot.take(road)) == number)]
        if here.size:
            _Carriageway(spot, here, style, moment).draw(planes)


def _beside(planes: Floats, spot: Spot, neighbourhood: Neighbourhood, moment: Moment) -> None:
    """Draw pavements in town and verges in the country, up to the road's soft edge."""
    styles, grid = neighbourhood.styles, spot.table.grid
    widest = max(_VERGE_M, *(each.pavement_width_m for each in styles))
    edge = spot.fields[ROAD_EDGE]
    beside = edge < np.float32(widest + 0.5)
    beside &= edge > spot.footprint * np.float32(-0.5)
    near = np.flatnonzero(beside)
    near = near[np.flatnonzero(spot.fields[HALF_WIDTH].take(near) > np.float32(DIRT_HALF_WIDTH_M))]
    if not near.size:
        return
    plot = spot.plot.take(near)
    urban = grid.density.take(plot) > np.float32(URBAN)
    _verge(planes, spot, near[np.flatnonzero(~urban)])
    for number, style in enumerate(styles):
        own = urban if len(styles) == 1 else urban & (grid.style.take(plot) == number)
        _pavement(planes, spot, near[np.flatnonzero(own)], style, moment)


def _pavement(
    planes: Floats, spot: Spot, here: Indices, style: CountryStyle, moment: Moment
) -> None:
    """Draw slabs from the road's edge to the pavement's, and the kerb."""
    if not here.size:
        return
    footprint = spot.at(here)
    edge = spot.fields[ROAD_EDGE].take(here)
    share = coverage.inside(np.float32(style.pavement_width_m) - edge, footprint)
    kerb = coverage.line(edge - np.float32(0.15), 0.30, footprint)
    tone = spot.grain.take(here) * np.float32(0.06)
    tone += spot.blotch.take(here) * np.float32(0.06)
    tone += np.float32(1.0 - 0.20 * moment.wetness)
    finest = footprint if not isinstance(footprint, np.ndarray) else footprint.min()
    if finest < 0.4:
        tone -= _slabs(spot, here, edge, footprint) * np.float32(0.22)
    snow = np.float32(0.62 * moment.snow)
    for channel in range(3):
        slab = tone * np.float32(style.pavement[channel])
        slab += (np.float32(style.kerb[channel]) - slab) * kerb
        if moment.snow > 0:
            slab += (SNOW[channel] - slab) * snow
        plane = planes[channel].take(here)
        plane += (slab - plane) * share
        planes[channel][here] = plane


def _slabs(spot: Spot, here: Indices, edge: Floats, footprint: Floats | np.float32) -> Floats:
    """Return the share of joints between slabs of 0.9 by 0.6 metres."""
    joints: Floats | None = None
    for place, period in ((spot.fields[ALONG].take(here), 0.9), (edge, 0.6)):
        step = np.float32(period)
        off = place - np.rint(place / step) * step
        part = coverage.line(off, 0.025, footprint)
        joints = part if joints is None else np.maximum(joints, part)
    assert joints is not None  # noqa: S101 - both directions were drawn
    return joints


def _verge(planes: Floats, spot: Spot, here: Indices) -> None:
    """Draw the bare strip between a country road and what grows beside it."""
    if not here.size:
        return
    edge = spot.fields[ROAD_EDGE].take(here)
    edge += spot.blotch.take(here) * np.float32(0.45)
    share = np.clip((np.float32(_VERGE_M) - edge) * np.float32(0.5), 0, np.float32(0.75))
    soil = spot.table.palette.soil.take(spot.table.grid.climate.take(spot.plot.take(here)), axis=0)
    tone = np.float32(0.95) + spot.grain.take(here) * np.float32(0.12)
    white = np.float32(0.8 * spot.table.palette.moment.snow)
    for channel in range(3):
        bare = soil[:, channel] * tone
        bare += (SNOW[channel] - bare) * white
        plane = planes[channel].take(here)
        plane += (bare - plane) * share
        planes[channel][here] = plane


class _Carriageway:
    """The points on and just beside the roads of one style."""

    def __init__(self, spot: Spot, here: Indices, style: CountryStyle, moment: Moment) -> None:
        self._spot, self._here, self._style, self._moment = spot, here, style, moment
        self._footprint = spot.at(here)
        self._edge = spot.fields[ROAD_EDGE].take(here)
        self._across = spot.fields[ACROSS].take(here)
        self._along = spot.fields[ALONG].take(here)
        self._to_end = spot.fields[TO_END].take(here)
        self._half = spot.fields[HALF_WIDTH].take(here)
        self._beside = np.abs(self._across)
        self._sealed = np.clip((self._half - np.float32(DIRT_HALF_WIDTH_M)) * np.float32(8), 0, 1)

    def draw(self, planes: Floats) -> None:
        """Blend the carriageway over the ground, edges by coverage."""
        share = coverage.inside(-self._edge, self._footprint)
        tone = self._tone()
        colours = self._bed(tone)
        for mark, colour in self._marks():
            for channel in range(3):
                plane = colours[channel]
                plane += (np.float32(colour[channel]) - plane) * mark
        for channel in range(3):
            plane = planes[channel].take(self._here)
            plane += (colours[channel] - plane) * share
            planes[channel][self._here] = plane

    def _tone(self) -> Floats:
        """Return the lightness of the asphalt: grain, blotches, wheel tracks, repairs, gutters."""
        grain, blotch = self._spot.grain.take(self._here), self._spot.blotch.take(self._here)
        tracks = self._beside - self._half * np.float32(0.5)
        np.abs(tracks, out=tracks)
        tracks -= np.float32(0.75)
        np.abs(tracks, out=tracks)
        tracks *= np.float32(-1.8)
        tracks += np.float32(1)
        np.maximum(tracks, 0, out=tracks)
        tone = blotch * np.float32(0.09)
        tone += grain * np.float32(0.07)
        tone -= tracks * np.float32(0.07)
        repaired = np.clip((blotch - np.float32(0.42)) * np.float32(14), 0, 1)
        tone -= repaired * np.float32(0.09)
        gutter = np.clip((self._edge + np.float32(0.45)) * np.float32(3), 0, 1)
        tone -= gutter * np.float32(0.09)
        tone += np.float32(1)
        wetness = self._moment.wetness
        if wetness > 0:
            puddle = np.clip((blotch - np.float32(0.15)) * np.float32(5), 0, 1)
            tone *= np.float32(1 - 0.30 * wetness) - puddle * np.float32(0.16 * wetness)
        return tone

    def _bed(self, tone: Floats) -> Floats:
        """Return planes (3, m) of asphalt or, on unsealed roads, of earth with a grassy middle."""
        style, moment, spot = self._style, self._moment, self._spot
        warmth = 0.03 * style.asphalt_warmth
        colours = np.empty((3, self._here.size), dtype=np.float32)
        for channel, shift in enumerate((warmth, 0.0, -warmth)):
            np.multiply(tone, np.float32(style.asphalt * (1.0 + shift)), out=colours[channel])
        dirt = np.flatnonzero(self._sealed < 1)
        if dirt.size:
            plot = spot.plot.take(self._here[dirt])
            climate = spot.table.grid.climate.take(plot)
            town = np.clip((spot.table.grid.density.take(plot) - URBAN) * np.float32(20), 0, 1)
            earth = spot.table.palette.soil.take(climate, axis=0)
            grass = spot.table.palette.grass.take(climate, axis=0)
            middle = np.clip(np.float32(0.9) - self._beside.take(dirt) * np.float32(1.6), 0, 0.7)
            middle *= np.float32(1) - town
            town *= np.float32(0.55)
            for channel in range(3):
                bed = earth[:, channel] * np.float32(1.05)
                # In town, paths and lanes are gravel.
                bed += (np.float32(style.pavement[channel]) - bed) * town
                bed += (grass[:, channel] - bed) * middle
                bed *= tone.take(dirt)
                bed += (colours[channel].take(dirt) - bed) * self._sealed.take(dirt)
                colours[channel][dirt] = bed
        if moment.snow > 0.02:
            # Wheels clear their tracks first.
            slush = np.clip((tone - np.float32(0.90)) * np.float32(3), 0.12, 0.75)
            slush *= np.float32(moment.snow)
            for channel in range(3):
                colours[channel] += (SNOW[channel] * np.float32(0.86) - colours[channel]) * slush
        return colours

    def _marks(self) -> list[tuple[Floats, tuple[float, float, float]]]:
        """Return every paint on the road as shares (m,) and a colour."""
        style = self._style
        worn = np.float32(0.82) + np.float32(0.30) * self._spot.blotch.take(self._here)
        worn *= self._sealed
        worn *= np.float32(1.0 - 0.75 * self._moment.snow)
        np.clip(worn, 0, np.float32(0.93), out=worn)
        clear = np.clip(self._to_end - self._half * np.float32(1.25) - np.float32(4.9), 0, 1)
        open_road = clear * worn
        centre = self._centre_lines()
        centre *= open_road
        yellow = _YELLOW if style.centre_line_yellow else _WHITE
        marks: list[tuple[Floats, tuple[float, float, float]]] = [(centre, yellow)]
        white = self._crossing()
        if style.edge_line:
            wide = np.clip((self._half - np.float32(3.2)) * np.float32(4), 0, 1)
            edge_line = coverage.line(
                self._beside - self._half + np.float32(0.40), _LINE_M, self._footprint
            )
            edge_line *= wide * clear
            np.maximum(white, edge_line, out=white)
        white *= worn
        marks.append((white, _WHITE))
        return marks

    def _centre_lines(self) -> Floats:
        """Return the middle line: dashed or solid, doubled and with lanes on wide roads."""
        style, footprint = self._style, self._footprint
        line = coverage.line(self._across, _LINE_M, footprint)
        if style.centre_dash_m > 0:
            dash = style.centre_dash_m
            line *= coverage.dashes(self._along, dash, dash + style.centre_gap_m, footprint)
        wide = np.flatnonzero(self._half > np.float32(5.2))
        if wide.size:
            beside, half = self._beside.take(wide), self._half.take(wide)
            at = footprint.take(wide) if isinstance(footprint, np.ndarray) else footprint
            double = coverage.line(beside - np.float32(0.18), _LINE_M, at)
            lanes = coverage.line(beside - half * np.float32(0.5), _LINE_M, at)
            lanes *= coverage.dashes(self._along.take(wide), 3.0, 9.0, at)
            line[wide] = np.maximum(double, lanes)
        return line

    def _crossing(self) -> Floats:
        """Return the crosswalk and the stop line before a junction in town."""
        style, spot, footprint = self._style, self._spot, self._footprint
        white = np.zeros(self._here.size, dtype=np.float32)
        if style.crosswalk is Crosswalk.NONE:
            return white
        start = self._half * np.float32(1.25) + np.float32(0.9)
        place = self._to_end - start
        near = np.flatnonzero((place > np.float32(-0.5)) & (place < np.float32(4.6)))
        if not near.size:
            return white
        density = spot.table.grid.density.take(spot.plot.take(self._here[near]))
        busy = np.clip((density - np.float32(0.2)) * np.float32(50), 0, 1)
        busy *= np.clip((self._half.take(near) - np.float32(2.8)) * np.float32(10), 0, 1)
        at = footprint.take(near) if isinstance(footprint, np.ndarray) else footprint
        place, across = place.take(near), self._across.take(near)
        half, beside = self._half.take(near), self._beside.take(near)
        on = coverage.inside(half - np.float32(0.35) - beside, at)
        if style.crosswalk is Crosswalk.ZEBRA:
            paint = coverage.inside(np.float32(1.35) - np.abs(place - np.float32(1.35)), at)
            paint *= coverage.dashes(across + np.float32(0.25), 0.5, 1.0, at)
        else:
            paint = coverage.line(np.abs(place - np.float32(1.35)) - np.float32(1.2), 0.22, at)
        # Traffic towards a junction keeps to one side: only its lanes have the stop line.
        towards_first = self._along.take(near) <= self._to_end.take(near) + np.float32(0.5)
        side = np.float32(-1 if style.drives_left else 1)
        kept = coverage.inside(np.where(towards_first, across, -across) * side, at)
        stop = coverage.line(place - np.float32(3.8), 0.35, at)
        stop *= kept
        np.maximum(paint, stop, out=paint)
        paint *= on
        paint *= busy
        white[near] = paint
        return white
