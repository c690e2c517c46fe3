"""Anchors beside their positives and candidates: what miners choose from and losses are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from sightline.errors import UsageError, VectorError
from sightline.losses.arguments import check_labels, check_mask, check_rows, check_same_shape
from sightline.losses.distances import Distance, distance_matrix, prepare, row_distances
from sightline.losses.memory import MemoryRows

Views: TypeAlias = Literal["other", "both"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Distances of n anchors to their positives and to m candidates for negatives.

    Attributes:
        positive: (n,) distance of each anchor to its positive.
        negative: (n, m) distance of each anchor to each candidate.
        allowed: (n, m) whether the candidate is a negative of the anchor at all: neither its own
            positive nor of the same label.
        distance: Which distance these are.
        dimension: d of the vectors.
    """

    positive: Tensor
    negative: Tensor
    allowed: Tensor
    distance: Distance
    dimension: int

    @property
    def violation(self) -> Tensor:
        """By how much the positive is farther than each candidate (n, m): d_pos - d_neg."""
        return self.positive[:, None] - self.negative


def compare(
    anchors: Tensor, positives: Tensor, candidates: Tensor, allowed: Tensor, distance: Distance
) -> Comparison:
    """Return the distances of anchors (n, d) to positives (n, d) and to candidates (m, d)."""
    anchors, positives, candidates = (
        prepare(rows, distance) for rows in (anchors, positives, candidates)
    )
    return Comparison(
        row_distances(anchors, positives, distance),
        distance_matrix(anchors, candidates, distance),
        allowed,
        distance,
        anchors.shape[1],
    )


@dataclass(frozen=True, slots=True)
class Batch:
    """Pairs, row i of both views one place, and what is known about them.

    Attributes:
        queries: (n, d), any floating type.
        references: (n, d).
        labels: (n,) whole numbers: rows of one label are never each other's negatives. None: every
            row is a place of its own.
        neither: (n, n) truth values: query i and reference j are neither a pair nor each other's
            negative, as with patches that overlap.
        memory: Rows of earlier batches, which become candidates too.
    """

    queries: Tensor
    references: Tensor
    labels: Tensor | None = None
    neither: Tensor | None = None
    memory: MemoryRows | None = None

    def __post_init__(self) -> None:
        check_rows("queries", self.queries)
        check_rows("references", self.references)
        check_same_shape("references", self.references, "queries", self.queries)
        rows = len(self.queries)
        if self.labels is not None:
            check_labels("labels", self.labels, rows)
        if self.neither is not None:
            check_mask("neither", self.neither, (rows, rows))
        self._check_memory()
        if rows == 0 or (rows == 1 and not self._remembered):
            raise VectorError(
                f"A batch must hold at least 2 pairs, or 1 beside a memory that is not empty. "
                f"Got {rows}.",
                hint="Drop the last, short batch of an epoch: one pair has no negative.",
            )

    @property
    def _remembered(self) -> int:
        return 0 if self.memory is None else len(self.memory.labels)

    def _check_memory(self) -> None:
        if self.memory is None:
            return
        if self.labels is None:
            raise UsageError(
                "labels must be given together with a memory. Got none.",
                hint="Without them a remembered row of the same place would count as a negative.",
            )
        if len(self.memory.views) != 2 or self.memory.dimension != self.queries.shape[1]:
            raise VectorError(
                f"memory must hold 2 views of dimension {self.queries.shape[1]}. "
                f"Got {len(self.memory.views)} of dimension {self.memory.dimension}.",
                hint="Make the memory with the dimension of the embeddings.",
            )

    def comparisons(
        self, distance: Distance, *, views: Views = "other", bidirectional: bool = True
    ) -> list[Comparison]:
        """Return the distances, with queries as anchors and then with references.

        Args:
            distance: Which.
            views: Whether candidates are of the ``other`` view alone, or of ``both``: the other
                view of the batch, the anchor's own, and then the memory's likewise.
            bidirectional: Whether references are anchors too.
        """
        queries, references = prepare(self.queries, distance), prepare(self.references, distance)
        batch = (queries, references)
        device = self.queries.device
        held = self.memory.views if self.memory is not None and self._remembered else ()
        memory = [prepare(rows.to(device), distance) for rows in held]
        positive = row_distances(queries, references, distance)
        cross = distance_matrix(queries, references, distance)
        different = self._different(self.labels)
        shown = different if self.neither is None else different & ~self.neither.to(device)
        found = []
        for own in (0, 1) if bidirectional else (0,):
            blocks = [cross.T if own else cross]
            allowed = [shown.T if own else shown]
            if views == "both":
                blocks.append(distance_matrix(batch[own], batch[own], distance))
                allowed.append(different)
            for rows in (memory[::-1] if own == 0 else memory)[: 2 if views == "both" else 1]:
                blocks.append(distance_matrix(batch[own], rows, distance))
                allowed.append(self._different(self.memory.labels if self.memory else None))
            negative, mask = torch.cat(blocks, dim=1), torch.cat(allowed, dim=1)
            found.append(Comparison(positive, negative, mask, distance, batch[own].shape[1]))
        return found

    def _different(self, others: Tensor | None) -> Tensor:
        """Return which rows (n, m) are of another place than which of the others."""
        device = self.queries.device
        if self.labels is None or others is None:
            return ~torch.eye(len(self.queries), dtype=torch.bool, device=device)
        return self.labels.to(device)[:, None] != others.to(device)
