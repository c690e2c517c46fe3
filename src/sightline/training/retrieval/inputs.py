"""What a network for retrieval takes of pairs: stored vectors, or pixels changed at random."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.errors import TrainingDataError
from sightline.training.cross_view.pair_data import Rows
from sightline.training.data.loading import BatchLoader, PhotoPixels
from sightline.training.data.pixels import PixelSource
from sightline.training.loops.faults import too_many_broken
from sightline.training.loops.loop import step_seed
from sightline.training.loops.processes import Processes
from sightline.training.loops.watching import Watcher
from sightline.training.photos.features import Features
from sightline.training.photos.photo_data import PhotoData
from sightline.training.photos.views import PhotoViews
from sightline.training.retrieval.recipe import RetrievalRecipe

_NOISE = 0x271

Loaded = Iterator[tuple[Rows, Tensor, Tensor]]


class StoredInputs:
    """Stored vectors of photos.

    Args:
        features: All of them.
        data: The photos; none of training is broken.
        processes: Where they are used.
    """

    def __init__(self, features: Features, data: PhotoData, processes: Processes) -> None:
        self._features, self._data, self._device = features, data, processes.device

    def load(self, batches: Sequence[Rows], *, epoch: int, first: int) -> Loaded:  # noqa: ARG002
        """Yield the pairs (n, 2) of each batch, and both vectors float32 (n, d) of them."""
        for pairs in batches:
            one, other = (self.take(self._data.train[column])[0] for column in pairs.T)
            yield pairs, one.to(self._device), other.to(self._device)

    def take(self, photos: Rows) -> tuple[Tensor, NDArray[np.bool_]]:
        """Vectors float32 (n, d) of photos by their numbers, and which could not be read."""
        vectors, broken = self._features.take(photos)
        return torch.from_numpy(vectors), broken


class PixelInputs:
    """Pixels of photos, cropped and mirrored anew in every epoch.

    Args:
        recipe: How they are changed.
        data: The photos.
        size: (height, width) of what the network sees.
        stored: Pixels to crop from.
        asked: Pixels at network size.
        processes: Where they are used.
        watcher: Is told what is skipped.
    """

    def __init__(
        self,
        recipe: RetrievalRecipe,
        data: PhotoData,
        size: tuple[int, int],
        stored: PixelSource,
        asked: PixelSource,
        processes: Processes,
        watcher: Watcher,
    ) -> None:
        self._recipe, self._data, self._asked = recipe, data, asked
        self._processes, self._watcher = processes, watcher
        self._broken: set[int] = set()
        self._views = PhotoViews(recipe, size)
        self._loader = BatchLoader(
            PhotoPixels(data.train, stored),
            workers=recipe.workers,
            pin=processes.device.type == "cuda",
            note=watcher.note,
        )

    def load(self, batches: Sequence[Rows], *, epoch: int, first: int) -> Loaded:
        """Yield the pairs (n, 2) of each batch that can be read, and both photos of them."""
        device, recipe = self._processes.device, self._recipe
        rows = [pairs.T.ravel() for pairs in batches]
        coming = self._loader.load(rows)
        for number, (pairs, loaded) in enumerate(zip(batches, coming, strict=True), start=first):
            broken = np.asarray(loaded.broken.reshape(2, -1).any(axis=0), bool)
            kept = np.tile(~broken, 2)
            if broken.any():
                self._require_few(loaded.rows[loaded.broken])
                self._require_some(pairs, broken)
            numbers = self._data.train[loaded.rows[kept]]
            generator = torch.Generator(device)
            seed = (epoch << 32) + number, _NOISE + self._processes.rank
            generator.manual_seed(step_seed(recipe.seed, *seed))
            seen = self._views.changed(
                loaded.pixels[torch.from_numpy(kept)].to(device, non_blocking=True),
                [self._data.photos.ids[row] for row in numbers.tolist()],
                self._data.proportions[numbers],
                epoch=epoch,
                generator=generator,
            )
            one, other = seen.chunk(2)
            yield pairs[~broken], one, other

    def take(self, photos: Rows) -> tuple[Tensor, NDArray[np.bool_]]:
        """Pixels uint8 (n, 3, h, w) of photos by their numbers, and which could not be read."""
        pixels, broken = self._asked.take(photos)
        return torch.from_numpy(pixels), broken

    def _require_few(self, rows: Rows) -> None:
        """Count photos that cannot be used; too many are an error."""
        self._broken |= set(rows.tolist())
        count, allowed = len(self._data.train), self._recipe.bad_images
        if len(self._broken) > allowed * count:
            file = self._data.file_of(min(self._broken))
            raise too_many_broken(len(self._broken), count, allowed, file, what="photos")

    def _require_some(self, pairs: Rows, broken: NDArray[np.bool_]) -> None:
        left = int((~broken).sum())
        if left < (2 if self._processes.count == 1 else 1):
            raise TrainingDataError(
                f"Of the {len(pairs)} pairs of a batch {left} can be read.",
                hint="Take a larger batch_size, or leave out the broken files "
                "(`sightline dataset doctor` lists them).",
            )
        file = self._data.file_of(int(pairs[broken][0, 0]))
        self._watcher.note(f"{int(broken.sum())} pairs are skipped: {file} or its like is broken.")
