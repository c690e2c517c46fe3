"""Whole runs of classifiers of places on photos of a few colours."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from sightline.datasets import Manifest
from sightline.errors import (
    BundleError,
    CheckpointError,
    PartitionError,
    RecipeError,
    TrainingDataError,
    VectorError,
)
from sightline.geo.partition import S2Settings, adaptive_s2
from sightline.losses import mixture_log_density
from sightline.losses.mixture import unit_vectors
from sightline.models.bundle import load_model, read_bundle, save_bundle
from sightline.models.cell_classifiers import CellClassifier
from sightline.models.cell_heads import CellHead
from sightline.models.global_bundle import GlobalBundle
from sightline.models.mixture_head import MixtureHead
from sightline.models.photo_preprocessing import PhotoPreprocessing
from sightline.partition_files import save_partition
from sightline.training import GlobalRecipe, read_recipe, train
from sightline.training.cells.network import classifier_settings, start_classifier
from sightline.training.cells.run import read_apart
from sightline.training.cells.task import GlobalTask
from sightline.training.loops.checkpoint import read_checkpoint
from sightline.training.loops.processes import Processes
from sightline.training.loops.watching import Silent
from sightline.training.photos.pixels import open_photo_pixels

from .conftest import Listener
from .photo_sets import altered, manifest_of, rough_bundle, rows_of_photos, tiny_global
from .test_loop import StoppedError, StopsAt

ROOT = Path(__file__).resolve().parents[2]
THREE = ("s2:cells=4", "s2:cells=6", "s2:cells=9")


@pytest.fixture(scope="module")
def run(photo_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    torch.set_num_threads(1)
    train(tiny_global(epochs=4), out, data=photo_set, device="cpu")
    return out


@pytest.fixture(scope="module")
def start(photo_set: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(rough_bundle(tmp_path_factory.mktemp("start") / "bundle", Manifest.open(photo_set)))


def weights(run: Path) -> dict[str, torch.Tensor]:
    return dict(read_checkpoint(run / "checkpoints" / "last.safetensors").tensors)


def test_a_run_learns_where_photos_were_taken_and_says_how_well(run: Path) -> None:
    assert read_recipe(GlobalRecipe, run / "recipe.toml") == tiny_global(epochs=4)
    about = json.loads((run / "run.json").read_text())
    assert (about["status"], about["steps"], about["dimension"]) == ("finished", 32, 16)
    assert about["data"]["train"] == 64
    assert about["partitions"][0]["cells"] >= 6
    test = json.loads((run / "test.json").read_text())
    assert (test["schema"], test["kind"]) == ("sightline.evaluation/1", "localization")
    assert (test["n_photos"], test["settings"]["grouped_by"]) == (16, "group")
    assert test["metrics"]["accuracy@750km"]["value"] > 0.8
    assert test["baselines"]["prior"]["metrics"]["accuracy@750km"] < 0.5
    with (run / "validations.csv").open() as file:
        scores = [float(row["accuracy@750km"]) for row in csv.DictReader(file)]
    assert about["best"]["score"] == max(scores)
    card = (run / "bundle" / "README.md").read_text()
    assert "6 cells" in card
    assert "constant guess" in card
    assert sorted(path.name for path in run.iterdir() if path.name != "tensorboard") == [
        "bundle",
        "checkpoints",
        "log.csv",
        "recipe.toml",
        "run.json",
        "test.json",
        "validations.csv",
    ]


def test_the_bundle_answers_files_as_the_test_did(run: Path, photo_set: Path) -> None:
    bundle = read_bundle(run / "bundle")
    assert isinstance(bundle, GlobalBundle)
    (partition,) = bundle.partitions
    test = json.loads((run / "test.json").read_text())
    rows = list(Manifest.open(photo_set).photos(split="test"))
    read = bundle.settings.preprocessing.read
    pixels = np.stack([read(photo_set.parent / row.uri, (32, 32)) for row in rows])
    given = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    with torch.inference_mode():
        found = bundle.classifier.eval().log_probabilities(given)
    assert isinstance(found, torch.Tensor)
    points = partition.representatives[found.argmax(dim=1).numpy()]
    said = {one["id"]: (one["lat"], one["lon"]) for one in test["photos"]}
    for row, point in zip(rows, points, strict=True):
        assert said[row.id] == pytest.approx(tuple(point), abs=1e-12)


EVERYTHING: dict[str, Any] = {
    "crop_area": 0.7,
    "mirror": True,
    "colour_jitter": 0.3,
    "noise": 0.1,
    "erase": 0.5,
    "average_decay": 0.9,
    "warmup_epochs": 0.5,
    "model_args": {"channels": [8, 8, 8, 16], "stem_width": 8, "drop_path_rate": 0.3},
    "checkpoint_minutes": 0.0,
}


@pytest.mark.parametrize(
    "changes",
    [
        {"sampled_classes": 2, "optimiser": "sgd", "schedule": "step", "step_epochs": 1.0},
        {"head": "mixture", "chunk_size": 5},
        {"sharded_head": True, "chunk_size": 5, "weight_decay": 0.1, "clip_norm": 0.5},
        {
            "head": "multi",
            "partitions": THREE,
            "distance_km": 300.0,
            "sampler": "photographers",
            "batch_size": 4,
        },
    ],
    ids=["sampled", "mixture", "slices", "multi"],
)
def test_a_run_that_is_broken_off_ends_with_the_same_weights(
    photo_set: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    recipe = tiny_global(**{**EVERYTHING, **changes})
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    steps = train(recipe, whole, data=photo_set, device="cpu")["steps"]
    for number, step in enumerate((1, steps - 1)):
        with pytest.raises(StoppedError):
            train(
                recipe,
                broken,
                data=photo_set,
                device="cpu",
                resume=number > 0,
                watcher=StopsAt(step),
            )
    train(recipe, broken, data=photo_set, device="cpu", resume=True)
    one, two = weights(whole), weights(broken)
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, two[name]), name
    assert any(name.startswith("optimiser/") for name in one)
    assert (whole / "test.json").read_bytes() == (broken / "test.json").read_bytes()


def task_of(recipe: GlobalRecipe, photo_set: Path, folder: Path) -> GlobalTask:
    """A recipe's task, as a run makes it."""
    _, data = read_apart(recipe, photo_set, folder, Silent())
    places = data.places("train")
    partitions = [one.partition(places) for one in recipe.partition_specs]
    settings = classifier_settings(recipe, None)
    classifier = start_classifier(recipe, settings, partitions, places, None)
    stored, asked, _ = open_photo_pixels(
        recipe, recipe.size, settings.preprocessing, data, folder, Processes(), Silent()
    )
    task = GlobalTask(recipe, data, partitions, classifier, stored, asked, Processes(), Silent())
    task.begin_epoch(0, 0)
    return task


