"""A classifier of places with what makes its vectors fit for retrieval, as one module."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from sightline.errors import BundleError
from sightline.models.cell_classifiers import CellClassifier
from sightline.models.precision import wide
from sightline.models.residual_retrieval import ResidualRetrieval


class GlobalNetwork(nn.Module):
    """Pixels in; vectors for retrieval and log-probabilities of cells out.

    Args:
        classifier: Backbone, pooling and head.
        residual: Refines the pooled vectors for retrieval; None to take them as they are.

    Raises:
        BundleError: The module is for vectors of another length.
    """

    def __init__(
        self, classifier: CellClassifier, residual: ResidualRetrieval | None = None
    ) -> None:
        super().__init__()
        if residual is not None and residual.dimension != classifier.dimension:
            raise BundleError(
                f"The Residual Retrieval Module is for vectors of {residual.dimension} numbers, "
                f"and the classifier's have {classifier.dimension}.",
                hint="Use the module that was trained on this classifier's vectors.",
            )
        self.classifier = classifier
        self.residual = residual
        self.dimension = classifier.dimension

    def forward(self, pixels: Tensor) -> Tensor:
        """Return vectors for retrieval.

        Args:
            pixels: (n, 3, height, width), uint8 or floats in [0, 1].

        Returns:
            (n, d) of unit length, in float32 at least; all zero where the backbone saw nothing.
        """
        return self.retrieval_vectors(self.classifier.vectors(pixels))

    def retrieval_vectors(self, pooled: Tensor) -> Tensor:
        """Return vectors for retrieval of the classifier's pooled vectors (n, d)."""
        refined = pooled if self.residual is None else self.residual(pooled)
        return functional.normalize(wide(refined), dim=1)

    def answers(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Return vectors for retrieval and log-probabilities of one forward pass.

        Args:
            pixels: (n, 3, height, width), uint8 or floats in [0, 1].

        Returns:
            (n, d) of :meth:`forward`; then (n, m), what the head's ``log_probabilities`` returns,
            one for each partition of a head over several.
        """
        pooled = self.classifier.vectors(pixels)
        found = self.classifier.head.log_probabilities(pooled)
        beliefs = found if isinstance(found, tuple) else (found,)
        return (self.retrieval_vectors(pooled), *beliefs)
