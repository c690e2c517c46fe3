"""Photos and patches are turned, mirrored and cut so that they still show each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sightline.datasets.preparation import Crop, crop_pixels
from sightline.training.cross_view.views import Views, numbers_of, recoloured

from .recipes import tiny

SIDE, WIDTH = 65, 72
IDS = [f"photo {n}" for n in range(40)]


def marked_patch(bearing: float) -> np.ndarray:
    """A patch with a bright spot in a direction, north up."""
    patch = np.zeros((3, SIDE, SIDE), np.uint8)
    angle = np.radians(bearing)
    row = round(SIDE // 2 - 24 * np.cos(angle))
    column = round(SIDE // 2 + 24 * np.sin(angle))
    patch[:, row - 2 : row + 3, column - 2 : column + 3] = 255
    return patch


def bearing_of(patch: Tensor) -> float:
    rows, columns = (axis.float().mean() - SIDE // 2 for axis in (patch[0] > 128).nonzero().T)
    return float(torch.rad2deg(torch.atan2(columns, -rows))) % 360


def marked_photo(bearing: float, heading: float, width: int = WIDTH) -> np.ndarray:
    """A panorama whose centre column looks along ``heading``, bright in one direction."""
    photo = np.zeros((3, 4, width), np.uint8)
    column = round((bearing - heading) / 360 * width + width / 2 - 0.5)
    photo[:, :, column % width] = 255
    return photo


def column_of(photo: Tensor) -> float:
    return float((photo[0, 0] > 128).nonzero().float().mean())


def made(
    recipe: Any,
    headings: np.ndarray,
    photos: list[np.ndarray],
    patches: list[np.ndarray],
    epoch: int | None,
) -> tuple[Tensor, Tensor, np.ndarray | None]:
    views = Views(recipe)
    changes = views.draw(IDS[: len(photos)], headings, epoch=epoch)
    ground = views.ground(torch.from_numpy(np.stack(photos)), changes)
    aerial = views.aerial(torch.from_numpy(np.stack(patches)), changes)
    return ground, aerial, changes.headings


def apart(a: float, b: float) -> float:
    return abs((a - b + 180) % 360 - 180)


@pytest.mark.parametrize("epoch", [None, 0, 1])
@pytest.mark.parametrize("architecture", ["average", "frgeo"])
def test_aligned_pairs_stay_aligned(epoch: int | None, architecture: str) -> None:
    recipe = tiny(
        architecture=architecture,
        ground_size=(8, WIDTH),
        aerial_size=(SIDE, SIDE),
        mirror=True,
        quarter_turns=True,
    )
    rng = np.random.default_rng(0)
    bearings, headings = rng.uniform(0, 360, 40), rng.uniform(0, 360, 40)
    photos = [marked_photo(b, h) for b, h in zip(bearings, headings, strict=True)]
    ground, aerial, told = made(recipe, headings, photos, list(map(marked_patch, bearings)), epoch)
    assert told is None
    turned = set()
    for photo, patch, bearing in zip(ground, aerial, bearings, strict=True):
        # The centre column looks where the patch is up.
        seen = (column_of(photo) + 0.5) / WIDTH * 360 - 180
        assert apart(seen, bearing_of(patch)) < 9
        turned.add(round(apart(bearing_of(patch), bearing) / 15))
        if epoch is None:
            assert apart(bearing_of(patch), bearing) < 4
    assert (len(turned) > 3) == (epoch is not None)


@pytest.mark.parametrize("heading", ["known", "unknown"])
@pytest.mark.parametrize("epoch", [None, 0])
def test_headings_that_are_told_are_those_of_the_patch(heading: str, epoch: int | None) -> None:
    recipe = tiny(
        architecture="frgeo",
        ground="crop:90",
        heading=heading,
        ground_size=(8, 18),
        aerial_size=(SIDE, SIDE),
        mirror=epoch is not None,
        quarter_turns=epoch is not None,
    )
    assert recipe.stored_ground_size == (8, WIDTH)
    rng = np.random.default_rng(1)
    bearings, headings = rng.uniform(0, 360, 40), rng.uniform(0, 360, 40)
    photos = [marked_photo(b, h) for b, h in zip(bearings, headings, strict=True)]
    ground, aerial, told = made(recipe, headings, photos, list(map(marked_patch, bearings)), epoch)
    assert ground.shape == (40, 3, 4, 18)
    if heading == "unknown" and epoch is None:
        assert told is None
        views = Views(recipe)
        told = views.draw(IDS, headings, reveal=True).headings
    assert told is not None
    seen = 0
    for photo, patch, looks in zip(ground, aerial, told, strict=True):
        off = ((bearing_of(patch) - looks + 180) % 360) - 180
        if abs(off) < 38:
            assert abs((column_of(photo) + 0.5) / 18 * 90 - 45 - off) < 9
            seen += 1
        elif abs(off) > 52:
            assert not (photo > 128).any()
    assert seen > 3


def test_photos_that_are_no_panoramas_are_mirrored_at_most() -> None:
    recipe = tiny(
        architecture="frgeo",
        ground="perspective:90",
        heading="known",
        ground_size=(8, 16),
        aerial_size=(SIDE, SIDE),
        mirror=True,
    )
    photos = [np.arange(16, dtype=np.uint8)[None, None].repeat(3, 0).repeat(4, 1) for _ in IDS]
    headings = np.full(40, 30.0)
    ground, _, told = made(recipe, headings, photos, [marked_patch(10.0)] * 40, 0)
    assert told is not None
    for photo, looks in zip(ground, told, strict=True):
        row = photo[0, 0].tolist()
        assert (row, looks) in (
            (list(range(16)), 30.0),
            (list(range(15, -1, -1)), 330.0),
        )
    assert set(told.tolist()) == {30.0, 330.0}


def test_unknown_headings_are_the_same_in_every_test_and_new_in_every_epoch() -> None:
    views = Views(tiny(heading="unknown"))
    none = np.full(40, np.nan)
    first, again = views.draw(IDS, none), views.draw(IDS, none)
    assert np.array_equal(first.start, again.start)
    assert len(set(first.start.tolist())) > 20
    assert first.headings is None
    epochs = [views.draw(IDS, none, epoch=epoch).start for epoch in (0, 1)]
    assert not np.array_equal(*epochs)
    assert np.array_equal(epochs[0][:5], views.draw(IDS[:5], none[:5], epoch=0).start)


def test_crops_are_those_that_were_drawn() -> None:
    recipe = tiny(aerial_size=(SIDE, SIDE), aerial_crop=0.7)
    views = Views(recipe)
    rng = np.random.default_rng(0)
    patches = rng.integers(0, 256, (40, 3, SIDE, SIDE), np.uint8)
    changes = views.draw(IDS, np.zeros(40), epoch=0)
    assert changes.crops is not None
    assert changes.crops[:, 2:].min() >= 0.7
    # A smooth ramp shows which part was taken.
    ramp = torch.linspace(0, 1, SIDE)
    images = torch.stack(
        [
            ramp[:, None].expand(SIDE, SIDE),
            ramp.expand(SIDE, SIDE),
            ramp.expand(SIDE, SIDE),
        ]
    )
    cut = views.aerial(images.expand(40, 3, SIDE, SIDE), changes)
    for image, (top, left, height, width) in zip(cut, changes.crops, strict=True):
        middle = SIDE // 2
        place = (np.array([top + height / 2, left + width / 2]) * SIDE - 0.5) / (SIDE - 1)
        assert float(image[0, middle, middle]) == pytest.approx(place[0], abs=1e-4)
        assert float(image[1, middle, middle]) == pytest.approx(place[1], abs=1e-4)
        slope = float(image[0, -2, 5] - image[0, 1, 5]) / (SIDE - 3)
        assert slope == pytest.approx(height / (SIDE - 1), rel=1e-3)
    floats = views.aerial(torch.from_numpy(patches), changes)
    assert floats.dtype == torch.float32
    part = crop_pixels(patches[0].transpose(1, 2, 0), Crop(*changes.crops[0]))
    assert float(floats[0].mean()) == pytest.approx(part.mean() / 255, abs=0.02)
    assert views.draw(IDS, np.zeros(40)).crops is None


def test_nothing_to_do_leaves_the_bytes() -> None:
    views = Views(tiny(ground="perspective:90"))
    pixels = torch.zeros(2, 3, 32, 64, dtype=torch.uint8)
    changes = views.draw(IDS[:2], np.zeros(2), epoch=0)
    assert views.ground(pixels, changes) is pixels
    assert views.aerial(pixels, changes) is pixels
    generator = torch.Generator()
    same = recoloured(pixels, np.zeros((2, 12)), jitter=0, noise=0, erase=0, generator=generator)
    assert same is pixels


def test_colours_hang_on_the_id_and_stay_within_the_scale() -> None:
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 3, 24, 30), np.uint8))
    numbers = numbers_of(IDS[:3], "ground", seed=0, epoch=4)
    assert numbers.shape == (3, 12)
    assert np.array_equal(numbers[1:], numbers_of(IDS[1:3], "ground", seed=0, epoch=4))
    assert not np.array_equal(numbers, numbers_of(IDS[:3], "aerial", seed=0, epoch=4))

    def look(part: Tensor, own: np.ndarray, **settings: float) -> Tensor:
        given = {"jitter": 0.0, "noise": 0.0, "erase": 0.0, **settings}
        generator = torch.Generator().manual_seed(1)
        return recoloured(part, own, generator=generator, **given)

    changed = look(pixels, numbers, jitter=0.5)
    assert changed.dtype == torch.float32
    assert float(changed.min()) >= 0
    assert float(changed.max()) <= 1
    torch.testing.assert_close(changed[1:], look(pixels[1:], numbers[1:], jitter=0.5))
    # The middle of all numbers changes nothing.
    middle = np.full((3, 12), 0.5)
    torch.testing.assert_close(look(pixels, middle, jitter=1.0), pixels.float() / 255)
    noisy = look(pixels, middle, noise=0.2) - pixels / 255
    assert 0.05 < float(noisy.std()) < 0.1
    numbers[:, 7] = (0.1, 0.9, 0.2)
    holed = look(pixels, numbers, erase=0.5)
    grey = ((holed == 0.5).all(dim=1)).sum(dim=(1, 2))
    assert grey.tolist()[1] == 0
    assert grey[0] == grey[2] == (24 // 4) * (30 // 6)
