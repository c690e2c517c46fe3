"""The aerial image: a neighbourhood seen straight down, at any resolution.

Ground, boxes and crowns are laid over each other with soft edges; heights are kept beside colours,
and one sweep along the sun's direction over the heights gives every shadow, on the ground, on roofs
and on crowns alike.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.errors import UsageError
from sightline.planet.looks import noise, sensor, surface
from sightline.planet.looks.field_reading import fields_at
from sightline.planet.looks.moment import Moment
from sightline.planet.looks.palette import light
from sightline.planet.looks.plots import climate_at, plot_table
from sightline.planet.looks.straightness import Turn
from sightline.planet.overhead import fill
from sightline.planet.overhead import heights as overhead
from sightline.planet.overhead.fill import Canvas
from sightline.planet.overhead.view import Houses, Picture, Trees, View
from sightline.planet.world.ground_raster import ELEVATION, FIELDS

if TYPE_CHECKING:
    from sightline.planet.world.neighbourhood import Neighbourhood

Floats = NDArray[np.float32]

MISREGISTRATION_M = 0.6
"""By default a picture lies off its place by up to this much in each direction."""

_LONGEST_SHADOW_M = 45.0
_FIELD_STEP_M = 1.5  # reading at every pixel changes 0.1 to 0.4 % of pixels by over 12 levels
_EXPOSURE = 0.35
_HAZE = (0.70, 0.76, 0.84)


def render(
    neighbourhood: Neighbourhood,
    centre_east_north: tuple[float, float],
    metres_per_pixel: float,
    size: tuple[int, int],
    moment: Moment,
    *,
    key: int | None = None,
    misregistration_m: float = MISREGISTRATION_M,
    noise_scale: float = 1.0,
) -> NDArray[np.uint8]:
    """Return an orthophoto, north up.

    Args:
        neighbourhood: What stands there; must reach as far as the picture and its shadows.
        centre_east_north: The picture's middle, in the neighbourhood's metres.
        metres_per_pixel: Side of a pixel on the ground, positive.
        size: Width and height in pixels.
        moment: When it was taken: sun, season, and the year that decides what stands.
        key: Decides vehicles, sensor and misregistration; by default ``moment.key``.
        misregistration_m: The most by which the picture lies off its place.
        noise_scale: Multiplies the sensor's noise; 0 for none.

    Returns:
        uint8 (height, width, 3).

    Raises:
        UsageError: ``metres_per_pixel`` or ``size`` is not positive.
    """
    width, height = size
    if not metres_per_pixel > 0 or not math.isfinite(metres_per_pixel):
        raise UsageError(
            f"metres_per_pixel must be positive. Got {metres_per_pixel!r}.",
            hint="0.5 is what many providers offer for towns.",
        )
    if width < 1 or height < 1:
        raise UsageError(
            f"size must be two positive numbers, width and height. Got {size!r}.",
            hint="(224, 224) is the default.",
        )
    key = moment.key if key is None else key
    offset = _offset(key, misregistration_m)
    canvas = Canvas(
        west_m=centre_east_north[0] + offset[0] - width * metres_per_pixel / 2,
        north_m=centre_east_north[1] + offset[1] + height * metres_per_pixel / 2,
        metres_per_pixel=metres_per_pixel,
        rows=height,
        columns=width,
    )
    turn = Turn.at(neighbourhood.frame, *centre_east_north)
    planes = _scene(neighbourhood, canvas, turn, moment, key)
    return _develop(planes.reshape(3, height, width), moment, key, noise_scale)


def grid_fields(
    neighbourhood: Neighbourhood, canvas: Canvas, turn: Turn, moment: Moment
) -> tuple[Floats, Floats]:
    """Return the ground's fields and its light at every pixel of a canvas.

    The raster is two metres wide, so it is read every metre and a half and blended between.

    Args:
        neighbourhood: Whose ground.
        canvas: Where, in the picture's metres.
        turn: What these are among the neighbourhood's.
        moment: Where the sun stands.

    Returns:
        float32 (FIELDS - 1, pixels), all but the elevation, and float32 (pixels,), direct light as
        a share of that on level ground.
    """
    ground = neighbourhood.ground
    step = max(1, int(_FIELD_STEP_M / canvas.metres_per_pixel + 1e-6))
    lines = _lines(canvas, step)
    places = _grid(turn, *lines)
    facets = ground.facets(*places)
    if (facets != facets[0]).any():
        # Two faces count their cells apart: nothing lies between the numbers of one and the other.
        step = 1
        lines = _lines(canvas, step)
        places = _grid(turn, *lines)
    columns, rows = (len(line) for line in lines)
    coarse = fields_at(neighbourhood, *places).reshape(len(FIELDS), rows, columns)
    # The elevation is needed for its slopes only: its place is taken by the light they give.
    spacing = np.float32(step * canvas.metres_per_pixel)
    coarse[ELEVATION] = _relief(coarse[ELEVATION], spacing, moment)
    full = _between(coarse, step, canvas.rows, canvas.columns).reshape(len(FIELDS), -1)
    return full[:ELEVATION], full[ELEVATION]


def _grid(turn: Turn, east: Floats, north: Floats) -> tuple[Floats, Floats]:
    """Return the window's metres of all crossings of lines of the picture, row by row."""
    window_east, window_north = turn.back(east[None], north[:, None])
    return window_east.ravel(), window_north.ravel()


