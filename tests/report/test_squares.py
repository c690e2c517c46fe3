"""Aerial patches as squares in every output, across the antimeridian too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from shapely.geometry import shape

from sightline.geo.distance import great_circle_m
from sightline.report import feature_collection, json_schema, locate_document
from sightline.report.html import report_html
from sightline.report.kml import kml_text
from sightline.report.squares import patch_geometry
from sightline.report.thumbnails import patch_thumbnail

from .conftest import MakeEstimate, MakeResult, candidate
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
    assert away.max() == pytest.approx(50 * np.sqrt(2), rel=1e-3)
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


def test_imagery_that_is_gone(tmp_path) -> None:
    assert patch_thumbnail(str(tmp_path), "aerial:x#1", (1.0, 2.0), 64, 10_000) is None
