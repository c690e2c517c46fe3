from __future__ import annotations

import csv
import math
import struct
import sys
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import DependencyError
from sightline.imagery import ExifPlace, Metadata, SphereCrop, read_metadata
from sightline.imagery.exif import read_exif
from sightline.imagery.place import as_heading, as_number, read_place
from sightline.imagery.xmp import EXIF, read_xmp

from .pictures import encoded, exif_block, gps_entries, gradient, rationals, short, text, xmp

SEXAGESIMAL = ((48, 1), (51, 1), (30, 1)), ((2, 1), (17, 1), (40, 1))
PARIS = 48 + 51 / 60 + 30 / 3600, 2 + 17 / 60 + 40 / 3600


def of_exif(**parts) -> Metadata:
    return read_metadata(encoded(gradient(), "JPEG", exif=exif_block(**parts)))


def of_gps(*positional, **options) -> Metadata:
    return of_exif(gps=gps_entries(*positional, **options))


def of_xmp(attributes: str = "", elements: str = "", size=(40, 60), **options) -> Metadata:
    packet = xmp(attributes, elements)
    return read_metadata(encoded(gradient(*size), "JPEG", xmp=packet, **options))


def at(metadata: Metadata) -> tuple[float, float]:
    assert metadata.place_problem is None
    assert metadata.place is not None
    return metadata.place.lat, metadata.place.lon


# What real writers do, and what it means.


@pytest.mark.parametrize(
    ("lat", "lon", "references", "expected"),
    [
        (*SEXAGESIMAL, ("N", "E"), PARIS),
        (((48, 1), (515, 10), (0, 1)), ((2, 1), (1766667, 10**5), (0, 1)), ("N", "E"), PARIS),
        (((48858333, 10**6),), ((2294444, 10**6),), ("N", "E"), PARIS),
        (((48, 1), (515, 10), (0, 0)), ((2, 1), (1766667, 10**5), (0, 0)), ("N", "E"), PARIS),
        (*SEXAGESIMAL, ("s", "w"), (-PARIS[0], -PARIS[1])),
        (*SEXAGESIMAL, (None, None), PARIS),
        (*SEXAGESIMAL, ("", "West"), (PARIS[0], -PARIS[1])),
        (((90, 1), (0, 1), (0, 1)), ((180, 1), (0, 1), (0, 1)), ("N", "E"), (90, -180)),
        (((0, 1), (0, 1), (0, 1)), ((2, 1), (0, 1), (0, 1)), ("N", "E"), (0, 2)),
        (((48, 1), (60, 1), (0, 1)), ((2, 1), (0, 1), (60, 1)), ("N", "E"), (49, 2 + 1 / 60)),
    ],
)  # fmt: skip
def test_dialects_of_coordinates(lat, lon, references, expected):
    assert at(of_gps(lat, lon, references)) == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders(order):
    entries = [text(1, "S"), rationals(2, (33, 1), (30, 1), (0, 1), order=order)]
    entries += [text(3, "E"), rationals(4, (151, 1), (15, 1), (0, 1), order=order)]
    assert at(of_exif(gps=entries, order=order)) == (-33.5, 151.25)


def test_signed_coordinates_and_text_coordinates():
    signed = [rationals(2, (-335, 10), signed=True), text(1, "N")]
    signed += [rationals(4, (-15125, 100), signed=True)]
    assert at(of_exif(gps=signed)) == (-33.5, -151.25)
    written = [text(2, "33,30.0S"), text(4, "151.25"), text(3, "E")]
    assert at(of_exif(gps=written)) == (-33.5, 151.25)
    double = [(2, 12, 1, struct.pack("<d", 12.5)), (4, 12, 1, struct.pack("<d", -7.25))]
    assert at(of_exif(gps=double)) == (12.5, -7.25)


