"""What needs no training: colour histogram, thumbnail and a frozen backbone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from _histogram import HistogramEncoder
from _planet_places import Images
from sightline.evaluation.retrieval import Relevance, rank

Vectors = NDArray[np.float32]


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


def centred(vectors: Vectors) -> Vectors:
    """Less the set's own mean: it takes away what all photos, or all tiles, have in common."""
    return vectors - vectors.mean(axis=0)
