"""Which column shows which part of the circle, against counting rays."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import UsageError
from sightline.models.view_geometry import (
    Aerial,
    GroundGeometry,
    Panorama,
    Perspective,
    aerial_region_weights,
    ground_band_weights,
    ground_region_weights,
    read_geometry,
    require_geometry,
)

RAYS = 20_000


def slow_ground(
    width: int, geometry: GroundGeometry, regions: int, heading: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Shares (r, w) and coverage (r,) by casting rays."""
    fov = geometry.fov_degrees
    x = (np.arange(RAYS) + 0.5) / RAYS
    if isinstance(geometry, Perspective) and geometry.projection == "planar":
        half = math.radians(fov / 2)
        off_axis = np.degrees(np.arctan((2 * x - 1) * math.tan(half)))
    else:
        off_axis = (x - 0.5) * fov
    angle = off_axis + (fov / 2 if heading is None else heading - 180)
    region = np.minimum((angle % 360) / (360 / regions), regions - 1e-9).astype(int)
    counts = np.zeros((regions, width))
    np.add.at(counts, (region, (x * width).astype(int)), 1)
    even = (np.arange(RAYS) + 0.5) / RAYS * fov
    begin = 0.0 if heading is None else heading - fov / 2 - 180
    seen = ((even + begin) % 360 / (360 / regions)).astype(int) % regions
    coverage = np.bincount(seen, minlength=regions) / RAYS * fov / (360 / regions)
    total = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, total, out=np.zeros_like(counts), where=total > 0), coverage


@given(
    width=st.integers(1, 20),
    regions=st.integers(1, 9),
    fov=st.floats(20, 170),
    projection=st.sampled_from(["planar", "cylindrical", "panorama"]),
    heading=st.none() | st.floats(-400, 800),
)
def test_columns_are_shared_out_as_rays_fall(
    width: int, regions: int, fov: float, projection: str, heading: float | None
) -> None:
    geometry = Panorama() if projection == "panorama" else Perspective(fov, projection)  # type: ignore[arg-type]
    given_headings = None if heading is None else torch.tensor([heading], dtype=torch.float64)
    weights, coverage = ground_region_weights(width, geometry, regions, given_headings)
    expected, seen = slow_ground(width, geometry, regions, heading)
    np.testing.assert_allclose(coverage[0], seen, atol=20 / RAYS * regions)
    # A region of a few rays has no shares worth comparing.
    clear = seen > 0.05
    np.testing.assert_allclose(weights[0][clear], expected[clear], atol=0.02)
    sums = weights[0].sum(dim=1).numpy()
    assert ((np.abs(sums - 1) < 1e-9) | (sums == 0)).all()
    assert coverage.sum() * 360 / regions == pytest.approx(geometry.fov_degrees)


def test_a_view_across_the_south_meets_its_region_twice() -> None:
    weights, coverage = ground_region_weights(
        36, Perspective(300, "cylindrical"), 1, torch.tensor([0.0])
    )
    assert coverage.item() == pytest.approx(300 / 360)
    np.testing.assert_allclose(weights[0, 0], 1 / 36)
    # Region 0 runs from 180 to 270. A view of 330 degrees to 45 sees 240 to 270 at its left edge,
    # and 180 to 210 at its right.
    weights, coverage = ground_region_weights(
        33, Perspective(330, "cylindrical"), 4, torch.tensor([45.0])
    )
    np.testing.assert_allclose(coverage[0], [60 / 90, 1, 1, 1], atol=1e-9)
    np.testing.assert_allclose(weights[0, 0, :3], 1 / 6, atol=1e-9)
    np.testing.assert_allclose(weights[0, 0, 3:30], 0, atol=1e-9)
    np.testing.assert_allclose(weights[0, 0, 30:], 1 / 6, atol=1e-9)


def test_sectors_of_an_even_map_are_its_quadrants() -> None:
    weights = aerial_region_weights(6, 8, 4)[0, :, 0].numpy()
    for region, (rows, columns) in enumerate(
        [
            (slice(3, 6), slice(0, 4)),
            (slice(0, 3), slice(0, 4)),
            (slice(0, 3), slice(4, 8)),
            (slice(3, 6), slice(4, 8)),
        ]
    ):
        expected = np.zeros((6, 8))
        expected[rows, columns] = 1 / 12
        np.testing.assert_allclose(weights[region], expected)


def test_sectors_of_an_odd_map_share_the_middle() -> None:
    weights = aerial_region_weights(3, 3, 4)[0, :, 0].numpy()
    np.testing.assert_allclose(weights[1], np.array([[4, 2, 0], [2, 1, 0], [0, 0, 0]]) / 9)


