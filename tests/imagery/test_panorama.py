from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import UsageError
from sightline.imagery import SphereCrop, perspective_views, whole_sphere


def noise(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (rows, columns, 3), dtype=np.uint8)


def slow_view(pixels: np.ndarray, fov: float, heading: float, size: tuple[int, int]) -> np.ndarray:
    """Rotate one ray after the other and read the picture at its place: float64 (h, w, 3)."""
    rows, columns = pixels.shape[:2]
    height, width = size
    focal = width / 2 / math.tan(math.radians(fov / 2))
    view = np.empty((height, width, 3))

    def pixel(row: int, column: int) -> np.ndarray:
        if row < 0:
            row, column = -1 - row, column + columns // 2
        elif row >= rows:
            row, column = 2 * rows - 1 - row, column + columns // 2
        return pixels[row, column % columns].astype(float)

    turn = math.radians(heading)
    for i in range(height):
        for j in range(width):
            right, down, ahead = j + 0.5 - width / 2, i + 0.5 - height / 2, focal
            east = right * math.cos(turn) + ahead * math.sin(turn)
            north = -right * math.sin(turn) + ahead * math.cos(turn)
            lon = math.atan2(east, north)
            lat = math.asin(-down / math.sqrt(right**2 + down**2 + ahead**2))
            u = (lon / (2 * math.pi) + 0.5) * columns - 0.5
            v = (0.5 - lat / math.pi) * rows - 0.5
            c, r = math.floor(u), math.floor(v)
            a, b = u - c, v - r
            view[i, j] = (1 - b) * ((1 - a) * pixel(r, c) + a * pixel(r, c + 1)) + b * (
                (1 - a) * pixel(r + 1, c) + a * pixel(r + 1, c + 1)
            )
    return view


@settings(max_examples=40, deadline=None)
@given(
    columns=st.sampled_from([2, 16, 48]),
    fov=st.floats(1, 175),
    heading=st.floats(-720, 720),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
def test_against_a_slow_oracle(columns, fov, heading, size):
    pixels = noise(columns // 2, columns)
    (view,) = perspective_views(pixels, fov_degrees=fov, headings=[heading], size=size)
    assert view.shape == (*size, 3)
    assert view.dtype == np.uint8
    # float32 row positions at 48 columns: far less than one grey level, plus rounding.
    assert np.abs(view - slow_view(pixels, fov, heading, size)).max() <= 0.6


@pytest.mark.parametrize("size", [(31, 3), (64, 2)])
def test_tall_views_cross_the_poles(size):
    pixels = noise(8, 16)
    for heading in (0, 77, 180):
        (view,) = perspective_views(pixels, fov_degrees=60, headings=[heading], size=size)
        assert np.abs(view - slow_view(pixels, 60, heading, size)).max() <= 0.6


def test_the_centre_looks_where_it_says():
    """A picture whose red is the direction of each column: the view's centre reads its heading."""
    columns = 360
    pixels = np.zeros((180, columns, 3), np.uint8)
    lon = (np.arange(columns) + 0.5) / columns * 360 - 180
    pixels[..., 0] = np.round(127.5 + 127 * np.cos(np.radians(lon)))
    pixels[..., 1] = np.round(127.5 + 127 * np.sin(np.radians(lon)))
    for heading, view in zip((0, 90, 180, 270, 45), perspective_views(
        pixels, headings=(0, 90, 180, 270, 45), size=31
    ), strict=True):  # fmt: skip
        red, green = (view[15, 15, :2].astype(float) - 127.5) / 127
        assert math.degrees(math.atan2(green, red)) % 360 == pytest.approx(heading, abs=1) or (
            heading == 0
        )
        assert red == pytest.approx(math.cos(math.radians(heading)), abs=0.02)


def test_the_seam_cannot_be_seen():
    pixels = noise(64, 128)
    behind = perspective_views(pixels, headings=[180], size=40)[0]
    turned = perspective_views(np.roll(pixels, 64, axis=1), headings=[0], size=40)[0]
    assert np.array_equal(behind, turned)


def test_round_trip_from_views_back_to_the_sphere():
    """Paint a smooth sphere, cut it into views, and read each view's pixels back by their ray."""
    rows, columns = 256, 512
    lon = (np.arange(columns) + 0.5) / columns * 2 * np.pi - np.pi
    lat = np.pi / 2 - (np.arange(rows) + 0.5) / rows * np.pi
    x = np.cos(lat)[:, None] * np.sin(lon)
    y = np.cos(lat)[:, None] * np.cos(lon)
    z = np.sin(lat)[:, None] + 0 * lon
    pixels = np.round(127.5 + 127 * np.stack([x, y, z], -1)).astype(np.uint8)
    size = 65
    for heading, view in zip((0, 90, 180, 270), perspective_views(pixels, size=size), strict=True):
        rays = (view.astype(float) - 127.5) / 127
        focal = size / 2
        turn = math.radians(heading)
        grid = np.arange(size) + 0.5 - size / 2
        right, down = np.meshgrid(grid, grid)
        east = right * math.cos(turn) + focal * math.sin(turn)
        north = -right * math.sin(turn) + focal * math.cos(turn)
        expected = np.stack([east, north, -down], -1)
        expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
        assert np.abs(rays - expected).max() < 0.015


def test_neighbouring_views_meet():
    pixels = np.zeros((128, 256, 3), np.uint8)
    pixels[...] = (127 + 120 * np.sin(np.arange(256) * 2 * np.pi / 256))[None, :, None].round()
    views = perspective_views(pixels)
    assert [view.shape for view in views] == [(64, 64, 3)] * 4
    for left, right in zip(views, views[1:] + views[:1], strict=True):
        assert np.abs(left[:, -1].astype(int) - right[:, 0]).max() <= 6


def test_large_views_are_not_kept_in_memory():
    from sightline.imagery.panorama import _grid

    before = _grid.cache_info().currsize
    perspective_views(noise(4, 8), headings=[0], size=1025)
    assert _grid.cache_info().currsize == before
    small = [perspective_views(noise(4, 8), headings=[0], size=13)[0] for _ in range(2)]
    assert _grid.cache_info().hits > 0
    assert np.array_equal(*small)


@pytest.mark.parametrize(
    ("pixels", "options", "words"),
    [
        (np.zeros((4, 8), np.uint8), {}, "shape"),
        (np.zeros((4, 8, 3), np.float32), {}, "uint8"),
        (np.zeros((0, 8, 3), np.uint8), {}, "shape"),
        (np.zeros((4, 8, 3), np.uint8), {"fov_degrees": 180}, "180"),
        (np.zeros((4, 8, 3), np.uint8), {"fov_degrees": float("nan")}, "nan"),
        (np.zeros((4, 8, 3), np.uint8), {"size": (0, 3)}, "positive"),
    ],
)
def test_wrong_arguments(pixels, options, words):
    with pytest.raises(UsageError, match=words):
        perspective_views(pixels, **options)


def test_whole_sphere():
    pixels = noise(40, 128)
    whole = whole_sphere(pixels, SphereCrop(256, 128, 28, 80))
    assert whole.shape == (64, 128, 3)
    assert np.array_equal(whole[14:54], pixels)
    assert (whole[:14] == pixels[0]).all()
    assert (whole[54:] == pixels[-1]).all()
