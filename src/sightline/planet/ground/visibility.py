"""Which of sky, ground, walls, roofs and vehicles each pixel sees: sets that do not overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.planet.ground.rays import Boxes, Hits, Owners, Rays, hits_of
from sightline.planet.ground.relief import FAR_M, Relief

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Part:
    """Pixels that see one sort of thing.

    Attributes:
        pixels: intp (n,), flat in the raster.
        hits: What is seen of the boxes.
        hit: intp (n,), which of the hits each pixel sees.
        top: bool (n,), whether it sees its roof.
    """

    pixels: Indices
    hits: Hits
    hit: Indices
    top: NDArray[np.bool_]


@dataclass(frozen=True)
class Visible:
    """Flat pixels of the raster by what they see, and how far it is.

    Attributes:
        depth: float32 (height, width), horizontal metres; `FAR_M` for the sky.
        sky, ground: intp; disjoint from each other and from the parts.
        walls, roofs, cars: Parts of the boxes.
    """

    depth: Floats
    sky: Indices
    ground: Indices
    walls: Part
    roofs: Part
    cars: Part


def sort_pixels(
    relief: Relief,
    boxes: Boxes,
    rays: Rays,
    owners: Owners,
    shown: NDArray[np.bool_] | None = None,
) -> Visible:
    """Sort pixels by what is nearest.

    Args:
        relief: The ground behind each pixel.
        boxes: What was cast.
        rays: From `rays.cast`.
        owners: From it as well.
        shown: bool (pixels,), which to sort; None for all.
    """
    count = len(rays.box)
    distances = np.full(2 * count + 1, FAR_M, np.float32)
    distances[:-1] = np.repeat(rays.enter, 2)
    depth = distances.take(owners.rank)
    first = relief.first_row
    nearer = depth < FAR_M
    np.less(depth[first:], relief.distance_m, out=nearer[first:])
    np.minimum(depth[first:], relief.distance_m, out=depth[first:])
    landscape = depth < FAR_M
    sky = ~landscape
    landscape &= ~nearer
    if shown is not None:
        for sort in (nearer, landscape, sky):
            sort &= shown.reshape(depth.shape)
    objects = nearer.ravel().nonzero()[0]
    rank = owners.rank.ravel().take(objects)
    kinds = np.zeros(2 * count, np.uint8)
    kinds[1::2] = 1
    vehicle = (rays.box >= len(boxes) - boxes.vehicles).nonzero()[0]
    kinds[2 * vehicle] = 2
    kinds[2 * vehicle + 1] = 2
    kind = kinds.take(rank)
    parts = (
        _part(boxes, rays, objects, rank, (kind == number).nonzero()[0]) for number in range(3)
    )
    return Visible(depth, sky.ravel().nonzero()[0], landscape.ravel().nonzero()[0], *parts)


def _part(boxes: Boxes, rays: Rays, objects: Indices, rank: Indices, chosen: Indices) -> Part:
    rank = rank.take(chosen)
    ray = rank >> 1
    used = np.zeros(len(rays.box), np.bool_)
    used[ray] = True
    seen = used.nonzero()[0]
    number = np.empty(len(used), np.intp)
    number[seen] = np.arange(len(seen))
    top = (rank & 1).astype(np.bool_)
    return Part(objects.take(chosen), hits_of(boxes, rays, seen), number.take(ray), top)
