from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.report import locate_document
from sightline.report.map_svg import latitude, map_svg, mercator

from .conftest import MakeEstimate, MakeResult, candidate

SVG = "{http://www.w3.org/2000/svg}"


def drawn(result, **size) -> ET.Element:
    (photo,) = locate_document([result])["photos"]
    return ET.fromstring(map_svg(photo["estimate"], photo["candidates"], photo["exif"], **size))


def of_class(root: ET.Element, name: str) -> list[ET.Element]:
    return [element for element in root.iter() if element.get("class") == name]


def test_it_shows_estimate_matches_circles_and_scale(make_result: MakeResult) -> None:
    root = drawn(make_result())
    (estimate,) = of_class(root, "estimate")
    # The view is centred on the estimate.
    assert estimate.get("transform") == "translate(320.0 210.0)"
    assert len(of_class(root, "match")) == 2
    assert len(of_class(root, "exif")) == 1
    assert len(of_class(root, "radius-50")) == len(of_class(root, "radius-90")) == 1
    assert of_class(root, "scale-text")[0].text == "200 m"
    # At street scale rounded outlines would be drawn where they are not.
    assert not of_class(root, "land")
    assert of_class(root, "ground")


def test_the_scale_bar_is_true(make_result: MakeResult, make_estimate: MakeEstimate) -> None:
    result = make_result(estimate=make_estimate(60.0, 20.0), photo_place=None)
    root = drawn(result)
    bar = float(re.search(r"h-([\d.]+)", of_class(root, "scale")[0].get("d"))[1])
    length_m = float(of_class(root, "scale-text")[0].text.removesuffix(" m"))
    ring = np.array(re.findall(r"([\d.]+) ([\d.]+)", of_class(root, "radius-90")[0].get("d")))
    diameter = np.ptp(ring.astype(float)[:, 0])
    assert bar / length_m == pytest.approx(diameter / 240.0, rel=0.02)


def test_from_afar_it_shows_land(make_result: MakeResult, make_estimate: MakeEstimate) -> None:
    root = drawn(make_result(estimate=make_estimate(48.0, 2.0, radius_90_m=5e6)))
    (land,), (borders,) = of_class(root, "land"), of_class(root, "borders")
    assert len(land.get("d")) > 10_000
    assert len(borders.get("d")) > 1_000
    assert of_class(root, "sea")


def test_matches_beyond_the_view_are_left_out(
    make_result: MakeResult, make_estimate: MakeEstimate
) -> None:
    far = (candidate(55.704, 13.192), candidate(-33.0, 151.0))
    root = drawn(make_result(estimate=make_estimate(candidates=far)))
    assert len(of_class(root, "match")) == 1


def test_both_sides_of_the_antimeridian_are_neighbours(
    make_result: MakeResult, make_estimate: MakeEstimate
) -> None:
    estimate = make_estimate(-17.0, 179.9999, candidates=(candidate(-17.0, -179.9999),))
    root = drawn(make_result(estimate=estimate, photo_place=None))
    (match,) = of_class(root, "match")
    x = float(re.search(r"[\d.]+", match.get("transform"))[0])
    assert 320 < x < 420
    labels = {element.text for element in of_class(root, "label")}
    assert any(label.endswith("W") for label in labels)
    assert any(label.endswith("E") for label in labels)


def test_hostile_names_stay_text(make_result: MakeResult, make_estimate: MakeEstimate) -> None:
    evil = '"/><script>alert(1)</script>\x00'
    root = drawn(
        make_result(estimate=make_estimate(candidates=(candidate(55.704, 13.192, uri=evil),)))
    )
    assert not list(root.iter(f"{SVG}script"))
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert 'Match 1: "/><script>alert(1)</script>\\x00' in titles


@settings(max_examples=40, deadline=None)
@given(
    st.floats(-90, 90),
    st.floats(-180, 179.99),
    st.sampled_from([None, 0.0, 3.0, 1e4, 1e6, 9e6, 1.9e7, 2.1e7]),
)
def test_every_place_can_be_drawn(lat: float, lon: float, radius_m: float | None) -> None:
    estimate = {"lat": lat, "lon": lon, "radius_50_m": None, "radius_90_m": radius_m}
    match = {"lat": -lat, "lon": lon, "uri": "x"}
    root = ET.fromstring(map_svg(estimate, [match]))
    assert "nan" not in ET.tostring(root, encoding="unicode")
    assert len(of_class(root, "label")) >= 1


@given(st.floats(-85, 85))
def test_mercator_is_undone(lat: float) -> None:
    assert latitude(float(mercator(lat))) == pytest.approx(lat, abs=1e-9)
