"""What a published function counts on one input, before it writes it down its way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sightline.evaluation.conventions.published import PublishedFunction
from sightline.evaluation.retrieval.ranks import PositiveCounts, Ranks

Order: TypeAlias = Literal["descending", "ascending"]

_NEVER_FOUND = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a function has counted, before it is written down its way.

    Attributes:
        function: Its row in the table.
        queries: n.
        references: m.
        places: int64 (n,), the rank of each query; a huge one where it has no positive.
        hits: Per recall that it reports, and for the hit rate, how many queries it counts.
        average_precision: Of all queries, in float64, summed one by one; 0 if it is none of its.
    """

    function: PublishedFunction
    queries: int
    references: int
    places: NDArray[np.int64]
    hits: dict[str, int]
    average_precision: float

    def written(self, metric: str) -> float:
        """The share in the function's unit, rounded where and as it rounds."""
        if self.function.unit == "percent in float32":
            single = np.float32(self.hits[metric]) / np.float32(self.queries)
            return float(single * np.float32(100))
        share = self.hits[metric] / self.queries
        return share * 100 if self.function.unit == "percent" else share

    def shares(self) -> dict[str, float]:
        """All that it reports, under our names, shares of 1 in float64."""
        numbers = {metric: hits / self.queries for metric, hits in self.hits.items()}
        if "map" in self.function.metrics:
            numbers["map"] = self.average_precision / self.queries
        if "mean_rank" in self.function.metrics:
            numbers["mean_rank"] = float(np.mean(self.places))
            numbers["median_rank"] = float(np.median(self.places))
        return numbers

    @property
    def skipped(self) -> int:
        """Queries that no positive stands for."""
        return int((self.places == _NEVER_FOUND).sum())


def count(function: PublishedFunction, ranks: Ranks, order: Order) -> Outcome:
    """Count what ``function`` counts.

    Args:
        function: What counts as found.
        ranks: One positive per query; any number, and ``every``, for functions that sort.
        order: By reference number, how ties stand in the functions that sort.
    """
    precision = 0.0
    if function.comparison == "sorted" and ranks.every is not None:
        owners, rows, numbers = _sorted_rows(ranks, ranks.every, order)
        places = np.full(ranks.queries, _NEVER_FOUND)
        first = numbers == 0
        places[owners[first]] = rows[first] + 1
        precision = _summed_precision(ranks, owners, rows, numbers)
    else:
        places = 1 + ranks.better + (ranks.tied if function.comparison == "inclusive" else 0)
    hits = {
        metric: int((places <= function.last_rank(metric, ranks.references)).sum())
        for metric in function.reported(ranks.references)
        if metric.startswith("recall@")
    }
    if function.semi_positives:
        hits["hit_rate"] = int((ranks.better == ranks.semi_better).sum())
    return Outcome(function, ranks.queries, ranks.references, places, hits, precision)


def _sorted_rows(
    ranks: Ranks, every: PositiveCounts, order: Order
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Where the positives stand in the sorted gallery without junk.

    Returns:
        Over all positives, query by query, by place: the query (total,), the row from 0 (total,),
        and the number of the positive within its query from 0 (total,).
    """
    owners = np.repeat(np.arange(ranks.queries), ranks.positives)
    sign = 1 if order == "ascending" else -1
    before = every.tied_before if order == "ascending" else every.tied - every.tied_before
    arranged = np.lexsort((sign * every.member, every.group, owners))
    starts = np.cumsum(ranks.positives) - ranks.positives
    numbers = np.arange(len(owners)) - starts[owners]
    return owners, (every.better + before)[arranged] + numbers, numbers


def _summed_precision(
    ranks: Ranks,
    owners: NDArray[np.int64],
    rows: NDArray[np.int64],
    numbers: NDArray[np.int64],
) -> float:
    """Sum of the trapezoids below each query's precision-recall curve, as they are summed there.

    Every operation, and the order of every sum, is that of ``compute_mAP``: the last bit counts.
    """
    precision = (numbers + 1) / (rows + 1)
    earlier = np.where(rows != 0, numbers / np.maximum(rows, 1), 1.0)
    width = 1.0 / ranks.positives[owners]
    terms = width * (earlier + precision) / 2
    # bincount and cumsum add one by one; numpy's sum adds in pairs.
    per_query = np.bincount(owners, weights=terms, minlength=ranks.queries)
    return float(np.cumsum(per_query)[-1])
