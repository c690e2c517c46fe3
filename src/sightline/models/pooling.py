"""From a feature map to one vector per region."""

from __future__ import annotations

import torch.nn.functional as functional
from torch import Tensor, nn

from sightline.models.settings import Layout, PoolingMethod

# Below this a cell of GeM counts as this; the paper's own guard against roots of zero.
GEM_FLOOR = 1e-6


class RegionPooling(nn.Module):
    """Pools an r x r grid of cells of one feature map.

    The map is split like ``adaptive_avg_pool2d`` splits it: cells differ by at most one row or
    column, and share one where r does not divide the map.

    Args:
        method: ``average``, ``max``, ``gem`` (Radenović, Tolias and Chum, "Fine-tuning CNN image
            retrieval with no human annotation", 2018, equation 3) or ``class`` (the class token).
        regions: r.
        exponent: p of ``gem``.
    """

    def __init__(self, method: PoolingMethod, regions: int = 1, exponent: float = 3.0) -> None:
        super().__init__()
        self.method = method
        self.regions = regions
        self.exponent = exponent

    def forward(self, features: Tensor, prefix: Tensor | None = None) -> Tensor:
        """Pool.

        Args:
            features: float32 (n, d, h, w).
            prefix: (n, t, d) tokens that stand for no place, the class token first; for ``class``.

        Returns:
            (n, r * r, d), row by row, scaled so that the mean over the cells has unit length; rows
            without any length are NaN.
        """
        cells = self._cells(features, prefix)
        length = cells.mean(dim=1, keepdim=True).norm(dim=2, keepdim=True)
        scaled: Tensor = cells / length
        return scaled

    def _cells(self, features: Tensor, prefix: Tensor | None) -> Tensor:
        if self.method == "class":
            assert prefix is not None  # noqa: S101 - the cut refuses `class` without a class token
            return prefix[:, :1]
        if self.method == "max":
            pooled = functional.adaptive_max_pool2d(features, self.regions)
        elif self.method == "gem":
            powers = features.clamp(min=GEM_FLOOR).pow(self.exponent)
            pooled = self._average(powers).pow(1.0 / self.exponent)
        else:
            pooled = self._average(features)
        return pooled.flatten(2).transpose(1, 2)

    def _average(self, features: Tensor) -> Tensor:
        return functional.adaptive_avg_pool2d(features, self.regions)


def to_grid(
    features: Tensor, layout: Layout, prefix_tokens: int, grid: tuple[int, int]
) -> tuple[Tensor, Tensor | None]:
    """Bring any feature map to (n, d, h, w).

    Args:
        features: (n, d, h, w), (n, h, w, d), (n, t + h * w, d) or (n, d), as ``layout`` says.
        layout: The order of its axes.
        prefix_tokens: t, for ``NLC``.
        grid: (h, w) of the tokens, for ``NLC``.

    Returns:
        (n, d, h, w) and the t prefix tokens (n, t, d) where there are any.
    """
    if layout == "NHWC":
        return features.permute(0, 3, 1, 2), None
    if layout == "NC":
        return features[:, :, None, None], None
    if layout == "NLC":
        places = features[:, prefix_tokens:].transpose(1, 2)
        places = places.reshape(places.shape[0], places.shape[1], *grid)
        return places, features[:, :prefix_tokens] if prefix_tokens else None
    return features, None
