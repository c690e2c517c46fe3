"""Universal Transverse Mercator on WGS84, as CVACT's coordinates are given.

Krüger's series to the fourth power of the third flattening, as Karney, *Transverse Mercator with
an accuracy of a few nanometers* (2011), equations 7 to 11 and 35, writes it: within a zone the
error is far below a millimetre.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

_A, _F = 6_378_137.0, 1 / 298.257223563
_N = _F / (2 - _F)
_E2 = _F * (2 - _F)
_SCALE, _FALSE_EASTING, _FALSE_NORTHING = 0.9996, 500_000.0, 10_000_000.0
_RADIUS = _A / (1 + _N) * (1 + _N**2 / 4 + _N**4 / 64)
_ALPHA = (
    _N / 2 - 2 / 3 * _N**2 + 5 / 16 * _N**3 + 41 / 180 * _N**4,
    13 / 48 * _N**2 - 3 / 5 * _N**3 + 557 / 1440 * _N**4,
    61 / 240 * _N**3 - 103 / 140 * _N**4,
    49561 / 161280 * _N**4,
)
_BETA = (
    _N / 2 - 2 / 3 * _N**2 + 37 / 96 * _N**3 - 1 / 360 * _N**4,
    1 / 48 * _N**2 + 1 / 15 * _N**3 - 437 / 1440 * _N**4,
    17 / 480 * _N**3 - 37 / 840 * _N**4,
    4397 / 161280 * _N**4,
)


def zone_of(latlon: ArrayLike) -> NDArray[np.int64]:
    """Return the zones of places: 1 to 60, negative south of the equator.

    Args:
        latlon: (n, 2) degrees, latitude first, longitudes in [-180, 180).
    """
    places = np.asarray(latlon, dtype=np.float64)
    zone = np.floor((places[:, 1] + 180.0) / 6.0).astype(np.int64) % 60 + 1
    return np.where(places[:, 0] < 0, -zone, zone)


def to_utm(latlon: ArrayLike, zone: ArrayLike) -> FloatArray:
    """Return easting and northing in metres, (n, 2).

    Args:
        latlon: (n, 2) degrees, latitude first.
        zone: One zone or (n,), negative south of the equator.
    """
    places = np.radians(np.asarray(latlon, dtype=np.float64))
    zones = np.broadcast_to(np.asarray(zone), len(places))
    east = places[:, 1] - np.radians(np.abs(zones) * 6.0 - 183.0)
    e = np.sqrt(_E2)
    sine = np.sin(places[:, 0])
    t = np.sinh(np.arctanh(sine) - e * np.arctanh(e * sine))
    xi, eta = np.arctan2(t, np.cos(east)), np.arcsinh(np.sin(east) / np.hypot(t, np.cos(east)))
    northing, easting = xi.copy(), eta.copy()
    for j, alpha in enumerate(_ALPHA, start=1):
        northing += alpha * np.sin(2 * j * xi) * np.cosh(2 * j * eta)
        easting += alpha * np.cos(2 * j * xi) * np.sinh(2 * j * eta)
    shift = np.where(zones < 0, _FALSE_NORTHING, 0.0)
    return np.column_stack(
        [_FALSE_EASTING + _SCALE * _RADIUS * easting, shift + _SCALE * _RADIUS * northing]
    )


def from_utm(utm: ArrayLike, zone: ArrayLike) -> FloatArray:
    """Return latitude and longitude in degrees, (n, 2); the inverse of :func:`to_utm`.

    Args:
        utm: (n, 2) easting and northing in metres.
        zone: One zone or (n,), negative south of the equator.
    """
    metres = np.asarray(utm, dtype=np.float64)
    zones = np.broadcast_to(np.asarray(zone), len(metres))
    shift = np.where(zones < 0, _FALSE_NORTHING, 0.0)
    xi = (metres[:, 1] - shift) / (_SCALE * _RADIUS)
    eta = (metres[:, 0] - _FALSE_EASTING) / (_SCALE * _RADIUS)
    xi_0, eta_0 = xi.copy(), eta.copy()
    for j, beta in enumerate(_BETA, start=1):
        xi_0 -= beta * np.sin(2 * j * xi) * np.cosh(2 * j * eta)
        eta_0 -= beta * np.cos(2 * j * xi) * np.sinh(2 * j * eta)
    conformal = np.sin(xi_0) / np.hypot(np.sinh(eta_0), np.cos(xi_0))
    lat = _latitude(conformal)
    lon = np.degrees(np.arctan2(np.sinh(eta_0), np.cos(xi_0))) + np.abs(zones) * 6.0 - 183.0
    return np.column_stack([np.degrees(lat), lon])


def _latitude(conformal: FloatArray) -> FloatArray:
    """Invert the tangent of the conformal latitude by Newton's method (Karney 2011, eq. 19-21)."""
    e = np.sqrt(_E2)
    t = conformal.copy()
    for _ in range(6):
        sigma = np.sinh(e * np.arctanh(e * t / np.hypot(1.0, t)))
        guess = t * np.hypot(1.0, sigma) - sigma * np.hypot(1.0, t)
        step = (conformal - guess) / np.hypot(1.0, guess)
        t += step * (1 + (1 - _E2) * t**2) / ((1 - _E2) * np.hypot(1.0, t))
    return np.arctan(t)
