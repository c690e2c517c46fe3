"""From the terms of a loss to one number."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Reducer(Protocol):
    """Makes one number of the terms of one direction.

    ``terms`` is (n, m), a term for each anchor and negative, or (n,), one for each anchor, and
    ``chosen`` says, in the same shape, which of them the miner took.
    """

    def __call__(self, terms: Tensor, chosen: Tensor) -> Tensor:
        """Return a scalar; 0, with a gradient of 0, where nothing was chosen."""
        ...


def mean_of_chosen(terms: Tensor, chosen: Tensor) -> Tensor:
    """Average over all chosen terms: 1/N Σ of the papers, N the number of triplets."""
    return _chosen(terms, chosen).sum() / chosen.sum().clamp(min=1)


def mean_of_active(terms: Tensor, chosen: Tensor) -> Tensor:
    """Average over the chosen terms that are not zero, so that easy triplets do not dilute.

    Hermans, Beyer and Leibe, "In defense of the triplet loss", 2017, section 3.2.
    """
    return mean_of_chosen(terms, chosen & (terms.detach() > 0))


def mean_of_anchors(terms: Tensor, chosen: Tensor) -> Tensor:
    """Average over the anchors of the sum of each one's chosen terms; one without any counts as 0.

    With a miner that takes one negative for each anchor it is the mean over a batch as published
    code takes it, which divides by the batch and not by the triplets found.
    """
    return _chosen(terms, chosen).sum() / len(terms)


def _chosen(terms: Tensor, chosen: Tensor) -> Tensor:
    return terms.masked_fill(~chosen, 0.0)
