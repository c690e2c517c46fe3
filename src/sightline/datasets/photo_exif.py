"""The EXIF block of a photo whose place, direction, time and lens are known."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from PIL import Image
from PIL.TiffImagePlugin import IFDRational

_PHOTO, _GPS = 0x8769, 0x8825
_MAKE, _MODEL, _COPYRIGHT = 0x010F, 0x0110, 0x8298
_TAKEN, _OFFSET, _FOCAL_LENGTH_35MM = 0x9003, 0x9011, 0xA405
_VERSION, _LATITUDE_REF, _LATITUDE, _LONGITUDE_REF, _LONGITUDE = 0, 1, 2, 3, 4
_TIME, _DIRECTION_REF, _DIRECTION, _DATUM, _DATE = 7, 16, 17, 18, 29

# Of a second of arc: 0.3 mm on the ground.
_SECOND_PARTS = 100_000
_DIRECTION_PARTS = 100
# Half the diagonal of a frame of 35 mm film (36 x 24 mm): equal diagonals are what makes a focal
# length equivalent (CIPA DCG-001).
_HALF_DIAGONAL_MM = math.hypot(36.0, 24.0) / 2


def exif_block(
    latlng: tuple[float, float],
    heading_degrees: float,
    when: datetime,
    *,
    make: str,
    model: str,
    licence: str,
    focal_length_35mm: int | None = None,
) -> Image.Exif:
    """Return a block as a camera with GPS and compass writes it (CIPA DC-008, section 4.6).

    Args:
        latlng: Where the photo was taken, degrees, WGS84; kept to 0.3 mm.
        heading_degrees: Where its centre column looks, clockwise from true north, [0, 360); kept
            to 0.01 degrees.
        when: The time; it knows its zone, and is written in UTC.
        make: Of the camera.
        model: Of the camera.
        licence: Of the photo.
        focal_length_35mm: Of its lens, see :func:`focal_length_35mm`; None if it has none.
    """
    moment = when.astimezone(UTC)
    exif = Image.Exif()
    exif[_MAKE], exif[_MODEL], exif[_COPYRIGHT] = make, model, licence
    photo = exif.get_ifd(_PHOTO)
    photo[_TAKEN], photo[_OFFSET] = f"{moment:%Y:%m:%d %H:%M:%S}", "+00:00"
    if focal_length_35mm is not None:
        photo[_FOCAL_LENGTH_35MM] = focal_length_35mm
    lat, lon = latlng
    exif.get_ifd(_GPS).update(
        {
            _VERSION: bytes((2, 3, 0, 0)),
            _LATITUDE_REF: "S" if lat < 0 else "N",
            _LATITUDE: _sexagesimal(abs(lat)),
            _LONGITUDE_REF: "W" if lon < 0 else "E",
            _LONGITUDE: _sexagesimal(abs(lon)),
            _TIME: (float(moment.hour), float(moment.minute), float(moment.second)),
            _DIRECTION_REF: "T",
            _DIRECTION: IFDRational(
                round(heading_degrees * _DIRECTION_PARTS) % (360 * _DIRECTION_PARTS),
                _DIRECTION_PARTS,
            ),
            _DATUM: "WGS-84",
            _DATE: f"{moment:%Y:%m:%d}",
        }
    )
    return exif


def focal_length_35mm(fov_degrees: float, size: tuple[int, int]) -> int:
    """The focal length, in whole millimetres, of a horizontal field of view on 35 mm film.

    Args:
        fov_degrees: More than 0 and less than 180.
        size: (width, height) of the picture in pixels; only their ratio matters.
    """
    width, height = size
    half_width_mm = _HALF_DIAGONAL_MM * width / math.hypot(width, height)
    return max(1, round(half_width_mm / math.tan(math.radians(fov_degrees / 2))))


def _sexagesimal(degrees: float) -> tuple[IFDRational, IFDRational, IFDRational]:
    # Counted in whole parts first, so that no 60 seconds arise from rounding.
    minutes, parts = divmod(round(degrees * 3600 * _SECOND_PARTS), 60 * _SECOND_PARTS)
    whole, minutes = divmod(minutes, 60)
    return IFDRational(whole, 1), IFDRational(minutes, 1), IFDRational(parts, _SECOND_PARTS)
