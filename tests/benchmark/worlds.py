"""Queries and references of random vectors, small enough to look at one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sightline.benchmark.neighbours import Search
from sightline.benchmark.seen import Beliefs, Queries, References
from sightline.geo.partition import Partition, S2Settings, adaptive_s2

DIMENSION = 8


def units(count: int, seed: int) -> np.ndarray:
    """float16 (count, 8), about of unit length; some rows are twins of others."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, DIMENSION))
    twins = min(3, count - count // 2)
    vectors[count // 2 : count // 2 + twins] = vectors[:twins]
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def places(count: int, seed: int) -> np.ndarray:
    """Degrees (count, 2) around six towns, one of them on the antimeridian."""
    rng = np.random.default_rng(seed)
    towns = np.array(
        [[51.5, -0.1], [40.7, -74.0], [-33.9, 151.2], [35.7, 139.7], [-18.0, 179.9], [65.0, 25.5]]
    )
    found = towns[rng.integers(6, size=count)] + rng.normal(0, 0.3, (count, 2))
    found[:, 1] = (found[:, 1] + 180.0) % 360.0 - 180.0
    return found


def references(
    name: str, count: int, seed: int, *, placed: bool = True, at: np.ndarray | None = None
) -> References:
    """A set of references, of which about two thirds are placed rightly."""
    rng = np.random.default_rng(seed)
    chosen = rng.random(count) < 0.67 if placed else None
    where = places(count, seed) if at is None else at
    return References(name, units(count, seed), where, chosen)


def partitions() -> tuple[Partition, ...]:
    """A coarse and a fine one."""
    made_of = places(300, 9)
    return tuple(adaptive_s2(made_of, S2Settings(cells=cells)) for cells in (6, 20))


def queries(count: int, seed: int, *, broken: Sequence[int] = (), people: bool = True) -> Queries:
    """Photos whose most probable cells are random."""
    rng = np.random.default_rng(seed)
    beliefs = []
    for one in partitions():
        cells = rng.integers(len(one), size=(count, 1))
        beliefs.append(Beliefs(one, cells, one.representatives[cells[:, 0]]))
    flags = np.isin(np.arange(count), broken)
    takers = [f"user-{rng.integers(5)}" if row % 4 else None for row in range(count)]
    return Queries(
        "asked",
        [f"photo-{row}" for row in range(count)],
        places(count, seed + 100),
        takers if people else [None] * count,
        flags,
        tuple(beliefs),
    )


def search(given: Queries, sets: Sequence[References], deepest: int = 12) -> Search:
    """A search by random vectors, of which one is a reference's own."""
    vectors = units(len(given), 77).astype(np.float32)
    vectors[1] = sets[0].vectors[0].astype(np.float32)
    return Search(given, vectors, sets, deepest)
