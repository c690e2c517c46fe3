"""The Residual Retrieval Module: stored features, turned into features for retrieval.

Kordopatis-Zilos, Galopoulos, Papadopoulos and Kompatsiaris, *Leveraging EfficientNet and
Contrastive Learning for Accurate Global-scale Location Estimation* (ICMR 2021), section 3.3 and
figure 2.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.errors import BundleError, UsageError
from sightline.models.weights import check_state

# Names of the published module's tensors, and ours.
_PUBLISHED_NAMES = {
    "norm": "norm_in",
    "res.norm": "norm_out",
    "res.fc1": "hidden",
    "res.fc2": "output",
}


class ResidualRetrieval(nn.Module):
    """Layer norm, two fully connected layers around a ReLU, residual, layer norm, unit length.

    The residual is the normalised input, as in the published code.

    Args:
        dimension: d of the features; 1,792 for EfficientNet-B4.
        hidden: Width between the two layers.
        residual: Whether the input is added; without is the ablation of the paper's table 3.

    Raises:
        UsageError: A width below 1.
    """

    def __init__(self, dimension: int, hidden: int = 4096, *, residual: bool = True) -> None:
        super().__init__()
        if dimension < 1 or hidden < 1:
            raise UsageError(
                f"Residual retrieval must have widths of at least 1. Got {dimension} and {hidden}.",
                hint="Give the length of the stored features.",
            )
        self.dimension = dimension
        self.residual = residual
        self.norm_in = nn.LayerNorm(dimension)
        self.hidden = nn.Linear(dimension, hidden)
        self.output = nn.Linear(hidden, dimension)
        self.norm_out = nn.LayerNorm(dimension)
        for layer in (self.hidden, self.output):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Enrich.

        Args:
            features: (n, d).

        Returns:
            (n, d), each of unit length.

        Raises:
            UsageError: Features of another length.
        """
        if features.ndim != 2 or features.shape[1] != self.dimension:
            raise UsageError(
                f"Features for residual retrieval must have shape (n, {self.dimension}). "
                f"Got {tuple(features.shape)}.",
                hint="Use features of the backbone that the module was made for.",
            )
        normalised = self.norm_in(features)
        change = self.output(functional.relu(self.hidden(normalised)))
        enriched = normalised + change if self.residual else change
        return functional.normalize(self.norm_out(enriched), dim=1)


def from_published(state: Mapping[str, Tensor]) -> ResidualRetrieval:
    """A module from the weights of the published code.

    Args:
        state: Tensors under the names of ``mever-team/visloc-estimation``: ``norm``, ``res.norm``,
            ``res.fc1`` and ``res.fc2``, each with ``weight`` and ``bias``.

    Raises:
        BundleError: Other names, or shapes that do not fit each other.
    """
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        module, _, kind = name.rpartition(".")
        renamed[f"{_PUBLISHED_NAMES.get(module, module)}.{kind}"] = torch.as_tensor(tensor)
    if "hidden.weight" not in renamed or renamed["hidden.weight"].ndim != 2:
        raise BundleError(
            f"The weights must hold the matrix 'res.fc1.weight'. Got {', '.join(sorted(state))}.",
            hint="Give the state of the published retrieval module.",
        )
    hidden, dimension = renamed["hidden.weight"].shape
    module_ = ResidualRetrieval(dimension, hidden)
    check_state(module_, renamed)
    module_.load_state_dict(renamed)
    return module_
