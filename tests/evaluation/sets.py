"""Small retrieval sets with every kind of trouble: ties, copies, junk, unanswerable queries."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from sightline.evaluation.retrieval.ranks import Ranks
from sightline.evaluation.retrieval.relevance import Lists, Relevance

COUNTS = (
    "candidates",
    "positives",
    "better",
    "tied",
    "positives_tied",
    "semi_better",
    "semi_tied",
)
COUNTS_OF_EVERY = ("member", "better", "tied", "tied_before", "group")


def assert_same(ours: Ranks, wanted: Ranks) -> None:
    for name in COUNTS:
        np.testing.assert_array_equal(getattr(ours, name), getattr(wanted, name), name)
    assert (ours.every is None) == (wanted.every is None)
    if ours.every is not None and wanted.every is not None:
        for name in COUNTS_OF_EVERY:
            np.testing.assert_array_equal(
                getattr(ours.every, name), getattr(wanted.every, name), f"every.{name}"
            )


def random_lists(rng: np.random.Generator, queries: int, references: int, most: int) -> Lists:
    """Up to ``most`` members for each query, now and then none."""
    sizes = rng.integers(0, min(most, references) + 1, queries)
    members = [rng.choice(references, size, replace=False) for size in sizes]
    owners = np.repeat(np.arange(queries), sizes)
    flat = np.concatenate([*members, np.empty(0, np.int64)]).astype(np.int64)
    return Lists.of_pairs(owners, flat, queries)


def random_relevance(
    rng: np.random.Generator, queries: int, references: int, positives: int = 3
) -> Relevance:
    right = random_lists(rng, queries, references, positives)
    junk = random_lists(rng, queries, references, 3).without(right)
    semi = random_lists(rng, queries, references, 3).without(right).without(junk)
    return Relevance(references, right, semi, junk)


def lattice(rng: np.random.Generator, rows: int, dimension: int, kinds: int) -> np.ndarray:
    """Vectors of few whole numbers, ``kinds`` different ones at most: many exact ties."""
    pool = rng.integers(-2, 3, (kinds, dimension)).astype(np.float32)
    pool[~pool.any(axis=1), 0] = 1.0
    return pool[rng.integers(0, kinds, rows)]


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@st.composite
def seeded_sets(draw: st.DrawFn) -> tuple[np.random.Generator, int, int, int, int]:
    """A generator, n, m, d, and how many different vectors there are."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return (
        rng,
        draw(st.integers(1, 20)),
        draw(st.integers(1, 30)),
        draw(st.integers(1, 6)),
        draw(st.integers(1, 12)),
    )
