"""The mixture as a head: its start, its weights, and its densest places."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from tests.geo.partition.places import crowded
from torch import Tensor

from sightline.errors import PartitionError, VectorError
from sightline.geo.coordinates import unit_vectors
from sightline.geo.distance import great_circle_m
from sightline.geo.partition import Boxes, Partition, S2Settings, adaptive_s2
from sightline.locating import classify
from sightline.losses import fitted_log_concentrations, mixture_log_density
from sightline.losses.mixture import half_chords, log_density
from sightline.losses.mixture import unit_vectors as vectors_of
from sightline.models.cell_heads import CellHead
from sightline.models.mixture_head import MixtureHead, scatter_of_members
from sightline.models.mixture_modes import mixture_modes

PLACES = crowded(800)
CELLS = adaptive_s2(PLACES, S2Settings(cells=40, min_members=2))
D = 6


def vectors(count: int = 4) -> Tensor:
    return torch.randn(count, D, generator=torch.Generator().manual_seed(0))


def mixtures(photos: int, components: int, seed: int, *, log_kappa: float):
    """Random weights, concentrations and means."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(photos, components, generator=generator, dtype=torch.float64)
    logs = log_kappa + torch.randn(components, generator=generator, dtype=torch.float64)
    means = torch.randn(components, 3, generator=generator, dtype=torch.float64)
    return logits.log_softmax(dim=1), logs, torch.nn.functional.normalize(means)


def density(log_weights: Tensor, logs: Tensor, means: Tensor, places: np.ndarray) -> np.ndarray:
    """One mixture at many places (p, 2), by the loss's own formula."""
    apart = half_chords(torch.from_numpy(unit_vectors(places)), means)
    return (log_weights + log_density(logs, apart)).logsumexp(dim=1).numpy()


GRID = np.array(np.meshgrid(np.arange(-90, 91, 2.0), np.arange(-180, 180, 2.0))).reshape(2, -1).T


@pytest.mark.parametrize("log_kappa", [0.0, 2.0, 4.0])
def test_no_place_on_the_earth_is_denser(log_kappa: float) -> None:
    log_weights, logs, means = mixtures(4, 9, 1, log_kappa=log_kappa)
    found = mixture_modes(log_weights, logs, means)
    for photo in range(4):

        def dense(places: np.ndarray, photo: int = photo) -> np.ndarray:
            return density(log_weights[photo], logs, means, places)

        best = np.argsort(dense(GRID))[::-1][:3]
        highest = max(
            -minimize(
                lambda x, f=dense: -f(x[None])[0], GRID[row], method="Nelder-Mead", tol=1e-10
            ).fun
            for row in best
        )
        assert found.log_density[photo].item() >= highest - 1e-9
        at = dense(found.points[photo].numpy()[None])[0]
        assert found.log_density[photo].item() == pytest.approx(at, abs=1e-9)


@pytest.mark.parametrize("log_kappa", [-50.0, 3.0, 10.0, 20.0])
@pytest.mark.parametrize("components", [3, 256])
def test_never_less_dense_than_the_heaviest(log_kappa: float, components: int) -> None:
    log_weights, logs, means = mixtures(5, 300, 2, log_kappa=log_kappa)
    found = mixture_modes(log_weights, logs, means, components=components)
    heaviest = means[log_weights.argmax(dim=1)]
    for photo in range(5):
        apart = half_chords(heaviest[photo][None], means)
        there = (log_weights[photo] + log_density(logs, apart)).logsumexp(dim=1)
        assert found.log_density[photo] >= there - 1e-9


def test_what_is_left_out_of_the_climb_counts_in_the_answer() -> None:
    """Five broad components on one place outweigh the one with the highest peak."""
    means = torch.from_numpy(unit_vectors([[10.0, 10.0]] * 5 + [[-40.0, 100.0]]))
    logs = torch.tensor([3.0] * 5 + [5.5])
    weights = torch.tensor([[0.19] * 5 + [0.05]]).log()
    found = mixture_modes(weights, logs, means, components=1)
    assert found.points[0].tolist() == pytest.approx([10.0, 10.0])
    assert found.log_density.exp().item() == pytest.approx(0.95 * math.exp(3) / (2 * math.pi))


def test_one_component_is_its_own_mode() -> None:
    means = torch.from_numpy(unit_vectors([[48.0, 11.0], [-33.0, 151.0], [90.0, 0.0]]))
    logs = torch.tensor([10.0, 12.0, 5.0])
    weights = torch.eye(3).double().log()
    found = mixture_modes(weights, logs, means)
    assert found.points[:2].tolist() == pytest.approx(np.array([[48.0, 11.0], [-33.0, 151.0]]))
    assert found.points[2, 0].item() == pytest.approx(90.0)
    expected = log_density(logs.double(), torch.zeros(3).double())
    torch.testing.assert_close(found.log_density, expected)


def test_a_broad_heavy_component_does_not_hide_a_peak() -> None:
    """The heaviest weight names the ocean, the density the two cities that agree."""
    places = np.array([[0.0, 0.0], [48.0, 11.0], [48.1, 11.1]])
    cells = Partition(Boxes([[-9, -9, 9, 9], [47, 10, 48.05, 12], [48.05, 10, 49, 12]]), places)
    logs = torch.tensor([0.0, 10.0, 10.0])
    weights = torch.tensor([[0.5, 0.25, 0.25]]).log()
    heaviest = classify(weights.numpy(), cells)
    assert heaviest.tolist() == [[0.0, 0.0]]
    means = torch.from_numpy(unit_vectors(places))
    found = mixture_modes(weights, logs, means)
    middle = [48.05, 11.05]
    assert great_circle_m(found.points[0].numpy(), middle) < 2000


