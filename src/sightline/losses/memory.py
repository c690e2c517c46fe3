"""Rows of earlier batches, kept as further negatives."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sightline.errors import VectorError
from sightline.losses.arguments import (
    check_finite,
    check_labels,
    check_rows,
    check_same_shape,
    positive_count,
)


@dataclass(frozen=True, slots=True)
class MemoryRows:
    """What a memory holds.

    Attributes:
        views: One tensor (k, d) for each view; row i of all views is one place.
        labels: (k,) the place or cell of each row.
    """

    views: tuple[Tensor, ...]
    labels: Tensor

    @property
    def dimension(self) -> int:
        """The d of the vectors."""
        return self.views[0].shape[1]


class CrossBatchMemory(nn.Module):
    """A ring of the latest rows with their labels, without gradients.

    Wang, Zhang, Huang and Scott, "Cross-batch memory for embedding learning", 2020, section 3.2;
    Kordopatis-Zilos et al., "Leveraging EfficientNet and contrastive learning", 2021, section
    3.3.2 (4,096 vectors, which is a ``capacity`` of 2,048 pairs). A loss that is given the memory's
    rows leaves those out, anchor by anchor, that have the anchor's label: they are of its own
    place or cell, and no negatives.

    Use it before the batch is enqueued: ``loss(q, r, labels=y, memory=memory.rows())``, then
    ``memory.enqueue(q, r, labels=y)``. Where several processes train together, enqueue what
    :func:`~sightline.losses.global_batch.gather_rows` returns: every process then holds the same
    rows, those of all. Its contents are part of ``state_dict``: a run that resumes has them.

    Args:
        capacity: How many rows of each view.
        dimension: d of the vectors.
        views: How many vectors each row has: 2 for pairs.
        dtype: What vectors are kept as.
    """

    vectors: Tensor
    labels: Tensor
    written: Tensor

    def __init__(
        self, capacity: int, dimension: int, *, views: int = 2, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        self.capacity = positive_count("capacity", capacity)
        shape = (positive_count("views", views), capacity, positive_count("dimension", dimension))
        self.register_buffer("vectors", torch.zeros(shape, dtype=dtype))
        self.register_buffer("labels", torch.zeros(capacity, dtype=torch.int64))
        self.register_buffer("written", torch.zeros((), dtype=torch.int64))

    def __len__(self) -> int:
        """Return how many rows it holds, up to its capacity."""
        return min(int(self.written), self.capacity)

    @property
    def next_row(self) -> int:
        """Where the next row will be written: the oldest one's place in a full memory."""
        return int(self.written) % self.capacity

    def rows(self, *, copy: bool = True) -> MemoryRows:
        """Return what it holds, in the order of its ring.

        Args:
            copy: Later ``enqueue`` does not change the rows. Without a copy go backward before it.
        """
        held = len(self)
        vectors, labels = self.vectors[:, :held], self.labels[:held]
        if copy:
            vectors, labels = vectors.clone(), labels.clone()
        return MemoryRows(tuple(vectors.unbind(0)), labels)

    @torch.no_grad()
    def enqueue(self, *views: Tensor, labels: Tensor) -> None:
        """Write rows over the oldest ones.

        Args:
            views: As many tensors (n, d) as the memory has views; of more rows than the capacity
                the last ones stay.
            labels: (n,) whole numbers.

        Raises:
            VectorError: Another number of views, another shape, or numbers that are not finite.
        """
        self._check(views, labels)
        rows = torch.stack([view.to(self.vectors) for view in views])
        first = max(0, rows.shape[1] - self.capacity)
        slots = torch.arange(first, rows.shape[1], device=rows.device) + self.written
        slots %= self.capacity
        self.vectors[:, slots] = rows[:, first:]
        self.labels[slots] = labels[first:].to(self.labels)
        self.written += rows.shape[1]

    def _check(self, views: tuple[Tensor, ...], labels: Tensor) -> None:
        count, _, dimension = self.vectors.shape
        if len(views) != count:
            raise VectorError(
                f"enqueue must be given {count} views. Got {len(views)}.",
                hint="Give one tensor for each view that the memory was made with.",
            )
        for number, view in enumerate(views):
            check_rows(f"view {number}", view)
            check_same_shape(f"view {number}", view, "view 0", views[0])
        if views[0].shape[1] != dimension:
            raise VectorError(
                f"Rows must have the memory's dimension {dimension}. Got {views[0].shape[1]}.",
                hint="Make the memory with the dimension of the embeddings.",
            )
        check_labels("labels", labels, len(views[0]))
        check_finite(**{f"view {number}": view for number, view in enumerate(views)})
