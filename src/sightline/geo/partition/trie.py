"""Adaptive splitting on sorted keys: a cell's members are one run of them, found by two searches.

Cells that halve or quarter again and again are the nodes of a trie over bit strings: the children
of a cell append bits to its prefix. With the places' keys sorted once, the members of any cell
stand between two positions, so that no list of points is ever moved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Keys = NDArray[np.uint64]
MaySplit = Callable[["Nodes"], NDArray[np.bool_]]
"""Says which nodes may be split at all: level bounds, areas."""


@dataclass(frozen=True, slots=True, eq=False)
class Nodes:
    """m cells of a trie, none of them empty.

    Attributes:
        prefixes: uint64 (m,), their bits.
        depths: int64 (m,), how many splits made them.
        starts: int64 (m,), where their members start in the sorted keys.
        stops: int64 (m,), and where they end, exclusive.
    """

    prefixes: Keys
    depths: Integers
    starts: Integers
    stops: Integers

    def __len__(self) -> int:
        return len(self.prefixes)

    @property
    def counts(self) -> Integers:
        """Members of each, int64 (m,)."""
        return np.asarray(self.stops - self.starts)

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Nodes:
        return Nodes(
            self.prefixes[chosen], self.depths[chosen], self.starts[chosen], self.stops[chosen]
        )


class Splitter(Protocol):
    """Whatever can part the members of cells; it keeps those of a cell in one run."""

    def children(self, nodes: Nodes) -> tuple[Nodes, Integers]:
        """Return the children of nodes that hold anything, and the row of each one's parent."""
        ...

    def separable(self, nodes: Nodes) -> NDArray[np.bool_]:
        """Say which nodes splitting can part."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Trie:
    """Sorted keys and how they split.

    Args:
        keys: uint64 (n,), ascending.
        bits: How many bits a key has, at most 63.
        root_bits: How many of them tell the roots apart.
        step: How many more tell the children of a node apart.
    """

    keys: Keys
    bits: int
    root_bits: int
    step: int

    def roots(self) -> Nodes:
        """Return the roots that hold anything."""
        count = 1 << self.root_bits
        parts = np.array([0], np.int64), np.array([len(self.keys)], np.int64)
        return self._parts(np.zeros(1, np.uint64), np.full(1, -1, np.int64), *parts, count)[0]

    def children(self, nodes: Nodes) -> tuple[Nodes, Integers]:
        """Return the children of nodes that hold anything, and the row of each one's parent."""
        return self._parts(nodes.prefixes, nodes.depths, nodes.starts, nodes.stops, 1 << self.step)

    def separable(self, nodes: Nodes) -> NDArray[np.bool_]:
        """Say which nodes hold more than one key; a node of one, a leaf above all, is whole."""
        return np.asarray(self.keys[nodes.starts] != self.keys[nodes.stops - 1])

    def _parts(
        self, prefixes: Keys, depths: Integers, starts: Integers, stops: Integers, each: int
    ) -> tuple[Nodes, Integers]:
        first_child = prefixes[:, None] * np.uint64(each)
        own = np.asarray(first_child + np.arange(each, dtype=np.uint64), np.uint64)
        shifts = (self.bits - self.root_bits - self.step * (depths + 1)).astype(np.uint64)
        inner = np.searchsorted(self.keys, (own[:, 1:] << shifts[:, None]).ravel(), side="left")
        edges = np.column_stack([starts, inner.reshape(len(prefixes), each - 1), stops])
        first, last = edges[:, :-1].ravel(), edges[:, 1:].ravel()
        held = np.flatnonzero(last > first)
        parent = held // each
        return Nodes(own.ravel()[held], depths[parent] + 1, first[held], last[held]), parent


def at_depth(trie: Trie, depth: int) -> Nodes:
    """Return all cells of one depth that hold anything."""
    nodes = trie.roots()
    for _ in range(depth):
        nodes, _ = trie.children(nodes)
    return nodes


