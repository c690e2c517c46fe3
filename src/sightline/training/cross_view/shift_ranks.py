"""Ranks of photos of unknown heading: each patch counts as it fits best."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.evaluation import Ranks, Relevance
from sightline.evaluation.retrieval.relevance import Lists
from sightline.models.region_shifts import best_shifts

Counts = NDArray[np.int64]

TIE_TOLERANCE = 2e-6
"""Scores, mean cosines in float32, that differ by no more are tied: a few units of rounding."""

_QUERIES_AT_ONCE = 256


def shift_ranks(ground: Tensor, aerial: Tensor, relevance: Relevance) -> Ranks:
    """Rank patches by their best shift, ties counted.

    Args:
        ground: (n, r, c), photos' regions.
        aerial: (m, p, r, c), patches' regions under p turns.
        relevance: What is right.

    Raises:
        UsageError: The shapes do not fit.
        VectorError: A value is not finite.
    """
    queries = relevance.queries
    better, tied = np.zeros(queries, np.int64), np.zeros(queries, np.int64)
    semi_better, semi_tied = better.copy(), better.copy()
    beside = better.copy()
    for start in range(0, queries, _QUERIES_AT_ONCE):
        part = range(start, min(start + _QUERIES_AT_ONCE, queries))
        scores = best_shifts(ground[part.start : part.stop], aerial)[0].cpu().numpy()
        for own, query in zip(scores, part, strict=True):
            positives = relevance.positives.of(query)
            others = np.ones(relevance.references, bool)
            others[positives] = False
            others[relevance.ignored.of(query)] = False
            if not len(positives):
                better[query] = int(others.sum())
                continue
            excess = own - own[positives].max()
            above, level = excess > TIE_TOLERANCE, np.abs(excess) <= TIE_TOLERANCE
            better[query], tied[query] = (
                int((above & others).sum()),
                int((level & others).sum()),
            )
            beside[query] = int(level[positives].sum()) - 1
            semi = relevance.semi_positives.of(query)
            semi_better[query], semi_tied[query] = (
                int(above[semi].sum()),
                int(level[semi].sum()),
            )
    members = relevance.positives.members
    return Ranks(
        references=relevance.references,
        candidates=relevance.references - relevance.ignored.lengths,
        positives=relevance.positives.lengths,
        better=better,
        tied=tied,
        positives_tied=beside,
        semi_better=semi_better,
        semi_tied=semi_tied,
        tie_tolerance=TIE_TOLERANCE,
        distinct=len(np.unique(members)) == len(members),
    )


def relevance_of(pairs: Counts, semi: Counts, photos: Counts, gallery: Counts) -> Relevance:
    """What is right, from pairs of image numbers.

    Args:
        pairs: (k, 2) photo and patch that belong together.
        semi: (j, 2) photo and patch that shows it off centre.
        photos: (n,) ascending: the queries.
        gallery: (m,) ascending: the references; pairs with others are left out.
    """

    def lists(rows: Counts) -> Lists:
        kept = rows[np.isin(rows[:, 0], photos) & np.isin(rows[:, 1], gallery)]
        return Lists.of_pairs(
            np.searchsorted(photos, kept[:, 0]),
            np.searchsorted(gallery, kept[:, 1]),
            len(photos),
        )

    positives = lists(pairs)
    return Relevance(
        references=len(gallery),
        positives=positives,
        semi_positives=lists(semi).without(positives),
        ignored=Lists.empty(len(photos)),
    )


def as_regions(vectors: Tensor, regions: int) -> Tensor:
    """Vectors (n, d) as regions (n, r, c) on the processor, in float32."""
    given = torch.as_tensor(vectors, dtype=torch.float32, device="cpu")
    return given.reshape(len(given), regions, -1)
