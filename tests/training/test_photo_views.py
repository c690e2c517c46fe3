"""What training does to single photos."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.training.photos.views import PhotoViews, draw_photo_crops

from .photo_sets import tiny_global

IDS = [f"photo {number}" for number in range(400)]


@settings(max_examples=30, deadline=None)
@given(
    shape=st.floats(0.2, 5.0),
    smallest=st.floats(0.3, 1.0),
    widest=st.floats(1.0, 3.0),
)
def test_crops_lie_in_the_photo_and_have_the_proportions(
    shape: float, smallest: float, widest: float
) -> None:
    crops = draw_photo_crops(
        IDS[:50], np.full(50, shape), smallest=smallest, widest=widest, seed=1, epoch=2
    )
    top, left, height, width = crops.T
    assert (crops >= 0).all()
    assert (top + height <= 1 + 1e-9).all()
    assert (left + width <= 1 + 1e-9).all()
    ratio = width / height * shape
    assert ((ratio >= 1 / widest - 1e-9) & (ratio <= widest + 1e-9)).all()
    area = height * width
    fits = smallest * shape <= widest and smallest / shape <= widest
    if fits:
        assert (area >= smallest - 1e-9).all()
    else:  # the largest crop of the nearest proportions
        nearest = np.clip(shape, 1 / widest, widest)
        np.testing.assert_allclose(area, min(nearest / shape, shape / nearest), rtol=1e-9)


def test_crops_use_all_that_is_allowed_and_hang_on_id_seed_and_epoch() -> None:
    shapes = np.full(400, 1.5)
    known = {"smallest": 0.7, "widest": 4 / 3}
    crops = draw_photo_crops(IDS, shapes, **known, seed=0, epoch=0)
    area, ratio = crops[:, 2] * crops[:, 3], crops[:, 3] / crops[:, 2] * 1.5
    assert area.min() < 0.71
    assert ratio.min() < 1.08
    assert ratio.max() > 1.32
    again = draw_photo_crops(IDS[::-1], shapes, **known, seed=0, epoch=0)
    np.testing.assert_array_equal(again[::-1], crops)
    for seed, epoch in ((1, 0), (0, 1)):
        other = draw_photo_crops(IDS, shapes, **known, seed=seed, epoch=epoch)
        assert not np.array_equal(other, crops)
    unknown = draw_photo_crops(IDS, np.full(400, np.nan), **known, seed=0, epoch=0)
    square = draw_photo_crops(IDS, np.ones(400), **known, seed=0, epoch=0)
    np.testing.assert_array_equal(unknown, square)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_a_crop_shows_its_part_of_the_photo() -> None:
    recipe = tiny_global(crop_area=0.5)
    views = PhotoViews(recipe, (40, 40))
    down = torch.arange(80).view(1, 1, 80, 1).expand(1, 3, 80, 80)
    pixels = down.to(torch.uint8).contiguous()
    shapes = np.array([1.2])
    seen = views.changed(pixels, ["a"], shapes, epoch=3, generator=generator())
    (crop,) = draw_photo_crops(["a"], shapes, smallest=0.5, widest=4 / 3, seed=0, epoch=3)
    assert seen.shape == (1, 3, 40, 40)
    wanted = 80 * (crop[0] + crop[2] * (np.arange(40) + 0.5) / 40) - 0.5
    np.testing.assert_allclose(255 * seen[0, 0, :, 7].numpy(), wanted.clip(0, 79), atol=0.01)


def test_half_of_the_photos_are_mirrored_and_nothing_asked_for_changes_nothing() -> None:
    pixels = torch.randint(0, 256, (200, 3, 4, 6), dtype=torch.uint8, generator=generator())
    shapes = np.full(200, np.nan)
    plain = PhotoViews(tiny_global(), (4, 6))
    assert plain.changed(pixels, IDS[:200], shapes, epoch=0, generator=generator()) is pixels
    mirroring = PhotoViews(tiny_global(mirror=True), (4, 6))
    seen = mirroring.changed(pixels, IDS[:200], shapes, epoch=0, generator=generator())
    kept, turned = (
        torch.tensor([torch.equal(a, b) for a, b in zip(seen, wanted, strict=True)])
        for wanted in (pixels, pixels.flip(3))
    )
    assert 70 < int(kept.sum()) < 130
    assert bool((kept ^ turned).all())


@pytest.mark.parametrize("key", ["colour_jitter", "noise", "erase"])
def test_light_noise_and_holes_are_drawn_anew_in_every_epoch(key: str) -> None:
    views = PhotoViews(tiny_global(**{key: 0.9}), (16, 16))
    pixels = torch.full((8, 3, 16, 16), 90, dtype=torch.uint8)
    first, second = (
        views.changed(pixels, IDS[:8], np.full(8, np.nan), epoch=epoch, generator=generator())
        for epoch in (0, 1)
    )
    assert first.min() >= 0
    assert first.max() <= 1
    assert not torch.equal(first, second)
