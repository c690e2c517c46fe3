"""The losses as their equations stand in the papers, one number at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

Vector = Sequence[float]


def dot(a: Vector, b: Vector) -> float:
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def distance(a: Vector, b: Vector, name: str) -> float:
    if name == "cosine":
        return 1 - dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))
    if name == "dot":
        return 2 - 2 * dot(a, b)
    squares = math.fsum((x - y) ** 2 for x, y in zip(a, b, strict=True))
    return squares if name == "squared_euclidean" else math.sqrt(squares)


@dataclass
class Case:
    """A batch and a memory as lists, and which candidates are negatives, by their definition."""

    queries: np.ndarray
    references: np.ndarray
    labels: np.ndarray
    neither: np.ndarray
    old_queries: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    old_references: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    old_labels: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))

    def directions(self, views: str) -> list[list[tuple[Vector, Vector, list[Vector]]]]:
        """For both directions, for each anchor: itself, its positive, its negatives."""
        found = []
        for forward in (True, False):
            own, other = (
                (self.queries, self.references) if forward else (self.references, self.queries)
            )
            old_own, old_other = self.old_queries, self.old_references
            if not forward:
                old_own, old_other = old_other, old_own
            anchors = []
            for i in range(len(own)):
                negatives = []
                for j in range(len(own)):
                    if self.labels[i] == self.labels[j]:
                        continue
                    hidden = self.neither[i, j] if forward else self.neither[j, i]
                    if not hidden:
                        negatives.append(other[j])
                    if views == "both":
                        negatives.append(own[j])
                for j in range(len(self.old_labels)):
                    if self.old_labels[j] != self.labels[i]:
                        negatives.append(old_other[j])
                        if views == "both":
                            negatives.append(old_own[j])
                anchors.append((own[i], other[i], negatives))
            found.append(anchors)
        return found


def per_triplet(
    case: Case, term: Callable[[float], float], name: str, views: str = "other"
) -> float:
    """The mean over all triplets of a function of d_pos - d_neg, then over both directions."""
    means = []
    for anchors in case.directions(views):
        terms = [
            term(distance(a, p, name) - distance(a, n, name))
            for a, p, negatives in anchors
            for n in negatives
        ]
        means.append(math.fsum(terms) / len(terms))
    return sum(means) / 2


def per_anchor(
    case: Case, scale: float, name: str, views: str = "other", smoothing: float = 0.0
) -> float:
    """Cross-entropy of the positive among itself and the negatives, from plain exponentials."""
    means = []
    for anchors in case.directions(views):
        terms = []
        for a, p, negatives in anchors:
            logits = [-scale * distance(a, x, name) for x in (p, *negatives)]
            total = math.fsum(math.exp(logit) for logit in logits)
            logs = [math.log(math.exp(logit) / total) for logit in logits]
            share = smoothing / len(logits)
            terms.append(-(1 - smoothing) * logs[0] - share * math.fsum(logs))
        means.append(math.fsum(terms) / len(terms))
    return sum(means) / 2


def contrastive(case: Case, margin: float, name: str) -> float:
    means = []
    for anchors in case.directions("other"):
        pulls = [distance(a, p, name) ** 2 for a, p, _ in anchors]
        pushes = [max(0.0, margin - distance(a, n, name)) ** 2 for a, _, ns in anchors for n in ns]
        means.append((sum(pulls) / len(pulls) + sum(pushes) / len(pushes)) / 2)
    return sum(means) / 2
