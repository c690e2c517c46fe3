"""From sets of photos to queries and references: vectors are computed once and kept."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from sightline.atlas.store import Store
from sightline.benchmark.model import (
    Pooled,
    beliefs_of,
    predicted_cells,
    retrieval_vectors,
)
from sightline.benchmark.photo_sets import PhotoSet
from sightline.benchmark.seen import (
    Mask,
    Queries,
    References,
    background,
    shared_with_queries,
)
from sightline.benchmark.subject import Subject
from sightline.errors import EvaluationError, FingerprintError
from sightline.training.loops.processes import Processes
from sightline.training.loops.watching import Watcher
from sightline.training.photos.computed_features import stored_features

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True, eq=False)
class SeenSet:
    """A set of photos with the backbone's pooled vectors.

    Attributes:
        photos: n of them.
        pooled: float16 (n, d), not of unit length.
        broken: (n,) which could not be read.
    """

    photos: PhotoSet
    pooled: Pooled
    broken: Mask


def see(
    photos: PhotoSet, subject: Subject, processes: Processes, watcher: Watcher, *, workers: int = 0
) -> SeenSet:
    """Read the pooled vectors of a set, or compute and keep them.

    Args:
        photos: The set.
        subject: The model.
        processes: Where to compute.
        watcher: Is told how far it is.
        workers: Processes that read images.

    Raises:
        TrainingDataError: A file of vectors is damaged.
        OutputError: They cannot be kept.
        VectorError: One is not finite.
    """
    data, path = photos.data, subject.kept / _file_name(photos)
    if photos.part is not None and subject.stored is not None and subject.own is not None:
        data, path = subject.own, subject.stored
    bundle = subject.bundle
    features = stored_features(
        path,
        bundle.classifier,
        bundle.settings,
        bundle.partitions[-1],
        data,
        processes,
        watcher,
        workers=workers,
    )
    rows = features.row_of[photos.rows]
    return SeenSet(photos, features.vectors[rows], features.broken[rows])


def _file_name(photos: PhotoSet) -> str:
    digest = hashlib.sha256(f"{photos.data.fingerprint}\n".encode() + photos.rows.tobytes())
    return f"{_NOT_IN_NAMES.sub('-', photos.name)}-{digest.hexdigest()[:12]}.arrow"


def queries_of(
    seen: SeenSet, subject: Subject, processes: Processes, radii_km: Sequence[float]
) -> Queries:
    """Ask the classifier about a set.

    Args:
        seen: n photos.
        subject: The model.
        processes: Where to compute.
        radii_km: For which the finest partition names a place each.

    Raises:
        EvaluationError: No photo of the set can be read.
    """
    photos = seen.photos
    if seen.broken.all():
        raise EvaluationError(
            f"None of the {len(photos):,} photos of {photos.name!r} can be read.",
            hint="Look at the files with `sightline dataset doctor`.",
        )
    beliefs = beliefs_of(seen.pooled, subject.bundle, processes.device, radii_km=radii_km)
    return Queries(photos.name, photos.ids, photos.places, photos.people, seen.broken, beliefs)


def references_of(
    seen: SeenSet,
    asked: PhotoSet,
    residual: nn.Module | None,
    processes: Processes,
    *,
    subject: Subject | None = None,
) -> References:
    """Make references of a set, without what would give the queries away.

    Args:
        seen: The set.
        asked: The queries' set.
        residual: Refines the vectors; None to take them as they are.
        processes: Where to compute.
        subject: Whose classifier chooses the background collection; None for none.

    Raises:
        EvaluationError: No reference is left.
    """
    photos = seen.photos
    own, theirs = shared_with_queries(photos.files, photos.people, asked.files, asked.people)
    unreadable = seen.broken & ~own & ~theirs
    kept = ~(own | theirs | unreadable)
    left_out = {
        "content": int(own.sum()),
        "photographer": int(theirs.sum()),
        "unreadable": int(unreadable.sum()),
    }
    _require_some(photos.name, kept, left_out)
    pooled, places = seen.pooled[kept], photos.places[kept]
    placed = None
    if subject is not None:
        predicted = predicted_cells(pooled, subject.bundle, processes.device)
        placed = background(predicted, places, subject.bundle.partitions[-1])
    vectors = retrieval_vectors(pooled, residual, processes.device, np.float16)
    return References(photos.name, vectors, places, placed, left_out)


def atlas_references(path: Path, asked: PhotoSet, fingerprint: str) -> References:
    """Make references of an atlas, as it keeps them.

    Args:
        path: The atlas.
        asked: The queries' set; references of their files are left out.
        fingerprint: Of the model's encoder.

    Raises:
        FingerprintError: Another encoder built it, or it is of aerial patches.
        EvaluationError: No reference is left.
        AtlasError: It cannot be opened.
    """
    store = Store.open(path)
    if store.card.kind != "photos" or store.card.fingerprint != fingerprint:
        raise FingerprintError(
            f"The atlas {str(path)!r} was built by {store.card.encoder!r} "
            f"({store.card.fingerprint[:12]}) of {store.card.kind}, and this model's vectors are "
            f"{fingerprint[:12]}.",
            hint="Build an atlas of photos with this model (`sightline atlas build --model`).",
            path=path,
        )
    vectors, places, hashes = [], [], []
    for batch in store.batches(["vector", "lat", "lon", "sha256"]):
        flat = batch.column("vector").flatten().to_numpy(zero_copy_only=False)
        vectors.append(flat.astype(np.float16).reshape(len(batch), -1))
        places.append(np.column_stack([batch.column(name).to_numpy() for name in ("lat", "lon")]))
        hashes += [one.hex() for one in batch.column("sha256").to_pylist()]
    own, _ = shared_with_queries(hashes, [None] * len(hashes), asked.files, [])
    left_out = {"content": int(own.sum()), "photographer": 0, "unreadable": 0}
    _require_some(str(path), ~own, left_out)
    return References(
        path.name, np.concatenate(vectors)[~own], np.concatenate(places)[~own], None, left_out
    )


def _require_some(name: str, kept: Mask, left_out: dict[str, int]) -> None:
    if not kept.any():
        said = ", ".join(f"{count:,} {why}" for why, count in left_out.items() if count)
        raise EvaluationError(
            f"No photo of {name!r} is left to compare with ({said or 'it is empty'}).",
            hint="Name other references with --references MANIFEST:SPLIT.",
        )
