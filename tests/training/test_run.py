"""Whole runs on the planet's pairs."""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from sightline.datasets import Manifest, write_manifest
from sightline.datasets.layouts import read
from sightline.errors import (
    BundleError,
    CheckpointError,
    OutputError,
    RecipeError,
    SightlineError,
    TrainingDataError,
    TrainingDivergedError,
    UsageError,
)
from sightline.losses import InfoNCELoss
from sightline.models.backbone import CutBackbone, build_backbone
from sightline.models.bundle import Bundle, load_model, read_bundle, save_bundle
from sightline.models.card import ModelCard
from sightline.models.settings import EncoderSettings
from sightline.training import train
from sightline.training.cross_view.epochs import require_batches
from sightline.training.cross_view.pair_data import PairData, read_pairs
from sightline.training.cross_view.recipe import CrossViewRecipe
from sightline.training.cross_view.run import build, network_settings
from sightline.training.cross_view.task import CrossViewTask
from sightline.training.data.pixels import DecodedEachTime
from sightline.training.evaluating import evaluate_run
from sightline.training.grid import _own_data, ablation_runs, few_shot_runs, run_grid
from sightline.training.loops.checkpoint import read_checkpoint
from sightline.training.loops.faults import diverged
from sightline.training.loops.processes import Processes
from sightline.training.loops.task import TaskBatch
from sightline.training.loops.watching import Silent, StepReport
from sightline.training.recipe import read_recipe
from sightline.training.run_folder import RunFolder

