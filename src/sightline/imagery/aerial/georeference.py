"""Where a raster lies: from places to its columns and rows and back.

Either by a map projection and an affine transform, or by ground control points.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from sightline.errors import AerialPlaceError
from sightline.geo.coordinates import FloatArray, normalise_longitude
from sightline.geo.planar import outline_of
from sightline.geo.region import MultiPolygon

if TYPE_CHECKING:
    from pyproj import CRS

Affine = tuple[float, float, float, float, float, float]
"""In this order the factors of x = a · column + b · row + c and y = d · column + e · row + f."""

_CYLINDERS = ("mercator", "equidistant cylindrical", "plate carr", "cylindrical equal area")
_FEWEST_POINTS = 3
# A spline through more would take longer than its last digits are worth.
_MOST_POINTS = 2000
_EDGE_POINTS = 33


class Georeference(Protocol):
    """The two directions, for arrays; not finite where the map does not reach."""

    def to_pixels(self, latlng: FloatArray) -> FloatArray:
        """Return column and row of places, both ``(n, 2)``."""
        ...

    def to_latlng(self, pixels: FloatArray) -> FloatArray:
        """Return the places of columns and rows, both ``(n, 2)``."""
        ...

    @property
    def full_turn_px(self) -> float | None:
        """Columns once around the Earth, or None."""
        ...


def parse_crs(text: str, path: str) -> CRS:
    """Return a coordinate reference system that a user or a file names.

    Raises:
        AerialPlaceError: It is unknown.
    """
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        return CRS.from_user_input(text)
    except CRSError as cause:
        raise AerialPlaceError(
            f"The coordinate reference system {text[:80]!r} of {path!r} is unknown: {cause}",
            hint="Name the right one, such as EPSG:32632 (--source-crs).",
            path=path,
        ) from cause


@dataclass(frozen=True)
class Projected:
    """A projection, and an affine transform that may be rotated.

    Args:
        crs: What the transform's x and y are.
        affine: From columns and rows to x and y.
        path: What errors call it.

    Raises:
        AerialPlaceError: The transform cannot be inverted, or the system has no way to WGS84.
    """

    crs: CRS
    affine: Affine
    path: str

    def __post_init__(self) -> None:
        if not np.isfinite(self.affine).all() or np.linalg.det(self._matrix) == 0.0:
            raise AerialPlaceError(
                f"The transform {self.affine} of {self.path!r} maps its pixels onto a line.",
                hint="Georeference the file anew.",
                path=self.path,
            )
        _ = self._to_map

    def to_pixels(self, latlng: FloatArray) -> FloatArray:
        """Return column and row ``(n, 2)``."""
        x, y = self._to_map.transform(latlng[:, 1], latlng[:, 0])
        offset = np.stack([np.asarray(x) - self.affine[2], np.asarray(y) - self.affine[5]])
        with np.errstate(invalid="ignore"):
            pixels = (self._inverse @ offset).T
        return np.where(np.isfinite(pixels), pixels, np.nan)

    def to_latlng(self, pixels: FloatArray) -> FloatArray:
        """Return places ``(n, 2)``."""
        x, y = self._matrix @ pixels.T + np.array([[self.affine[2]], [self.affine[5]]])
        lon, lat = self._to_map.transform(x, y, direction="INVERSE")
        places = np.stack([np.asarray(lat), np.asarray(lon)], axis=1)
        return np.where(np.isfinite(places), places, np.nan)

    @cached_property
    def full_turn_px(self) -> float | None:
        """Columns once around the Earth, for unrotated maps on a cylinder."""
        if self.affine[1] != 0.0 or self.affine[3] != 0.0 or not self._is_cylinder:
            return None
        steps = np.array([[0.0, 0.0], [0.0, 1.0], [0.0, 90.0], [0.0, 91.0]])
        columns = self.to_pixels(steps)[:, 0]
        # One of the two pairs may lie across the seam of the map, but not both.
        return float(360.0 * min(abs(columns[1] - columns[0]), abs(columns[3] - columns[2])))

    @property
    def _is_cylinder(self) -> bool:
        if self.crs.is_geographic:
            # Of a derived one, such as with a rotated pole, meridians are others.
            return not self.crs.is_derived
        operation = self.crs.coordinate_operation
        method = "" if operation is None else operation.method_name.lower()
        return not any(w in method for w in ("transverse", "oblique")) and any(
            name in method for name in _CYLINDERS
        )

    @property
    def _matrix(self) -> FloatArray:
        a, b, _, d, e, _ = self.affine
        return np.array([[a, b], [d, e]])

    @cached_property
    def _inverse(self) -> FloatArray:
        return np.asarray(np.linalg.inv(self._matrix), np.float64)

    @cached_property
    def _to_map(self) -> Any:
        from pyproj import Transformer
        from pyproj.exceptions import ProjError

        try:
            return Transformer.from_crs("EPSG:4326", self.crs, always_xy=True)
        except ProjError as cause:
            raise AerialPlaceError(
                f"The coordinate reference system of {self.path!r} cannot be tied to WGS84: "
                f"{cause}",
                hint="Name the right one, such as EPSG:32632 (--source-crs).",
                path=self.path,
            ) from cause


class ControlPoints:
    """Thin-plate splines through ground control points, one for each direction.

    Args:
        pixels: Column and row of the points ``(n, 2)``.
        latlng: Their places ``(n, 2)``.
        path: What errors call it.

    Raises:
        AerialPlaceError: Fewer than three points, or all on one line.
    """

    full_turn_px = None

    def __init__(self, pixels: FloatArray, latlng: FloatArray, path: str) -> None:
        every = max(1, -(-len(pixels) // _MOST_POINTS))
        pixels, latlng = pixels[::every], latlng[::every]
        self._middle = latlng[0].copy()
        around = self._around(latlng)
        for points in (pixels, around):
            spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
            if len(points) < _FEWEST_POINTS or spread[1] <= 1e-9 * spread[0]:
                raise AerialPlaceError(
                    f"The {len(points)} ground control points of {path!r} do not span an area.",
                    hint="Give at least three that are not on one line, or a transform.",
                    path=path,
                )
        self._lock = threading.Lock()
        self._to_pixels = _spline(around, pixels)
        self._to_around = _spline(pixels, around)

    def to_pixels(self, latlng: FloatArray) -> FloatArray:
        """Return column and row ``(n, 2)``."""
        with self._lock:
            return np.asarray(self._to_pixels(self._around(latlng)))

    def to_latlng(self, pixels: FloatArray) -> FloatArray:
        """Return places ``(n, 2)``."""
        with self._lock:
            places: FloatArray = np.asarray(self._to_around(pixels)) + self._middle
        places[:, 1] = normalise_longitude(places[:, 1])
        return places

    def _around(self, latlng: FloatArray) -> FloatArray:
        """Degrees off the first point, the short way round."""
        away: FloatArray = latlng - self._middle
        away[:, 1] = normalise_longitude(away[:, 1])
        return away


def _spline(points: FloatArray, values: FloatArray) -> Any:
    from scipy.interpolate import RBFInterpolator

    low, span = points.min(axis=0), np.ptp(points, axis=0)
    scaled = RBFInterpolator((points - low) / span, values, kernel="thin_plate_spline")
    return lambda where: scaled((where - low) / span)


def frame_outline(
    georeference: Georeference, size: tuple[int, int], path: str, name: str
) -> MultiPolygon:
    """Return the frame of a raster as a region.

    Args:
        georeference: Where it lies.
        size: Width and height in pixels.
        path: What errors call it.
        name: What to call the region.

    Raises:
        AerialPlaceError: The frame lies nowhere on the Earth.
    """
    width, height = size
    along = np.linspace(0.0, 1.0, _EDGE_POINTS)[:-1]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height], [0, 0]], np.float64)
    edges = [corners[i] + along[:, None] * (corners[i + 1] - corners[i]) for i in range(4)]
    ring = georeference.to_latlng(np.concatenate(edges))
    turn = georeference.full_turn_px
    if np.isfinite(ring).all() and turn is not None:
        ring = _unrolled(ring, width / turn * 360.0)
    ring = np.clip(ring[np.isfinite(ring).all(axis=1)], [-90.0, -1e9], [90.0, 1e9])
    if len(ring) < _FEWEST_POINTS:
        raise AerialPlaceError(
            f"The frame of {path!r} lies nowhere on the Earth.",
            hint="Check its coordinate reference system and transform.",
            path=path,
        )
    return MultiPolygon(outline_of([(ring[:, ::-1], [])]), name=name)


def _unrolled(ring: FloatArray, width_degrees: float) -> FloatArray:
    """Longitudes of a map on a cylinder as they run on, so that 180 is not -180.

    The frame's north-west corner may be written on either side of the seam; from there the
    longitudes follow from the width alone.
    """
    side = len(ring) // 4
    eastward = float(np.sign(normalise_longitude(ring[1, 1] - ring[0, 1])))
    share = np.arange(side) / side
    far = np.full(side, 1.0)
    across = np.concatenate([share, far, 1.0 - share, 0.0 * far])
    first = ring[0, 1] - (360.0 if ring[0, 1] * eastward >= 180.0 else 0.0) * eastward
    return np.column_stack([ring[:, 0], first + eastward * min(width_degrees, 360.0) * across])
