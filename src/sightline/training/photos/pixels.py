"""The pixels of a run on single photos, and what is done about photos that are broken."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.errors import CheckpointError, TrainingDataError
from sightline.imagery import Limits
from sightline.models.photo_preprocessing import PhotoPreprocessing
from sightline.training.cross_view.pair_data import Rows
from sightline.training.data.pixels import DecodedEachTime, KeptOnDisk, Pixels, PixelSource, Read
from sightline.training.loops.faults import too_many_broken
from sightline.training.loops.processes import Processes
from sightline.training.loops.watching import Watcher
from sightline.training.photos.photo_data import PhotoData
from sightline.training.photos.recipe import PhotoRecipe
from sightline.training.photos.shards import source_of

# Thumbnails of datasets are smaller than photos that someone took.
_LIMITS = Limits(min_side=1)


def reading(preprocessing: PhotoPreprocessing) -> Read:
    """How a photo, on disk or in a shard, becomes pixels: in training as in use."""
    return partial(_read, preprocessing)


def _read(preprocessing: PhotoPreprocessing, path: Path, size: tuple[int, int]) -> Pixels:
    return preprocessing.read(source_of(path), size, limits=_LIMITS, name=str(path))


def open_photo_pixels(
    recipe: PhotoRecipe,
    size: tuple[int, int],
    preprocessing: PhotoPreprocessing,
    data: PhotoData,
    folder: Path,
    processes: Processes,
    watcher: Watcher,
    *,
    left_out: Sequence[int] | None = None,
    shown: Rows | None = None,
) -> tuple[PixelSource, PixelSource, Rows]:
    """Open the pixels of photos; where they are kept, decode what is not there yet.

    Args:
        recipe: ``pixels``, and what is done to them.
        size: (height, width) of what the network sees.
        preprocessing: From a photo to pixels.
        data: The photos.
        folder: Where pixels are kept.
        processes: The first one decodes, the others wait for it.
        watcher: Is told how far it is, and which photos are left out.
        left_out: Of a run that goes on: the training rows it was begun without.
        shown: Numbers of training photos that are looked at as in tests, too.

    Returns:
        All photos at the size that training crops from, all at network size, and the training rows
        to leave out because they are broken.

    Raises:
        CheckpointError: Photos that the run was begun with are broken now.
        TrainingDataError: More photos are broken than the recipe allows.
        OutputError: The folder cannot be written, or its disk has too little room.
    """
    paths, read, stored = data.photos.paths, reading(preprocessing), recipe.stored_at(size)
    if recipe.pixels == "read":
        decoded = [DecodedEachTime(paths, one, read) for one in (stored, size)]
        return decoded[0], decoded[1], np.empty(0, np.int64)
    others = [rows for part, rows in data.splits.items() if part != "train"]
    others += [] if shown is None else [shown]
    wanted = ((stored, data.train), (size, np.unique(np.concatenate(others))))

    def opened(one: tuple[int, int]) -> KeptOnDisk:
        name = f"photos-{preprocessing.resize}-{preprocessing.interpolation}"
        return KeptOnDisk(folder, name, paths, one, data.fingerprint, read)

    if processes.first:
        for one, rows in wanted:
            opened(one).fill(
                rows,
                progress=lambda done, total: watcher.preparing("decoding photos", done, total),
            )
    # Only now: two processes that make one file at once destroy it.
    processes.wait()
    kept, asked = opened(stored), opened(size)
    for part, rows in data.splits.items():
        if part != "train":
            refuse_broken_photos(data, part, asked.broken(rows), recipe.bad_images)
    broken = np.flatnonzero(kept.broken(data.train))
    return kept, asked, left_out_of(recipe, data, broken, folder, watcher, left_out)


def left_out_of(
    recipe: PhotoRecipe,
    data: PhotoData,
    broken: Rows,
    path: Path,
    watcher: Watcher,
    left_out: Sequence[int] | None,
) -> Rows:
    """The training rows to leave out, of those that are broken.

    Args:
        recipe: How many may be.
        data: The photos.
        broken: Training rows.
        path: Of what was made of them, for the error.
        watcher: Is told how many they are.
        left_out: Of a run that goes on: those it was begun without.

    Raises:
        CheckpointError: Photos that the run was begun with are broken now.
        TrainingDataError: More are broken than the recipe allows.
    """
    if left_out is None:
        _require_few(recipe, data, broken, watcher)
        return broken
    # Repaired ones stay out: the run's batches are made of the others.
    lost = np.setdiff1d(broken, left_out)
    if len(lost):
        raise CheckpointError(
            f"{len(lost)} training photos that the run was begun with cannot be read now. The "
            f"first is {data.file_of(int(lost[0]))}.",
            hint="Bring back the files, or begin another run.",
            path=path,
        )
    return np.array(left_out, np.int64)


def _require_few(recipe: PhotoRecipe, data: PhotoData, broken: Rows, watcher: Watcher) -> None:
    if not len(broken):
        return
    file, count = data.file_of(int(broken[0])), len(data.train)
    if len(broken) > recipe.bad_images * count:
        raise too_many_broken(len(broken), count, recipe.bad_images, file, what="photos")
    watcher.note(f"{len(broken)} photos are left out: {file} is broken.")


def refuse_broken_photos(
    data: PhotoData, part: str, broken: NDArray[np.bool_], allowed: float
) -> None:
    """Refuse a split of which too many photos cannot be read.

    Raises:
        TrainingDataError: They are more than the recipe's ``bad_images`` allows.
    """
    rows = data.splits[part]
    if int(broken.sum()) > allowed * len(rows):
        first = data.photos.paths[int(rows[broken][0])]
        raise TrainingDataError(
            f"{int(broken.sum())} photos of {len(rows)} in {part} cannot be read, and bad_images = "
            f"{allowed:g} allows a smaller share. The first is {str(first)!r}.",
            hint="Repair or leave out the files (`sightline dataset doctor` lists them).",
            path=first,
        )
