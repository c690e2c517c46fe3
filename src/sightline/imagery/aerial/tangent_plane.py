"""The ground around a place as a flat map in true metres, north up."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from sightline.errors import UsageError
from sightline.geo.coordinates import FloatArray, as_coordinates, normalise_longitude

LARGEST_M = 200_000.0
"""Largest side of a patch; in its corners the plane is then off the ground by 0.02 %."""

_RING_POINTS = 8
_SEMI_MAJOR_M = 6_378_137.0
_FLATTENING = 1.0 / 298.257223563
_SQUARED = _FLATTENING * (2.0 - _FLATTENING)


def checked_patch(patch_m: float, size_px: int) -> tuple[float, int]:
    """Return both as given; raises UsageError unless they are a side that a patch can have."""
    if not 0.0 < patch_m <= LARGEST_M:
        raise UsageError(
            f"patch_m must be more than 0 and at most {LARGEST_M:g} metres. Got {patch_m!r}.",
            hint="100 is usual for street-scale matching.",
        )
    if not 1 <= size_px <= 8192:
        raise UsageError(
            f"size_px must be from 1 to 8192. Got {size_px!r}.", hint="Use the encoder's input."
        )
    return float(patch_m), int(size_px)


class TangentPlane:
    """The plane that touches the WGS84 ellipsoid at a place.

    A point of the plane stands for the place below it, along the ellipsoid's normal there. Within
    1 km the metres of plane and ground agree to 1e-8, within 100 km to 2e-4; there is no latitude
    at which they do not, and no meridian or pole that cuts the plane.

    Args:
        latlng: Where it touches, degrees.

    Raises:
        CoordinateError: The place is out of range.
    """

    def __init__(self, latlng: ArrayLike) -> None:
        lat, lon = as_coordinates(latlng)[0]
        self.latlng = (float(lat), float(lon))
        phi = np.deg2rad(lat)
        cos_phi, sin_phi = np.cos(phi), np.sin(phi)
        radius = _SEMI_MAJOR_M / np.sqrt(1.0 - _SQUARED * sin_phi**2)
        # The touching point in the meridian's own frame: out from the axis, and up along it.
        self._out, self._up = radius * cos_phi, radius * (1.0 - _SQUARED) * sin_phi
        self._north = np.array([-sin_phi, cos_phi])
        self._lon = lon

    def to_latlng(self, east_north: ArrayLike) -> FloatArray:
        """Return the places ``(n, 2)`` of points ``(n, 2)``, metres east and north.

        From the plane to geocentric coordinates, and by Bowring's formula (1976) to latitude; at
        these heights its error is below 1e-9 degrees.
        """
        points = np.asarray(east_north, np.float64)
        east, north = points[..., 0], points[..., 1]
        out = self._out + north * self._north[0]
        up = self._up + north * self._north[1]
        axis = np.hypot(out, east)
        semi_minor = _SEMI_MAJOR_M * (1.0 - _FLATTENING)
        theta = np.arctan2(up * _SEMI_MAJOR_M, axis * semi_minor)
        above = up + _SQUARED / (1.0 - _SQUARED) * semi_minor * np.sin(theta) ** 3
        beside = axis - _SQUARED * _SEMI_MAJOR_M * np.cos(theta) ** 3
        lat = np.rad2deg(np.arctan2(above, beside))
        lon = normalise_longitude(self._lon + np.rad2deg(np.arctan2(east, out)))
        return np.stack([lat, lon], axis=-1)


def patch_outline(latlng: ArrayLike, patch_m: float) -> FloatArray:
    """Return the corners of a patch ``(4, 2)``: north-west, north-east, south-east, south-west."""
    half = patch_m / 2.0
    corners = np.array([[-half, half], [half, half], [half, -half], [-half, -half]])
    return TangentPlane(latlng).to_latlng(corners)


def patch_ring(latlng: ArrayLike, patch_m: float) -> FloatArray:
    """Return points along the border of a patch ``(32, 2)``, for maps on which it is curved.

    Between its corners alone, the northern border of 200 km at 70° north lies 2 km off.
    """
    corners = np.array([[-1.0, 1.0], [1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    along = np.arange(_RING_POINTS) / _RING_POINTS
    edges = np.roll(corners, -1, axis=0) - corners
    border = (corners[:, None] + along[:, None] * edges[:, None]).reshape(-1, 2)
    return TangentPlane(latlng).to_latlng(border * (patch_m / 2.0))
