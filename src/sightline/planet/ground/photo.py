"""Photos: what a camera sees from a place in a neighbourhood."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.errors import UsageError
from sightline.planet.ground.camera import Camera
from sightline.planet.ground.facades import paint_roofs, paint_walls
from sightline.planet.ground.far_land import RANGE_M, FarLand
from sightline.planet.ground.far_paint import Surroundings
from sightline.planet.ground.lamplight import Lamps, paint_glare
from sightline.planet.ground.paint import may_mirror, paint_ground
from sightline.planet.ground.precipitation import fall, mirror
from sightline.planet.ground.rays import cast
from sightline.planet.ground.relief import march
from sightline.planet.ground.shadows import ShadowMap, cast_shadows
from sightline.planet.ground.sky import paint_sky
from sightline.planet.ground.sprites import paint_sprites
from sightline.planet.ground.staging import Stage, crowns, sprites, stage, stock
from sightline.planet.ground.vehicle_paint import paint_vehicles
from sightline.planet.ground.viewpoint import Viewpoint
from sightline.planet.ground.visibility import sort_pixels
from sightline.planet.ground.wall_tables import Scene
from sightline.planet.looks.lighting import Lighting, lighting
from sightline.planet.looks.moment import Moment
from sightline.planet.looks.plots import plot_table
from sightline.planet.looks.sensor import Sensor, develop
from sightline.planet.looks.straightness import north_at
from sightline.planet.world.contents import FurnitureKind

if TYPE_CHECKING:
    from sightline.planet.world.neighbourhood import Neighbourhood

Floats = NDArray[np.float32]

_SHADOWS_AHEAD_M = 26.0
_SHADOW_HALF_M = 52.0
_SHADOW_HALF_AROUND_M = 62.0
_LAMP_RANGE_M = 75.0


def render(
    neighbourhood: Neighbourhood,
    standpoint: tuple[float, float],
    camera: Camera,
    moment: Moment,
    *,
    key: int | None = None,
    sensor: Sensor | None = None,
) -> NDArray[np.uint8]:
    """Return a photo.

    Args:
        neighbourhood: Where. It must reach `far_land.RANGE_M` beyond the standpoint.
        standpoint: Metres east and north of its origin.
        camera: How it looks.
        moment: When, and in which weather.
        key: What parked vehicles and the sensor are drawn from; the moment's key by default.
        sensor: A camera body of one's own.

    Returns:
        uint8 (height, width, 3), as ``camera.size`` says.

    Raises:
        UsageError: The standpoint is not finite or too near the neighbourhood's edge.
    """
    east, north = (float(place) for place in standpoint)
    reach = neighbourhood.reach_m
    if not (max(abs(east), abs(north)) <= max(reach - RANGE_M, 1e-3)):
        raise UsageError(
            f"standpoint must lie at least {RANGE_M:g} m inside the neighbourhood, whose reach is "
            f"{reach:g} m. Got {standpoint!r}.",
            hint="Ask for a neighbourhood with a larger reach, or around the standpoint.",
        )
    key = moment.key if key is None else key
    ground = neighbourhood.ground.elevation(
        np.array([east], np.float32), np.array([north], np.float32)
    )
    turned = north_at(neighbourhood.frame, east, north)
    view = Viewpoint.of(camera, east, north, float(ground[0]), turned)
    moment = _in_window(moment, turned)
    planes = _paint(neighbourhood, view, camera, moment, key)
    width, height = camera.size
    warp = view.projection.warp
    picture = planes if warp is None else planes.take(warp, axis=1)
    picture = picture.reshape(3, height, width)
    fall(picture, moment, key)
    return develop(picture, moment, key, sensor=sensor)


def _in_window(moment: Moment, turned: float) -> Moment:
    """The moment with its sun seen from the window's north, as everything else in it."""
    east, north, up = moment.sun
    sine, cosine = math.sin(turned), math.cos(turned)
    return replace(moment, sun=(east * cosine + north * sine, north * cosine - east * sine, up))


