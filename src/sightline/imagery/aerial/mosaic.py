"""Many rasters as one source: the finest first, what it lacks filled by the next."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import ArrayLike

from sightline.geo.planar import outline_of
from sightline.geo.region import BoundingBox, MultiPolygon, Region
from sightline.imagery.aerial.raster_source import About, Described, RasterSource, nothing
from sightline.imagery.aerial.revision import FileState, Revision, revision_of
from sightline.imagery.aerial.source import AerialPixels
from sightline.imagery.aerial.tangent_plane import checked_patch, patch_ring

_MOST_OPEN = 32
# A seam may leave slivers that no file covers by less than rounding.
_REACH = 1.001


class Mosaic(Described):
    """An :class:`~sightline.imagery.aerial.AerialSource` over the files of a folder.

    Args:
        parts: Sources of one file each.
        about: What is known of the whole.
    """

    def __init__(self, parts: Sequence[RasterSource], about: About) -> None:
        super().__init__(about)
        # Ties are broken by name, so that the same folder gives the same pixels everywhere.
        self.parts = sorted(parts, key=lambda p: (round(p.native_metres_per_pixel, 6), p.location))
        self._outlines = [part.raster.outline.outline for part in self.parts]
        self._tree = shapely.STRtree(self._outlines)
        self._open: OrderedDict[int, None] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def revision(self) -> Revision:
        """Of all files together."""
        return revision_of(
            FileState(os.path.relpath(part.location, self.location), *part.revision)
            for part in self.parts
        )

    @cached_property
    def footprint(self) -> Region:
        """The frames of all files."""
        name = f"the frames of {len(self.parts)} files of {self.name}"
        return MultiPolygon(shapely.union_all(self._outlines), name=name)

    @property
    def bounds(self) -> BoundingBox:
        """A box around them."""
        return self.footprint.bounds

    @property
    def native_metres_per_pixel(self) -> float:
        """Of the finest file."""
        return self.parts[0].native_metres_per_pixel

    def patch(self, latlng: ArrayLike, patch_m: float, size_px: int) -> AerialPixels:
        """Return the square around a place; see ``AerialSource``."""
        patch_m, size_px = checked_patch(patch_m, size_px)
        result: AerialPixels | None = None
        square = outline_of([(patch_ring(latlng, patch_m * _REACH)[:, ::-1], [])])
        for number in np.sort(self._tree.query(square, predicate="intersects")):
            found = self._part(int(number)).patch(latlng, patch_m, size_px)
            if result is None:
                result = found
            else:
                fresh = found.valid & ~result.valid
                pixels = np.where(fresh[..., None], found.pixels, result.pixels)
                result = replace(result, pixels=pixels, valid=result.valid | fresh)
            if result.valid.all():
                break
        return nothing(size_px, patch_m / size_px) if result is None else result

    def close(self) -> None:
        """Let go of open files."""
        for part in self.parts:
            part.close()

    def _part(self, number: int) -> RasterSource:
        """Return a part, and close the one that was not asked for the longest."""
        with self._lock:
            self._open[number] = None
            self._open.move_to_end(number)
            oldest = self._open.popitem(last=False)[0] if len(self._open) > _MOST_OPEN else None
        if oldest is not None:
            self.parts[oldest].close()
        return self.parts[number]
