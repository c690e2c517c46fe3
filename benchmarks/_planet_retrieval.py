"""What needs no training: colour histogram, thumbnail and a frozen backbone, used in two ways."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from _histogram import HistogramEncoder
from _planet_places import Images
from sightline.evaluation.retrieval import Relevance, rank
from sightline.models.bundle import load_model
from sightline.models.importing import import_model
from sightline.models.statistics import FeatureStatistics
from sightline.models.whitening import fit_whitening

Vectors = NDArray[np.float32]
Describe = Callable[[Images], Vectors]
Change = Callable[[Vectors, Vectors], tuple[Vectors, Vectors]]
PLAIN, DEFAULT = "frozen MobileNetV2", "default encoder of MobileNetV2"


def untrained(weights: Path) -> dict[str, Describe]:
    """What makes vectors (n, d) of images, by name.

    Args:
        weights: The folder with MobileNetV2's config and ImageNet weights.
    """
    # Plain: the last map averaged, at the size the network was trained with.
    plain = {"feature": "bn2", "size": 224, "regions": 1}
    return {
        "colour histogram": histograms,
        "thumbnail 16 x 16": thumbnails,
        PLAIN: _frozen(weights, **plain),
        DEFAULT: _frozen(weights),
    }


def _frozen(weights: Path, **settings: Any) -> Describe:
    with tempfile.TemporaryDirectory() as folder:
        import_model(
            Path(folder) / "m.model",
            weights / "config.json",
            weights / "mobilenetv2_100.imagenet1k.safetensors",
            **settings,
        )
        encoder = load_model(Path(folder) / "m.model")

    def describe(images: Images) -> Vectors:
        parts = [encoder.encode(list(images[i : i + 16])) for i in range(0, len(images), 16)]
        return np.concatenate(parts)

    return describe


def as_they_are(queries: Vectors, references: Vectors) -> tuple[Vectors, Vectors]:
    return queries, references


def each_centred(queries: Vectors, references: Vectors) -> tuple[Vectors, Vectors]:
    """Less the set's own mean: it takes away what all photos, or all tiles, have in common."""
    return queries - queries.mean(axis=0), references - references.mean(axis=0)


def whitened(queries: Vectors, references: Vectors) -> tuple[Vectors, Vectors]:
    """As an atlas of the references would: fitted on them, without a label."""
    whitening = fit_whitening(FeatureStatistics.from_vectors(references), None)
    return whitening.apply(queries), whitening.apply(references)


CHANGES: dict[str, dict[str, Change]] = {
    "colour histogram": {"": as_they_are},
    "thumbnail 16 x 16": {"": as_they_are},
    PLAIN: {"": as_they_are, ", each view centred": each_centred},
    DEFAULT: {", whitened": whitened, ", not whitened": as_they_are},
}


def recalls(queries: Vectors, references: Vectors) -> dict[str, Any]:
    """Recall of the reference with the query's own number; ties count half."""
    n = len(queries)
    found = rank(queries, references, Relevance.paired(n), distance="cosine")
    expected = found.better + found.tied / 2
    return {
        **{f"recall_at_{k}": round(float((expected < k).mean()), 4) for k in (1, 5, 10)},
        "median_rank": float(np.median(expected) + 1),
        "queries": n,
    }


def histograms(images: Images) -> Vectors:
    return HistogramEncoder().encode(list(images))


def thumbnails(images: Images) -> Vectors:
    """16 x 16 pixels, less the set's mean."""
    small = [
        np.asarray(
            Image.fromarray(image).resize((16, 16), Image.Resampling.BOX), np.float32
        ).ravel()
        for image in images
    ]
    vectors = np.stack(small)
    return vectors - vectors.mean(axis=0)
