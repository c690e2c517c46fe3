"""Which negatives a loss is made of, inside the batch and across a memory.

A miner is given the distances of a :class:`~sightline.losses.comparison.Comparison` and returns
which candidates are taken (n, m). It never takes one that is not allowed, and no gradient passes
through the choice. A memory's rows stand among the candidates, so every miner mines across it.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor

from sightline.errors import UsageError
from sightline.losses.arguments import positive_count, positive_number
from sightline.losses.comparison import Comparison
from sightline.losses.distances import as_euclidean


class Miner(Protocol):
    """Chooses negatives."""

    def __call__(self, comparison: Comparison) -> Tensor:
        """Return truth values (n, m), False wherever ``comparison.allowed`` is."""
        ...


def all_negatives(comparison: Comparison) -> Tensor:
    """Take every negative of the batch and the memory (Vo and Hays, 2016, "exhaustive")."""
    return comparison.allowed


class HardestNegatives:
    """Takes each anchor's ``count`` nearest negatives (batch-hard for a count of 1).

    Hermans, Beyer and Leibe, "In defense of the triplet loss", 2017, equation 5.

    Args:
        count: How many for each anchor; an anchor with fewer gives all it has.
    """

    def __init__(self, count: int = 1) -> None:
        self.count = positive_count("count", count)

    @torch.no_grad()
    def __call__(self, comparison: Comparison) -> Tensor:
        """Return truth values (n, m)."""
        return _nearest(comparison.negative, comparison.allowed, self.count)


class HardestShare:
    """Takes the hardest share of all triplets of a direction, whichever anchors they are of.

    GeoDTR+'s curriculum (Zhang et al., "GeoDTR+: toward generic cross-view geolocalization via
    geometric disentanglement", 2024): the largest int(share * triplets) of d_pos - d_neg.

    Args:
        share: Above 0 and up to 1.
    """

    def __init__(self, share: float) -> None:
        if not 0 < share <= 1:
            raise UsageError(
                f"share must be above 0 and at most 1. Got {share!r}.", hint="1 takes all of them."
            )
        self.share = float(share)

    @torch.no_grad()
    def __call__(self, comparison: Comparison) -> Tensor:
        """Return truth values (n, m)."""
        allowed = comparison.allowed
        count = int(self.share * int(allowed.sum()))
        hardness = comparison.violation.masked_fill(~allowed, -math.inf).flatten()
        chosen = torch.zeros_like(allowed).flatten()
        chosen[hardness.topk(count).indices] = True
        return chosen.view_as(allowed) & allowed


class SemiHardNegatives:
    """Takes the negatives that are no nearer than the positive, but by less than the margin.

    Debnath, "Proportional Search Space Reduction", section 1.2: "the distance of the negative to
    the anchor is not less than the positive to the anchor, however the difference is still less
    than the margin": d(a,p) <= d(a,n) < d(a,p) + margin. (The formula beside these words writes
    d(a,n) < d(a,p); the words and figure 1, and Schroff et al., FaceNet, 2015, equation 4, stand.)
    An equal distance counts, so that a collapsed batch still costs the whole margin; the code that
    was published with the text compares strictly, and finds a collapse free of charge.

    Args:
        margin: In the units of the loss's distance.
        nearest: Take only the nearest of them for each anchor, as FaceNet does.
    """

    def __init__(self, margin: float = 0.5, *, nearest: bool = False) -> None:
        self.margin = positive_number("margin", margin)
        self.nearest = nearest

    @torch.no_grad()
    def __call__(self, comparison: Comparison) -> Tensor:
        """Return truth values (n, m); an anchor may have none."""
        excess = -comparison.violation
        chosen = comparison.allowed & (excess >= 0) & (excess < self.margin)
        return _nearest(comparison.negative, chosen, 1) if self.nearest else chosen


class DistanceWeightedNegatives:
    """Draws negatives so that their distances are spread evenly.

    Wu, Manmatha, Smola and Krähenbühl, "Sampling matters in deep embedding learning", 2017,
    section 4 and equation 3: on the unit sphere of dimension d, distances of random points have the
    density q(D) ~ D^(d-2) (1 - D²/4)^((d-3)/2); a negative is drawn with a probability in
    proportion to min(λ, 1/q(D)). As in the authors' code the cap λ is set by a distance: below
    ``shortest`` all weigh alike; and those beyond ``longest``, which cost nothing, are not drawn
    while there are others.

    Args:
        count: How many different ones for each anchor.
        shortest: Euclidean distance of unit vectors.
        longest: Likewise, above ``shortest`` and below 2.
        generator: The source of randomness, on the device of the distances.
    """

    def __init__(
        self,
        count: int = 1,
        *,
        shortest: float = 0.5,
        longest: float = 1.4,
        generator: torch.Generator | None = None,
    ) -> None:
        self.count = positive_count("count", count)
        if not 0 < shortest < longest < 2:
            raise UsageError(
                f"shortest and longest must be 0 < shortest < longest < 2. "
                f"Got {shortest!r} and {longest!r}.",
                hint="They are Euclidean distances of unit vectors.",
            )
        self.shortest = shortest
        self.longest = longest
        self.generator = generator

    @torch.no_grad()
    def __call__(self, comparison: Comparison) -> Tensor:
        """Return truth values (n, m)."""
        logarithms = self.log_weights(comparison)
        # The largest of log w + Gumbel noise are a draw without replacement in proportion to w;
        # unlike weights, their logarithms do not underflow in 512 dimensions.
        uniform = torch.rand(
            logarithms.shape,
            generator=self.generator,
            device=logarithms.device,
            dtype=logarithms.dtype,
        )
        smallest = torch.finfo(logarithms.dtype).tiny
        noise = -(-uniform.clamp(min=smallest).log()).clamp(min=smallest).log()
        return _nearest(-(logarithms + noise), comparison.allowed, self.count)

    def log_weights(self, comparison: Comparison) -> Tensor:
        """Return log w (n, m) up to a constant, -inf where not allowed."""
        apart = as_euclidean(comparison.negative.detach(), comparison.distance)
        clipped = apart.clamp(self.shortest, self.longest)
        dimension = comparison.dimension
        logarithms = -(dimension - 2) * clipped.log()
        logarithms -= (dimension - 3) / 2 * torch.log1p(-clipped.square() / 4)
        # So much less likely that it only happens to anchors that have no others.
        logarithms -= 1e4 * (apart > self.longest)
        return logarithms.masked_fill(~comparison.allowed, -math.inf)


def _nearest(values: Tensor, allowed: Tensor, count: int) -> Tensor:
    """Return which are among each row's ``count`` smallest allowed values."""
    places = values.masked_fill(~allowed, math.inf)
    nearest = places.topk(min(count, values.shape[1]), dim=1, largest=False).indices
    return torch.zeros_like(allowed).scatter_(1, nearest, True) & allowed
