"""A head that answers with a density on the Earth: a mixture of von Mises-Fisher distributions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from sightline.errors import PartitionError, VectorError
from sightline.geo.coordinates import FloatArray, as_coordinates, unit_vectors
from sightline.geo.partition import OUTSIDE, Partition
from sightline.models.cell_heads import CellHead
from sightline.models.mixture_modes import Modes, mixture_modes

# As losses.VonMisesFisherMixtureLoss starts: sigma is e^-5 rad, 43 km. visloc starts at 16, 2 km.
_LOG_CONCENTRATION = 10.0


class MixtureHead(nn.Module):
    """One component for each cell, with its representative as mean; a photo chooses the weights.

    Kordopatis-Zilos et al., *Leveraging EfficientNet and Contrastive Learning* (2021), section
    3.2.3, equation 2, after Izbicki, Papalexakis and Tsotras (2019). Means are fixed, as in the
    text; concentrations are learned and do not depend on the photo. Its loss is
    :func:`sightline.losses.mixture_log_density` of its logits, ``log_concentrations`` and
    ``means``.

    Args:
        dimension: d of the pooled vectors.
        partition: Of m cells.
        log_concentrations: (m,) where log κ starts, or one number for all. Those that fit the
            cells' members are :func:`sightline.losses.fitted_log_concentrations` of
            :func:`scatter_of_members`.

    Attributes:
        weights: The head that gives the mixture's weights.
        means: Unit vectors (m, 3), float64.

    Raises:
        UsageError: A dimension below 1.
        VectorError: Another number of concentrations than of cells.
    """

    means: Tensor

    def __init__(
        self,
        dimension: int,
        partition: Partition,
        log_concentrations: Tensor | float = _LOG_CONCENTRATION,
    ) -> None:
        super().__init__()
        start = torch.as_tensor(log_concentrations, dtype=torch.float32)
        if start.ndim and start.shape != (len(partition),):
            raise VectorError(
                f"log_concentrations must be one number, or one for each of the "
                f"{len(partition):,} cells. Got shape {tuple(start.shape)}.",
                hint="Fit them to the members of this partition.",
            )
        self.dimension = dimension
        self.weights = CellHead(dimension, partition)
        self.log_concentrations = nn.Parameter(start.expand(len(partition)).clone())
        vectors = torch.from_numpy(unit_vectors(partition.representatives))
        # The partition, whose fingerprint is stored, says which they are.
        self.register_buffer("means", vectors, persistent=False)

    @classmethod
    def from_classifier(
        cls,
        head: CellHead,
        partition: Partition,
        log_concentrations: Tensor | float = _LOG_CONCENTRATION,
    ) -> Self:
        """Start from a classifier's layer, as section 4.2 does: its classes become the components.

        Args:
            head: A trained head.
            partition: The one that it was trained on.
            log_concentrations: As of the class.

        Raises:
            PartitionError: It was trained on another.
        """
        head.require_partition(partition)
        made = cls(head.dimension, partition, log_concentrations)
        made.weights.load_state_dict(head.state_dict())
        return made.to(head.linear.weight.device)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        # `module.bfloat16()` casts buffers too, and means in bfloat16 are tens of kilometres off.
        means = self.means
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.means = means.to(self.means.device)
        return self

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the logits of the mixture's weights.

        Args:
            vectors: (n, d), any floating type.

        Returns:
            (n, m), in the type of the weights.

        Raises:
            UsageError: Vectors of another length.
        """
        logits: Tensor = self.weights(vectors)
        return logits

    def log_probabilities(self, vectors: Tensor) -> Tensor:
        """Return the log-weight of every component, (n, m), in float32 at least.

        :func:`sightline.locating.classify` then answers as the paper does, with the mean of the
        heaviest component.

        Args:
            vectors: (n, d).
        """
        return self.weights.log_probabilities(vectors)

    def modes(self, vectors: Tensor) -> Modes:
        """Return the place where each photo's density is highest, and how high.

        What the paper would choose "ideally" (section 3.2.3); see
        :func:`~sightline.models.mixture_modes.mixture_modes`.

        Args:
            vectors: (n, d).
        """
        return mixture_modes(self.log_probabilities(vectors), self.log_concentrations, self.means)

    def require_partition(self, partition: Partition) -> None:
        """Refuse a partition that is not the head's own.

        Raises:
            PartitionError: Another number of cells, or other cells.
        """
        self.weights.require_partition(partition)


def scatter_of_members(partition: Partition, coordinates: ArrayLike) -> FloatArray:
    """Return how far the members of each cell lie from its representative, as 1 - cos, on average.

    Every cell is given one more member of the scatter of all together, so that a cell of one photo
    does not start as a needle, nor one of none as nothing.

    Args:
        partition: Of m cells.
        coordinates: (n, 2) degrees of training photos; those in no cell count nowhere.

    Returns:
        float64 (m,), for :func:`sightline.losses.fitted_log_concentrations`.

    Raises:
        CoordinateError: A place is out of range.
        PartitionError: No place is in any cell.
    """
    places = as_coordinates(coordinates)
    rows = partition.assign(places)
    inside = rows != OUTSIDE
    if not inside.any():
        raise PartitionError(
            f"None of {len(places):,} places lies in a cell of the partition "
            f"{partition.fingerprint[:12]}.",
            hint="Give the places that the partition was made of.",
        )
    rows = rows[inside]
    apart = unit_vectors(places[inside]) - unit_vectors(partition.representatives)[rows]
    # Squares of differences: 1 - cos by subtraction loses everything below 100 m.
    half_chords = np.square(apart).sum(axis=1) / 2.0
    sums = np.bincount(rows, half_chords, minlength=len(partition))
    counts = np.bincount(rows, minlength=len(partition))
    return np.asarray((sums + half_chords.mean()) / (counts + 1))
