"""What training does to single photos: crops, mirrors, light and colour.

All of it happens on the device, for a batch at once. What is random hangs on a photo's id, the seed
and the epoch alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.datasets.seeding import uniform_of_ids
from sightline.training.cross_view.views import cropped, numbers_of, recoloured
from sightline.training.photos.recipe import PhotoRecipe

Floats = NDArray[np.float64]

_CROP, _MIRROR = "crop of a photo", "mirror of a photo"


def draw_photo_crops(
    ids: Sequence[str],
    proportions: Floats,
    *,
    smallest: float,
    widest: float,
    seed: int,
    epoch: int,
) -> Floats:
    """Draw a crop of each photo: its share of the area, its proportions, and where it lies.

    Kordopatis-Zilos et al., *Leveraging EfficientNet and Contrastive Learning* (2021), section 4.2:
    "randomly cropping image areas that cover at least 70% of the original images with an aspect
    ratio in the range from 3/4 to 4/3". Proportions are uniform in their logarithm among those that
    allow such an area, and the area is uniform among those that the proportions allow. (They do not
    say how they draw; torchvision draws both freely, and again until it fits.) A photo that is
    too long for both gets the largest crop of the nearest proportions.

    Args:
        ids: (n,) photos.
        proportions: (n,) width over height of each; NaN, unknown, is taken as 1.
        smallest: Share of the area.
        widest: From 1 / widest to widest.
        seed: Decides the crops, with the epoch.
        epoch: Of training.

    Returns:
        float64 (n, 4): top, left, height and width, in shares of the photo.
    """
    drawn = uniform_of_ids(ids, _CROP, seed=seed, epoch=epoch, values=4)
    shape = np.where(np.isnan(proportions), 1.0, proportions)
    low, high = np.maximum(1 / widest, smallest * shape), np.minimum(widest, shape / smallest)
    # Where none fits, the bound that is nearest to the photo's own proportions.
    none = low > high
    bound = np.clip(shape, 1 / widest, widest)
    low, high = np.where(none, bound, low), np.where(none, bound, high)
    ratio = low * (high / low) ** drawn[:, 0]
    largest = np.minimum(ratio / shape, shape / ratio)
    area = largest - (largest - np.minimum(smallest, largest)) * drawn[:, 1]
    # Height and width of the crop in shares of the photo's: their quotient is ratio / shape.
    width = np.sqrt(area * ratio / shape)
    sides = np.minimum(np.stack([area / width, width], axis=1), 1.0)
    return np.concatenate([(1.0 - sides) * drawn[:, 2:], sides], axis=1)


class PhotoViews:
    """Makes the changes that a recipe asks for.

    Args:
        recipe: Which.
        size: (height, width) of what the network sees.
    """

    def __init__(self, recipe: PhotoRecipe, size: tuple[int, int]) -> None:
        self._recipe, self._size = recipe, size

    def changed(
        self,
        pixels: Tensor,
        ids: Sequence[str],
        proportions: Floats,
        *,
        epoch: int,
        generator: torch.Generator,
    ) -> Tensor:
        """Photos as stored (n, 3, H, W) to what the network sees (n, 3, h, w).

        Args:
            pixels: uint8, on the device.
            ids: (n,).
            proportions: (n,) width over height of the files; NaN where unknown.
            epoch: Of training.
            generator: Of the noise, on the device.

        Returns:
            Floats from 0 to 1, or bytes where nothing but mirrors was asked for.
        """
        recipe = self._recipe
        if recipe.crop_area < 1:
            crops = draw_photo_crops(
                ids,
                proportions,
                smallest=recipe.crop_area,
                widest=recipe.crop_ratio,
                seed=recipe.seed,
                epoch=epoch,
            )
            pixels = cropped(pixels, crops, self._size)
        if recipe.mirror:
            drawn = uniform_of_ids(ids, _MIRROR, seed=recipe.seed, epoch=epoch)[:, 0]
            mirrored = torch.from_numpy(drawn < 0.5).to(pixels.device)
            pixels = torch.where(mirrored[:, None, None, None], pixels.flip(3), pixels)
        return recoloured(
            pixels,
            numbers_of(ids, "photo", seed=recipe.seed, epoch=epoch),
            jitter=recipe.colour_jitter,
            noise=recipe.noise,
            erase=recipe.erase,
            generator=generator,
        )
