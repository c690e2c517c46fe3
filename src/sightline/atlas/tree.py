"""The search tree of the PSSR text: k-means, and k-means again within each cluster.

Debnath, *Proportional Search Space Reduction*, section 2.5: rows are cut into k clusters, each of
them into k again, and the mean of a cluster is the marker of its node. A query is compared with the
k markers at the top, goes down to the nearest, and so on to a last bucket, whose rows are compared
one by one: O(k log_k n) distances for buckets of a constant size (the text says O(log_k n), k being
a constant). That is **greedy** descent, a beam of 1; a wider beam follows the greedy path and the
b - 1 nearest other nodes of every level. What is not in a bucket that was reached is not found.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sightline.atlas.arrays import load_array
from sightline.atlas.structure import (
    Candidates,
    StructureKind,
    array_path,
    check_queries,
    check_whole,
    padded,
)

MOST_BRANCHES = 1024
# Products are taken so many at a time: 8 MB of means of 512 dimensions, in the processor's cache.
_PRODUCTS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class TreeSettings:
    """How a tree is grown and asked.

    Attributes:
        k: Clusters that a node is cut into.
        leaf: Buckets of at most so many rows are not cut.
        beam: Nodes of one level that are followed; 1 is the text's greedy descent.
        depth: Cut at most so many times (the text's d); until the buckets are small if None.
        seed: Of samples and clusterings.

    Raises:
        UsageError: A number out of range.
    """

    kind: ClassVar[StructureKind] = "tree"

    k: int = 8
    leaf: int = 256
    beam: int = 1
    depth: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("k", self.k, 2, MOST_BRANCHES)
        check_whole("leaf", self.leaf, 1, 1 << 30)
        check_whole("beam", self.beam, 1, 1 << 20)
        check_whole("seed", self.seed, 0, (1 << 31) - 1)
        if self.depth is not None:
            check_whole("depth", self.depth, 0, 64)


@dataclass(frozen=True, slots=True, eq=False)
class SearchTree:
    """A tree of m nodes over n rows; the children of a node stand one after the other.

    Attributes:
        settings: How it was grown, and the beam it is asked with.
        means: float32 (m, d), the marker of each node; node 0 is the root, whose is not used.
        first_child: int64 (m,), 0 for a leaf.
        child_count: int64 (m,), 0 for a leaf.
        starts: int64 (m,), where a node's rows begin in ``order``.
        stops: int64 (m,), where they end.
        order: int64 or int32 (n,), positions of rows, ascending within a leaf.
    """

    settings: TreeSettings
    means: NDArray[np.float32]
    first_child: NDArray[np.int64]
    child_count: NDArray[np.int64]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    order: NDArray[Any]

    @property
    def kind(self) -> StructureKind:
        """``tree``."""
        return "tree"

    @property
    def rows(self) -> int:
        """Rows in it."""
        return len(self.order)

    @property
    def dimension(self) -> int:
        """Of these rows."""
        return int(self.means.shape[1])

    @property
    def leaves(self) -> int:
        """Buckets."""
        return int((self.child_count == 0).sum())

    @property
    def levels(self) -> int:
        """How often the most divided row was divided: the text's d."""
        depth, level = 0, np.array([0])
        while True:
            level = self._children(level[self.child_count[level] > 0])[1]
            if not len(level):
                return depth
            depth += 1

    def candidates(self, queries: NDArray[np.float32], depth: int) -> Candidates:
        """Go down for each query and take the rows of the buckets that are reached.

        A beam that reaches fewer than ``depth`` rows is doubled for that query, and what the
        descent before it cost is counted too.

        Args:
            queries: float32 (q, d).
            depth: Rows that are wanted; every query gets so many, or all there are.

        Raises:
            VectorError: Another dimension, or not finite.
        """
        check_queries(queries, self.means.shape[1])
        enough = min(depth, self.rows)
        parts: list[NDArray[np.int64]] = [np.empty(0, np.int64)] * len(queries)
        comparisons = np.zeros(len(queries), np.int64)
        todo, beam = np.arange(len(queries)), self.settings.beam
        while len(todo):
            reached, cost = self._descend(queries[todo], beam)
            comparisons[todo] += cost
            sizes = np.where(reached >= 0, self.stops[reached] - self.starts[reached], 0).sum(1)
            for row, leaves in zip(todo[sizes >= enough], reached[sizes >= enough], strict=True):
                parts[row] = self._rows_of(leaves[leaves >= 0])
                comparisons[row] += len(parts[row])
            todo, beam = todo[sizes < enough], 2 * beam
        return Candidates(padded(parts), comparisons)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything but the settings, by name."""
        return {name: getattr(self, name) for name in _ARRAYS}

    def settings_json(self) -> dict[str, int | None]:
        """The settings as plain numbers."""
        return asdict(self.settings)

    @classmethod
    def open(cls, folder: Path, settings: dict[str, Any]) -> SearchTree:
        """Map the arrays of a folder; raises OSError, ValueError or TypeError."""
        arrays = {name: load_array(array_path(folder, name)) for name in _ARRAYS}
        tree = cls(TreeSettings(**settings), **arrays)
        tree._check()
        return tree

    def _check(self) -> None:
        """Refuse arrays that are no tree, in which a descent could run for ever; ValueError."""
        nodes = len(self.means)
        shaped = self.means.ndim == 2 and self.order.ndim == 1 and nodes > 0
        for name in ("first_child", "child_count", "starts", "stops"):
            array = getattr(self, name)
            shaped = shaped and array.shape == (nodes,) and array.dtype.kind == "i"
        if not shaped or self.order.dtype.kind != "i":
            raise ValueError("its arrays do not fit each other")
        inner = np.flatnonzero(self.child_count)
        first, count = self.first_child[inner], self.child_count[inner]
        # Children stand after their parent.
        grown = ((first > inner) & (count > 0) & (first + count <= nodes)).all()
        runs = ((self.starts >= 0) & (self.starts <= self.stops) & (self.stops <= self.rows)).all()
        held = self.rows > 0 and self.order.min() >= 0 and self.order.max() < self.rows
        if not (grown and runs and held):
            raise ValueError("its nodes are no tree over its rows")

    def _descend(
        self, queries: NDArray[np.float32], beam: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Leaves int64 (q, b), -1 for none, and how many means each query was compared with."""
        count = len(queries)
        comparisons = np.zeros(count, np.int64)
        frontier = np.zeros((count, 1), np.int64)
        far = np.zeros((count, 1), np.float32)
        while True:
            inner = (frontier >= 0) & (self.child_count[frontier] > 0)
            if not inner.any():
                return frontier, comparisons
            owners, columns = np.nonzero(inner)
            parents, nodes = self._children(frontier[inner])
            owners, columns = owners[parents], columns[parents]
            comparisons += np.bincount(owners, minlength=count)
            gaps = self._squared_distances(queries, owners, nodes)
            _keep_greedy(owners, columns, nodes, gaps)
            # A leaf that was reached before stays, if it is still among the nearest.
            settled = (frontier >= 0) & ~inner
            owners = np.concatenate([owners, np.nonzero(settled)[0]])
            nodes = np.concatenate([nodes, frontier[settled]])
            gaps = np.concatenate([gaps, far[settled]])
            frontier, far = _nearest_of_each(count, beam, owners, nodes, gaps)

    def _children(self, nodes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """All children of ``nodes`` one after the other: whose they are, and which."""
        counts = self.child_count[nodes]
        parents = np.repeat(np.arange(len(nodes)), counts)
        before = np.repeat(np.cumsum(counts) - counts, counts)
        return parents, self.first_child[nodes][parents] + np.arange(len(parents)) - before

    def _squared_distances(
        self, queries: NDArray[np.float32], owners: NDArray[np.int64], nodes: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Of pairs of a query and a node, less the query's own square, which orders nothing."""
        gaps = np.empty(len(nodes), np.float32)
        for start in range(0, len(nodes), _PRODUCTS_AT_ONCE):
            part = slice(start, start + _PRODUCTS_AT_ONCE)
            means = self.means[nodes[part]]
            gaps[part] = np.vecdot(means, means - 2 * queries[owners[part]])
        return gaps

    def _rows_of(self, leaves: NDArray[np.int64]) -> NDArray[np.int64]:
        runs = [self.order[self.starts[leaf] : self.stops[leaf]] for leaf in leaves]
        return np.concatenate(runs).astype(np.int64)


_ARRAYS = ("means", "first_child", "child_count", "starts", "stops", "order")


def _keep_greedy(
    owners: NDArray[np.int64],
    columns: NDArray[np.int64],
    nodes: NDArray[np.int64],
    gaps: NDArray[np.float32],
) -> None:
    """Make the nearest child of each owner's first column nearer than all, so that it leads on.

    Without it a wider beam could lose the bucket that greedy descent reaches.
    """
    first = np.flatnonzero(columns == 0)
    order = first[np.lexsort((nodes[first], gaps[first], owners[first]))]
    _, leading = np.unique(owners[order], return_index=True)
    gaps[order[leading]] = -np.inf


def _nearest_of_each(
    count: int,
    beam: int,
    owners: NDArray[np.int64],
    nodes: NDArray[np.int64],
    gaps: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The ``beam`` nearest nodes of each of ``count`` owners, nearest first, -1 where fewer."""
    order = np.lexsort((nodes, gaps, owners))
    owners, nodes, gaps = owners[order], nodes[order], gaps[order]
    ranks = np.arange(len(owners)) - np.searchsorted(owners, owners)
    kept = ranks < beam
    width = int(ranks[kept].max()) + 1
    frontier = np.full((count, width), -1, np.int64)
    far = np.full((count, width), np.inf, np.float32)
    frontier[owners[kept], ranks[kept]] = nodes[kept]
    far[owners[kept], ranks[kept]] = gaps[kept]
    return frontier, far
