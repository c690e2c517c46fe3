"""What each box's façades are made of: chosen once per neighbourhood from style, use and key."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sightline.planet.ground.facade_drawing import Paint, Tile
from sightline.planet.ground.facade_tiles import HEIGHTS, WIDTHS, tile_number
from sightline.planet.ground.finishes import Finish
from sightline.planet.looks import noise
from sightline.planet.world.contents import BoxKind, Buildings, RoofKind, Use, plain
from sightline.planet.world.countries import CountryStyle, FenceKind

_USE, _BOX_KIND, _ROOF_KIND = plain(Use), plain(BoxKind), plain(RoofKind)
_TILE, _FINISH, _FENCE_KIND = plain(Tile), plain(Finish), plain(FenceKind)

Floats = NDArray[np.float32]
Numbers = NDArray[np.int32]


@dataclass(frozen=True)
class FacadePlan:
    """Arrays with one row per box.

    Attributes:
        upper, other, ground, special, end, top, gable: int32 numbers of tiles: upper floors, every
            second bay of them, ground floor, its door, walls across the length, the strip under a
            flat roof's edge, the triangle under a ridge.
        floors: int32.
        floor_m, bay_m: float32.
        finish, roof_finish: int32 `Finish`.
        seed: int32, not negative.
        paints: float32 (n, paints, 3).
        plain: bool (n,): neither floors nor doors (hedges, fences, walls).
        hedge: bool (n,).
        dark_glass: float32 (n,): 0 homes with curtains to 1 offices that mirror the sky.
    """

    upper: Numbers
    other: Numbers
    ground: Numbers
    special: Numbers
    end: Numbers
    top: Numbers
    gable: Numbers
    floors: Numbers
    floor_m: Floats
    bay_m: Floats
    finish: Numbers
    roof_finish: Numbers
    seed: Numbers
    paints: Floats
    plain: NDArray[np.bool_]
    hedge: NDArray[np.bool_]
    dark_glass: Floats


def facade_plan(buildings: Buildings, styles: tuple[CountryStyle, ...]) -> FacadePlan:
    """Choose tiles, finishes and paints for all boxes.

    Args:
        buildings: The boxes.
        styles: What their ``style`` points to.
    """
    chance = _Chances(buildings)
    habits = _Habits(styles, buildings.style)
    plain = _any_of(buildings.kind, _BOX_KIND.HEDGE, _BOX_KIND.FENCE, _BOX_KIND.WALL)
    floor_m = np.where(plain, buildings.eave_m, buildings.floor_m)
    floor_m = np.maximum(floor_m, np.float32(0.4)).astype(np.float32)
    floors = np.floor((buildings.eave_m + np.float32(0.05)) / floor_m).astype(np.int32)
    floors = np.maximum(np.where(plain, 1, floors), 1)
    tiles = _Tiles(buildings, habits, chance)
    upper = tiles.upper()
    kinds = {
        "upper": upper,
        "other": tiles.other(upper),
        "ground": tiles.ground(upper),
        "special": tiles.special(upper),
        "end": tiles.end(upper),
        "top": tiles.top(),
        "gable": tiles.gable(),
    }
    for name, kind in kinds.items():
        kinds[name] = tiles.numbers(kind, name in ("ground", "special"))
    return FacadePlan(
        **kinds,
        floors=floors,
        floor_m=floor_m,
        bay_m=np.where(plain, np.float32(2.0), np.maximum(buildings.bay_m, 1.0)).astype(np.float32),
        finish=tiles.finish(),
        roof_finish=tiles.roof_finish(),
        seed=(chance.key & np.uint32(0x7FFFFFF)).astype(np.int32),
        paints=_paints(buildings, habits, chance),
        plain=plain,
        hedge=np.asarray(buildings.kind == _BOX_KIND.HEDGE),
        dark_glass=np.where(
            _any_of(buildings.use, _USE.TOWER, _USE.WAREHOUSE), np.float32(1), np.float32(0.25)
        ).astype(np.float32),
    )


_DRAWS = 18


class _Chances:
    """Numbers in [0, 1) per house, by draw; the parts of a house share them."""

    def __init__(self, buildings: Buildings) -> None:
        self.key = noise.hashed(buildings.house, 0, 8400)
        self._drawn = noise.fraction(self.key, np.arange(_DRAWS)[:, None], 8401)

    def __call__(self, draw: int) -> Floats:
        drawn: Floats = self._drawn[draw]
        return drawn


class _Habits:
    """Fields of styles, one row per box."""

    def __init__(self, styles: tuple[CountryStyle, ...], rows: NDArray[np.int16]) -> None:
        self._styles, self._rows = styles, rows

    def flag(self, name: str) -> NDArray[np.bool_]:
        return np.array([bool(getattr(s, name)) for s in self._styles]).take(self._rows)

    def value(self, name: str) -> Floats:
        return np.array([getattr(s, name) for s in self._styles], np.float32).take(self._rows, 0)


def _any_of(kinds: NDArray[np.int8], *wanted: int) -> NDArray[np.bool_]:
    """Return where small numbers are one of a few; `numpy.isin` costs ten times as much."""
    return _wanted(wanted).take(kinds)


@cache
def _wanted(wanted: tuple[int, ...]) -> NDArray[np.bool_]:
    table = np.zeros(128, np.bool_)
    table[list(wanted)] = True
    return table


def _nearest(steps: tuple[float, ...], values: Floats) -> NDArray[np.intp]:
    apart = np.abs(np.array(steps, np.float32) - values[:, None])
    return np.asarray(apart.argmin(axis=1))


class _Tiles:
    def __init__(self, buildings: Buildings, habits: _Habits, chance: _Chances) -> None:
        self.buildings, self.habits, self.chance = buildings, habits, chance
        self.use, self.kind = buildings.use, buildings.kind
        self.home = _any_of(self.use, _USE.DETACHED, _USE.ROW, _USE.FARM)
        self.outside = self.kind == _BOX_KIND.FENCE
        self.shed = (self.kind == _BOX_KIND.SHED) | (self.use == _USE.OUTBUILDING)
        fenced = np.where(self.kind == _BOX_KIND.HEDGE, _TILE.BLANK, _TILE.COPED)
        wire = habits.value("fence") == _FENCE_KIND.WIRE
        self._fenced = np.where(self.outside, np.where(wire, _TILE.WIRE, _TILE.FENCE), fenced)
        self._plain = _any_of(self.kind, _BOX_KIND.HEDGE, _BOX_KIND.FENCE, _BOX_KIND.WALL)
        self._width = _nearest(WIDTHS, buildings.window_width)
        self._height = _nearest(HEIGHTS, buildings.window_height)

    def numbers(self, kind: NDArray[np.integer], ground: bool) -> Numbers:
        """Tile numbers; what has no floors keeps its own tile everywhere."""
        kind = np.where(self._plain, self._fenced, kind)
        footed = np.full(len(kind), ground) & ~self._plain
        return tile_number(kind, self._width, self._height, footed.astype(np.int32))

    def upper(self) -> Numbers:
        pane = np.where(self.chance(1) < 0.5, _TILE.PANE, _TILE.CROSS)
        shutters = self.habits.flag("shutters") & (self.use != _USE.TOWER)
        kind = np.where(shutters & (self.chance(2) < 0.85), _TILE.SHUTTERED, pane)
        office = np.where(self.chance(3) < 0.5, _TILE.RIBBON, _TILE.PANE)
        office = np.where(self.chance(3) > 0.72, _TILE.CURTAIN, office)
        kind = np.where(self.use == _USE.TOWER, office, kind)
        ribbon = (self.use == _USE.APARTMENT) & (self.chance(4) < 0.15)
        kind = np.where(ribbon, _TILE.RIBBON, kind)
        kind = np.where(self.use == _USE.LANDMARK, _TILE.ARCH, kind)
        high = np.where(self.chance(5) < 0.5, _TILE.STRIP, _TILE.BLANK)
        kind = np.where(self.use == _USE.WAREHOUSE, high, kind)
        return np.asarray(np.where(self.shed, _TILE.BLANK, kind), np.int32)

    def other(self, upper: Numbers) -> Numbers:
        """Every second bay: balconies where the country has them."""
        flats = (self.use == _USE.APARTMENT) & (
            self.habits.flag("balconies") | (self.chance(6) < 0.2)
        )
        return np.asarray(np.where(flats & (upper < _TILE.BLANK), _TILE.FRENCH, upper), np.int32)

    def ground(self, upper: Numbers) -> Numbers:
        trade = _any_of(self.use, _USE.ROW, _USE.APARTMENT, _USE.TOWER) & (
            self.chance(7) < np.where(self.use == _USE.ROW, 0.22, 0.5)
        )
        shop = np.where(self.chance(8) < 0.3, _TILE.AWNING, _TILE.SHOP)
        kind = np.where(trade, shop, upper)
        kind = np.where((self.use == _USE.WAREHOUSE) & (self.chance(5) >= 0.5), _TILE.BLANK, kind)
        return np.asarray(kind, np.int32)

    def special(self, upper: Numbers) -> Numbers:
        del upper
        door = np.where(_any_of(self.use, _USE.APARTMENT, _USE.TOWER), _TILE.ENTRANCE, _TILE.DOOR)
        door = np.where(self.use == _USE.LANDMARK, _TILE.ENTRANCE, door)
        door = np.where(self.use == _USE.WAREHOUSE, _TILE.ROLLER, door)
        barn = (self.use == _USE.FARM) & (self.chance(9) < 0.5)
        return np.asarray(np.where(barn | self.shed, _TILE.BARN_DOOR, door), np.int32)

    def end(self, upper: Numbers) -> Numbers:
        """Walls across the length: party walls of rows are blind."""
        blind = (self.use == _USE.ROW) | (self.home & (self.chance(10) < 0.35))
        return np.asarray(np.where(blind, _TILE.BLANK, upper), np.int32)

    def top(self) -> Numbers:
        flat = self.buildings.roof == _ROOF_KIND.FLAT
        edge = np.where(self.home | (self.chance(11) < 0.4), _TILE.CORNICE, _TILE.PARAPET)
        return np.asarray(np.where(flat & ~self.shed, edge, _TILE.BLANK), np.int32)

    def gable(self) -> Numbers:
        attic = self.home & (self.buildings.rise_m > 2.0) & (self.chance(12) < 0.8)
        return np.asarray(np.where(attic, _TILE.ATTIC, _TILE.BLANK), np.int32)

    def finish(self) -> Numbers:
        brick = self.habits.flag("brick") | (self.chance(13) < 0.12)
        kind = np.where(brick, _FINISH.BRICK, _FINISH.PLASTER)
        boards = (self.use == _USE.DETACHED) & ~brick & (self.chance(13) > 0.75)
        kind = np.where(boards | (self.use == _USE.FARM) | self.shed, _FINISH.BOARDS, kind)
        kind = np.where((self.use == _USE.APARTMENT) & ~brick, _FINISH.PANELS, kind)
        kind = np.where(self.use == _USE.TOWER, _FINISH.PANELS, kind)
        kind = np.where(self.use == _USE.WAREHOUSE, _FINISH.RIBS, kind)
        kind = np.where(self.use == _USE.LANDMARK, _FINISH.STONE, kind)
        kind = np.where(self.kind == _BOX_KIND.HEDGE, _FINISH.LEAVES, kind)
        kind = np.where(self.kind == _BOX_KIND.WALL, _FINISH.STONE, kind)
        return np.asarray(np.where(self.outside, _FINISH.PLASTER, kind), np.int32)

    def roof_finish(self) -> Numbers:
        seams = (self.chance(14) < 0.15) | _any_of(self.use, _USE.FARM, _USE.WAREHOUSE) | self.shed
        kind = np.where(seams, _FINISH.SEAMS, _FINISH.ROOF_TILES)
        kind = np.where(self.buildings.roof == _ROOF_KIND.FLAT, _FINISH.GRAVEL, kind)
        return np.asarray(np.where(self.kind == _BOX_KIND.HEDGE, _FINISH.LEAVES, kind), np.int32)


_GAY = np.array(
    [[0.70, 0.12, 0.10], [0.12, 0.28, 0.55], [0.10, 0.42, 0.25], [0.85, 0.62, 0.12],
     [0.35, 0.16, 0.38], [0.16, 0.17, 0.19], [0.86, 0.84, 0.80], [0.10, 0.45, 0.50]], np.float32,
)  # fmt: skip


def _paints(buildings: Buildings, habits: _Habits, chance: _Chances) -> Floats:
    """Colours of all materials; glass comes with the light of the moment."""
    count = len(buildings.house)
    paints = np.empty((count, len(Paint), 3), np.float32)
    wall = buildings.wall
    gay = _GAY.take((chance(15) * 8).astype(np.intp), axis=0)
    frame = habits.value("window_frame")[:, None]
    two_tone = habits.flag("two_tone")[:, None]
    paints[:, Paint.WALL] = wall
    paints[:, Paint.TRIM] = np.minimum(wall * np.float32(0.45) + np.float32(0.5), 0.95)
    paints[:, Paint.SHADE] = wall * np.float32(0.42)
    paints[:, Paint.GLASS] = 0.2
    paints[:, Paint.FRAME] = np.where(chance(16)[:, None] < 0.8, frame, np.float32(0.9) - frame / 2)
    paints[:, Paint.SHUTTER] = habits.value("shutter")
    own_door = chance(17)[:, None] < 0.55
    paints[:, Paint.DOOR] = np.where(own_door, habits.value("door"), gay * np.float32(0.8))
    paints[:, Paint.METAL] = np.where(two_tone, np.float32(0.5), np.float32(0.2))
    paints[:, Paint.SIGN] = gay
    paints[:, Paint.PLINTH] = wall * np.where(two_tone, np.float32(0.5), np.float32(0.75))
    wire = habits.value("fence") == _FENCE_KIND.WIRE
    mesh = (buildings.kind == _BOX_KIND.FENCE) & wire
    paints[mesh, Paint.SHADE] = (0.28, 0.30, 0.25)
    paints[mesh, Paint.METAL] = (0.45, 0.47, 0.45)
    return paints
