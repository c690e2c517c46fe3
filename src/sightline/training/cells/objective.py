"""From a recipe's words to the loss of a classifier of places."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sightline.geo.partition import Partition
from sightline.losses import (
    CellCrossEntropy,
    SampledClasses,
    SeveralCellCrossEntropies,
    mixture_log_density,
    sampled_cross_entropy,
)
from sightline.losses.cell_cross_entropy import everyones_share
from sightline.losses.mixture import unit_vectors
from sightline.models.cell_classifiers import CellClassifier
from sightline.models.mixture_head import MixtureHead
from sightline.training.cells.recipe import GlobalRecipe


class CellObjective(nn.Module):
    """The loss of a batch of photos, whichever head they are answered by.

    Args:
        recipe: Names it.
        classifier: Whose head it trains; a mixture's concentrations are the loss's parameters too.
        partitions: Those of the head.
    """

    def __init__(
        self, recipe: GlobalRecipe, classifier: CellClassifier, partitions: Sequence[Partition]
    ) -> None:
        super().__init__()
        smoothing, distance_km = recipe.label_smoothing, recipe.distance_km or None
        head = classifier.head
        self.several = len(partitions) > 1
        self.log_concentrations: nn.Parameter | None = None
        if isinstance(head, MixtureHead):
            # The same tensor as the network's, so that a loss over parts of a batch reaches it.
            self.log_concentrations = head.log_concentrations
            self.register_buffer("means", head.means, persistent=False)
        elif self.several:
            self.loss: nn.Module = SeveralCellCrossEntropies(
                partitions, label_smoothing=smoothing, distance_km=distance_km
            )
        else:
            self.loss = CellCrossEntropy(
                partitions[0], label_smoothing=smoothing, distance_km=distance_km
            )

    def forward(
        self,
        outputs: Sequence[Tensor],
        rows: Tensor,
        places: Tensor,
        sampled: SampledClasses | None = None,
    ) -> Tensor:
        """The mean loss of a batch, a scalar.

        Args:
            outputs: (n, m) logits, one for each partition.
            rows: (n, p) cell of each photo in each partition, -1 for none.
            places: (n, 2) where they were taken, degrees.
            sampled: What classes the logits are of, where they are not all.
        """
        if self.log_concentrations is not None:
            x = unit_vectors(places).to(outputs[0].device)
            density = mixture_log_density(
                outputs[0], self.log_concentrations, self.get_buffer("means"), x
            )
            # Processes may have parts of different sizes: the mean is that of all their photos.
            count = torch.tensor(len(density), device=density.device)
            return -density.sum() / everyones_share(count)
        if sampled is not None:
            return sampled_cross_entropy(outputs[0], sampled).value
        found = self.loss(
            outputs if self.several else outputs[0], rows if self.several else rows[:, 0], places
        )
        value: Tensor = found.value
        return value


class ClassifierOutputs(nn.Module):
    """A classifier as the loop calls it: a tuple comes out, and each input has a row for a photo.

    Args:
        classifier: The classifier.
        channels_last: Order of pixels in memory.
        frozen: Whether the backbone stays as it is, its batch norms too.
        on_vectors: Whether pooled vectors (n, d) are given in place of photos.
    """

    def __init__(
        self,
        classifier: CellClassifier,
        *,
        channels_last: bool,
        frozen: bool = False,
        on_vectors: bool = False,
    ) -> None:
        super().__init__()
        self.classifier = classifier
        self.on_vectors = on_vectors
        self._format = torch.channels_last if channels_last else torch.contiguous_format
        self._frozen = frozen
        classifier.to(memory_format=self._format)

    def train(self, mode: bool = True) -> ClassifierOutputs:
        """Set the mode; a frozen backbone stays in evaluation mode."""
        super().train(mode)
        if self._frozen:
            self.classifier.trunk.eval()
        return self

    def forward(self, pixels: Tensor, classes: Tensor | None = None) -> tuple[Tensor, ...]:
        """Photos (n, 3, h, w), and for each the same c classes (n, c) -> logits of each partition.

        Classes are None for all of them.
        """
        wanted = None if classes is None else classes[0]
        if self.on_vectors:
            head = self.classifier.head
            logits = head(pixels) if wanted is None else head(pixels, wanted)
        else:
            logits = self.classifier(pixels.contiguous(memory_format=self._format), wanted)
        return logits if isinstance(logits, tuple) else (logits,)