def _paint(
    neighbourhood: Neighbourhood, view: Viewpoint, camera: Camera, moment: Moment, key: int
) -> Floats:
    """Light on the raster, float32 (3, pixels)."""
    projection = view.projection
    light = lighting(moment)
    colours = plot_table(neighbourhood, moment).palette
    around = Surroundings.of(neighbourhood, view.east, view.north)
    land = FarLand.seen_from(neighbourhood, view.east, view.north)
    standing = stage(neighbourhood, view, moment, key)
    boxes = standing.boxes
    shadows = _shadows(neighbourhood, view, camera, moment, light, standing)
    lamps = _lamps(neighbourhood, view, moment, around)
    relief = march(view, land.heights(around.cover_m))
    shown = projection.shown
    if shown is not None and may_mirror(neighbourhood, moment):
        # What the picture leaves out may still be seen in a mirror.
        shown = shown.copy()
        shown[: projection.width * (projection.last_mirrored_row + 1)] = True
    seen = sort_pixels(relief, boxes, *cast(view, boxes), shown)
    planes = np.zeros((3, projection.width * projection.height), np.float32)
    paint_sky(planes, view, light, moment, seen.sky)
    wet, share = paint_ground(
        planes, neighbourhood, view, relief, land, light, moment, colours, around,
        shadows, lamps, seen.ground,
    )  # fmt: skip
    leaves = colours.leaf[around.climate] * np.float32(0.9)
    scene = Scene(
        view, boxes, standing.source, stock(neighbourhood).plan,
        neighbourhood.buildings.roof_colour, light, shadows,
        moment.snow, moment.wetness, moment.night, leaves, lamps,
    )  # fmt: skip
    paint_walls(planes, scene, seen.walls)
    paint_roofs(planes, scene, seen.roofs)
    paint_vehicles(
        planes, view, light, boxes, seen.cars, standing.colours, _vehicle_shade(standing, shadows)
    )  # fmt: skip
    mirror(planes, projection, wet, share)
    things = sprites(neighbourhood, view, moment, colours, shadows)
    paint_sprites(planes, view, light, things, seen.depth)
    if lamps.count:
        paint_glare(planes, view, lamps, seen.depth)
    return planes


def _shadows(
    neighbourhood: Neighbourhood,
    view: Viewpoint,
    camera: Camera,
    moment: Moment,
    light: Lighting,
    standing: Stage,
) -> ShadowMap | None:
    if not light.casts:
        return None
    around = camera.panorama or camera.fov_degrees > 130 or abs(camera.tilt_degrees) > 40
    half = _SHADOW_HALF_AROUND_M if around else _SHADOW_HALF_M
    ahead = 0.0 if around else _SHADOWS_AHEAD_M
    middle = (ahead * math.sin(view.heading), ahead * math.cos(view.heading))
    plants = crowns(neighbourhood, view, moment, half + ahead + 25.0)
    return cast_shadows(light.sun, middle, half, standing.boxes, plants)


def _vehicle_shade(standing: Stage, shadows: ShadowMap | None) -> Floats | None:
    if shadows is None or not standing.boxes.vehicles:
        return None
    boxes = standing.boxes
    last = slice(len(boxes) - boxes.vehicles, None)
    # Up-light of the vehicle itself, so that it does not shade its own side.
    away = np.float32(2.6)
    east = boxes.east[last] - np.float32(shadows.light[0]) * away
    north = boxes.north[last] - np.float32(shadows.light[1]) * away
    return shadows.shade(east, north, boxes.base[last] + np.float32(0.9))


def _lamps(
    neighbourhood: Neighbourhood, view: Viewpoint, moment: Moment, around: Surroundings
) -> Lamps:
    things = neighbourhood.furniture
    lit = np.flatnonzero(things.kind == FurnitureKind.LAMP) if moment.night > 0.25 else _NONE
    east, north = view.relative(things.position)
    lit = lit[np.hypot(east, north).take(lit) < _LAMP_RANGE_M]
    foot = things.base_m.take(lit) - np.float32(view.eye_m)
    warm = neighbourhood.styles[around.style].key % 3 != 0
    return Lamps.of(
        east.take(lit), north.take(lit), foot, things.height_m.take(lit), moment.night, warm
    )


_NONE = np.zeros(0, np.intp)