@pytest.mark.parametrize(
    ("lat", "lon", "references", "words"),
    [
        (((0, 1),) * 3, ((0, 1),) * 3, ("N", "E"), "0,0 means unknown"),
        (((0, 1),) * 3, ((0, 1),) * 3, (None, None), "0,0 means unknown"),
        (((0, 0),) * 3, ((0, 0),) * 3, ("N", "E"), "zero denominator"),
        (((48, 0), (51, 1), (0, 1)), ((2, 1),), ("N", "E"), "latitude has a zero denominator"),
        (((48, 1), (51, 0), (0, 1)), ((2, 1),), ("N", "E"), "latitude has a zero denominator"),
        (((48, 1),), ((2, 1), (61, 1)), ("N", "E"), "longitude has minutes or seconds"),
        (((48, 1),), ((2, 1),), ("E", "N"), "reference 'E'"),
        (((48, 1),), ((2, 1),), ("N", "?"), "reference '?'"),
        (((91, 1),), ((2, 1),), ("N", "E"), "not on Earth"),
        (((48, 1),), ((181, 1),), ("N", "E"), "not on Earth"),
        (((4294967295, 1),) * 3, ((4294967295, 1),) * 3, ("N", "E"), "minutes or seconds"),
    ],
)
def test_coordinates_that_are_refused(lat, lon, references, words):
    metadata = of_gps(lat, lon, references)
    assert metadata.place is None
    assert metadata.place_problem is not None
    assert words in metadata.place_problem


def test_gps_blocks_without_coordinates():
    assert of_exif().place_problem is None
    for gps in ([], [rationals(7, (1, 1), (2, 1), (3, 1))], [text(1, "N"), text(3, "E")]):
        assert "no readable latitude" in str(of_exif(gps=gps).place_problem)
    half = of_exif(gps=[rationals(2, (48, 1))])
    assert half.place_problem == "the longitude is not a number"
    unreadable = of_exif(gps=[text(2, "north of here"), text(4, "2")])
    assert "'north of here'" in str(unreadable.place_problem)
    undefined = of_exif(gps=[(2, 7, 8, b"\1" * 8), (4, 7, 8, b"\1" * 8)])
    assert undefined.place_problem == "the latitude is not a number"
    away = exif_block([(0x8825, 4, 1, struct.pack("<I", 0xFFFFFF))])
    assert "no readable" in str(read_metadata(encoded(gradient(), "JPEG", exif=away)).place_problem)


def test_datums():
    assert of_gps(more=[text(18, "WGS-84   ")]).place is not None
    tokyo = of_gps(more=[text(18, "TOKYO")])
    assert tokyo.place is None
    assert "'TOKYO' are not WGS84" in str(tokyo.place_problem)


def test_altitude_direction_and_accuracy():
    metadata = of_gps(
        more=[
            (5, 1, 1, b"\1"),
            rationals(6, (1234, 10)),
            text(16, "T"),
            rationals(17, (360, 1)),
            rationals(31, (47, 10)),
        ]
    )
    assert metadata.place == ExifPlace(*at(metadata), -123.4, 0.0, 4.7)
    assert metadata.heading_degrees == 0.0
    odd = of_gps(
        more=[short(5, 0), rationals(6, (5, 1)), rationals(17, (400, 1)), rationals(31, (0, 1))]
    )
    assert odd.place == ExifPlace(*at(odd), 5.0, None, None)
    assert odd.heading_degrees is None
    empty = of_gps(more=[(5, 1, 1, b"\1"), rationals(6, (0, 0)), rationals(17, (0, 0))])
    assert empty.place == ExifPlace(*at(empty))
    below = of_gps(more=[(5, 1, 1, b"\1"), rationals(6, (0, 1))])
    assert math.copysign(1, below.place.altitude_m) == 1


# XMP


@pytest.mark.parametrize(
    ("lat", "lon", "expected"),
    [
        ("48,51.5N", "2,17.66667E", PARIS),
        ("48,51,30N", "2,17,40E", PARIS),
        ("48,51.5s", "2,17.66667w", (-PARIS[0], -PARIS[1])),
        ("48.8583333", "-2.2944444", (PARIS[0], -PARIS[1])),
    ],
)
def test_xmp_coordinates(lat, lon, expected):
    attributes = f'exif:GPSLatitude="{lat}" exif:GPSLongitude="{lon}"'
    assert at(of_xmp(attributes)) == pytest.approx(expected, abs=1e-6)
    elements = (
        f"<exif:GPSLatitude> {lat} </exif:GPSLatitude><exif:GPSLongitude>{lon}</exif:GPSLongitude>"
    )
    assert at(of_xmp(elements=elements)) == pytest.approx(expected, abs=1e-6)


def test_xmp_altitude_and_direction():
    attributes = 'exif:GPSLatitude="48,51.5N" exif:GPSLongitude="2,17.6E" exif:GPSAltitudeRef="1"'
    place = of_xmp(attributes + ' exif:GPSAltitude="71/2" exif:GPSImgDirection="90/1"').place
    assert (place.altitude_m, place.heading_degrees) == (-35.5, 90)
    assert of_xmp(attributes + ' exif:GPSAltitude="71/0"').place.altitude_m is None


