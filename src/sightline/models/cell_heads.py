"""From a pooled vector to the cells of partitions: one head, several at once, or a hierarchy.

Calling a head gives **logits**, what losses take; ``log_probabilities`` gives what
:mod:`sightline.locating` takes. A head keeps the fingerprint of its partition among its weights, so
that neither they nor their outputs can be used with other cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.errors import PartitionError, UsageError
from sightline.geo.partition import Hierarchy, Partition
from sightline.models.precision import wide


class CellHead(nn.Module):
    """One fully connected layer over the cells of one partition.

    Weyand, Kostrikov and Philbin, *PlaNet* (2016); Kordopatis-Zilos et al., *Leveraging
    EfficientNet and Contrastive Learning* (2021), section 3.2.1; Vo, Jacobs and Hays, *Revisiting
    IM2GPS* (2017), figure 3.

    Args:
        dimension: d of the pooled vectors.
        partition: Of m cells.

    Attributes:
        digest: uint8 (32,), the partition's fingerprint.

    Raises:
        UsageError: A dimension below 1.
    """

    digest: Tensor

    def __init__(self, dimension: int, partition: Partition) -> None:
        super().__init__()
        if dimension < 1:
            raise UsageError(
                f"A head must have vectors of at least 1 number. Got a dimension of {dimension}.",
                hint="Give the channels of the backbone's last map.",
            )
        self.dimension = dimension
        self.classes = len(partition)
        self.linear = nn.Linear(dimension, self.classes)
        self.register_buffer("digest", partition_digest(partition))

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the partition that it was made for."""
        return fingerprint_of(self.digest)

    def forward(self, vectors: Tensor, classes: Tensor | None = None) -> Tensor:
        """Return logits.

        Args:
            vectors: (n, d), any floating type.
            classes: (c,) rows of the partition, to compute no others: see
                :func:`sightline.losses.sampled_classes.sample_classes`.

        Returns:
            (n, m), or (n, c), in the type of the weights.

        Raises:
            UsageError: Vectors of another length.
        """
        given = checked_vectors(vectors, self.dimension).to(self.linear.weight.dtype)
        if classes is None:
            logits: Tensor = self.linear(given)
            return logits
        return functional.linear(given, self.linear.weight[classes], self.linear.bias[classes])

    def log_probabilities(self, vectors: Tensor) -> Tensor:
        """Return the log-probability of every cell, (n, m), in float32 at least.

        Args:
            vectors: (n, d).
        """
        return wide(self(vectors)).log_softmax(dim=1)

    def require_partition(self, partition: Partition) -> None:
        """Refuse a partition that is not the head's own.

        Raises:
            PartitionError: Another number of cells, or other cells.
        """
        partition.require_classes(self.classes, self.fingerprint)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *arguments: Any, **named: Any
    ) -> None:
        digest = state_dict.get(f"{prefix}digest")
        if isinstance(digest, Tensor):
            check_digest(
                digest, state_dict.get(f"{prefix}linear.weight"), self.digest, self.classes
            )
        super()._load_from_state_dict(state_dict, prefix, *arguments, **named)


