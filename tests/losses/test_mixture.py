"""The density and its loss beside decimals of fifty digits, and at its limits."""

from __future__ import annotations

import decimal
import math
from decimal import Decimal

import numpy as np
import pytest
import torch
from torch import Tensor

from sightline.errors import CoordinateError, VectorError
from sightline.losses import (
    VonMisesFisherMixtureLoss,
    fitted_log_concentrations,
    mixture_log_density,
)
from sightline.losses.mixture import half_chords, log_density, unit_vectors

CONCENTRATIONS = [0.0, 1e-12, 1e-6, 1e-3, 0.049, 0.05, 0.051, 1.0, 10.0, 89.0, 1e4, math.exp(20)]
HALF_CHORDS = [0.0, 1e-12, 1e-4, 0.3, 1.0, 2.0]


def exact(kappa: float, half_chord: float) -> tuple[float, float]:
    """Log density and its derivative by log kappa, from κ / (4π sinh κ) e^(κ μ·x)."""
    with decimal.localcontext(prec=80):
        pi = Decimal("3.14159265358979323846264338327950288419716939937510")
        k, h = Decimal(kappa), Decimal(half_chord)
        if not kappa:
            return float(-(4 * pi).ln()), 0.0
        shrunk = 1 - (-2 * k).exp()
        value = (k / (2 * pi * shrunk)).ln() - k * h
        slope = 1 - 2 * k * (-2 * k).exp() / shrunk - k * h
        return float(value), float(slope)


def logarithm(kappa: float, dtype: torch.dtype) -> Tensor:
    return torch.tensor(kappa, dtype=torch.float64).log().to(dtype)


@pytest.mark.parametrize("kappa", CONCENTRATIONS)
@pytest.mark.parametrize("half_chord", HALF_CHORDS)
class TestLogDensity:
    def test_float64(self, kappa: float, half_chord: float) -> None:
        log_kappa = logarithm(kappa, torch.float64).requires_grad_()
        found = log_density(log_kappa, torch.tensor(half_chord).double())
        half_chord = torch.tensor(half_chord).double().item()
        kappa = log_kappa.exp().item()
        value, slope = exact(kappa, half_chord)
        assert found.item() == pytest.approx(value, rel=1e-12, abs=1e-13)
        found.backward()
        assert log_kappa.grad.item() == pytest.approx(slope, rel=1e-9, abs=1e-12)

    def test_float32(self, kappa: float, half_chord: float) -> None:
        log_kappa = logarithm(kappa, torch.float32).requires_grad_()
        chord = torch.tensor(half_chord, dtype=torch.float32)
        found = log_density(log_kappa, chord)
        # What float32 makes of log κ itself is off by 1e-6 of κ at e^20; the rest is our rounding.
        value, slope = exact(math.exp(log_kappa.item()), chord.item())
        assert found.dtype == torch.float32
        assert found.item() == pytest.approx(value, rel=3e-6, abs=1e-6)
        found.backward()
        assert log_kappa.grad.item() == pytest.approx(slope, rel=3e-6, abs=3e-6)

    def test_bfloat16_is_raised_first(self, kappa: float, half_chord: float) -> None:
        log_kappa = logarithm(kappa, torch.bfloat16).requires_grad_()
        chord = torch.tensor(half_chord, dtype=torch.bfloat16)
        found = log_density(log_kappa, chord)
        raised = log_density(log_kappa.detach().float(), chord.float())
        assert torch.equal(found, raised)
        assert found.isfinite()
        found.backward()
        assert log_kappa.grad.isfinite()


@pytest.mark.parametrize("kappa", [0.0, 0.01, 1.0, 30.0, 1e4])
def test_it_integrates_to_one(kappa: float) -> None:
    # Around its mean the density depends on h alone, and the area on the sphere is 2π dh.
    h = torch.linspace(0, 2, 2_000_001, dtype=torch.float64)
    density = log_density(logarithm(kappa, torch.float64), h).exp()
    assert torch.trapezoid(density, h).item() * 2 * math.pi == pytest.approx(1, rel=1e-4)


def places(*latlon: tuple[float, float]) -> Tensor:
    return torch.tensor(latlon, dtype=torch.float64).reshape(-1, 2)