from .conftest import Listener
from .recipes import tiny
from .run_child import KILLED
from .test_loop import StoppedError, StopsAt

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def run(planet_pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    torch.set_num_threads(1)
    train(tiny(), out, data=planet_pairs, device="cpu")
    return out


def test_a_run_leaves_what_it_was_and_what_came_of_it(run: Path) -> None:
    assert read_recipe(CrossViewRecipe, run / "recipe.toml") == tiny()
    about = json.loads((run / "run.json").read_text())
    assert about["schema"] == "sightline.run/1"
    assert about["status"] == "finished"
    assert about["data"]["train"] == 56
    assert about["steps"] == 14
    assert {"torch", "python"} <= set(about["versions"])
    assert about["machine"]["cores"] >= 1
    assert set(about["test"]) >= {"recall@1", "recall@1%", "pssr", "mrr"}
    assert sorted(p.name for p in run.iterdir()) == [
        "bundle",
        "checkpoints",
        "log.csv",
        "recipe.toml",
        "run.json",
        "tensorboard",
        "test.json",
        "validations.csv",
    ]


def test_the_test_is_a_whole_evaluation_and_can_be_repeated(
    run: Path, planet_pairs: Path, tmp_path: Path
) -> None:
    test = json.loads((run / "test.json").read_text())
    assert (test["schema"], test["kind"]) == ("sightline.evaluation/1", "retrieval")
    assert (test["n_queries"], test["n_references"]) == (16, 16)
    assert test["metrics"]["recall@1"]["low"] is not None
    assert test["reverse"] is not None
    again = evaluate_run(run, data=planet_pairs, device="cpu", resamples=50).to_json()
    assert again["name"] == "tiny (test)"
    for name, found in test["metrics"].items():
        assert again["metrics"][name]["value"] == pytest.approx(found["value"], abs=1e-9), name
    validation = evaluate_run(
        run, data=planet_pairs, split="validation", device="cpu", resamples=50
    )
    assert validation.relevance.queries == 8
    with (run / "validations.csv").open() as file:
        values = [float(row["recall@1"]) for row in csv.DictReader(file)]
    best = validation.to_json()["metrics"]["recall@1"]["value"]
    assert best == pytest.approx(max(values), abs=1e-6)
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    text = (copy / "recipe.toml").read_text().replace('test_split = "test"', 'test_split = ""')
    (copy / "recipe.toml").write_text(text)
    with pytest.raises(TrainingDataError, match="names no test split"):
        evaluate_run(copy, data=planet_pairs)


def test_the_bundle_is_the_best_network_with_its_card(run: Path) -> None:
    bundle = read_bundle(run / "bundle")
    weights = read_checkpoint(run / "checkpoints" / "best.safetensors").part("model")
    for name, tensor in bundle.network.state_dict().items():  # type: ignore[union-attr]
        assert torch.equal(tensor, weights[f"network.{name}"])
    encoder = load_model(run / "bundle")
    assert encoder.encode([np.zeros((48, 48, 3), np.uint8)], "aerial").shape == (1, 96 // 6)
    card = (run / "bundle" / "README.md").read_text()
    assert "56 pairs; patches 48 m wide" in card
    assert "| recall@1 |" in card
    assert "Not for locating people" in card
    assert "licence" not in card or bundle.card.licence == "unknown"


def test_an_evaluation_refuses_what_is_no_run(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="holds no run of `sightline train`"):
        evaluate_run(tmp_path)
    shutil.copy(run / "recipe.toml", tmp_path / "recipe.toml")
    with pytest.raises(BundleError):
        evaluate_run(tmp_path)
    settings = EncoderSettings("test_resnet", "layer4", "NCHW")
    backbone = CutBackbone(build_backbone("test_resnet", {}), "layer4", (224, 224), "NCHW")
    save_bundle(tmp_path / "bundle", Bundle(ModelCard("photos"), settings, backbone))
    with pytest.raises(BundleError, match="holds no cross-view network"):
        evaluate_run(tmp_path)


def test_a_folder_is_not_written_over(run: Path, planet_pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is not empty"):
        train(tiny(), run, data=planet_pairs, device="cpu")
    with pytest.raises(CheckpointError, match="holds no run to resume"):
        train(tiny(), tmp_path, data=planet_pairs, device="cpu", resume=True)
    with pytest.raises(CheckpointError, match=r"has epochs = 2, and 3 is asked for"):
        train(tiny(epochs=3), run, data=planet_pairs, device="cpu", resume=True)


def test_what_is_refused_leaves_nothing_in_the_way(planet_pairs: Path, tmp_path: Path) -> None:
    out, data = tmp_path / "run", planet_pairs / "manifest"
    for wrong in (
        {"backbone": "resnet1000"},
        {"head_options": {"region": 3}},
        {"weights": str(tmp_path / "none.safetensors")},
        {"precision": "float16"},
        {**REGIONS, "head_options": {"regions": 64, "split": "area"}},
        {**REGIONS, "ground": "crop:90", "heading": "known", "ground_size": (32, 8)},
        {"architecture": "vgg16-fc", "head_options": {"widths": [8, 8]}, "chunk_size": 1},
    ):
        with pytest.raises(SightlineError):
            train(tiny(**{**FEW, **wrong}), out, data=data, device="cpu")
        assert not out.exists(), wrong
    for late in ({"batch_size": 60}, {"leak_radius_m": 1e7}, {"test_split": "none"}):
        with pytest.raises(TrainingDataError):
            train(tiny(**{**FEW, **late}), out, data=data, device="cpu")
        assert {p.name for p in out.iterdir()} == {"recipe.toml"}
    assert train(tiny(**FEW), out, data=data, device="cpu")["status"] == "finished"


def test_images_that_a_network_cannot_read_show_before_any_is_decoded(
    planet_pairs: Path, tmp_path: Path, listener: Listener
) -> None:
    for wrong, said in (
        ({**REGIONS, "head_options": {"regions": 64, "split": "area"}}, "at least 64 columns"),
        ({**REGIONS, "heading": "unknown", "head_options": {"regions": 64}}, "at least 64 columns"),
        (
            {"architecture": "vgg16-fc", "head_options": {"widths": [8]}, "chunk_size": 1},
            "batch_size = 14 and chunk_size = 1 with 1 processes leave 1 images at once",
        ),
    ):
        with pytest.raises(RecipeError, match=said):
            train(
                tiny(**{**FEW, **wrong}),
                tmp_path / "run",
                data=planet_pairs / "manifest",
                device="cpu",
                watcher=listener,
            )
    assert listener.prepared == {}
    assert not (tmp_path / "run").exists()


def test_a_folder_of_something_else_is_left_alone(planet_pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "manifest").mkdir()
    with pytest.raises(OutputError, match="is not empty"):
        train(tiny(), tmp_path, data=planet_pairs / "manifest", device="cpu")
    assert (tmp_path / "manifest").is_dir()


def test_a_run_whose_memory_was_full_goes_on_in_chunks(planet_pairs: Path, tmp_path: Path) -> None:
    out, data = tmp_path / "run", planet_pairs / "manifest"
    with pytest.raises(StoppedError):
        train(tiny(), out, data=data, device="cpu", watcher=StopsAt(9))
    chunked = tiny(chunk_size=4)
    about = train(chunked, out, data=data, device="cpu", resume=True)
    assert about["status"] == "finished"
    assert about["recipe"]["chunk_size"] == 4
    assert RunFolder(out).recipe(CrossViewRecipe) == chunked


def test_images_without_hashes_are_told_of(
    planet_pairs: Path, tmp_path: Path, listener: Listener
) -> None:
    write_manifest(tmp_path / "bare", read(planet_pairs, "plain"))
    train(tiny(epochs=1), tmp_path / "run", data=tmp_path / "bare", device="cpu", watcher=listener)
    said = "160 of 160 images have no hash in the manifest"
    assert [note.startswith(said) for note in listener.notes].count(True) == 1


def test_a_finished_run_is_left_as_it_is(run: Path, planet_pairs: Path, listener: Listener) -> None:
    about = train(
        tiny(log_steps=3), run, data=planet_pairs, device="cpu", resume=True, watcher=listener
    )
    assert about["status"] == "finished"
    assert listener.notes == ["This run is finished."]
    assert RunFolder(run).recipe(CrossViewRecipe) == tiny()


def test_a_run_is_resumed_on_its_own_data_only(
    run: Path, planet_pairs: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    RunFolder(copy).record(status="training")
    about = train(tiny(), copy, data=planet_pairs, device="cpu", resume=True)
    assert about["status"] == "finished"
    RunFolder(copy).record(status="training", data={"fingerprint": "0" * 64})
    with pytest.raises(CheckpointError, match="fingerprint 000000000000"):
        train(tiny(), copy, data=planet_pairs, device="cpu", resume=True)
    (copy / "run.json").write_text("{")
    with pytest.raises(CheckpointError, match="cannot be read"):
        train(tiny(), copy, data=planet_pairs, device="cpu", resume=True)


FEW = {"epochs": 1, "batch_size": 14}
REGIONS = {"architecture": "frgeo", "loss": "infonce"}


def test_neighbours_and_clusters_are_found_anew(
    planet_pairs: Path, tmp_path: Path, listener: Listener
) -> None:
    recipe = KILLED.changed(checkpoint_minutes=1000.0)
    data = planet_pairs / "manifest"
    train(recipe, tmp_path / "run", data=data, device="cpu", watcher=listener)
    assert listener.notes.count("Hard partners were found anew.") == 2
    said = next(note for note in listener.notes if note.startswith("Super-batches of"))
    assert sum(int(n) for n in re.findall(r"\d+", said)) == 56
    table = pq.read_table(tmp_path / "run" / "super_batches.parquet")
    assert len(table) == 56
    assert np.isfinite(np.array(table.column("lat"))).all()
    stages = {stage for stage, *_ in listener.validations}
    assert stages == {"one", "two"}


def test_photos_and_patches_that_are_neither_are_masked(planet_pairs: Path, tmp_path: Path) -> None:
    """Photo 0 also shows patch 1, off its centre."""
    manifest = Manifest.open(planet_pairs / "manifest")
    pairs = list(manifest.pairs())
    pairs.append(replace(pairs[0], id="half", patch_id=pairs[1].patch_id, relation="semi-positive"))
    copy = tmp_path / "data"
    write_manifest(copy, replace(manifest.dataset(), pairs=lambda: iter(pairs)))
    recipe = tiny(**FEW)
    data = read_pairs(Manifest.open(copy, root=manifest.root), recipe)
    source = DecodedEachTime(data.photos.paths, recipe.stored_ground_size)
    network = build(recipe, network_settings(recipe, None))
    task = CrossViewTask(recipe, data, network, source, source, Processes(), tmp_path, Silent())
    found = task._neither(torch.tensor([3, 0, 1]))
    assert found is not None
    assert found.tolist() == [[False] * 3, [False, False, True], [False] * 3]
    task.begin_stage(0)
    generator = torch.Generator().manual_seed(0)
    ground, aerial = (torch.randn(3, 16, generator=generator) for _ in range(2))
    torch.testing.assert_close(
        task.loss((ground, aerial), TaskBatch((), 3, torch.tensor([3, 0, 1])), 0),
        InfoNCELoss(0.07)(ground, aerial, neither=found),
    )


def task_of(recipe: CrossViewRecipe, data: PairData, folder: Path) -> CrossViewTask:
    photos = DecodedEachTime(data.photos.paths, recipe.stored_ground_size)
    patches = DecodedEachTime(data.patches.paths, recipe.aerial_size)
    network = build(recipe, network_settings(recipe, None))
    task = CrossViewTask(recipe, data, network, photos, patches, Processes(), folder, Silent())
    task.begin_stage(0)
    task.begin_epoch(0, 0)
    return task


def test_patches_of_one_photo_are_no_negatives(planet_pairs: Path, tmp_path: Path) -> None:
    """Photo 0 has two patches, as photos have in the three zooms of CVUSA's original."""
    manifest = Manifest.open(planet_pairs / "manifest")
    pairs = list(manifest.pairs())
    pairs.append(replace(pairs[0], id="other", patch_id=pairs[1].patch_id))
    copy = tmp_path / "data"
    write_manifest(copy, replace(manifest.dataset(), pairs=lambda: iter(pairs)))
    recipe = tiny(**FEW, sampler="similar", similar_from_epoch=0, similar_neighbours=54)
    data = read_pairs(Manifest.open(copy, root=manifest.root), recipe)
    task = task_of(recipe, data, tmp_path)
    near = task.tensors()["neighbours"]
    for row in (0, 1, 56):
        assert set(near[row].tolist()) == set(range(2, 56))
    generator = torch.Generator().manual_seed(0)
    numbers = torch.tensor([0, 1, 56, 5])  # the photo, its patches' other photo, both, another
    assert [data.train.pairs[n].tolist() for n in (0, 1, 56)] == [[0, 0], [1, 1], [0, 1]]
    ground, aerial = (torch.randn(4, 16, generator=generator) for _ in range(2))
    found = task.loss((ground, aerial), TaskBatch((), 4, numbers), 0)
    wanted = InfoNCELoss(0.07)(ground, aerial, labels=torch.tensor([0, 0, 0, 1]))
    torch.testing.assert_close(found, wanted)


def test_a_second_stage_sees_other_batches_and_other_views(
    pair_data: PairData, tmp_path: Path
) -> None:
    recipe = tiny(second_epochs=1, colour_jitter=0.5, batch_size=56)
    task = task_of(recipe, pair_data, tmp_path)
    first = next(task.batches(0))
    task.begin_epoch(1, 0)
    second = next(task.batches(0))
    assert first.about.tolist() != second.about.tolist()
    pixels = []
    for batch in (first, second):
        place = batch.about.tolist().index(7)
        pixels.append(batch.inputs[0][place])  # type: ignore[index]
    assert not torch.equal(*pixels)
    task.begin_epoch(0, 0)
    assert torch.equal(next(task.batches(0)).inputs[0], first.inputs[0])  # type: ignore[arg-type]


@pytest.mark.parametrize("sharpness", [0.0, 2.0])
def test_the_memory_holds_all_batches_of_a_step(
    planet_pairs: Path, pair_data: PairData, tmp_path: Path, sharpness: float
) -> None:
    """As they were seen by the weights themselves, not by those at the sharpest point nearby."""
    recipe = tiny(memory=50, accumulate=2, sharpness=sharpness)
    task = task_of(recipe, pair_data, tmp_path)
    batches = list(islice(task.batches(0), 2))
    for turn in range(2 if sharpness else 1):
        for batch in batches:
            vectors = torch.full((8, 16), 1.0 + turn)
            task.loss((vectors, vectors), batch, 0)
    task.after_step()
    memory = task.loss_module.memory  # type: ignore[union-attr]
    assert len(memory) == 16
    labels = torch.cat([torch.from_numpy(pair_data.train.pairs[b.about, 1]) for b in batches])
    assert memory.rows().labels.tolist() == labels.tolist()
    assert (memory.rows().views[0] == 1.0).all()
    task.after_step()
    assert len(memory) == 16


def test_super_batches_that_cannot_be_filled_are_refused_before_training(
    planet_pairs: Path, tmp_path: Path
) -> None:
    recipe = tiny(batch_size=28, super_batches=3, second_epochs=1, second_sampler="super-batches")
    with pytest.raises(TrainingDataError, match="84 are needed") as error:
        train(recipe, tmp_path / "a", data=planet_pairs / "manifest", device="cpu")
    assert "batch_size=18" in error.value.hint


def test_processes_share_no_batch_that_is_smaller_than_they_are_many(pair_data: PairData) -> None:
    with pytest.raises(TrainingDataError, match="8 pairs cannot be shared by 9 processes"):
        require_batches(tiny(), pair_data, Processes(0, 9))


def test_photos_without_a_place_are_no_neighbours(planet_pairs: Path, tmp_path: Path) -> None:
    manifest = Manifest.open(planet_pairs / "manifest")
    photos = [replace(photo, lat=None, lon=None) for photo in manifest.photos()]
    copy = tmp_path / "data"
    write_manifest(copy, replace(manifest.dataset(), photos=lambda: iter(photos)))
    with pytest.raises(TrainingDataError, match="56 training photos have no place"):
        train(tiny(sampler="near", near_cluster=2), tmp_path / "a", data=copy, device="cpu")


def test_netvlad_says_what_it_lacks(planet_pairs: Path, tmp_path: Path) -> None:
    head = {"clusters": 10_000, "projection": 0}
    recipe = tiny(**FEW, architecture="cvm-net-i", head_options=head)
    with pytest.raises(UsageError) as error:
        train(recipe, tmp_path / "a", data=planet_pairs / "manifest", device="cpu")
    assert "give more pairs" in error.value.hint


@pytest.mark.parametrize(
    "changes",
    [
        {"architecture": "cvm-net-i", "head_options": {"clusters": 4, "projection": 0}},
        {
            "architecture": "frgeo",
            "ground": "crop:90",
            "heading": "known",
            "ground_size": (32, 32),
            "model_args": {"output_stride": 8},
        },
        {"sampler": "near", "near_cluster": 4, "precision": "bfloat16", "memory": 20},
        {
            "architecture": "vgg16-fc",
            "head_options": {"widths": [8, 8]},
            "loss": "max-margin",
            "mining": "semi-hard",
            "mining_nearest": True,
            "loss_distance": "euclidean",
            "optimiser": "adam",
            "test_split": "",
            "validation_split": "test",
        },
        {
            "loss": "n-pair",
            "mining": "hardest",
            "chunk_size": 5,
            "pixels": "read",
            "branches": "shared",
            "ground_size": (32, 32),
            "reduce": "active",
        },
        {
            "loss": "contrastive",
            "mining": "hardest-share",
            "optimiser": "sgd",
            "negatives": "both",
            "channels_last": False,
            "select_by": "pssr",
        },
    ],
    ids=lambda changes: changes.get("architecture") or changes.get("loss") or "near",
)
def test_recipes_of_many_kinds_run(
    changes: dict[str, Any], planet_pairs: Path, tmp_path: Path
) -> None:
    recipe = tiny(**FEW, **changes)
    about = train(recipe, tmp_path / "run", data=planet_pairs / "manifest", device="cpu")
    assert about["status"] == "finished"
    assert math.isfinite(about["best"]["score"])
    assert (about["test"] is None) == (changes.get("test_split") == "")
    card = (tmp_path / "run" / "bundle" / "README.md").read_text()
    assert ("No test split" in card) == (about["test"] is None)


@pytest.mark.parametrize("aerial_view", ["north-up", "polar"])
def test_unknown_headings_are_scored_under_the_best_turn(
    planet_pairs: Path, tmp_path: Path, aerial_view: str
) -> None:
    recipe = tiny(
        **FEW,
        architecture="frgeo",
        heading="unknown",
        phases=2,
        aerial_view=aerial_view,
        aerial_size=(64, 64),
        ground_size=(32, 128),
        model_args={"output_stride": 8},
    )
    data = planet_pairs / "manifest"
    train(recipe, tmp_path / "run", data=data, device="cpu")
    test = json.loads((tmp_path / "run" / "test.json").read_text())
    assert test["reverse"] is None
    assert any("the turn that fits best" in warning for warning in test["warnings"])
    again = evaluate_run(tmp_path / "run", data=data, device="cpu", resamples=50).to_json()
    assert again["metrics"]["mrr"]["value"] == pytest.approx(test["metrics"]["mrr"]["value"])
    settings = read_bundle(tmp_path / "run" / "bundle").settings
    assert (settings.heading, settings.turns) == ("unknown", 2)
    assert settings.polar_size == (None if aerial_view == "north-up" else (32, 128))


def broken_copy(planet_pairs: Path, target: Path, *numbers: int) -> Path:
    shutil.copytree(planet_pairs, target)
    for number in numbers:
        next((target / "photos").glob(f"*{number:07d}*")).write_bytes(b"no image")
    return target / "manifest"


@pytest.mark.parametrize("pixels", ["kept", "read"])
def test_broken_images_are_skipped_up_to_a_share(
    planet_pairs: Path, tmp_path: Path, listener: Listener, pixels: str
) -> None:
    """Photos 0 and 5 are trained on."""
    data = broken_copy(planet_pairs, tmp_path / "data", 0, 5)
    allowed = tiny(**FEW, pixels=pixels, bad_images=0.05)
    about = train(allowed, tmp_path / "a", data=data, device="cpu", watcher=listener)
    assert about["status"] == "finished"
    said = [note for note in listener.notes if "broken" in note]
    assert said[-1].startswith("2 pairs are")
    strict = tiny(**FEW, pixels=pixels, bad_images=0.02)
    with pytest.raises(
        TrainingDataError, match=r"2 of 56 training pairs cannot be read.*allows 1"
    ) as e:
        train(strict, tmp_path / "b", data=data, device="cpu")
    assert "sightline dataset doctor" in e.value.hint


def test_broken_images_of_validation_are_left_out_or_refused(
    planet_pairs: Path, tmp_path: Path
) -> None:
    """Photo 21 selects, and photo 33 is a test."""
    data = broken_copy(planet_pairs, tmp_path / "data", 21, 33)
    about = train(tiny(**FEW, bad_images=0.2), tmp_path / "a", data=data, device="cpu")
    assert about["status"] == "finished"
    test = json.loads((tmp_path / "a" / "test.json").read_text())
    assert test["n_queries"] == 15
    assert any("could not be read" in warning for warning in test["warnings"])
    with pytest.raises(TrainingDataError, match="1 images of 16 in this split"):
        train(tiny(**FEW), tmp_path / "b", data=data, device="cpu")


def test_broken_images_of_a_test_are_told_before_training(
    planet_pairs: Path, tmp_path: Path
) -> None:
    data = broken_copy(planet_pairs, tmp_path / "data", 33)
    with pytest.raises(TrainingDataError, match="1 images of 32 in this split"):
        train(tiny(**FEW), tmp_path / "a", data=data, device="cpu")
    assert not (tmp_path / "a" / "checkpoints").exists()


def test_a_run_goes_on_with_the_images_it_was_begun_with(
    planet_pairs: Path, tmp_path: Path
) -> None:
    """Photo 0 is broken at first and then repaired; photo 5 the other way round."""
    data = broken_copy(planet_pairs, tmp_path / "data", 0)
    first, other = (next((tmp_path / "data" / "photos").glob(f"*000000{n}*")) for n in (0, 5))
    sound = first.with_name(other.name).read_bytes()
    recipe, whole, out = tiny(bad_images=0.05), tmp_path / "whole", tmp_path / "run"
    train(recipe, whole, data=data, device="cpu")
    with pytest.raises(StoppedError):
        train(recipe, out, data=data, device="cpu", watcher=StopsAt(9))
    (out / "pixels").rename(tmp_path / "gone")
    first.write_bytes(sound)
    other.write_bytes(b"no image")
    with pytest.raises(CheckpointError, match=r"1 training pairs .* was begun with") as error:
        train(recipe, out, data=data, device="cpu", resume=True)
    assert other.name in error.value.message
    other.write_bytes(sound)
    about = train(recipe, out, data=data, device="cpu", resume=True)
    assert (about["status"], about["data"]["train"], about["left_out"]) == ("finished", 55, [0])
    one, two = (
        read_checkpoint(run / "checkpoints" / "last.safetensors").part("model")
        for run in (whole, out)
    )
    assert all(torch.equal(two[name], tensor) for name, tensor in one.items())


def test_a_batch_that_is_all_broken_is_told(planet_pairs: Path, tmp_path: Path) -> None:
    data = broken_copy(planet_pairs, tmp_path / "data", 0)
    few = tiny(batch_size=2, epochs=1, bad_images=0.5, pixels="read")
    with pytest.raises(TrainingDataError, match="Of the 2 pairs of a batch 1 can be read"):
        train(few, tmp_path / "a", data=data, device="cpu")


def test_too_few_pairs_or_places_are_refused_before_training(
    planet_pairs: Path, tmp_path: Path
) -> None:
    data = planet_pairs / "manifest"
    with pytest.raises(TrainingDataError, match="56 training pairs make no batch of 60") as error:
        train(tiny(batch_size=60), tmp_path / "a", data=data, device="cpu")
    assert "batch_size=28" in error.value.hint


def test_a_rate_that_is_too_high_is_told_as_such(planet_pairs: Path, tmp_path: Path) -> None:
    wild = tiny(epochs=2, learning_rate=1e30, optimiser="sgd", schedule="constant")
    with pytest.raises(TrainingDivergedError, match="of step") as error:
        train(wild, tmp_path / "run", data=planet_pairs / "manifest", device="cpu")
    assert error.value.code == "training.diverged"


class DivergesAt(Silent):
    """Takes the loss of a step for one that is not finite."""

    def __init__(self, step: int, last: Path) -> None:
        self._step, self._last = step, last

    def step(self, report: StepReport) -> None:
        if report.step == self._step:
            raise diverged("loss", float("nan"), report.step, self._last)


def test_a_run_that_diverged_goes_on_with_a_lower_rate(planet_pairs: Path, tmp_path: Path) -> None:
    out, data = tmp_path / "run", planet_pairs / "manifest"
    recipe, last = tiny(epochs=3), out / "checkpoints" / "last.safetensors"
    with pytest.raises(TrainingDivergedError) as error:
        train(recipe, out, data=data, device="cpu", watcher=DivergesAt(9, last))
    assert "--resume and a lower --set learning_rate" in error.value.hint
    assert json.loads((out / "run.json").read_text())["status"] == "failed"
    with pytest.raises(CheckpointError, match="has epochs = 3, and 4 is asked for"):
        train(recipe.changed(epochs=4), out, data=data, device="cpu", resume=True)
    lower = recipe.changed(learning_rate=1e-4, clip_norm=1.0)
    with pytest.raises(StoppedError):
        train(lower, out, data=data, device="cpu", resume=True, watcher=StopsAt(12))
    # Of a run that goes on, or came to its end, nothing of the kind may change.
    with pytest.raises(CheckpointError, match="has learning_rate"):
        train(recipe, out, data=data, device="cpu", resume=True)
    about = train(lower, out, data=data, device="cpu", resume=True)
    assert about["status"] == "finished"
    rates = [recipe.learning_rate, 1e-4]
    keys = {"learning_rate": rates, "clip_norm": [recipe.clip_norm, 1.0]}
    assert about["changed"] == [{"after": error.value.message, "keys": keys}]
    with pytest.raises(CheckpointError, match="has learning_rate"):
        train(recipe, out, data=data, device="cpu", resume=True)


def test_a_network_that_breaks_in_the_last_step_of_an_epoch_is_told_as_such(
    planet_pairs: Path, tmp_path: Path
) -> None:
    """One step an epoch: the loss was finite, and what is validated is not."""
    data = planet_pairs / "manifest"
    wild = {"batch_size": 56, "learning_rate": 1e30, "optimiser": "sgd", "schedule": "constant"}
    for number, changes in enumerate(({}, {"average_decay": 0.5})):
        recipe = tiny(**{**wild, **changes})
        with pytest.raises(TrainingDivergedError, match="of step 1 is nan"):
            train(recipe, tmp_path / str(number), data=data, device="cpu")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_keeps_the_last_checkpoint(small_disk: Path, planet_pairs: Path) -> None:
    recipe = tiny(pixels="read", checkpoint_minutes=0.0)
    out = small_disk / "run"
    data = planet_pairs / "manifest"
    with pytest.raises(OutputError, match="No space left") as full:
        train(recipe, out, data=data, device="cpu")
    assert "Free some space" in full.value.hint
    assert not [p for p in out.rglob("*") if p.name.startswith(".writing")]
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    about = train(recipe, out, data=data, device="cpu", resume=True)
    assert about["status"] == "finished"


@pytest.fixture(scope="module")
def children(planet_pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where runs that are killed, and runs of two processes, have left what they learned.

    All from one process: torch and timm take longer to import than the runs to train.
    """
    folder = tmp_path_factory.mktemp("children")
    ran = subprocess.run(
        [sys.executable, "-m", "tests.training.run_child", str(planet_pairs), str(folder)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        cwd=ROOT,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (folder / "said.txt").write_text(ran.stdout)
    return folder


def test_a_killed_run_ends_with_the_same_weights_bit_by_bit(children: Path) -> None:
    said = (children / "said.txt").read_text()
    assert said.count("died") >= 4, said
    for name in ("last", "best"):
        whole, broken = (
            read_checkpoint(children / run / "checkpoints" / f"{name}.safetensors")
            for run in ("whole", "broken")
        )
        assert set(whole.tensors) == set(broken.tensors)
        for key, tensor in whole.tensors.items():
            assert torch.equal(tensor, broken.tensors[key]), key
    documents = [
        json.loads((children / run / "test.json").read_text()) for run in ("whole", "broken")
    ]
    assert documents[0] == documents[1]
    clusters = [
        pq.read_table(children / run / "super_batches.parquet") for run in ("whole", "broken")
    ]
    assert clusters[0].equals(clusters[1])
    assert {"last", "best"} == {p.stem for p in (children / "broken" / "checkpoints").iterdir()}


def test_two_processes_learn_what_one_learns(children: Path) -> None:
    one, two = (
        read_checkpoint(children / run / "checkpoints" / "last.safetensors")
        for run in ("one", "two")
    )
    assert one.state["position"]["step"] == two.state["position"]["step"] == 10
    for key, tensor in one.part("model").items():
        torch.testing.assert_close(two.part("model")[key], tensor, rtol=2e-3, atol=2e-4, msg=key)
    for part in ("loss", "task"):
        for key, tensor in one.part(part).items():
            torch.testing.assert_close(two.part(part)[key], tensor, rtol=2e-3, atol=2e-3, msg=key)
    about = json.loads((children / "two" / "run.json").read_text())
    assert (about["processes"], about["status"]) == (2, "finished")


def test_processes_validate_one_network(children: Path) -> None:
    """Batch norms have seen other rows in each process."""
    for folder in ("0.0", "0.9"):
        for number in (1, 2):
            one, two = (
                load_file(children / folder / f"{rank}-{number}.safetensors") for rank in (0, 1)
            )
            assert "between.0.running_mean" in one
            assert all(torch.equal(two[name], tensor) for name, tensor in one.items())


def test_a_grid_is_trained_once_and_summed_up(planet_pairs: Path, tmp_path: Path) -> None:
    recipe = tiny(**FEW)
    runs = ablation_runs(recipe, {"loss": ["infonce", "tuple"]}, seeds=2)
    assert [run.name for run in runs] == [
        "loss=infonce,seed=0",
        "loss=infonce,seed=1",
        "loss=tuple,seed=0",
        "loss=tuple,seed=1",
    ]
    out, first = tmp_path / "grid", Listener()
    run_grid(runs[:2], out, data=planet_pairs / "manifest", device="cpu", watcher=first)
    second = Listener()
    summary = run_grid(runs, out, data=planet_pairs / "manifest", device="cpu", watcher=second)
    # Pixels are decoded once for all, and finished runs are left alone.
    assert first.prepared
    assert not second.prepared
    assert second.notes.count("This run is finished.") == 2
    assert [s["setting"] for s in summary["settings"]] == ["loss=infonce", "loss=tuple"]
    rows = pq.read_table(out / "results.parquet").to_pylist()
    assert [row["run"] for row in rows] == [run.name for run in runs]
    own = [row["test recall@10"] for row in rows[:2]]
    setting = summary["settings"][0]
    assert setting["mean"]["test recall@10"] == pytest.approx(np.mean(own))
    assert setting["deviation"]["test recall@10"] == pytest.approx(np.std(own, ddof=1))
    assert summary["finished"]


def test_a_grid_goes_on_past_a_run_that_diverges(planet_pairs: Path, tmp_path: Path) -> None:
    recipe = tiny(**FEW, optimiser="sgd", schedule="constant")
    runs = ablation_runs(recipe, {"learning_rate": [1e30, 1e-3]})
    summary = run_grid(runs, tmp_path, data=planet_pairs / "manifest", device="cpu")
    assert [(s["seeds"], s["failed"]) for s in summary["settings"]] == [(0, 1), (1, 0)]
    assert summary["settings"][0]["mean"] == {}
    assert summary["settings"][1]["deviation"]["test mrr"] is None
    about = json.loads((tmp_path / "runs" / runs[0].name / "run.json").read_text())
    assert about["status"] == "failed"
    again = Listener()
    assert (
        run_grid(runs, tmp_path, data=planet_pairs / "manifest", device="cpu", watcher=again)
        == summary
    )
    assert f"{runs[0].name} failed before, and would again." in again.notes
    assert not again.steps


def test_few_shot_runs_are_the_papers_shares() -> None:
    runs = few_shot_runs(tiny())
    assert [run.recipe.train_share for run in runs] == [1.0, 0.8, 0.6, 0.4, 0.2]
    assert runs[1].name == "train_share=0.8,seed=0"


@pytest.mark.parametrize(
    ("vary", "seeds"), [({}, 1), ({"seed": [1]}, 1), ({"loss": []}, 1), ({"loss": ["tuple"]}, 0)]
)
def test_grids_of_nothing_are_refused(vary: dict[str, list[Any]], seeds: int) -> None:
    with pytest.raises(UsageError, match="must vary one key or more"):
        ablation_runs(tiny(), vary, seeds=seeds)


def test_runs_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="one name, 'loss=tuple,seed=0'"):
        ablation_runs(tiny(), {"loss": ["tuple", "infonce", "tuple"]})
    with pytest.raises(UsageError, match="one name"):
        ablation_runs(tiny(), {"weights": ["a b", "a:b"]})


def test_a_combination_that_cannot_be_is_refused_before_any_run() -> None:
    with pytest.raises(RecipeError, match=r"heading=known,seed=0: heading = 'known'"):
        ablation_runs(tiny(), {"heading": ["aligned", "known"]})


def test_the_planets_pairs_of_a_grid_are_kept_apart_by_their_settings(tmp_path: Path) -> None:
    """Without a place of their own they lie in the grid's folder."""
    names = {
        _own_data(tiny(**changes), tmp_path)
        for changes in ({}, {"planet_pairs": 90}, {"ground_size": (40, 64)}, {"epochs": 9})
    }
    assert len(names) == 3
    assert _own_data(tiny(data="some/folder"), tmp_path) is None
