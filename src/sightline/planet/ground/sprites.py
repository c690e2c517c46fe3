"""Plants and street furniture in a photo: upright pictures that face the camera.

All sprites are drawn at once. Each is cut into columns of pixels and those into pixels; they are
written from far to near, so that what is written last is what is seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.planet.ground.sprite_drawing import SECOND, SIDE
from sightline.planet.ground.sprite_shapes import SMALL, sprite_set
from sightline.planet.ground.viewpoint import Viewpoint, expanded
from sightline.planet.looks.lighting import Lighting

Floats = NDArray[np.float32]

MOST_PIXELS = 110_000
"""Candidate pixels of all sprites of a photo; the farthest are left out beyond it."""

_NEAREST_M = 1.6
_LEAST_PIXELS = 1.6
_SMALL_BELOW = 30.0  # pixels of height
_SLACK_M = np.float32(0.45)


@dataclass(frozen=True)
class Sprites:
    """What stands, relative to the eye.

    Attributes:
        east, north: (n,) metres from the camera.
        base: (n,) height of the foot from the eye.
        height, radius: (n,) metres.
        picture: int32 (n,) number of the picture.
        flip: bool (n,).
        first, second: float32 (n, 3), colours without light.
        shaded: (n,) how much of the sun is hidden, 0 to 1.
        glow: float32 (n,), how much of the first colour shines by itself.
    """

    east: Floats
    north: Floats
    base: Floats
    height: Floats
    radius: Floats
    picture: NDArray[np.int32]
    flip: NDArray[np.bool_]
    first: Floats
    second: Floats
    shaded: Floats
    glow: Floats

    def rows(self, chosen: NDArray[np.intp]) -> Sprites:
        """Return the chosen ones in their order."""
        return Sprites(
            *(getattr(self, name).take(chosen, axis=0) for name in self.__dataclass_fields__)
        )


def visible(
    view: Viewpoint, east: Floats, north: Floats, height: Floats, radius: Floats, range_m: float
) -> NDArray[np.intp]:
    """Return which sprites are near, large and ahead enough to be worth drawing, nearest first."""
    distance = np.hypot(east, north)
    scale = np.float32(view.pixels_per_radian)
    keep = (distance > np.maximum(_NEAREST_M, radius * np.float32(0.55))) & (distance < range_m)
    keep &= height * scale > distance * np.float32(_LEAST_PIXELS)
    chosen = np.flatnonzero(keep)
    distance = distance.take(chosen)
    bearing = view.bearing(east.take(chosen), north.take(chosen))
    half = np.arctan(radius.take(chosen) / distance)
    _, count = view.spans(bearing, half, half)
    seen = np.flatnonzero(count)
    order = seen.take(np.argsort(distance.take(seen), kind="stable"))
    return chosen.take(order)


def paint_sprites(
    planes: Floats, view: Viewpoint, light: Lighting, sprites: Sprites, depth: Floats
) -> None:
    """Paint sprites.

    Args:
        planes: float32 (3, pixels of the raster), painted in place.
        view: The camera.
        light: Of the moment.
        sprites: From `visible`, nearest first.
        depth: float32 (height, width), horizontal distance of what is seen already.
    """
    strips = _strips(view, sprites, depth)
    if not len(strips.sprite):
        return
    pixel, texel, strip = _pixels(view, strips)
    code = sprite_set().texels.take(texel)
    seen = (code > 0) & (depth.ravel().take(pixel) > strips.distance.take(strip))
    kept = seen.nonzero()[0]
    front = np.full(depth.size, -1, np.int32)
    front[pixel.take(kept)] = kept.astype(np.int32)
    drawn = front >= 0
    if view.projection.shown is not None:
        drawn &= view.projection.shown
    pixels = drawn.nonzero()[0]
    winner = front.take(pixels)
    _shade(planes, light, sprites, strips, pixels, code.take(winner), strip.take(winner))


@dataclass(frozen=True)
class _Strips:
    """Columns of sprites, the farthest first."""

    sprite: NDArray[np.intp]
    column: NDArray[np.int32]
    distance: Floats
    top: Floats
    scale: Floats
    first_row: NDArray[np.int32]
    rows: NDArray[np.int32]
    texel: NDArray[np.int32]
    last: NDArray[np.int32]
    place: Floats


def _strips(view: Viewpoint, sprites: Sprites, depth: Floats) -> _Strips:
    projection = view.projection
    distance = np.hypot(sprites.east, sprites.north)
    bearing = view.bearing(sprites.east, sprites.north)
    half = np.arctan(sprites.radius / distance)
    start, count = view.spans(bearing, half, half)
    sprite, column = expanded(start[::-1].copy(), count[::-1].copy())
    sprite = len(distance) - 1 - sprite
    turn = column - (projection.columns_of(bearing) - np.float32(0.5)).take(sprite)
    if projection.circle:
        column = column % np.int32(projection.width)
        turn = turn * np.float32(1 / projection.focal)
    else:
        turn = projection.azimuths.astype(np.float32).take(column) - bearing.take(sprite)
    far = distance.take(sprite)
    offset = np.tan(turn) * far
    place = offset / sprites.radius.take(sprite)
    steep = np.cos(turn) / far
    base = sprites.base.take(sprite)
    top = projection.rows_of((base + sprites.height.take(sprite)) * steep, column)
    foot = projection.rows_of(base * steep, column)
    first = np.clip(np.ceil(top - np.float32(0.5)), 0, projection.height).astype(np.int32)
    last = np.clip(np.ceil(foot - np.float32(0.5)), 0, projection.height).astype(np.int32)
    # Down a column things only get nearer: what hides a sprite's top hides all of it.
    behind = depth[np.minimum(first, projection.height - 1), column]
    keep = np.flatnonzero((last > first) & (behind > far - _SLACK_M) & (np.abs(place) <= 1))
    keep = keep[_affordable((last - first).take(keep))]
    size = np.where(foot - top < _SMALL_BELOW, SMALL, SIDE).take(keep).astype(np.int32)
    chosen = sprite.take(keep)
    across = place.take(keep) * np.where(sprites.flip, -1, 1).astype(np.float32).take(chosen)
    texel_column = np.clip((across + 1) * 0.5 * size, 0, size - 1).astype(np.int32)
    begin = np.where(size == SMALL, np.int32(sprite_set().small), np.int32(0))
    begin = begin + (sprites.picture.take(chosen) * size + texel_column) * size
    tall = np.maximum(foot - top, np.float32(0.5)).take(keep)
    return _Strips(
        sprite=chosen,
        column=column.take(keep),
        distance=far.take(keep) - _SLACK_M,
        top=top.take(keep) - np.float32(0.5),
        scale=(size / tall).astype(np.float32),
        first_row=first.take(keep),
        rows=(last - first).take(keep),
        texel=begin.astype(np.int32),
        last=size - 1,
        place=place.take(keep),
    )


def _affordable(rows: NDArray[np.int32]) -> slice:
    """The nearest strips whose pixels can be paid for."""
    total = np.cumsum(rows[::-1])
    return slice(len(rows) - int(np.searchsorted(total, MOST_PIXELS, side="right")), None)


def _pixels(
    view: Viewpoint, strips: _Strips
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Every pixel of the strips: flat pixel, flat texel, and strip."""
    strip, row = expanded(strips.first_row, strips.rows)
    down = row.astype(np.float32)
    down -= strips.top.take(strip)
    down *= strips.scale.take(strip)
    texel = down.astype(np.intp)
    np.minimum(texel, strips.last.take(strip), out=texel)
    texel += strips.texel.take(strip)
    pixel = row.astype(np.intp)
    pixel *= view.projection.width
    pixel += strips.column.take(strip)
    return pixel, texel, strip


