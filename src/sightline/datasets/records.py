"""One row of a list of photos, and one row that cannot be used."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from sightline.errors import CoordinateError, PhotoError, SightlineError, TableError
from sightline.geo.coordinates import LatLng


@dataclass(frozen=True, slots=True)
class PhotoRecord:
    """A photo and what is known of it from outside the file.

    Args:
        uri: Its path, as it can be opened from here.
        lat: Latitude in degrees, WGS84. None together with ``lon``: take the place from EXIF.
        lon: Longitude in degrees; kept in [-180, 180).
        heading_degrees: Compass direction of the picture's centre column; kept in [0, 360).
        captured_at: When it was taken, as the source writes it.
        source: Who published it.
        licence: Under which licence.
        projection: ``perspective`` or ``spherical``, as the source writes it.

    Raises:
        CoordinateError: A coordinate or the heading is out of range or no number, or only one of
            the two coordinates is given.
        TableError: ``uri`` is empty or cannot be written as UTF-8.
    """

    uri: str
    lat: float | None = None
    lon: float | None = None
    heading_degrees: float | None = None
    captured_at: str | None = None
    source: str | None = None
    licence: str | None = None
    projection: str | None = None

    def __post_init__(self) -> None:
        self._check_uri()
        if self.lat is not None and self.lon is not None:
            place = LatLng(self.lat, self.lon)
            object.__setattr__(self, "lat", place.lat)
            object.__setattr__(self, "lon", place.lon)
        elif self.lat is not None or self.lon is not None:
            given, missing = ("latitude", "longitude")[:: 1 if self.lon is None else -1]
            raise CoordinateError(
                f"{self.uri!r} has a {given} and no {missing}.",
                hint="Give both, or neither to take the place from the photo's EXIF.",
                path=self.uri,
            )
        if self.heading_degrees is not None:
            if not math.isfinite(self.heading_degrees):
                raise CoordinateError(
                    f"The heading must be a finite number. Got {self.heading_degrees!r}.",
                    hint="Give degrees clockwise from north, or leave it empty.",
                    path=self.uri,
                )
            # Twice, because a hair below zero comes out as 360 itself.
            object.__setattr__(self, "heading_degrees", self.heading_degrees % 360.0 % 360.0)

    def _check_uri(self) -> None:
        if not self.uri:
            raise TableError("A photo has an empty path.", hint="Give the path of its file.")
        try:
            self.uri.encode()
        except UnicodeEncodeError as cause:
            raise TableError(
                f"The path {self.uri!r} holds bytes that are not UTF-8 text.",
                hint="Rename the file.",
                path=ascii(self.uri),
            ) from cause


class RecordProblemKind(StrEnum):
    """What sort of thing is wrong with a row or file."""

    COORDINATES = "coordinates"
    FILE = "file"
    DUPLICATE = "duplicate"
    PAIR = "pair"
    ROW = "row"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class RecordProblem:
    """A row or file that cannot become a record; the rest of its list goes on.

    Args:
        uri: Its path as far as it is known, else the path of the table.
        line: Where it stands: the line of a CSV file, the row of a Parquet file (both from 1), or
            None for a file found in a folder.
        error: Why.
        said: What sort of thing it is, where neither the error's class nor the line tells.
    """

    uri: str
    line: int | None
    error: SightlineError
    said: RecordProblemKind | None = None

    @property
    def kind(self) -> RecordProblemKind:
        """What sort of thing is wrong."""
        if self.said is not None:
            return self.said
        if isinstance(self.error, CoordinateError):
            return RecordProblemKind.COORDINATES
        if isinstance(self.error, PhotoError):
            return RecordProblemKind.FILE
        return RecordProblemKind.MISSING if self.line is None else RecordProblemKind.ROW
