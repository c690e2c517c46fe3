"""Bundles of classifiers of places: round trip, fewer bytes, and every way to be none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save, save_file

from sightline.errors import BundleError, PartitionError, UsageError
from sightline.models.bundle import (
    GlobalBundle,
    GlobalSettings,
    load_model,
    read_bundle,
    save_bundle,
)
from sightline.models.cell_classifiers import PUBLISHED_CLASSIFIERS
from sightline.models.global_encoder import TorchGlobalEncoder
from sightline.models.photo_preprocessing import PhotoPreprocessing
from sightline.models.protocol import CellEncoder, CrossViewEncoder, Encoder
from sightline.models.residual_retrieval import ResidualRetrieval
from sightline.partition_files import partition_bytes

from .global_networks import FAMILY, bundle, cells_of, settings
from .test_bundle import edit, rehash

HEADS = ["single", "multi", "hierarchical", "mixture"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_bundle(tmp_path_factory.mktemp("saved") / "bundle", bundle(residual_hidden=8))


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return shutil.copytree(saved, tmp_path / "bundle")


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("hidden", [0, 8])
def test_round_trip(head: str, hidden: int, tmp_path: Path, pictures: list[np.ndarray]) -> None:
    made = bundle(head, residual_hidden=hidden)
    folder = save_bundle(tmp_path / "bundle", made)
    found = read_bundle(folder)
    assert isinstance(found, GlobalBundle)
    assert found.settings == made.settings
    assert found.card == made.card
    assert [one.fingerprint for one in found.partitions] == [
        one.fingerprint for one in made.partitions
    ]
    assert [one.members.tolist() for one in found.partitions] == [
        one.members.tolist() for one in made.partitions
    ]
    loaded, before = load_model(folder), made.encoder()
    assert isinstance(loaded, TorchGlobalEncoder)
    assert isinstance(loaded, Encoder)
    assert isinstance(loaded, CellEncoder)
    assert not isinstance(loaded, CrossViewEncoder)
    assert loaded.fingerprint == before.fingerprint
    assert loaded.classifier_fingerprint == before.classifier_fingerprint
    ours, theirs = loaded.classify(pictures), before.classify(pictures)
    np.testing.assert_array_equal(ours.vectors, theirs.vectors)
    for a, b in zip(ours.log_probabilities, theirs.log_probabilities, strict=True):
        np.testing.assert_array_equal(a, b)
    names = {f"partition-{number}.parquet" for number in range(len(made.partitions))}
    assert {p.name for p in folder.iterdir()} == {"model.json", "weights.safetensors", *names}
    prefixes = {key.split(".")[0] for key in load_file(folder / "weights.safetensors")}
    assert prefixes == ({"classifier", "residual"} if hidden else {"classifier"})
    document = json.loads((folder / "model.json").read_text())
    assert document["global"]["dimension"] == loaded.dimension
    assert document["global"]["preprocessing"]["mean"] == [0.5, 0.5, 0.5]
    assert set(document["files"]) == {"weights.safetensors", *names}


@pytest.mark.parametrize("name", sorted(PUBLISHED_CLASSIFIERS))
def test_published_classifiers_are_settings(name: str) -> None:
    row = PUBLISHED_CLASSIFIERS[name]
    found = GlobalSettings.of(name)
    assert (found.backbone, found.head, found.pooling) == (row.backbone, row.head, row.pooling)
    assert found.size == (row.size, row.size)
    assert found.without == row.without
    small = GlobalSettings.of(name, backbone="test_resnet", size=(64, 64))
    assert small.without == ()
    cells = FAMILY[-1:] if row.head in ("single", "mixture") else FAMILY
    assert small.build(cells).head is not None
    assert GlobalSettings.from_json(json.loads(json.dumps(small.to_json()))) == small
    with pytest.raises(UsageError, match="no published classifier"):
        GlobalSettings.of("im2gps-x")


@pytest.mark.parametrize(
    ("form", "share", "least"), [("float16", 0.56, 0.99999), ("int8", 0.36, 0.999)]
)
def test_fewer_bytes_keep_vectors_and_answers(
    tmp_path: Path, form: str, share: float, least: float, pictures: list[np.ndarray]
) -> None:
    made = bundle("multi", residual_hidden=64)
    whole = save_bundle(tmp_path / "whole", made)
    small = save_bundle(tmp_path / "small", made, weights=form)  # type: ignore[arg-type]
    sizes = [(one / "weights.safetensors").stat().st_size for one in (whole, small)]
    assert sizes[1] < share * sizes[0]
    plain, loaded = load_model(whole), load_model(small)
    assert loaded.fingerprint != plain.fingerprint
    assert load_model(small).fingerprint == loaded.fingerprint
    one, other = plain.classify(pictures), loaded.classify(pictures)
    assert (one.vectors * other.vectors).sum(axis=2).min() > least
    for a, b in zip(one.log_probabilities, other.log_probabilities, strict=True):
        np.testing.assert_allclose(a, b, atol=0.05)


def test_a_backbone_of_a_file_takes_its_normalisation_along(
    write_source: Callable[..., tuple[Path, Path]],
) -> None:
    config, weights = write_source("test_resnet", model_args={"drop_path_rate": 0.1})
    document = json.loads(config.read_text())
    document["pretrained_cfg"]["mean"] = [0.1, 0.2, 0.3]
    config.write_text(json.dumps(document))
    started = settings().started_from(weights)
    assert started.model_args["drop_path_rate"] == 0.1
    assert started.preprocessing.mean == (0.1, 0.2, 0.3)
    classifier = started.build(FAMILY[-1:], weights)
    found = GlobalBundle(bundle().card, started, classifier, FAMILY[-1:])
    assert found.settings == started
    stored = load_file(weights)
    key = next(key for key in stored if stored[key].ndim == 4)
    torch.testing.assert_close(classifier.trunk.network.state_dict()[key], stored[key])
    np.testing.assert_allclose(started.build(FAMILY[-1:]).trunk.mean.ravel(), (0.1, 0.2, 0.3))


def test_the_residual_module_is_for_the_pooled_vectors() -> None:
    found = settings(residual_hidden=8)
    module = found.build_residual()
    assert isinstance(module, ResidualRetrieval)
    assert module.dimension == found.build(FAMILY[-1:]).dimension
    assert module.hidden.out_features == 8
    assert settings().build_residual() is None


def test_a_module_without_its_residual_connection_comes_back_without_it(
    tmp_path: Path, pictures: list[np.ndarray]
) -> None:
    made = bundle(residual_hidden=8, residual_skip=False)
    saved = save_bundle(tmp_path / "without", made)
    again = read_bundle(saved)
    assert isinstance(again, GlobalBundle)
    assert again.residual is not None
    assert not again.residual.residual
    assert not again.settings.residual_skip
    found = load_model(saved).encode(pictures)
    np.testing.assert_array_equal(found, made.encoder().encode(pictures))
    # Bundles of before there was a choice say nothing of it, and are as they were.
    added = save_bundle(tmp_path / "with", bundle(residual_hidden=8))
    fingerprint = load_model(added).fingerprint
    edit(added, lambda d: d["global"].pop("residual_skip"))
    assert load_model(added).fingerprint == fingerprint
    assert np.abs(found - load_model(added).encode(pictures)).max() > 0.01


def test_what_does_not_belong_together() -> None:
    made = bundle(residual_hidden=8)
    card, found, classifier = made.card, made.settings, made.classifier

    def refused(match: str, *, kind: type = BundleError, **changes: object) -> None:
        values = {"settings": found, "classifier": classifier, "partitions": made.partitions,
                  "residual": made.residual, **changes}  # fmt: skip
        with pytest.raises(kind, match=match):
            GlobalBundle(card, **values)  # type: ignore[arg-type]

    refused("the backbone is 'other'", settings=replace(found, backbone="other"))
    refused("the head is 'mixture'", settings=replace(found, head="mixture"))
    refused("the pooling is 'max'", settings=replace(found, pooling="max"))
    refused(r"the size is \(32, 64\)", settings=replace(found, size=(32, 64)))
    refused("residual_hidden is 8, and the network's is 0", residual=None)
    refused("residual_hidden is 0", settings=replace(found, residual_hidden=0))
    normalised = PhotoPreprocessing(std=(0.9, 0.9, 0.9))
    refused("the std is", settings=replace(found, preprocessing=normalised))
    refused("other ones|18 classes", kind=PartitionError, partitions=FAMILY[:1])
    refused("over 1 partitions. Got 3", kind=PartitionError, partitions=FAMILY)
    several = bundle("multi")
    refused(
        "from coarse to fine", kind=PartitionError, settings=several.settings, residual=None,
        classifier=several.classifier, partitions=FAMILY[::-1],
    )  # fmt: skip
    with pytest.raises(PartitionError, match=r"from coarse to fine. Got \[18, 12, 9\]"):
        settings("multi").build(FAMILY[::-1])
    with pytest.raises(BundleError, match="for vectors of 5 numbers"):
        replace(made, residual=ResidualRetrieval(5, 8)).network()
    plain = ResidualRetrieval(classifier.dimension, 8, residual=False)
    refused("residual_skip is True, and the network's is False", residual=plain)
    refused("residual_skip is False", settings=replace(found, residual_skip=False))


CHANGES: list[tuple[Callable[[dict], object], str]] = [
    (lambda d: d.update(encoder={}), "Got 'encoder' and 'global'"),
    (lambda d: d.update(cross_view={}), "Got 'cross_view' and 'global'"),
    (lambda d: d.update({"global": []}), "'global.partitions' must name"),
    (lambda d: d["global"].pop("partitions"), "'global.partitions' must name"),
    (lambda d: d["global"].update(partitions=[]), "'global.partitions' must name"),
    (lambda d: d["global"].update(partitions=[3]), "'global.partitions' must name"),
    (lambda d: d["global"]["partitions"].append("0" * 64), "'partition-1.parquet' is missing"),
    (lambda d: d["global"].update(partitions=["0" * 64]), "names 000000000000"),
    (lambda d: d["files"].pop("partition-0.parquet"), "'partition-0.parquet' is missing"),
    (lambda d: d["files"].update({"other.parquet": {}}), "Unknown key 'other.parquet'"),
    (lambda d: d["global"].update(dimension=3), "dimension 3"),
    (lambda d: d["global"].pop("dimension"), "dimension None"),
    (lambda d: d["global"].pop("head"), "'head' is missing"),
    (lambda d: d["global"].update(hed="single"), "Unknown key 'hed'"),
    (lambda d: d["global"].update(head="double"), "'head' must be one of single, multi"),
    (lambda d: d["global"].update(head="multi"), "must have two or more. Got 1"),
    (lambda d: d["global"].update(head="hierarchical"), "needs two or more"),
    (lambda d: d["global"].update(head="mixture"), "do not fit GlobalNetwork"),
    (lambda d: d["global"].update(backbone=""), "'backbone' must be a name"),
    (lambda d: d["global"].update(backbone="test_resnt"), "no architecture 'test_resnt'"),
    (lambda d: d["global"].update(size=64), "'size' must"),
    (lambda d: d["global"].update(size=[0, 64]), "'size' must"),
    (lambda d: d["global"].update(pooling="median"), "'pooling' must be one of average"),
    (lambda d: d["global"].update(pooling="gem"), "do not fit GlobalNetwork"),
    (lambda d: d["global"].update(model_args=[]), "'model_args' must"),
    (lambda d: d["global"].update(without="x"), "'without' must"),
    (lambda d: d["global"].update(without=["nothing"]), "no module 'nothing' to leave out"),
    (lambda d: d["global"].update(residual_hidden=-1), "'residual_hidden' must"),
    (lambda d: d["global"].update(residual_hidden=True), "'residual_hidden' must"),
    (lambda d: d["global"].update(residual_hidden=0), "unexpected .such as residual"),
    (lambda d: d["global"].update(residual_skip="no"), "'residual_skip' must be true or false"),
    (
        lambda d: d["global"].update(residual_hidden=0, residual_skip=False),
        "'residual_skip' must be true where residual_hidden is 0",
    ),
    (lambda d: d["global"].update(residual_hidden=9), "of another shape"),
    (lambda d: d["global"]["preprocessing"].update(sise=3), "Unknown key 'sise'"),
    (lambda d: d["global"]["preprocessing"].update(resize="stretch"), "'resize' must"),
    (lambda d: d["global"]["preprocessing"].update(interpolation="x"), "'interpolation' must"),
    (lambda d: d["global"]["preprocessing"].update(crop_fraction=0), "'crop_fraction' must"),
    (lambda d: d["global"]["preprocessing"].update(std=[1, 1, 0]), "'std' must"),
    (lambda d: d["global"]["preprocessing"].update(mean=[1, 1]), "'mean' must"),
    (lambda d: d["global"]["preprocessing"].update(mean=[0, 0, 0]), "the mean is"),
]


@pytest.mark.parametrize(("change", "cause"), CHANGES)
def test_documents_that_cannot_be(folder: Path, change: Callable[[dict], None], cause: str) -> None:
    edit(folder, change)
    with pytest.raises(BundleError, match=cause) as refused:
        load_model(folder)
    assert refused.value.path is not None
    assert refused.value.hint


def test_cells_that_are_not_those_that_were_saved(folder: Path) -> None:
    file = folder / "partition-0.parquet"
    whole = file.read_bytes()
    file.write_bytes(whole[:-9] + b"x" * 9)
    with pytest.raises(BundleError, match="is not the file") as refused:
        load_model(folder)
    assert refused.value.path == str(file)
    rehash(folder, file.name, whole[:-9] + b"x" * 9)
    with pytest.raises(BundleError, match="is damaged"):
        load_model(folder)
    file.unlink()
    with pytest.raises(BundleError, match="cannot be read"):
        load_model(folder)


@pytest.mark.parametrize("head", HEADS)
def test_weights_of_a_head_over_other_cells_are_refused_by_name(head: str, tmp_path: Path) -> None:
    """Other cells in the file and in the document: only the weights still say what they are of."""
    made = bundle(head)
    folder = save_bundle(tmp_path / "bundle", made)
    last = len(made.partitions) - 1
    held = made.partitions[-1]
    moved = replace(held, representatives=held.representatives * 0.5)
    rehash(folder, f"partition-{last}.parquet", partition_bytes(moved))
    edit(folder, lambda d: d["global"]["partitions"].__setitem__(last, moved.fingerprint))
    with pytest.raises(BundleError, match=f"for the partition {held.fingerprint[:12]}") as refused:
        load_model(folder)
    assert moved.fingerprint[:12] in refused.value.message


def test_weights_of_another_network(folder: Path, tmp_path: Path) -> None:
    other = bundle(backbone="test_efficientnet", residual_hidden=8).network().state_dict()
    save_file(other, tmp_path / "other.safetensors")
    rehash(folder, "weights.safetensors", (tmp_path / "other.safetensors").read_bytes())
    with pytest.raises(BundleError, match="do not fit GlobalNetwork"):
        load_model(folder)
    without = {k: t for k, t in bundle().network().state_dict().items() if "digest" not in k}
    rehash(folder, "weights.safetensors", save(without))
    with pytest.raises(BundleError, match=r"missing .such as classifier\.head\.digest"):
        load_model(folder)


def test_cells_of_a_kind() -> None:
    assert [len(cells_of(head)) for head in HEADS] == [1, 3, 3, 1]
