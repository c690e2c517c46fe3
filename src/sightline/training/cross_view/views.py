"""What training does to the pictures of a pair, both views alike where geometry is concerned.

All of it happens on the device, for a batch at once, from bytes. What is random hangs on a photo's
id, the seed and the epoch alone: not on the order of a batch, on workers or on what came before.
Bearings are degrees clockwise from north. A pair is changed in this order: a panorama is turned, a
patch is turned by quarters, both are mirrored, a patch is cropped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from sightline.datasets.preparation import draw_crops
from sightline.datasets.seeding import uniform_of_ids
from sightline.training.cross_view.recipe import CrossViewRecipe

Floats = NDArray[np.float64]

_TURN, _QUARTER, _MIRROR = (
    "turn of a photo",
    "quarter turns of a pair",
    "mirror of a pair",
)
_CIRCLE = 360.0


@dataclass(frozen=True, slots=True, eq=False)
class ViewChanges:
    """What is done to each of n pairs.

    Attributes:
        start: (n,) first column that is taken of a stored panorama; 0 for other photos.
        quarters: (n,) quarter turns of the patch, counter-clockwise: 1 puts east on top.
        mirrored: (n,) whether east and west change places.
        crops: (n, 4) top, left, height, width in shares; None: no crops.
        headings: (n,) bearing of the photo's centre column after all; None if nobody is told.
    """

    start: NDArray[np.int64]
    quarters: NDArray[np.int64]
    mirrored: NDArray[np.bool_]
    crops: Floats | None
    headings: Floats | None


class Views:
    """Draws and makes the changes that a recipe asks for.

    Args:
        recipe: Which.
    """

    def __init__(self, recipe: CrossViewRecipe) -> None:
        self._recipe = recipe
        self._told = recipe.recombines and recipe.heading != "aligned"
        self._stored_width = recipe.stored_ground_size[1]

    def draw(
        self,
        ids: Sequence[str],
        headings: Floats,
        *,
        epoch: int | None = None,
        reveal: bool = False,
    ) -> ViewChanges:
        """Draw the changes of n pairs.

        Args:
            ids: (n,) of the photos.
            headings: (n,) bearing of each stored photo's centre column; NaN where unknown.
            epoch: Of training; None in validation and tests, where only the turn of photos of
                unknown heading is random, and always the same.
            reveal: Tell headings although they are unknown in tests: for looking at training
                pairs from outside of it.
        """
        recipe = self._recipe
        count, known = len(ids), np.nan_to_num(headings)
        quarters = np.zeros(count, np.int64)
        mirrored = np.zeros(count, bool)
        crops = None
        if epoch is not None:
            if recipe.quarter_turns:
                quarters = (4 * self._uniform(ids, _QUARTER, epoch)).astype(np.int64)
            if recipe.mirror:
                mirrored = self._uniform(ids, _MIRROR, epoch) < 0.5
            if recipe.aerial_crop < 1:
                crops = draw_crops(ids, seed=recipe.seed, epoch=epoch, smallest=recipe.aerial_crop)
        turn = np.zeros(count)
        if recipe.from_panoramas:
            turn = (
                90.0 * quarters - known
                if recipe.heading == "aligned"
                else _CIRCLE * self._uniform(ids, _TURN, epoch)
            )
        columns = np.rint(turn * (self._stored_width / _CIRCLE)).astype(np.int64)
        start = columns + (self._stored_width - recipe.ground_size[1]) // 2
        looks = known + columns * (_CIRCLE / self._stored_width) - 90.0 * quarters
        hidden = recipe.heading == "unknown" and epoch is None and not reveal
        told = self._told and not hidden
        return ViewChanges(
            start % self._stored_width if recipe.from_panoramas else np.zeros(count, np.int64),
            quarters,
            mirrored,
            crops,
            np.mod(np.where(mirrored, -looks, looks), _CIRCLE) if told else None,
        )

    def ground(self, pixels: Tensor, changes: ViewChanges) -> Tensor:
        """Photos as stored (n, 3, h, W) to what the network sees (n, 3, h, w), same type."""
        stored, width = pixels.shape[3], self._recipe.ground_size[1]
        plain = stored == width and not changes.start.any()
        if plain and not changes.mirrored.any():
            return pixels
        columns = (changes.start[:, None] + np.arange(width)) % stored
        columns = np.where(changes.mirrored[:, None], columns[:, ::-1], columns)
        index = torch.from_numpy(columns).to(pixels.device)[:, None, None]
        return pixels.gather(3, index.expand(*pixels.shape[:3], width))

    def aerial(self, pixels: Tensor, changes: ViewChanges) -> Tensor:
        """Patches (n, 3, s, s), changed; floats from 0 to 1 where they are cropped."""
        changed = changes.quarters.any() or changes.mirrored.any()
        if changed:
            pixels = pixels.clone()
        for quarters in range(1, 4):
            rows = torch.from_numpy(np.flatnonzero(changes.quarters == quarters))
            if len(rows):
                rows = rows.to(pixels.device)
                pixels[rows] = torch.rot90(pixels[rows], quarters, (2, 3))
        rows = torch.from_numpy(np.flatnonzero(changes.mirrored))
        if len(rows):
            rows = rows.to(pixels.device)
            pixels[rows] = pixels[rows].flip(3)
        return pixels if changes.crops is None else cropped(pixels, changes.crops)

    def _uniform(self, ids: Sequence[str], purpose: str, epoch: int | None) -> Floats:
        drawn = uniform_of_ids(ids, purpose, seed=self._recipe.seed, epoch=epoch)
        return np.asarray(drawn[:, 0])


def cropped(pixels: Tensor, crops: Floats, size: tuple[int, int] | None = None) -> Tensor:
    """Parts of images, brought to one size bilinearly.

    Args:
        pixels: (n, 3, h, w), bytes or floats from 0 to 1.
        crops: (n, 4) top, left, height and width, in shares of the images.
        size: (height, width) of the results; the images' own if None. They should not be much
            smaller than the crops: nothing is averaged.

    Returns:
        Floats from 0 to 1.
    """
    top, left, height, width = crops.T
    transform = np.zeros((len(crops), 2, 3))
    # From the result's coordinates, -1 to 1 over its whole width, to those of the image.
    transform[:, 0, 0], transform[:, 0, 2] = width, 2 * left + width - 1
    transform[:, 1, 1], transform[:, 1, 2] = height, 2 * top + height - 1
    given = pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels
    theta = torch.from_numpy(transform).to(given)
    shape = [*given.shape[:2], *(size or given.shape[2:])]
    grid = functional.affine_grid(theta, shape, align_corners=False)
    return functional.grid_sample(given, grid, padding_mode="border", align_corners=False)


def numbers_of(ids: Sequence[str], view: str, *, seed: int, epoch: int) -> Floats:
    """Twelve random numbers (n, 12) in [0, 1) for the looks of each image of a view."""
    return np.concatenate(
        [
            uniform_of_ids(ids, f"colours of {view}", seed=seed, epoch=epoch, values=8),
            uniform_of_ids(ids, f"holes of {view}", seed=seed, epoch=epoch, values=4),
        ],
        axis=1,
    )


def recoloured(
    pixels: Tensor,
    numbers: Floats,
    *,
    jitter: float,
    noise: float,
    erase: float,
    generator: torch.Generator,
) -> Tensor:
    """Other light and colours, noise, and a grey rectangle, each image its own.

    Args:
        pixels: (n, 3, h, w), bytes or floats from 0 to 1.
        numbers: (n, 12) of :func:`numbers_of`.
        jitter: Strength: brightness and contrast change by up to half of it, saturation by up to
            all of it, each channel by up to a tenth of it.
        noise: Largest standard deviation; the noise is uniform, which is drawn several times as
            fast as normal noise.
        erase: Probability of the rectangle, a quarter high and a sixth wide.
        generator: Of the noise, on the pixels' device.

    Returns:
        Floats from 0 to 1; the bytes as they were if nothing is asked for.
    """
    if not (jitter or noise or erase):
        return pixels
    # In place and in few passes: on a processor these cost more than reading the images.
    images = pixels.float() if pixels.dtype == torch.uint8 else 255 * pixels
    drawn = torch.from_numpy(numbers).to(images)
    change = jitter * (2 * drawn[:, :6] - 1)
    grey = images.mean(dim=1, keepdim=True)
    middle = grey.mean(dim=(1, 2, 3))
    contrast, colour = 1 + change[:, 0] / 2, 1 + change[:, 2]
    level = middle * (1 + change[:, 1] / 2 - contrast)
    images *= (contrast * colour / 255)[:, None, None, None]
    images += grey * (contrast * (1 - colour) / 255)[:, None, None, None]
    images += (level[:, None] / 255 + change[:, 3:6] / 10)[..., None, None]
    if noise:
        width = noise * math.sqrt(12) * drawn[:, 6, None, None, None]
        images += width * (
            torch.rand(images.shape, generator=generator, device=images.device) - 0.5
        )
    if erase:
        _erase(images, numbers, erase)
    return images.clamp_(0, 1)


def _erase(images: Tensor, numbers: Floats, erase: float) -> None:
    height, width = images.shape[2:]
    tall, wide = max(1, height // 4), max(1, width // 6)
    for row in np.flatnonzero(numbers[:, 7] < erase).tolist():
        top = int(numbers[row, 8] * (height - tall + 1))
        left = int(numbers[row, 9] * (width - wide + 1))
        images[row, :, top : top + tall, left : left + wide] = 0.5
