"""A classifier whose head is spread over the processes, as the loop trains it, and its loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from sightline.geo.partition import Partition
from sightline.losses import (
    SampledClasses,
    ShardedCellCrossEntropy,
    gather_for_slices,
    gather_rows,
)
from sightline.models.cell_classifiers import CellClassifier
from sightline.models.cell_heads import CellHead
from sightline.models.sharded_head import ShardedCellHead
from sightline.training.cells.objective import ClassifierOutputs
from sightline.training.cells.recipe import GlobalRecipe
from sightline.training.loops.processes import Processes
from sightline.training.loops.slices import whole_state


class ShardedClassifier(nn.Module):
    """A classifier of which this process holds a slice of the head.

    Its weights have the names of the whole one's.

    Args:
        classifier: The whole one with a head over one partition, the same in every process;
            backbone and pooling are shared with it.
        processes: All that hold a slice.

    Raises:
        UsageError: More processes than cells.
    """

    def __init__(self, classifier: CellClassifier, processes: Processes) -> None:
        super().__init__()
        self.trunk, self.pooling = classifier.trunk, classifier.pooling
        head = cast("CellHead", classifier.head)
        self.head = ShardedCellHead(head, processes.rank, processes.count)

    def vectors(self, pixels: Tensor) -> Tensor:
        """Photos (n, 3, h, w) -> pooled vectors (n, d), for the loss."""
        features, _ = self.trunk(pixels)
        pooled: Tensor = self.pooling(features)
        return pooled

    def whole(self, partition: Partition) -> CellClassifier:
        """The classifier with its whole head, to be asked; all processes must call this together.

        Backbone and pooling are shared with it.

        Args:
            partition: That of the head.
        """
        with torch.random.fork_rng(devices=[]):
            head = CellHead(self.head.dimension, partition)
        head.load_state_dict(whole_state(self.head))
        return CellClassifier(
            self.trunk, self.pooling, head.to(self.head.linear.weight.device)
        ).eval()


class ShardedOutputs(ClassifierOutputs):
    """As :class:`ClassifierOutputs`, but pooled vectors come out: the loss asks the slices.

    Args:
        classifier: Is trained in place.
        channels_last: Order of pixels in memory.
        frozen: Whether the backbone stays as it is, its batch norms too.
        on_vectors: Whether pooled vectors (n, d) are given in place of photos.
    """

    def __init__(
        self, classifier: ShardedClassifier, *, channels_last: bool, frozen: bool, on_vectors: bool
    ) -> None:
        # Under the same name, so that its weights have the names that they have elsewhere.
        super().__init__(
            cast("CellClassifier", classifier),
            channels_last=channels_last,
            frozen=frozen,
            on_vectors=on_vectors,
        )

    def whole(self, partition: Partition) -> CellClassifier:
        """See :meth:`ShardedClassifier.whole`."""
        return cast("ShardedClassifier", self.classifier).whole(partition)

    def forward(self, pixels: Tensor, classes: Tensor | None = None) -> tuple[Tensor, ...]:  # noqa: ARG002
        """Photos (n, 3, h, w) -> (n, d); there are no sampled classes."""
        if self.on_vectors:
            return (pixels,)
        return (self.classifier.vectors(pixels.contiguous(memory_format=self._format)),)


class ShardedObjective(nn.Module):
    """The loss of a batch of all processes, of which each computes the logits of its own cells.

    Logits are computed in float32, whatever the precision of the backbone.

    Args:
        recipe: Names it.
        head: This process's slice.
        partition: That of the whole head.
    """

    def __init__(self, recipe: GlobalRecipe, head: ShardedCellHead, partition: Partition) -> None:
        super().__init__()
        self.loss = ShardedCellCrossEntropy(
            partition,
            head.first,
            head.classes,
            label_smoothing=recipe.label_smoothing,
            distance_km=recipe.distance_km or None,
        )
        # In a tuple, which registers nothing: the head is the network's, and decays with it.
        self._head = (head,)

    def forward(
        self,
        outputs: Sequence[Tensor],
        rows: Tensor,
        places: Tensor,
        sampled: SampledClasses | None = None,  # noqa: ARG002
    ) -> Tensor:
        """The mean loss of the batch, a scalar, the same in every process.

        Args:
            outputs: (n, d) pooled vectors of this process's photos.
            rows: (n, 1) cell of each, -1 for none.
            places: (n, 2) where they were taken, degrees.
            sampled: None.
        """
        (vectors,) = outputs
        logits = self._head[0](gather_for_slices(vectors))
        known = None
        if self.loss.targets.distance_km is not None:
            known = gather_rows(places.to(vectors.device))
        value: Tensor = self.loss(logits, gather_rows(rows[:, 0]), known).value
        return value
