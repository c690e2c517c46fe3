"""Boxes that are cut at random: no key says where a place will end, so the places are moved."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sightline.geo.coordinates import FloatArray
from sightline.geo.partition.trie import Integers, Keys, Nodes

Kind = TypeVar("Kind", bound=np.generic)

_SHARES = (0.25, 0.75)
_SMALLEST_DEGREES = 1e-6  # a decimetre
_GOLDEN = 0x9E3779B97F4A7C15


class RandomCuts:
    """Cuts boxes across their longer side, at a share of it drawn evenly from 1/4 to 3/4.

    Where a box is cut is a function of the seed and of the box alone, not of when it is cut. The
    prefix of a node is its number here.

    Args:
        places: (n, 2) degrees, valid; a copy is moved about.
        seed: Of all cuts.
    """

    def __init__(self, places: FloatArray, seed: int) -> None:
        self._lat, self._lon = places[:, 0].copy(), places[:, 1].copy()
        self._edges = np.array([[-90.0, -180.0, 90.0, 180.0]])
        self._states = np.random.default_rng(seed).integers(0, 1 << 63, 1, dtype=np.uint64)

    def roots(self) -> Nodes:
        """Return the whole world."""
        count = np.array([len(self._lat)], np.int64)
        return Nodes(np.zeros(1, np.uint64), np.zeros(1, np.int64), np.zeros(1, np.int64), count)

    def edges(self, nodes: Nodes) -> FloatArray:
        """Return south, west, north, east of nodes, (m, 4) degrees."""
        return self._edges[nodes.prefixes.astype(np.intp)]

    def separable(self, nodes: Nodes) -> NDArray[np.bool_]:
        """Say which nodes hold more than one spot, and are not too small to be cut."""
        edges = self.edges(nodes)
        wide = np.maximum(edges[:, 2] - edges[:, 0], edges[:, 3] - edges[:, 1])
        members, first, _ = _members(nodes)
        several = np.zeros(len(nodes), np.bool_)
        for values in (self._lat[members], self._lon[members]):
            several |= np.minimum.reduceat(values, first) != np.maximum.reduceat(values, first)
        return np.asarray(several & (wide > _SMALLEST_DEGREES))

    def children(self, nodes: Nodes) -> tuple[Nodes, Integers]:
        """Cut nodes; return the halves that hold anything, and the row of each one's parent."""
        edges, state = self.edges(nodes), self._states[nodes.prefixes.astype(np.intp)]
        south, west, north, east = edges.T
        tall = north - south >= east - west
        drawn = (_mixed(state) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        share = _SHARES[0] + (_SHARES[1] - _SHARES[0]) * drawn
        cut = np.where(tall, south + (north - south) * share, west + (east - west) * share)
        members, first, owner = _members(nodes)
        value = np.where(tall[owner], self._lat[members], self._lon[members])
        beyond = value >= cut[owner]
        lower = nodes.counts - np.add.reduceat(beyond, first, dtype=np.int64)
        # The members of a node are brought into two runs, each in its old order.
        moved = members[_in_two_runs(beyond, first, owner, lower)]
        self._lat[moved], self._lon[moved] = self._lat[members], self._lon[members]
        middle = nodes.starts + lower
        low, high = edges.copy(), edges.copy()
        low[tall, 2], high[tall, 0] = cut[tall], cut[tall]
        low[~tall, 3], high[~tall, 1] = cut[~tall], cut[~tall]
        numbers = len(self._edges) + np.arange(2 * len(nodes))
        self._edges = np.concatenate([self._edges, _paired(low, high)])
        grown = _paired(_mixed(state + np.uint64(1)), _mixed(state + np.uint64(2)))
        self._states = np.concatenate([self._states, grown])
        starts, stops = _paired(nodes.starts, middle), _paired(middle, nodes.stops)
        held = np.flatnonzero(stops > starts)
        parent = held // 2
        children = Nodes(
            numbers[held].astype(np.uint64), nodes.depths[parent] + 1, starts[held], stops[held]
        )
        return children, parent


def _members(nodes: Nodes) -> tuple[Integers, Integers, Integers]:
    """Return the positions of all members, where each node's start, and whose each is."""
    counts = nodes.counts
    first = np.cumsum(counts) - counts
    owner = np.repeat(np.arange(len(nodes)), counts)
    return nodes.starts[owner] + np.arange(len(owner)) - first[owner], first, owner


def _in_two_runs(
    beyond: NDArray[np.bool_], first: Integers, owner: Integers, lower: Integers
) -> Integers:
    """Return where each member goes so that those beyond the cut follow the others of their node.

    Args:
        beyond: (n,)
        first: (m,), where each node's members start.
        owner: (n,), whose each member is.
        lower: (m,), how many of each node's are not beyond.
    """
    passed: Integers = np.cumsum(beyond, dtype=np.int64)
    passed -= (passed[first] - beyond[first])[owner]
    rank = np.where(
        beyond, lower[owner] + passed - 1, np.arange(len(owner)) - first[owner] - passed
    )
    return np.asarray(first[owner] + rank)


def _paired(first: NDArray[Kind], second: NDArray[Kind]) -> NDArray[Kind]:
    """Return rows of two arrays in turns."""
    return np.stack([first, second], axis=1).reshape(-1, *first.shape[1:])


def _mixed(state: Keys) -> Keys:
    """Return SplitMix64 of states (Steele, Lea and Flood, 2014)."""
    z = state + np.uint64(_GOLDEN)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))
