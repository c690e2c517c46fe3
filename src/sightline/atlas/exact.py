"""Exact nearest rows: the oracle, and the engine of every search in a small part of an atlas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sightline.atlas.arrays import widen
from sightline.atlas.segment import Segment

Rows = slice | NDArray[np.int64]
"""Which positions to scan: a run, or ascending positions."""

# For one query, 1,024 rows of 512 float32 are 2 MB and stay in the processor's cache; for many,
# the larger product is the faster one.
_ROWS_AT_ONCE = 1024
_ROWS_AT_ONCE_FOR_MANY = 8192
# float32 products of equal rows may differ in the last bit from block to block, so some more
# rows than asked for are kept and scored again, each by itself, in float64. So many rows of
# equal score may stand at the border before their order by id is left to chance.
_SPARE = 32


def size(rows: Rows) -> int:
    """How many positions."""
    return rows.stop - rows.start if isinstance(rows, slice) else len(rows)


def positions(rows: Rows) -> NDArray[np.int64]:
    """Return the positions as an array."""
    return np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows


def among(found: NDArray[np.int64], rows: Rows) -> NDArray[np.bool_]:
    """Which of the positions ``found`` are among ``rows``."""
    if isinstance(rows, slice):
        return np.asarray((found >= rows.start) & (found < rows.stop))
    if not len(rows):
        return np.zeros(len(found), np.bool_)
    at = np.minimum(np.searchsorted(rows, found), len(rows) - 1)
    return np.asarray(rows[at] == found)


def exact_top(
    segment: Segment,
    queries: NDArray[np.float32],
    k: int,
    *,
    rows: Rows | None = None,
    excluded: Sequence[NDArray[np.int64]] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the k rows of highest cosine per query, equal scores by ascending row id.

    Args:
        segment: Rows to scan.
        queries: float32 (q, k'), whitened, unit length.
        k: How many rows, at least 1.
        rows: Only these positions; all if None.
        excluded: Per query, ascending positions that must not be returned.

    Returns:
        Positions int64 (q, k), -1 where there are fewer, and cosines float64 (q, k), -inf there.
    """
    kept = k + _SPARE
    best = np.full((len(queries), 0), -np.inf, np.float32)
    places = np.full((len(queries), 0), -1, np.int64)
    at_once = _ROWS_AT_ONCE if len(queries) == 1 else _ROWS_AT_ONCE_FOR_MANY
    for found, block in _blocks(segment, rows, at_once):
        scores = products(queries, block)
        if excluded is not None:
            _strike(scores, found, excluded)
        columns = _leading(scores, kept)
        best = np.concatenate([best, np.take_along_axis(scores, columns, axis=1)], axis=1)
        places = np.concatenate([places, found[columns]], axis=1)
        if best.shape[1] > 4 * kept:
            columns = _leading(best, kept)
            best = np.take_along_axis(best, columns, axis=1)
            places = np.take_along_axis(places, columns, axis=1)
    places[np.isneginf(best)] = -1
    return rank(segment, queries, places, k)


def products(queries: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Dot products (q, b) of queries (q, k) and rows (b, k).

    For one query the matrix product would wait for a second thread at every block, which costs
    ten times the arithmetic on a busy machine.
    """
    if len(queries) == 1:
        return np.asarray(np.vecdot(rows, queries[0])[None, :], np.float32)
    return queries @ rows.T


def rank(
    segment: Segment, queries: NDArray[np.float32], places: NDArray[np.int64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Order candidate positions by exact cosine and then row id, and keep k of them.

    Args:
        segment: Where the rows are.
        queries: float32 (q, k').
        places: int64 (q, c), candidate positions in any order, -1 for none.
        k: How many to keep.

    Returns:
        As :func:`exact_top`.
    """
    kept = np.full((len(queries), k), -1, np.int64)
    scores = np.full((len(queries), k), -np.inf)
    for row, query in enumerate(queries):
        candidates = places[row][places[row] >= 0]
        if len(candidates) > k + _SPARE:
            candidates = np.sort(candidates)
            rough = products(query[None, :], widen(segment.vectors[candidates]))[0]
            candidates = candidates[np.argsort(-rough, kind="stable")[: k + _SPARE]]
        # Row by row, so that equal rows have equal cosines wherever they stand.
        cosines = np.vecdot(
            widen(segment.vectors[candidates]).astype(np.float64), query.astype(np.float64)
        )
        order = np.lexsort((segment.ids[candidates], -cosines))[:k]
        kept[row, : len(order)] = candidates[order]
        scores[row, : len(order)] = cosines[order]
    return kept, scores


def _blocks(
    segment: Segment, rows: Rows | None, at_once: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    chosen = slice(0, len(segment)) if rows is None else rows
    if isinstance(chosen, slice):
        for start in range(chosen.start, chosen.stop, at_once):
            stop = min(start + at_once, chosen.stop)
            yield np.arange(start, stop), widen(segment.vectors[start:stop])
        return
    for start in range(0, len(chosen), at_once):
        part = chosen[start : start + at_once]
        yield part, widen(segment.vectors[part])


def _strike(
    scores: NDArray[np.float32],
    found: NDArray[np.int64],
    excluded: Sequence[NDArray[np.int64]],
) -> None:
    for row, hidden in enumerate(excluded):
        if len(hidden):
            scores[row, np.isin(found, hidden, assume_unique=True)] = -np.inf


def _leading(scores: NDArray[np.float32], kept: int) -> NDArray[np.int64]:
    """Columns (q, min(kept, b)) of the highest scores, in no order."""
    width = scores.shape[1]
    if width <= kept:
        return np.broadcast_to(np.arange(width), scores.shape)
    return np.argpartition(-scores, kept - 1, axis=1)[:, :kept]
