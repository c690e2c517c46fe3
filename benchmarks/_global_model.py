"""A classifier of places with random weights over 32K cells, and an atlas of its vectors.

Speed hangs on shapes alone, and trained weights of this network are not to be had. Two things that
training does are done here too, because speed does hang on them: batch norms have seen photos, so
that no number is too small for the processor's fast path; and the head spreads photos over the
cells as the references are spread, so that the cells that are searched are as full as they would
be.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from _clustered import table_of
from sightline.atlas import build_derived
from sightline.atlas.card import AtlasCard
from sightline.atlas.store import Store
from sightline.geo.partition import Partition, S2Settings, adaptive_s2
from sightline.imagery import open_photo
from sightline.models import preprocess
from sightline.models.bundle import save_bundle
from sightline.models.card import ModelCard
from sightline.models.cell_classifiers import CellClassifier
from sightline.models.global_bundle import GlobalBundle
from sightline.models.global_settings import GlobalSettings
from sightline.models.protocol import Encoder

CLASSIFIER = "efficientnet-b4-planet"
CELLS = 32_768
HIDDEN = 4096
RECIPE = (
    "places are those of 100,000 real photos (MP-16), drawn with replacement and moved by about "
    "five kilometres; the cells are made of them, adaptive S2; a reference is a random unit vector "
    "stored as float16; the classifier is tf_efficientnet_b4 at 300 pixels with a Residual "
    "Retrieval Module of width 4,096, random weights, batch norms that have seen the photos, and a "
    "head whose logits are the log share of each cell and a random part that differs from photo to "
    "photo; seed 0"
)

_BLOCK = 50_000
# With this much of a random part, the cells that photos are sent to are about as full as the
# cells of references drawn at random.
_SPREAD = 1.5


def places(real: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Degrees (count, 2), in any number, spread as the real ones are."""
    rng = np.random.default_rng(0)
    drawn = real[rng.integers(0, len(real), count)] + rng.normal(0, 0.05, (count, 2))
    drawn[:, 0] = np.clip(drawn[:, 0], -90.0, 90.0)
    drawn[:, 1] = (drawn[:, 1] + 180.0) % 360.0 - 180.0
    return drawn


def write_model(path: Path, coordinates: NDArray[np.float64], photos: list[Path]) -> None:
    """Write a bundle over cells of these places (n, 2), as if it had been trained."""
    partition = adaptive_s2(coordinates, S2Settings(cells=CELLS))
    settings = GlobalSettings.of(CLASSIFIER, residual_hidden=HIDDEN)
    torch.manual_seed(0)
    classifier = settings.build([partition])
    residual = settings.build_residual(classifier.dimension)
    seen = prepared(settings, photos)
    pooled = see(classifier, seen)
    spread_over_cells(classifier, pooled, partition)
    card = ModelCard(name=f"{CLASSIFIER}-random", provenance="random weights, for measuring speed")
    save_bundle(path, GlobalBundle(card, settings, classifier, (partition,), residual))


def prepared(settings: GlobalSettings, photos: list[Path]) -> Tensor:
    """Pixels of photos as the encoder takes them, uint8 (n, 3, h, w)."""
    size = settings.preprocessing.at(settings.size)
    least = preprocess.decode_size(size, "whole")
    made = [
        preprocess.prepare(open_photo(photo, at_least=least).pixels, size, "whole")[0]
        for photo in photos
    ]
    return torch.from_numpy(np.stack(made)).permute(0, 3, 1, 2)


@torch.no_grad()
def see(classifier: CellClassifier, pixels: Tensor) -> Tensor:
    """Set the statistics of all batch norms to those of photos; the pooled vectors (n, d)."""
    norms = [m for m in classifier.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    classifier.train()
    classifier.vectors(pixels)
    classifier.eval()
    return classifier.vectors(pixels)


@torch.no_grad()
def spread_over_cells(classifier: CellClassifier, pooled: Tensor, partition: Partition) -> None:
    """Make the head send photos to cells as references are spread over them."""
    assert partition.members is not None
    linear = classifier.head.linear
    spread = pooled.std(dim=0).clamp(min=1e-6)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(linear.weight.shape, generator=generator)
    linear.weight.copy_(drawn * (_SPREAD / (spread * pooled.shape[1] ** 0.5)))
    share = torch.from_numpy(partition.members / partition.members.sum())
    linear.bias.copy_(share.log() - linear.weight @ pooled.mean(dim=0))


def write_references(path: Path, encoder: Encoder, coordinates: NDArray[np.float64]) -> None:
    """Write an atlas of random unit vectors at these places (n, 2).

    Without an index: a cell is always searched exactly, so that it is never asked.
    """
    card = AtlasCard(
        encoder.name, encoder.fingerprint, encoder.dimension, encoder.regions, encoder.whitening
    )
    store = Store.create(path, card)
    rng = np.random.default_rng(0)
    for start in range(0, len(coordinates), _BLOCK):
        here = coordinates[start : start + _BLOCK]
        vectors = rng.standard_normal((len(here), encoder.dimension), dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        store = store.append(table_of(card, vectors.astype(np.float16), here, start))
    build_derived(path, index_from_rows=len(coordinates) + 1)
