"""A softmax whose classes are spread over processes.

Every process holds a slice of the classes and sees the vectors of all; what crosses between them
are vectors, their gradients, and three numbers for each photo: never logits or weights.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from sightline.errors import PartitionError
from sightline.geo.partition import OUTSIDE, Partition
from sightline.losses.arguments import check_finite
from sightline.losses.cell_cross_entropy import CellLoss
from sightline.losses.cell_labels import check_cell_rows, check_logits
from sightline.losses.cell_targets import CellTargets
from sightline.losses.distances import full_precision
from sightline.losses.global_batch import gather_rows


def gather_for_slices(vectors: Tensor) -> Tensor:
    """Return the vectors of all processes, in the order of their ranks, for slices of a layer.

    Unlike after :func:`~sightline.losses.gather_rows`, no process computes the whole loss: on the
    way back the gradients from all slices are added. One's own rows of the sum are multiplied by
    the number of processes, by which DistributedDataParallel divides when it averages.

    Args:
        vectors: (n, d), of the same type in every process; n may differ.

    Returns:
        (n of all together, d). Without ``torch.distributed``, or alone, ``vectors`` itself.
    """
    if not _several():
        return vectors
    gathered: Tensor = _GatherForSlices.apply(vectors)
    return gathered


class ShardedCellCrossEntropy(nn.Module):
    """:class:`~sightline.losses.CellCrossEntropy` of logits that are spread over processes.

    Every process returns the loss of all photos; gradients of its own slice are complete. Alone it
    is the plain loss.

    Args:
        partition: Of m cells.
        first: The row of the partition that this process's first class is.
        classes: How many it has.
        label_smoothing: As of :class:`~sightline.losses.CellTargets`.
        distance_km: As of :class:`~sightline.losses.CellTargets`.

    Raises:
        PartitionError: A slice that is none of the partition's rows.
        UsageError: A share or a temperature that cannot be.
    """

    def __init__(
        self,
        partition: Partition,
        first: int,
        classes: int,
        *,
        label_smoothing: float = 0.0,
        distance_km: float | None = None,
    ) -> None:
        super().__init__()
        if classes < 1 or first < 0 or first + classes > len(partition):
            raise PartitionError(
                f"A slice must be rows from 0 to {len(partition) - 1:,}. Got {classes:,} rows from "
                f"{first:,}.",
                hint="Give first and classes of this process's sharded head.",
            )
        self.targets = CellTargets(
            partition, label_smoothing=label_smoothing, distance_km=distance_km
        )
        self.own = slice(first, first + classes)

    def forward(self, logits: Tensor, rows: Tensor, places: Tensor | None = None) -> CellLoss:
        """Return the mean loss of the photos of all processes, in float32 at least.

        Args:
            logits: (n, classes) of all photos and of this process's classes.
            rows: (n,) the cells of all photos, -1 for none (:func:`~sightline.losses.gather_rows`).
            places: (n, 2) where they were taken, for distance-smoothed labels, likewise.

        Raises:
            VectorError: Logits that are none, or labels that are none.
            PartitionError: Another number of classes, a row that the partition does not have, or
                slices that together are not the partition.
            CoordinateError: Places that are none.
            UsageError: Distance-smoothed labels without places.
        """
        check_logits(logits, self.own.stop - self.own.start)
        check_cell_rows(rows, len(logits), self.targets.classes)
        check_finite(logits=logits)
        logits = full_precision(logits)
        held = _added(torch.tensor(logits.shape[1], device=logits.device))
        if int(held) != self.targets.classes:
            raise PartitionError(
                f"The processes hold {int(held):,} classes together, and the partition has "
                f"{self.targets.classes:,} cells.",
                hint="Make each process's slice with its rank and the number of processes.",
            )
        labels = self.targets(rows, places, self.own).to(logits)
        inside = (rows != OUTSIDE).to(logits.device)
        losses: Tensor = _CrossEntropyOfSlices.apply(logits, labels)
        total = losses.masked_fill(~inside, 0.0).sum()
        return CellLoss(total / inside.sum().clamp(min=1), (~inside).sum())


class _GatherForSlices(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, vectors: Tensor) -> Tensor:
        counts = gather_rows(torch.tensor([len(vectors)], device=vectors.device)).tolist()
        before = sum(counts[: dist.get_rank()])
        ctx.own = slice(before, before + len(vectors))
        return gather_rows(vectors.detach())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradients: Tensor) -> Tensor:
        own: Tensor = _added(gradients)[ctx.own] * dist.get_world_size()
        return own


class _CrossEntropyOfSlices(torch.autograd.Function):
    """log Σ_j e^(l_j) - Σ_j y_j l_j for each photo (n,), both sums over all processes' classes."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor) -> Tensor:
        largest = logits.amax(dim=1)
        if _several():
            dist.all_reduce(largest, dist.ReduceOp.MAX)
        # Less the largest in both terms, which changes nothing, as labels sum to 1, and keeps
        # digits where logits are large.
        shifted = logits - largest[:, None]
        parts = torch.stack([shifted.exp().sum(dim=1), (labels * shifted).sum(dim=1)])
        denominator, picked = _added(parts).unbind()
        ctx.save_for_backward(shifted - denominator.log()[:, None], labels)
        return denominator.log() - picked

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradients: Tensor) -> tuple[Tensor, None]:
        log_probabilities, labels = ctx.saved_tensors
        return (log_probabilities.exp() - labels) * gradients[:, None], None


def _several() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def _added(values: Tensor) -> Tensor:
    """Return the sum over processes."""
    if not _several():
        return values
    total = values.contiguous().clone()
    dist.all_reduce(total)
    return total