class TestMixture:
    def test_a_sum_of_components(self) -> None:
        means = unit_vectors(places((10, 20), (-40, 170), (89, 0)))
        where = unit_vectors(places((11, 21), (-41, -179), (0, 0), (90, 50)))
        logits = torch.tensor([[0.1, 2.0, -1.0]] * 4).double()
        log_kappas = torch.tensor([1.0, 3.0, 0.0]).double()
        found = mixture_log_density(logits, log_kappas, means, where)
        for i in range(4):
            total = sum(math.exp(x) for x in logits[i])
            density = 0.0
            for k in range(3):
                half = 1 - sum(float(where[i, a] * means[k, a]) for a in range(3))
                weight = math.exp(logits[i, k]) / total
                density += weight * math.exp(exact(math.exp(log_kappas[k]), half)[0])
            assert found[i].item() == pytest.approx(math.log(density), rel=1e-12)

    def test_gradients(self) -> None:
        generator = torch.Generator().manual_seed(0)
        logits = torch.randn(3, 4, generator=generator).double().requires_grad_()
        log_kappas = torch.tensor([-30.0, -1.0, 2.0, 5.0]).double().requires_grad_()
        means, where = (torch.randn(n, 3, generator=generator).double() for n in (4, 3))
        means = torch.nn.functional.normalize(means).requires_grad_()
        where = torch.nn.functional.normalize(where).requires_grad_()
        assert torch.autograd.gradcheck(mixture_log_density, (logits, log_kappas, means, where))

    def test_metres_count_at_the_highest_concentration(self) -> None:
        # κ = e^20 is 290 m; a metre north is 1.57e-7 rad.
        means = places((48.0, 11.0))
        near = places((48.0, 11.0), (48.0 + 290 / 111_195, 11.0), (48.0 + 2900 / 111_195, 11.0))
        loss = VonMisesFisherMixtureLoss(means, 20.0)
        logits = torch.zeros(1, 1)
        costs = [loss(logits, place[None]).item() for place in near]
        sigma = math.exp(-10)
        for cost, metres in zip(costs, (0, 290, 2900), strict=True):
            radians = metres / 111_195 * math.pi / 180
            peak = math.log(2 * math.pi) - 20
            assert cost == pytest.approx(peak + (radians / sigma) ** 2 / 2, abs=1e-3, rel=1e-5)

    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
    def test_a_photo_far_from_everything_pulls(self, dtype: torch.dtype) -> None:
        means = places((10, 10), (12, 10))
        loss = VonMisesFisherMixtureLoss(means, 20.0)
        logits = torch.zeros(1, 2, dtype=dtype, requires_grad=True)
        found = loss(logits, places((-30, 190)))
        assert found.isfinite()
        found.backward()
        assert loss.log_concentrations.grad.isfinite().all()
        # To lower concentrations, and to the nearer of the two.
        assert loss.log_concentrations.grad.sum() > 0
        assert logits.grad[0].abs().min() > 0.1

    def test_no_concentration_is_uniform(self) -> None:
        loss = VonMisesFisherMixtureLoss(places((0, 0), (50, 50)), -math.inf)
        found = loss(torch.randn(4, 2), places((1, 2), (3, 4), (-80, 1), (90, 0)))
        assert found.item() == pytest.approx(math.log(4 * math.pi), rel=1e-6)
        found.backward()
        assert (loss.log_concentrations.grad == 0).all()

    def test_all_round_the_sphere(self) -> None:
        means = unit_vectors(places((90, 0), (0, 180), (0, 179.999999)))
        again = unit_vectors(places((90, 123), (0, -180), (0, -180.000001)))
        assert half_chords(means, again).diagonal().max() < 1e-15

    def test_the_order_of_photos_and_components_does_not_matter(self) -> None:
        generator = torch.Generator().manual_seed(1)
        logits = torch.randn(5, 7, generator=generator).double()
        kappas = torch.randn(7, generator=generator).double() + 3
        means = torch.nn.functional.normalize(torch.randn(7, 3, generator=generator).double())
        where = torch.nn.functional.normalize(torch.randn(5, 3, generator=generator).double())
        whole = mixture_log_density(logits, kappas, means, where)
        rows, columns = torch.randperm(5), torch.randperm(7)
        moved = mixture_log_density(
            logits[rows][:, columns], kappas[columns], means[columns], where[rows]
        )
        torch.testing.assert_close(moved, whole[rows])


