"""Finds what is seen from above, layer by layer, and paints it: houses first, trees over them.

Finding comes before painting, so that the ground, the dearest layer, is worked out only where it
shows between the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.planet.looks.moment import Moment
from sightline.planet.looks.palette import Palette
from sightline.planet.looks.straightness import Turn
from sightline.planet.overhead import crowns
from sightline.planet.overhead import heights as overhead
from sightline.planet.overhead import roof_paint as overhead_roofs
from sightline.planet.overhead.crowns import Crowns
from sightline.planet.overhead.fill import Canvas
from sightline.planet.overhead.heights import Boxes, Coverage

if TYPE_CHECKING:
    from sightline.planet.world.neighbourhood import Neighbourhood

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

_FULL = np.float32(0.98)
_THICK = np.float32(0.4)  # crowns throw shadows where they cover at least this much of a pixel


@dataclass(frozen=True)
class View:
    """A picture within the wider canvas that its shadows need.

    Attributes:
        picture: The picture's own canvas.
        canvas: The wider canvas.
        pixels: How many pixels the picture has.
        place: intp (canvas pixels,), the index of each in the picture, -1 outside.
    """

    picture: Canvas
    canvas: Canvas
    pixels: int
    place: Indices

    @classmethod
    def of(cls, picture: Canvas, wide: Canvas, window: tuple[slice, slice]) -> View:
        """Return the view of a picture that lies at ``window`` of a wider canvas."""
        pixels = picture.rows * picture.columns
        place = np.full((wide.rows, wide.columns), -1, dtype=np.intp)
        place[window] = np.arange(pixels).reshape(picture.rows, picture.columns)
        return cls(picture, wide, pixels, place.ravel())

    def seen_through(self, houses: Houses, trees: Trees) -> Indices | None:
        """Return the pixels in which some ground shows; None where that is nearly all."""
        hidden = np.zeros(self.pixels, dtype=bool)
        for place, share in ((houses.place, houses.solid.share), (trees.place, trees.seen.share)):
            hidden[place.take(np.flatnonzero(share > _FULL))] = True
        visible = np.flatnonzero(~hidden)
        return None if visible.size > 0.85 * self.pixels else visible


@dataclass
class Picture:
    """A picture in the making.

    Attributes:
        planes: float32 (3, pixels), colours before light.
        light: float32 (pixels,), direct light as a share of that on level ground.
    """

    planes: Floats
    light: Floats

    def blend(self, pixel: Indices, colour: Floats, lit: Floats, share: Floats) -> None:
        """Move pixels, each named once, towards colours and their light."""
        for plane, towards in zip((*self.planes, self.light), (*colour, lit), strict=True):
            here = plane.take(pixel)
            part = towards - here
            part *= share
            here += part
            plane[pixel] = here


@dataclass(frozen=True)
class Houses:
    """Boxes that are seen: buildings, sheds, hedges, fences and vehicles.

    Attributes:
        boxes: All of them.
        height: float32 (canvas pixels,), metres over the ground.
        solid: The box of each pixel of the picture that is covered by half or more.
        place: intp, the picture's pixels of ``solid``.
        machine: int8, which machine on a flat roof each entry of ``solid`` shows, 0 for none.
        edge: Boxes that cover less than half a pixel.
        edge_place: intp, the picture's pixels of ``edge``.
    """

    boxes: Boxes
    height: Floats
    solid: Coverage
    place: Indices
    machine: NDArray[np.int8]
    edge: Coverage
    edge_place: Indices

    @classmethod
    def found(cls, view: View, boxes: Boxes) -> Houses:
        """Return what is seen of boxes."""
        canvas = view.canvas
        height = np.zeros(canvas.rows * canvas.columns, dtype=np.float32)
        solid, edge = overhead.cover(canvas, boxes)
        machine = overhead_roofs.machines(boxes, solid)
        over = overhead.heights(boxes, solid)
        over += (machine > 0) * np.float32(overhead_roofs.MACHINE_M)
        height[solid.pixel] = over
        place = view.place.take(solid.pixel)
        inside = np.flatnonzero(place >= 0)
        edge_place = view.place.take(edge.pixel)
        edge_inside = np.flatnonzero(edge_place >= 0)
        return cls(
            boxes,
            height,
            solid.rows(inside),
            place.take(inside),
            machine.take(inside),
            edge.rows(edge_inside),
            edge_place.take(edge_inside),
        )

    def paint(self, picture: Picture, moment: Moment, hedge: Floats, footprint_m: float) -> None:
        """Paint what is solid, then the edges, which fill what the solid left of their pixels."""
        solid, pixel = self.solid, self.edge_place
        if not self.boxes.phase.size:
            return
        share = np.zeros(picture.light.size, dtype=np.float32)
        owner = np.full(picture.light.size, -1, dtype=np.intp)
        share[self.place], owner[self.place] = solid.share, solid.item
        left = np.float32(1) - share.take(pixel)
        below = self.edge.item < owner.take(pixel)
        shown = np.flatnonzero(~below | (left > np.float32(0.02)))
        edge, pixel, left = self.edge.rows(shown), pixel.take(shown), left.take(shown)
        layers = (*picture.planes, picture.light)
        ground = [layer.take(pixel) for layer in layers]
        coats = overhead_roofs.coats_of(self.boxes, moment, hedge)
        painted = overhead_roofs.paint(self.boxes, solid, self.machine, coats, moment, footprint_m)
        picture.blend(self.place, painted.planes, painted.light, solid.share)
        # An edge takes its share from the ground first; over a lower box it covers that as well.
        from_ground = np.minimum(edge.share, left)
        rest = (edge.share - from_ground) * (np.float32(1) - below.take(shown))
        over = overhead_roofs.paint_plainly(self.boxes, edge, coats)
        for layer, old, new in zip(layers, ground, (*over.planes, over.light), strict=True):
            here = layer.take(pixel)
            layer[pixel] = here + (new - old) * from_ground + (new - here) * rest


@dataclass(frozen=True)
class Trees:
    """Crowns that rise above the boxes under them.

    Attributes:
        seen: Their pixels in the picture.
        place: intp, the picture's pixels of ``seen``.
        height: float32 (canvas pixels,), metres over the ground, boxes included.
    """

    seen: Crowns
    place: Indices
    height: Floats

    @classmethod
    def found(
        cls, view: View, houses: Houses, neighbourhood: Neighbourhood, turn: Turn, moment: Moment
    ) -> Trees:
        """Return what is seen of trees over houses."""
        seen = crowns.cover(neighbourhood, view.canvas, turn, moment, view.picture)
        height = houses.height
        higher = np.flatnonzero(seen.height_m > height.take(seen.pixel))
        pixel = seen.pixel.take(higher)
        height = height.copy()
        thick = np.flatnonzero(seen.share.take(higher) > _THICK)
        height[pixel.take(thick)] = seen.height_m.take(higher.take(thick))
        place = view.place.take(pixel)
        inside = np.flatnonzero(place >= 0)
        return cls(seen.rows(higher.take(inside)), place.take(inside), height)

    def paint(
        self, picture: Picture, neighbourhood: Neighbourhood, tints: Palette, moment: Moment
    ) -> None:
        """Paint the crowns."""
        if self.seen.plant.size:
            colour, lit = crowns.colours(neighbourhood, self.seen, tints, moment)
            picture.blend(self.place, colour, lit, self.seen.share)