class _SeveralHeads(nn.Module):
    """Heads over the same vectors, one for each partition."""

    def __init__(self, dimension: int, partitions: Sequence[Partition]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(CellHead(dimension, partition) for partition in partitions)
        self.dimension = dimension

    def __len__(self) -> int:
        """Return the number of partitions."""
        return len(self.heads)

    def __getitem__(self, number: int) -> CellHead:
        """Return one head, to be used alone."""
        head = self.heads[number]
        assert isinstance(head, CellHead)  # noqa: S101 - nothing else was put there
        return head

    def __iter__(self) -> Iterator[CellHead]:
        return (self[number] for number in range(len(self)))

    def forward(self, vectors: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of each partition.

        Args:
            vectors: (n, d), any floating type.

        Returns:
            One (n, cells) for each partition, in their order.

        Raises:
            UsageError: Vectors of another length.
        """
        return tuple(head(vectors) for head in self)


class MultiHead(_SeveralHeads):
    """Several partitions at once, each of which answers for itself.

    Vo, Jacobs and Hays, *Revisiting IM2GPS* (2017), section 3.1, model M: six of them.

    Args:
        dimension: d of the pooled vectors.
        partitions: Two or more.

    Raises:
        PartitionError: Fewer than two, or one of them twice.
        UsageError: A dimension below 1.
    """

    def __init__(self, dimension: int, partitions: Sequence[Partition]) -> None:
        if len(partitions) < 2:
            raise PartitionError(
                f"A head over several partitions must have two or more. Got {len(partitions)}.",
                hint="Use CellHead for one.",
            )
        prints = [partition.fingerprint for partition in partitions]
        for number, fingerprint in enumerate(prints):
            if fingerprint in prints[:number]:
                raise PartitionError(
                    f"The partitions of a head must differ. Partition {number} is the same as "
                    f"partition {prints.index(fingerprint)}: {fingerprint[:12]}.",
                    hint="Leave one of the two out.",
                )
        super().__init__(dimension, partitions)

    def log_probabilities(self, vectors: Tensor) -> tuple[Tensor, ...]:
        """Return the log-probabilities of each partition's cells.

        Args:
            vectors: (n, d).

        Returns:
            One (n, cells) for each partition, in float32 at least; ``head[i].log_probabilities``
            computes one alone.
        """
        return tuple(head.log_probabilities(vectors) for head in self)

    def require_partitions(self, partitions: Sequence[Partition]) -> None:
        """Refuse partitions that are not the head's own, in its order.

        Raises:
            PartitionError: Another number of them, or other cells.
        """
        if len(partitions) != len(self):
            raise PartitionError(
                f"The head is over {len(self)} partitions. Got {len(partitions)}.",
                hint="Use the partitions that it was trained on.",
            )
        for head, partition in zip(self, partitions, strict=True):
            head.require_partition(partition)


class HierarchicalHead(_SeveralHeads):
    """One head for each granularity, whose product answers in the finest cells.

    Kordopatis-Zilos et al. (2021), section 3.2.2, after Müller-Budack, Pustu-Iren and Ewerth,
    *Geolocation Estimation of Photos Using a Hierarchical Model* (2018): three of them. Each is
    trained by itself; the product is
    :meth:`sightline.geo.partition.Hierarchy.combine`, with gradients and on any device.

    Args:
        dimension: d of the pooled vectors.
        hierarchy: Partitions from coarse to fine.

    Raises:
        UsageError: A dimension below 1.
    """

    def __init__(self, dimension: int, hierarchy: Hierarchy) -> None:
        super().__init__(dimension, hierarchy.partitions)
        for number, rows in enumerate(hierarchy.ancestors):
            # The partitions, whose fingerprints are stored, say which they are.
            self.register_buffer(f"ancestors{number}", torch.as_tensor(rows), persistent=False)

    def log_probabilities(self, vectors: Tensor) -> Tensor:
        """Return log of the product of each finest cell's probability with its ancestors'.

        Args:
            vectors: (n, d).

        Returns:
            (n, m), in float32 at least, brought back to sum to 1.
        """
        *coarse, finest = (head.log_probabilities(vectors) for head in self)
        product: Tensor = finest
        for number, part in enumerate(coarse):
            product = product + part[:, self.get_buffer(f"ancestors{number}")]
        return product.log_softmax(dim=1)

    def require_partition(self, partition: Partition) -> None:
        """Refuse a partition that is not the finest one.

        Raises:
            PartitionError: Another number of cells, or other cells.
        """
        self[-1].require_partition(partition)


def partition_digest(partition: Partition) -> Tensor:
    """Return a partition's fingerprint as a tensor, uint8 (32,), to be stored among weights."""
    return torch.tensor(list(bytes.fromhex(partition.fingerprint)), dtype=torch.uint8)


def fingerprint_of(digest: Tensor) -> str:
    """Return the fingerprint that :func:`partition_digest` made a tensor of."""
    return bytes(digest.tolist()).hex()


def check_digest(theirs: Tensor, weight: object, own: Tensor, classes: int) -> None:
    """Refuse weights of another partition, before their shapes are compared.

    Raises:
        PartitionError: Naming both partitions.
    """
    if torch.equal(theirs.cpu(), own.cpu()):
        return
    cells = f" of {len(weight):,} cells" if isinstance(weight, Tensor) else ""
    raise PartitionError(
        f"The weights are of a classifier for the partition {fingerprint_of(theirs)[:12]}{cells}, "
        f"and this head is for {fingerprint_of(own)[:12]} of {classes:,}.",
        hint="Build the head with the partition that the classifier was trained on.",
    )


def checked_vectors(vectors: Tensor, dimension: int) -> Tensor:
    """Return vectors (n, d), or say that they are none.

    Raises:
        UsageError: Another shape, or no floating-point numbers.
    """
    if vectors.ndim != 2 or vectors.shape[1] != dimension or not vectors.is_floating_point():
        kind = str(vectors.dtype).removeprefix("torch.")
        raise UsageError(
            f"A head over cells must get floating-point vectors of shape (n, {dimension}). "
            f"Got {kind} of shape {tuple(vectors.shape)}.",
            hint="Pool the backbone's map first, and use the backbone that the head was made for.",
        )
    return vectors
