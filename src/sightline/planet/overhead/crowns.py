"""Tree crowns from above: a set of stamps per species, made once from hashes, and where they stand.

A stamp is a small relief of overlapping lumps (or fronds, or a cone) with its slopes, so that light
from any direction gives the same crown another look at no cost but a table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.planet.looks import noise
from sightline.planet.looks.moment import Moment
from sightline.planet.looks.palette import Palette, foliage
from sightline.planet.looks.straightness import Turn
from sightline.planet.overhead import fill
from sightline.planet.overhead.fill import Canvas
from sightline.planet.world.contents import Species

if TYPE_CHECKING:
    from sightline.planet.world.neighbourhood import Neighbourhood

Floats = NDArray[np.float32]
Integers = NDArray[np.intp]

SIDE = 40
"""Texels along each side of a stamp."""
VARIANTS = 8
_TEXELS = SIDE * SIDE
_YEARS_TO_GROW = 22.0

# species: lumps, their size, flatness of the crown, whether it is a cone.
_SHAPES = {
    Species.BROADLEAF: (17, 0.40, 0.75, False),
    Species.CONIFER: (0, 0.0, 2.6, True),
    Species.SHRUB: (9, 0.50, 0.6, False),
    Species.PALM: (-9, 0.0, 0.35, False),
    Species.SAVANNA: (14, 0.46, 0.28, False),
    Species.CYPRESS: (0, 0.0, 3.6, True),
    Species.POPLAR: (7, 0.48, 1.6, False),
}
_NEEDLES, _EVERGREEN = np.zeros((2, len(Species)), np.bool_)
_NEEDLES[[Species.CONIFER, Species.CYPRESS]] = True
_EVERGREEN[[Species.PALM, Species.SHRUB]] = True


@dataclass(frozen=True)
class Stamps:
    """All stamps, flat: species, then variant, then texel.

    Attributes:
        share: float32 (n,), how much of the texel is crown.
        drop: float32 (n,), how far below the top it lies, in radii.
        normal: float32 (3, n), east, north, up.
        tone: float32 (n,), lightness of the leaves, about 1.
        leaf: float32 (n,), order in which leaves fall, 0 to 1.
    """

    share: Floats
    drop: Floats
    normal: Floats
    tone: Floats
    leaf: Floats


@dataclass(frozen=True)
class Crowns:
    """Pixels that crowns cover, the highest crown of each.

    Attributes:
        pixel: intp (n,), flat index into the canvas.
        plant: intp (n,), row of the neighbourhood's plants.
        texel: intp (n,), index into the stamps.
        height_m: float32 (n,), over the ground.
        share: float32 (n,), how much of the pixel is crown.
    """

    pixel: Integers
    plant: Integers
    texel: Integers
    height_m: Floats
    share: Floats

    def rows(self, chosen: NDArray[np.intp]) -> Crowns:
        """Return chosen entries."""
        return Crowns(
            self.pixel.take(chosen),
            self.plant.take(chosen),
            self.texel.take(chosen),
            self.height_m.take(chosen),
            self.share.take(chosen),
        )


def grown(planted_year: NDArray[np.integer], year: int) -> Floats:
    """Return how much of its full size each plant has reached, 0 before it is planted.

    Args:
        planted_year: (n,), `contents.ALWAYS` for old trees.
        year: The moment's.
    """
    age = np.float32(year) - planted_year.astype(np.float32)
    size = np.clip(np.float32(0.25) + age * np.float32(0.75 / _YEARS_TO_GROW), 0, 1)
    return np.where(age < 0, np.float32(0), size).astype(np.float32)


def cover(
    neighbourhood: Neighbourhood,
    canvas: Canvas,
    turn: Turn,
    moment: Moment,
    picture: Canvas | None = None,
) -> Crowns:
    """Return which crown each pixel shows.

    Args:
        neighbourhood: What grows there.
        canvas: Where to draw, in the picture's metres.
        turn: What these are among the neighbourhood's.
        moment: Its year decides how large plants are, its season how many leaves they have.
        picture: The part of the canvas that is seen: what stands outside and throws no shadow into
            it may be left out. By default all is.
    """
    plants = neighbourhood.plants
    seen = canvas if picture is None else picture
    position = turn.places(plants.position)
    chosen = np.flatnonzero(seen.concerns(position, plants.radius_m, plants.height_m, moment.sun))
    size = grown(plants.planted_year[chosen], moment.year)
    height = plants.height_m[chosen] * size
    order = np.argsort(height, kind="stable")
    order = order[np.flatnonzero(size.take(order) > 0)]
    chosen, height = chosen.take(order), height.take(order)
    radius = plants.radius_m[chosen] * size.take(order)
    pixels = fill.discs(canvas, position[chosen], radius)
    return _stamped(canvas, neighbourhood, moment, pixels, chosen, height, radius)


def _stamped(
    canvas: Canvas,
    neighbourhood: Neighbourhood,
    moment: Moment,
    pixels: fill.Pixels,
    chosen: NDArray[np.intp],
    height: Floats,
    radius: Floats,
) -> Crowns:
    """Look the stamps up, drop what is no crown, and keep the highest of each pixel."""
    stamps = _stamps()
    plants = neighbourhood.plants
    key = plants.key[chosen]
    species = plants.species[chosen].astype(np.intp)
    first_texel = (species * VARIANTS + (key & np.uint32(VARIANTS - 1)).astype(np.intp)) * _TEXELS
    per_metre = np.float32(SIDE / 2) / radius
    scale = per_metre.take(pixels.owner)
    across = pixels.along * scale
    across += np.float32(SIDE / 2)
    down = pixels.across * -scale
    down += np.float32(SIDE / 2)
    np.clip(across, 0, SIDE - 1, out=across)
    np.clip(down, 0, SIDE - 1, out=down)
    texel = down.astype(np.intp)
    texel *= SIDE
    texel += across.astype(np.intp)
    texel += first_texel.take(pixels.owner)
    share = stamps.share.take(texel)
    bare = _bareness(neighbourhood, chosen, moment)
    if bare is not None:
        fallen = stamps.leaf.take(texel) < bare.take(pixels.owner)
        share[fallen] *= np.float32(0.22)
    kept = np.flatnonzero(share > np.float32(0.12))
    owner = np.full(canvas.rows * canvas.columns, -1, dtype=np.intp)
    owner[pixels.pixel.take(kept)] = kept
    seen = owner.take(np.flatnonzero(owner >= 0))
    plant, texel = pixels.owner.take(seen), texel.take(seen)
    top = height.take(plant)
    top -= stamps.drop.take(texel) * radius.take(plant)
    return Crowns(
        pixel=pixels.pixel.take(seen),
        plant=chosen.take(plant),
        texel=texel,
        height_m=np.maximum(top, np.float32(0.2), out=top),
        share=share.take(seen),
    )


def colours(
    neighbourhood: Neighbourhood, seen: Crowns, tints: Palette, moment: Moment
) -> tuple[Floats, Floats]:
    """Return each entry's colour, planes float32 (3, n), and its direct light, float32 (n,).

    Args:
        neighbourhood: What grows there.
        seen: Entries of `cover`.
        tints: Colours of the neighbourhood's climates.
        moment: Where the sun stands.
    """
    plants = neighbourhood.plants
    place = np.zeros(len(plants.tint), dtype=np.intp)
    place[seen.plant] = 1
    rows = place.nonzero()[0]
    place[rows] = np.arange(rows.size, dtype=np.intp)
    species = plants.species[rows]
    paint = foliage(
        tints,
        plants.climate[rows],
        plants.tint[rows],
        needles=_NEEDLES.take(species),
        evergreen=_EVERGREEN.take(species),
    )
    item = place.take(seen.plant)
    tone = _stamps().tone.take(seen.texel)
    planes = np.empty((3, item.size), dtype=np.float32)
    for channel in range(3):
        np.ascontiguousarray(paint[:, channel]).take(item, out=planes[channel])
        planes[channel] *= tone
    return planes, _lights(seen.texel, moment.sun)


def _bareness(
    neighbourhood: Neighbourhood, chosen: NDArray[np.intp], moment: Moment
) -> Floats | None:
    """Return the share of leaves each plant has lost; None where nothing is bare."""
    if moment.leaf > 0.97:
        return None
    plants = neighbourhood.plants
    warm = np.array([each.temperature for each in neighbourhood.climates], dtype=np.float32)
    seasonal = np.float32(1) - np.clip((warm - np.float32(0.6)) * np.float32(6), 0, 1)
    bare = seasonal.take(plants.climate[chosen]) * np.float32(1 - moment.leaf)
    bare[(_NEEDLES | _EVERGREEN).take(plants.species[chosen])] = 0
    lost: Floats = bare * np.float32(0.72)
    return lost


def _lights(texel: Integers, sun: tuple[float, float, float]) -> Floats:
    """Return the direct light on texels, as a share of that on level ground."""
    lit = np.zeros(texel.size, dtype=np.float32)
    for slope, part in zip(_stamps().normal, sun, strict=True):
        facing = slope.take(texel)
        facing *= np.float32(part / max(sun[2], 0.35))
        lit += facing
    np.clip(lit, 0.05, 1.35, out=lit)
    return lit


@cache
def _stamps() -> Stamps:
    each = [_stamp(species, variant) for species in Species for variant in range(VARIANTS)]
    return Stamps(
        share=np.concatenate([stamp.share for stamp in each]),
        drop=np.concatenate([stamp.drop for stamp in each]),
        normal=np.ascontiguousarray(np.concatenate([stamp.normal for stamp in each], axis=1)),
        tone=np.concatenate([stamp.tone for stamp in each]),
        leaf=np.concatenate([stamp.leaf for stamp in each]),
    )


def _stamp(species: Species, variant: int) -> Stamps:
    """Return one stamp."""
    lumps, size, depth, cone = _SHAPES[species]
    position = ((np.arange(SIDE) + 0.5) / SIDE * 2 - 1).astype(np.float32)
    east, north = np.meshgrid(position, -position)
    salt = 7300 + int(species) * 64 + variant
    axis = np.arange(SIDE)
    grain = noise.fraction(axis[None, :], axis[:, None], salt) - np.float32(0.5)
    if cone:
        radius, angle = np.hypot(east, north), np.arctan2(north, east)
        arms = np.sin(angle * (9 + variant % 3) + variant)
        relief = 1 - radius - np.abs(grain) * 0.12 + arms * radius * 0.07
        share = (0.97 + arms * 0.06 - radius) * 9
    elif lumps < 0:
        relief, share = _fronds(east, north, -lumps, salt)
    else:
        relief = _lumps(east, north, lumps, size, salt)
        share = (relief - 0.06 + grain * 0.16) * 7
    slope_south, slope_east = np.gradient(relief * depth, 2 / SIDE)
    up = 1 / np.sqrt(1 + slope_east**2 + slope_south**2)
    inside = np.clip(relief, 0, 1)
    leaf = noise.fraction(axis[None, :] // 2, axis[:, None] // 2, salt + 32)
    return Stamps(
        share=_flat(np.clip(share, 0, 1)),
        drop=_flat((inside.max() - inside) * depth),
        normal=np.stack([_flat(-slope_east * up), _flat(slope_south * up), _flat(up)]),
        tone=_flat(0.80 + 0.34 * inside + grain * 0.34),
        leaf=_flat(leaf),
    )


def _flat(texels: NDArray[np.floating]) -> Floats:
    return texels.astype(np.float32).ravel()


def _lumps(east: Floats, north: Floats, count: int, size: float, salt: int) -> Floats:
    """Return the upper hull of hemispheres scattered over the crown."""
    number = np.arange(count)
    chance = [noise.fraction(number, draw, salt) for draw in range(3)]
    relief = np.zeros_like(east)
    for each in range(count):
        angle = 2 * math.pi * (each * 0.381966 + 0.2 * float(chance[0][each]))
        away = 0.68 * math.sqrt((each + 0.5 * float(chance[1][each])) / count)
        width = size * (0.75 + 0.5 * float(chance[2][each]))
        apart = (east - math.cos(angle) * away) ** 2 + (north - math.sin(angle) * away) ** 2
        dome = np.sqrt(np.maximum(width * width - apart, 0))
        raised = np.float32(0.55 * (1 - away * away))
        relief = np.maximum(relief, np.where(dome > 0, dome + raised, 0))
    return relief.astype(np.float32)


def _fronds(east: Floats, north: Floats, count: int, salt: int) -> tuple[Floats, Floats]:
    """Return relief and share of leaves that hang from one point like a star."""
    turn = float(noise.fraction(np.array([0]), 0, salt)[0]) * 2 * math.pi
    radius = np.hypot(east, north)
    around = np.abs(np.sin((np.arctan2(north, east) + turn) * (count / 2)))
    blade = np.clip(1.0 - radius, 0, 1) * 0.75 + 0.25
    share = (blade - (1 - around) * 0.9 + 0.08) * 5 * (radius < 1)
    relief = np.clip(1 - radius * radius, 0, 1) * (0.7 + 0.3 * around)
    return relief.astype(np.float32), share.astype(np.float32)
