"""The rows of a manifest: photos, aerial patches, and which of them show the same place."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from sightline.errors import CoordinateError, TableError
from sightline.geo.coordinates import LatLng

Projection = Literal["perspective", "equirectangular"]
Relation = Literal["positive", "semi-positive"]
Label = str | int | float | bool | None
"""What a label may be: anything that JSON holds and that is no list."""

_PROJECTIONS = get_args(Projection)
_RELATIONS = get_args(Relation)
_SHA256_LETTERS = 64
_MOST_PIXELS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Photo:
    """One row of ``photos.parquet``: where a ground photo lies, and what is known of it.

    This is a row about a file; the decoded picture is :class:`sightline.imagery.Photo`.

    Args:
        id: Stable: the dataset's name and the dataset's own key, never a running number that
            depends on which files are there.
        uri: Its path, relative to the manifest's root, with forward slashes.
        lat: Latitude in degrees, WGS84. None together with ``lon``: unknown.
        lon: Longitude in degrees; kept in [-180, 180).
        heading_degrees: Compass direction of the picture's centre column; kept in [0, 360). None:
            unknown.
        fov_degrees: Horizontal field of view in (0, 360]; 360 for a whole panorama. None: unknown.
        projection: ``perspective`` or ``equirectangular``.
        captured_at: When it was taken, as the source writes it.
        photographer: Who took it, as the source names them.
        country: ISO 3166 code or name, as the source writes it.
        source: Who published it.
        licence: Under which licence.
        split: ``train``, ``val``, ``test``, or what else the dataset calls its part.
        sha256: Hexadecimal hash of the file's bytes. None: not computed.
        width: Pixels. None: not looked at.
        height: Pixels. None: not looked at.
        locatable: Whether the picture shows where it was taken at all. None: unknown.
        labels: What else the source says, by name; small.
        origin: File and line that it was read from, for messages; no part of its identity.

    Raises:
        CoordinateError: A coordinate, heading or field of view is out of range or no number, or
            only one of the two coordinates is given.
        TableError: An empty id or uri, or a value of another kind than said above.
    """

    id: str
    uri: str
    lat: float | None = None
    lon: float | None = None
    heading_degrees: float | None = None
    fov_degrees: float | None = None
    projection: Projection = "perspective"
    captured_at: str | None = None
    photographer: str | None = None
    country: str | None = None
    source: str | None = None
    licence: str | None = None
    split: str | None = None
    sha256: str | None = None
    width: int | None = None
    height: int | None = None
    locatable: bool | None = None
    labels: Mapping[str, Label] = field(default_factory=dict, hash=False)
    origin: str | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        _check_names(self, "id", "uri")
        _check_place(self)
        if self.heading_degrees is not None:
            heading = _finite(self, "heading_degrees", self.heading_degrees)
            # Twice, because a hair below zero comes out as 360 itself.
            object.__setattr__(self, "heading_degrees", heading % 360.0 % 360.0)
        if self.fov_degrees is not None:
            object.__setattr__(self, "fov_degrees", float(self.fov_degrees))
            if not 0.0 < self.fov_degrees <= 360.0:
                raise CoordinateError(
                    f"The fov_degrees of {self.id!r} must lie in (0, 360]. "
                    f"Got {self.fov_degrees!r}.",
                    hint="Give the horizontal field of view in degrees; 360 for a panorama.",
                    path=self.uri,
                )
        if self.locatable is not None:
            object.__setattr__(self, "locatable", bool(self.locatable))
        if self.projection not in _PROJECTIONS:
            raise _refused(self, "projection", self.projection, " or ".join(_PROJECTIONS))
        _check_file(self)
        object.__setattr__(self, "labels", _checked_labels(self, self.labels))


@dataclass(frozen=True, slots=True)
class AerialPatch:
    """One row of ``patches.parquet``: a square of aerial imagery, north up, and its place.

    Args:
        id: Stable, as for :class:`Photo`.
        uri: Its path, relative to the manifest's root, with forward slashes.
        lat: Latitude of its centre in degrees, WGS84. None together with ``lon``: unknown.
        lon: Longitude of its centre in degrees; kept in [-180, 180).
        metres_per_pixel: On the ground, at its centre. None: unknown.
        size_px: Its side in pixels. None: not looked at.
        captured_at: When it was taken, as the source writes it.
        source: Who published it.
        licence: Under which licence.
        split: ``train``, ``val``, ``test``, or what else the dataset calls its part. None where
            one patch serves several.
        sha256: Hexadecimal hash of the file's bytes. None: not computed.
        labels: What else the source says, by name; small.
        origin: File and line that it was read from, for messages; no part of its identity.

    Raises:
        CoordinateError: As for :class:`Photo`.
        TableError: As for :class:`Photo`, or metres per pixel that are not positive.
    """

    id: str
    uri: str
    lat: float | None = None
    lon: float | None = None
    metres_per_pixel: float | None = None
    size_px: int | None = None
    captured_at: str | None = None
    source: str | None = None
    licence: str | None = None
    split: str | None = None
    sha256: str | None = None
    labels: Mapping[str, Label] = field(default_factory=dict, hash=False)
    origin: str | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        _check_names(self, "id", "uri")
        _check_place(self)
        if self.metres_per_pixel is not None:
            object.__setattr__(self, "metres_per_pixel", float(self.metres_per_pixel))
            if not 0.0 < self.metres_per_pixel < math.inf:
                wanted = "positive and finite"
                raise _refused(self, "metres_per_pixel", self.metres_per_pixel, wanted)
        _check_file(self)
        object.__setattr__(self, "labels", _checked_labels(self, self.labels))


@dataclass(frozen=True, slots=True)
class Pair:
    """One row of ``pairs.parquet``: a photo and a patch that shows its place.

    Args:
        id: Stable, as for :class:`Photo`.
        photo_id: The photo.
        patch_id: The patch.
        relation: ``positive`` where the patch is the photo's own; ``semi-positive`` where it shows
            the place too, off its centre.
        offset_east_m: How far the photo stands east of the patch's centre, in metres. None:
            unknown.
        offset_north_m: The same to the north.
        split: ``train``, ``val``, ``test``, or what else the dataset calls its part.
        origin: File and line that it was read from, for messages; no part of its identity.

    Raises:
        CoordinateError: An offset is not finite, or only one of the two is given.
        TableError: An empty id, or an unknown relation.
    """

    id: str
    photo_id: str
    patch_id: str
    relation: Relation = "positive"
    offset_east_m: float | None = None
    offset_north_m: float | None = None
    split: str | None = None
    origin: str | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        _check_names(self, "id", "photo_id", "patch_id")
        if self.relation not in _RELATIONS:
            raise _refused(self, "relation", self.relation, " or ".join(_RELATIONS))
        if (self.offset_east_m is None) != (self.offset_north_m is None):
            raise CoordinateError(
                f"The pair {self.id!r} has one offset and not the other.",
                hint="Give both offset_east_m and offset_north_m, or neither.",
            )
        if self.offset_east_m is not None and self.offset_north_m is not None:
            for name in ("offset_east_m", "offset_north_m"):
                object.__setattr__(self, name, _finite(self, name, getattr(self, name)))


Row = Photo | AerialPatch | Pair


def _check_names(row: Row, *names: str) -> None:
    for name in names:
        value = getattr(row, name)
        if not isinstance(value, str) or not value:
            kind = type(row).__name__
            raise TableError(
                f"The {name} of a {kind} must be text, and not empty. Got {value!r}{_whence(row)}.",
                hint="Give the dataset's own key.",
            )
        if "\0" in value:
            raise _refused(row, name, value, "text without null bytes")
        if not value.isascii():
            _check_utf8(row, name, value)


def _check_utf8(row: Row, name: str, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as cause:
        raise TableError(
            f"The {name} {value!r} holds bytes that are not UTF-8 text{_whence(row)}.",
            hint="Write it as UTF-8.",
            path=ascii(value),
        ) from cause


def _check_place(row: Photo | AerialPatch) -> None:
    lat, lon = row.lat, row.lon
    if lat is None and lon is None:
        return
    if lat is None or lon is None:
        given, missing = ("latitude", "longitude")[:: 1 if lon is None else -1]
        raise CoordinateError(
            f"{row.id!r} has a {given} and no {missing}{_whence(row)}.",
            hint="Give both, or neither where the place is unknown.",
            path=row.uri,
        )
    # What is plainly right skips the arrays of LatLng: a list may hold millions.
    if type(lat) is type(lon) is float and -90.0 <= lat <= 90.0 and -180.0 <= lon < 180.0:
        return
    try:
        place = LatLng(lat, lon)
    except CoordinateError as error:
        message = f"{row.id!r}{_whence(row)}: {error.message}"
        raise CoordinateError(message, hint=error.hint, path=row.uri) from error
    object.__setattr__(row, "lat", place.lat)
    object.__setattr__(row, "lon", place.lon)


def _check_file(row: Photo | AerialPatch) -> None:
    if row.sha256 is not None and (
        len(row.sha256) != _SHA256_LETTERS or set(row.sha256) - set("0123456789abcdef")
    ):
        raise _refused(row, "sha256", row.sha256, "64 hexadecimal digits, in lower case")
    sides = ("width", "height") if isinstance(row, Photo) else ("size_px",)
    for name in sides:
        value = getattr(row, name)
        if value is not None and (
            isinstance(value, bool) or int(value) != value or not 1 <= value <= _MOST_PIXELS
        ):
            raise _refused(row, name, value, "a positive whole number of pixels below 2³¹")
        if value is not None:
            object.__setattr__(row, name, int(value))


def _checked_labels(row: Photo | AerialPatch, labels: Mapping[str, Label]) -> dict[str, Label]:
    checked = dict(labels)
    if not checked:
        return checked
    for name, value in checked.items():
        if not isinstance(name, str) or not isinstance(value, str | int | float | bool | None):
            raise _refused(row, f"label {name!r}", value, "text, a number, true, false or empty")
        _check_utf8(row, "label", name)
        if isinstance(value, str):
            _check_utf8(row, f"label {name!r}", value)
        if isinstance(value, float):
            if not math.isfinite(value):
                raise _refused(row, f"label {name!r}", value, "finite")
            checked[name] = float(value)  # NumPy's own floats are spelt otherwise
    return checked


def _finite(row: Row, name: str, value: float) -> float:
    if not math.isfinite(value):
        raise CoordinateError(
            f"The {name} of {row.id!r} must be a finite number. Got {value!r}{_whence(row)}.",
            hint="Leave it empty where it is unknown.",
        )
    return float(value)


def _refused(row: Row, name: str, value: object, wanted: str) -> TableError:
    return TableError(
        f"The {name} of {row.id!r} must be {wanted}. Got {value!r}{_whence(row)}.",
        hint="Correct it, or leave it empty where it is unknown.",
        path=getattr(row, "uri", None),
    )


def _whence(row: Row) -> str:
    return "" if row.origin is None else f", in {row.origin}"


def labels_to_json(labels: Mapping[str, Label]) -> str | None:
    """Write labels as a manifest keeps them: JSON with sorted names, or None if there are none."""
    if not labels:
        return None
    return json.dumps(labels, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
