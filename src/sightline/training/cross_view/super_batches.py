"""Super-batches: what a partly trained network finds alike is told apart together.

Debnath, "Proportional Search Space Reduction", section 2.4: k-means (k = 3) on the embeddings of at
most 50,000 pairs; all others belong to the nearest centre. Batches within a cluster hold more
negatives that are hard. What figures 4 to 6 of the text show, the clusters on the plane of the
first two principal components, on the map, and samples of each, is kept as a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sightline.durable import make_folder, whole_file
from sightline.errors import DependencyError, UsageError

SCHEMA = b"sightline.super_batches/1"
_SAMPLES_PER_CLUSTER = 12
_ROWS_AT_ONCE = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class SuperBatches:
    """Clusters of pairs.

    Attributes:
        clusters: int32 (n,), cluster of each pair; 0 is the largest of the sample.
        centres: float32 (k, d).
        plane: float32 (n, 2), coordinates on the first two principal components of the sample.
        explained: (2,) share of the sample's variance that each of them explains.
        sampled: (n,) whether k-means saw the pair.
    """

    clusters: NDArray[np.int32]
    centres: NDArray[np.float32]
    plane: NDArray[np.float32]
    explained: NDArray[np.float64]
    sampled: NDArray[np.bool_]


def cluster(
    embeddings: NDArray[np.float32], k: int = 3, *, sample: int = 50_000, seed: int = 0
) -> SuperBatches:
    """Cluster embeddings.

    Args:
        embeddings: (n, d).
        k: Clusters.
        sample: Embeddings that k-means sees, at most; the rest is assigned.
        seed: Of the sample and of k-means.

    Raises:
        DependencyError: scikit-learn is not installed.
        UsageError: Fewer embeddings than clusters.
    """
    try:
        from sklearn.cluster import KMeans  # type: ignore[import-untyped]
        from sklearn.decomposition import PCA  # type: ignore[import-untyped]
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
    except ImportError as cause:
        raise DependencyError(
            "Super-batches need scikit-learn, which is not installed.",
            hint="Install it with `pip install sightline[train]`.",
        ) from cause
    rows = len(embeddings)
    if rows < k:
        raise UsageError(
            f"There must be at least as many embeddings as clusters, {k}. Got {rows}.",
            hint="Take fewer super_batches.",
        )
    generator = np.random.default_rng(seed)
    seen = np.sort(generator.permutation(rows)[: max(k, sample)])
    given = embeddings[seen]
    # Several threads add up in the order in which they are done: another run had other clusters.
    with threadpool_limits(1, user_api="openmp"):
        found = KMeans(k, n_init=4, random_state=seed).fit(given)
    # Numbered by size, so that 0 means the same in every run.
    order = np.argsort(-np.bincount(found.labels_, minlength=k), kind="stable")
    centres = np.asarray(found.cluster_centers_[order], np.float32)
    # Of large embeddings all components would take hours: the plane needs two.
    plane_of = PCA(2, random_state=seed).fit(given)
    largest = np.abs(plane_of.components_).argmax(axis=1)
    axes = plane_of.components_ * np.sign(plane_of.components_[range(2), largest])[:, None]
    clusters = np.empty(rows, np.int32)
    plane = np.empty((rows, 2), np.float32)
    for start in range(0, rows, _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        apart = (centres**2).sum(axis=1) - 2 * embeddings[part] @ centres.T
        clusters[part] = apart.argmin(axis=1)
        plane[part] = (embeddings[part] - plane_of.mean_) @ axes.T
    sampled = np.zeros(rows, bool)
    sampled[seen] = True
    explained = np.asarray(plane_of.explained_variance_ratio_, np.float64)
    return SuperBatches(clusters, centres, plane, explained, sampled)


def save_super_batches(
    path: Path,
    found: SuperBatches,
    *,
    photo_ids: Sequence[str],
    patch_ids: Sequence[str],
    latlon: NDArray[np.float64],
    seed: int = 0,
) -> None:
    """Write clusters as Parquet: a row for each pair, with what its figures need.

    Columns: ``photo_id``, ``patch_id``, ``lat``, ``lon``, ``cluster``, ``pc1``, ``pc2``,
    ``sampled`` (seen by k-means) and ``example`` (one of twelve of its cluster to be shown).

    Raises:
        OutputError: It cannot be written.
    """
    generator = np.random.default_rng(seed)
    example = np.zeros(len(found.clusters), bool)
    for number in range(len(found.centres)):
        members = np.flatnonzero(found.clusters == number)
        example[generator.permutation(members)[:_SAMPLES_PER_CLUSTER]] = True
    table = pa.table(
        {
            "photo_id": list(photo_ids),
            "patch_id": list(patch_ids),
            "lat": latlon[:, 0],
            "lon": latlon[:, 1],
            "cluster": found.clusters,
            "pc1": found.plane[:, 0],
            "pc2": found.plane[:, 1],
            "sampled": found.sampled,
            "example": example,
        }
    ).replace_schema_metadata(
        {b"schema": SCHEMA, b"explained": repr(found.explained.tolist()).encode()}
    )
    make_folder(path.parent)
    with whole_file(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
