"""What a photo says of itself apart from its pixels: place, time, camera, kind of projection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from sightline.imagery import exif
from sightline.imagery.header import Header, read_header
from sightline.imagery.limits import Limits
from sightline.imagery.place import ExifPlace, as_heading, as_number, read_place
from sightline.imagery.source import PhotoSource, opened, source_name
from sightline.imagery.xmp import EXIF, GPANO, XMP, read_xmp

_DATE_TIME = re.compile(r"(\d{4})[:/-](\d\d?)[:/-](\d\d?)[ T](\d\d?):(\d\d?)(?::(\d\d?))?")
_DATE = re.compile(r"(\d{4})[:/-](\d\d?)[:/-](\d\d?)")
_OFFSET = re.compile(r"([+-])(\d\d?):?(\d\d)|Z")
# A lens that sees less than 360° x 180° cannot have made the whole sphere.
_LONGEST_SPHERE_LENS_MM = 18.0


@dataclass(frozen=True, slots=True)
class SphereCrop:
    """The part of a whole sphere (``full_width`` x ``full_height``) that a picture covers.

    Pixels of the full sphere, as GPano counts them; ``top`` is the row where the picture begins.
    """

    full_width: int
    full_height: int
    top: int
    height: int


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a photo's file says apart from its pixels.

    Args:
        place: Where it was taken, if the file says so.
        place_problem: Why a place in the file was refused; None if there is nothing to refuse.
        captured_at: When it was taken. Without a UTC offset it is the camera's local time (naive);
            a time that comes from the GPS is UTC.
        camera: Maker and model.
        panorama: It is a 360° picture in equirectangular projection.
        orientation: EXIF orientation, 1 to 8. Decoded pixels are already turned.
        pose_heading_degrees: Compass direction of a panorama's centre column.
        sphere_crop: Which part of the sphere a panorama with a cut sky or ground covers.
        focal_length_35mm: Of the lens on a camera of 35 mm film, in millimetres.
    """

    place: ExifPlace | None = None
    place_problem: str | None = None
    captured_at: datetime | None = None
    camera: str | None = None
    panorama: bool = False
    orientation: int = 1
    pose_heading_degrees: float | None = None
    sphere_crop: SphereCrop | None = None
    focal_length_35mm: float | None = None

    @property
    def heading_degrees(self) -> float | None:
        """Compass direction of the picture's centre column, from GPano or else from the GPS."""
        if self.pose_heading_degrees is not None:
            return self.pose_heading_degrees
        return None if self.place is None else self.place.heading_degrees


def read_metadata(
    source: PhotoSource, *, limits: Limits | None = None, name: str | None = None
) -> Metadata:
    """Read what a photo's file says apart from its pixels, which are not decoded.

    Damaged EXIF, GPS or XMP blocks never raise; a refused place is explained in
    ``place_problem``.

    Args:
        source: A path, the file's bytes, or a binary stream (left open, read from where it is).
        limits: What the photo may cost; the defaults of ``Limits`` if None.
        name: What errors call it; its path if None.

    Raises:
        PhotoError: Missing, not a photo, or beyond the limits; the subclass says which.
        DependencyError: A HEIC file, and pillow-heif is not installed.
    """
    allowed = limits or Limits()
    called = source_name(source, name)
    with opened(source, allowed, called) as stream:
        return metadata_of(read_header(stream, allowed, called))


def metadata_of(header: Header) -> Metadata:
    """Return the metadata of a photo whose header is read."""
    properties = read_xmp(header.xmp)
    place, problem = read_place(header.exif.gps, properties)
    stated = exif.number(header.exif.image, exif.ORIENTATION)
    orientation = int(stated) if stated is not None and stated in range(1, 9) else 1
    width, height = header.width, header.height
    panorama, crop = _sphere(width, height, properties, header.exif)
    pose = as_number(properties.get(f"{GPANO}PoseHeadingDegrees", "")) if panorama else None
    return Metadata(
        place=place,
        place_problem=problem,
        captured_at=_captured_at(header.exif, properties),
        camera=_camera(header.exif),
        panorama=panorama,
        orientation=orientation,
        pose_heading_degrees=as_heading(pose),
        sphere_crop=crop,
        focal_length_35mm=_lens(header.exif),
    )


def _lens(block: exif.Exif) -> float | None:
    # Cameras write 0 where they do not know it.
    stated = exif.number(block.photo, exif.FOCAL_LENGTH_35MM)
    return stated if stated is not None and stated > 0 else None


