"""What is the same for all pixels of a wall's column, or of a window: looked up once per hit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sightline.planet.ground.facade_drawing import SIDE, Paint, Tile
from sightline.planet.ground.facade_plan import FacadePlan
from sightline.planet.ground.facade_tiles import LEVELS, mixes, tile_number, tile_set
from sightline.planet.ground.finishes import starts
from sightline.planet.ground.lamplight import Lamps
from sightline.planet.ground.rays import Boxes, Hits
from sightline.planet.ground.shadows import ShadowMap
from sightline.planet.ground.viewpoint import Viewpoint
from sightline.planet.looks.lighting import Lighting
from sightline.planet.world.contents import RoofKind, plain

_ROOF_KIND = plain(RoofKind)

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]
Numbers = NDArray[np.int32]

MOST_FLOORS = 60
LOOKS = 4
"""How many looks windows have: dark, between, sky, curtains (or lit, by night)."""

_GLASS = np.array(
    [[0.13, 0.16, 0.19], [0.24, 0.30, 0.35], [0.50, 0.60, 0.69], [0.58, 0.56, 0.51]], np.float32
)
_LAMP = np.array([1.0, 0.74, 0.40], np.float32)
_LIT_SHARE = 0.36
_FOLD = np.int32(0x7FFFFFFF)


@dataclass(frozen=True)
class Scene:
    """What shading asks for besides the hits.

    Attributes:
        view: The camera.
        boxes: What was cast.
        source: intp, row in the plan of each of the boxes that are buildings.
        plan: Of all boxes of the neighbourhood.
        roofs: float32 (m, 3), roof colours of all boxes of the neighbourhood.
        light: Of the moment.
        shadows: None without sun.
        snow, wetness, night: 0 to 1, of the moment.
        leaves: float32 (3,), hedges.
        lamps: Those that are lit.
    """

    view: Viewpoint
    boxes: Boxes
    source: Indices
    plan: FacadePlan
    roofs: Floats
    light: Lighting
    shadows: ShadowMap | None
    snow: float
    wetness: float
    night: float
    leaves: Floats
    lamps: Lamps


class WallTables:
    """Tables of the hits that are seen.

    Attributes:
        distance: (n,) of each hit, metres.
        above_foot: (n,) what is added to tangent · distance to get metres above the wall's foot.
        floors_per_m: (n,).
        side: (n,) texels per floor.
        rows: How many floors the tables by floor have.
        tile_start: int32 (n · rows,) where the texels of a floor begin.
        look: int32 (n · rows,) which palette.
        palettes: How many palettes: boxes · looks.
        colours: (3, codes · palettes) of all entries, without light.
        glow: The same of what shines by itself, or None by day.
        finish_start: int32 (n,).
        clear: (n,) share of a colour that gets through the air.
        lit: (n,) share of the direct light; None without sun.
        shadow_top: (n,) metres above the foot up to which the wall lies in shadow, or None.
        lamplight: (n,) light of lamps on the wall's lower part, or None by day.
    """

    def __init__(self, scene: Scene, hits: Hits) -> None:
        self._scene = scene
        self.distance = hits.distance
        self._box, self._local = np.unique(hits.box, return_inverse=True)
        self._plan = scene.source.take(self._box)
        self._row = self._plan.take(self._local)
        base = scene.boxes.base.take(self._box).take(self._local)
        self.above_foot = -base
        plan = scene.plan
        self.floors_per_m = 1 / plan.floor_m.take(self._row)
        # No more floors than the houses have, nor than the picture's upper edge shows.
        seen = self.distance * np.float32(scene.view.projection.tangents.max()) + self.above_foot
        shown = float((seen * self.floors_per_m).max(initial=1.0)) + 2
        most = int(plan.floors.take(self._plan).max(initial=1)) + 3
        self.rows = max(1, min(most, int(min(shown, MOST_FLOORS)), MOST_FLOORS))
        self.clear = scene.light.clear_share(self.distance)
        self._bays(hits)
        self._surface(hits)
        self._palettes()
        self._sun(hits, base)
        self.lamplight: Floats | None = None
        if scene.lamps.count:
            column = hits.column
            east = scene.view.along_east.take(column) * self.distance
            north = scene.view.along_north.take(column) * self.distance
            self.lamplight = scene.lamps.on(east, north, base + np.float32(2.0))

    def _bays(self, hits: Hits) -> None:
        """The tile and the column of texels of every floor of every hit."""
        plan, row = self._scene.plan, self._row
        length, place = hits.length, hits.place
        bays = np.maximum(np.rint(length / plan.bay_m.take(row)), 1)
        along = place * bays / length
        bay = np.clip(np.floor(along), 0, bays - 1)
        share = np.clip(along - bay, 0, 0.9999)
        number = bay.astype(np.int32)
        end = hits.end_wall
        face = end.astype(np.int32) * 2 + (hits.side > 0)
        seed = plan.seed.take(row)
        doors = (seed >> 3) % np.maximum(bays, 1).astype(np.int32) == number
        narrow = length < 1.6
        upper = np.where((number + (seed >> 7)) & 1, plan.other.take(row), plan.upper.take(row))
        ground = np.where(doors, plan.special.take(row), plan.ground.take(row))
        gaps = (number + (seed >> 9)) & 1 == 0
        side = np.where(gaps | narrow, plan.gable.take(row) * 0 + _blank(), plan.end.take(row))
        plain = plan.plain.take(row)
        side = np.where(plain, plan.upper.take(row), side)
        upper, ground = np.where(end, side, upper), np.where(end, side, ground)
        ridge = self._scene.boxes.roof.take(self._box).take(self._local) != _ROOF_KIND.FLAT
        middle = number == (bays.astype(np.int32) >> 1)
        crown = np.where(ridge & middle & end, plan.gable.take(row), _blank())
        crown = np.where(ridge, crown, plan.top.take(row))
        floors = plan.floors.take(row)
        level = np.arange(self.rows, dtype=np.int32)[None, :]
        tile = np.where(level == 0, ground[:, None], upper[:, None])
        tile = np.where(level >= floors[:, None], crown[:, None], tile)
        detail = self._detail(hits)
        side_texels = SIDE >> detail
        self.side = side_texels.astype(np.float32)
        column = (share * self.side).astype(np.int32)
        start = tile_set().start(tile, detail[:, None], column[:, None])
        self.tile_start = start.ravel()
        window = seed + number * np.int32(7919) + face * np.int32(104729)
        self._windows(window, level)

    def _detail(self, hits: Hits) -> Numbers:
        """Which size of a tile has about one texel per pixel; oblique walls count half."""
        view, plan = self._scene.view, self._scene.plan
        column = hits.column
        facing = np.abs(
            view.along_east.take(column) * hits.normal_east
            + view.along_north.take(column) * hits.normal_north
        )
        self._footprint = self.distance * np.float32(1 / view.pixels_per_radian)
        texel = self._footprint * np.float32(SIDE) / np.sqrt(np.maximum(facing, 0.05))
        texel /= np.minimum(plan.floor_m.take(self._row), plan.bay_m.take(self._row))
        detail = np.rint(np.log2(np.maximum(texel, 1e-3)))
        return np.clip(detail, 0, LEVELS - 1).astype(np.int32)

    def _windows(self, window: Numbers, level: Numbers) -> None:
        """Which palette each window has, by a hash of house, wall, bay and floor."""
        mixed = (window[:, None] + level * np.int32(15485863)).astype(np.uint32)
        mixed ^= mixed >> np.uint32(15)
        mixed *= np.uint32(0x2C1B3C6D)
        mixed ^= mixed >> np.uint32(12)
        share = (mixed >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)
        if self._scene.night > 0.5:
            look = np.where(share < _LIT_SHARE, 3, (share * 8).astype(np.int32) & 1)
        else:
            look = (share * np.float32(LOOKS) - np.float32(0.001)).astype(np.int32)
        self.look = (self._local[:, None].astype(np.int32) * LOOKS + look.astype(np.int32)).ravel()

    def _surface(self, hits: Hits) -> None:
        self.finish_start = starts(
            self._scene.plan.finish.take(self._row), self._footprint, hits.place
        )

    def _palettes(self) -> None:
        scene = self._scene
        paints = scene.plan.paints.take(self._plan, axis=0)
        hedge = scene.plan.hedge.take(self._plan)
        paints[hedge, Paint.WALL] = scene.leaves
        looks = np.repeat(paints[:, None], LOOKS, axis=1)
        mirror = scene.plan.dark_glass.take(self._plan)[:, None, None]
        sky = scene.light.zenith / np.float32(max(scene.light.level, 0.2))
        glass = _GLASS + (sky * np.float32(0.75) - _GLASS) * (mirror * np.float32(0.5))
        looks[:, :, Paint.GLASS] = glass
        self.palettes = len(paints) * LOOKS
        table = looks.transpose(2, 3, 0, 1).reshape(len(Paint), -1)
        self.colours = _by_channel(mixes() @ table, self.palettes)
        self.glow: Floats | None = None
        if scene.night > 0.15:
            lamps = np.zeros_like(looks)
            lamps[:, 3, Paint.GLASS] = _LAMP * np.float32(0.85 * scene.night)
            lamps[scene.plan.plain.take(self._plan)] = 0
            glow = mixes() @ lamps.transpose(2, 3, 0, 1).reshape(len(Paint), -1)
            self.glow = _by_channel(glow, self.palettes)

    def _sun(self, hits: Hits, base: Floats) -> None:
        scene = self._scene
        east, north = hits.normal_east, hits.normal_north
        self.lit: Floats | None = None
        self.shadow_top: Floats | None = None
        if float(scene.light.direct.max()) < 0.01:
            return
        self.lit = scene.light.on(east, north, 0.0)
        if scene.shadows is None:
            return
        column = hits.column
        # A little before the wall, so that it does not shade itself.
        away = np.float32(0.35)
        at_east = scene.view.along_east.take(column) * self.distance + east * away
        at_north = scene.view.along_north.take(column) * self.distance + north * away
        self.shadow_top = scene.shadows.reach(at_east, at_north) - base


@cache
def _blank() -> np.int32:
    zero = np.zeros(1, np.int32)
    return np.int32(tile_number(np.full(1, Tile.BLANK), zero, zero, zero)[0])


def _by_channel(table: Floats, palettes: int) -> Floats:
    """(codes, 3 · palettes) to (3, codes · palettes)."""
    return np.ascontiguousarray(table.reshape(-1, 3, palettes).transpose(1, 0, 2)).reshape(3, -1)