def _lines(canvas: Canvas, step: int) -> tuple[Floats, Floats]:
    """Return metres east of every ``step``-th column of a canvas, and north of its rows."""
    rows, columns = -(-(canvas.rows - 1) // step) + 1, -(-(canvas.columns - 1) // step) + 1
    spacing, first = step * canvas.metres_per_pixel, canvas.metres_per_pixel / 2
    return (
        (canvas.west_m + first + np.arange(max(columns, 2)) * spacing).astype(np.float32),
        (canvas.north_m - first - np.arange(max(rows, 2)) * spacing).astype(np.float32),
    )


def _between(coarse: Floats, step: int, rows: int, columns: int) -> Floats:
    """Blend planes (m, r, c) to ``step`` times their density along both axes."""
    if step == 1:
        return np.ascontiguousarray(coarse[:, :rows, :columns])
    full = np.empty((coarse.shape[0], rows, columns), dtype=np.float32)
    wide = np.empty((coarse.shape[1], columns), dtype=np.float32)
    # Plane by plane, so that the parts stay in the processor's cache.
    for plane, out in zip(coarse, full, strict=True):
        rise = plane[:, 1:] - plane[:, :-1]
        wide[:, ::step] = plane[:, : -(-columns // step)]
        for phase in range(1, min(step, columns)):
            count = -(-(columns - phase) // step)
            # Blended in one piece first: arithmetic on every n-th number is slow.
            part = rise[:, :count] * np.float32(phase / step)
            part += plane[:, :count]
            wide[:, phase::step] = part
        rise = wide[1:] - wide[:-1]
        out[::step] = wide[: -(-rows // step)]
        for phase in range(1, min(step, rows)):
            count = -(-(rows - phase) // step)
            part = rise[:count] * np.float32(phase / step)
            np.add(part, wide[:count], out=out[phase::step])
    return full


def _scene(
    neighbourhood: Neighbourhood, canvas: Canvas, turn: Turn, moment: Moment, key: int
) -> Floats:
    """Return planes (3, pixels) of lit colours."""
    side = canvas.metres_per_pixel
    wide, window = _with_shadows(neighbourhood, canvas, turn, moment)
    view = View.of(canvas, wide, window)
    boxes = overhead.gather(neighbourhood, canvas, turn, moment, key)
    houses = Houses.found(view, boxes)
    trees = Trees.found(view, houses, neighbourhood, turn, moment)
    fields, relief = grid_fields(neighbourhood, canvas, turn, moment)
    picture = Picture(np.zeros((3, view.pixels), dtype=np.float32), relief)
    _ground(picture, neighbourhood, fields, view.seen_through(houses, trees), side, moment)
    tints = plot_table(neighbourhood, moment).palette
    climates = climate_at(neighbourhood, np.stack(turn.back(*boxes.centre.T), axis=1))
    hedge = tints.leaf.take(climates, axis=0)
    houses.paint(picture, moment, hedge, side)
    trees.paint(picture, neighbourhood, tints, moment)
    height = trees.height.reshape(wide.rows, wide.columns)
    return _lit(picture, _shade(height, window, moment, side), moment)


def _ground(
    picture: Picture,
    neighbourhood: Neighbourhood,
    fields: Floats,
    visible: NDArray[np.intp] | None,
    footprint_m: float,
    moment: Moment,
) -> None:
    """Paint the ground where it can be seen; None is everywhere."""
    chosen = fields if visible is None else fields.take(visible, axis=1)
    none = chosen[0]
    colours, _ = surface.colour(neighbourhood, none, none, footprint_m, moment, fields=chosen)
    for plane, seen in zip(picture.planes, colours.T, strict=True):
        if visible is None:
            plane[:] = seen
        else:
            plane[visible] = seen


def _with_shadows(
    neighbourhood: Neighbourhood, canvas: Canvas, turn: Turn, moment: Moment
) -> tuple[Canvas, tuple[slice, slice]]:
    """Return the canvas with all that may throw a shadow into it, and where it lies in that."""
    side = canvas.metres_per_pixel
    widest, _ = _widened(canvas, fill.sun_margin(moment.sun, 1e3, side, _LONGEST_SHADOW_M))
    boxes, plants = neighbourhood.buildings, neighbourhood.plants
    highest = 2.0
    for centre, top in (
        (boxes.centre, boxes.eave_m + boxes.rise_m),
        (plants.position, plants.height_m),
    ):
        near = np.flatnonzero(widest.touches(turn.places(centre), np.float32(0)))
        if near.size:
            highest = max(highest, float(top.take(near).max()))
    margins = fill.sun_margin(moment.sun, highest, side, _LONGEST_SHADOW_M)
    return _widened(canvas, margins)


def _widened(
    canvas: Canvas, margins: tuple[int, int, int, int]
) -> tuple[Canvas, tuple[slice, slice]]:
    """Return the canvas with margins (north, south, west, east), and where it lies in that."""
    north, south, west, east = margins
    side = canvas.metres_per_pixel
    wide = Canvas(
        west_m=canvas.west_m - west * side,
        north_m=canvas.north_m + north * side,
        metres_per_pixel=side,
        rows=canvas.rows + north + south,
        columns=canvas.columns + west + east,
    )
    return wide, (slice(north, north + canvas.rows), slice(west, west + canvas.columns))


def _relief(elevation: Floats, spacing: np.float32, moment: Moment) -> Floats:
    """Return the direct light on sloping ground as a share of that on level ground."""
    east, north, up = moment.sun
    south_slope, east_slope = np.gradient(elevation, spacing)
    lit = east_slope * np.float32(-east)
    lit += south_slope * np.float32(north)
    lit += np.float32(up)
    lit /= np.sqrt(east_slope * east_slope + south_slope * south_slope + np.float32(1))
    lit *= np.float32(1 / max(up, 0.25))
    np.clip(lit, 0.1, 1.5, out=lit)
    result: Floats = lit
    return result


def _shade(
    height: Floats, window: tuple[slice, slice], moment: Moment, metres_per_pixel: float
) -> Floats:
    """Return how deep each pixel of the picture lies in shadow, flat, 0 to 1."""
    reached = fill.shaded_height(height, moment.sun, metres_per_pixel)[window]
    shade = reached - height[window]
    shade -= np.float32(0.2)
    shade *= np.float32(1.6)
    np.clip(shade, 0, 1, out=shade)
    soft = shade.copy()
    soft[1:-1] += (shade[2:] + shade[:-2] - 2 * shade[1:-1]) * np.float32(0.22)
    shade = soft.copy()
    shade[:, 1:-1] += (soft[:, 2:] + soft[:, :-2] - 2 * soft[:, 1:-1]) * np.float32(0.22)
    return shade.ravel()


def _lit(picture: Picture, shade: Floats, moment: Moment) -> Floats:
    """Return the picture's planes under sun and sky, seen through a little haze."""
    sunlight, skylight = light(moment)
    # A survey's camera exposes for the ground it sees: low light costs little brightness.
    bright = np.float32(sensor.natural_light(moment) ** _EXPOSURE)
    shade *= np.float32(-0.95)
    shade += np.float32(1)
    shade *= picture.light
    veil = np.float32(min(0.30, 0.02 + 60.0 * moment.haze_per_m))
    for channel in range(3):
        plane = picture.planes[channel]
        gain = shade * (sunlight[channel] * bright * (1 - veil))
        gain += skylight[channel] * bright * (1 - veil)
        plane *= gain
        plane += np.float32(_HAZE[channel]) * veil * bright * np.float32(0.6)
    return picture.planes


def _develop(planes: Floats, moment: Moment, key: int, noise_scale: float) -> NDArray[np.uint8]:
    """Turn light into a picture with the camera of a survey flight."""
    chance = noise.fraction(np.arange(6), key & 0xFFFFFFFF, 7500)
    warm = (float(chance[0]) - 0.5) * 0.10
    camera = sensor.Sensor(
        gain=0.94 + 0.22 * float(chance[1]) + 0.12 * moment.overcast,
        balance=(1.0 + warm, 1.0 + (float(chance[2]) - 0.5) * 0.04, 1.0 - warm),
        gamma=int(float(chance[3]) * 6) + 1,
        grain=0.006 + 0.012 * float(chance[4]),
        tint=0.1 * float(chance[5]),  # what is left of colour noise in a mosaic of many shots
        vignette=0.0,
    )
    return sensor.develop(planes, moment, key, sensor=camera, noise_scale=noise_scale)


def _offset(key: int, most_m: float) -> tuple[float, float]:
    """Return how far east and north of its place a picture lies."""
    chance = noise.fraction(np.arange(2), key & 0xFFFFFFFF, 7501)
    return (
        (float(chance[0]) * 2 - 1) * most_m,
        (float(chance[1]) * 2 - 1) * most_m,
    )
