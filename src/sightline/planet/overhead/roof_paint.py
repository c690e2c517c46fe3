"""What roofs, hedges, fences and vehicles look like from above.

Everything is worked out in a box's own axes, for the pixels that show one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.planet.looks import coverage, noise
from sightline.planet.looks.moment import Moment
from sightline.planet.looks.palette import SNOW
from sightline.planet.overhead.heights import VEHICLE, Boxes, Coverage
from sightline.planet.world.contents import BoxKind, RoofKind, Use, plain

_BOX_KIND, _ROOF_KIND, _USE = plain(BoxKind), plain(RoofKind), plain(Use)

Floats = NDArray[np.float32]
Integers = NDArray[np.intp]

_FACES = 5
MACHINE_M = 1.2
"""How far machines rise above their roof."""

# Members of enumerations are slow to compare with arrays.
_FLAT, _HIP, _SHED, _GABLE = (
    int(each) for each in (_ROOF_KIND.FLAT, _ROOF_KIND.HIP, _ROOF_KIND.SHED, _ROOF_KIND.GABLE)
)
_BUILDING, _HEDGE = int(_BOX_KIND.BUILDING), int(_BOX_KIND.HEDGE)
_DETACHED = int(_USE.DETACHED)
_GLASS = np.float32(0.16)
_DUE_SOUTH = np.float32(-1e-3)  # not 0: many houses stand along meridians, and windows round


@dataclass(frozen=True)
class Coats:
    """Colour and light of every box.

    Attributes:
        colour: float32 (3, boxes), before light, snow included.
        light: float32 (boxes * faces,), direct light as a share of that on level ground.
    """

    colour: Floats
    light: Floats


@dataclass(frozen=True)
class Painted:
    """What entries of a `Coverage` look like.

    Attributes:
        planes: float32 (3, n), colours before light.
        light: float32 (n,), direct light as a share of that on level ground.
    """

    planes: Floats
    light: Floats


def paint(
    boxes: Boxes,
    seen: Coverage,
    machine: NDArray[np.int8],
    coats: Coats,
    moment: Moment,
    footprint_m: float,
) -> Painted:
    """Return colours and light of entries.

    Args:
        boxes: What stands there.
        seen: Which pixels show which box, and where on it.
        machine: int8, of `machines`.
        coats: Of `coats_of`.
        moment: Its year decides how many roofs have panels.
        footprint_m: Side of a pixel.
    """
    painted = paint_plainly(boxes, seen, coats)
    planes = painted.planes
    tone = _tone(boxes, seen, footprint_m)
    for channel in range(3):
        planes[channel] *= tone
    _flat_roofs(planes, boxes, seen, footprint_m)
    on = np.flatnonzero(machine)
    grey = _MACHINES.take(machine.take(on))
    for channel in range(3):
        planes[channel][on] = grey
    _panels(planes, boxes, seen, moment)
    _vehicles(planes, boxes, seen, footprint_m)
    return painted


def paint_plainly(boxes: Boxes, seen: Coverage, coats: Coats) -> Painted:
    """Return colours and light without details: enough for edges that cover less than half."""
    planes = np.empty((3, seen.item.size), dtype=np.float32)
    for channel in range(3):
        coats.colour[channel].take(seen.item, out=planes[channel])
    face = _side(boxes, seen)
    face += seen.item * _FACES
    return Painted(planes, coats.light.take(face))


def coats_of(boxes: Boxes, moment: Moment, hedge: Floats) -> Coats:
    """Return what every box is coated with.

    Args:
        boxes: What stands there.
        moment: Sun and snow.
        hedge: float32 (boxes, 3), the colour that each would have as a hedge.
    """
    base = _base_colours(boxes, hedge)
    if moment.snow > 0:
        kept = np.full(boxes.kind.size, 0.85 * moment.snow, dtype=np.float32)
        kept[boxes.kind == VEHICLE] *= np.float32(0.25)
        kept[boxes.kind == _HEDGE] *= np.float32(0.55)
        base += (SNOW[:, None] * np.float32(0.93) - base) * kept
    return Coats(base, _sides(boxes, moment))


def machines(boxes: Boxes, seen: Coverage) -> NDArray[np.int8]:
    """Return which machine on a large flat roof each entry shows, 0 for none."""
    number = np.zeros(seen.item.size, dtype=np.int8)
    big = (boxes.roof == _FLAT) & (boxes.half_width > np.float32(4.5))
    big &= (boxes.kind == _BUILDING) & (boxes.use != _DETACHED)
    if not big.any():
        return number
    on = np.flatnonzero(big.take(seen.item))
    item = seen.item.take(on)
    along, across = seen.along.take(on), seen.across.take(on)
    for machine in range(3):
        bits = noise.hashed(boxes.house, machine, 7400)
        part = [((bits >> np.uint32(8 * k)) & np.uint32(255)).astype(np.float32) for k in range(3)]
        half = np.float32(0.8) + part[2] * np.float32(1.6 / 255)
        first = (part[0] * np.float32(1.7 / 255) - np.float32(0.85)) * (boxes.half_length - 2.5)
        second = (part[1] * np.float32(1.4 / 255) - np.float32(0.7)) * (boxes.half_width - 2)
        near = np.flatnonzero(
            np.abs(along - first.take(item)) < (half * np.float32(1.4)).take(item)
        )
        off = np.abs(across.take(near) - second.take(item.take(near)))
        near = near.take(np.flatnonzero(off < half.take(item.take(near))))
        number[on.take(near)] = machine + 1
    return number


def _base_colours(boxes: Boxes, hedge: Floats) -> Floats:
    """Return planes (3, boxes): roofs, or walls for what has no roof."""
    colour = boxes.colour.copy()
    kind = boxes.kind
    is_hedge = kind == _HEDGE
    colour[is_hedge] = hedge[is_hedge] * (
        np.float32(0.85) + np.float32(0.3) * boxes.phase[is_hedge, None]
    )
    bare = (kind == _BOX_KIND.FENCE) | (kind == _BOX_KIND.WALL)
    colour[bare] = boxes.wall[bare] * np.float32(0.9)
    return np.ascontiguousarray(colour.T)


def _tone(boxes: Boxes, seen: Coverage, footprint_m: float) -> Floats:
    """Return the lightness of each entry: grain, courses of tiles, ridge and eave lines."""
    item = seen.item
    shift = boxes.phase.take(item)
    shift *= np.float32(211)
    along = seen.along + shift
    texel = noise.index(along, seen.across, 3.0)
    grain, stain = noise.fine().take(texel), noise.medium().take(texel)
    rough = np.where(boxes.kind == _HEDGE, np.float32(0.30), np.float32(0.07))
    tone = grain * rough.take(item)
    tone += stain * np.float32(0.09)
    tone += np.float32(1)
    pitched = np.flatnonzero((boxes.rise_m > np.float32(0.05)).take(item))
    if pitched.size:
        chosen = item.take(pitched)
        across = np.abs(seen.across.take(pitched))
        ridge = coverage.line(across, 0.35, np.float32(footprint_m))
        ridge *= (boxes.roof != _SHED).astype(np.float32).take(chosen)
        gutter = boxes.half_width.take(chosen) - across
        gutter = coverage.line(gutter - np.float32(0.1), 0.3, np.float32(footprint_m))
        fine = coverage.fade(0.40, np.float32(footprint_m))
        add = ridge * np.float32(0.10) - gutter * np.float32(0.16)
        if fine > 0:
            courses = across * np.float32(1 / 0.34)
            courses -= np.floor(courses)
            add += (courses - np.float32(0.5)) * np.float32(0.16 * fine)
        tone[pitched] += add
    return tone


def _sides(boxes: Boxes, moment: Moment) -> Floats:
    """Return float32 (boxes * _FACES,): light on the faces in the order of `_side`."""
    east, north, up = (np.float32(part) for part in moment.sun)
    forward = boxes.axis[:, 0] * east + boxes.axis[:, 1] * north
    left = boxes.axis[:, 0] * north - boxes.axis[:, 1] * east
    slope = boxes.rise_m / np.maximum(boxes.half_width, np.float32(0.1))
    slope = np.where(boxes.roof == _SHED, -slope * np.float32(0.5), slope)
    slope = np.where(boxes.roof == _FLAT, np.float32(0), slope)
    size = np.float32(1) / np.sqrt(1 + slope * slope)
    level = np.full(slope.size, up, dtype=np.float32)
    faces = np.stack(
        [
            level,
            (up + slope * left) * size,
            (up - slope * left) * size,
            (up + slope * forward) * size,
            (up - slope * forward) * size,
        ],
        axis=1,
    )
    faces *= np.float32(1) / max(up, np.float32(0.25))
    lit: Floats = np.clip(faces, 0.04, 1.35).astype(np.float32).ravel()
    return lit


def _side(boxes: Boxes, seen: Coverage) -> Integers:
    """Return which face each entry shows: 0 level, 1 left, 2 right, 3 and 4 hipped ends."""
    # Two-sided roofs: 1 or 2 by the sign of ``across``; others have one face.
    two = ((boxes.roof == _GABLE) | (boxes.roof == _HIP)).astype(np.intp)
    first = two + (boxes.roof == _SHED)
    side: Integers = (seen.across <= 0).astype(np.intp)
    side *= two.take(seen.item)
    side += first.take(seen.item)
    hip = np.flatnonzero((boxes.roof == _HIP).take(seen.item))
    if hip.size:
        item = seen.item.take(hip)
        along = seen.along.take(hip)
        ends = boxes.half_length.take(item) - np.abs(along)
        ends -= boxes.half_width.take(item) - np.abs(seen.across.take(hip))
        end = np.flatnonzero(ends < 0)
        side[hip.take(end)] = 3 + (along.take(end) <= 0)
    return side


def _flat_roofs(
    planes: Floats,
    boxes: Boxes,
    seen: Coverage,
    footprint_m: float,
) -> None:
    """Draw parapets and seams on flat roofs."""
    item = seen.item
    flat = np.flatnonzero(((boxes.roof == _FLAT) & (boxes.kind == _BUILDING)).take(item))
    if not flat.size:
        return
    chosen = item.take(flat)
    inside = np.minimum(
        boxes.half_length.take(chosen) - np.abs(seen.along.take(flat)),
        boxes.half_width.take(chosen) - np.abs(seen.across.take(flat)),
    )
    footprint = np.float32(footprint_m)
    parapet = coverage.line(inside - np.float32(0.2), 0.4, footprint)
    behind = coverage.line(inside - np.float32(0.75), 0.5, footprint)
    seams = coverage.dashes(seen.along.take(flat), 0.12, 3.4, footprint)
    factor = np.float32(1) + parapet * np.float32(0.22)
    factor -= behind * np.float32(0.13)
    factor -= seams * np.float32(0.10)
    for channel in range(3):
        planes[channel][flat] *= factor


_MACHINES = np.array([0, 0.58, 0.42, 0.68], dtype=np.float32)


def _panels(planes: Floats, boxes: Boxes, seen: Coverage, moment: Moment) -> None:
    """Lay solar panels on one side of some pitched roofs, more of them as years pass."""
    share = 0.16 * min(1.0, max(0.0, (moment.year - 2009) / 16.0))
    bits = noise.hashed(boxes.house, 5, 7401)
    has = (bits & np.uint32(1023)).astype(np.float32) < np.float32(share * 1024)
    has &= (boxes.rise_m > np.float32(0.6)) & (boxes.kind == _BUILDING)
    if not has.any():
        return
    on = np.flatnonzero(has.take(seen.item))
    item = seen.item.take(on)
    # Panels look to the noon sun: to the side of the roof that has more of it.
    south = -boxes.axis[:, 0] if moment.sun[1] < 0 else boxes.axis[:, 0]
    left = np.where(south >= _DUE_SOUTH, np.float32(1), np.float32(-1)).take(item)
    across = seen.across.take(on) * left / boxes.half_width.take(item)
    along = np.abs(seen.along.take(on)) / boxes.half_length.take(item)
    within = (np.abs(across - np.float32(0.5)) < np.float32(0.3)) & (along < np.float32(0.62))
    shown = on.take(np.flatnonzero(within))
    for channel, value in enumerate((0.10, 0.13, 0.22)):
        planes[channel][shown] = np.float32(value)


def _vehicles(planes: Floats, boxes: Boxes, seen: Coverage, footprint_m: float) -> None:
    """Draw windscreens, rear and side windows."""
    on = np.flatnonzero((boxes.kind == VEHICLE).take(seen.item))
    if not on.size:
        return
    item = seen.item.take(on)
    half_length, half_width = boxes.half_length.take(item), boxes.half_width.take(item)
    along: Floats = seen.along.take(on) / half_length
    across: Floats = np.abs(seen.across.take(on))
    across /= half_width
    soft: Floats = np.float32(footprint_m) / half_length
    front = coverage.line(along - np.float32(0.28), 0.24, soft)
    rear = coverage.line(along + np.float32(0.62), 0.16, soft)
    sides = coverage.line(across - np.float32(0.88), 0.16, np.float32(footprint_m / 0.9))
    sides *= coverage.inside(np.float32(0.5) - np.abs(along + np.float32(0.15)), soft)
    glass = np.maximum(np.maximum(front, rear), sides * np.float32(0.7))
    glass *= np.float32(0.9)
    for channel in range(3):
        plane = planes[channel].take(on)
        plane += (_GLASS - plane) * glass
        planes[channel][on] = plane
