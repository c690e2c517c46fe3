"""Distances, bearings and means on the Earth, over arrays of any shape.

The functions take ``(..., 2)`` degrees, latitude first, and broadcast. They do not check ranges:
places are validated once, by :func:`sightline.geo.coordinates.as_coordinates`. NaN in gives NaN
out (a padded row stays a padded row); finite in gives finite out, at the poles, for identical
and for antipodal points too.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from sightline.errors import CoordinateError, DependencyError
from sightline.geo.coordinates import (
    EARTH_RADIUS_M,
    FloatArray,
    from_unit_vectors,
    normalise_longitude,
    unit_vectors,
)

if TYPE_CHECKING:
    from pyproj import Geod

# Below this length the mean direction is made of rounding errors.
_SHORTEST_MEAN = 1e-12


def great_circle_m(a: ArrayLike, b: ArrayLike, *, radius_m: float = EARTH_RADIUS_M) -> FloatArray:
    """Return the distance on the sphere, in metres.

    The haversine in its two-sided form: with h = sin²(Δφ/2) + cos φ₁ cos φ₂ sin²(Δλ/2) and its
    complement 1 - h = sin²((φ₁+φ₂)/2) + cos φ₁ cos φ₂ cos²(Δλ/2), both sums of squares, the
    angle is 2 atan2(√h, √(1-h)). Nothing cancels, so it is as exact at the antipode as at zero,
    where the usual ``1 - h`` by subtraction loses up to a hundred metres.

    Args:
        a: ``(..., 2)`` degrees.
        b: ``(..., 2)`` degrees, broadcast against ``a``.
        radius_m: The sphere's radius; another value only to compare with published conventions.

    Returns:
        Metres, shape of the broadcast without its last axis.
    """
    lat1, lon1, lat2, lon2 = _pairs(a, b)
    turn = _half_turn(lon2 - lon1)
    phi1, phi2 = np.deg2rad(lat1), np.deg2rad(lat2)
    cosines = np.cos(phi1) * np.cos(phi2)
    near = np.sin((phi2 - phi1) / 2) ** 2 + cosines * np.sin(turn) ** 2
    far = np.sin((phi2 + phi1) / 2) ** 2 + cosines * np.cos(turn) ** 2
    return np.asarray(2.0 * radius_m * np.arctan2(np.sqrt(near), np.sqrt(far)))


def geodesic_m(a: ArrayLike, b: ArrayLike) -> FloatArray:
    """Return the distance on the WGS84 ellipsoid, in metres (Karney 2013, through pyproj).

    Args:
        a: ``(..., 2)`` degrees.
        b: ``(..., 2)`` degrees, broadcast against ``a``.

    Returns:
        Metres, shape of the broadcast without its last axis.

    Raises:
        DependencyError: pyproj is not installed.
    """
    lat1, lon1, lat2, lon2 = np.broadcast_arrays(*_pairs(a, b))
    flat = [np.ascontiguousarray(x).ravel() for x in (lon1, lat1, lon2, lat2)]
    # pyproj turns NaN into 0 metres or an error, depending on its version.
    known = np.isfinite(np.stack(flat)).all(axis=0)
    metres = np.full(known.shape, np.nan)
    if known.any():
        metres[known] = ellipsoid().inv(*(x[known] for x in flat))[2]
    return metres.reshape(lat1.shape)


def bearing_degrees(a: ArrayLike, b: ArrayLike) -> FloatArray:
    """Return the initial great-circle bearing from ``a`` to ``b``, [0, 360), clockwise from north.

    For identical and antipodal points no direction is better than another; 0 or 180 is returned.
    At a pole the longitude written for it counts as the meridian one stands on.
    """
    lat1, lon1, lat2, lon2 = _pairs(a, b)
    turn = 2.0 * _half_turn(lon2 - lon1)
    phi1, phi2 = np.deg2rad(lat1), np.deg2rad(lat2)
    east = np.sin(turn) * np.cos(phi2)
    # sin(φ₂-φ₁) + 2 sin φ₁ cos φ₂ sin²(Δλ/2): exact for points that nearly coincide.
    north = np.sin(phi2 - phi1) + 2.0 * np.sin(phi1) * np.cos(phi2) * np.sin(turn / 2) ** 2
    degrees = np.rad2deg(np.arctan2(east, north)) % 360.0
    return np.asarray(np.where(degrees >= 360.0, 0.0, degrees))


def destination(a: ArrayLike, bearing_degrees: ArrayLike, distance_m: ArrayLike) -> FloatArray:
    """Return where one arrives from ``a`` along a great circle.

    Args:
        a: ``(..., 2)`` degrees.
        bearing_degrees: Initial bearing, clockwise from north, broadcast against ``a``.
        distance_m: Metres on the sphere of :data:`EARTH_RADIUS_M`, broadcast against ``a``.

    Returns:
        ``(..., 2)`` degrees, longitudes in [-180, 180).
    """
    start = _checked(a)
    phi, lon = np.deg2rad(start[..., 0]), start[..., 1]
    theta = np.deg2rad(np.asarray(bearing_degrees, dtype=np.float64))
    angle = np.asarray(distance_m, dtype=np.float64) / EARTH_RADIUS_M
    sine, cosine = np.sin(angle), np.cos(angle)
    along = np.cos(phi) * cosine - np.sin(phi) * sine * np.cos(theta)
    east = sine * np.sin(theta)
    up = np.sin(phi) * cosine + np.cos(phi) * sine * np.cos(theta)
    lat = np.rad2deg(np.arctan2(up, np.hypot(along, east)))
    turned = normalise_longitude(lon + np.rad2deg(np.arctan2(east, along)))
    return np.stack(np.broadcast_arrays(lat, turned), axis=-1)


def spherical_mean(coords: ArrayLike, weights: ArrayLike | None = None) -> FloatArray:
    """Return the mean direction of places: the mean of their unit vectors, back on the sphere.

    It is right across the antimeridian and around the poles, where a mean of angles is not.

    Args:
        coords: ``(n, 2)`` degrees.
        weights: ``(n,)``, finite and not negative, not all zero; equal if not given.

    Returns:
        ``(2,)`` degrees.

    Raises:
        CoordinateError: If there is no place, a weight is not usable, or the vectors cancel (two
            antipodal places, or places all around a great circle), so that no mean exists.
    """
    places = _checked(coords)
    if places.ndim != 2 or len(places) == 0:
        message = f"The mean needs places of shape (n, 2), n > 0. Got {places.shape}."
        raise CoordinateError(message, hint="Give at least one place.")
    share = np.ones(len(places)) if weights is None else np.asarray(weights, dtype=np.float64)
    if share.shape != (len(places),):
        message = f"weights must have shape ({len(places)},). Got {share.shape}."
        raise CoordinateError(message, hint="Give one weight per place.")
    if not (np.isfinite(share).all() and (share >= 0).all() and share.sum() > 0):
        message = f"weights must be finite, not negative and not all zero. Got {share.tolist()}."
        raise CoordinateError(message, hint="Leave places out instead of giving them no weight.")
    # Scaled first: sums of subnormal weights would lose their direction.
    mean = (share / share.max()) @ unit_vectors(places) / (share / share.max()).sum()
    if not np.linalg.norm(mean) > _SHORTEST_MEAN:
        message = f"The {len(places)} places cancel out and have no mean on the sphere."
        raise CoordinateError(message, hint="Average places that lie within one hemisphere.")
    return from_unit_vectors(mean)


@cache
def ellipsoid() -> Geod:
    """Return the WGS84 ellipsoid; made once, because making it reads the projection database.

    Raises:
        DependencyError: pyproj is not installed, as on a machine that only trains.
    """
    try:
        from pyproj import Geod
    except ImportError as cause:
        raise DependencyError(
            "Distances on the ellipsoid need pyproj, which is not installed.",
            hint="Install it with `pip install pyproj`, or measure on the sphere.",
        ) from cause
    return Geod(ellps="WGS84")


def _half_turn(difference_degrees: FloatArray) -> FloatArray:
    """Return half of a longitude difference in radians, after taking the short way round.

    Reduced in degrees, where 360 is exact: -180 and 180 are then the same meridian exactly.
    """
    short = difference_degrees - 360.0 * np.round(difference_degrees / 360.0)
    return np.asarray(np.deg2rad(short) / 2.0)


def _pairs(a: ArrayLike, b: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    first, second = _checked(a), _checked(b)
    return first[..., 0], first[..., 1], second[..., 0], second[..., 1]


def _checked(coords: ArrayLike) -> FloatArray:
    array = np.asarray(coords, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] != 2:
        message = f"Places must have shape (..., 2). Got {array.shape}."
        raise CoordinateError(message, hint="Give latitude and longitude on the last axis.")
    return array
