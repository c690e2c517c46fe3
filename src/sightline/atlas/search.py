"""One search: candidates by global vectors, exact or approximate, then their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.atlas.accelerator import Accelerator, Effort, bitmap
from sightline.atlas.arrays import widen
from sightline.atlas.calibration import Calibration
from sightline.atlas.exact import Rows, among, exact_top, positions, rank, size
from sightline.atlas.matches import Matches, SearchMode, SearchWay
from sightline.atlas.references import References
from sightline.atlas.rerank import (
    POOL_REACH,
    combined_score,
    pool_places,
    regional_similarity,
    squared_gaps,
)
from sightline.atlas.segment import Segment
from sightline.atlas.structure import MeasuredStructure
from sightline.models.whitening import Whitening

EXACT_ROWS = 262_144
"""A part of an atlas up to this size is scanned exactly; it takes about 40 milliseconds."""

_QUERIES_AT_ONCE = 64
# Beyond this many rows that must not be returned, looking for so many more costs more than
# the exact scan.
_MOST_EXCLUDED = 2000
# Where thousands of references stand at one place, some hundreds tell its mean as well.
_MOST_NEIGHBOURS = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What to look for; see :meth:`sightline.atlas.Atlas.search`.

    Attributes:
        k: References per query.
        mode: How to find candidates.
        rows: Per segment the only positions to consider; all if None.
        always_exact: Whatever the mode says, scan.
        rerank: How many candidates to order by regional vectors; 0 for none.
        pool_m: Radius of place pooling in metres; 0 for none.
        excluded: Per query, per segment, ascending positions not to return; nothing if None.
        structure: What chooses the candidates where the mode is its kind.
    """

    k: int
    mode: SearchWay = "auto"
    rows: tuple[Rows, ...] | None = None
    always_exact: bool = False
    rerank: int = 20
    pool_m: float = 15.0
    excluded: Sequence[Sequence[NDArray[np.int64]]] | None = None
    structure: MeasuredStructure | None = None

    def part(self, start: int, stop: int) -> Request:
        """Return the request for some of the queries."""
        if self.excluded is None:
            return self
        return replace(self, excluded=self.excluded[start:stop])


