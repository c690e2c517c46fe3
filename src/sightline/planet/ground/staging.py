"""What a photo has to do with: boxes, vehicles, plants and furniture around the camera."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.planet.ground.facade_plan import FacadePlan, facade_plan
from sightline.planet.ground.far_land import RANGE_M
from sightline.planet.ground.rays import Boxes
from sightline.planet.ground.shadows import Crowns, ShadowMap
from sightline.planet.ground.sprite_shapes import VARIANTS, plant_number
from sightline.planet.ground.sprites import Sprites, visible
from sightline.planet.ground.street_pieces import Pieces, pieces_of
from sightline.planet.ground.vehicle_shapes import Shape
from sightline.planet.ground.viewpoint import Viewpoint
from sightline.planet.looks import noise
from sightline.planet.looks.moment import Moment
from sightline.planet.looks.palette import Palette, foliage
from sightline.planet.overhead.crowns import grown
from sightline.planet.world import vehicles
from sightline.planet.world.contents import BoxKind, Species

if TYPE_CHECKING:
    from sightline.planet.world.neighbourhood import Neighbourhood

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

_LOW_RANGE_M = 75.0  # for hedges and fences
_VEHICLE_RANGE_M = 62.0
_VEHICLE_NEAREST_M = 3.6
_FURNITURE_RANGE_M = 80.0
_LEAST_PIXELS = 1.2
_NEEDLES, _EVERGREEN = np.zeros((2, len(Species)), np.bool_)
_NEEDLES[[Species.CONIFER, Species.CYPRESS]] = True
_EVERGREEN[[Species.PALM, Species.SAVANNA]] = True


@dataclass(frozen=True)
class Stock:
    """What is made once of a neighbourhood for all its photos.

    Attributes:
        plan: Of the façades.
        reach: float32, half the diagonal of each box.
        pieces: What stands beside streets, ready but for place and light.
    """

    plan: FacadePlan
    reach: Floats
    pieces: Pieces = field(repr=False)


def stock(neighbourhood: Neighbourhood) -> Stock:
    """Return the stock of a neighbourhood, which keeps it."""
    kept: dict[str, object] = neighbourhood.__dict__
    made = kept.get("_photo_stock")
    if isinstance(made, Stock):
        return made
    buildings = neighbourhood.buildings
    made = Stock(
        plan=facade_plan(buildings, neighbourhood.styles),
        reach=np.hypot(buildings.half_length, buildings.half_width).astype(np.float32),
        pieces=pieces_of(neighbourhood.furniture, neighbourhood.styles),
    )
    kept["_photo_stock"] = made
    return made


@dataclass(frozen=True)
class Stage:
    """The boxes around a camera.

    Attributes:
        boxes: Within range on all sides, buildings first, then vehicles.
        source: intp, row of the neighbourhood's buildings of each box that is one.
        colours: float32 (vehicles, 3).
    """

    boxes: Boxes
    source: Indices
    colours: Floats


def stage(neighbourhood: Neighbourhood, view: Viewpoint, moment: Moment, key: int) -> Stage:
    """Collect the boxes that stand around a camera in the moment's year."""
    buildings, made = neighbourhood.buildings, stock(neighbourhood)
    east, north = view.relative(buildings.centre)
    distance = np.hypot(east, north)
    near = distance - made.reach
    standing = (buildings.built_year <= moment.year) & (moment.year < buildings.gone_year)
    standing &= near < np.float32(RANGE_M)
    low = (buildings.kind != BoxKind.BUILDING) & (near > np.float32(_LOW_RANGE_M))
    tall = buildings.eave_m + buildings.rise_m
    small = tall * np.float32(view.pixels_per_radian) < near * np.float32(_LEAST_PIXELS)
    source = np.flatnonzero(standing & ~low & ~small)
    cars = _vehicles(neighbourhood, view, key)
    boxes = _boxes(neighbourhood, view, source, east.take(source), north.take(source), cars)
    return Stage(boxes, source, cars.colour)


def _vehicles(neighbourhood: Neighbourhood, view: Viewpoint, key: int) -> vehicles.Vehicles:
    east, north = view.relative(neighbourhood.slots.position)
    distance = np.hypot(east, north)
    near = np.flatnonzero((distance < _VEHICLE_RANGE_M) & (distance > _VEHICLE_NEAREST_M))
    return vehicles.parked(neighbourhood.slots.rows(near), key)


def _boxes(
    neighbourhood: Neighbourhood,
    view: Viewpoint,
    source: Indices,
    east: Floats,
    north: Floats,
    cars: vehicles.Vehicles,
) -> Boxes:
    every = neighbourhood.buildings
    eye = np.float32(view.eye_m)
    car_east, car_north = view.relative(cars.position)
    foot = cars.base_m - eye
    base = every.base_m.take(source) - eye

    def join(first: NDArray[np.generic], second: NDArray[np.generic]) -> Floats:
        return np.concatenate([first, second]).astype(np.float32, copy=False)

    return Boxes(
        east=join(east, car_east),
        north=join(north, car_north),
        axis_east=join(every.axis[:, 0].take(source), cars.axis[:, 0]),
        axis_north=join(every.axis[:, 1].take(source), cars.axis[:, 1]),
        half_length=join(every.half_length.take(source), cars.half_length),
        half_width=join(every.half_width.take(source), cars.half_width),
        base=join(base, foot),
        eave=join(base + every.eave_m.take(source), foot),
        rise=join(every.rise_m.take(source), cars.height),
        roof=np.concatenate([every.roof.take(source), _shapes(cars)]).astype(np.int8),
        vehicles=len(cars.height),
    )


