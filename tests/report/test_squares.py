"""Aerial patches as squares in every output, across the antimeridian too."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import shapely
from shapely.geometry import shape

from sightline.geo.distance import great_circle_m
from sightline.imagery.aerial import patch_outline
from sightline.report import feature_collection, json_schema, locate_document, write_report
from sightline.report.html import report_html
from sightline.report.kml import kml_text
from sightline.report.map_svg import map_svg
from sightline.report.squares import patch_geometry
from sightline.report.thumbnails import patch_thumbnail

from .browsing import Visit
from .conftest import MakeEstimate, MakeResult, candidate
from .markup import Page
from .schema import violations


def answer(make_estimate: MakeEstimate, lat: float, lon: float, heading: float | None = 90.0):
    match = replace(candidate(lat, lon), heading_degrees=heading, patch_m=100.0)
    return make_estimate(
        lat,
        lon,
        candidates=(match,),
        method="cross-view",
        heading_degrees=heading,
        patch_m=100.0,
        notes=("The <b>lens</b> is wide.",),
    )


@pytest.mark.parametrize(("lat", "lon"), [(55.7, 13.19), (-16.5, 179.9999), (70.0, -180.0)])
def test_a_patch_is_a_square(
    make_result: MakeResult, make_estimate: MakeEstimate, lat: float, lon: float
) -> None:
    document = locate_document([make_result(estimate=answer(make_estimate, lat, lon))])
    assert violations(document, json_schema()) == []
    (photo,) = document["photos"]
    assert photo["estimate"]["heading_degrees"] == 90.0
    assert photo["estimate"]["patch_m"] == 100.0
    assert photo["candidates"][0]["patch_m"] == 100.0
    square = patch_geometry(photo["candidates"][0])
    assert square is not None
    points = shapely.get_coordinates(square)
    assert np.abs(points[:, 0]).max() <= 180
    away = great_circle_m((lat, lon), points[:, ::-1])
    # Metres of the ellipsoid, measured on the sphere.
    assert away.max() == pytest.approx(50 * np.sqrt(2), rel=6e-3)
    # Every stored corner is one of the square's, on whichever side of the antimeridian.
    gaps = great_circle_m(patch_outline((lat, lon), 100.0)[:, None], points[None, :, ::-1])
    assert gaps.min(axis=1).max() < 1e-3
    (match,) = [
        f for f in feature_collection(document)["features"] if f["properties"]["kind"] == "match"
    ]
    assert shape(match["geometry"]).equals_exact(square, 1e-6)
    kml = kml_text(document)
    assert '<Data name="patch_m">' in kml
    assert kml.count("<Polygon>") >= len(shapely.get_parts(square))


def test_a_model_that_tells_no_heading(
    make_result: MakeResult, make_estimate: MakeEstimate
) -> None:
    result = make_result(estimate=answer(make_estimate, 55.7, 13.19, None))
    document = locate_document([result])
    assert document["photos"][0]["estimate"]["heading_degrees"] is None
    assert violations(document, json_schema()) == []
    html = report_html([result])
    assert "Looking towards</dt><dd>unknown" in html
    assert "&lt;b&gt;lens&lt;/b&gt;" in html


def test_photos_have_no_square(make_result: MakeResult) -> None:
    document = locate_document([make_result()])
    assert patch_geometry(document["photos"][0]["candidates"][0]) is None
    assert "patch_m" not in document["photos"][0]["estimate"]
    assert "notes" not in document["photos"][0]["estimate"]


def on_both_sides(make_estimate: MakeEstimate):
    """Two patches that overlap, one on either side of the antimeridian."""
    matches = [
        replace(candidate(-16.5, lon), patch_m=100.0, heading_degrees=0.0)
        for lon in (179.9998, -179.9999)
    ]
    return make_estimate(
        -16.5, 179.9999, candidates=tuple(matches), method="cross-view", patch_m=100.0
    )


def squares_of(html: str) -> list[np.ndarray]:
    (data,) = json.loads(next(text for tag, text in Page(html).raw if tag == "script"))
    return [np.array(ring) for ring in data["squares"]]


def test_both_maps_draw_the_squares_on_one_turn_of_the_globe(
    make_result: MakeResult, make_estimate: MakeEstimate
) -> None:
    result = make_result(estimate=on_both_sides(make_estimate), photo_place=None)
    rings = squares_of(report_html([result]))
    for ring, lon in zip(rings, (179.9998, 180.0001), strict=True):
        assert (ring[0] == ring[-1]).all()
        np.testing.assert_allclose(
            ring[:-1].mean(axis=0), [-16.5, lon], atol=2e-7, err_msg="longitudes run on"
        )
    (photo,) = locate_document([result])["photos"]
    drawn = ET.fromstring(map_svg(photo["estimate"], photo["candidates"], None))
    paths = [e for e in drawn.iter() if e.get("class") == "patch"]
    assert [e[0].text for e in paths] == [f"Match {n}: a patch of 100 m" for n in (2, 1)]
    second, first = (
        np.array(re.findall(r"([-\d.]+) ([-\d.]+)", e.get("d")), float)[:4] for e in paths
    )
    # East is right, and a square of the ground is a square of the map.
    assert second[:, 0].mean() > first[:, 0].mean()
    assert np.ptp(first[:, 0]) == pytest.approx(np.ptp(first[:, 1]), rel=0.01)
    centres = first.mean(axis=0), second.mean(axis=0)
    spacing = great_circle_m((-16.5, 179.9998), (-16.5, -179.9999))
    shown = (centres[1] - centres[0])[0] / np.ptp(first[:, 0]) * 100.0
    assert shown == pytest.approx(spacing, rel=0.01)


def test_a_patch_out_of_view_is_not_drawn(
    make_result: MakeResult, make_estimate: MakeEstimate
) -> None:
    near, far = (replace(candidate(lat, 13.19), patch_m=100.0) for lat in (55.7, 57.7))
    result = make_result(estimate=make_estimate(55.7, 13.19, candidates=(near, far), patch_m=100.0))
    (photo,) = locate_document([result])["photos"]
    drawn = map_svg(photo["estimate"], photo["candidates"], None)
    assert drawn.count('class="patch"') == 1
    # The best one is whole, however small the circles are.
    result = make_result(
        estimate=make_estimate(
            55.7, 13.19, candidates=(near,), patch_m=100.0, radius_50_m=1.0, radius_90_m=2.0
        )
    )
    (photo,) = locate_document([result])["photos"]
    root = ET.fromstring(map_svg(photo["estimate"], photo["candidates"], None))
    (path,) = (e for e in root.iter() if e.get("class") == "patch")
    points = np.array(re.findall(r"([-\d.]+) ([-\d.]+)", path.get("d")), float)
    assert ((points > 0) & (points < (640, 420))).all()


def test_photos_are_drawn_without_squares(make_result: MakeResult) -> None:
    html = report_html([make_result()])
    assert squares_of(html) == []
    assert "key-patch" not in html.split("</style>")[1]
    assert 'class="patch"' not in html


def test_squares_live_on_the_map_and_choose_their_match(
    browser, tmp_path: Path, make_result: MakeResult, make_estimate: MakeEstimate
) -> None:
    out = tmp_path / "patches.html"
    write_report(out, [make_result(estimate=on_both_sides(make_estimate), photo_place=None)])
    visit = Visit(browser, out)
    article = visit.page.locator("#photo-1")
    article.locator(".leaflet-container").wait_for()
    squares = article.locator(".live-map path.patch")
    assert squares.count() == 2
    # The best is drawn last, on top; both are squares, and lie inside the map.
    frame = article.locator(".leaflet-container").bounding_box()
    second, first = (squares.nth(n).bounding_box() for n in range(2))
    assert first["width"] == pytest.approx(first["height"], rel=0.02)
    assert 0 < second["x"] - first["x"] < first["width"]
    for box in (first, second):
        assert frame["x"] < box["x"]
        assert box["x"] + box["width"] < frame["x"] + frame["width"]
    right = {"x": second["width"] - 6, "y": second["height"] / 2}
    squares.nth(0).click(position=right)
    assert article.locator(".match[aria-pressed=true]").get_attribute("data-rank") == "2"
    assert article.locator(".live-map path.patch.chosen").count() == 1
    visit.check()


def test_imagery_that_is_gone(tmp_path) -> None:
    assert patch_thumbnail(str(tmp_path), "aerial:x#1", (1.0, 2.0), 64, 10_000) is None
