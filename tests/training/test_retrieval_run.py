"""Whole runs of vectors for retrieval on photos of a few colours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pyarrow import feather
from torch import Tensor, nn

from sightline.datasets import Manifest
from sightline.errors import (
    BundleError,
    PartitionError,
    RecipeError,
    TrainingDataError,
    VectorError,
)
from sightline.models.bundle import read_bundle, save_bundle
from sightline.models.global_bundle import GlobalBundle
from sightline.training import train
from sightline.training.cross_view.pair_data import Rows
from sightline.training.loops.checkpoint import read_checkpoint
from sightline.training.loops.precision import MixedPrecision
from sightline.training.loops.processes import Processes
from sightline.training.loops.watching import Silent
from sightline.training.retrieval.network import RetrievalObjective
from sightline.training.retrieval.run import RetrievalJob
from sightline.training.retrieval.scores import Embedder

from .conftest import Listener
from .photo_sets import manifest_of, rough_bundle, rows_of_photos, tiny_retrieval
from .test_loop import StoppedError, StopsAt


@pytest.fixture(scope="module")
def start(photo_set: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(rough_bundle(tmp_path_factory.mktemp("start") / "bundle", Manifest.open(photo_set)))


@pytest.fixture(scope="module")
def run(photo_set: Path, start: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    torch.set_num_threads(1)
    train(tiny_retrieval(start=start), out, data=photo_set, device="cpu")
    return out


def weights(run: Path) -> dict[str, Tensor]:
    return dict(read_checkpoint(run / "checkpoints" / "last.safetensors").tensors)


def test_a_module_is_trained_on_stored_vectors_and_told_beside_its_start(run: Path) -> None:
    about = json.loads((run / "run.json").read_text())
    assert (about["status"], about["start"], about["dimension"]) == ("finished", "rough", 16)
    test = json.loads((run / "test.json").read_text())
    assert (test["kind"], test["n_photos"]) == ("localization", 16)
    assert about["test"]["accuracy@750km"] == test["metrics"]["accuracy@750km"]["value"]
    assert about["test_of_start"].keys() >= {"accuracy@1km", "accuracy@25km", "median_error_km"}
    card = (run / "bundle" / "README.md").read_text()
    assert "Residual Retrieval Module on 'rough'" in card
    assert f"{about['test_of_start']['accuracy@25km']:.4f} within 25km" in card


def test_stored_vectors_are_those_of_the_bundle_with_places_and_cells(
    run: Path, photo_set: Path, start: str
) -> None:
    table = feather.read_table(run / "features.arrow").to_pydict()
    assert table["part"] == ["train"] * 64 + ["validation"] * 16 + ["test"] * 16
    bundle = read_bundle(start)
    assert isinstance(bundle, GlobalBundle)
    photos = {row.id: row for row in Manifest.open(photo_set).photos()}
    places = np.array([table["lat"], table["lon"]]).T
    assert table["cell"] == bundle.partitions[0].assign(places).tolist()
    for number in (0, 70, 95):
        row = photos[table["id"][number]]
        assert (row.lat, row.lon) == tuple(places[number])
        read = bundle.settings.preprocessing.read(photo_set.parent / row.uri, (32, 32))
        with torch.inference_mode():
            wanted = bundle.classifier.eval().vectors(torch.from_numpy(read).permute(2, 0, 1)[None])
        found = torch.tensor(table["vector"][number])
        torch.testing.assert_close(found, wanted[0], rtol=1e-3, atol=1e-4)


def test_the_bundle_holds_classifier_and_module(run: Path, start: str) -> None:
    bundle, before = read_bundle(run / "bundle"), read_bundle(start)
    assert isinstance(bundle, GlobalBundle)
    assert isinstance(before, GlobalBundle)
    assert bundle.residual is not None
    assert bundle.settings.residual_hidden == 16
    for name, tensor in before.classifier.state_dict().items():
        assert torch.equal(tensor, bundle.classifier.state_dict()[name]), name
    best = read_checkpoint(run / "checkpoints" / "best.safetensors").part("model")
    for name, tensor in bundle.residual.state_dict().items():
        assert torch.equal(tensor, best[f"encode.{name}"]), name


def test_a_module_is_trained_without_its_residual_connection(
    run: Path, photo_set: Path, start: str, tmp_path: Path
) -> None:
    recipe = tiny_retrieval(start=start, residual_skip=False, epochs=1)
    out = tmp_path / "without"
    about = train(recipe, out, data=photo_set, device="cpu")
    assert about["recipe"]["residual_skip"] is False
    bundle, other = read_bundle(out / "bundle"), read_bundle(run / "bundle")
    assert isinstance(bundle, GlobalBundle)
    assert isinstance(other, GlobalBundle)
    assert not bundle.settings.residual_skip
    assert bundle.residual is not None
    assert not bundle.residual.residual
    assert bundle.encoder().fingerprint != other.encoder().fingerprint
    for text in (bundle.card.provenance, (out / "bundle" / "README.md").read_text()):
        assert "A Residual Retrieval Module without its residual connection" in text
    # Further training of a network begins without a module, and so without that choice.
    network: dict[str, Any] = {"trained": "network", "memory": 0, "epochs": 1}
    tuned = tiny_retrieval(start=str(out / "bundle"), **network)
    train(tuned, tmp_path / "tuned", data=photo_set, device="cpu")


@pytest.mark.parametrize(
    "changes",
    [
        {"average_decay": 0.9, "residual_skip": False},
        {
            "trained": "network",
            "positives": "place-and-vector",
            "positive_km": 60.0,
            "negative_km": 500.0,
            "loss": "triplet",
            "mining": "hardest",
            "memory": 0,
            "crop_area": 0.7,
            "mirror": True,
            "epochs": 2,
            "batch_size": 16,
        },
    ],
    ids=["module", "network"],
)
def test_a_run_that_is_broken_off_ends_with_the_same_weights(
    photo_set: Path, start: str, tmp_path: Path, changes: dict[str, Any]
) -> None:
    recipe = tiny_retrieval(start=start, checkpoint_minutes=0.0, **changes)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    steps = train(recipe, whole, data=photo_set, device="cpu")["steps"]
    for number, step in enumerate((2, steps - 1)):
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
    assert (whole / "test.json").read_bytes() == (broken / "test.json").read_bytes()


def test_stored_vectors_are_shared_and_made_anew_for_another_network(
    photo_set: Path, start: str, tmp_path: Path, listener: Listener
) -> None:
    file = str(tmp_path / "vectors" / "all.arrow")
    first = tiny_retrieval(start=start, features=file, epochs=1)
    train(first, tmp_path / "a", data=photo_set, device="cpu", watcher=listener)
    assert listener.prepared == {"computing vectors": 96}
    listener.prepared.clear()
    again = first.changed(temperature=0.1)
    train(again, tmp_path / "b", data=photo_set, device="cpu", watcher=listener)
    assert not listener.prepared
    less = first.changed(train_share=0.9)
    train(less, tmp_path / "c", data=photo_set, device="cpu", watcher=listener)
    assert listener.prepared == {"computing vectors": 90}
    Path(file).write_bytes(b"no arrow")
    with pytest.raises(TrainingDataError, match="holds no stored vectors, or is damaged"):
        train(first, tmp_path / "d", data=photo_set, device="cpu")


def slow_loss(
    rows: Tensor, labels: list[int], remembered: Tensor, kept: list[int], tau: float
) -> float:
    """Equation 3 with a memory: 2 n rows, of which row i and row i + n are a pair."""
    n = len(rows) // 2
    total = 0.0
    for row in range(2 * n):
        own = labels[row % n]
        mate = (row + n) % (2 * n)
        positive = float(torch.exp(rows[row] @ rows[mate] / tau))
        negatives = sum(
            float(torch.exp(rows[row] @ rows[other] / tau))
            for other in range(2 * n)
            if labels[other % n] != own
        )
        negatives += sum(
            float(torch.exp(rows[row] @ vector / tau))
            for vector, label in zip(remembered, kept, strict=True)
            if label != own
        )
        total -= float(np.log(positive / (positive + negatives)))
    return total / (2 * n)


def test_photos_of_the_anchors_cell_are_no_negatives_in_batch_or_memory() -> None:
    recipe = tiny_retrieval(memory=8, temperature=0.2)
    objective = RetrievalObjective(recipe, 6)
    draw = torch.Generator().manual_seed(0)

    def unit(count: int) -> Tensor:
        return torch.nn.functional.normalize(torch.randn(count, 6, generator=draw), dim=1)

    assert objective.memory is not None
    kept = [3, 1, 1, 7]
    first, second = unit(4), unit(4)
    objective.memory.enqueue(first, second, labels=torch.tensor(kept))
    one, other = unit(3), unit(3)
    labels = [1, 5, 5]  # two pairs of one cell, and a cell that is remembered
    found = objective(one, other, labels=torch.tensor(labels), neither=None)
    wanted = slow_loss(
        torch.cat([one, other]), labels, torch.cat([first, second]), kept * 2, tau=0.2
    )
    assert float(found) == pytest.approx(wanted, rel=1e-5)


def test_photos_that_are_near_by_place_are_no_negatives(
    photo_set: Path, start: str, tmp_path: Path
) -> None:
    recipe = tiny_retrieval(
        start=start,
        memory=0,
        positives="place",
        positive_km=100.0,
        negative_km=500.0,
        loss="triplet",
        margin=3.0,
        batch_size=8,
    )
    job = RetrievalJob(recipe, Processes())
    job.read(photo_set, tmp_path, Silent())
    job.open_pixels(tmp_path, Silent(), left_out=None)
    task = job.task(tmp_path, Silent(), goes_on=False)
    task.begin_epoch(0, 0)
    batch = next(task.batches(0))
    one, other = (rows.detach() for rows in task.model(*batch.inputs))
    places = task.data.places("train")
    # Towns lie thousands of kilometres apart, so the sign of a place says which it is.
    towns = [np.round(places[batch.about[:, side].numpy()] / 40).tolist() for side in (0, 1)]
    assert towns[0] == towns[1]
    terms = [
        max(0.0, float((a - b).square().sum() - (a - rows[j]).square().sum()) + 3.0)
        for mine, rows in ((one, other), (other, one))
        for i, (a, b) in enumerate(zip(mine, rows, strict=True))
        for j in range(8)
        if towns[0][i] != towns[0][j]
    ]
    loss = task.loss((one, other), batch, 0)
    assert float(loss) == pytest.approx(float(np.mean(terms)), rel=1e-4)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({}, RecipeError, "needs a classifier that was trained before"),
        ({"start": "nowhere"}, BundleError, "nowhere"),
    ],
)
def test_a_start_that_is_none_shows_before_there_is_a_folder(
    photo_set: Path,
    tmp_path: Path,
    changes: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        train(tiny_retrieval(**changes), tmp_path / "run", data=photo_set, device="cpu")
    assert not (tmp_path / "run").exists()


def test_cells_and_pairs_that_cannot_be_trained_on_are_refused_before_the_work(
    photo_set: Path, start: str, tmp_path: Path, listener: Listener
) -> None:
    for changes, error, message in (
        ({"partition": "boxes:cells=2,min_members=60"}, PartitionError, "cell"),
        ({"batch_size": 40}, TrainingDataError, "make no batch of 40 pairs"),
        (
            {"positives": "place", "memory": 0, "positive_km": 1e-6, "batch_size": 40},
            TrainingDataError,
            "0 training photos with others near them",
        ),
    ):
        recipe = tiny_retrieval(start=start, **changes)  # type: ignore[arg-type]
        with pytest.raises(error, match=message):
            train(recipe, tmp_path / message[:4], data=photo_set, watcher=listener)
    assert not listener.prepared


def test_broken_photos_are_left_out_up_to_the_allowed_share(
    start: str, tmp_path: Path, listener: Listener
) -> None:
    rows = rows_of_photos(tmp_path)
    place = manifest_of(tmp_path, rows).path
    broken = next(row for row in rows if row.split == "train")
    (tmp_path / broken.uri).write_bytes(b"no image")
    recipe = tiny_retrieval(start=start, epochs=1)
    with pytest.raises(TrainingDataError, match="1 of 64 training photos cannot be read"):
        train(recipe, tmp_path / "no", data=place, device="cpu")
    allowing = recipe.changed(bad_images=0.02)
    about = train(allowing, tmp_path / "yes", data=place, device="cpu", watcher=listener)
    assert about["left_out"] == [0]
    network = allowing.changed(trained="network", pixels="read", memory=0)
    train(network, tmp_path / "net", data=place, device="cpu", watcher=listener)
    asked = next(row for row in rows if row.split == "test")
    (tmp_path / asked.uri).write_bytes(b"no image")
    with pytest.raises(TrainingDataError, match="1 photos of 16 in test cannot be read"):
        train(allowing, tmp_path / "test", data=place, device="cpu")


def test_pairs_of_broken_photos_are_skipped_and_a_batch_of_them_stops_the_run(
    start: str, tmp_path: Path, listener: Listener
) -> None:
    rows = rows_of_photos(tmp_path)
    place = manifest_of(tmp_path, rows).path
    trained = [row for row in rows if row.split == "train"]
    network: dict[str, Any] = {"trained": "network", "pixels": "read", "memory": 0, "epochs": 1}
    recipe = tiny_retrieval(start=start, bad_images=0.99, batch_size=8, **network)
    for row in trained[:10]:
        (tmp_path / row.uri).write_bytes(b"no image")
    train(recipe, tmp_path / "some", data=place, device="cpu", watcher=listener)
    assert any("pairs are skipped" in note for note in listener.notes)
    with pytest.raises(TrainingDataError, match=r"training photos cannot be read.*allows 1"):
        train(recipe.changed(bad_images=0.02), tmp_path / "few", data=place, device="cpu")
    for row in trained[10:-2]:
        (tmp_path / row.uri).write_bytes(b"no image")
    with pytest.raises(TrainingDataError, match=r"Of the 8 pairs of a batch [01] can be read") as e:
        train(recipe, tmp_path / "none", data=place, device="cpu")
    assert "sightline dataset doctor" in e.value.hint


@pytest.mark.parametrize(
    ("factor", "message"),
    [(1e9, r"Pooled vectors must be finite and at most 65504"), (torch.nan, "Got nan")],
)
def test_vectors_that_cannot_be_stored_are_told_before_training(
    start: str, photo_set: Path, tmp_path: Path, factor: float, message: str
) -> None:
    bundle = read_bundle(start)
    assert isinstance(bundle, GlobalBundle)
    with torch.no_grad():
        # The last batch norm scales what is pooled.
        norms = [m for m in bundle.classifier.trunk.modules() if isinstance(m, nn.BatchNorm2d)]
        norms[-1].bias.add_(1.0).mul_(factor)
    save_bundle(tmp_path / "wild", bundle)
    with pytest.raises(VectorError, match=message):
        recipe = tiny_retrieval(start=str(tmp_path / "wild"))
        train(recipe, tmp_path / "run", data=photo_set, device="cpu")


def test_vectors_of_a_module_that_are_none_are_told(photo_set: Path) -> None:
    def take(photos: Rows) -> tuple[Tensor, np.ndarray]:
        return torch.full((len(photos), 4), torch.inf), np.zeros(len(photos), bool)

    precision = MixedPrecision("float32", torch.device("cpu"))
    embedder = Embedder(take, batch_size=2, precision=precision, processes=Processes())
    with pytest.raises(VectorError, match="Vectors of photos must be finite"):
        embedder.vectors(nn.Identity(), np.arange(3))
