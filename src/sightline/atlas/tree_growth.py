"""Growing a search tree: k-means within k-means, with the rows left on disk.

The clusters of a node are found on a sample of its rows, as the super-batches of the text are on
50,000 of its embeddings, and all its rows are then given to the nearest mean. Memory is bounded by
the sample, one block of rows and the order of the rows (8 bytes each), whatever their number.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from sightline.atlas.segment import Progress
from sightline.atlas.structure import as_float32, check_rows
from sightline.atlas.tree import SearchTree, TreeSettings

_ROUNDS = 20
_SAMPLED_PER_CLUSTER = 256
_ROWS_AT_ONCE = 16_384
# Rows that are nearly all equal could be divided one at a time, for ever.
_DEEPEST = 64


@dataclass(slots=True)
class _Nodes:
    """A growing list of nodes."""

    means: list[NDArray[np.float32]]
    starts: list[int]
    stops: list[int]
    first_child: list[int] = field(default_factory=lambda: [0])
    child_count: list[int] = field(default_factory=lambda: [0])

    def add(self, mean: NDArray[np.float32], start: int, stop: int) -> int:
        self.means.append(mean)
        self.starts.append(start)
        self.stops.append(stop)
        self.first_child.append(0)
        self.child_count.append(0)
        return len(self.means) - 1


def grow_tree(
    vectors: NDArray[Any], settings: TreeSettings, *, progress: Progress | None = None
) -> SearchTree:
    """Cluster rows recursively.

    Rows that no clustering tells apart, such as equal ones, stay in one bucket, however many.

    Args:
        vectors: float16 or float32 (n, d), such as a memory map; unit length is not required.
        settings: Branches, size of a bucket, depth, seed.
        progress: Told how many rows stand in their last bucket.

    Returns:
        A tree; the same rows and settings give the same one on one machine.

    Raises:
        VectorError: No rows, of another kind, or not finite.
    """
    check_rows(vectors)
    count, d = vectors.shape
    order = np.arange(count, dtype=np.int32 if count < 1 << 31 else np.int64)
    nodes = _Nodes([np.zeros(d, np.float32)], [0], [count])
    deepest = _DEEPEST if settings.depth is None else settings.depth
    waiting = deque([(0, 0)])
    settled = 0
    while waiting:
        node, depth = waiting.popleft()
        start, stop = nodes.starts[node], nodes.stops[node]
        split = None
        if stop - start > settings.leaf and depth < deepest:
            split = _split(vectors, order[start:stop], settings, node)
        if split is None:
            settled += stop - start
            if progress is not None:
                progress("growing the tree", settled, count)
            continue
        means, labels = split
        # Stable, so that rows which lay in order on disk are still read in order.
        order[start:stop] = order[start:stop][np.argsort(labels, kind="stable")]
        sizes = np.bincount(labels, minlength=len(means))
        nodes.first_child[node], nodes.child_count[node] = len(nodes.means), len(means)
        for mean, size in zip(means, sizes.tolist(), strict=True):
            waiting.append((nodes.add(mean, start, start + size), depth + 1))
            start += size
    return SearchTree(
        settings,
        np.stack(nodes.means),
        np.array(nodes.first_child, np.int64),
        np.array(nodes.child_count, np.int64),
        np.array(nodes.starts, np.int64),
        np.array(nodes.stops, np.int64),
        order,
    )


def _split(
    vectors: NDArray[Any], rows: NDArray[Any], settings: TreeSettings, node: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
    """Means (c, d) of the clusters with rows, and each row's; None where there is only one."""
    clusters = min(settings.k, len(rows))
    rng = np.random.default_rng([settings.seed, node])
    size = min(len(rows), clusters * _SAMPLED_PER_CLUSTER)
    sample = np.sort(rng.choice(len(rows), size, replace=False))
    kmeans = faiss.Kmeans(
        vectors.shape[1],
        clusters,
        niter=_ROUNDS,
        seed=int(rng.integers(1 << 31)),
        min_points_per_centroid=1,
        max_points_per_centroid=_SAMPLED_PER_CLUSTER,
    )
    kmeans.train(as_float32(vectors[rows[sample]]))
    means = np.asarray(kmeans.centroids, np.float32)
    squares = np.vecdot(means, means)
    labels = np.empty(len(rows), np.int64)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        block = as_float32(vectors[rows[start : start + _ROWS_AT_ONCE]])
        labels[start : start + len(block)] = np.argmin(squares - 2 * (block @ means.T), axis=1)
    used, labels = np.unique(labels, return_inverse=True)
    if len(used) < 2:
        return None
    return means[used], labels
