"""The paint, glass, wheels and lights of the vehicles that a photo sees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.planet.ground.rays import Boxes, Hits
from sightline.planet.ground.vehicle_shapes import (
    END_HEIGHT,
    END_WIDTH,
    SIDE_HEIGHT,
    SIDE_WIDTH,
    STEPS,
    vehicle_shapes,
)
from sightline.planet.ground.vehicle_shapes import Part as Paint
from sightline.planet.ground.viewpoint import Viewpoint
from sightline.planet.ground.visibility import Part
from sightline.planet.looks.lighting import Lighting

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

_PARTS = np.array(
    [[0, 0, 0], [0.13, 0.15, 0.17], [0.07, 0.07, 0.075], [0.50, 0.51, 0.53], [0.035, 0.035, 0.04],
     [0.86, 0.88, 0.88], [0.55, 0.06, 0.05], [0.16, 0.16, 0.17], [0.80, 0.80, 0.74],
     [0.10, 0.10, 0.10]],
    np.float32,
)  # fmt: skip


def paint_vehicles(
    planes: Floats,
    view: Viewpoint,
    light: Lighting,
    boxes: Boxes,
    part: Part,
    colours: Floats,
    shade: NDArray[np.float32] | None,
) -> None:
    """Paint vehicles.

    Args:
        planes: float32 (3, pixels of the raster), painted in place.
        view: The camera.
        light: Of the moment.
        boxes: What was cast; vehicles are the last rows.
        part: The pixels that see a vehicle.
        colours: float32 (vehicles, 3).
        shade: float32 (vehicles,), how much of the sun is hidden from each, or None.
    """
    pixels, hits, place, on_top = part.pixels, part.hits, part.hit, part.top
    if not len(pixels):
        return
    car = hits.box - (len(boxes) - boxes.vehicles)
    tangent = view.projection.tangents.ravel().take(pixels)
    seen = np.empty(len(pixels), np.uint8)
    sides, tops = np.flatnonzero(~on_top), np.flatnonzero(on_top)
    seen[sides] = _side_parts(boxes, hits, place.take(sides), tangent.take(sides))
    seen[tops] = _top_parts(view, boxes, hits, place.take(tops), tangent.take(tops))
    table = np.repeat(_PARTS[None], boxes.vehicles, axis=0)
    table[:, Paint.BODY] = colours
    table[:, Paint.GLASS] += light.zenith * np.float32(0.22)
    entry = car.take(place) * len(Paint) + seen
    top_light = light.on(*hits.roof_normal)
    side_light = light.on(hits.normal_east, hits.normal_north, 0.25)
    sun = np.where(on_top, top_light.take(place), side_light.take(place))
    if shade is not None:
        sun *= (1 - shade).take(car).take(place)
    open_sky = np.where(on_top, np.float32(1.0), np.float32(0.74))
    clear = light.clear_share(hits.distance).take(place)
    for channel in range(3):
        value = table[..., channel].ravel().take(entry)
        value *= sun * light.direct[channel] + open_sky * light.ambient[channel]
        # Paint and glass mirror some of the sky from above.
        value += (on_top & (seen <= Paint.GLASS)) * (light.zenith[channel] * np.float32(0.10))
        value *= clear
        value += (1 - clear) * light.horizon[channel]
        planes[channel, pixels] = value


def _side_parts(boxes: Boxes, hits: Hits, place: Indices, tangent: Floats) -> NDArray[np.uint8]:
    """What is seen on sides, fronts and backs."""
    box = hits.box
    shape = boxes.roof.take(box).astype(np.int32)
    share = hits.place / np.maximum(hits.length, np.float32(0.1))
    end, side = hits.end_wall, hits.side
    # Seen from outside, the left corner of the left side (+1) is the front, of the other the back.
    forward = np.where(side > 0, 1 - share, share)
    column = np.clip(forward * SIDE_WIDTH, 0, SIDE_WIDTH - 1).astype(np.int32)
    across = np.clip(share * END_WIDTH, 0, END_WIDTH - 1).astype(np.int32)
    tables = vehicle_shapes()
    sides = tables.side.size
    start = np.where(
        end,
        sides + ((shape * 2 + (side > 0)) * END_WIDTH + across) * END_HEIGHT,
        (shape * SIDE_WIDTH + column) * SIDE_HEIGHT,
    )
    rows = np.where(end, END_HEIGHT, SIDE_HEIGHT).astype(np.float32)
    height = tangent * hits.distance.take(place)
    height -= boxes.base.take(box).take(place)
    height *= (rows / boxes.rise.take(box)).take(place)
    np.clip(height, 0, (rows - 1).take(place), out=height)
    flat = np.concatenate([tables.side.ravel(), tables.ends.ravel()])
    return np.asarray(flat.take(start.take(place) + height.astype(np.int32)), np.uint8)


def _top_parts(
    view: Viewpoint,
    boxes: Boxes,
    hits: Hits,
    place: Indices,
    tangent: Floats,
) -> NDArray[np.uint8]:
    """What is seen on bonnets, screens and roofs: the first point of the outline a ray meets."""
    box, column = hits.box, hits.column
    enter = hits.distance
    axis_east, axis_north = boxes.axis_east.take(box), boxes.axis_north.take(box)
    east, north = view.along_east.take(column), view.along_north.take(column)
    rate = (east * axis_east + north * axis_north) / boxes.half_length.take(box)
    eye = -(boxes.east * boxes.axis_east + boxes.north * boxes.axis_north).take(box)
    eye = eye / boxes.half_length.take(box)
    shape = boxes.roof.take(box).astype(np.int32)
    # The ray is walked in even steps over the rest of the outline.
    reach = 2 * np.hypot(boxes.half_length, boxes.half_width).take(box)
    share = np.arange(1, _WALK + 1, dtype=np.float32)[None, :] / np.float32(_WALK)
    distance = enter[:, None] + reach[:, None] * share * share
    along = eye[:, None] + distance * rate[:, None]
    step = np.clip((along + 1) * (STEPS / 2), 0, STEPS).astype(np.int32)
    height = vehicle_shapes().heights.ravel().take(step + shape[:, None] * (STEPS + 1))
    slope = (boxes.base.take(box)[:, None] + boxes.rise.take(box)[:, None] * height) / distance
    slope[np.abs(along) > 1] = -9
    met = slope.take(place, axis=0) >= tangent[:, None]
    first = met.argmax(axis=1)
    where = along.ravel().take(place * _WALK + first)
    texel = np.clip((where + 1) * (STEPS / 2), 0, STEPS - 1).astype(np.int32)
    parts = vehicle_shapes().top.ravel().take(shape.take(place) * STEPS + texel)
    return np.asarray(parts, np.uint8)


_WALK = 40
