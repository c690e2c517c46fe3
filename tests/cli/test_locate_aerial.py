"""From a planet's imagery to an atlas of patches to located photos, as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sightline.api import locate, open_atlas, open_model
from sightline.atlas.aerial import build_aerial_atlas, open_aerial
from sightline.cli.growing import keep_model
from sightline.geo.distance import great_circle_m
from sightline.geo.region import parse_region
from sightline.locating.patches import moved
from sightline.models.bundle import (
    CrossViewBundle,
    CrossViewSettings,
    ModelCard,
    load_model,
    save_bundle,
)
from sightline.planet import Planet
from sightline.report import json_schema

SEED = 7
PATCH_M = 64.0


@pytest.fixture(scope="module")
def planet() -> Planet:
    return Planet(SEED)


@pytest.fixture(scope="module")
def town(planet: Planet) -> tuple[float, float]:
    """A street somewhere in a town."""
    from sightline.planet.difficulty import difficulty
    from sightline.planet.pairs import CrossViewPairs

    return CrossViewPairs(planet, difficulty("aligned-panorama")).plan(0).shot.latlng


@pytest.fixture(scope="module")
def cross_view_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with random weights: what it answers is no matter here, that it does is."""
    settings = CrossViewSettings.of(
        "frgeo",
        ground="perspective:90",
        backbone="test_resnet",
        ground_size=(64, 96),
        aerial_size=(64, 64),
        options={"split": "area"},
        heading="unknown",
        turns=2,
        patch_m=PATCH_M,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = settings.build()
    bundle = CrossViewBundle(ModelCard("tiny cross-view"), settings, network)
    return save_bundle(tmp_path_factory.mktemp("cross-view") / "model", bundle, weights="int8")


def box(town: tuple[float, float], half_m: float) -> str:
    south, west = moved(np.array(town), -half_m, -half_m)
    north, east = moved(np.array(town), half_m, half_m)
    return f"{south},{west},{north},{east}"


@pytest.fixture(scope="module")
def aerial_atlas(town, cross_view_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """49 patches of the planet around the street."""
    out = tmp_path_factory.mktemp("aerial") / "town.atlas"
    build_aerial_atlas(
        out,
        open_aerial(f"planet:{SEED}"),
        load_model(cross_view_bundle),
        patch_m=PATCH_M,
        stride_m=32.0,
        within=parse_region(box(town, 110)),
    )
    keep_model(out, cross_view_bundle)
    return out


def test_the_whole_way(sightline, planet, town, aerial_atlas: Path, tmp_path: Path) -> None:
    street = tmp_path / "street.png"
    Image.fromarray(planet.photo(town, 40.0, 90.0, (144, 96))).save(street)
    whole = tmp_path / "panorama.jpg"
    Image.fromarray(planet.panorama(town, (256, 128))).save(whole)
    ran = sightline(
        "locate", street, whole, "--atlas", aerial_atlas, "--json",
        "--report", tmp_path / "out.html", "--geojson", tmp_path / "out.geojson",
        "--kml", tmp_path / "out.kml",
    )  # fmt: skip
    assert ran.status == 0, ran.err
    document = ran.json()
    known = json_schema()["$defs"]
    assert document["encoder_name"] == "tiny cross-view"
    for photo in document["photos"]:
        estimate, candidates = photo["estimate"], photo["candidates"]
        assert set(estimate) <= set(known["estimate"]["properties"])
        assert set(candidates[0]) <= set(known["candidate"]["properties"])
        assert estimate["method"] == "cross-view"
        assert estimate["patch_m"] == PATCH_M
        assert 0 <= estimate["heading_degrees"] < 360
        assert great_circle_m((estimate["lat"], estimate["lon"]), town) < 200
        assert len({(c["lat"], c["lon"]) for c in candidates}) == len(candidates) == 10
        assert all(c["patch_m"] == PATCH_M for c in candidates)
    flat, turned = document["photos"]
    assert "no field of view" in flat["estimate"]["notes"][0]
    assert "cut into 4 views" in turned["estimate"]["notes"][0]
    html = (tmp_path / "out.html").read_text()
    assert "Looking towards" in html
    assert "cut into 4 views" in html
    # The photo and its patches, cut from the planet again.
    assert html.count("data:image/jpeg") >= 2 + 10
    features = json.loads((tmp_path / "out.geojson").read_text())["features"]
    squares = [f for f in features if f["properties"]["kind"] == "match"]
    assert {f["geometry"]["type"] for f in squares} == {"Polygon"}
    ring = np.array(squares[0]["geometry"]["coordinates"][0])[:, ::-1]
    sides = great_circle_m(ring[:-1], ring[1:])
    np.testing.assert_allclose(sides, PATCH_M, rtol=1e-2)
    kml = (tmp_path / "out.kml").read_text()
    assert kml.count("<Polygon>") >= 20
    assert 'name="heading_degrees"' in kml


def test_headings_and_other_words(sightline, planet, town, aerial_atlas, tmp_path) -> None:
    street = tmp_path / "street.png"
    Image.fromarray(planet.photo(town, 40.0, 90.0, (144, 96))).save(street)
    ran = sightline("locate", street, "--atlas", aerial_atlas, "--heading", 40)
    assert ran.status == 0, ran.err
    assert "towards 40°" in ran.out
    assert "note" in ran.out
    ran = sightline("locate", street, "--atlas", aerial_atlas, "--heading", "unknown")
    assert ran.status == 0, ran.err
    for wrong in ("north", "nan"):
        ran = sightline("locate", street, "--atlas", aerial_atlas, "--heading", wrong)
        assert ran.status == 2
        assert "degrees, or 'unknown'" in ran.err
    ran = sightline("locate", street, "--atlas", aerial_atlas, "--method", "density")
    assert ran.status == 2
    assert "aerial patches" in ran.err
    answer = locate(street, open_atlas(aerial_atlas), open_model(aerial_atlas), heading=40.0)
    assert answer.estimate is not None
    assert answer.estimate.heading_degrees == pytest.approx(40.0)
    assert "<svg" in answer._repr_html_()


def test_kinds_are_not_mixed_up(
    sightline, atlas, bundle, aerial_atlas, cross_view_bundle, photos
) -> None:
    asked = photos / "nowhere.png"
    ran = sightline("locate", asked, "--atlas", atlas, "--model", cross_view_bundle)
    assert ran.status == 2
    assert "is a cross-view model" in " ".join(ran.err.split())
    ran = sightline("locate", asked, "--atlas", aerial_atlas, "--model", bundle)
    assert ran.status == 2
    assert "encodes photos only" in " ".join(ran.err.split())
    ran = sightline("locate", asked, "--atlas", atlas, "--heading", 40)
    assert ran.status == 2
    assert "an atlas of photos" in " ".join(ran.err.split())


def test_model_info_of_a_cross_view_bundle(sightline, cross_view_bundle) -> None:
    ran = sightline("model", "info", cross_view_bundle)
    assert ran.status == 0
    for words in ("cross_view", "perspective:90", "frgeo", "turns"):
        assert words in ran.out
    described = sightline("model", "info", cross_view_bundle, "--json").json()
    assert described["patch_m"] == PATCH_M
    assert described["whitening_sample"] is None