def test_exif_comes_before_xmp_and_xmp_helps_out():
    attributes = 'exif:GPSLatitude="10,0N" exif:GPSLongitude="20,0E"'
    good, zero = exif_block(gps=gps_entries()), gps_entries(((0, 1),), ((0, 1),))
    assert at(of_xmp(attributes, exif=good)) == pytest.approx(PARIS)
    assert at(of_xmp(attributes, exif=exif_block(gps=zero))) == (10, 20)
    bad = 'exif:GPSLatitude="x" exif:GPSLongitude="y"'
    assert of_xmp(bad).place_problem == "XMP: the latitude 'x' is not a number"
    assert of_xmp(bad, exif=exif_block(gps=zero)).place_problem == "0,0 means unknown"


def test_hostile_xmp_says_nothing():
    good = xmp('exif:GPSLatitude="10,0N" exif:GPSLongitude="20,0E"')
    assert read_xmp(good)[f"{EXIF}GPSLatitude"] == "10,0N"
    start, end = good.index(b"<rdf:RDF"), good.index(b"</x:xmpmeta>")
    assert read_xmp(good[start:end]) == read_xmp(good)
    entity = b'<!DOCTYPE r [<!ENTITY a "aaaa">]>'
    for packet in (
        b"",
        b"not XML",
        good[: len(good) // 2],
        good.replace(b"</rdf:RDF>", b"</rdf:RDV>"),
        good.replace(b"10,0N", b"&a;"),
        good.replace(b"<rdf:RDF", entity + b"<rdf:RDF"),
        good.replace(b"><rdf:Desc", b">" + b" " * (2 << 20) + b"<rdf:Desc"),
        good.replace(b"10,0N", b"\xff\xfe"),
    ):
        assert read_xmp(packet) == {}
    deep = b"<rdf:Description>" * 20_000 + b"</rdf:Description>" * 20_000
    assert read_xmp(good.replace(b"</rdf:Description>", deep + b"</rdf:Description>")) == read_xmp(
        good
    )


# 360° pictures

WHOLE = (
    'GPano:FullPanoWidthPixels="80" GPano:FullPanoHeightPixels="40"'
    ' GPano:CroppedAreaImageWidthPixels="80" GPano:CroppedAreaImageHeightPixels="40"'
    ' GPano:CroppedAreaTopPixels="0" GPano:CroppedAreaLeftPixels="0"'
)


def test_panorama_by_size():
    assert of_xmp(size=(40, 80)).panorama
    assert not of_xmp(size=(40, 81)).panorama
    lens = exif_block(photo=[short(0xA405, 26)])
    assert not read_metadata(encoded(gradient(40, 80), "JPEG", exif=lens)).panorama
    lens = exif_block(photo=[short(0xA405, 8)])
    assert read_metadata(encoded(gradient(40, 80), "JPEG", exif=lens)).panorama


def test_panorama_by_gpano():
    projection = 'GPano:ProjectionType="equirectangular" GPano:PoseHeadingDegrees="123.5" '
    metadata = of_xmp(projection + WHOLE, size=(40, 80))
    assert metadata.panorama
    assert metadata.sphere_crop == SphereCrop(80, 40, 0, 40)
    assert metadata.heading_degrees == metadata.pose_heading_degrees == 123.5
    assert of_xmp(projection, size=(40, 80)).panorama
    assert not of_xmp(projection).panorama
    assert not of_xmp('GPano:ProjectionType="cylindrical" ' + WHOLE, size=(40, 80)).panorama
    part = WHOLE.replace(
        'WidthPixels="80" GPano:CroppedAreaImageH', 'WidthPixels="60" GPano:CroppedAreaImageH'
    )
    assert part != WHOLE
    assert of_xmp(projection + part, size=(40, 80)) == Metadata()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('TopPixels="0"', 'TopPixels="-1"'),
        ('TopPixels="0"', 'TopPixels="30"'),
        ('TopPixels="0"', 'TopPixels="many"'),
        ('FullPanoHeightPixels="40"', 'FullPanoHeightPixels="4000000"'),
    ],
)
def test_impossible_crops_are_left_out(old, new):
    metadata = of_xmp('GPano:ProjectionType="equirectangular" ' + WHOLE.replace(old, new))
    assert metadata.sphere_crop is None
    assert not metadata.panorama


def test_heading_of_the_gps_stands_in_for_the_pose():
    assert of_gps(more=[rationals(17, (725, 10))]).heading_degrees == 72.5


