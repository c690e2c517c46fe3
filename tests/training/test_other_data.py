"""A run scored on data that are not its own: what is taken, and what was seen in training."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from sightline.datasets import Manifest, write_manifest
from sightline.datasets.layouts import read
from sightline.errors import SplitLeakError, TrainingDataError
from sightline.training import CrossViewRecipe, GlobalRecipe, train
from sightline.training.cross_view.pair_data import PairData, read_split
from sightline.training.evaluating import evaluate_run, score_run
from sightline.training.loops.watching import Silent
from sightline.training.other_data import open_other
from sightline.training.sources import open_data

from .conftest import Listener
from .photo_sets import tiny_global
from .recipes import tiny

FAST = {"device": "cpu", "resamples": 50}


@pytest.fixture(scope="module")
def run(planet_pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "tiny"
    torch.set_num_threads(1)
    train(tiny(epochs=1), out, data=planet_pairs, device="cpu")
    return out


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs of the same planet in which the test split lies in another country."""
    folder = tmp_path_factory.mktemp("elsewhere")
    open_data(tiny(data="planet:unseen-country", planet_collection=1), folder, folder, Silent())
    return folder / "manifest"


def test_a_run_is_scored_on_another_country(
    run: Path, planet_pairs: Path, elsewhere: Path, listener: Listener
) -> None:
    scored = score_run(run, data=planet_pairs, on=elsewhere, watcher=listener, **FAST)
    assert scored.result.name == "tiny (test of manifest)"
    assert (scored.result.relevance.queries, scored.result.relevance.references) == (16, 16)
    assert scored.asked.fingerprint == Manifest.open(elsewhere).fingerprint
    assert scored.own.fingerprint != scored.asked.fingerprint
    assert listener.notes == []
    # All of it is new to the run, whatever its splits are called there.
    trained = score_run(run, data=planet_pairs, on=elsewhere, split="train", **FAST)
    assert trained.result.relevance.queries == 56


def test_its_own_test_split_is_as_new_by_name_as_by_role(run: Path, planet_pairs: Path) -> None:
    by_role = evaluate_run(run, data=planet_pairs, **FAST).to_json()["metrics"]
    on = planet_pairs / "manifest"
    by_name = evaluate_run(run, data=planet_pairs, on=on, **FAST).to_json()["metrics"]
    assert by_name == by_role


@pytest.mark.parametrize("split", ["train", "val"])
def test_what_was_trained_or_selected_on_is_refused(
    run: Path, planet_pairs: Path, tmp_path: Path, split: str
) -> None:
    for place in (planet_pairs, shutil.copytree(planet_pairs, tmp_path / "copy")):
        with pytest.raises(SplitLeakError, match="photos that the run was trained or selected on"):
            score_run(run, data=planet_pairs, on=place / "manifest", split=split, **FAST)


def test_patches_that_were_trained_on_are_refused_unless_the_protocol_shares_them(
    pair_data: PairData, planet_pairs: Path, tmp_path: Path
) -> None:
    """Other photos, of which one has a patch of the training split."""
    copy = shutil.copytree(planet_pairs, tmp_path / "copy")
    _, patch = pair_data.train.pairs[0]
    other = read_split(Manifest.open(copy / "manifest"), tiny(), "test")
    taken = other.patches.paths[other.splits["test"].pairs[3, 1]]
    shutil.copyfile(pair_data.patches.paths[patch], taken)
    write_manifest(copy / "new", read(copy, None), files="read")
    with pytest.raises(SplitLeakError, match="Some patches of this split are patches"):
        open_other(copy / "new", "test", tiny(), pair_data, Silent())
    shared = open_other(copy / "new", "test", tiny(leak_check="photos"), pair_data, Silent())
    assert len(shared.splits["test"]) == 16


def test_places_near_to_training_are_refused_where_the_recipe_says_how_near(
    pair_data: PairData, elsewhere: Path
) -> None:
    open_other(elsewhere, "test", tiny(leak_radius_m=1.0), pair_data, Silent())
    with pytest.raises(SplitLeakError, match="photos of this split lie within 2e\\+07 m of photos"):
        open_other(elsewhere, "test", tiny(leak_radius_m=2e7), pair_data, Silent())


def test_what_cannot_be_compared_is_said(
    pair_data: PairData, planet_pairs: Path, tmp_path: Path, listener: Listener
) -> None:
    """A copy without hashes looks new: its files are others."""
    copy = shutil.copytree(planet_pairs, tmp_path / "copy")
    write_manifest(copy / "bare", read(copy, None), files="trust")
    open_other(copy / "bare", "train", tiny(), pair_data, listener)
    assert len(listener.notes) == 1
    assert "have no hash in the manifest" in listener.notes[0]
    write_manifest(tmp_path / "bare", read(planet_pairs, None), files="trust")
    with pytest.raises(SplitLeakError, match="photos that the run was trained"):
        open_other(tmp_path / "bare", "train", tiny(), pair_data, listener)


def test_patches_of_another_size_are_said(pair_data: PairData, tmp_path: Path, listener) -> None:
    wide = tiny(planet_pairs=40, planet_collection=2, planet_metres_per_pixel=1.5)
    open_data(wide, tmp_path, tmp_path, Silent())
    open_other(tmp_path / "manifest", "test", tiny(), pair_data, listener)
    assert listener.notes == ["These patches show 72 m, and the network was trained on 48 m."]


def test_wrong_names_say_what_there_is(run: Path, planet_pairs: Path, elsewhere: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"'north'.*splits: test, train, val") as error:
        score_run(run, data=planet_pairs, on=elsewhere, split="north", **FAST)
    assert "--split" in error.value.hint
    with pytest.raises(TrainingDataError, match="is no manifest of pairs") as error:
        score_run(run, data=planet_pairs, on=elsewhere.parent, **FAST)
    assert "dataset manifest" in error.value.hint
    with pytest.raises(TrainingDataError, match="Got 'train'") as error:
        score_run(run, data=planet_pairs, split="train", **FAST)
    assert "--on" in error.value.hint
    with pytest.raises(TrainingDataError, match="does not fit the photos"):
        open_other(
            elsewhere, "test", tiny(ground="perspective:90"), read_own(planet_pairs), Silent()
        )


def read_own(planet_pairs: Path) -> PairData:
    return read_split(Manifest.open(planet_pairs / "manifest"), tiny(), "train")


def test_other_data_are_not_taken_for_the_runs_own(
    run: Path, elsewhere: Path, planet_pairs: Path
) -> None:
    with pytest.raises(TrainingDataError, match="was trained on data with the fingerprint") as e:
        score_run(run, data=elsewhere, **FAST)
    assert "--on" in e.value.hint
    moved = score_run(run, data=planet_pairs / "manifest", **FAST)
    assert np.isfinite(moved.result.to_json()["metrics"]["mrr"]["value"])


@pytest.mark.parametrize("recipe", [tiny(data="planet:aligned-panorama"), tiny_global()])
def test_the_planets_data_are_not_made_among_somebodys_own(
    tmp_path: Path, recipe: CrossViewRecipe | GlobalRecipe
) -> None:
    if isinstance(recipe, GlobalRecipe):
        recipe = recipe.changed(data="planet:photos")
    (tmp_path / "mine.csv").write_text("id")
    with pytest.raises(TrainingDataError, match=r"holds others \('mine.csv'\)") as error:
        open_data(recipe, tmp_path, tmp_path / "run", Silent())
    assert f"--set data={tmp_path} in place of --data" in error.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"]
