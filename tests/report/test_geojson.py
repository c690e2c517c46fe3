from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import shapely
from shapely.geometry import shape

from sightline.errors import OutputError, PhotoUnreadableError
from sightline.report import feature_collection, locate_document, write_geojson

from .conftest import MakeEstimate, MakeResult


def collection(*results) -> dict:
    return feature_collection(locate_document(results))


def test_everything_is_a_feature_in_a_stated_order(make_result: MakeResult) -> None:
    features = collection(make_result())["features"]
    kinds = [feature["properties"]["kind"] for feature in features]
    assert kinds == ["estimate", "radius_50", "radius_90", "match", "match", "exif"]
    estimate, half = features[0], features[1]
    # Longitude first inside GeoJSON.
    assert list(estimate["geometry"]["coordinates"]) == [13.192, 55.704]
    assert estimate["properties"]["place"] == "Lund, Skåne, Sweden"
    assert half["properties"]["share_of_evidence"] == 0.5
    assert [f["properties"].get("rank") for f in features[3:5]] == [1, 2]
    assert {feature["properties"]["photo"] for feature in features} == {"photo.jpg"}


def test_a_photo_without_a_place_is_still_there(make_result: MakeResult) -> None:
    error = PhotoUnreadableError("x is text.", hint="Give a photo.")
    failed = make_result("x", photo_place=None, estimate=None, error=error)
    (feature,) = collection(failed)["features"]
    assert feature["geometry"] is None
    assert feature["properties"]["kind"] == "error"
    assert feature["properties"]["code"] == "photo.unreadable"


@pytest.mark.parametrize(
    ("lat", "lon", "radius_m", "kind"),
    [
        (-17.0, 179.9999, 50_000.0, "MultiPolygon"),
        (0.0, -180.0, 50_000.0, "MultiPolygon"),
        (89.9, 20.0, 50_000.0, "Polygon"),
        (-90.0, 0.0, 50_000.0, "Polygon"),
        (48.0, 2.0, 19_000_000.0, "Polygon"),
    ],
)
def test_circles_obey_rfc_7946(
    make_result: MakeResult,
    make_estimate: MakeEstimate,
    lat: float,
    lon: float,
    radius_m: float,
    kind: str,
) -> None:
    estimate = make_estimate(lat, lon, radius_50_m=0.0, radius_90_m=radius_m, candidates=())
    result = make_result(estimate=estimate, photo_place=None)
    point, circle = collection(result)["features"]
    assert point["properties"]["radius_50_m"] == 0.0
    geometry = shape(circle["geometry"])
    assert geometry.geom_type == kind
    assert geometry.is_valid
    assert shapely.box(-180, -90, 180, 90).covers(geometry)
    assert all(part.exterior.is_ccw for part in shapely.get_parts(geometry))


def test_hostile_names_and_equal_bytes(tmp_path: Path, make_result: MakeResult) -> None:
    name = os.fsdecode(b'</script>"\\\n\x00\xff')
    for out in ("a.geojson", "b.geojson"):
        write_geojson(tmp_path / out, [make_result(name)])
    text = (tmp_path / "a.geojson").read_bytes()
    assert text == (tmp_path / "b.geojson").read_bytes()
    parsed = json.loads(text, parse_constant=pytest.fail)
    assert parsed["type"] == "FeatureCollection"
    assert parsed["features"][0]["properties"]["photo"] == name


def test_a_place_that_cannot_be_written_is_one_error(
    tmp_path: Path, make_result: MakeResult
) -> None:
    with pytest.raises(OutputError, match="Cannot write"):
        write_geojson(tmp_path / "missing" / "out.geojson", [make_result()])
