"""NetVLAD: soft assignment of local features to clusters, and what is left of them there.

Arandjelović, Gronat, Torii, Pajdla and Sivic, *NetVLAD: CNN architecture for weakly supervised
place recognition* (CVPR 2016), equations 1 to 4.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.errors import DependencyError, UsageError, VectorError
from sightline.models.precision import wide, without_autocast

# Of the largest to the second largest assignment, on average, at the start (their appendix A).
ASSIGNMENT_RATIO = 100.0

_ROWS_AT_ONCE = 16_384


class NetVLAD(nn.Module):
    """Aggregates a feature map into one vector of clusters * channels.

    Args:
        channels: c of the map.
        clusters: k.
        normalise_input: Whether every local feature is scaled to unit length first.
        bias: Whether the assignment has a bias, as equation 4 has; the paper's own code has none.

    Raises:
        UsageError: Fewer than two clusters.
    """

    def __init__(
        self,
        channels: int,
        clusters: int = 64,
        *,
        normalise_input: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if clusters < 2:
            raise UsageError(
                f"NetVLAD must have at least 2 clusters. Got {clusters}.",
                hint="64 are usual.",
            )
        self.channels = channels
        self.clusters = clusters
        self.normalise_input = normalise_input
        self.assignment = nn.Conv2d(channels, clusters, kernel_size=1, bias=bias)
        self.centroids = nn.Parameter(torch.empty(clusters, channels).uniform_(0, 1))

    @property
    def dimension(self) -> int:
        """Length of a vector, k * c."""
        return self.clusters * self.channels

    def forward(self, features: Tensor) -> Tensor:
        """Aggregate.

        Args:
            features: (n, c, h, w).

        Returns:
            (n, k * c) in float32 at least, cluster by cluster, each of unit length before the whole
            is: equation 4 with intra-normalisation. The start's weights are large, and half
            precision would blur the assignment.
        """
        with without_autocast(features):
            return self._aggregate(wide(features))

    def _aggregate(self, features: Tensor) -> Tensor:
        if self.normalise_input:
            features = functional.normalize(features, dim=1)
        weight, bias = self.assignment.weight.to(features.dtype), self.assignment.bias
        logits = functional.conv2d(
            features, weight, None if bias is None else bias.to(features.dtype)
        )
        shares = logits.flatten(2).softmax(dim=1)
        places = features.flatten(2)
        # The sum of residuals, without a residual for each of k * h * w pairs in memory.
        sums = torch.einsum("nkp,ncp->nkc", shares, places)
        residuals = sums - shares.sum(dim=2)[..., None] * self.centroids.to(features.dtype)
        within = functional.normalize(residuals, dim=2)
        return functional.normalize(within.flatten(1), dim=1)

    @torch.no_grad()
    def initialise(self, local_features: Tensor, *, seed: int = 0) -> float:
        """Start from k-means, so that the layer begins as a nearly hard VLAD.

        Centroids are the k-means centres. The assignment is proportional to
        exp(-alpha * squared distance) (equation 2), by weights 2 alpha c and bias ``-alpha |c|²``
        (equation 4). Alpha makes the largest assignment :data:`ASSIGNMENT_RATIO` times the second
        largest in the geometric mean: ln(100) over the mean difference between the squared
        distances to the nearest and the second nearest centre. Without a bias the centres are
        scaled to unit length in the assignment, and its differences are those of inner products, as
        in the paper's own code.

        Args:
            local_features: (m, c), from :func:`sample_local_features`.
            seed: Of k-means.

        Returns:
            Alpha.

        Raises:
            UsageError: Fewer features than clusters, or of other channels.
            VectorError: Values that are not finite, or fewer distinct features than clusters.
            DependencyError: scikit-learn is not installed.
        """
        self._check_local(local_features)
        given = local_features.detach().float().cpu()
        if self.normalise_input:
            given = functional.normalize(given, dim=1)
        centres = _cluster(given, self.clusters, seed)
        return self.initialise_from(centres, given)

    @torch.no_grad()
    def initialise_from(self, centres: Tensor, local_features: Tensor) -> float:
        """Start from given centres.

        Args:
            centres: (k, c).
            local_features: (m, c), normalised if the layer normalises.

        Returns:
            Alpha, as :meth:`initialise` defines it.

        Raises:
            VectorError: No local feature is nearer to one centre than to another.
        """
        centres, given = centres.double().cpu(), local_features.double().cpu()
        directions = functional.normalize(centres, dim=1)
        gaps = []
        for part in torch.split(given, _ROWS_AT_ONCE):
            if self.assignment.bias is None:
                two = (part @ directions.T).topk(2, dim=1).values
                gaps.append(two[:, 0] - two[:, 1])
            else:
                two = torch.cdist(part, centres).square().topk(2, dim=1, largest=False).values
                gaps.append(two[:, 1] - two[:, 0])
        gap = float(torch.cat(gaps).mean())
        if not gap > 0:
            raise VectorError(
                "The local features lie as far from one centre as from another: no assignment can "
                f"tell them apart. Got a mean difference of {gap}.",
                hint="Sample local features of many images, from a network that is not collapsed.",
            )
        alpha = math.log(ASSIGNMENT_RATIO) / gap
        weight = alpha * (directions if self.assignment.bias is None else 2 * centres)
        self.assignment.weight.copy_(weight[:, :, None, None])
        if self.assignment.bias is not None:
            self.assignment.bias.copy_(-alpha * centres.square().sum(dim=1))
        self.centroids.copy_(centres)
        return alpha

    def _check_local(self, local_features: Tensor) -> None:
        if local_features.ndim != 2 or local_features.shape[1] != self.channels:
            raise UsageError(
                f"Local features must have shape (m, {self.channels}). "
                f"Got {tuple(local_features.shape)}.",
                hint="Sample them with sample_local_features from the same network.",
            )
        if len(local_features) < self.clusters:
            raise UsageError(
                f"There must be at least as many local features as clusters, {self.clusters}. "
                f"Got {len(local_features)}.",
                hint="Sample more images.",
            )
        if not bool(torch.isfinite(local_features).all()):
            raise VectorError(
                "Local features must be finite. Got NaN or infinity.",
                hint="Check the network's weights.",
            )


def sample_local_features(
    maps: Iterable[Tensor], *, per_image: int = 100, limit: int = 50_000, seed: int = 0
) -> Tensor:
    """Draw local features of many images, without replacement.

    Args:
        maps: Feature maps (n, c, h, w), batch by batch; read until the limit is reached.
        per_image: At most so many places of one image.
        limit: At most so many altogether.
        seed: Of the draw.

    Returns:
        float32 (m, c) on the CPU.

    Raises:
        UsageError: No maps.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn: list[Tensor] = []
    count = 0
    for features in maps:
        places = features.detach().float().cpu().flatten(2).transpose(1, 2)
        for image in places:
            chosen = torch.randperm(len(image), generator=generator)[:per_image]
            drawn.append(image[chosen])
            count += len(chosen)
        if count >= limit:
            break
    if not count:
        raise UsageError(
            "There must be feature maps to sample local features from. Got none.",
            hint="Give batches of the training images.",
        )
    return torch.cat(drawn)[:limit]


def _cluster(local_features: Tensor, clusters: int, seed: int) -> Tensor:
    """k-means centres (k, c)."""
    try:
        from sklearn.cluster import KMeans  # type: ignore[import-untyped]
        from sklearn.exceptions import (  # type: ignore[import-untyped]
            ConvergenceWarning,
        )
    except ImportError as cause:
        raise DependencyError(
            "The start of NetVLAD needs scikit-learn, which is not installed.",
            hint="Install it with `pip install 'sightline[train]'`.",
        ) from cause
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            fitted = KMeans(clusters, n_init=1, random_state=seed).fit(local_features.numpy())
        except ConvergenceWarning as cause:
            raise VectorError(
                f"The local features must fall into {clusters} clusters. Got fewer distinct ones.",
                hint="Sample more images, or use fewer clusters.",
            ) from cause
    return torch.from_numpy(fitted.cluster_centers_)
