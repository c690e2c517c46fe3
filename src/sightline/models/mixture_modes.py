"""Where a mixture of von Mises-Fisher distributions is densest.

Uphill by expectation-maximisation: x ← Σ r_k κ_k μ_k, scaled to unit length, where r_k is the share
of component k in the density at x. Each step maximises a lower bound that touches the density at x,
so that the density never falls; it is the mean shift of Carreira-Perpiñán, *Mode-finding for
mixtures of Gaussian distributions* (2000), on the sphere.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from sightline.errors import VectorError

_LOG_SPHERE = math.log(4 * math.pi)
# Below this log κ a component is uniform to the last bit.
_LEAST_LOG_CONCENTRATION = -40.0
# A thousandth of a millimetre on the Earth.
_STILL = 1e-13
_PHOTOS_AT_ONCE = 64


class Modes(NamedTuple):
    """The densest places of n mixtures.

    Attributes:
        points: float64 (n, 2), latitude first, degrees.
        log_density: float64 (n,), log of the density there, per steradian.
    """

    points: Tensor
    log_density: Tensor


@torch.no_grad()
def mixture_modes(
    log_weights: Tensor,
    log_concentrations: Tensor,
    means: Tensor,
    *,
    components: int = 256,
    starts: int = 8,
    steps: int = 500,
) -> Modes:
    """Return the densest place of each mixture.

    The climb begins at the densest of the components' means, among them always the heaviest
    component's, so that the answer is never less dense than the paper's. Where there are more than
    ``components`` of them, only those are climbed on that can add most to the density anywhere (the
    highest peaks, weighted); the density that is returned is that of all.

    Args:
        log_weights: (n, m), each row the log of weights that sum to 1.
        log_concentrations: (m,) log κ.
        means: Unit vectors (m, 3).
        components: Of each photo's mixture that are climbed on, at most.
        starts: Means from which to climb, beside the heaviest component's.
        steps: Uphill, at most.

    Raises:
        VectorError: Shapes that do not fit, or log-weights that are NaN.
    """
    count = len(means)
    fits = means.shape == (count, 3) and log_concentrations.shape == (count,)
    if log_weights.ndim != 2 or log_weights.shape[1] != count or not fits:
        raise VectorError(
            "A mixture must have log_weights (n, m), log_concentrations (m,) and means (m, 3). Got "
            f"{tuple(log_weights.shape)}, {tuple(log_concentrations.shape)} and "
            f"{tuple(means.shape)}.",
            hint="Give the outputs and the components of one mixture head.",
        )
    if bool(log_weights.isnan().any()):
        row = int(log_weights.isnan().any(dim=1).nonzero()[0])
        raise VectorError(
            f"log_weights must be numbers. Got NaN in row {row}.",
            hint="Look for a broken image in this batch.",
        )
    means = means.double()
    logs = log_concentrations.double().clamp(min=_LEAST_LOG_CONCENTRATION)
    places, densities = [means[:0]], [logs[:0]]
    for start in range(0, len(log_weights), _PHOTOS_AT_ONCE):
        part = log_weights[start : start + _PHOTOS_AT_ONCE].double()
        place, density = _densest(part, logs, means, (min(components, count), starts, steps))
        places.append(place)
        densities.append(density)
    x, y, z = torch.cat(places).unbind(dim=1)
    points = torch.stack([torch.atan2(z, torch.hypot(x, y)), torch.atan2(y, x)], dim=1)
    return Modes(points.rad2deg(), torch.cat(densities))


def _densest(
    log_weights: Tensor, logs: Tensor, means: Tensor, limits: tuple[int, int, int]
) -> tuple[Tensor, Tensor]:
    """Return unit vectors (n, 3) and log-densities (n,)."""
    components, starts, steps = limits
    # What each component adds to the density at its own mean, and nowhere more.
    peaks = log_weights + _log_peaks(logs)
    chosen = peaks.topk(components, dim=1).indices
    centres, heights, kappas = means[chosen], peaks.gather(1, chosen), logs[chosen].exp()
    at_centres = _terms(centres, centres, heights, kappas).logsumexp(dim=2)
    best = at_centres.topk(min(starts, components), dim=1).indices
    heaviest = means[log_weights.argmax(dim=1)][:, None]
    first = centres.gather(1, best[:, :, None].expand(-1, -1, 3))
    summits = _climbed(torch.cat([heaviest, first], dim=1), centres, heights, kappas, steps)
    highest = _terms(summits, centres, heights, kappas).logsumexp(dim=2).argmax(dim=1)
    summit = summits[torch.arange(len(highest), device=highest.device), highest]
    # Rounding, or what was left out of the climb, may leave a summit a hair below that mean.
    candidates = torch.stack([heaviest[:, 0], summit])
    densities = torch.stack([_log_density(one, peaks, logs, means) for one in candidates])
    density, winner = densities.max(dim=0)
    return candidates[winner, torch.arange(len(winner), device=winner.device)], density


def _climbed(
    places: Tensor, centres: Tensor, heights: Tensor, kappas: Tensor, steps: int
) -> Tensor:
    for _ in range(steps):
        shares = _terms(places, centres, heights, kappas).softmax(dim=2)
        pull = (shares * kappas[:, None]) @ centres
        length = torch.linalg.vector_norm(pull, dim=2, keepdim=True)
        # Where all pulls cancel out, or there are none, the density is flat: stay.
        moved = torch.where(length > 0, pull / length.clamp(min=1e-300), places)
        still = float((moved - places).abs().max()) < _STILL
        places = moved
        if still:
            break
    return places


def _log_density(places: Tensor, peaks: Tensor, logs: Tensor, means: Tensor) -> Tensor:
    """Return the log-density (n,) of all components at one place (n, 3) of each mixture."""
    half_chords = (1 - places @ means.T).clamp(min=0)
    return (peaks - logs.exp() * half_chords).logsumexp(dim=1)


def _terms(places: Tensor, centres: Tensor, heights: Tensor, kappas: Tensor) -> Tensor:
    """Return log w_k f_k at places (n, s, 3): (n, s, c), of components (n, c)."""
    half_chords = (1 - places @ centres.transpose(1, 2)).clamp(min=0)
    return heights[:, None] - kappas[:, None] * half_chords


def _log_peaks(logs: Tensor) -> Tensor:
    """Return log of each density at its mean, log κ / (2π (1 - e^(-2κ))), in float64."""
    log_t = logs + math.log(2)
    return log_t - torch.log(-torch.expm1(-log_t.exp())) - _LOG_SPHERE
