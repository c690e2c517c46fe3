"""Ranks counted the slow and obvious way: one score at a time, nothing clever."""

from __future__ import annotations

import numpy as np

from sightline.evaluation.retrieval.ranks import PositiveCounts, Ranks
from sightline.evaluation.retrieval.relevance import Relevance


def ranks_by_counting(
    queries: np.ndarray,
    references: np.ndarray,
    relevance: Relevance,
    *,
    distance: str = "euclidean",
    tolerance: float = 0.0,
) -> Ranks:
    """Count in float64 from the full matrix of scores.

    Args:
        queries: (n, d).
        references: (m, d).
        relevance: What is right.
        distance: ``"euclidean"``, ``"cosine"`` or ``"dot"``.
        tolerance: Scores of query q that differ by no more than this times the size of the score
            (|q| |r|, and |r|^2 / 2 more where it is part of the score) are tied.
    """
    asked = np.asarray(queries, np.float64)
    given = np.asarray(references, np.float64)
    lengths = np.array([np.sqrt((row * row).sum()) for row in given])
    if distance == "cosine":
        given = given / lengths[:, None]
        lengths = np.ones(len(given))
    # Row by row: every score is summed in the same order, so that equal vectors score the same.
    scores = np.array([(given * query).sum(axis=1) for query in asked])
    sizes = np.array([np.sqrt((query * query).sum()) * lengths for query in asked])
    if distance == "euclidean":
        # Half of |q|^2 less the squared distance.
        scores = scores - lengths**2 / 2
        sizes = sizes + lengths**2 / 2
    return ranks_of_scores(scores, relevance, tolerance * sizes, tolerance)


def ranks_of_scores(
    scores: np.ndarray,
    relevance: Relevance,
    slack: np.ndarray | float = 0.0,
    tolerance: float = 0.0,
) -> Ranks:
    """Count from scores (n, m), the larger the closer, and the slack of ties around each."""
    scores = np.asarray(scores, np.float64)
    slack = np.broadcast_to(np.asarray(slack, np.float64), scores.shape)
    n, m = scores.shape
    columns: dict[str, list[int]] = {
        name: []
        for name in (
            "candidates",
            "positives",
            "better",
            "tied",
            "positives_tied",
            "semi_better",
            "semi_tied",
        )
    }
    every: dict[str, list[int]] = {
        name: [] for name in ("member", "better", "tied", "tied_before", "group")
    }
    for query in range(n):
        row, room = scores[query].tolist(), slack[query].tolist()
        positives = relevance.positives.of(query).tolist()
        ignored = set(relevance.ignored.of(query).tolist())
        semi = set(relevance.semi_positives.of(query).tolist())
        others = [r for r in range(m) if r not in ignored and r not in positives]
        groups = tie_groups(positives, row, room)
        columns["candidates"].append(m - len(ignored))
        columns["positives"].append(len(positives))
        if not groups:
            columns["better"].append(len(others))
            columns["semi_better"].append(len(semi))
            for name in ("tied", "positives_tied", "semi_tied"):
                columns[name].append(0)
        for number, group in enumerate(groups):
            low = min(row[r] - room[r] for r in group)
            high = max(row[r] + room[r] for r in group)
            better = [r for r in others if row[r] > high]
            tied = [r for r in others if low <= row[r] <= high]
            if number == 0:
                columns["better"].append(len(better))
                columns["tied"].append(len(tied))
                columns["positives_tied"].append(len(group) - 1)
                columns["semi_better"].append(len([r for r in better if r in semi]))
                columns["semi_tied"].append(len([r for r in tied if r in semi]))
            for member in sorted(group):
                every["member"].append(member)
                every["better"].append(len(better))
                every["tied"].append(len(tied))
                every["tied_before"].append(len([r for r in tied if r < member]))
                every["group"].append(number)
    counts = {name: np.array(values, np.int64) for name, values in columns.items()}
    return Ranks(
        references=m,
        tie_tolerance=tolerance,
        every=PositiveCounts(**{k: np.array(v, np.int64) for k, v in every.items()}),
        **counts,
    )


def tie_groups(positives: list[int], row: list[float], room: list[float]) -> list[list[int]]:
    """Positives from the closest on; a group goes on while the next is tied with the one before."""
    ordered = sorted(positives, key=lambda r: (-row[r], r))
    groups: list[list[int]] = []
    for place, member in enumerate(ordered):
        if place and row[ordered[place - 1]] - row[member] <= room[ordered[place - 1]]:
            groups[-1].append(member)
        else:
            groups.append([member])
    return groups
