"""The bundles that come with Sightline: there, whole, small, and found by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import sightline
from sightline.errors import BundleError
from sightline.models import shipped
from sightline.models.bundle import (
    CrossViewBundle,
    GlobalBundle,
    load_model,
    read_bundle,
    read_document,
)
from sightline.models.bundle_files import verified
from sightline.models.shipped import find_bundle, shipped_bundles, shipped_hint

LARGEST_BYTES = 12_000_000
NAMES = sorted(shipped_bundles())


def test_the_models_of_the_demo_come_with_sightline() -> None:
    assert NAMES == ["planet-360", "planet-global"]
    shipped_bytes = sum(
        file.stat().st_size for folder in shipped_bundles().values() for file in folder.iterdir()
    )
    assert shipped_bytes <= LARGEST_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_each_is_whole_small_and_says_what_it_is(name: str) -> None:
    folder = shipped_bundles()[name]
    document = read_document(folder)
    for file, entry in document["files"].items():
        assert len(verified(folder, file, entry)) == entry["bytes"]
    assert document["name"] == name
    assert document["licence"] in ("CC0-1.0", "Apache-2.0")
    assert "test photos" in document["provenance"]
    assert "real photo" in document["intended_use"]
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert document["intended_use"] in card


def test_planet_360_encodes_both_views() -> None:
    bundle = read_bundle("planet-360")
    assert isinstance(bundle, CrossViewBundle)
    assert (bundle.settings.heading, bundle.settings.patch_m) == ("aligned", 112.0)
    encoder = bundle.encoder()
    random = np.random.default_rng(0)
    strips = random.integers(0, 256, (2, 64, 256, 3), np.uint8)
    patches = random.integers(0, 256, (3, 128, 128, 3), np.uint8)
    for images, view in ((strips, "ground"), (patches, "aerial")):
        vectors = encoder.encode(images, view)
        assert vectors.shape == (len(images), encoder.dimension)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_planet_global_classifies_and_makes_vectors() -> None:
    bundle = read_bundle("planet-global")
    assert isinstance(bundle, GlobalBundle)
    # The two traps of these weights: their padding, and what they are normalised by.
    assert bundle.settings.model_args["pad_type"] == "same"
    assert bundle.settings.preprocessing.mean == (0.5, 0.5, 0.5)
    (partition,) = bundle.partitions
    encoder = bundle.encoder()
    random = np.random.default_rng(0)
    found = encoder.classify([random.integers(0, 256, (128, 128, 3), np.uint8) for _ in range(2)])
    assert found.vectors.shape == (2, 1, encoder.dimension)
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=2), 1.0, atol=1e-5)
    (logs,) = found.log_probabilities
    assert logs.shape == (2, len(partition))
    np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1.0, atol=1e-5)


def test_by_name_and_by_path_are_one_model() -> None:
    by_name = sightline.open_model("planet-360")
    assert by_name.fingerprint == load_model(find_bundle("planet-360")).fingerprint
    assert by_name.name == "planet-360"


def test_what_exists_is_taken_as_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_bundle("planet-360") == shipped_bundles()["planet-360"]
    (tmp_path / "planet-360").mkdir()
    assert find_bundle("planet-360") == Path("planet-360")
    with pytest.raises(BundleError, match=r"holds no model\.json") as refused:
        load_model("planet-360")
    assert "comes with" not in refused.value.hint


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(BundleError, match="'planet-361' is no folder") as refused:
        load_model("planet-361")
    assert shipped_hint() in refused.value.hint
    assert "planet-360" in refused.value.hint


def test_without_any_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "_FOLDER", tmp_path)
    assert shipped_hint() == ""
    with pytest.raises(BundleError) as refused:
        load_model("planet-360")
    assert refused.value.hint.endswith("--weights FILE`.")