class TestModule:
    def test_means_keep_their_precision(self) -> None:
        loss = VonMisesFisherMixtureLoss(places((10, 10)), 12.0).bfloat16()
        assert loss.means.dtype == torch.float64
        assert loss.log_concentrations.dtype == torch.bfloat16
        assert loss(torch.zeros(2, 1), places((10, 10), (11, 10))).dtype == torch.float32

    def test_autocast_does_not_reach_it(self) -> None:
        loss = VonMisesFisherMixtureLoss(places((10, 10), (40, 5)), 8.0)
        logits, where = torch.randn(3, 2), places((10, 10), (11, 10), (40, 5))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            within = loss(logits, where)
        assert torch.equal(within, loss(logits, where))

    def test_fixed_concentrations_are_no_parameter(self) -> None:
        loss = VonMisesFisherMixtureLoss(places((10, 10)), torch.tensor([3.0]), learned=False)
        assert not list(loss.parameters())
        assert set(loss.state_dict()) == {"means", "log_concentrations"}

    def test_learning_finds_the_scatter(self) -> None:
        generator = torch.Generator().manual_seed(2)
        scatter = torch.randn(400, 2, generator=generator).double()
        where = places((30, 40)) + scatter * torch.tensor([1.0, 1 / math.cos(math.radians(30))])
        loss = VonMisesFisherMixtureLoss(places((30, 40)), 2.0)
        optimiser = torch.optim.Adam(loss.parameters(), lr=0.2)
        for _ in range(120):
            optimiser.zero_grad()
            loss(torch.zeros(400, 1), where).backward()
            optimiser.step()
        h = half_chords(unit_vectors(where), loss.means).mean(dim=0)
        fitted = fitted_log_concentrations(h)
        assert loss.log_concentrations.item() == pytest.approx(fitted.item(), abs=0.01)
        assert fitted.item() == pytest.approx(-2 * math.log(math.radians(1)), abs=0.15)


class TestFittedConcentrations:
    def test_it_solves_the_equation(self) -> None:
        kappas = np.array([1e-3, 0.1, 0.7, 3.0, 40.0, 1e4, 4e8])
        h = 1 - (1 / np.tanh(kappas) - 1 / kappas)
        found = fitted_log_concentrations(torch.tensor(h)).exp().numpy()
        # Near 0 and at 4e8 the h written above has lost digits itself.
        np.testing.assert_allclose(found[1:-1], kappas[1:-1], rtol=1e-6)
        np.testing.assert_allclose(found, kappas, rtol=1e-3)

    def test_one_place_alone(self) -> None:
        found = fitted_log_concentrations(torch.zeros(2))
        assert found.tolist() == pytest.approx([math.log(1e9)] * 2)
        assert found.dtype == torch.float32

    @pytest.mark.parametrize("value", [-0.1, 1.0, math.nan])
    def test_bad_values(self, value: float) -> None:
        with pytest.raises(VectorError, match=rf"Got {value} in row 1"):
            fitted_log_concentrations(torch.tensor([0.5, value], dtype=torch.float64))


class TestBadInput:
    @pytest.mark.parametrize(
        ("latlon", "message"),
        [
            ([[0.0, 0.0], [91.0, 0.0]], r"Got \[91.0, 0.0\] in row 1"),
            ([[math.nan, 0.0]], r"Got \[nan, 0.0\] in row 0"),
            ([[0.0, 0.0, 0.0]], r"shape \(n, 2\). Got \(1, 3\)"),
        ],
    )
    def test_places(self, latlon: list[list[float]], message: str) -> None:
        with pytest.raises(CoordinateError, match=message):
            VonMisesFisherMixtureLoss(torch.tensor(latlon))
        loss = VonMisesFisherMixtureLoss(places((0, 0)))
        with pytest.raises(CoordinateError, match=message):
            loss(torch.zeros(len(latlon), 1), torch.tensor(latlon))

    def test_shapes(self) -> None:
        loss = VonMisesFisherMixtureLoss(places((0, 0), (1, 1)))
        with pytest.raises(VectorError, match=r"means must be of shape \(3, 3\). Got \(2, 3\)"):
            loss(torch.zeros(1, 3), places((0, 0)))
        with pytest.raises(VectorError, match=r"places must be of shape \(2, 3\). Got \(1, 3\)"):
            loss(torch.zeros(2, 2), places((0, 0)))
        with pytest.raises(VectorError, match=r"at least 1 photo. Got 0"):
            loss(torch.zeros(0, 2), places())
        with pytest.raises(VectorError, match=r"log_concentrations must be of shape \(2,\)"):
            VonMisesFisherMixtureLoss(places((0, 0), (1, 1)), torch.zeros(3))

    def test_logits(self) -> None:
        loss = VonMisesFisherMixtureLoss(places((0, 0), (1, 1)))
        with pytest.raises(VectorError, match=r"logits must be finite. Got nan in row 0"):
            loss(torch.tensor([[0.0, math.nan]]), places((0, 0)))
        with pytest.raises(VectorError, match=r"logits must be rows of shape \(n, d\)"):
            loss(torch.zeros(2), places((0, 0)))