@dataclass(frozen=True, slots=True, eq=False)
class Searcher:
    """Everything a search reads. Threads may share it.

    Attributes:
        references: The rows.
        whitening: Applied to queries.
        accelerator: Of the first segment, or None.
        calibration: Measured efforts of the accelerator, or None.
        exact_rows: Parts of the atlas up to this size are scanned exactly.
    """

    references: References
    whitening: Whitening
    accelerator: Accelerator | None = None
    calibration: Calibration | None = None
    exact_rows: int = EXACT_ROWS

    def search(self, vectors: NDArray[np.float32], request: Request) -> Matches:
        """Answer ``vectors`` float32 (q, r², d), raw and checked."""
        parts = []
        for start in range(0, max(len(vectors), 1), _QUERIES_AT_ONCE):
            stop = start + _QUERIES_AT_ONCE
            parts.append(self._answer(vectors[start:stop], request.part(start, stop)))
        return parts[0] if len(parts) == 1 else _joined(parts)

    def _answer(self, vectors: NDArray[np.float32], request: Request) -> Matches:
        queries, regional = self._whitened(vectors, request)
        depth = min(max(request.k, request.rerank), max(self.references.count, 1))
        way = self._way(depth, request)
        places, scores = self._candidates(queries, depth, request, way)
        order = [
            self._ordered(
                queries[row],
                None if regional is None else regional[row],
                places[row],
                scores[row],
                request,
                row,
            )
            for row in range(len(queries))
        ]
        return self._matches(order, request.k, *_said(way, depth))

    def _whitened(
        self, vectors: NDArray[np.float32], request: Request
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Global vectors (q, k) of ``vectors`` (q, r², d), and the regional ones if wanted."""
        mean = vectors.mean(axis=1)
        if not request.rerank or self.references.segments[0].regions is None:
            return self.whitening.apply(mean), None
        # Together, so that the projection goes through the processor's cache once.
        both = self.whitening.apply(np.concatenate([mean[:, None], vectors], axis=1))
        return np.ascontiguousarray(both[:, 0]), both[:, 1:]

    def _way(self, depth: int, request: Request) -> Effort | MeasuredStructure | None:
        """How to ask the accelerator, a structure to ask instead, or None to scan."""
        if request.always_exact or request.mode == "exact":
            return None
        filtered = False
        if request.rows is not None:
            filtered = size(request.rows[0]) < len(self.references.segments[0])
            if filtered and size(request.rows[0]) <= self.exact_rows:
                return None
        hidden = _hidden(request)
        if hidden > _MOST_EXCLUDED:
            return None
        if request.structure is not None:
            # It knows nothing of places: rows outside would use up what it reaches.
            unseen = filtered or len(self.references.removed[0]) > _MOST_EXCLUDED
            return None if unseen else request.structure
        if self.calibration is None:
            return None
        return self.calibration.effort(depth + hidden, filtered=filtered)

    def _candidates(
        self,
        queries: NDArray[np.float32],
        depth: int,
        request: Request,
        way: Effort | MeasuredStructure | None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Places int64 (q, c), -1 for none, and cosines float64 (q, c), best first."""
        offsets = self.references.offsets
        places, scores = [], []
        for number, segment in enumerate(self.references.segments):
            rows = None if request.rows is None else request.rows[number]
            excluded = _per_query(request, number, self.references.removed[number], len(queries))
            if number == 0 and isinstance(way, MeasuredStructure):
                found, cosines = _structured(way, segment, queries, depth, excluded)
            elif number == 0 and isinstance(way, Effort) and self.accelerator is not None:
                found, cosines = self._approximate(
                    self.accelerator, queries, depth, rows, excluded, way
                )
            else:
                found, cosines = exact_top(segment, queries, depth, rows=rows, excluded=excluded)
            places.append(np.where(found >= 0, found + offsets[number], -1))
            scores.append(cosines)
        return np.concatenate(places, axis=1), np.concatenate(scores, axis=1)

    def _approximate(
        self,
        accelerator: Accelerator,
        queries: NDArray[np.float32],
        depth: int,
        rows: Rows | None,
        excluded: Sequence[NDArray[np.int64]] | None,
        effort: Effort,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        segment, removed = self.references.segments[0], self.references.removed[0]
        allowed = None
        if rows is not None and size(rows) < len(segment):
            allowed = bitmap(positions(rows), len(segment))
        elif len(removed):
            # Were they only dropped afterwards, they would push others out unseen.
            allowed = ~bitmap(removed, len(segment))
        proposed = accelerator.propose(
            queries, effort.candidates, lists=effort.lists, allowed=allowed
        )
        if excluded is not None:
            for row, hidden in enumerate(excluded):
                proposed[row, np.isin(proposed[row], hidden)] = -1
        return rank(segment, queries, proposed, depth)

    def _ordered(
        self,
        query: NDArray[np.float32],
        regional: NDArray[np.float32] | None,
        places: NDArray[np.int64],
        cosines: NDArray[np.float64],
        request: Request,
        row: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Order one query's candidates: places (c,) and scores (c,), best first, c at most k."""
        real = places >= 0
        places, scores = places[real], cosines[real]
        ids = self.references.column("ids", places)
        first = np.lexsort((ids, -scores))[: max(request.k, request.rerank)]
        places, scores, ids = places[first], scores[first], ids[first]
        if regional is not None:
            scores = self._with_regions(regional, places, scores)
        if request.pool_m > 0 and len(places):
            scores = self._pooled(query, regional, places, scores, request, row)
        order = np.lexsort((ids, -scores))[: request.k]
        return places[order], scores[order]

    def _with_regions(
        self,
        regional: NDArray[np.float32],
        places: NDArray[np.int64],
        cosines: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        cells = widen(self.references.column("regions", places))
        return combined_score(cosines, regional_similarity(regional, cells))

    def _pooled(
        self,
        query: NDArray[np.float32],
        regional: NDArray[np.float32] | None,
        places: NDArray[np.int64],
        scores: NDArray[np.float64],
        request: Request,
        row: int,
    ) -> NDArray[np.float64]:
        """Pool the scores of candidates with those of all that may be returned around them."""
        coordinates = self.references.column("coordinates", places)
        others = self._neighbours(coordinates, request, row)
        # What is scored already is not scored again. (isin would sort, which takes longer.)
        others = others[~(others[:, None] == places).any(axis=1)]
        where = np.concatenate([coordinates, self.references.column("coordinates", others)])
        gaps = squared_gaps(coordinates, where, request.pool_m)
        # A score costs more than a distance, and half of them came along for nothing.
        heard = np.any(gaps <= POOL_REACH**2, axis=0)
        others = others[heard[len(places) :]]
        found = widen(self.references.column("vectors", others)) @ query
        other_scores = found.astype(np.float64)
        if regional is not None:
            other_scores = self._with_regions(regional, others, other_scores)
        return pool_places(scores, np.concatenate([scores, other_scores]), gaps[:, heard])

    def _neighbours(
        self, coordinates: NDArray[np.float64], request: Request, row: int
    ) -> NDArray[np.int64]:
        """Ascending places around the candidates, at most ``_MOST_NEIGHBOURS`` evenly chosen."""
        offsets = self.references.offsets
        parts = []
        around: Sequence[NDArray[np.int64]]
        if request.rows is not None and sum(map(size, request.rows)) <= _MOST_NEIGHBOURS:
            # Of a small cell all rows are compared sooner than those around are looked up.
            around = [positions(rows) for rows in request.rows]
        else:
            around = self.references.around(coordinates, POOL_REACH * request.pool_m)
        for number, rows in enumerate(around):
            kept = rows
            if request.rows is not None:
                kept = kept[among(kept, request.rows[number])]
            if request.excluded is not None:
                kept = kept[~among(kept, request.excluded[row][number])]
            parts.append(kept + offsets[number])
        places = np.concatenate(parts)
        return places[:: max(1, -(-len(places) // _MOST_NEIGHBOURS))]

    def _matches(
        self,
        found: list[tuple[NDArray[np.int64], NDArray[np.float64]]],
        k: int,
        mode: SearchMode,
        recall: float | None,
    ) -> Matches:
        q = len(found)
        matches = Matches(
            ids=np.full((q, k), -1, np.int64),
            scores=np.full((q, k), np.nan, np.float32),
            coordinates=np.full((q, k, 2), np.nan),
            uris=np.full((q, k), None, np.object_),
            views=np.full((q, k), -1, np.int16),
            headings=np.full((q, k), np.nan, np.float32),
            mode=mode,
            recall_estimate=recall,
        )
        for row, (places, scores) in enumerate(found):
            n = len(places)
            matches.ids[row, :n] = self.references.column("ids", places)
            matches.scores[row, :n] = np.clip(scores, -1.0, 1.0)
            matches.coordinates[row, :n] = self.references.column("coordinates", places)
            matches.uris[row, :n] = self.references.uris(places)
            matches.views[row, :n] = self.references.column("views", places)
            matches.headings[row, :n] = self.references.column("headings", places)
        return matches


def _structured(
    way: MeasuredStructure,
    segment: Segment,
    queries: NDArray[np.float32],
    depth: int,
    excluded: Sequence[NDArray[np.int64]] | None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Positions and cosines of the best rows that a tree or hash tables lead to."""
    hidden = 0 if excluded is None else max(map(len, excluded), default=0)
    chosen = way.structure.candidates(queries, depth + hidden).positions
    if excluded is not None:
        for row, struck in enumerate(excluded):
            chosen[row, np.isin(chosen[row], struck)] = -1
    return rank(segment, queries, chosen, depth)


def _said(way: Effort | MeasuredStructure | None, depth: int) -> tuple[SearchMode, float | None]:
    """What a search says of itself: how it was made and the recall to expect."""
    if way is None:
        return "exact", 1.0
    if isinstance(way, MeasuredStructure):
        return way.structure.kind, way.recall(depth)
    return "approximate", way.recall


def _hidden(request: Request) -> int:
    """The most rows of the first segment that one query must not see."""
    if request.excluded is None:
        return 0
    return max((len(of_query[0]) for of_query in request.excluded), default=0)


def _per_query(
    request: Request, number: int, removed: NDArray[np.int64], queries: int
) -> Sequence[NDArray[np.int64]] | None:
    """Per query the ascending positions of one segment that must not be returned."""
    if request.excluded is None:
        return [removed] * queries if len(removed) else None
    return [np.union1d(of_query[number], removed) for of_query in request.excluded]


def _joined(parts: list[Matches]) -> Matches:
    names = ("ids", "scores", "coordinates", "uris", "views", "headings")
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(p, name) for p in parts]) for name in names
    }
    return replace(parts[0], **arrays)
