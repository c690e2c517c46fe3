"""Bundles: round trip, and every way to be none, damaged or newer."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save as save_arrays
from safetensors.torch import save_file

from sightline.errors import BundleError, OutputError
from sightline.models.bundle import (
    Bundle,
    ModelCard,
    load_model,
    read_bundle,
    read_document,
    save_bundle,
)
from sightline.models.sample import statistics_from_bytes, statistics_to_bytes
from sightline.models.settings import EncoderSettings, Preprocessing
from sightline.models.statistics import FeatureStatistics
from sightline.models.whitening import WhiteningSettings

from .networks import build, make_encoder


def tiny_bundle(**changes: object) -> Bundle:
    encoder = make_encoder(**changes)
    d = encoder.dimension
    rows = np.random.default_rng(0).normal(size=(20, d))
    return Bundle(
        ModelCard("tiny", licence="Apache-2.0", provenance="here", intended_use="tests"),
        encoder.settings,
        encoder._network.backbone,
        WhiteningSettings(dimension=16),
        FeatureStatistics.from_vectors(rows, rows + 0.1),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_bundle(tmp_path / "bundle", tiny_bundle())


def edit(folder: Path, change: Callable[[dict], None]) -> None:
    path = folder / "model.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_round_trip(folder: Path, pictures: list[np.ndarray]) -> None:
    bundle, loaded = tiny_bundle(), load_model(folder, precision="float32", runtime="torch")
    assert loaded.name == "tiny"
    assert loaded.whitening == WhiteningSettings(dimension=16)
    assert loaded.describe()["licence"] == "Apache-2.0"
    assert loaded.describe()["intended_use"] == "tests"
    np.testing.assert_allclose(
        loaded.encode_regions(pictures),
        bundle.encoder(precision="float32", runtime="torch").encode_regions(pictures),
        atol=1e-6,
    )
    assert loaded.sample is not None
    assert bundle.sample is not None
    assert (loaded.sample.count, loaded.sample.light_count) == (20, 20)
    np.testing.assert_allclose(loaded.sample.mean, bundle.sample.mean, rtol=1e-6)
    np.testing.assert_allclose(loaded.sample.covariance, bundle.sample.covariance, atol=1e-6)
    np.testing.assert_allclose(
        loaded.sample.light_covariance,  # type: ignore[arg-type]
        bundle.sample.light_covariance,  # type: ignore[arg-type]
        atol=1e-6,
    )
    assert sorted(p.name for p in folder.iterdir()) == [
        "model.json",
        "sample.safetensors",
        "weights.safetensors",
    ]
    assert [p.name for p in folder.parent.iterdir()] == ["bundle"]


def test_without_sample_and_whitening(tmp_path: Path) -> None:
    plain = replace(tiny_bundle(), whitening=None, sample=None)
    save_bundle(tmp_path / "plain", plain)
    loaded = read_bundle(tmp_path / "plain")
    assert loaded.whitening is None
    assert loaded.sample is None
    assert not (tmp_path / "plain" / "sample.safetensors").exists()
    rows = FeatureStatistics.from_vectors(np.eye(3))
    assert statistics_from_bytes(statistics_to_bytes(rows)).light_covariance is None


def test_a_fixed_size_network_keeps_its_new_size(tmp_path: Path) -> None:
    made = make_encoder(
        architecture="test_vit",
        feature="norm",
        layout="NLC",
        preprocessing=Preprocessing(size=(160, 160)),
    )
    bundle = Bundle(ModelCard("vit"), made.settings, made._network.backbone)
    loaded = load_model(save_bundle(tmp_path / "vit", bundle))
    assert loaded.fingerprint == made.fingerprint


def test_not_a_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is no folder") as refused:
        load_model(tmp_path / "missing")
    assert "model import" in refused.value.hint
    with pytest.raises(BundleError, match=r"holds no model\.json"):
        load_model(tmp_path)
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(BundleError, match="cannot be read"):
        load_model(tmp_path)
    (tmp_path / "model.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BundleError, match="cannot be read"):
        load_model(tmp_path)
    (tmp_path / "model.json").write_text("[" * 100_000)
    with pytest.raises(BundleError, match="cannot be read"):
        load_model(tmp_path)
    (tmp_path / "model.json").write_text(" " * (1 << 20) + "{}")
    with pytest.raises(BundleError, match="larger than"):
        load_model(tmp_path)
    for document in ("[]", "{}", '{"schema": "other/1"}', '{"schema": "sightline.model/x"}'):
        (tmp_path / "model.json").write_text(document)
        with pytest.raises(BundleError, match="must have the schema") as refused:
            read_document(tmp_path)
        assert refused.value.path == str(tmp_path / "model.json")


CHANGES: list[tuple[Callable[[dict], object], str, str]] = [
    (lambda d: d.update(schema="sightline.model/2"), "schema version 2", "Upgrade"),
    (lambda d: d.update(licens="x"), "Unknown key 'licens'", "'licence'"),
    (lambda d: d.pop("files"), "'files' is missing", "import"),
    (lambda d: d["files"].pop("weights.safetensors"), "'weights.safetensors' is missing", ""),
    (lambda d: d["files"].update(extra={}), "Unknown key 'extra'", ""),
    (lambda d: d["files"].update({"weights.safetensors": "x"}), "JSON object", ""),
    (lambda d: d["files"]["weights.safetensors"].update(sha256="0"), "is not the file", "Copy"),
    (lambda d: d["encoder"].update(poling="max"), "Unknown key 'poling'", "'pooling'"),
    (
        lambda d: d["encoder"]["preprocessing"].update(crop=1),
        "Unknown key 'crop'",
        "'crop_fraction'",
    ),
    (lambda d: d["encoder"].pop("feature"), "'feature' is missing", ""),
    (lambda d: d.update(encoder=[]), "JSON object", ""),
    (lambda d: d.update(name=3), "'name' must be text", ""),
    (lambda d: d.update(whitening={"dimension": 0}), "'whitening' must", ""),
    (lambda d: d.update(whitening={"dimension": "many"}), "'whitening' must", ""),
    (lambda d: d.update(whitening={"dimensions": 3}), "Unknown key 'dimensions'", "'dimension'"),
    (lambda d: d["encoder"].update(architecture="test_resnet"), "blocks", ""),
    (lambda d: d["encoder"].update(architecture="../../x"), "no architecture", ""),
    (lambda d: d["encoder"]["model_args"].update(checkpoint_path="x.pth"), "may not be set", ""),
    (lambda d: d["encoder"].update(feature="bn2"), "missing", ""),
    (lambda d: d["encoder"].update(feature="blocks.3"), "unexpected", ""),
    (lambda d: d["encoder"]["model_args"].update(channel_multiplier=2.0), "another shape", ""),
    (lambda d: d["encoder"].update(pooling="class", regions=1), "no class token", "average"),
    (lambda d: d["encoder"].update(layout="NLC"), "layout", ""),
    (lambda d: d["encoder"]["model_args"].update(in_chans=1), "cannot run on photos", "size"),
]


@pytest.mark.parametrize(("change", "cause", "hint"), CHANGES)
def test_documents_that_cannot_be(
    folder: Path, change: Callable[[dict], None], cause: str, hint: str
) -> None:
    edit(folder, change)
    with pytest.raises(BundleError, match=cause) as refused:
        load_model(folder)
    assert hint in refused.value.hint
    assert refused.value.path is not None


SETTINGS: list[dict[str, object]] = [
    {"architecture": ""},
    {"feature": 3},
    {"model_args": []},
    {"layout": "HWC"},
    {"pooling": "mean"},
    {"views": "many"},
    {"exponent": 0.5},
    {"exponent": True},
    {"regions": 0},
    {"regions": 2.0},
    {"regions": True},
    {"regions": 2, "pooling": "class"},
    {"regions": 2, "layout": "NC"},
]


@pytest.mark.parametrize("change", SETTINGS)
def test_settings_that_cannot_be(change: dict[str, object]) -> None:
    values = {"architecture": "a", "feature": "b", "layout": "NCHW", **change}
    with pytest.raises(BundleError, match="must"):
        EncoderSettings(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"size": (0, 64)},
        {"size": (64.5, 64)},
        {"size": 64},
        {"size": (64, 5000)},
        {"mean": (0.5, 0.5)},
        {"mean": (0.5, 0.5, float("nan"))},
        {"std": (0.5, 0.0, 0.5)},
        {"interpolation": "cubic"},
        {"resize": "stretch"},
        {"crop_fraction": 0},
        {"crop_fraction": 1.5},
    ],
)
def test_preprocessing_that_cannot_be(change: dict[str, object]) -> None:
    with pytest.raises(BundleError, match="must"):
        Preprocessing(**change)  # type: ignore[arg-type]


def test_damaged_files(folder: Path) -> None:
    weights = folder / "weights.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(BundleError, match="is not the file"):
        load_model(folder)
    weights.unlink()
    with pytest.raises(BundleError, match="cannot be read"):
        load_model(folder)
    weights.write_bytes(content)
    (folder / "sample.safetensors").write_bytes(b"")
    with pytest.raises(BundleError, match="is not the file"):
        load_model(folder)


def rehash(folder: Path, name: str, content: bytes) -> None:
    import hashlib

    (folder / name).write_bytes(content)
    entry = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    edit(folder, lambda d: d["files"].update({name: entry}))


def test_files_with_the_right_hash_and_the_wrong_content(folder: Path, tmp_path: Path) -> None:
    sample = (folder / "sample.safetensors").read_bytes()
    for content in (b"x", save_arrays({"count": np.array([1, 1])}), _sample_of_wrong_shape()):
        rehash(folder, "sample.safetensors", content)
        with pytest.raises(BundleError, match="holds no statistics"):
            load_model(folder)
    rehash(folder, "sample.safetensors", sample)
    rehash(folder, "weights.safetensors", b"\x80\x04.")
    with pytest.raises(BundleError, match="no safetensors file"):
        load_model(folder)
    save_file(build("test_resnet").state_dict(), tmp_path / "other.safetensors")
    rehash(folder, "weights.safetensors", (tmp_path / "other.safetensors").read_bytes())
    with pytest.raises(BundleError, match="do not fit"):
        load_model(folder)


def _sample_of_wrong_shape() -> bytes:
    arrays = {"count": np.array([1, 1]), "mean": np.ones(3), "covariance": np.ones(5)}
    return bytes(save_arrays(arrays))


def test_output_is_never_lost(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="not empty"):
        save_bundle(folder, tiny_bundle())
    other = tiny_bundle(seed=1)
    save_bundle(folder, other, replace=True)
    assert load_model(folder).fingerprint == other.encoder().fingerprint
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "photo.jpg").write_bytes(b"x")
    with pytest.raises(OutputError, match="not empty"):
        save_bundle(precious, other, replace=True)
    assert (precious / "photo.jpg").exists()
    empty = tmp_path / "empty"
    empty.mkdir()
    save_bundle(empty, other)
    assert load_model(empty).name == "tiny"
    with pytest.raises(OutputError, match="Cannot write"):
        save_bundle(precious / "photo.jpg" / "bundle", other)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_unwritable_parent(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="Cannot write"):
            save_bundle(tmp_path / "bundle", tiny_bundle())
    finally:
        tmp_path.chmod(0o700)