def _sphere(
    width: int, height: int, properties: Mapping[str, str], block: exif.Exif
) -> tuple[bool, SphereCrop | None]:
    """Say whether a picture is a 360° panorama, and how much of the sphere it covers.

    GPano decides where it is present (https://developers.google.com/streetview/spherical-metadata);
    a panorama that does not go all the way round is treated as an ordinary photo. Without GPano
    a picture exactly twice as wide as high is a panorama, unless its lens could not have made one.
    """
    projection = properties.get(f"{GPANO}ProjectionType", "").lower()
    full_width = as_number(properties.get(f"{GPANO}FullPanoWidthPixels", ""))
    if projection or full_width:
        cropped_width = as_number(properties.get(f"{GPANO}CroppedAreaImageWidthPixels", ""))
        if projection not in ("", "equirectangular") or (cropped_width or 0) < (full_width or 0):
            return False, None
        crop = _sphere_crop(properties, full_width)
        return crop is not None or width == 2 * height, crop
    return width == 2 * height and (_lens(block) or 0) < _LONGEST_SPHERE_LENS_MM, None


def _sphere_crop(properties: Mapping[str, str], full_width: float | None) -> SphereCrop | None:
    full_height = as_number(properties.get(f"{GPANO}FullPanoHeightPixels", ""))
    height = as_number(properties.get(f"{GPANO}CroppedAreaImageHeightPixels", ""))
    top = as_number(properties.get(f"{GPANO}CroppedAreaTopPixels", ""))
    if not full_width or not full_height or not height or top is None:
        return None
    crop = SphereCrop(int(full_width), int(full_height), int(top), int(height))
    whole = crop.full_width == 2 * crop.full_height and crop.full_width <= 1 << 20
    inside = crop.height > 0 and 0 <= crop.top <= crop.full_height - crop.height
    return crop if whole and inside else None


def _captured_at(block: exif.Exif, properties: Mapping[str, str]) -> datetime | None:
    candidates = (
        (exif.text(block.photo, exif.TAKEN), exif.text(block.photo, exif.OFFSET_TAKEN)),
        (exif.text(block.photo, exif.DIGITISED), exif.text(block.photo, exif.OFFSET_DIGITISED)),
        (properties.get(f"{EXIF}DateTimeOriginal", ""), None),
        (properties.get(f"{XMP}CreateDate", ""), None),
    )
    for stated, offset in candidates:
        if (moment := _date_time(stated, offset)) is not None:
            return moment
    if (moment := _gps_time(block.gps or {})) is not None:
        return moment
    # The time of the last change comes last: editors overwrite it.
    changed = exif.text(block.image, exif.CHANGED)
    return _date_time(changed, exif.text(block.photo, exif.OFFSET_CHANGED))


def _date_time(stated: str, offset: str | None) -> datetime | None:
    """Read ``YYYY:MM:DD hh:mm:ss`` and an offset like ``+02:00``; XMP holds both in one text."""
    match = _DATE_TIME.match(stated)
    if match is None:
        return None
    fields = [int(part or 0) for part in match.groups()]
    rest = stated[match.end() :].lstrip("0123456789.,")
    try:
        return datetime(*fields, tzinfo=_offset(rest if offset is None else offset))  # type: ignore[arg-type,misc]
    except ValueError:
        return None


def _offset(stated: str) -> timezone | None:
    match = _OFFSET.fullmatch(stated.strip())
    if match is None:
        return None
    if match[0] == "Z":
        return UTC
    minutes = 60 * int(match[2]) + int(match[3])
    return timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes))


def _gps_time(gps: exif.Tags) -> datetime | None:
    date = _DATE.fullmatch(exif.text(gps, exif.GPS_DATE))
    clock = gps.get(exif.GPS_TIME)
    if date is None or not isinstance(clock, tuple) or len(clock) != 3:
        return None
    try:
        year, month, day = (int(part) for part in date.groups())
        hour, minute, second = (int(part) for part in clock)  # NaN and infinity raise
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _camera(block: exif.Exif) -> str | None:
    make, model = (exif.text(block.image, tag) for tag in (exif.MAKE, exif.MODEL))
    words = model if model.lower().startswith(make.lower()) else f"{make} {model}"
    # What is printed on a terminal and in reports must be one plain line.
    return "".join(letter for letter in words if letter.isprintable()).strip()[:100] or None