def _shade(
    planes: Floats,
    light: Lighting,
    sprites: Sprites,
    strips: _Strips,
    pixels: NDArray[np.intp],
    code: NDArray[np.uint8],
    strip: NDArray[np.intp],
) -> None:
    sprite = strips.sprite
    # The half towards the sun is lighter: the sun's side as seen from here.
    bearing_east, bearing_north = sprites.east.take(sprite), sprites.north.take(sprite)
    reach = np.maximum(np.hypot(bearing_east, bearing_north), np.float32(0.1))
    side = (bearing_north * light.sun[0] - bearing_east * light.sun[1]) / reach
    facing = -(bearing_east * light.sun[0] + bearing_north * light.sun[1]) / reach
    sun = np.float32(0.62) + np.float32(0.30) * facing + np.float32(0.45) * side * strips.place
    sun = np.clip(sun, 0.12, 1.2) * (1 - sprites.shaded).take(sprite)
    clear = light.clear_share(np.hypot(sprites.east, sprites.north)).take(sprite)
    glow = sprites.glow.take(sprite)
    second = code >= SECOND
    entry = strip * 2 + second
    shade = sprite_set().shades.take(code)
    hidden = (1 - clear).take(strip)
    for channel in range(3):
        lit = sun * light.direct[channel] + np.float32(0.86) * light.ambient[channel]
        colours = np.empty((len(sprite), 2), np.float32)
        colours[:, 0] = sprites.first[:, channel].take(sprite) * (lit * clear + glow)
        colours[:, 1] = sprites.second[:, channel].take(sprite) * lit * clear
        value = colours.ravel().take(entry)
        value *= shade
        value += hidden * light.horizon[channel]
        planes[channel, pixels] = value
