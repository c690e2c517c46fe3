"""Latitude and longitude: validated once at the door, then plain arrays.

Everywhere in Sightline a place is ``(latitude, longitude)`` in degrees on WGS84, float64, shape
``(n, 2)``. Longitudes are kept in [-180, 180), so one meridian has one name.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import CoordinateError

EARTH_RADIUS_M = 6_371_008.8
"""The mean radius (2a + b) / 3 of the WGS84 ellipsoid, in metres (IUGG R1)."""

FloatArray = NDArray[np.float64]

_HINT = "Give latitude first, then longitude, as numbers in degrees."
_SWAPPED_HINT = "The two look swapped: give latitude first, then longitude."


@dataclass(frozen=True, slots=True)
class LatLng:
    """One place.

    Args:
        lat: Latitude in degrees, [-90, 90].
        lon: Longitude in degrees, [-360, 360]; kept in [-180, 180).

    Raises:
        CoordinateError: If a value is out of range or no finite number.
    """

    lat: float
    lon: float

    def __post_init__(self) -> None:
        lat, lon = as_coordinates([self.lat, self.lon], name="place")[0]
        object.__setattr__(self, "lat", float(lat))
        object.__setattr__(self, "lon", float(lon))

    def __iter__(self) -> Iterator[float]:
        yield self.lat
        yield self.lon

    def __len__(self) -> int:
        return 2

    def __getitem__(self, axis: int) -> float:
        return (self.lat, self.lon)[axis]


def normalise_longitude(lon: ArrayLike) -> FloatArray:
    """Bring longitudes into [-180, 180).

    Args:
        lon: Degrees, any shape, any finite value. NaN stays NaN.

    Returns:
        The same shape; values already in range come back bit for bit, -0.0 included.
    """
    given = np.asarray(lon, dtype=np.float64)
    inside = (given >= -180.0) & (given < 180.0)
    if inside.all():
        return given.copy()
    turned = given - 360.0 * np.floor((given + 180.0) / 360.0)
    # Rounding can land a value a hair below -180 exactly on the open end.
    turned = np.where((turned >= 180.0) | (turned < -180.0), -180.0, turned)
    result: FloatArray = np.where(inside, given, turned)
    return result


def as_coordinates(value: ArrayLike | LatLng, *, name: str = "coordinates") -> FloatArray:
    """Validate places and return them as a fresh ``(n, 2)`` float64 array.

    Args:
        value: One pair or many, shape ``(2,)`` or ``(n, 2)``, latitude first, degrees. Latitudes
            lie in [-90, 90]; longitudes in [-360, 360], so both the -180..180 and the 0..360
            convention are read. Text is refused, even if it spells a number.
        name: What to call the value in an error.

    Returns:
        Shape ``(n, 2)``, longitudes in [-180, 180). No input gives shape ``(0, 2)``.

    Raises:
        CoordinateError: Names the first offending row (counted from 0) and its value; says so if
            latitude and longitude look swapped.
    """
    rows = _as_rows(value, name)
    lat, lon = rows[:, 0], rows[:, 1]
    bad = ~((np.abs(lat) <= 90.0) & (np.abs(lon) <= 360.0))  # NaN compares false
    if bad.any():
        row = int(np.argmax(bad))
        raise _out_of_range(name, row, float(lat[row]), float(lon[row]))
    rows[:, 1] = normalise_longitude(lon)
    return rows


def unit_vectors(coords: ArrayLike) -> FloatArray:
    """Return the points of the unit sphere, ``(..., 2)`` degrees to ``(..., 3)``.

    The axes are those of S2 and of ECEF: x to (0, 0), y to (0, 90 east), z to the north pole.
    """
    radians = np.deg2rad(np.asarray(coords, dtype=np.float64))
    lat, lon = radians[..., 0], radians[..., 1]
    cos_lat = np.cos(lat)
    xyz = np.empty((*lat.shape, 3))
    xyz[..., 0] = np.cos(lon) * cos_lat
    xyz[..., 1] = np.sin(lon) * cos_lat
    xyz[..., 2] = np.sin(lat)
    return xyz


def from_unit_vectors(xyz: ArrayLike) -> FloatArray:
    """Return ``(..., 2)`` degrees of ``(..., 3)`` directions; their lengths do not matter.

    The zero vector has no direction and gives latitude 0, longitude 0, as ``atan2`` defines it;
    callers that can meet it check first.
    """
    vectors = np.asarray(xyz, dtype=np.float64)
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    lat = np.rad2deg(np.arctan2(z, np.hypot(x, y)))
    lon = normalise_longitude(np.rad2deg(np.arctan2(y, x)))
    return np.stack([lat, lon], axis=-1)


def _as_rows(value: Any, name: str) -> FloatArray:
    """Return a fresh float64 ``(n, 2)`` array, or say which row is not a pair of numbers."""
    if isinstance(value, LatLng):
        value = (value.lat, value.lon)
    try:
        array = np.asarray(value)
        numeric = array.dtype.kind in "fiu" or (
            array.dtype.kind == "O" and all(_is_number(part) for part in array.ravel())
        )
        rows = np.array(array, dtype=np.float64, ndmin=2) if numeric else None
    except (TypeError, ValueError, OverflowError) as error:
        raise _not_numbers(value, name) from error
    if rows is None:
        raise _not_numbers(value, name)
    if rows.size == 0:
        return np.empty((0, 2))
    if rows.ndim != 2 or rows.shape[1] != 2:
        raise CoordinateError(f"{name} must have shape (n, 2). Got {array.shape}.", hint=_HINT)
    return rows


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _not_numbers(value: Any, name: str) -> CoordinateError:
    """Find the row that is no pair of numbers, for the message only."""
    try:
        rows = list(value)
    except TypeError:
        return CoordinateError(f"{name} must be pairs of numbers. Got {value!r}.", hint=_HINT)
    if len(rows) == 2 and not any(_is_pair(row) for row in rows):
        rows = [rows]
    for index, row in enumerate(rows):
        if not (_is_pair(row) and len(row) == 2 and all(_is_number(part) for part in row)):
            shown = tuple(row) if _is_pair(row) else row
            message = f"{name} row {index} must be two numbers. Got {shown!r}."
            return CoordinateError(message, hint=_HINT)
    return CoordinateError(f"{name} must be pairs of numbers. Got {value!r}.", hint=_HINT)


def _is_pair(row: object) -> bool:
    return isinstance(row, (list, tuple, np.ndarray))


def _out_of_range(name: str, row: int, lat: float, lon: float) -> CoordinateError:
    where = f"{name} row {row}: ({lat}, {lon})"
    if not (math.isfinite(lat) and math.isfinite(lon)):
        return CoordinateError(f"{where} is not finite.", hint=_HINT)
    if abs(lat) > 90.0:
        swapped = abs(lon) <= 90.0 and abs(lat) <= 180.0
        message = f"{where} has latitude {lat}, which must lie in [-90, 90]."
        return CoordinateError(message, hint=_SWAPPED_HINT if swapped else _HINT)
    message = f"{where} has longitude {lon}, which must lie in [-360, 360]."
    return CoordinateError(message, hint=_HINT)