def test_what_is_no_mixture() -> None:
    log_weights, logs, means = mixtures(2, 3, 0, log_kappa=1.0)
    for wrong in (
        (log_weights[0], logs, means),
        (log_weights, logs[:2], means),
        (log_weights, logs, means[:2]),
    ):
        with pytest.raises(VectorError, match="A mixture must have"):
            mixture_modes(*wrong)
    log_weights[1, 2] = math.nan
    with pytest.raises(VectorError, match="NaN in row 1"):
        mixture_modes(log_weights, logs, means)
    assert mixture_modes(log_weights[:0], logs, means).points.shape == (0, 2)


class TestHead:
    def test_it_starts_as_the_classifier(self) -> None:
        classifier = CellHead(D, CELLS)
        head = MixtureHead.from_classifier(classifier, CELLS, 16.0)
        given = vectors()
        assert torch.equal(head(given), classifier(given))
        assert (head.log_concentrations == 16).all()
        logs = head.log_probabilities(given)
        # The paper's answer: the mean of the heaviest component.
        best = logs.argmax(dim=1)
        points = classify(logs.numpy(force=True), CELLS)
        expected = unit_vectors(points)
        np.testing.assert_allclose(head.means[best], expected, atol=1e-15)
        modes = head.modes(given)
        assert modes.points.shape == (4, 2)
        head.require_partition(CELLS)
        # Weights of its own, not the classifier's.
        with torch.no_grad():
            head.weights.linear.weight.zero_()
        assert classifier.linear.weight.abs().sum() > 0

    def test_of_another_partition(self) -> None:
        other = Partition(CELLS.cells, CELLS.representatives[::-1].copy())
        with pytest.raises(PartitionError, match="other ones"):
            MixtureHead.from_classifier(CellHead(D, other), CELLS)
        state = MixtureHead(D, other).state_dict()
        assert set(state) == {
            "log_concentrations",
            "weights.linear.weight",
            "weights.linear.bias",
            "weights.digest",
        }
        with pytest.raises(PartitionError, match="weights are of a classifier"):
            MixtureHead(D, CELLS).load_state_dict(state)
        with pytest.raises(VectorError, match="one for each of the"):
            MixtureHead(D, CELLS, torch.zeros(3))

    def test_means_keep_their_precision(self) -> None:
        head = MixtureHead(D, CELLS).bfloat16()
        assert head.means.dtype == torch.float64
        assert head.log_concentrations.dtype == torch.bfloat16
        assert head.modes(vectors()).log_density.isfinite().all()

    def test_its_loss_reaches_every_part(self) -> None:
        scatter = scatter_of_members(CELLS, PLACES)
        start = fitted_log_concentrations(torch.from_numpy(scatter))
        head = MixtureHead(D, CELLS, start)
        given, places = vectors(64), torch.from_numpy(PLACES[:64])
        optimiser = torch.optim.Adam(head.parameters(), lr=0.05)
        costs = []
        for _ in range(40):
            logs = mixture_log_density(
                head(given), head.log_concentrations, head.means, vectors_of(places)
            )
            optimiser.zero_grad()
            (-logs.mean()).backward()
            assert all(one.grad.isfinite().all() for one in head.parameters())
            optimiser.step()
            costs.append(-logs.mean().item())
        assert costs[-1] < costs[0] - 0.5
        assert (head.log_concentrations.detach() != start).any()

    def test_fitted_concentrations_are_a_better_start_than_one_for_all(self) -> None:
        rows = torch.from_numpy(CELLS.assign(PLACES))
        inside = rows >= 0
        right = torch.full((int(inside.sum()), len(CELLS)), -30.0)
        right[torch.arange(len(right)), rows[inside]] = 0.0
        x = vectors_of(torch.from_numpy(PLACES)[inside])
        fitted = fitted_log_concentrations(torch.from_numpy(scatter_of_members(CELLS, PLACES)))
        head = MixtureHead(D, CELLS)
        own = mixture_log_density(right, fitted, head.means, x).mean()
        for one_for_all in (4.0, 10.0, 16.0):
            logs = torch.full((len(CELLS),), one_for_all)
            assert mixture_log_density(right, logs, head.means, x).mean() < own - 0.2


def test_the_scatter_of_members() -> None:
    cells = Partition(
        Boxes([[0, 0, 1, 1], [0, 1, 1, 2], [9, 9, 10, 10]]), [[0.5, 0.5], [0.5, 1.5], [9, 9]]
    )
    places = [[0.4, 0.5], [0.6, 0.7], [0.5, 1.5], [50.0, 50.0]]
    found = scatter_of_members(cells, places)
    own = [cells.representatives[row] for row in (0, 0, 1)]
    half = [
        1 - math.cos(float(great_circle_m(a, b)) / 6_371_008.8)
        for a, b in zip(places[:3], own, strict=True)
    ]
    every = sum(half) / 3
    expected = [(half[0] + half[1] + every) / 3, (half[2] + every) / 2, every]
    assert found.tolist() == pytest.approx(expected, rel=1e-9)
    with pytest.raises(PartitionError, match="None of 1 places lies in a cell"):
        scatter_of_members(cells, places[3:])