def split_fullest(
    trie: Splitter,
    nodes: Nodes,
    *,
    cells: int | None = None,
    max_members: int | None = None,
    may_split: MaySplit | None = None,
) -> Nodes:
    """Split the fullest cell, again and again, until there are enough or none is too full.

    Of equally full cells the larger goes first, then the one whose members stand first. Children
    are never fuller than their parent and never larger, so that this order of all cells is the
    order in which a queue would have split them: it is sorted once instead. Empty children are no
    cells. A cell whose members cannot be parted is not split.

    Args:
        trie: What parts them.
        nodes: The cells to start from.
        cells: Stop when there are so many or more: the last split may add more than one.
        max_members: Stop when no cell that may be split has more; then ``cells`` is an upper
            bound only.
        may_split: Which cells may be split.

    Returns:
        The cells, in the order of their members. Fewer than ``cells`` where no more can be had.
    """
    table = _Table(trie, nodes, may_split)
    least = 1 if max_members is None else max_members
    threshold = least
    if cells is not None:
        # Cells of at most n / cells members are at least so many, unless some cannot be split.
        threshold = max(least, int(nodes.counts.sum()) // max(cells, 1))
    while True:
        table.split_above(threshold)
        if threshold == least or (cells is not None and table.count >= cells):
            break
        threshold = max(least, threshold // 2)
    return table.cut(cells)


@dataclass(slots=True, eq=False)
class _Table:
    """All nodes met so far, and which of them were split.

    ``parents`` are rows of the table, -1 for those it started with; ``gains`` say by how many
    cells the split of a node raised their number.
    """

    trie: Splitter
    nodes: Nodes
    may_split: MaySplit | None
    parents: Integers = field(init=False)
    split: NDArray[np.bool_] = field(init=False)
    gains: Integers = field(init=False)

    def __post_init__(self) -> None:
        rows = len(self.nodes)
        self.parents = np.full(rows, -1, np.int64)
        self.split = np.zeros(rows, np.bool_)
        self.gains = np.zeros(rows, np.int64)

    @property
    def count(self) -> int:
        """How many cells there are now."""
        return int((~self.split).sum())

    def split_above(self, threshold: int) -> None:
        """Split every cell of more members, its children too."""
        rows = self._splittable(np.flatnonzero(~self.split & (self.nodes.counts > threshold)))
        while len(rows):
            before = len(self.nodes)
            children, parent = self.trie.children(self.nodes[rows])
            self.split[rows] = True
            self.gains[rows] = np.bincount(parent, minlength=len(rows)) - 1
            self._append(children, rows[parent])
            rows = self._splittable(before + np.flatnonzero(children.counts > threshold))

    def cut(self, cells: int | None) -> Nodes:
        """Take back the splits after the one that made enough cells; return what there is."""
        kept = self.split.copy()
        start = int((self.parents < 0).sum())
        if cells is not None and self.count >= cells:
            rows = np.flatnonzero(self.split)
            nodes = self.nodes[rows]
            order = rows[np.lexsort((nodes.starts, nodes.depths, -nodes.counts))]
            reached = start + np.concatenate([[0], np.cumsum(self.gains[order])])
            kept[order[int(np.argmax(reached >= cells)) :]] = False
        alive = ~kept & ((self.parents < 0) | kept[self.parents])
        found = self.nodes[alive]
        return found[np.argsort(found.starts, kind="stable")]

    def _append(self, children: Nodes, parents: Integers) -> None:
        old, rows = self.nodes, len(children)
        self.nodes = Nodes(
            np.concatenate([old.prefixes, children.prefixes]),
            np.concatenate([old.depths, children.depths]),
            np.concatenate([old.starts, children.starts]),
            np.concatenate([old.stops, children.stops]),
        )
        self.parents = np.concatenate([self.parents, parents])
        self.split = np.concatenate([self.split, np.zeros(rows, np.bool_)])
        self.gains = np.concatenate([self.gains, np.zeros(rows, np.int64)])

    def _splittable(self, rows: Integers) -> Integers:
        """Return those of some rows that may be split."""
        nodes = self.nodes[rows]
        if len(rows) and self.may_split is not None:
            rows = rows[self.may_split(nodes)]
            nodes = self.nodes[rows]
        return rows[self.trie.separable(nodes)] if len(rows) else rows