@pytest.mark.parametrize("regions", [1, 2, 3, 4, 6])
def test_phases_turn_sectors(regions: int) -> None:
    """Phase j of p regions begins where sector j of r * p finer sectors does."""
    fine = aerial_region_weights(8, 8, regions * 4)[0, :, 0].numpy()
    fine_areas = _areas(8, 8, regions * 4)
    phases = aerial_region_weights(8, 8, regions, phases=4)[:, :, 0].numpy()
    for phase in range(4):
        for region in range(regions):
            members = [(region * 4 + phase + i) % (regions * 4) for i in range(4)]
            sums = sum(fine[m] * fine_areas[m] for m in members)
            np.testing.assert_allclose(
                phases[phase, region], sums / sums.sum(), atol=0.01, err_msg=f"{phase} {region}"
            )
    np.testing.assert_allclose(phases.sum(axis=(2, 3)), 1)


def _areas(height: int, width: int, regions: int) -> np.ndarray:
    y, x = np.mgrid[0 : height : height * 64j, 0 : width : width * 64j]
    bearing = np.degrees(np.arctan2(x - width / 2, height / 2 - y)) - 180
    sector = ((bearing % 360) / (360 / regions)).astype(int) % regions
    return np.bincount(sector.ravel(), minlength=regions) / sector.size


@pytest.mark.parametrize(
    "geometry",
    [Panorama(), Aerial(), Perspective(90), Perspective(70.5), Perspective(180, "cylindrical")],
)
def test_names_are_read_back(geometry: Panorama | Aerial | Perspective) -> None:
    assert read_geometry(str(geometry)) == geometry
    assert require_geometry(geometry) is geometry


@pytest.mark.parametrize(
    "text", ["square", "", "perspective", "panorama:360", "perspective:wide", "crop:", "aerial:1"]
)
def test_names_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="must be"):
        read_geometry(text)


@pytest.mark.parametrize(
    ("fov", "projection"),
    [
        (0, "planar"),
        (180, "planar"),
        (361, "cylindrical"),
        (math.nan, "planar"),
        (True, "planar"),
        ("90", "planar"),
        (90, "round"),
    ],
)
def test_views_that_cannot_be(fov: object, projection: str) -> None:
    with pytest.raises(UsageError, match="must be"):
        Perspective(fov, projection)  # type: ignore[arg-type]


def test_a_name_is_no_geometry() -> None:
    with pytest.raises(UsageError, match="Got 'panorama'"):
        require_geometry("panorama")


@pytest.mark.parametrize(("height", "bands"), [(8, 4), (5, 2), (3, 4), (7, 1)])
def test_bands_share_rows_by_their_height_the_lowest_first(height: int, bands: int) -> None:
    fine = 120  # divides into all of these: a slow count of thin slices
    weights = ground_band_weights(height, bands).numpy()
    for band in range(bands):
        expected = np.zeros(height)
        for slice_ in range(fine * bands):
            from_the_bottom = (slice_ + 0.5) / (fine * bands)
            if int(from_the_bottom * bands) == band:
                expected[int((1 - from_the_bottom) * height)] += 1 / fine
        np.testing.assert_allclose(weights[band], expected, atol=0.03)
    np.testing.assert_allclose(weights.sum(axis=1), 1)


def test_rings_divide_sectors_by_distance_from_the_middle() -> None:
    height, width, regions, rings = 6, 8, 4, 3
    weights = aerial_region_weights(height, width, regions, rings=rings)[0].numpy()
    np.testing.assert_allclose(weights.sum(axis=(2, 3)), 1)
    counts = np.zeros((regions, rings, height, width))
    for south in (np.arange(height * 16) + 0.5) / 16:
        for east in (np.arange(width * 16) + 0.5) / 16:
            x, y = 2 * east / width - 1, 1 - 2 * south / height
            region = {(-1, -1): 0, (-1, 1): 1, (1, 1): 2, (1, -1): 3}[np.sign(x), np.sign(y)]
            ring = min(int(np.hypot(x, y) * rings), rings - 1)
            counts[region, ring, int(south), int(east)] += 1
    np.testing.assert_allclose(weights, counts / counts.sum(axis=(2, 3), keepdims=True))


def test_a_ring_without_a_cell_weighs_nothing() -> None:
    weights = aerial_region_weights(2, 2, 90, rings=40)
    assert torch.isfinite(weights).all()
    assert (weights.sum(dim=(3, 4)).round(decimals=9).unique() <= 1).all()
    assert (weights.sum(dim=(3, 4)) == 0).any()