# Time and camera


def test_capture_time():
    taken = [text(0x9003, "2020:02:29 23:59:58")]
    assert of_exif(photo=taken).captured_at == datetime(2020, 2, 29, 23, 59, 58)  # noqa: DTZ001
    for written, zone in [
        ("+05:30", timezone(timedelta(hours=5, minutes=30))),
        ("-07:00", timezone(timedelta(hours=-7))),
        ("Z", UTC),
    ]:
        moment = of_exif(photo=[*taken, text(0x9011, written)]).captured_at
        assert moment == datetime(2020, 2, 29, 23, 59, 58, tzinfo=zone)
    assert of_exif(photo=[*taken, text(0x9011, "later")]).captured_at.tzinfo is None


def test_fallbacks_of_capture_time():
    clock = [rationals(7, (23, 1), (59, 1), (595, 10))]
    gps = gps_entries(more=[*clock, text(29, "2021:03:04")])
    changed, digitised = [text(0x0132, "2022:01:01 00:00:00")], [text(0x9004, "2019:05:06 07:08")]
    blank = [text(0x9003, "0000:00:00 00:00:00")]
    assert of_exif(image=changed, photo=digitised, gps=gps).captured_at.year == 2019
    assert of_exif(image=changed, photo=blank, gps=gps).captured_at == datetime(
        2021, 3, 4, 23, 59, 59, tzinfo=UTC
    )
    for date in ("2014:09:259", "2014:13:01", "    :  :  "):
        broken = gps_entries(more=[*clock, text(29, date)])
        assert of_exif(image=changed, gps=broken).captured_at.year == 2022
    for bad in [((1, 0), (1, 1), (1, 1)), ((0, 0), (1, 1), (1, 1)), ((25, 1), (0, 1), (0, 1))]:
        broken = gps_entries(more=[rationals(7, *bad), text(29, "2021:03:04")])
        assert of_exif(gps=broken).captured_at is None
    assert (
        of_exif(gps=gps_entries(more=[rationals(7, (1, 1)), text(29, "2021:03:04")])).captured_at
        is None
    )


def test_capture_time_of_xmp():
    assert of_xmp('exif:DateTimeOriginal="2020-01-02T03:04:05.67+02:00"').captured_at == datetime(
        2020, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))
    )
    assert of_xmp('xmp:CreateDate="2020-01-02T03:04"').captured_at == datetime(2020, 1, 2, 3, 4)  # noqa: DTZ001
    assert of_xmp('xmp:CreateDate="yesterday"').captured_at is None
    huge = of_xmp('xmp:CreateDate="2020-01-02T03:04+99:99"')
    assert huge.captured_at is None


@pytest.mark.parametrize(
    ("make", "model", "expected"),
    [
        ("Canon", "Canon EOS 5D", "Canon EOS 5D"),
        ("NIKON   ", "COOLPIX P6000", "NIKON COOLPIX P6000"),
        ("", "X", "X"),
        ("A\x1b[31m\nB", "C", "A[31mB C"),
        ("", "", None),
        ("M" * 300, "", "M" * 100),
    ],
)
def test_camera(make, model, expected):
    assert of_exif(image=[text(0x010F, make), text(0x0110, model)]).camera == expected
    undefined = (0x0110, 7, 5, b"X100\0")
    assert of_exif(image=[undefined]).camera == "X100"


def test_bigtiff_directories():
    entry = struct.pack("<HHQ8s", 0x0110, 2, 5, b"Deep\0")
    data = b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 1) + entry + b"\0" * 8
    assert read_exif(data).image == {0x0110: "Deep"}
    assert read_exif(data[:30]).image == {}


def test_twice_prefixed_and_cut_blocks():
    block = exif_block([text(0x010F, "Maker of cameras")], gps=gps_entries())
    assert read_exif(b"Exif\0\0" + block) == read_exif(block)
    for length in range(len(block)):
        read_exif(block[:length])


