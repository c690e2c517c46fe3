"""``sightline evaluate global`` as a person types it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests.report.schema import violations
from tests.training.photo_sets import manifest_of, rows_of_photos, tiny_global, tiny_retrieval
from tests.training.recipes import tiny

from sightline.atlas.build import build_atlas
from sightline.benchmark import ABLATIONS
from sightline.cli.evaluate_global import Ablate
from sightline.datasets import Manifest
from sightline.datasets.records import PhotoRecord
from sightline.models.bundle import load_model
from sightline.report import evaluation_json_schema
from sightline.training import train

from .conftest import Ran

Sightline = Callable[..., Ran]
QUICK = ("--resamples", 50, "--device", "cpu")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photos")
    manifest_of(root, rows_of_photos(root))
    return root / "manifest"


@pytest.fixture(scope="module")
def run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "tiny"
    torch.set_num_threads(1)
    train(tiny_global(epochs=1), out, data=photos, device="cpu")
    return out


@pytest.fixture(scope="module")
def modules(run: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """With residual connection and without."""
    made = []
    for skip in (True, False):
        made.append(tmp_path_factory.mktemp("modules") / str(skip))
        recipe = tiny_retrieval(start=str(run / "bundle"), residual_skip=skip, epochs=1)
        train(recipe, made[-1], data=photos, device="cpu")
    return made


def test_the_tables_are_printed_and_saved(
    sightline: Sightline, run: Path, modules: list[Path], photos: Path, tmp_path: Path
) -> None:
    out, report = tmp_path / "out", tmp_path / "report.html"
    ran = sightline(
        "evaluate", "global", run, "--data", photos, "--ablate", "all", "--out", out,
        "--report", report, "--beside", modules[0], "--beside", modules[1], *QUICK,
    )  # fmt: skip
    assert ran.status == 0, ran.err
    for words in (
        "tiny-global on tiny-global:test: 16 photos by",
        "Methods (Revisiting IM2GPS, figure 8",
        "Background collection (Leveraging EfficientNet, section 3.3.3 and table 4)",
        "Residual connection, nearest reference (Leveraging EfficientNet, table 3)",
        "Share of each set among the nearest",
        "2,500 km",
        "London",
        "Holm over the table",
    ):
        assert words in ran.out
    document = json.loads((out / "evaluation.json").read_text())
    assert violations(document, evaluation_json_schema()) == []
    assert [table["key"] for table in document["sets"][0]["tables"]] == ["methods", *ABLATIONS]
    tables = (out / "tables.md").read_text()
    assert tables.count("\n### ") == 1 + len(ABLATIONS)
    rows = document["sets"][0]["tables"][0]["rows"]
    assert len(list((out / "answers").iterdir())) == len(rows)
    with (out / "answers" / "tiny-global-test--nearest.csv").open() as file:
        answers = list(csv.DictReader(file))
    assert len(answers) == 16
    scored = sightline(
        "evaluate", "localization", out / "answers" / "tiny-global-test--nearest.csv", "--json"
    ).json()
    (nearest,) = [row for row in rows if row["name"] == "nearest"]
    for name in ("accuracy@25km", "median_error_km"):
        assert scored["metrics"][name]["value"] == pytest.approx(nearest["metrics"][name]["value"])
    page = report.read_text()
    assert "How far off are these answers?" in page
    assert "within cell, K 10" in page


def test_one_table_of_two_sets_at_eight_radii_as_json(
    sightline: Sightline, run: Path, photos: Path, tmp_path: Path
) -> None:
    ran = sightline(
        "evaluate", "global", run, "--data", photos, "--sets", f"{photos}:test", "--sets",
        f"{photos}:test", "--references", f"{photos}:train", "--ablate", "answer", "--thresholds",
        "eight", "--features", tmp_path, "--report", tmp_path / "two.html", "--json", *QUICK,
    )  # fmt: skip
    assert ran.status == 0, ran.err
    one, two = ran.json()["sets"]
    assert (one["name"], two["name"]) == ("set:test (1)", "set:test (2)")
    assert one["tables"] == two["tables"]
    assert "set:test (2): nearest" in (tmp_path / "two.html").read_text()
    assert [table["key"] for table in one["tables"]] == ["methods", "answer"]
    for table in one["tables"]:
        assert table["thresholds_km"] == [0.1, 1.0, 5.0, 10.0, 25.0, 200.0, 750.0, 2500.0]
    assert [row["name"] for row in one["tables"][1]["rows"]] == [
        "average",
        "density, sigma 1 km",
        "density, sigma 4°",
        "clusters",
    ]
    assert len(list(tmp_path.glob("*.arrow"))) == 3


def test_of_an_atlas_all_tables_are_those_that_can_be_had(
    sightline: Sightline, run: Path, photos: Path, tmp_path: Path
) -> None:
    rows = Manifest.open(photos).photos(split="train")
    records = [PhotoRecord(str(photos.parent / row.uri), row.lat, row.lon) for row in rows]
    build_atlas(tmp_path / "atlas", records, load_model(run / "bundle", device="cpu"))
    ran = sightline(
        "evaluate", "global", run / "bundle", "--sets", f"{photos}:test", "--atlas",
        tmp_path / "atlas", "--ablate", "all", *QUICK,
    )  # fmt: skip
    assert ran.status == 0, ran.err
    assert "no tables background, retrieval, residual" in ran.err
    assert "warning: A bundle does not say what it was trained on" in ran.err
    assert "references atlas: 64" in ran.out
    assert "Background" not in ran.out


def test_errors_are_one_message_and_a_status(
    sightline: Sightline, run: Path, photos: Path, tmp_path: Path
) -> None:
    ran = sightline("evaluate", "global", run, "--data", photos, "--sets", f"{photos}:train")
    assert ran.status == 2
    assert "that the model was trained or selected on" in ran.err
    (tmp_path / "recipe.toml").write_text(tiny().to_toml())
    ran = sightline("evaluate", "global", tmp_path)
    assert ran.status == 2
    assert "sightline evaluate cross-view" in ran.err


def test_all_is_what_can_be_had_and_residual_alone_says_what_it_takes(
    sightline: Sightline, run: Path, modules: list[Path], photos: Path
) -> None:
    given = ("evaluate", "global", modules[0], "--data", photos, "--json", *QUICK)
    for beside in ((), ("--beside", run)):
        ran = sightline(*given, "--ablate", "all", *beside)
        assert ran.status == 0, ran.err
        keys = [table["key"] for table in ran.json()["sets"][0]["tables"]]
        assert keys == ["methods", *(one for one in ABLATIONS if one != "residual")]
        assert "No table residual" in ran.err
    ran = sightline(*given, "--ablate", "residual", "--beside", modules[1])
    assert [row["name"] for row in ran.json()["sets"][0]["tables"][1]["rows"]] == [
        "tiny-retrieval, with residual",
        f"{modules[1]}, without residual",
    ]
    ran = sightline(*given, "--ablate", "residual")
    assert ran.status == 2
    assert "residual_skip=false" in ran.err


def test_every_ablation_can_be_asked_for() -> None:
    assert [one.value for one in Ablate] == [*ABLATIONS, "all"]
