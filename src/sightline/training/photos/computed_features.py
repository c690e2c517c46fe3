"""Vectors of a run's photos: read if they are stored, computed by a trained backbone if not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.errors import VectorError
from sightline.geo.partition import Partition
from sightline.losses import gather_rows
from sightline.models.cell_classifiers import CellClassifier
from sightline.models.global_settings import GlobalSettings
from sightline.models.weights import state_digest
from sightline.training.cross_view.pair_data import Rows
from sightline.training.data.loading import BatchLoader, PhotoPixels
from sightline.training.data.pixels import DecodedEachTime, PixelSource
from sightline.training.loops.processes import Processes
from sightline.training.loops.watching import Watcher
from sightline.training.photos.features import (
    FEATURES,
    FEATURES_SCHEMA,
    Features,
    VectorBatch,
    read_features,
    told_by,
    write_features,
)
from sightline.training.photos.photo_data import PhotoData
from sightline.training.photos.pixels import left_out_of, reading, refuse_broken_photos
from sightline.training.photos.recipe import PhotoRecipe

_AT_ONCE = 64
_LARGEST = float(np.finfo(np.float16).max)


def open_features(
    recipe: PhotoRecipe,
    classifier: CellClassifier,
    settings: GlobalSettings,
    partition: Partition,
    data: PhotoData,
    folder: Path,
    processes: Processes,
    watcher: Watcher,
    *,
    left_out: Sequence[int] | None = None,
) -> tuple[Features, Rows]:
    """Open the vectors of a run's photos, and say what is to be left out.

    Args:
        recipe: Where they are kept, and how many photos may be broken.
        classifier: Whose backbone makes them.
        settings: How photos become its input.
        partition: For the column ``cell``.
        data: The photos.
        folder: The run's.
        processes: All compute their parts.
        watcher: Is told how far it is, and which photos are left out.
        left_out: Of a run that goes on: the training rows it was begun without.

    Returns:
        The vectors, and the training rows to leave out because they are broken.

    Raises:
        CheckpointError: Photos that the run was begun with are broken now.
        TrainingDataError: More photos are broken than the recipe allows, or the file is damaged.
        SightlineError: As :func:`stored_features`.
    """
    path = Path(recipe.features) if recipe.features else folder / FEATURES
    features = stored_features(
        path,
        classifier,
        settings,
        partition,
        data,
        processes,
        watcher,
        workers=recipe.workers,
    )
    for part, rows in data.splits.items():
        if part != "train":
            refuse_broken_photos(data, part, features.broken_of(rows), recipe.bad_images)
    broken = np.flatnonzero(features.broken_of(data.train))
    return features, left_out_of(recipe, data, broken, path, watcher, left_out)


def stored_features(
    path: Path,
    classifier: CellClassifier,
    settings: GlobalSettings,
    partition: Partition,
    data: PhotoData,
    processes: Processes,
    watcher: Watcher,
    *,
    workers: int,
) -> Features:
    """Read the vectors of a run's photos, computing them if the file is not theirs.

    Args:
        path: The file; written whole or not at all.
        classifier: Whose backbone makes them; it is left in evaluation mode.
        settings: How photos become its input.
        partition: For the column ``cell``.
        data: The photos.
        processes: All compute their parts; the first one writes.
        watcher: Is told how far it is.
        workers: Processes that read images.

    Raises:
        TrainingDataError: The file is damaged.
        VectorError: A vector is not finite, or beyond what is stored.
        OutputError: The file cannot be written.
    """
    rows = np.concatenate(list(data.splits.values()))
    told = {
        "schema": FEATURES_SCHEMA,
        "network": _digest(classifier, f"{settings.size} {settings.preprocessing}"),
        "data": data.fingerprint,
        "rows": hashlib.sha256(rows.tobytes()).hexdigest(),
    }
    fits = path.is_file() and told_by(path) == told
    processes.wait()
    if not fits:
        classifier.to(processes.device).eval()
        pixels = DecodedEachTime(data.photos.paths, settings.size, reading(settings.preprocessing))
        batches = _computed(classifier, rows, pixels, processes, workers)
        watching = _watched(batches, len(rows), watcher)
        if processes.first:
            write_features(path, watching, data, partition, classifier.dimension, told)
        else:
            for _ in watching:
                pass
        processes.wait()
    return read_features(path, data)


def _digest(classifier: CellClassifier, heading: str) -> str:
    """What decides a classifier's pooled vectors, hexadecimal; how photos are read is in words."""
    state = {f"trunk.{name}": one for name, one in classifier.trunk.state_dict().items()}
    state |= {f"pooling.{name}": one for name, one in classifier.pooling.state_dict().items()}
    return state_digest(heading, state)


def _computed(
    classifier: CellClassifier,
    rows: Rows,
    pixels: PixelSource,
    processes: Processes,
    workers: int,
) -> Iterator[VectorBatch]:
    """Vectors of photos in their order, some at a time; each process computes a part of each."""
    step = _AT_ONCE * processes.count
    # Of fewer photos than processes some would have none: those are computed by all.
    parts = [rows[start : start + step] for start in range(0, len(rows), step)]
    shared = [processes.count > 1 and len(part) >= processes.count for part in parts]
    own = [
        np.array_split(part, processes.count)[processes.rank] if divided else part
        for part, divided in zip(parts, shared, strict=True)
    ]
    places = np.split(np.arange(sum(map(len, own))), np.cumsum([len(part) for part in own])[:-1])
    loader = BatchLoader(
        PhotoPixels(np.concatenate(own), pixels),
        workers=workers,
        pin=processes.device.type == "cuda",
        note=lambda _: None,
    )
    for loaded, divided in zip(loader.load(places), shared, strict=True):
        with torch.no_grad():
            vectors = classifier.vectors(loaded.pixels.to(processes.device)).float()
        broken = torch.from_numpy(loaded.broken).to(vectors.device)
        vectors = vectors.masked_fill(broken[:, None], 0.0)
        if divided:
            vectors, flags = gather_rows(vectors), gather_rows(broken.to(torch.int64))
            broken = flags.bool()
        yield _narrowed(vectors), broken.cpu().numpy()


def _narrowed(vectors: Tensor) -> NDArray[np.float16]:
    largest = float(vectors.abs().max()) if len(vectors) else 0.0
    if not largest <= _LARGEST:
        raise VectorError(
            f"Pooled vectors must be finite and at most {_LARGEST:g}. Got {largest:g}.",
            hint="Train the classifier with a lower learning_rate.",
        )
    return np.asarray(vectors.half().cpu().numpy())


def _watched(batches: Iterator[VectorBatch], total: int, watcher: Watcher) -> Iterator[VectorBatch]:
    done = 0
    for vectors, broken in batches:
        done += len(vectors)
        watcher.preparing("computing vectors", done, total)
        yield vectors, broken
