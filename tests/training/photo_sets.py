"""Photos whose colours tell where they were taken, as a manifest, and recipes for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from sightline.datasets import Manifest, write_manifest
from sightline.datasets.dataset import Dataset
from sightline.datasets.rows import Photo
from sightline.geo.partition import S2Settings, adaptive_s2
from sightline.models.bundle import save_bundle
from sightline.models.card import ModelCard
from sightline.models.global_bundle import GlobalBundle
from sightline.models.global_settings import GlobalSettings
from sightline.training.cells.recipe import GlobalRecipe
from sightline.training.retrieval.recipe import RetrievalRecipe

TOWNS = ((51.5, -0.1), (40.7, -74.0), (-33.9, 151.2), (35.7, 139.7))
COLOURS = ((200, 60, 60), (60, 200, 60), (60, 60, 200), (200, 200, 60))

TINY: dict[str, Any] = {
    "name": "tiny-global",
    "data": "none",
    "backbone": "test_resnet",
    "model_args": {"channels": [8, 8, 8, 16], "stem_width": 8},
    "partitions": ("s2:cells=6",),
    "size": (32, 32),
    "batch_size": 8,
    "epochs": 2,
    "learning_rate": 5e-3,
    "log_steps": 1,
    "select_km": 750.0,
}

TINY_RETRIEVAL: dict[str, Any] = {
    "name": "tiny-retrieval",
    "data": "none",
    "hidden": 16,
    "batch_size": 4,
    "epochs": 3,
    "learning_rate": 1e-2,
    "memory": 16,
    "log_steps": 1,
    "select_km": 750.0,
}


def tiny_global(**changes: Any) -> GlobalRecipe:
    """Two epochs of eight steps on 64 photos."""
    return GlobalRecipe(**{**TINY, **changes})


def rows_of_photos(root: Path, count: int = 96) -> list[Photo]:
    """Photos on disk with their rows: of three, two are to train on, the rest selects and tests.

    Eight photographers of each split took them, all in four towns.
    """
    draw = np.random.default_rng(0)
    made = []
    for number in range(count):
        town = number % 4
        split = ("train", "train", "val", "train", "train", "test")[number // 4 % 6]
        pixels = draw.normal(COLOURS[town], 25.0, (36, 44, 3)).clip(0, 255).astype(np.uint8)
        uri = f"photo-{number:03d}.png"
        Image.fromarray(pixels).save(root / uri)
        lat, lon = np.array(TOWNS[town]) + draw.normal(0, 0.5, 2)
        made.append(
            Photo(
                f"set/{number}",
                uri,
                float(lat),
                float(lon),
                split=split,
                photographer=f"{split}-{draw.integers(8)}",
            )
        )
    return made


def manifest_of(root: Path, rows: Sequence[Photo], name: str = "manifest") -> Manifest:
    """A manifest of rows whose files are read for hash and size."""
    dataset = Dataset("set", "1", root, lambda: iter(rows))
    write_manifest(root / name, dataset, files="read")
    return Manifest.open(root / name)


def altered(
    rows: Sequence[Photo], split: str, first: int | None = None, **changes: Any
) -> list[Photo]:
    """Rows of which those of a split, or the first few of them, are otherwise."""
    left = len(rows) if first is None else first
    made = []
    for row in rows:
        change = row.split == split and left > 0
        left -= change
        made.append(replace(row, **changes) if change else row)
    return made


def tiny_retrieval(**changes: Any) -> RetrievalRecipe:
    """Three epochs of pairs of cells on stored vectors."""
    return RetrievalRecipe(**{**TINY_RETRIEVAL, **changes})


def rough_bundle(folder: Path, manifest: Manifest) -> Path:
    """A classifier that was not trained, as a bundle: where retrieval starts."""
    places = np.array([(row.lat, row.lon) for row in manifest.photos(split="train")])
    partition = adaptive_s2(places, S2Settings(cells=12))
    settings = GlobalSettings(
        "test_resnet", "single", (32, 32), "average", model_args=TINY["model_args"]
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        classifier = settings.build((partition,)).eval()
    card = ModelCard(name="rough", licence="CC0-1.0", provenance="None.", intended_use="Tests.")
    save_bundle(folder, GlobalBundle(card, settings, classifier, (partition,)))
    return folder
