"""Recombination beyond the published case: parts of the circle, headings, any number of regions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sightline.errors import UsageError
from sightline.models.feature_recombination import FeatureRecombination
from sightline.models.view_geometry import Aerial, Geometry, Panorama, Perspective


def maps(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def plain(regions: int = 4, **options: object) -> FeatureRecombination:
    return FeatureRecombination(
        5,
        regions=regions,
        split="area",
        normalise=False,
        **options,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(("geometry", "shape"), [(Panorama(), (3, 8)), (Aerial(), (4, 6))])
def test_both_splits_agree_where_cells_are_whole(
    geometry: Geometry, shape: tuple[int, int]
) -> None:
    features = maps(2, 5, *shape)
    published = FeatureRecombination(5, normalise=False)(features, geometry)
    torch.testing.assert_close(plain()(features, geometry), published)


def test_a_square_photo_is_no_aerial_image() -> None:
    features = maps(1, 5, 4, 4)
    layer = FeatureRecombination(5, normalise=False)
    ground, aerial = layer(features, Perspective(90)), layer(features, Aerial())
    assert not torch.allclose(ground, aerial)
    torch.testing.assert_close(ground[0, :5], features[0, :, :, 0].mean(dim=1))


def test_a_view_of_half_the_circle_fills_half_the_regions() -> None:
    features = maps(2, 5, 3, 8)
    found = plain()(features, Perspective(180, "cylindrical")).reshape(2, 4, 5)
    torch.testing.assert_close(found[:, 0], features[..., :4].mean(dim=(2, 3)))
    torch.testing.assert_close(found[:, 1], features[..., 4:].mean(dim=(2, 3)))
    assert not found[:, 2:].any()


def test_a_region_counts_by_what_is_seen_of_it() -> None:
    found = plain(unit_regions=True)(maps(1, 5, 3, 8), Perspective(70)).reshape(4, 5)
    lengths = found.norm(dim=1)
    torch.testing.assert_close(lengths, torch.tensor([70 / 90, 0, 0, 0], dtype=torch.float64))


def test_a_known_heading_is_the_compass() -> None:
    """A crop of a panorama that is told its heading pools what the panorama pools there."""
    panorama = maps(1, 5, 2, 36)
    whole = plain()(panorama, Panorama()).reshape(4, 5)
    # Columns 9 to 26 look from west (270) over north to east (90): regions 1 and 2.
    crop = panorama[..., 9:27]
    found = plain()(crop, Perspective(180, "cylindrical"), torch.tensor([0.0])).reshape(4, 5)
    torch.testing.assert_close(found[1:3], whole[1:3])
    assert not found[[0, 3]].any()
    # Turned by 45 degrees: half of north-west and of south-east, all of north-east.
    turned = plain(unit_regions=True)(crop, Perspective(180, "cylindrical"), torch.tensor([45.0]))
    lengths = turned.reshape(4, 5).norm(dim=1)
    torch.testing.assert_close(lengths, torch.tensor([0, 0.5, 1, 0.5], dtype=torch.float64))


def test_headings_are_those_of_each_photo() -> None:
    features = maps(3, 5, 2, 8)
    headings = torch.tensor([0.0, 90.0, 200.0])
    together = plain()(features, Perspective(90), headings)
    alone = [plain()(features[i : i + 1], Perspective(90), headings[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(together, torch.cat(alone))
    again = plain()(features, Perspective(90), headings + 720)
    torch.testing.assert_close(again, together)


@pytest.mark.parametrize("regions", [2, 4, 6])
def test_a_turned_panorama_is_a_shift_of_regions(regions: int) -> None:
    features = maps(2, 5, 3, 12)
    north = plain(regions)(features, Panorama()).reshape(2, regions, 5)
    for turn in range(regions):
        heading = torch.full((2,), turn * 360 / regions)
        turned = plain(regions)(features, Panorama(), heading).reshape(2, regions, 5)
        torch.testing.assert_close(turned, north.roll(turn, dims=1))


@pytest.mark.parametrize("side", [4, 5, 8])
def test_a_turned_aerial_map_is_a_shift_of_regions(side: int) -> None:
    features = maps(2, 5, side, side)
    layer = plain()
    north = layer(features, Aerial()).reshape(2, 4, 5)
    # Turned clockwise by a quarter, what was north-west is north-east.
    turned = layer(features.rot90(-1, dims=(2, 3)), Aerial()).reshape(2, 4, 5)
    torch.testing.assert_close(turned, north.roll(1, dims=1))


def test_phases() -> None:
    features = maps(2, 5, 6, 6)
    layer = plain()
    found = layer.turned(features, 2)
    assert found.shape == (2, 2, 4, 5)
    torch.testing.assert_close(found[:, 0], layer(features, Aerial()).reshape(2, 4, 5))
    # Region 1 of phase 1 is centred on north: its mean is that of a map with only the north lit.
    lit = torch.zeros(1, 5, 6, 6, dtype=torch.float64)
    lit[:, :, :2, 2:4] = 1
    regions = layer.turned(lit, 2)[0, 1, :, 0]
    assert regions.argmax() == 1
    assert regions[[0, 2, 3]].max() == 0


def test_half_precision_is_summed_in_float32() -> None:
    layer = FeatureRecombination(5)
    found = layer(maps(1, 5, 4, 8).to(torch.bfloat16), Panorama())
    assert found.dtype == torch.float32
    assert found.shape == (1, layer.dimension)


def test_gradients_reach_only_what_is_seen() -> None:
    features = maps(1, 5, 3, 9).requires_grad_()
    layer = FeatureRecombination(5, split="area", unit_regions=True).double()
    layer(features, Perspective(60), torch.tensor([30.0])).square().sum().backward()
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()
    parameters = (p.grad for p in layer.parameters())
    assert all(g is not None and torch.isfinite(g).all() for g in parameters)


@pytest.mark.parametrize(
    ("geometry", "shape", "split"),
    [
        (Panorama(), (4, 3), "published"),
        (Perspective(90), (4, 3), "published"),
        (Panorama(), (4, 3), "area"),
        (Perspective(170), (4, 1), "area"),
        (Aerial(), (1, 8), "published"),
        (Aerial(), (8, 1), "area"),
    ],
)
def test_maps_narrower_than_their_regions(
    geometry: Geometry, shape: tuple[int, int], split: str
) -> None:
    layer = FeatureRecombination(5, split=split)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=rf"Got {shape[0]} x {shape[1]}"):
        layer(maps(1, 5, *shape), geometry)


def test_refusals() -> None:
    features = maps(2, 5, 4, 8)
    area, published = plain(), FeatureRecombination(5)
    with pytest.raises(UsageError, match="no headings"):
        published(features, Panorama(), torch.zeros(2))
    with pytest.raises(UsageError, match="no turns"):
        published.turned(features, 2)
    with pytest.raises(UsageError, match=r"at least 1\. Got 0"):
        area.turned(features, 0)
    with pytest.raises(UsageError, match="no heading"):
        area(features, Aerial(), torch.zeros(2))
    with pytest.raises(UsageError, match="2 finite bearings"):
        area(features, Panorama(), torch.zeros(3))
    with pytest.raises(UsageError, match="1 not finite"):
        area(features, Panorama(), torch.tensor([0.0, float("nan")]))
    with pytest.raises(UsageError, match="Got 'aerial'"):
        area(features, "aerial")
    with pytest.raises(UsageError, match=r"Got \(2, 5, 4\)"):
        area(features[..., 0], Panorama())
    with pytest.raises(UsageError, match="must be 4"):
        FeatureRecombination(5, regions=6)
    with pytest.raises(UsageError, match="at least 1"):
        FeatureRecombination(5, regions=0, split="area")
    with pytest.raises(UsageError, match="published or area"):
        FeatureRecombination(5, split="even")  # type: ignore[arg-type]


def ringed(rings: int = 2, regions: int = 4) -> FeatureRecombination:
    """Rings whose joined vector is their means, one after the other: nothing is mixed."""
    layer = plain(regions, rings=rings, region_channels=5 * rings).double()
    assert layer.join is not None
    with torch.no_grad():
        layer.join.weight.copy_(torch.eye(5 * rings))
        layer.join.bias.zero_()
    return layer


def test_rings_keep_what_is_near_and_what_is_far_apart() -> None:
    features = maps(2, 5, 4, 8)
    found = ringed()(features, Panorama()).reshape(2, 4, 2, 5)
    for region in range(4):
        columns = features[..., 2 * region : 2 * region + 2]
        torch.testing.assert_close(found[:, region, 0], columns[:, :, 2:].mean(dim=(2, 3)))
        torch.testing.assert_close(found[:, region, 1], columns[:, :, :2].mean(dim=(2, 3)))
    # From above: only cells of the inner ring tell of what is near.
    aerial = torch.zeros(1, 5, 8, 8, dtype=torch.float64)
    aerial[..., 3:5, 3:5] = 1.0
    near, far = ringed()(aerial, Aerial()).reshape(4, 2, 5).unbind(dim=1)
    assert (near > 0).all()
    assert not far.any()


def test_turned_rings_are_those_of_a_turned_image() -> None:
    features = maps(1, 5, 8, 8)
    layer = ringed(rings=3)
    shown = layer.turned(features, 2)
    torch.testing.assert_close(shown[:, 0].flatten(1), layer(features, Aerial()))
    quarter = layer.turned(torch.rot90(features, 1, (2, 3)), 2)
    # Turned counter-clockwise, what stood in the north-west is in the south-west.
    torch.testing.assert_close(quarter, shown.roll(-1, dims=2))


def test_rings_of_both_views_learn_their_own_layers() -> None:
    layer = FeatureRecombination(5, regions=4, split="area", rings=3, region_channels=7)
    features = maps(2, 5, 6, 8).float().requires_grad_()
    found = layer(features, Panorama())
    assert found.shape == (2, 28)
    assert layer.dimension == 28
    found.square().sum().backward()
    assert layer.join is not None
    assert layer.join.weight.grad is not None
    assert layer.join.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rings": 0}, "rings must be at least 1"),
        ({"region_channels": 8}, "0 without rings"),
        ({"rings": 2, "region_channels": -1}, "region_channels = -1"),
        ({"rings": 2, "split": "published"}, "knows no rings"),
    ],
)
def test_rings_that_cannot_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        FeatureRecombination(5, **{"split": "area", **options})  # type: ignore[arg-type]
