"""The EXIF block that is written says to a reader of its own, and to Pillow, what it was told."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from sightline.datasets.photo_exif import exif_block, focal_length_35mm
from sightline.geo.distance import great_circle_m
from sightline.imagery import read_metadata

WHEN = datetime(2023, 7, 1, 13, 5, 9, tzinfo=timezone(timedelta(hours=2)))


def written(latlng: tuple[float, float], heading: float, **more: int) -> bytes:
    stream = io.BytesIO()
    block = exif_block(latlng, heading, WHEN, make="Maker", model="7", licence="CC0-1.0", **more)
    Image.fromarray(np.zeros((16, 64, 3), np.uint8)).save(stream, "JPEG", exif=block)
    return stream.getvalue()


@given(st.floats(-90, 90), st.floats(-180, 180), st.floats(0, 360, exclude_max=True))
def test_place_heading_and_time_come_back(lat: float, lon: float, heading: float) -> None:
    assume(max(abs(lat), abs(lon)) > 0.001)  # readers take 0, 0 for an unknown place
    told = read_metadata(written((lat, lon), heading))
    assert told.place_problem is None
    assert told.place is not None
    assert great_circle_m((told.place.lat, told.place.lon), (lat, lon)) < 0.001
    assert told.heading_degrees is not None
    assert abs((told.heading_degrees - heading + 180) % 360 - 180) <= 0.005 + 1e-9
    assert told.captured_at == WHEN
    assert told.camera == "Maker 7"
    assert not told.panorama


def test_pillow_reads_the_same() -> None:
    exif = Image.open(io.BytesIO(written((-0.5, -60.0), 359.999, focal_length_35mm=22))).getexif()
    gps = exif.get_ifd(0x8825)
    assert (gps[1], gps[2]) == ("S", (0.0, 30.0, 0.0))
    assert (gps[3], gps[4]) == ("W", (60.0, 0.0, 0.0))
    assert (gps[16], gps[17]) == ("T", 0.0)
    assert gps[7] == (11.0, 5.0, 9.0)
    assert gps[29] == "2023:07:01"
    assert exif[0x8298] == "CC0-1.0"
    assert exif.get_ifd(0x8769)[0xA405] == 22
    assert exif.get_ifd(0x8769)[0x9003] == WHEN.astimezone(UTC).strftime("%Y:%m:%d %H:%M:%S")


@pytest.mark.parametrize(
    ("fov_degrees", "size", "expected"),
    # A frame of 36 x 24 mm: 18 mm show 90°, 50 mm show 39.6°.
    [(90.0, (360, 240), 18), (39.6, (3, 2), 50), (179.9, (4, 3), 1)],
)
def test_focal_lengths(fov_degrees: float, size: tuple[int, int], expected: int) -> None:
    assert focal_length_35mm(fov_degrees, size) == expected
