"""``sightline train`` for classifiers of places and for retrieval."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests.training.photo_sets import manifest_of, rows_of_photos, tiny_global, tiny_retrieval

from .conftest import Ran

Sightline = Callable[..., Ran]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photos")
    return manifest_of(root, rows_of_photos(root)).path


def test_a_classifier_is_trained_and_then_its_vectors(
    sightline: Sightline, photos: Path, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    recipe, out = tmp_path / "mine.toml", tmp_path / "run"
    recipe.write_text(tiny_global(epochs=1).to_toml())
    ran = sightline("train", recipe, "--data", photos, "--out", out, "--device", "cpu")
    assert ran.status == 0, ran.err
    assert "tiny-global: 64 photos, 8 steps" in ran.out
    assert "accuracy@25km" in ran.out
    assert "median error" in ran.out
    assert "stage one, epoch 1: accuracy@1km" in ran.err
    assert "Classes: 6 cells (0 photos in none)" in ran.err
    assert sightline("model", "info", out / "bundle", "--json").status == 0
    wrong = sightline("evaluate", "cross-view", out)
    assert wrong.status == 2
    assert "task must be one of 'cross-view'" in wrong.err
    recipe.write_text(tiny_retrieval(start=str(out / "bundle"), epochs=1).to_toml())
    then = sightline(
        "train", recipe, "--data", photos, "--out", tmp_path / "then", "--device", "cpu", "--json"
    )
    assert then.json()["status"] == "finished"
    assert then.json()["start"] == "tiny-global"


def test_a_classifier_of_very_many_cells_is_trained_on_some_or_in_slices(
    sightline: Sightline, photos: Path, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    recipe = tmp_path / "mine.toml"
    recipe.write_text(tiny_global(epochs=1, partitions=("s2:cells=40",)).to_toml())
    for change in ("sharded_head=true", "sampled_classes=8"):
        out = tmp_path / change
        ran = sightline(
            *("train", recipe, "--set", change, "--data", photos, "--out", out),
            *("--device", "cpu", "--json"),
        )
        assert ran.status == 0, ran.err
        assert (ran.json()["status"], ran.json()["steps"]) == ("finished", 8)
        shown = sightline("model", "info", out / "bundle", "--json").json()
        (cells,) = [one["cells"] for one in ran.json()["partitions"]]
        assert str(cells) in str(shown)
    ran = sightline("train", recipe, "--set", "shard_head=true", "--data", photos)
    assert ran.status == 2
    assert "Did you mean 'sharded_head'?" in ran.err


def test_classifiers_are_varied_too(sightline: Sightline, photos: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    recipe = tmp_path / "mine.toml"
    recipe.write_text(tiny_global(epochs=1).to_toml())
    ablated = sightline(
        *("train", "ablate", recipe, "--vary", "distance_km=0,200", "--seeds", 1),
        *("--data", photos, "--out", tmp_path / "grid", "--device", "cpu"),
    )
    assert ablated.status == 0, ablated.err
    assert "distance_km=200.0" in ablated.out
    assert "accuracy@750km" in ablated.out


def test_recipes_are_listed_with_their_tasks(sightline: Sightline) -> None:
    shown = sightline("train", "recipes").out
    for task, name in (("global", "im2gps-l"), ("retrieval", "rrm"), ("cross-view", "frgeo")):
        assert any(line.split()[:2] == [task, name] for line in shown.splitlines()), name
    listed = sightline("train", "recipes", "--json").json()
    assert listed["rrm"]["temperature"] == 0.05
