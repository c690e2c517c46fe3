"""A head over cells in slices, one in each process.

With 32,768 cells and vectors of 1,792 numbers the layer, its gradient and Adam's two averages take
0.94 GB in float32; a process that holds one slice of N takes an N-th of that, and computes an N-th
of the logits.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sightline.errors import UsageError
from sightline.geo.partition import Partition
from sightline.models.cell_heads import CellHead, check_digest, checked_vectors, fingerprint_of


class ShardedCellHead(nn.Module):
    """Some of the classes of a :class:`CellHead`: as many as those of the others, give or take one.

    Its gradients are complete: leave it out of DistributedDataParallel. The slices of all
    processes, one after the other, are the whole head's ``linear.weight`` and ``linear.bias``
    (:func:`sightline.losses.gather_rows` gathers them).

    Args:
        head: A whole head, with the weights to start from, the same in every process.
        shard: Which slice, from 0: the process's rank.
        shards: How many there are.

    Attributes:
        first: The row of the partition that its first class is.
        classes: How many it has.

    Raises:
        UsageError: No such slice, or more slices than classes.
    """

    digest: Tensor

    def __init__(self, head: CellHead, shard: int, shards: int) -> None:
        super().__init__()
        if not 1 <= shards <= head.classes or not 0 <= shard < shards:
            raise UsageError(
                f"The {head.classes:,} classes must be cut into 1 to {head.classes:,} slices, "
                f"counted from 0. Got slice {shard} of {shards}.",
                hint="Give the rank of this process and the number of processes.",
            )
        self.dimension = head.dimension
        self.first = head.classes * shard // shards
        last = head.classes * (shard + 1) // shards
        self.classes = last - self.first
        self.whole_classes = head.classes
        self.linear = nn.Linear(
            head.dimension,
            self.classes,
            device=head.linear.weight.device,
            dtype=head.linear.weight.dtype,
        )
        with torch.no_grad():
            self.linear.weight.copy_(head.linear.weight[self.rows])
            self.linear.bias.copy_(head.linear.bias[self.rows])
        self.register_buffer("digest", head.digest.clone())

    @property
    def rows(self) -> slice:
        """Which rows of the whole head's weights these are."""
        return slice(self.first, self.first + self.classes)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the logits of its own classes.

        Args:
            vectors: (n, d) of all processes: :func:`sightline.losses.gather_for_slices`.

        Returns:
            (n, classes), in the type of the weights.

        Raises:
            UsageError: Vectors of another length.
        """
        given = checked_vectors(vectors, self.dimension).to(self.linear.weight.dtype)
        logits: Tensor = self.linear(given)
        return logits

    def require_partition(self, partition: Partition) -> None:
        """Refuse a partition that is not that of the whole head.

        Raises:
            PartitionError: Another number of cells, or other cells.
        """
        partition.require_classes(self.whole_classes, fingerprint_of(self.digest))

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *arguments: Any, **named: Any
    ) -> None:
        digest = state_dict.get(f"{prefix}digest")
        if isinstance(digest, Tensor):
            check_digest(digest, None, self.digest, self.whole_classes)
        super()._load_from_state_dict(state_dict, prefix, *arguments, **named)
