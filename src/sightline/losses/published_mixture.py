"""Two losses of published code that have inputs of their own, for comparison only."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from sightline.losses.arguments import check_rows

# visloc's floor: the most that a photo can cost is -log2(1e-9), 29.897 bits, without any gradient.
VISLOC_FLOOR = 1e-9


class VislocMixture(NamedTuple):
    """What visloc's module computes of a batch.

    Attributes:
        loss: Mean of -log2(density), bits, a scalar.
        density: (n,) per steradian, the floor included.
        places: (n, 2) predictions: the mean of the component of the largest weight, degrees.
    """

    loss: Tensor
    density: Tensor
    places: Tensor


def visloc_mixture_loss(
    logits: Tensor, kappas: Tensor, means_degrees: Tensor, places_degrees: Tensor
) -> VislocMixture:
    """Return visloc's mixture of von Mises-Fisher, with its floor and in base 2.

    mever-team/visloc-estimation, src/modules.py: VectorizedMixtureVMF, MVMFModule. The floor stands
    inside the logarithm, so that a photo far from all components has a gradient of zero; with
    visloc's start, κ = e^16, nearly every one is.

    Args:
        logits: (n, N).
        kappas: (N,) κ in float64: exp(parameter + 16) in visloc.
        means_degrees: (N, 2) latitude first; a parameter in visloc.
        places_degrees: (n, 2) where the photos were taken.
    """
    check_rows("logits", logits)
    weights = torch.softmax(logits, dim=1)
    cosines = _unit(places_degrees) @ _unit(means_degrees).T
    peaks = kappas / (2 * math.pi * (1 - torch.exp(-2 * kappas)))
    density = VISLOC_FLOOR + (weights * peaks * torch.exp(kappas * (cosines - 1))).sum(dim=1)
    heaviest = weights.argmax(dim=1)
    return VislocMixture(-torch.log2(density).mean(), density, means_degrees[heaviest])


def geoclip_loss(images: Tensor, places: Tensor, scale: float) -> Tensor:
    """Return GeoCLIP's contrastive loss, from images to places alone.

    VicenteVivan/geo-clip, geoclip/train/train.py. Nothing is masked: a place in the queue that is
    the image's own counts as a negative.

    Args:
        images: (n, d).
        places: (n + k, d), the batch's own first, then the queue's.
        scale: 1/τ.
    """
    check_rows("images", images)
    check_rows("places", places)
    logits = scale * torch.nn.functional.normalize(images) @ torch.nn.functional.normalize(places).T
    return torch.nn.functional.cross_entropy(logits, torch.arange(len(images)).to(images.device))


def _unit(degrees: Tensor) -> Tensor:
    latitude, longitude = torch.deg2rad(degrees).unbind(dim=1)
    flat = latitude.cos()
    return torch.stack([flat * longitude.cos(), flat * longitude.sin(), latitude.sin()], dim=1)
