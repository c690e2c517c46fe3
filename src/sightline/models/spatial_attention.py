"""Spatial-aware feature aggregation: several learned maps of where to look.

Shi, Liu, Yu and Li, *Spatial-Aware Feature Aggregation for Image based Cross-View Geo-Localization*
(SAFA, NeurIPS 2019), section 3.2: the position embedding modules. Its
polar transform (section 3.1) is :mod:`.polar_view`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sightline.errors import UsageError

# Of the published code: a truncated normal for weights, a constant for biases.
_WEIGHT_DEVIATION = 0.005
_BIAS = 0.1


class SpatialAttention(nn.Module):
    """Weighs the places of a feature map by s masks, each read off where the map is strong.

    A mask is made from the maximum over the channels of every place by two fully connected layers
    without activation between them, as published; the hidden one is half as wide as the map.

    Args:
        channels: c of the map.
        grid: (h, w) of the map; the layers are as wide as the map has places.
        masks: s; eight in the paper.

    Raises:
        UsageError: A map of fewer than two places, or no mask.
    """

    def __init__(self, channels: int, grid: tuple[int, int], masks: int = 8) -> None:
        super().__init__()
        places = grid[0] * grid[1]
        if places < 2 or masks < 1:
            raise UsageError(
                "Spatial attention must have a map of at least 2 places and at least 1 mask. "
                f"Got {grid[0]} x {grid[1]} places and {masks} masks.",
                hint="Use larger images or a backbone of smaller stride.",
            )
        self.channels = channels
        self.grid = grid
        self.masks = masks
        hidden = places // 2
        self.weight_in = nn.Parameter(torch.empty(masks, places, hidden))
        self.bias_in = nn.Parameter(torch.full((masks, hidden), _BIAS))
        self.weight_out = nn.Parameter(torch.empty(masks, hidden, places))
        self.bias_out = nn.Parameter(torch.full((masks, places), _BIAS))
        for weight in (self.weight_in, self.weight_out):
            # The published initialiser cuts at two deviations.
            bound = 2 * _WEIGHT_DEVIATION
            nn.init.trunc_normal_(weight, std=_WEIGHT_DEVIATION, a=-bound, b=bound)

    @property
    def dimension(self) -> int:
        """Length of a vector, s * c."""
        return self.masks * self.channels

    def attention(self, features: Tensor) -> Tensor:
        """The masks.

        Args:
            features: (n, c, h, w).

        Returns:
            (n, s, h, w), of any sign.

        Raises:
            UsageError: The map has another size than the layers.
        """
        if tuple(features.shape[2:]) != self.grid:
            raise UsageError(
                f"Spatial attention of {self.grid[0]} x {self.grid[1]} places must get such maps. "
                f"Got {features.shape[2]} x {features.shape[3]}.",
                hint="Build the network for the size of the images it gets.",
            )
        strength = features.amax(dim=1).flatten(1)
        hidden = torch.einsum("np,sph->nsh", strength, self.weight_in) + self.bias_in
        masks = torch.einsum("nsh,shp->nsp", hidden, self.weight_out) + self.bias_out
        return masks.reshape(len(features), self.masks, *self.grid)

    def forward(self, features: Tensor) -> Tensor:
        """Weigh and sum.

        Args:
            features: (n, c, h, w).

        Returns:
            (n, s * c), mask by mask.
        """
        masks = self.attention(features)
        return torch.einsum("nchw,nshw->nsc", features, masks).flatten(1)
