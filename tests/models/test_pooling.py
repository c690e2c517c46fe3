"""Pooling against loops over cells."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sightline.models.pooling import GEM_FLOOR, RegionPooling, to_grid


def slow_cells(features: np.ndarray, regions: int, method: str, exponent: float) -> np.ndarray:
    """(n, d, h, w) -> (n, r * r, d), cell by cell."""
    n, d, height, width = features.shape
    cells = np.zeros((n, regions * regions, d))
    for photo in range(n):
        for row in range(regions):
            for column in range(regions):
                top, bottom = row * height // regions, -(-(row + 1) * height // regions)
                left, right = column * width // regions, -(-(column + 1) * width // regions)
                part = features[photo, :, top:bottom, left:right].reshape(d, -1)
                if method == "average":
                    value = part.mean(axis=1)
                elif method == "max":
                    value = part.max(axis=1)
                else:
                    value = (np.maximum(part, GEM_FLOOR) ** exponent).mean(axis=1) ** (1 / exponent)
                cells[photo, row * regions + column] = value
        cells[photo] /= np.linalg.norm(cells[photo].mean(axis=0))
    return cells


@pytest.mark.parametrize("method", ["average", "max", "gem"])
@pytest.mark.parametrize("regions", [1, 2, 3])
@pytest.mark.parametrize("shape", [(2, 5, 6, 6), (1, 3, 7, 5), (3, 4, 2, 9)])
def test_pooling_equals_the_oracle(method: str, regions: int, shape: tuple[int, ...]) -> None:
    features = np.random.default_rng(0).normal(size=shape) + 0.5
    pooling = RegionPooling(method, regions, exponent=2.5)  # type: ignore[arg-type]
    found = pooling(torch.from_numpy(features)).numpy()
    np.testing.assert_allclose(found, slow_cells(features, regions, method, 2.5), rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found.mean(axis=1), axis=1), 1.0)


def test_the_class_token() -> None:
    features, prefix = (
        torch.ones(2, 3, 4, 4),
        torch.tensor([[[3.0, 0.0, 4.0], [9.0, 9.0, 9.0]]] * 2),
    )
    found = RegionPooling("class")(features, prefix)
    torch.testing.assert_close(found, torch.tensor([[[0.6, 0.0, 0.8]]] * 2))


def test_a_map_without_length_is_not_finite() -> None:
    assert RegionPooling("average")(torch.zeros(1, 3, 4, 4)).isnan().all()


def test_every_layout_becomes_the_same_grid() -> None:
    grid = torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(0))
    tokens = torch.cat([torch.full((2, 1, 5), 7.0), grid.flatten(2).mT], dim=1)
    assert to_grid(grid, "NCHW", 0, (3, 4))[1] is None
    torch.testing.assert_close(to_grid(grid, "NCHW", 0, (3, 4))[0], grid)
    torch.testing.assert_close(to_grid(grid.permute(0, 2, 3, 1), "NHWC", 0, (3, 4))[0], grid)
    places, prefix = to_grid(tokens, "NLC", 1, (3, 4))
    torch.testing.assert_close(places, grid)
    assert prefix is not None
    assert prefix.shape == (2, 1, 5)
    assert to_grid(tokens[:, 1:], "NLC", 0, (3, 4))[1] is None
    assert to_grid(grid[:, :, 0, 0], "NC", 0, (1, 1))[0].shape == (2, 5, 1, 1)