def test_the_loss_is_the_cross_entropy_of_the_photos_cells(photo_set: Path, tmp_path: Path) -> None:
    task = task_of(tiny_global(pixels="read"), photo_set, tmp_path)
    batch = next(task.batches(0))
    task.model.eval()
    (logits,) = task.model(*batch.inputs)
    rows, places, _ = batch.about
    wanted = torch.from_numpy(task.partitions[0].assign(places.numpy()))
    assert torch.equal(rows[:, 0], wanted)
    assert len(set(wanted.tolist())) > 1
    loss = task.loss((logits,), batch, 0)
    torch.testing.assert_close(loss, functional.cross_entropy(logits, wanted))


def test_a_mixtures_loss_is_a_density_and_its_concentrations_learn_in_chunks_too(
    photo_set: Path, tmp_path: Path
) -> None:
    task = task_of(tiny_global(head="mixture", pixels="read"), photo_set, tmp_path)
    head = task.model.get_submodule("classifier.head")
    assert isinstance(head, MixtureHead)
    # A town scatters over half a degree: an angle of 0.009, so that log kappa is about 9.
    assert 6 < float(head.log_concentrations.detach().median()) < 12
    batch = next(task.batches(0))
    task.model.eval()
    (logits,) = task.model(*batch.inputs)
    places = unit_vectors(batch.about[1])
    wanted = -mixture_log_density(logits, head.log_concentrations, head.means, places).mean()
    torch.testing.assert_close(task.loss((logits,), batch, 0), wanted)
    moved = {}
    for chunk in (0, 3):
        out = tmp_path / str(chunk)
        train(tiny_global(head="mixture", chunk_size=chunk, epochs=1), out, data=photo_set)
        moved[chunk] = weights(out)["model/classifier.head.log_concentrations"]
        assert not torch.allclose(moved[chunk], head.log_concentrations, atol=1e-3)
        assert torch.equal(moved[chunk], weights(out)["loss/log_concentrations"])


