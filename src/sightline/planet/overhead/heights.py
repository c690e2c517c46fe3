"""What stands over the ground, seen from above: which box each pixel shows, and how high it is.

Buildings, sheds, hedges, fences and vehicles are all boxes here. They are painted from the lowest
to the highest; a pixel that a box covers only in part is kept apart and blended later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from sightline.planet.looks.moment import Moment
from sightline.planet.looks.straightness import Turn
from sightline.planet.overhead import fill
from sightline.planet.overhead.fill import Canvas
from sightline.planet.world import vehicles
from sightline.planet.world.contents import RoofKind, plain
from sightline.planet.world.rows import Rows

if TYPE_CHECKING:
    from sightline.planet.world.neighbourhood import Neighbourhood

_ROOF_KIND = plain(RoofKind)

Floats = NDArray[np.float32]
Integers = NDArray[np.intp]

Array = TypeVar("Array", bound=NDArray[Any])

VEHICLE = 64
"""The kind of a box that is a vehicle; smaller kinds are `BoxKind`."""

_VEHICLE_REACH_M = 8.0
_FAINT = np.float32(0.04)


@dataclass(frozen=True)
class Boxes(Rows):
    """Boxes on a canvas from the lowest to the highest, in the picture's metres.

    See `contents.Buildings`.

    Attributes:
        centre: float64 (n, 2).
        axis: float32 (n, 2).
        half_length: float32 (n,).
        half_width: float32 (n,).
        eave_m: float32 (n,).
        rise_m: float32 (n,).
        roof: int8 (n,).
        kind: int8 (n,), `BoxKind` or `VEHICLE`.
        use: int8 (n,), `Use`; of a vehicle, its kind.
        wall: float32 (n, 3).
        colour: float32 (n, 3), of the roof or the paint.
        phase: float32 (n,) in [0, 1).
        house: uint32 (n,).
    """

    centre: NDArray[np.float64]
    axis: Floats
    half_length: Floats
    half_width: Floats
    eave_m: Floats
    rise_m: Floats
    roof: NDArray[np.int8]
    kind: NDArray[np.int8]
    use: NDArray[np.int8]
    wall: Floats
    colour: Floats
    phase: Floats
    house: NDArray[np.uint32]


@dataclass(frozen=True)
class Coverage:
    """Pixels that boxes cover.

    Attributes:
        pixel: intp (n,), flat index into the canvas.
        item: intp (n,), which box.
        along: float32 (n,), metres along the box's axis.
        across: float32 (n,), metres to the left of it.
        share: float32 (n,), how much of the pixel it covers.
    """

    pixel: Integers
    item: Integers
    along: Floats
    across: Floats
    share: Floats

    def rows(self, chosen: NDArray[np.intp]) -> Coverage:
        """Return chosen entries."""
        return Coverage(
            self.pixel.take(chosen),
            self.item.take(chosen),
            self.along.take(chosen),
            self.across.take(chosen),
            self.share.take(chosen),
        )


def gather(
    neighbourhood: Neighbourhood, canvas: Canvas, turn: Turn, moment: Moment, key: int
) -> Boxes:
    """Return the boxes that a canvas shows, or the shadow of, in the moment's year, lowest first.

    Args:
        neighbourhood: What stands there.
        canvas: What is seen, in the picture's metres.
        turn: What these are among the neighbourhood's.
        moment: Its year decides which buildings stand, its sun where shadows fall.
        key: Decides which parking slots are taken.
    """
    every = neighbourhood.buildings
    reach = every.half_length + every.half_width
    centre = turn.places(every.centre)
    standing = canvas.concerns(centre, reach, every.eave_m + every.rise_m, moment.sun)
    standing &= (every.built_year <= moment.year) & (moment.year < every.gone_year)
    houses = np.flatnonzero(standing)
    slots = neighbourhood.slots
    close = np.flatnonzero(
        canvas.touches(turn.places(slots.position), np.float32(_VEHICLE_REACH_M))
    )
    cars = vehicles.parked(slots.rows(close), key)
    parked = turn.places(cars.position)
    near = np.flatnonzero(canvas.touches(parked, cars.half_length))
    flat = np.zeros(near.size, dtype=np.float32)
    colour = cars.colour[near]

    def join(first: Array, second: NDArray[Any]) -> Array:
        joined = np.concatenate([first[houses], second.astype(first.dtype, copy=False)])
        return cast("Array", joined)

    count = near.size
    together = Boxes(
        centre=join(centre, parked[near]),
        axis=turn.directions(join(every.axis, cars.axis[near])).astype(np.float32),
        half_length=join(every.half_length, cars.half_length[near]),
        half_width=join(every.half_width, cars.half_width[near]),
        eave_m=join(every.eave_m, cars.height[near]),
        rise_m=join(every.rise_m, flat),
        roof=join(every.roof, np.full(count, _ROOF_KIND.FLAT)),
        kind=join(every.kind, np.full(count, VEHICLE)),
        use=join(every.use, cars.kind[near]),
        wall=join(every.wall, colour),
        colour=join(every.roof_colour, colour),
        phase=join(every.phase, flat),
        house=join(every.house, np.zeros(count)),
    )
    return together.rows(np.argsort(together.eave_m + together.rise_m, kind="stable"))


def cover(canvas: Canvas, boxes: Boxes) -> tuple[Coverage, Coverage]:
    """Return which box each pixel shows, and the faint edges that lie over those.

    Args:
        canvas: Where to draw.
        boxes: Lowest first.

    Returns:
        The highest box of each pixel that is covered by half or more; and all boxes that cover less
        than half of a pixel, lowest first.
    """
    pixels = fill.boxes(canvas, boxes.centre, boxes.axis, boxes.half_length, boxes.half_width)
    share = _shares(canvas, boxes, pixels)
    mostly = share >= np.float32(0.5)
    hard = np.flatnonzero(mostly)
    faint = np.flatnonzero((share > _FAINT) & ~mostly)
    found = Coverage(pixels.pixel, pixels.owner, pixels.along, pixels.across, share)
    return found.rows(_highest(canvas, pixels, hard)), found.rows(faint)


def heights(boxes: Boxes, seen: Coverage) -> Floats:
    """Return the height over the ground of each entry, float32 (n,)."""
    item = seen.item
    height = boxes.eave_m.take(item)
    pitched = np.flatnonzero((boxes.rise_m > 0).take(item))
    if pitched.size:
        chosen = item.take(pitched)
        across = seen.across.take(pitched)
        share = _roof_share(boxes, chosen, seen.along.take(pitched), across)
        height[pitched] += share * boxes.rise_m.take(chosen)
    return height


def _roof_share(boxes: Boxes, item: Integers, along: Floats, across: Floats) -> Floats:
    """Return how far up its roof each place lies, 0 at the eave and 1 at the ridge."""
    half_width, half_length = boxes.half_width.take(item), boxes.half_length.take(item)
    kind = boxes.roof.take(item)
    inside = half_width - np.abs(across)
    share = inside / half_width
    hip = np.flatnonzero(kind == int(_ROOF_KIND.HIP))
    if hip.size:
        narrow = np.minimum(half_width.take(hip), half_length.take(hip))
        ends = half_length.take(hip) - np.abs(along.take(hip))
        share[hip] = np.minimum(inside.take(hip), ends) / narrow
    shed = np.flatnonzero(kind == int(_ROOF_KIND.SHED))
    if shed.size:
        share[shed] = np.float32(0.5) + across.take(shed) / (2 * half_width.take(shed))
    np.clip(share, 0, 1, out=share)
    return share


def _shares(canvas: Canvas, boxes: Boxes, pixels: fill.Pixels) -> Floats:
    """Return how much of each pixel its box covers: the product of both directions."""
    scale = np.float32(1.0 / canvas.metres_per_pixel)
    total: Floats | None = None
    for place, half in ((pixels.along, boxes.half_length), (pixels.across, boxes.half_width)):
        most = np.minimum(np.float32(1), half * (2 * scale))
        share = np.abs(place)
        share *= -scale
        share += (half * scale + np.float32(0.5)).take(pixels.owner)
        np.minimum(share, most.take(pixels.owner), out=share)
        total = share if total is None else np.multiply(total, share, out=total)
    assert total is not None  # noqa: S101 - both directions were taken
    return np.maximum(total, 0, out=total)


def _highest(canvas: Canvas, pixels: fill.Pixels, chosen: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return, of chosen entries, the last of each pixel, in order of pixels."""
    owner = np.full(canvas.rows * canvas.columns, -1, dtype=np.intp)
    owner[pixels.pixel.take(chosen)] = chosen
    last: NDArray[np.intp] = owner.take(np.flatnonzero(owner >= 0))
    return last
