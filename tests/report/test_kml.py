from __future__ import annotations

import os
from html import unescape
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from sightline.errors import OutputError, PhotoUnreadableError
from sightline.report import kml_text, locate_document, write_kml

from .conftest import MakeEstimate, MakeResult, candidate

KML = "{http://www.opengis.net/kml/2.2}"
# The order that the schema of KML 2.2 asks of a Placemark and of a Folder's head.
PLACEMARK = ["name", "description", "styleUrl", "ExtendedData", "Point", "Polygon", "MultiGeometry"]


def parsed(*results) -> ET.Element:
    return ET.fromstring(kml_text(locate_document(results)))


def test_a_folder_holds_estimate_circles_matches_and_exif(make_result: MakeResult) -> None:
    root = parsed(make_result())
    names = [e.text for e in root.iterfind(f".//{KML}Placemark/{KML}name")]
    assert names == [
        "Estimate",
        "50 % of the evidence within 40 m",
        "90 % of the evidence within 120 m",
        "Match 1",
        "Match 2",
        "EXIF place",
    ]
    assert root.find(f".//{KML}Point/{KML}coordinates").text == "13.1920000,55.7040000"
    styles = {f"#{style.get('id')}" for style in root.iter(f"{KML}Style")}
    assert {e.text for e in root.iter(f"{KML}styleUrl")} == styles


def test_elements_stand_in_the_order_of_the_schema(make_result: MakeResult) -> None:
    for placemark in parsed(make_result()).iter(f"{KML}Placemark"):
        order = [PLACEMARK.index(child.tag.removeprefix(KML)) for child in placemark]
        assert order == sorted(order)


def test_rings_are_closed_and_longitude_stays_in_range(
    make_result: MakeResult, make_estimate: MakeEstimate
) -> None:
    estimate = make_estimate(5.0, -179.99, radius_90_m=1e5, candidates=())
    across = parsed(make_result(estimate=estimate))
    rings = list(across.iterfind(f".//{KML}MultiGeometry//{KML}LinearRing/{KML}coordinates"))
    assert len(rings) == 2
    nearly_all = make_estimate(0.0, 0.0, radius_90_m=1.9e7, candidates=())
    most = parsed(make_result(estimate=nearly_all))
    rings += list(most.iterfind(f".//{KML}LinearRing/{KML}coordinates"))
    assert len(rings) == 4
    for ring in rings:
        points = [tuple(map(float, point.split(","))) for point in ring.text.split()]
        assert points[0] == points[-1]
        assert all(-180 <= lon <= 180 and -90 <= lat <= 90 for lon, lat in points)


def test_a_circle_with_a_hole_keeps_it(
    make_result: MakeResult, make_estimate: MakeEstimate
) -> None:
    # The antipode of 0, 100 lies at 0, -80, away from the antimeridian.
    root = parsed(make_result(estimate=make_estimate(0.0, 100.0, radius_90_m=1.9e7)))
    assert len(list(root.iter(f"{KML}innerBoundaryIs"))) == 1


def test_abstentions_and_errors_say_so(
    make_result: MakeResult, make_estimate: MakeEstimate
) -> None:
    unsure = make_result(estimate=make_estimate(abstained=True, reason="Too weak"))
    error = PhotoUnreadableError("x is text.", hint="Give a photo.")
    failed = make_result("x", photo_place=None, estimate=None, error=error)
    notes = [e.text for e in parsed(unsure, failed).iter(f"{KML}description")]
    assert any(note.startswith("Not sure: Too weak. Lund") for note in notes)
    assert "x is text. Give a photo." in notes


def test_hostile_names_are_inert_and_bytes_equal(
    tmp_path: Path, make_result: MakeResult, make_estimate: MakeEstimate
) -> None:
    name = os.fsdecode(b"]]><script>alert(1)</script>&\x00\x0b\xff\xef\xbf\xbe")
    estimate = make_estimate(candidates=(candidate(1.0, 2.0, uri=name),))
    for out in ("a.kml", "b.kml"):
        write_kml(tmp_path / out, [make_result(name, estimate=estimate)])
    data = (tmp_path / "a.kml").read_bytes()
    assert data == (tmp_path / "b.kml").read_bytes()
    root = ET.fromstring(data)
    shown = "]]><script>alert(1)</script>&\\x00\\x0b\\xff\\ufffe"
    assert root.find(f".//{KML}Folder/{KML}name").text == shown
    # Google Earth reads descriptions as HTML, so there the markup is escaped once more.
    (note,) = [e.text for e in root.iter(f"{KML}description") if "alert" in e.text]
    assert "<script>" not in note
    assert unescape(note) == shown


def test_a_place_that_cannot_be_written_is_one_error(
    tmp_path: Path, make_result: MakeResult
) -> None:
    with pytest.raises(OutputError, match="Cannot write"):
        write_kml(tmp_path, [make_result()])
