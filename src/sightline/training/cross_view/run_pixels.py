"""The pixels of a run, and what is done about images that are broken."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sightline.errors import CheckpointError
from sightline.training.cross_view.pair_data import Images, PairData, Rows
from sightline.training.cross_view.recipe import CrossViewRecipe
from sightline.training.cross_view.scores import refuse_broken
from sightline.training.data.pixels import DecodedEachTime, KeptOnDisk, PixelSource
from sightline.training.loops.faults import too_many_broken
from sightline.training.loops.processes import Processes
from sightline.training.loops.watching import Watcher


def open_pixels(
    recipe: CrossViewRecipe,
    data: PairData,
    folder: Path,
    processes: Processes,
    watcher: Watcher,
    *,
    left_out: Sequence[int] | None = None,
) -> tuple[PixelSource, PixelSource, Rows]:
    """Open the pixels of photos and patches; where they are kept, decode what is not there yet.

    Args:
        recipe: ``pixels`` and the sizes.
        data: The images.
        folder: Where pixels are kept.
        processes: The first one decodes, the others wait for it.
        watcher: Is told how far it is, and which pairs are left out.
        left_out: Of a run that goes on: the training pairs it was begun without.

    Returns:
        Photos, patches, and the numbers of the training pairs to leave out because they are broken.

    Raises:
        CheckpointError: Images that the run was begun with are broken now.
        TrainingDataError: More images are broken than the recipe allows.
        OutputError: The folder cannot be written, or its disk has too little room.
    """
    sizes = recipe.stored_ground_size, recipe.aerial_size
    if recipe.pixels == "read":
        photos, patches = (
            DecodedEachTime(images.paths, size)
            for images, size in zip((data.photos, data.patches), sizes, strict=True)
        )
        return photos, patches, np.empty(0, np.int64)
    splits = data.splits.values()
    views = (
        ("ground", data.photos, sizes[0], [split.pairs[:, 0] for split in splits]),
        ("aerial", data.patches, sizes[1], [_patches_of(data, name) for name in data.splits]),
    )

    def opened(view: str, images: Images, size: tuple[int, int]) -> KeptOnDisk:
        return KeptOnDisk(folder, view, images.paths, size, data.fingerprint)

    if processes.first:
        for view, images, size, used in views:
            opened(view, images, size).fill(
                np.unique(np.concatenate(used)),
                progress=lambda done, total, view=view: watcher.preparing(  # type: ignore[misc]
                    f"decoding {view} images", done, total
                ),
            )
    # Only now: two processes that make one file at once destroy it.
    processes.wait()
    kept = [opened(view, images, size) for view, images, size, _ in views]
    # In the order of the splits: the same data ends in the same error each time.
    for name, split in data.splits.items():
        if name == "train":
            continue
        asked, given = np.unique(split.pairs[:, 0]), split.gallery
        refuse_broken(data, asked, given, kept[0].broken(asked), kept[1].broken(given), recipe)
    pairs = data.train.pairs
    broken = np.flatnonzero(kept[0].broken(pairs[:, 0]) | kept[1].broken(pairs[:, 1]))
    if left_out is None:
        _require_few(recipe, data, broken, watcher)
        return kept[0], kept[1], broken
    # Repaired ones stay out: the run's batches are made of the others.
    lost = np.setdiff1d(broken, left_out)
    if len(lost):
        raise CheckpointError(
            f"{len(lost)} training pairs that the run was begun with cannot be read now. The first "
            f"is {data.files_of(int(lost[0]))}.",
            hint="Bring back the files, or begin another run.",
            path=folder,
        )
    return kept[0], kept[1], np.array(left_out, np.int64)


def _patches_of(data: PairData, name: str) -> Rows:
    split = data.splits[name]
    return np.concatenate([split.pairs[:, 1], split.gallery])


def _require_few(recipe: CrossViewRecipe, data: PairData, broken: Rows, watcher: Watcher) -> None:
    if not len(broken):
        return
    files, count = data.files_of(int(broken[0])), len(data.train)
    if len(broken) > recipe.bad_images * count:
        raise too_many_broken(len(broken), count, recipe.bad_images, files)
    watcher.note(f"{len(broken)} pairs are left out: {files} is broken.")
