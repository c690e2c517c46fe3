"""The place a photo's own file states, in every dialect that cameras and editors write."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from sightline.imagery import exif
from sightline.imagery.xmp import EXIF

# Datums whose coordinates are off by more than 20 m when read as WGS84.
_OTHER_DATUMS = re.compile(r"TOKYO|NAD.?27|ED.?50|OSGB|PULKOVO|GCJ|BD.?09", re.IGNORECASE)
_TEXT_ANGLE = re.compile(
    r"\s*([+-]?\d+(?:\.\d+)?)(?:,\s*(\d+(?:\.\d+)?))?(?:,\s*(\d+(?:\.\d+)?))?\s*([A-Za-z]?)\s*"
)


@dataclass(frozen=True, slots=True)
class ExifPlace:
    """Where a photo's own file says it was taken. Degrees, WGS84; metres."""

    lat: float
    lon: float
    altitude_m: float | None = None
    heading_degrees: float | None = None
    accuracy_m: float | None = None


class _RefusedError(Exception):
    """Why a GPS block cannot be used; never leaves this module."""


def read_place(
    gps: exif.Tags | None, properties: Mapping[str, str]
) -> tuple[ExifPlace | None, str | None]:
    """Return the place stated in the EXIF GPS directory, or else in XMP, and why one was refused.

    Args:
        gps: The GPS directory; None if the file has none.
        properties: The XMP properties, as ``read_xmp`` returns them.

    Returns:
        ``(place, None)``, ``(None, reason)``, or ``(None, None)`` if the file states no place.
    """
    problem = None
    if gps is not None:
        try:
            return _from_exif(gps), None
        except _RefusedError as refused:
            problem = str(refused)
    if f"{EXIF}GPSLatitude" in properties and f"{EXIF}GPSLongitude" in properties:
        try:
            return _from_xmp(properties), None
        except _RefusedError as refused:
            problem = problem or f"XMP: {refused}"
    return None, problem


def _from_exif(gps: exif.Tags) -> ExifPlace:
    if exif.LATITUDE not in gps and exif.LONGITUDE not in gps:
        raise _RefusedError("the GPS block holds no readable latitude and longitude")
    datum = exif.text(gps, exif.DATUM)
    if _OTHER_DATUMS.search(datum):
        raise _RefusedError(f"coordinates in the datum {datum!r} are not WGS84")
    lat = _exif_angle(gps, exif.LATITUDE, exif.LATITUDE_REF, "latitude")
    lon = _exif_angle(gps, exif.LONGITUDE, exif.LONGITUDE_REF, "longitude")
    lat, lon = _checked(lat, lon)
    altitude = exif.number(gps, exif.ALTITUDE)
    if altitude is not None and exif.number(gps, exif.ALTITUDE_REF) in (1.0, 3.0):
        altitude = -altitude or 0.0  # 1 and 3: below sea level, below the ellipsoid (Exif 3.0)
    accuracy = exif.number(gps, exif.ERROR_M)
    return ExifPlace(
        lat=lat,
        lon=lon,
        altitude_m=altitude,
        heading_degrees=as_heading(exif.number(gps, exif.DIRECTION)),
        accuracy_m=accuracy if accuracy is not None and accuracy > 0 else None,
    )


def _exif_angle(gps: exif.Tags, tag: int, reference_tag: int, name: str) -> float:
    value = gps.get(tag)
    reference = exif.text(gps, reference_tag)
    if isinstance(value, str):
        return _text_angle(value, reference, name)
    if not isinstance(value, tuple):
        raise _RefusedError(f"the {name} is not a number")
    return _angle(value, reference, name)


def _from_xmp(properties: Mapping[str, str]) -> ExifPlace:
    lat, lon = _checked(
        _text_angle(properties[f"{EXIF}GPSLatitude"], "", "latitude"),
        _text_angle(properties[f"{EXIF}GPSLongitude"], "", "longitude"),
    )
    altitude = as_number(properties.get(f"{EXIF}GPSAltitude", ""))
    if altitude is not None and properties.get(f"{EXIF}GPSAltitudeRef") == "1":
        altitude = -altitude or 0.0
    return ExifPlace(
        lat=lat,
        lon=lon,
        altitude_m=altitude,
        heading_degrees=as_heading(as_number(properties.get(f"{EXIF}GPSImgDirection", ""))),
    )


def _text_angle(value: str, reference: str, name: str) -> float:
    # XMP part 2 writes "DDD,MM.mmk" or "DDD,MM,SSk", k one of N, S, E, W; editors also decimals.
    match = _TEXT_ANGLE.fullmatch(value)
    if match is None:
        raise _RefusedError(f"the {name} {value[:40]!r} is not a number")
    *parts, letter = match.groups()
    return _angle(tuple(float(part) for part in parts if part), letter or reference, name)


def _angle(parts: tuple[float, ...], reference: str, name: str) -> float:
    """Add degrees, minutes and seconds up, with the sign that the reference letter gives.

    Without a reference the number's own sign counts; so it does against one, because writers that
    put a sign often leave the letter as it was. 0/0 in place of minutes or seconds means that
    the camera wrote none.
    """
    degrees, *rest = parts[:3]
    if not math.isfinite(degrees) or any(math.isinf(part) for part in rest):
        raise _RefusedError(f"the {name} has a zero denominator")
    rest = [0.0 if math.isnan(part) else part for part in rest]
    if any(not 0 <= part <= 60 for part in rest):
        raise _RefusedError(f"the {name} has minutes or seconds outside 0 to 60: {rest}")
    minutes, seconds = (*rest, 0.0, 0.0)[:2]
    size = abs(degrees) + minutes / 60 + seconds / 3600
    positive, negative = "NS" if name == "latitude" else "EW"
    letter = reference[:1].upper()
    if letter not in ("", positive, negative):
        raise _RefusedError(f"the {name} has the reference {reference[:20]!r}")
    return -size if letter == negative or degrees < 0 else size


def _checked(lat: float, lon: float) -> tuple[float, float]:
    if abs(lat) > 90 or abs(lon) > 180:
        raise _RefusedError(f"latitude {lat:g}, longitude {lon:g} is not on Earth")
    if abs(lat) < 1e-9 and abs(lon) < 1e-9:
        raise _RefusedError("0,0 means unknown")
    return lat, -180.0 if lon == 180.0 else lon


def as_heading(value: float | None) -> float | None:
    """Return a compass direction in [0, 360), or None if ``value`` is none."""
    return value % 360.0 if value is not None and 0 <= value <= 360 else None


def as_number(value: str) -> float | None:
    """Read the number in ``value``, written as a decimal or as ``n/d``; None if it is neither."""
    numerator, _, denominator = value.partition("/")
    try:
        result = float(numerator) / float(denominator or 1)
    except (ValueError, ZeroDivisionError):
        return None
    return result if math.isfinite(result) else None
