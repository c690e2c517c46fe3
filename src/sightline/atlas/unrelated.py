"""How similar an unrelated place can look: the score below which a match says nothing."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.atlas.references import References
from sightline.atlas.search import Request, Searcher
from sightline.atlas.segment import temporary_segment
from sightline.atlas.store import Store
from sightline.atlas.whiten import fit_store_whitening
from sightline.geo.distance import great_circle_m

APART_M = 1000.0
QUANTILE = 0.95

_SAMPLED_ROWS = 200
_LEAST_ANSWERS = 5
# A covariance of so many rows no longer depends on which photo it has seen.
_CROSS_FITTED_ROWS = 8192
_FOLDS = 4
# Two photos nearer than this may show the same thing; an atlas so small has nothing unrelated.
_SAME_PLACE_M = 50.0


@dataclass(frozen=True, slots=True)
class UnrelatedScores:
    """Best scores of an atlas's own photos among references of other places.

    Attributes:
        quantile: Their 95 % quantile: one unrelated photo in twenty finds a better match.
        median: Their median.
        sampled: How many photos were asked.
        apart_m: References nearer than this to the photo were left out.
        note: What was measured, in words.
    """

    quantile: float
    median: float
    sampled: int
    apart_m: float
    note: str

    def to_json(self) -> dict[str, Any]:
        """Return plain values for the manifest."""
        return asdict(self)


def measure_unrelated(
    store: Store, searcher: Searcher, *, sampled: int = _SAMPLED_ROWS, seed: int = 0
) -> UnrelatedScores | None:
    """Ask a sample of the atlas's photos for their best match farther away than 1 km.

    The search is the default one, with re-ranking and pooling, because its scores are what the
    quantile will be compared with. A photo that comes to be located was not there when the
    whitening was fitted, and in a small atlas that makes it more similar to everything: there the
    asking photos are left out of fits made for them. Where fewer than half of the sample have a
    reference that far away, a quarter of the atlas's extent takes the place of 1 km.

    Args:
        store: Where the raw vectors are.
        searcher: Over the same rows.
        sampled: How many photos to ask.
        seed: Of the sample.

    Returns:
        None if the atlas lies within 200 m or has fewer than five photos to ask.
    """
    rng = np.random.default_rng(seed)
    positions = np.sort(rng.choice(store.count, min(sampled, store.count), replace=False))
    asked = _asked(store, positions)
    parts = [(searcher, positions)]
    if store.card.whitening is not None and store.count <= _CROSS_FITTED_ROWS:
        parts = _cross_fitted(store, positions)
    note = "references farther than 1 km"
    apart_m = APART_M
    best = _best_scores(parts, asked, apart_m)
    if len(best) < max(len(positions) / 2, _LEAST_ANSWERS):
        apart_m = _extent_m(asked.coordinates) / 4
        if apart_m < _SAME_PLACE_M:
            return None
        note = "the atlas lies too close together for 1 km; a quarter of its extent stands in"
        best = _best_scores(parts, asked, apart_m)
    if len(best) < _LEAST_ANSWERS:
        return None
    return UnrelatedScores(
        quantile=float(np.quantile(best, QUANTILE)),
        median=float(np.median(best)),
        sampled=len(best),
        apart_m=float(apart_m),
        note=note,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """Rows that ask: physical positions (n,), raw vectors (n, r², d), coordinates (n, 2)."""

    positions: NDArray[np.int64]
    vectors: NDArray[np.float32]
    coordinates: NDArray[np.float64]


def _asked(store: Store, positions: NDArray[np.int64]) -> _Asked:
    table = store.take(positions, ["lat", "lon", "vector"])
    coordinates = np.column_stack([table.column(n).to_numpy() for n in ("lat", "lon")])
    flat = table.column("vector").combine_chunks().flatten().to_numpy(zero_copy_only=False)
    cells = store.card.regions**2
    vectors = flat.astype(np.float32).reshape(len(positions), cells, store.card.dimension)
    return _Asked(positions, vectors, coordinates)


def _cross_fitted(
    store: Store, positions: NDArray[np.int64]
) -> list[tuple[Searcher, NDArray[np.int64]]]:
    """Searchers that never saw a run of the rows, each with the asking positions of that run.

    Runs, because neighbours in the store are neighbours on the ground and resemble each other.
    """
    ids = store.ids()
    edges = np.linspace(0, store.count, min(_FOLDS, store.count) + 1).astype(np.int64)
    parts = []
    for start, stop in itertools.pairwise(edges):
        mine = positions[(positions >= start) & (positions < stop)]
        if not len(mine) or stop - start == store.count:
            continue
        whitening = fit_store_whitening(store, without=slice(int(start), int(stop)))
        segment = temporary_segment(store, whitening)
        hidden = np.flatnonzero(np.isin(segment.ids, ids[start:stop], assume_unique=True))
        parts.append((Searcher(References((segment,), (hidden,)), whitening), mine))
    return parts


def _best_scores(
    parts: list[tuple[Searcher, NDArray[np.int64]]], asked: _Asked, apart_m: float
) -> NDArray[np.float32]:
    best = [np.empty(0, np.float32)]
    for searcher, positions in parts:
        chosen = np.isin(asked.positions, positions, assume_unique=True)
        excluded = [searcher.references.near(p, apart_m) for p in asked.coordinates[chosen]]
        matches = searcher.search(asked.vectors[chosen], Request(k=1, excluded=excluded))
        best.append(matches.scores[matches.counts > 0, 0])
    return np.concatenate(best)


def _extent_m(coordinates: NDArray[np.float64]) -> float:
    """The greatest distance of any sampled photo from the first one."""
    return float(great_circle_m(coordinates, coordinates[:1]).max())
