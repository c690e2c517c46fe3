from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from sightline.imagery.aerial.sampling import PatchMap, averaged, bilinear, lattice


def test_polynomials_stand_for_a_curved_map():
    def curved(points):
        x, y = points.T
        return np.column_stack([500 + 300 * np.sin(x + 0.3 * y), 400 + 200 * np.exp(0.5 * y + x)])

    where = PatchMap(curved, 64)
    axis = (2 * np.arange(64) + 1) / 64 - 1
    exact = curved(lattice(axis)).reshape(64, 64, 2)
    assert len(where.nodes) < 400
    assert np.abs(np.stack(where.at(64), axis=-1) - exact).max() < 0.02
    corner, step = np.array([100.0, 50.0]), np.array([2.0, 3.0])
    moved = np.stack(where.at(64, corner, step), axis=-1)
    assert np.abs(moved - (exact - corner) / step).max() < 0.02
    # A lattice that meets the polynomial's own points.
    assert np.isfinite(where.at(1)).all()


def test_a_map_that_no_polynomial_fits_is_asked_for_every_pixel():
    def torn(points):
        return np.column_stack([np.sign(points[:, 0]) * 100.0, points[:, 1]])

    exact = torn(lattice((2 * np.arange(10) + 1) / 10 - 1)).reshape(10, 10, 2)
    assert np.array_equal(np.stack(PatchMap(torn, 10).at(10), axis=-1), exact)


def test_a_map_with_an_edge():
    def cut(points):
        return np.where(points[:, :1] > 0.5, np.nan, points)

    found = np.stack(PatchMap(cut, 4).at(4), axis=-1)
    assert np.isnan(found[:, 3]).all()
    assert np.isfinite(found[:, :3]).all()


def test_bilinear_is_that_of_scipy():
    generator = np.random.default_rng(0)
    canvas = generator.uniform(0, 255, (30, 40, 4)).astype(np.float32)
    where = np.stack([generator.uniform(1, 39, (20, 20)), generator.uniform(1, 29, (20, 20))], -1)
    expected = np.stack(
        [
            map_coordinates(canvas[..., i], [where[..., 1] - 0.5, where[..., 0] - 0.5], order=1)
            for i in range(4)
        ],
        axis=-1,
    )
    bordered = np.pad(canvas, ((1, 1), (1, 1), (0, 0)))
    assert np.abs(bilinear(bordered, where[..., 0], where[..., 1]) - expected).max() < 1e-3


def test_outside_the_canvas_nothing_is_valid():
    canvas = np.pad(np.ones((2, 3, 4), np.float32), ((1, 1), (1, 1), (0, 0)))
    where = np.array([[[-1.0, 1.0], [1.5, 1.0], [np.nan, 1.0], [9.0, 1.0], [3.0, 1.0], [0.5, 2.5]]])
    found = bilinear(canvas, where[..., 0], where[..., 1])
    assert found[0, :, 3].tolist() == [0, 1, 0, 0, 0.5, 0]


@pytest.mark.parametrize("fine_px", [8, 12, 16, 21])
def test_averages_are_the_means_of_areas(fine_px):
    fine = np.random.default_rng(fine_px).uniform(0, 255, (fine_px, fine_px, 4)).astype(np.float32)
    fine[..., 3] = 1.0
    patch = averaged(fine, 4, 0.5)
    assert patch.metres_per_pixel == 0.5
    assert patch.valid.all()
    assert patch.pixels.shape == (4, 4, 3)
    if fine_px % 4 == 0:
        n = fine_px // 4
        means = fine[..., :3].reshape(4, n, 4, n, 3).mean(axis=(1, 3))
        assert np.abs(patch.pixels - means).max() <= 1.0


def test_means_weigh_only_what_is_valid():
    fine = np.zeros((4, 4, 4), np.float32)
    fine[:, :1] = (200, 100, 50, 1)  # a quarter, and nothing of the right half
    fine[:2, 1] = (200, 100, 50, 1)
    patch = averaged(fine, 2, 1.0)
    assert patch.valid.tolist() == [[True, False], [True, False]]
    assert patch.pixels[0, 0].tolist() == [200, 100, 50]
    assert patch.pixels[1, 0].tolist() == [200, 100, 50]
    assert not patch.pixels[:, 1].any()
    assert patch.share_valid == 0.5
