"""The best turn, against loops and against the published scoring of unknown headings."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from sightline.errors import UsageError, VectorError
from sightline.evaluation.retrieval.orientation import best_orientations
from sightline.models import region_shifts
from sightline.models.feature_recombination import FeatureRecombination
from sightline.models.region_shifts import (
    best_shifts,
    headings_of_shifts,
    shift_scores,
    turned_queries,
)
from sightline.models.view_geometry import Aerial, GroundGeometry, Panorama, Perspective


def regions(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def slow_scores(ground: np.ndarray, aerial: np.ndarray) -> np.ndarray:
    photos, count, _ = ground.shape
    images, phases = aerial.shape[:2]
    found = np.zeros((photos, images, count * phases))
    for b in range(photos):
        for m in range(images):
            for shift in range(count * phases):
                whole, phase = divmod(shift, phases)
                total = lengths = 0.0
                for k in range(count):
                    q, a = ground[b, k], aerial[m, phase, (k + whole) % count]
                    total += q @ a / np.linalg.norm(a)
                    lengths += np.linalg.norm(q)
                found[b, m, shift] = total / lengths
    return found


@pytest.mark.parametrize("phases", [1, 3])
def test_scores_equal_the_loop(phases: int) -> None:
    ground, aerial = regions(3, 4, 6), regions(5, phases, 4, 6, seed=1)
    ground[0, 2:] = 0
    expected = slow_scores(ground.numpy(), aerial.numpy())
    np.testing.assert_allclose(shift_scores(ground, aerial), expected, atol=1e-12)
    score, shift = best_shifts(ground, aerial)
    np.testing.assert_allclose(score, expected.max(axis=2))
    np.testing.assert_array_equal(shift, expected.argmax(axis=2))


def test_memory_is_bounded_without_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    ground, aerial = regions(3, 4, 6), regions(7, 4, 6, seed=1)
    whole = best_shifts(ground, aerial)
    monkeypatch.setattr(region_shifts, "_SCORES_AT_ONCE", 1)
    parts = best_shifts(ground, aerial)
    torch.testing.assert_close(parts[0], whole[0])
    assert torch.equal(parts[1], whole[1])


@pytest.mark.parametrize("seen", [1, 2, 4])
def test_it_is_the_published_scoring_for_regions_of_one_length(seen: int) -> None:
    """Regions are the columns of an unrolled aerial map; crops of unit columns have one length."""
    aerial = functional.normalize(regions(6, 4, 9), dim=2)
    ground = functional.normalize(regions(5, 4, 9, seed=2), dim=2)
    ground[:, seen:] = 0
    score, shift = best_shifts(ground, aerial)
    published = best_orientations(
        aerial.transpose(1, 2)[:, :, None].numpy(),
        ground[:, :seen].transpose(1, 2)[:, :, None].numpy(),
    )
    np.testing.assert_array_equal(shift.T, published.shift)
    np.testing.assert_allclose(2 - 2 * score.T, published.distance, atol=1e-12)


def test_a_plain_index_can_be_asked() -> None:
    aerial = functional.normalize(regions(20, 4, 6), dim=2)
    ground = regions(5, 4, 6, seed=1) * torch.tensor([1.0, 0.5, 0.0, 0.0])[:, None]
    queries = turned_queries(ground)
    assert queries.shape == (5, 4, 24)
    products = torch.einsum("bsd,md->bsm", queries, aerial.flatten(1))
    score, shift = best_shifts(ground, aerial)
    np.testing.assert_array_equal(products.argmax(dim=1), shift)
    np.testing.assert_array_equal(
        products.amax(dim=1).argsort(dim=1, descending=True), score.argsort(dim=1, descending=True)
    )


@pytest.mark.parametrize(
    "geometry", [Panorama(), Perspective(180, "cylindrical"), Perspective(90, "cylindrical")]
)
@pytest.mark.parametrize("phases", [1, 4])
def test_the_heading_is_found(geometry: GroundGeometry, phases: int) -> None:
    """A scene of one colour for each of 16 bearings, seen from above and from the ground."""
    directions = 16
    colours = functional.normalize(regions(directions, 12), dim=1)
    side = 48
    y, x = np.mgrid[0:side, 0:side] + 0.5
    bearing = np.degrees(np.arctan2(x - side / 2, side / 2 - y)) % 360
    sector = torch.from_numpy((bearing // (360 / directions)).astype(int))
    above = colours[sector].permute(2, 0, 1)[None]
    layer = FeatureRecombination(12, split="area", unit_regions=True, normalise=False)
    aerial = layer.turned(above, phases)
    for turn in range(4 * phases):
        shift_to_find = torch.tensor([[turn]])
        ahead = headings_of_shifts(shift_to_find, geometry, regions=4, phases=phases).item()
        columns = 64
        offset = ((np.arange(columns) + 0.5) / columns - 0.5) * geometry.fov_degrees
        seen = ((ahead + offset) % 360 // (360 / directions)).astype(int)
        photo = colours[torch.from_numpy(seen)].T[None, :, None]
        ground = layer(photo, geometry).reshape(1, 4, 12)
        score, shift = best_shifts(ground, aerial)
        assert torch.equal(shift, shift_to_find)
        # The photo weighs bearings evenly, the square from above its corners more.
        assert score.item() > 0.9


def test_known_and_found_headings_are_the_same_arithmetic() -> None:
    features = regions(1, 12, 2, 24)
    layer = FeatureRecombination(12, split="area", normalise=False)
    view = Perspective(90)
    unknown = layer(features, view).reshape(1, 4, 12)
    for shift in range(4):
        heading = headings_of_shifts(torch.tensor([shift]), view, regions=4)
        known = layer(features, view, heading).reshape(1, 4, 12)
        torch.testing.assert_close(known, unknown.roll(shift, dims=1))
    assert not torch.allclose(layer(regions(1, 12, 4, 4), Aerial()).reshape(1, 4, 12), unknown)


def test_scores_have_gradients_and_survive_emptiness() -> None:
    ground, aerial = regions(2, 4, 3).requires_grad_(), regions(2, 2, 4, 3).requires_grad_()
    shift_scores(ground, aerial).amax(dim=2).sum().backward()
    assert ground.grad is not None
    assert aerial.grad is not None
    assert torch.isfinite(ground.grad).all()
    assert torch.isfinite(aerial.grad).all()
    score, _ = best_shifts(torch.zeros(1, 4, 3), torch.zeros(1, 4, 3))
    assert score.item() == 0


def test_refusals() -> None:
    with pytest.raises(UsageError, match="must have shapes"):
        shift_scores(regions(2, 4, 3), regions(2, 5, 3))
    with pytest.raises(UsageError, match="must have shapes"):
        shift_scores(regions(2, 12), regions(2, 4, 3))
    broken = regions(3, 4, 3)
    broken[1, 2, 0] = float("nan")
    with pytest.raises(VectorError, match="ground row 1"):
        best_shifts(broken, regions(2, 4, 3))
    with pytest.raises(VectorError, match="aerial row 1"):
        best_shifts(regions(2, 4, 3), broken)