_SHAPES = np.array([Shape.HATCHBACK, Shape.SALOON, Shape.ESTATE, Shape.VAN, Shape.TRUCK], np.int8)


def _shapes(cars: vehicles.Vehicles) -> NDArray[np.int8]:
    return _SHAPES.take(cars.kind)


def crowns(neighbourhood: Neighbourhood, view: Viewpoint, moment: Moment, range_m: float) -> Crowns:
    """Collect plants as casters of shadows."""
    plants = neighbourhood.plants
    east, north = view.relative(plants.position)
    keep = (np.hypot(east, north) < np.float32(range_m)).nonzero()[0]
    size = grown(plants.planted_year.take(keep), moment.year)
    height = plants.height_m.take(keep) * size
    bare = np.float32(0.65 + 0.35 * moment.leaf)
    return Crowns(
        east=east.take(keep),
        north=north.take(keep),
        middle=plants.base_m.take(keep) - np.float32(view.eye_m) + height * np.float32(0.6),
        radius=np.maximum(plants.radius_m.take(keep) * size * bare, np.float32(0.05)),
        half_height=height * np.float32(0.36),
        key=plants.key.take(keep),
    )


def sprites(
    neighbourhood: Neighbourhood,
    view: Viewpoint,
    moment: Moment,
    palette: Palette,
    shadows: ShadowMap | None,
) -> Sprites:
    """Collect the plants and the furniture that a camera sees, nearest first."""
    plants, made = neighbourhood.plants, stock(neighbourhood)
    east, north = view.relative(plants.position)
    near = ((np.abs(east) < RANGE_M) & (np.abs(north) < RANGE_M)).nonzero()[0]
    size = grown(plants.planted_year.take(near), moment.year)
    height, radius = plants.height_m.take(near) * size, plants.radius_m.take(near) * size
    chosen = visible(view, east.take(near), north.take(near), height, radius, RANGE_M)
    chosen = chosen[:_MOST_PLANTS]
    seen = near.take(chosen)
    base = plants.base_m.take(seen) - np.float32(view.eye_m)
    tall = height.take(chosen)
    shaded = np.zeros(len(seen), np.float32)
    if shadows is not None:
        away = radius.take(chosen) + np.float32(1.3)
        shaded = shadows.before(east.take(seen), north.take(seen), away) - base
        shaded = np.clip((shaded / tall - np.float32(0.35)) * np.float32(1.6), 0, 1)
    variant = plants.key.take(seen) & np.uint32(VARIANTS - 1)
    species = plants.species.take(seen)
    needles, evergreen = _NEEDLES.take(species), _EVERGREEN.take(species)
    bare = _bare(neighbourhood, seen, moment) & ~needles & ~evergreen
    climate = plants.climate.take(seen)
    trunk = palette.soil.take(climate, axis=0) * np.float32(0.35) + np.float32(0.14)
    grove = Sprites(
        east.take(seen), north.take(seen), base, tall, radius.take(chosen),
        plant_number(species, variant.astype(np.int32), bare),
        (plants.key.take(seen) & np.uint32(64)) > 0,
        foliage(palette, climate, plants.tint.take(seen), needles=needles, evergreen=evergreen),
        trunk.astype(np.float32), shaded, np.zeros(len(seen), np.float32),
    )  # fmt: skip
    return _merged(grove, _furniture(neighbourhood, view, moment, made, shadows))


_MOST_PLANTS = 260


def _bare(neighbourhood: Neighbourhood, seen: Indices, moment: Moment) -> NDArray[np.bool_]:
    """Which trees have lost their leaves: those of a street do not on the same day."""
    if moment.leaf > 0.97:
        return np.zeros(len(seen), np.bool_)
    warm = np.array([each.temperature for each in neighbourhood.climates], np.float32)
    seasonal = 1 - np.clip((warm - np.float32(0.6)) * np.float32(6), 0, 1)
    lost = seasonal.take(neighbourhood.plants.climate.take(seen)) * np.float32(1 - moment.leaf)
    chance = noise.fraction(neighbourhood.plants.key.take(seen).astype(np.int64), 0, 8700)
    return np.asarray(chance < lost)


def _furniture(
    neighbourhood: Neighbourhood,
    view: Viewpoint,
    moment: Moment,
    made: Stock,
    shadows: ShadowMap | None,
) -> Sprites:
    things, pieces = neighbourhood.furniture, made.pieces
    east, north = view.relative(things.position)
    seen = visible(view, east, north, things.height_m, pieces.radius, _FURNITURE_RANGE_M)
    base = things.base_m.take(seen) - np.float32(view.eye_m)
    shaded = np.zeros(len(seen), np.float32)
    if shadows is not None:
        away = np.full(len(seen), 1.0, np.float32)
        shaded = shadows.before(east.take(seen), north.take(seen), away) - base
        shaded = np.clip(shaded / np.maximum(things.height_m.take(seen), 0.3), 0, 1)
    glow = pieces.lamp.take(seen) * np.float32(1.4 * moment.night)
    return Sprites(
        east.take(seen), north.take(seen), base, things.height_m.take(seen),
        pieces.radius.take(seen), pieces.picture.take(seen),
        (things.key.take(seen) & np.uint32(1)) > 0,
        pieces.first.take(seen, axis=0), pieces.second.take(seen, axis=0),
        shaded.astype(np.float32), glow.astype(np.float32),
    )  # fmt: skip


def _merged(first: Sprites, second: Sprites) -> Sprites:
    """Both, nearest first."""
    joined = Sprites(
        *(
            np.concatenate([getattr(first, name), getattr(second, name)])
            for name in Sprites.__dataclass_fields__
        )
    )
    distance = np.hypot(joined.east, joined.north)
    return joined.rows(np.argsort(distance, kind="stable"))
