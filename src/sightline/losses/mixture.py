"""Mixtures of von Mises-Fisher distributions on the Earth: a density, and the loss that fits it.

The density of one component, per steradian, is κ / (4π sinh κ) e^(κ μ·x) (Izbicki, Papalexakis and
Tsotras, "Exploiting the Earth's spherical geometry to geolocate images", 2019; Kordopatis-Zilos et
al., "Leveraging EfficientNet and contrastive learning", 2021, equation 1). Computed as written it
overflows at κ = 90 in float32 and loses the place to rounding at κ = e^16, so it is computed as

    log f = -log 4π + log(2κ / (1 - e^(-2κ))) - κ (1 - μ·x)

whose middle term has a series at κ = 0 and whose last one is made in float64, always: in float32
1 - μ·x comes in steps of 6e-8, which κ = e^20 turns into 29 nats.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sightline.errors import CoordinateError, VectorError
from sightline.losses.arguments import check_finite, check_rows
from sightline.losses.distances import full_precision

LOG_SPHERE = math.log(4 * math.pi)
# Below this 2κ the series is exact in float64: its next term is t⁸/9676800.
SERIES_BELOW = 0.1


def unit_vectors(latlon: Tensor) -> Tensor:
    """Return unit vectors (n, 3) in float64 of places (n, 2), latitude first, in degrees.

    Raises:
        CoordinateError: Another shape, a latitude beyond 90 degrees, or not finite.
    """
    if latlon.ndim != 2 or latlon.shape[1] != 2:
        raise CoordinateError(
            f"Places must be of shape (n, 2). Got {tuple(latlon.shape)}.",
            hint="Give latitude and longitude in degrees.",
        )
    latlon = latlon.double()
    wrong = ~latlon.isfinite().all(dim=1) | (latlon[:, 0].abs() > 90)
    if bool(wrong.any()):
        row = int(wrong.nonzero()[0])
        raise CoordinateError(
            f"Places must have latitudes from -90 to 90. Got {latlon[row].tolist()} in row {row}.",
            hint="Latitude comes first, in degrees.",
        )
    latitude, longitude = torch.deg2rad(latlon).unbind(dim=1)
    flat = latitude.cos()
    return torch.stack([flat * longitude.cos(), flat * longitude.sin(), latitude.sin()], dim=1)


def log_density(log_concentration: Tensor, half_chord: Tensor) -> Tensor:
    """Return log f, per steradian, of von Mises-Fisher distributions.

    Stable with its gradients from κ = 0 (log κ = -inf included) to κ = e^20 and beyond.

    Args:
        log_concentration: log κ, broadcast against ``half_chord``.
        half_chord: ``1 - μ·x = |μ - x|² / 2``, from 0 (at the mean) to 2 (opposite).

    Returns:
        In float32, or float64 where either is.
    """
    log_concentration = full_precision(log_concentration)
    concentration = log_concentration.exp()
    return _log_peak(log_concentration) - concentration * full_precision(half_chord)


def _log_peak(log_concentration: Tensor) -> Tensor:
    """Return log of the density at its mean: -log 4π + log(t / (1 - e^-t)), t = 2κ."""
    t = 2 * log_concentration.exp()
    small = t < SERIES_BELOW
    # Each branch is kept away from where it, or its gradient, is not finite.
    series = t.where(small, torch.zeros_like(t))
    near_zero = series / 2 - series.square() / 24 + series.pow(4) / 2880 - series.pow(6) / 181440
    log_t = log_concentration.masked_fill(small, 0.0) + math.log(2)
    elsewhere = log_t - torch.log(-torch.expm1(-log_t.exp()))
    return near_zero.where(small, elsewhere) - LOG_SPHERE


def half_chords(places: Tensor, means: Tensor) -> Tensor:
    """Return ``1 - x·μ = |x - μ|² / 2`` (n, N) in float64, of unit vectors (n, 3) and (N, 3).

    To 2e-16, which costs 1e-7 nats at κ = e^20.
    """
    one = places.new_ones((), dtype=torch.float64)
    return torch.addmm(one, places.double(), means.double().T, alpha=-1).clamp(min=0)


def mixture_log_density(
    logits: Tensor, log_concentrations: Tensor, means: Tensor, places: Tensor
) -> Tensor:
    """Return log Σ_k w_k f_k(x) (n,), per steradian, w the softmax of the logits (equation 2).

    There is no floor under the density: a photo far from every component costs κ (1 - μ·x) of the
    component that explains it best, and pulls at it.

    Args:
        logits: (n, N), any floating type.
        log_concentrations: (N,) log κ.
        means: Unit vectors (N, 3), float64 where κ is beyond e^12.
        places: Unit vectors (n, 3), likewise.

    Raises:
        VectorError: Shapes that do not fit.
    """
    check_rows("logits", logits)
    _check_shape("places", places, (len(logits), 3))
    _check_shape("means", means, (logits.shape[1], 3))
    _check_shape("log_concentrations", log_concentrations, (logits.shape[1],))
    with torch.autocast(logits.device.type, enabled=False):
        logits = full_precision(logits)
        apart = half_chords(places, means).to(logits)
        components = log_density(log_concentrations, apart)
        return (logits.log_softmax(dim=1) + components).logsumexp(dim=1)


class VonMisesFisherMixtureLoss(nn.Module):
    """-log Σ_k w_k(photo) vMF(place; μ_k, κ_k), with fixed means and learned log-concentrations.

    Kordopatis-Zilos et al., "Leveraging EfficientNet and contrastive learning", 2021, section
    3.2.3. In nats, of a density per steradian: no weight at all and κ = 0 is the uniform one and
    costs log 4π. (The published code reports bits, of a density with a floor:
    :func:`~sightline.losses.published_mixture.visloc_mixture_loss`.)

    Args:
        means: Places (N, 2) of the components, latitude first, in degrees: the cells' means.
        log_concentrations: (N,) where they start, or one number for all.
            :func:`fitted_log_concentrations` gives those of the cells' members.
        learned: Whether the log-concentrations are a parameter.

    Raises:
        CoordinateError: Means that are no places.
        VectorError: Another number of concentrations than of means.
    """

    means: Tensor
    log_concentrations: Tensor

    def __init__(
        self, means: Tensor, log_concentrations: Tensor | float = 10.0, *, learned: bool = True
    ) -> None:
        super().__init__()
        self.register_buffer("means", unit_vectors(means))
        start = torch.as_tensor(log_concentrations, dtype=torch.float32)
        start = start.expand(len(means)).clone() if start.ndim == 0 else start.clone()
        _check_shape("log_concentrations", start, (len(means),))
        if learned:
            self.log_concentrations = nn.Parameter(start)
        else:
            self.register_buffer("log_concentrations", start)

    def _apply(self, fn: object, recurse: bool = True) -> VonMisesFisherMixtureLoss:
        # `module.bfloat16()` casts buffers too, and means in bfloat16 are tens of kilometres off.
        means = self.means
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.means = means.to(self.means.device)
        return self

    def forward(self, logits: Tensor, places: Tensor) -> Tensor:
        """Return the mean loss of a batch, a scalar.

        Args:
            logits: (n, N), any floating type, n at least 1.
            places: (n, 2) where the photos were taken, latitude first, in degrees, float64.

        Raises:
            VectorError: Logits of another shape, none, or not finite.
            CoordinateError: Places that are none.
        """
        check_rows("logits", logits)
        if not len(logits):
            raise VectorError(
                "A batch must hold at least 1 photo. Got 0.", hint="Drop empty batches."
            )
        check_finite(logits=logits)
        x = unit_vectors(places).to(self.means.device)
        return -mixture_log_density(logits, self.log_concentrations, self.means, x).mean()


def fitted_log_concentrations(mean_half_chord: Tensor) -> Tensor:
    """Return log κ that fits members scattered about their mean (maximum likelihood).

    Solves coth κ - 1/κ = 1 - h by Newton's method in log κ.

    Args:
        mean_half_chord: h (N,), each cell's mean of 1 - μ·x over its members, above 0 and below 1;
            it is held at 1e-9 or above, κ = 10^9, for cells whose members are in one place.

    Raises:
        VectorError: A value outside [0, 1).
    """
    wrong = ~((mean_half_chord >= 0) & (mean_half_chord < 1))
    if bool(wrong.any()):
        row = int(wrong.nonzero()[0])
        raise VectorError(
            f"mean_half_chord must be at least 0 and below 1. "
            f"Got {mean_half_chord[row].item()} in row {row}.",
            hint="Take the mean of 1 - μ·x over the members of each cell, μ their own mean.",
        )
    h = mean_half_chord.double().clamp(min=1e-9)
    with torch.enable_grad():
        # Banerjee et al., "Clustering on the unit hypersphere", 2005, equation 4.4, is near enough.
        r = 1 - h
        log_k = torch.log(r * (3 - r.square()) / (h * (2 - h))).requires_grad_()
        for _ in range(30):
            slope = _gradient((_log_peak(log_k) - log_k.exp() * h).sum(), log_k)
            curvature = _gradient(slope.sum(), log_k)
            step = (slope / curvature.clamp(max=-1e-12).neg()).clamp(-1, 1)
            log_k = (log_k + step).detach().requires_grad_()
    return log_k.detach().to(mean_half_chord)


def _gradient(value: Tensor, of: Tensor) -> Tensor:
    return torch.autograd.grad(value, of, create_graph=True)[0]


def _check_shape(name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    if tensor.shape != shape:
        raise VectorError(
            f"{name} must be of shape {shape}. Got {tuple(tensor.shape)}.",
            hint="One row for each photo, one column for each component of the mixture.",
        )
