"""Cross entropy over the cells of a partition, with plain, smoothed or distance-smoothed labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional

from sightline.errors import PartitionError, VectorError
from sightline.geo.partition import OUTSIDE, Partition
from sightline.losses.arguments import check_finite
from sightline.losses.cell_labels import check_cell_rows, check_logits
from sightline.losses.cell_targets import CellTargets
from sightline.losses.distances import full_precision


class CellLoss(NamedTuple):
    """What a batch costs.

    Attributes:
        value: A scalar, nats for each photo that lies in a cell; 0, with a gradient of 0, where
            none does.
        outside: int64, how many photos of this batch lie in no cell and were left out: a scalar,
            or (p,) for p partitions.
    """

    value: Tensor
    outside: Tensor


class CellCrossEntropy(nn.Module):
    """Cross entropy between a photo's label and a classifier's probabilities over cells.

    Photos in no cell are left out, and counted. Where several processes train together the mean is
    that of all their photos: gradients that DistributedDataParallel averages are those of one
    process with the whole batch, also where one of them has more photos outside. All processes
    must then call it alike.

    Args:
        partition: Of m cells.
        label_smoothing: As of :class:`~sightline.losses.CellTargets`.
        distance_km: As of :class:`~sightline.losses.CellTargets`.

    Raises:
        UsageError: A share or a temperature that cannot be.
    """

    def __init__(
        self,
        partition: Partition,
        *,
        label_smoothing: float = 0.0,
        distance_km: float | None = None,
    ) -> None:
        super().__init__()
        self.targets = CellTargets(
            partition, label_smoothing=label_smoothing, distance_km=distance_km
        )

    def forward(self, logits: Tensor, rows: Tensor, places: Tensor | None = None) -> CellLoss:
        """Return the mean loss of a batch, in float32 at least.

        Args:
            logits: (n, m), any floating type; log-probabilities are logits too.
            rows: (n,) the photos' cells, -1 for none.
            places: (n, 2) where they were taken, latitude first, in degrees; needed for
                distance-smoothed labels.

        Raises:
            VectorError: Logits that are none, or labels that are none.
            PartitionError: Another number of classes, or a row that the partition does not have.
            CoordinateError: Places that are none.
            UsageError: Distance-smoothed labels without places.
        """
        check_logits(logits, self.targets.classes)
        check_cell_rows(rows, len(logits), self.targets.classes)
        check_finite(logits=logits)
        logits = full_precision(logits)
        rows = rows.to(logits.device)
        inside = rows != OUTSIDE
        if self.targets.distance_km is None:
            total = functional.cross_entropy(
                logits,
                rows,
                ignore_index=OUTSIDE,
                reduction="sum",
                label_smoothing=self.targets.label_smoothing,
            )
        else:
            labels = self.targets(rows, places).to(logits)
            total = -(labels * logits.log_softmax(dim=1)).sum()
        return CellLoss(total / everyones_share(inside.sum()), (~inside).sum())


class SeveralCellCrossEntropies(nn.Module):
    """The average over several partitions of each one's cross entropy.

    Of HC (Kordopatis-Zilos et al., 2021, section 3.2.2: "the average of the cross-entropy loss of
    each head") and of M (*Revisiting IM2GPS*, 2017, section 3.1, which does not weight its six
    losses). A photo that the finer cells do not hold still trains the coarser ones.

    Args:
        partitions: p of them, in the order of the heads.
        label_smoothing: As of :class:`~sightline.losses.CellTargets`.
        distance_km: As of :class:`~sightline.losses.CellTargets`.

    Raises:
        PartitionError: None.
        UsageError: A share or a temperature that cannot be.
    """

    def __init__(
        self,
        partitions: Sequence[Partition],
        *,
        label_smoothing: float = 0.0,
        distance_km: float | None = None,
    ) -> None:
        super().__init__()
        if not partitions:
            raise PartitionError(
                "A loss over partitions must have at least one. Got none.",
                hint="Give those of the head.",
            )
        self.losses = nn.ModuleList(
            CellCrossEntropy(one, label_smoothing=label_smoothing, distance_km=distance_km)
            for one in partitions
        )

    def forward(
        self, logits: Sequence[Tensor], rows: Tensor, places: Tensor | None = None
    ) -> CellLoss:
        """Return the mean loss of a batch.

        Args:
            logits: One (n, cells) for each partition.
            rows: (n, p) the photos' cell in each partition, -1 for none.
            places: As of :class:`CellCrossEntropy`.

        Raises:
            VectorError: Not as many logits or columns as partitions; else as
                :class:`CellCrossEntropy`.
            PartitionError: As :class:`CellCrossEntropy`.
            CoordinateError: As :class:`CellCrossEntropy`.
            UsageError: As :class:`CellCrossEntropy`.
        """
        count = len(self.losses)
        if len(logits) != count or rows.ndim != 2 or rows.shape[1] != count:
            raise VectorError(
                f"There must be logits and a column of rows for each of {count} partitions. Got "
                f"{len(logits)} and rows of shape {tuple(rows.shape)}.",
                hint="Stack the labels of all partitions in the order of the heads.",
            )
        found = [
            loss(part, rows[:, number], places)
            for number, (loss, part) in enumerate(zip(self.losses, logits, strict=True))
        ]
        value = torch.stack([one.value for one in found]).mean()
        return CellLoss(value, torch.stack([one.outside for one in found]))


def everyones_share(count: Tensor) -> Tensor:
    """Return what a sum over one's own photos is divided by, so that processes' means average.

    The mean over processes of such quotients is the mean over all their photos.

    Args:
        count: Scalar, one's own photos.

    Returns:
        A scalar, at least 1 over the number of processes.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return count.clamp(min=1)
    total = count.clone()
    dist.all_reduce(total)
    return total.clamp(min=1) / dist.get_world_size()
