"""``make demo``: the planet's part of it for real, in small; and what it says of its answers."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from sightline.geo.distance import great_circle_m
from sightline.geo.region import parse_region
from sightline.planet.difficulty import difficulty
from sightline.planet.pairs import PAIRS_PER_AREA
from sightline.planet.regions import PairRegion, split_of_area
from sightline.planet.world.lattice import latlng_of
from sightline.training import CrossViewRecipe, find_recipe, read_recipe

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script, which writes elsewhere and finds no sample."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    spec = importlib.util.spec_from_file_location("demo", ROOT / "tools" / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "OUT", tmp_path / "demo")
    monkeypatch.setattr(module, "DATA", tmp_path / "no data")
    monkeypatch.setattr(sys, "argv", ["demo.py"])
    return module


def test_without_data_the_planet_is_enough(
    demo: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "PLANET_PHOTOS", 2)
    monkeypatch.setattr(demo, "STRIDE_M", 112)
    monkeypatch.setattr(demo.demo_world, "PHOTOS", 24)
    monkeypatch.setattr(demo.demo_world, "ASKED_EVERY", 2)
    assert demo.main() == 0
    said = capsys.readouterr().out
    assert said.count("$ sightline ") == 6
    assert "anywhere on the planet" in said
    assert "Of 2 photos" in said
    assert "synthetic" in said
    assert "make demo PHOTOS=" in said
    report = demo.OUT / "planet-report.html"
    assert report.as_uri() in said
    assert "0001.jpg" in report.read_text(encoding="utf-8")
    answers = json.loads((demo.OUT / "planet-answers.json").read_text(encoding="utf-8"))
    assert answers["encoder_name"] == demo.MODEL
    assert [photo["error"] for photo in answers["photos"]] == [None, None]
    # The walk's headings are read, and strips taken as what the model was trained with.
    assert all("file's own" in photo["estimate"]["notes"][0] for photo in answers["photos"])
    features = json.loads((demo.OUT / "planet-places.geojson").read_text(encoding="utf-8"))
    assert features["features"]


def test_it_stops_where_a_command_fails(demo: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "BOX", "1,2")
    with pytest.raises(SystemExit) as stop:
        demo.main()
    assert stop.value.code == 2


def test_what_is_said_is_counted(demo: ModuleType) -> None:
    def photo(away_m: float, *, abstained: bool) -> dict:
        return {"exif": {"to_estimate_m": away_m}, "estimate": {"abstained": abstained}}

    said = demo.said_of_planet(
        {
            "photos": [
                photo(3.0, abstained=False),
                photo(20.0, abstained=True),
                photo(40.0, abstained=False),
                photo(400.0, abstained=False),
            ]
        }
    )
    assert "Of 4 photos" in said
    assert "2 within 25 m, 3 within 50 m" in said
    assert "half of them within 30 m" in said
    assert "more than chance: 3, of which 2 are within 50 m" in said


def test_the_region_was_not_trained_on(demo: ModuleType) -> None:
    recipe = read_recipe(CrossViewRecipe, find_recipe(demo.MODEL))
    names = recipe.data.removeprefix("planet:").split("+")
    tile_m = recipe.planet_tile_px * recipe.planet_metres_per_pixel
    assert (tile_m, recipe.planet_seed) == (demo.PATCH_M, int(demo.PLANET.partition(":")[2]))
    region = PairRegion(recipe.planet_seed, difficulty(names), recipe.planet_collection, tile_m)
    last = -(-recipe.planet_pairs // PAIRS_PER_AREA)
    areas = sum(split_of_area(number)[0] == "train" for number in range(last))
    # With those kept back for areas without streets, and some more.
    trained = [region.area("train", row) for row in range(areas * 8 // 7 + 16)]
    places = np.concatenate(
        [latlng_of(a.face, np.array([a.i + 2.0]), np.array([a.j + 2.0])) for a in trained]
    )
    box = parse_region(demo.BOX).bounds
    middle = ((box.south + box.north) / 2, (box.west + box.east) / 2)
    assert float(great_circle_m(middle, places).min()) > 1000 * demo.NEAREST_TRAINED_KM