# Property tests


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_rationals_end_in_the_exact_place_or_a_problem(data):
    terms = st.integers(0, 2**32 - 1) | st.integers(0, 200)
    triple = st.lists(st.tuples(terms, terms | st.just(1)), min_size=1, max_size=4)
    lat, lon = data.draw(triple), data.draw(triple)
    north, east = data.draw(st.sampled_from("NSns")), data.draw(st.sampled_from("EWew"))
    block = exif_block(gps=gps_entries(lat, lon, (north, east)))
    place, problem = read_place(read_exif(block).gps, {})

    def slow(parts, letter):
        values = [Fraction(0) if pair == (0, 0) else Fraction(*pair) for pair in parts[:3]]
        if parts[0][1] == 0 or any(not 0 <= value <= 60 for value in values[1:]):
            raise ZeroDivisionError
        total = sum(value / 60**power for power, value in enumerate(values))
        return -total if letter in "SWsw" else total

    try:
        expected = slow(lat, north), slow(lon, east)
    except ZeroDivisionError:
        assert place is None
        assert problem
        return
    if abs(expected[0]) > 90 or abs(expected[1]) > 180 or max(map(abs, expected)) < 1e-9:
        assert place is None
        assert problem
    else:
        lon_expected = float(expected[1])
        assert place is not None
        assert place.lat == pytest.approx(float(expected[0]), abs=1e-9)
        assert abs(place.lon - lon_expected) % 360 == pytest.approx(0, abs=1e-9)
        assert -180 <= place.lon < 180


@settings(max_examples=300, deadline=None)
@given(
    block=st.binary(max_size=200),
    prefix=st.sampled_from([b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"]),
)
def test_any_bytes_are_read_without_an_error(block, prefix):
    exif = read_exif(prefix + block)
    read_place(exif.gps, {})
    read_xmp(b"<x:xmpmeta" + block + b"</x:xmpmeta>")


@given(st.text(max_size=30))
def test_any_text_is_a_number_or_none(value):
    result = as_number(value)
    assert result is None or math.isfinite(result)
    read_place(None, {f"{EXIF}GPSLatitude": value, f"{EXIF}GPSLongitude": value})


def test_headings():
    assert [as_heading(value) for value in (None, -1.0, 0.0, 359.5, 360.0, 361.0)] == [
        None, None, 0.0, 359.5, 0.0, None,
    ]  # fmt: skip


# The shared photos


def test_every_shared_photo_with_exif_agrees_with_the_table(shared_data: Path):
    """photos.csv rounds to 1e-7 degrees; nothing else differs."""
    folder = shared_data / "photos"
    with (folder / "photos.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    placed: dict[str, int] = {}
    for row in rows:
        metadata = read_metadata(folder / row["path"])
        assert metadata.place_problem is None
        assert metadata.panorama == (row["projection"] == "spherical")
        if metadata.place is not None:
            placed[row["source"]] = placed.get(row["source"], 0) + 1
            assert metadata.place.lat == pytest.approx(float(row["lat"]), abs=1e-7), row["path"]
            assert metadata.place.lon == pytest.approx(float(row["lon"]), abs=1e-7), row["path"]
    assert len(rows) == 160
    assert placed == {
        "ianare/exif-samples": 12,
        "mapillary/mapillary_tools": 2,
        "drewnoakes/metadata-extractor-images": 18,
        "mapillary/OpenSfM": 32,
    }


def test_the_three_samples_without_a_place(shared_data: Path):
    problems = {
        name: read_metadata(shared_data / "photos" / "exif-samples" / f"{name}.jpg").place_problem
        for name in ("jolla", "canon_hdr_NO", "canon_hdr_YES")
    }
    empty = "the GPS block holds no readable latitude and longitude"
    assert problems == {"jolla": None, "canon_hdr_NO": empty, "canon_hdr_YES": empty}


def test_what_else_the_shared_photos_say(shared_data: Path):
    folder = shared_data / "photos"
    nokia = read_metadata(folder / "exif-samples" / "HMD_Nokia_8.3_5G.jpg")
    assert nokia.captured_at == datetime(
        2022, 8, 14, 14, 12, 31, tzinfo=timezone(timedelta(hours=3))
    )
    assert nokia.heading_degrees == 56
    assert nokia.camera == "HMD Global Nokia 8.3 5G"
    iphone = read_metadata(folder / "metadata-extractor" / "Apple_iPhone_6_plus.jpg")
    assert iphone.place.altitude_m == pytest.approx(-166.309, abs=1e-3)
    assert iphone.heading_degrees == pytest.approx(16.178, abs=1e-3)
    turned = read_metadata(folder / "metadata-extractor" / "Apple_iPhone_5.jpg")
    assert turned.orientation == 3


def test_a_packet_without_its_reader_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "defusedxml.common", None)
    assert read_xmp(b"no packet") == {}
    with pytest.raises(DependencyError, match="XMP packet, and defusedxml") as caught:
        read_xmp(xmp('exif:GPSLatitude="10,0N"', ""))
    assert caught.value.hint == "Run: pip install defusedxml"
