"""A classifier and a retriever that were trained on photos of a few colours."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.training.photo_sets import manifest_of, rows_of_photos, tiny_global, tiny_retrieval

from sightline.training import train


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of 96 photos: 64 to train on, 16 to select, 16 to test."""
    root = tmp_path_factory.mktemp("photos")
    manifest_of(root, rows_of_photos(root))
    return root / "manifest"


@pytest.fixture(scope="session")
def run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a classifier over two partitions."""
    out = tmp_path_factory.mktemp("runs") / "classifier"
    torch.set_num_threads(1)
    recipe = tiny_global(head="multi", partitions=("s2:cells=4", "s2:cells=9"))
    train(recipe, out, data=photos, device="cpu")
    return out


@pytest.fixture(scope="session")
def without_residual(photos: Path, run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a module without its residual connection on the same vectors."""
    out = tmp_path_factory.mktemp("runs") / "without"
    torch.set_num_threads(1)
    recipe = tiny_retrieval(start=str(run / "bundle"), name="plain", residual_skip=False, epochs=1)
    train(recipe, out, data=photos, device="cpu")
    return out


@pytest.fixture(scope="session")
def tuned_run(photos: Path, run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the whole network fine-tuned with triplets: R."""
    out = tmp_path_factory.mktemp("runs") / "tuned"
    torch.set_num_threads(1)
    recipe = tiny_retrieval(
        start=str(run / "bundle"),
        name="tuned",
        trained="network",
        positives="place-and-vector",
        positive_km=60.0,
        negative_km=500.0,
        loss="triplet",
        mining="hardest",
        memory=0,
        batch_size=16,
        epochs=1,
    )
    train(recipe, out, data=photos, device="cpu")
    return out


@pytest.fixture(scope="session")
def retrieval_run(photos: Path, run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a residual module on its vectors."""
    out = tmp_path_factory.mktemp("runs") / "retrieval"
    torch.set_num_threads(1)
    train(tiny_retrieval(start=str(run / "bundle")), out, data=photos, device="cpu")
    return out
