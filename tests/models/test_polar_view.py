"""Patches unrolled around their centre, against the formula point by point."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sightline.errors import UsageError
from sightline.models.architectures import build_network
from sightline.models.cross_view_settings import CrossViewSettings
from sightline.models.feature_recombination import FeatureRecombination
from sightline.models.polar_view import PolarView, rolled_up
from sightline.models.view_geometry import Panorama, Polar, read_geometry


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def read(image: np.ndarray, south: float, east: float) -> np.ndarray:
    """Bilinear, pixel centres at whole numbers and a half, the border held."""
    side = image.shape[1]
    y = min(max((south + 1) / 2 * side - 0.5, 0), side - 1)
    x = min(max((east + 1) / 2 * side - 0.5, 0), side - 1)
    top, left = min(int(y), side - 2), min(int(x), side - 2)
    down, right = y - top, x - left
    rows = image[:, top : top + 2, left : left + 2]
    return np.einsum("cij,i,j->c", rows, [1 - down, down], [1 - right, right])


def test_every_pixel_is_read_at_its_bearing_and_distance() -> None:
    patch = noise(2, 3, 20, 20)
    found = PolarView((9, 24))(patch).numpy()
    for row in range(9):
        away = 1 - (row + 0.5) / 9
        for column in range(24):
            bearing = math.pi + 2 * math.pi * (column + 0.5) / 24
            for image, one in zip(patch.numpy(), found, strict=True):
                expected = read(image, -away * math.cos(bearing), away * math.sin(bearing))
                np.testing.assert_allclose(one[:, row, column], expected, atol=1e-5)


def test_columns_go_from_south_over_west_north_and_east() -> None:
    patch = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    patch[0, 0, 16:, 14:18] = 255  # south is red
    patch[0, 1, 14:18, :16] = 255  # west is green
    patch[0, 2, :16, 14:18] = 255  # north is blue
    found = PolarView((8, 32))(patch)[0, :, 2]
    assert found.dtype == torch.float32
    assert found[0, [0, 31]].min() > 0.9
    assert found[1, [7, 8]].min() > 0.9
    assert found[2, [15, 16]].min() > 0.9
    assert found[:, [23, 24]].max() < 0.1


def test_turning_a_patch_shifts_the_columns() -> None:
    patch = noise(1, 3, 24, 24)
    view = PolarView((12, 40))
    # A quarter turn counter-clockwise: what was in the east is in the north.
    turned = torch.rot90(patch, 1, (2, 3))
    torch.testing.assert_close(view(turned), view(patch).roll(-10, dims=3), atol=1e-5, rtol=0)


def test_rolling_up_is_the_inverse_within_the_circle() -> None:
    line = torch.linspace(0, 1, 48)
    patch = (line[:, None] * 2 + line[None] ** 2)[None, None]
    back = rolled_up(PolarView((64, 256))(patch)[:, 0], (48, 48))[0]
    south = line * 2 - 1
    away = torch.hypot(south[:, None], south[None])
    inside = (away < 0.95) & (away > 0.05)
    assert (back - patch[0, 0])[inside].abs().max() < 0.02
    assert not back[away > 1.05].any()


@pytest.mark.parametrize("size", [(4, 64), (64, 7)])
def test_sizes_that_hold_nothing_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="8 pixels or more"):
        PolarView(size)


def test_an_unrolled_patch_has_the_regions_of_a_panorama_that_looks_north() -> None:
    features = noise(2, 5, 6, 16)
    for options in ({}, {"regions": 8, "split": "area", "rings": 3}):
        head = FeatureRecombination(5, **options)  # type: ignore[arg-type]
        torch.testing.assert_close(head(features, Polar()), head(features, Panorama()))


def test_turns_of_an_unrolled_patch_are_shifts_of_its_columns() -> None:
    head = FeatureRecombination(5, regions=8, split="area", rings=2, unit_regions=True)
    features = noise(2, 5, 6, 32)
    turned = head.turned(features, 4, Polar())
    assert turned.shape == (2, 4, 8, 5)
    torch.testing.assert_close(turned[:, 0].flatten(1), head(features, Polar()))
    for phase in range(4):
        # Four columns make a region: a phase is one column.
        shifted = head(features.roll(-phase, dims=3), Polar())
        torch.testing.assert_close(turned[:, phase].flatten(1), shifted)


def test_a_network_that_unrolls_turns_with_its_patches() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_network(
            "frgeo",
            ground="crop:90",
            backbone="test_resnet",
            ground_size=(64, 64),
            aerial_size=(96, 96),
            polar_size=(64, 256),
            options={"regions": 8, "split": "area", "unit_regions": True},
        ).eval()
    assert network.input_sizes["aerial"] == (96, 96)
    patch = torch.nn.functional.avg_pool2d(noise(1, 3, 96, 96), 5, 1, 2)
    with torch.no_grad():
        plain, turned = (
            network.regions_of(network.encode_aerial(p))
            for p in (patch, torch.rot90(patch, 1, (2, 3)))
        )
    # Convolutions see the seam in the south as an edge: regions beside it change a little.
    near = torch.cosine_similarity(turned, plain.roll(-2, dims=1), dim=-1)
    away = torch.cosine_similarity(turned, plain, dim=-1)
    assert near.min() > 0.999
    assert away.mean() < 0.995


def test_settings_keep_the_polar_size_and_say_nothing_where_there_is_none() -> None:
    plain = CrossViewSettings.of("frgeo", ground="panorama")
    assert "polar_size" not in plain.to_json()
    settings = CrossViewSettings.of(
        "frgeo", ground="panorama", backbone="test_resnet", polar_size=(64, 256)
    )
    assert CrossViewSettings.from_json(settings.to_json()) == settings
    assert settings.build().polar is not None


def test_polar_is_no_geometry_of_photos() -> None:
    assert str(read_geometry("polar")) == "polar"
    with pytest.raises(UsageError, match="Got polar"):
        build_network("frgeo", ground="polar")