def test_sampled_classes_are_those_of_the_batch_and_some_others(
    photo_set: Path, tmp_path: Path
) -> None:
    recipe = tiny_global(partitions=("s2:cells=30",), sampled_classes=4, pixels="read")
    task = task_of(recipe, photo_set, tmp_path)
    first, again = (next(task.batches(0)) for _ in range(2))
    classes = first.inputs[1]
    assert classes is not None
    own = set(first.about[0][:, 0].tolist())
    drawn = set(classes[0].tolist())
    assert own < drawn
    assert len(drawn) == len(own) + 4
    assert torch.equal(classes, classes[:1].expand(8, -1))
    assert torch.equal(classes, again.inputs[1])  # type: ignore[arg-type]
    (logits,) = task.model(*first.inputs)
    assert logits.shape == (8, len(drawn))
    assert torch.isfinite(task.loss((logits,), first, 0))


def gradients_of(task: GlobalTask) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss of the first batch, and the gradient of every weight by name."""
    batch = next(task.batches(0))
    task.model.eval()
    loss = task.loss(task.model(*batch.inputs), batch, 0)
    loss.backward()  # type: ignore[no-untyped-call]
    found = {name: p.grad for name, p in task.model.named_parameters() if p.grad is not None}
    return float(loss.detach()), found


@pytest.mark.parametrize(
    ("changes", "plain"),
    [
        ({"sampled_classes": 1000}, {}),
        ({"sharded_head": True}, {}),
        (
            {"sharded_head": True, "distance_km": 300.0, "label_smoothing": 0.1},
            {"distance_km": 300.0, "label_smoothing": 0.1},
        ),
    ],
    ids=["all-sampled", "one-slice", "one-slice-smoothed"],
)
def test_all_classes_sampled_or_in_one_slice_are_the_plain_softmax(
    photo_set: Path, tmp_path: Path, changes: dict[str, Any], plain: dict[str, Any]
) -> None:
    common: dict[str, Any] = {"partitions": ("s2:cells=30",), "pixels": "read"}
    value, found = gradients_of(task_of(tiny_global(**common, **changes), photo_set, tmp_path))
    wanted, gradients = gradients_of(task_of(tiny_global(**common, **plain), photo_set, tmp_path))
    assert value == pytest.approx(wanted, rel=1e-6)
    assert found.keys() == gradients.keys()
    assert "classifier.head.linear.weight" in found
    for name, gradient in gradients.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-7, msg=name)


def test_a_head_in_slices_is_trained_and_saved_as_an_ordinary_one(
    photo_set: Path, run: Path, tmp_path: Path
) -> None:
    common: dict[str, Any] = {"weight_decay": 0.1, "clip_norm": 0.5, "average_decay": 0.9}
    for name, changes in {
        "network": {"chunk_size": 5, "accumulate": 2},
        "head-on-vectors": {"start": str(run / "bundle"), "trained": "head-on-vectors"},
    }.items():
        about = [
            train(
                tiny_global(**common, **changes, sharded_head=sharded),
                tmp_path / f"{name}-{sharded}",
                data=photo_set,
                device="cpu",
            )
            for sharded in (False, True)
        ]
        whole, slices = (weights(tmp_path / f"{name}-{one}") for one in (False, True))
        assert whole.keys() == slices.keys()
        for key, tensor in whole.items():
            torch.testing.assert_close(slices[key], tensor, rtol=1e-3, atol=1e-4, msg=key)
        assert about[0]["parameters"] == about[1]["parameters"]
        assert about[0]["test"] == about[1]["test"]
        bundle = read_bundle(tmp_path / f"{name}-True" / "bundle")
        assert isinstance(bundle, GlobalBundle)
        assert isinstance(bundle.classifier.head, CellHead)


def test_photos_are_drawn_by_cell_or_by_photographer(photo_set: Path, tmp_path: Path) -> None:
    cells = task_of(tiny_global(sampler="cells", batch_size=3, pixels="read"), photo_set, tmp_path)
    rows = np.concatenate([batch.about[0][:, 0].numpy() for batch in cells.batches(0)])
    assert len(set(rows.tolist())) == len(rows) == 6
    people = task_of(
        tiny_global(sampler="photographers", batch_size=4, pixels="read"), photo_set, tmp_path
    )
    assert people.batches_in_epoch() == 2
    for sampler, what in (("cells", "6 cells with"), ("photographers", "8 photographers make")):
        with pytest.raises(TrainingDataError, match=what) as error:
            task_of(tiny_global(sampler=sampler, batch_size=9), photo_set, tmp_path)
        assert "batch_size=" in error.value.hint


def test_every_partition_of_a_multi_head_is_scored(photo_set: Path, tmp_path: Path) -> None:
    recipe = tiny_global(head="multi", partitions=THREE)
    about = train(recipe, tmp_path / "multi", data=photo_set, device="cpu")
    with (tmp_path / "multi" / "validations.csv").open() as file:
        names = csv.DictReader(file).fieldnames or []
    for one in about["partitions"][:-1]:
        assert f"accuracy@750km of {one['cells']} cells" in names
    bundle = read_bundle(tmp_path / "multi" / "bundle")
    assert isinstance(bundle, GlobalBundle)
    assert len(bundle.partitions) == 3


def test_a_head_is_trained_on_a_backbone_that_stays(
    run: Path, photo_set: Path, tmp_path: Path
) -> None:
    start = read_bundle(run / "bundle")
    assert isinstance(start, GlobalBundle)
    wanted = start.classifier.trunk.state_dict()
    common: dict[str, Any] = {"start": str(run / "bundle"), "epochs": 1}
    for name, changes in {
        "hierarchical": {"trained": "head", "head": "hierarchical", "partitions": THREE},
        "mixture": {"trained": "head", "head": "mixture", "mirror": True},
        "on-vectors": {"trained": "head-on-vectors", "head": "hierarchical", "partitions": THREE},
    }.items():
        out = tmp_path / name
        about = train(tiny_global(**common, **changes), out, data=photo_set, device="cpu")
        assert about["test"]["accuracy@750km"] > 0.4
        made = read_bundle(out / "bundle")
        assert isinstance(made, GlobalBundle)
        for key, tensor in made.classifier.trunk.state_dict().items():
            assert torch.equal(tensor, wanted[key]), (name, key)
    assert (tmp_path / "on-vectors" / "features.arrow").is_file()
    assert not (tmp_path / "mixture" / "features.arrow").exists()


@pytest.mark.parametrize("trained", ["network", "head", "head-on-vectors"])
def test_a_backbone_brings_along_what_it_is_fed_with(
    photo_set: Path, tmp_path: Path, trained: str
) -> None:
    manifest = Manifest.open(photo_set)
    rough = read_bundle(rough_bundle(tmp_path / "rough", manifest))
    assert isinstance(rough, GlobalBundle)
    fed = PhotoPreprocessing(mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7), interpolation="bilinear")
    # Of timm's ResNets; the weights have the same shapes with both values.
    given = {**rough.settings.model_args, "output_stride": 16}
    settings = replace(rough.settings, preprocessing=fed, model_args=given)
    classifier = settings.build(rough.partitions).eval()
    save_bundle(tmp_path / "start", replace(rough, settings=settings, classifier=classifier))
    recipe = tiny_global(start=str(tmp_path / "start"), trained=trained, model_args={}, epochs=1)
    train(recipe, tmp_path / "run", data=photo_set, device="cpu")
    made = read_bundle(tmp_path / "run" / "bundle")
    assert isinstance(made, GlobalBundle)
    assert made.settings.preprocessing == fed
    assert dict(made.settings.model_args) == given
    if trained != "network":
        images = [np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)]
        start, end = (load_model(tmp_path / one) for one in ("start", "run/bundle"))
        np.testing.assert_array_equal(start.encode(images), end.encode(images))


def test_a_mixture_starts_with_the_classifiers_layer(
    run: Path, photo_set: Path, tmp_path: Path
) -> None:
    start = read_bundle(run / "bundle")
    assert isinstance(start, GlobalBundle)
    recipe = tiny_global(start=str(run / "bundle"), head="mixture")
    _, data = read_apart(recipe, photo_set, tmp_path, Silent())
    places = data.places("train")
    settings = classifier_settings(recipe, start)
    made = start_classifier(recipe, settings, start.partitions, places, start)
    assert isinstance(made.head, MixtureHead)
    known = start.classifier.head.state_dict()
    for name, tensor in made.head.weights.state_dict().items():
        assert torch.equal(tensor, known[name]), name


def test_a_head_of_other_cells_than_its_start_is_no_secret(
    run: Path, photo_set: Path, tmp_path: Path, listener: Listener
) -> None:
    start = str(run / "bundle")
    mixture = tiny_global(start=start, head="mixture", partitions=("s2:cells=5",))
    with pytest.raises(RecipeError, match="has 6 cells, and others than the 5") as error:
        train(mixture, tmp_path / "mixture", data=photo_set, device="cpu")
    hint = error.value.hint
    told = hint.removeprefix("Take the start's own: --set partitions=").removesuffix(".")
    train(
        mixture.changed(partitions=(told,), epochs=1), tmp_path / "m", data=photo_set, device="cpu"
    )
    made = read_bundle(tmp_path / "m" / "bundle")
    assert isinstance(made, GlobalBundle)
    assert made.settings.head == "mixture"
    for cells, notes in (
        ("s2:cells=5", [f"The head starts at random: {start!r} has other cells."]),
        ("s2:cells=6", []),
    ):
        recipe = tiny_global(start=start, partitions=(cells,), epochs=1)
        out = tmp_path / cells
        train(recipe, out, data=photo_set, device="cpu", watcher=listener)
        assert [note for note in listener.notes if "head" in note] == notes
        listener.notes.clear()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"trained": "head"}, RecipeError, "needs a backbone that was trained before"),
        ({"start": "START", "pooling": "max"}, RecipeError, "has pooling = 'average'"),
        ({"start": "nowhere"}, BundleError, "nowhere"),
        ({"start": "planet-360"}, BundleError, "'planet-360' holds no classifier of places"),
        ({"backbone": "resnet_none"}, BundleError, "resnet_none"),
        ({"without": ("features.30",)}, Exception, "no module 'features.30'"),
        ({"precision": "float16"}, Exception, "precision = 'float16' needs a GPU"),
    ],
)
def test_what_a_recipe_alone_gets_wrong_shows_before_there_is_a_folder(
    photo_set: Path,
    start: str,
    tmp_path: Path,
    changes: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    if changes.get("start") == "START":
        changes = {**changes, "start": start}
    with pytest.raises(error, match=message):
        train(tiny_global(**changes), tmp_path / "run", data=photo_set, device="cpu")
    assert not (tmp_path / "run").exists()


def test_photos_of_one_class_and_cells_of_elsewhere_are_refused_before_the_work(
    tmp_path: Path, listener: Listener
) -> None:
    rows = rows_of_photos(tmp_path)
    one_town = [replace(row, lat=51.5, lon=-0.1) if row.split == "train" else row for row in rows]
    place = manifest_of(tmp_path, one_town).path
    with pytest.raises(PartitionError, match="cell"):
        train(tiny_global(), tmp_path / "made", data=place, device="cpu", watcher=listener)
    world = adaptive_s2([[10.0, 10.0], [-60.0, 100.0], [51.0, 0.0]], S2Settings(cells=3))
    save_partition(tmp_path / "world.parquet", world)
    given = tiny_global(partitions=(str(tmp_path / "world.parquet"),))
    with pytest.raises(PartitionError, match="there is no other class"):
        train(given, tmp_path / "given", data=place, device="cpu", watcher=listener)
    far = adaptive_s2([[-80.0, 10.0], [-80.0, 100.0]], S2Settings(cells=2, min_level=8))
    save_partition(tmp_path / "far.parquet", far)
    elsewhere = tiny_global(partitions=(str(tmp_path / "far.parquet"),))
    with pytest.raises(PartitionError, match="None of 64 training photos lies in a cell"):
        train(elsewhere, tmp_path / "far", data=place, device="cpu", watcher=listener)
    assert "decoding photos" not in listener.prepared
    # The same folder can be used again.
    assert sorted(path.name for path in (tmp_path / "given").iterdir()) == ["recipe.toml"]


def test_a_head_with_another_number_of_partitions_is_refused_in_the_recipe() -> None:
    with pytest.raises(RecipeError, match="head = 'mixture' cannot go with 3 partitions"):
        tiny_global(head="mixture", partitions=THREE)


def test_broken_photos_are_left_out_up_to_the_allowed_share(
    tmp_path: Path, listener: Listener
) -> None:
    rows = rows_of_photos(tmp_path)
    place = manifest_of(tmp_path, rows).path
    broken = next(row for row in rows if row.split == "train")
    (tmp_path / broken.uri).write_bytes(b"no image")
    for pixels in ("kept", "read"):
        recipe = tiny_global(pixels=pixels, epochs=1)
        with pytest.raises(TrainingDataError, match="1 of 64 training photos cannot be") as error:
            train(recipe, tmp_path / f"no-{pixels}", data=place, device="cpu")
        assert broken.uri in error.value.message
        allowing = recipe.changed(bad_images=0.02)
        about = train(
            allowing, tmp_path / f"yes-{pixels}", data=place, device="cpu", watcher=listener
        )
        assert about["left_out"] == ([0] if pixels == "kept" else [])
        assert any(broken.uri in note for note in listener.notes)
    asked = next(row for row in rows if row.split == "test")
    (tmp_path / asked.uri).write_bytes(b"no image")
    with pytest.raises(TrainingDataError, match="1 photos of 16 in test cannot be read"):
        train(allowing, tmp_path / "test", data=place, device="cpu")


def test_a_batch_of_broken_photos_stops_the_run(tmp_path: Path) -> None:
    rows = rows_of_photos(tmp_path)
    place = manifest_of(tmp_path, rows).path
    trained = [row for row in rows if row.split == "train"]
    for row in trained[1:]:
        (tmp_path / row.uri).write_bytes(b"no image")
    recipe = tiny_global(pixels="read", bad_images=0.99)
    with pytest.raises(TrainingDataError, match=r"photos of a batch [01] can be read") as e:
        train(recipe, tmp_path / "run", data=place, device="cpu")
    assert "sightline dataset doctor" in e.value.hint


def test_a_run_goes_on_with_the_photos_it_was_begun_with(tmp_path: Path) -> None:
    rows = rows_of_photos(tmp_path)
    place = manifest_of(tmp_path, rows).path
    later = tmp_path / next(row for row in rows if row.split == "train").uri
    sound, out = later.read_bytes(), tmp_path / "run"
    recipe = tiny_global(bad_images=0.05)
    with pytest.raises(StoppedError):
        train(recipe, out, data=place, device="cpu", watcher=StopsAt(9))
    (out / "pixels").rename(tmp_path / "gone")
    later.write_bytes(b"no image")
    with pytest.raises(CheckpointError, match=r"1 training photos that .* begun with") as error:
        train(recipe, out, data=place, device="cpu", resume=True)
    assert later.name in error.value.message
    later.write_bytes(sound)
    assert train(recipe, out, data=place, device="cpu", resume=True)["status"] == "finished"


def test_probabilities_that_are_none_are_told(photo_set: Path, tmp_path: Path) -> None:
    task = task_of(tiny_global(pixels="read"), photo_set, tmp_path)
    classifier = task.model.get_submodule("classifier").eval()
    assert isinstance(classifier, CellClassifier)
    with torch.no_grad():
        next(iter(classifier.head.parameters())).fill_(torch.nan)
    with pytest.raises(VectorError, match="Probabilities of cells must be finite") as error:
        task.answerer.ask(classifier, task.data.splits["validation"])
    assert "learning_rate" in error.value.hint


def test_a_run_is_resumed_on_its_own_data_alone(photo_set: Path, tmp_path: Path) -> None:
    rows = rows_of_photos(tmp_path)
    other = manifest_of(tmp_path, altered(rows, "train", 3, photographer="train-99")).path
    with pytest.raises(StoppedError):
        train(tiny_global(), tmp_path / "run", data=photo_set, watcher=StopsAt(3))
    with pytest.raises(CheckpointError, match="was begun on data with the fingerprint"):
        train(tiny_global(), tmp_path / "run", data=other, resume=True)


def test_two_processes_train_what_one_does(photo_set: Path, run: Path, tmp_path: Path) -> None:
    """In processes of their own; a backbone that stays has no batch norms that see its part."""
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "tests.training.photo_child"),
            *map(str, (photo_set, run / "bundle", tmp_path)),
        ],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        cwd=ROOT,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for name in ("head", "sampled", "head-in-slices", "module"):
        one, two = weights(tmp_path / f"{name}-1"), weights(tmp_path / f"{name}-2")
        assert one.keys() == two.keys()
        for key, tensor in one.items():
            torch.testing.assert_close(tensor, two[key], rtol=2e-4, atol=1e-5, msg=f"{name} {key}")
        tests = [json.loads((tmp_path / f"{name}-{n}" / "test.json").read_text()) for n in (1, 2)]
        assert tests[0]["photos"] == tests[1]["photos"]
    # A head in slices is the ordinary one in its weights, its optimiser's state, its average and
    # what it answers; broken off and resumed it ends with the same bits.
    whole, slices, broken = (weights(tmp_path / one) for one in ("whole", "slices", "broken"))
    assert whole.keys() == slices.keys() == broken.keys()
    head = "classifier.head.linear.weight"
    assert {f"model/{head}", f"average/{head}"} < whole.keys()
    assert len(whole[f"model/{head}"]) == 13  # odd: the slices differ
    for key, tensor in whole.items():
        torch.testing.assert_close(slices[key], tensor, rtol=1e-3, atol=1e-4, msg=key)
        assert torch.equal(slices[key], broken[key]), key
    begun = (tmp_path / "broken" / "log.csv").read_text().splitlines()
    assert len(begun) == 17
    tests = [json.loads((tmp_path / one / "test.json").read_text()) for one in ("whole", "slices")]
    assert tests[0]["photos"] == tests[1]["photos"]
    bundle = read_bundle(tmp_path / "slices" / "bundle")
    assert isinstance(bundle, GlobalBundle)
    assert isinstance(bundle.classifier.head, CellHead)
    assert bundle.classifier.head.classes == 13
