"""Training a classifier of places: the task that the loop is given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from sightline.datasets.samplers import OnePerGroup, ResumableBatches, by_photographer
from sightline.errors import TrainingDataError
from sightline.geo.partition import OUTSIDE, Partition
from sightline.losses import SampledClasses, label_photos, sample_classes
from sightline.models.cell_classifiers import CellClassifier
from sightline.models.cell_heads import MultiHead
from sightline.training.cells.objective import CellObjective, ClassifierOutputs
from sightline.training.cells.recipe import GlobalRecipe
from sightline.training.cells.scores import Answerer, validation_of
from sightline.training.cells.sharded_classifier import (
    ShardedClassifier,
    ShardedObjective,
    ShardedOutputs,
)
from sightline.training.cross_view.batches import Rows, Shuffled
from sightline.training.data.loading import BatchLoader, LoadedPhotos, PhotoPixels
from sightline.training.data.pixels import PixelSource, VectorSource
from sightline.training.loops.faults import too_many_broken
from sightline.training.loops.loop import step_seed
from sightline.training.loops.precision import MixedPrecision
from sightline.training.loops.processes import Processes
from sightline.training.loops.task import Outputs, Stage, TaskBatch, Validation
from sightline.training.loops.watching import Watcher
from sightline.training.photos.photo_data import PhotoData
from sightline.training.photos.views import PhotoViews

_NOISE, _CLASSES = 0x271, 0xC1A
_ASKED_AT_ONCE = 64


class GlobalTask:
    """Photos, batches, loss and validation of a recipe.

    Args:
        recipe: What is trained, and how.
        data: The photos.
        partitions: The cells, from coarse to fine.
        classifier: Is trained in place.
        stored: Pixels of the photos to train on, at the recipe's ``stored_size``; or vectors.
        asked: Pixels of the others, at network size; or vectors.
        processes: All that train together.
        watcher: Is told what is skipped.
    """

    def __init__(
        self,
        recipe: GlobalRecipe,
        data: PhotoData,
        partitions: Sequence[Partition],
        classifier: CellClassifier,
        stored: PixelSource | VectorSource,
        asked: PixelSource | VectorSource,
        processes: Processes,
        watcher: Watcher,
    ) -> None:
        self.recipe, self.data, self.processes = recipe, data, processes
        self.partitions, self._watcher = tuple(partitions), watcher
        self._classifier = classifier
        self.model, self.loss_module = self._modules()
        self.answerer = Answerer(
            asked,
            batch_size=recipe.chunk_size or max(recipe.batch_size, _ASKED_AT_ONCE),
            precision=MixedPrecision(recipe.precision, processes.device),
            processes=processes,
        )
        self._ids = [data.photos.ids[row] for row in data.train.tolist()]
        self._proportions = data.proportions[data.train]
        self._places = torch.from_numpy(data.places("train"))
        self._rows = cell_rows(partitions, data)
        self._views = PhotoViews(recipe, recipe.size)
        self._loader = BatchLoader(
            PhotoPixels(data.train, stored),
            workers=recipe.workers,
            pin=processes.device.type == "cuda",
            note=watcher.note,
        )
        self._sampler = photo_batches(recipe, data, self._rows)
        self._epoch = 0
        self._of_epoch: Sequence[Rows] = ()
        self._broken: set[int] = set()

    @property
    def answering(self) -> tuple[Partition, ...]:
        """The partitions that a photo is answered in: each of a multi head, else the finest."""
        several = isinstance(self._classifier.head, MultiHead)
        return self.partitions if several else self.partitions[-1:]

    @property
    def stages(self) -> tuple[Stage, ...]:
        """One stage."""
        rates: dict[str, Any] = self.recipe.stage_rates
        return (Stage(name="one", **rates),)

    def backbone_parameters(self) -> list[nn.Parameter]:
        """Those of the trunk."""
        return list(self._classifier.trunk.parameters())

    def begin_stage(self, stage: int) -> None:
        """Nothing changes: there is one stage."""

    def begin_epoch(self, stage: int, epoch: int) -> None:  # noqa: ARG002 - there is one stage
        """Draw the epoch's batches."""
        self._epoch = epoch
        self._of_epoch = self._sampler.batches_of(epoch)

    def batches_in_epoch(self) -> int:
        """How many batches the epoch has."""
        return len(self._of_epoch)

    def batches(self, first: int) -> Iterator[TaskBatch]:
        """This process's rows of the batches from a number on."""
        count, rank = self.processes.count, self.processes.rank
        own = [np.array_split(rows, count)[rank] for rows in self._of_epoch[first:]]
        for number, loaded in enumerate(self._loader.load(own), start=first):
            yield self._batch(loaded, number)

    def loss(self, outputs: Outputs, batch: TaskBatch, step: int) -> Tensor:  # noqa: ARG002 - not random
        """The loss of this process's rows; the mean over processes is that of the whole batch."""
        rows, places, sampled = batch.about
        found: Tensor = self.loss_module(outputs, rows, places, sampled)
        return found

    def after_step(self) -> None:
        """Keep nothing."""

    def validate(self, model: nn.Module) -> Validation:
        """Score on the validation split."""
        if isinstance(model, ShardedOutputs):
            classifier = model.whole(self.partitions[0])
        else:
            classifier = cast("ClassifierOutputs", model).classifier
        answers = self.answerer.ask(classifier, self.data.splits["validation"])
        places = self.data.places("validation")
        return validation_of(answers, places, self.answering, self.recipe.select_km)

    def tensors(self) -> dict[str, Tensor]:
        """None: batches hang on the seed and the epoch alone."""
        return {}

    def state(self) -> dict[str, Any]:
        """Which epoch it is, and which photos are broken."""
        return {"epoch": self._epoch, "broken": sorted(self._broken)}

    def load(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:  # noqa: ARG002
        """Go on within the epoch of a checkpoint."""
        self._broken = set(state["broken"])
        self.begin_epoch(0, int(state["epoch"]))

    def _modules(self) -> tuple[nn.Module, nn.Module]:
        """Network and loss."""
        recipe, classifier = self.recipe, self._classifier
        how: dict[str, Any] = {
            "channels_last": recipe.channels_last,
            "frozen": recipe.trained != "network",
            "on_vectors": recipe.on_vectors,
        }
        if not recipe.sharded_head:
            network = ClassifierOutputs(classifier, **how)
            return network, CellObjective(recipe, classifier, self.partitions)
        part = ShardedClassifier(classifier, self.processes)
        return ShardedOutputs(part, **how), ShardedObjective(recipe, part.head, self.partitions[0])

    def _batch(self, loaded: LoadedPhotos, number: int) -> TaskBatch:
        rows, pixels = loaded.rows, loaded.pixels
        if loaded.broken.any():
            self._skip(rows[loaded.broken])
            rows, pixels = rows[~loaded.broken], pixels[torch.from_numpy(~loaded.broken)]
            if len(rows) < (2 if self.processes.count == 1 else 1):
                raise TrainingDataError(
                    f"Of the {len(loaded.rows)} photos of a batch {len(rows)} can be read.",
                    hint="Take a larger batch_size, or leave out the broken files "
                    "(`sightline dataset doctor` lists them).",
                )
        device, recipe = self.processes.device, self.recipe
        place_in_run = (self._epoch << 32) + number
        seen = pixels.to(device, non_blocking=True)
        if not recipe.on_vectors:
            seen = self._views.changed(
                seen,
                [self._ids[row] for row in rows.tolist()],
                self._proportions[rows],
                epoch=self._epoch,
                generator=self._generator(place_in_run, _NOISE),
            )
        cells = self._rows[rows].to(device)
        sampled = self._sampled(cells, place_in_run) if recipe.sampled_classes else None
        # With a row for each photo, as everything that the loop may cut into chunks.
        classes = None if sampled is None else sampled.classes.expand(len(rows), -1)
        about = cells, self._places[rows], sampled
        return TaskBatch((seen, classes), len(rows), about)

    def _sampled(self, cells: Tensor, place_in_run: int) -> SampledClasses:
        generator = self._generator(place_in_run, _CLASSES)
        count, wanted = len(self.partitions[0]), self.recipe.sampled_classes
        return sample_classes(cells[:, 0], count, wanted, generator=generator)

    def _generator(self, place_in_run: int, purpose: int) -> torch.Generator:
        generator = torch.Generator(self.processes.device)
        seed = step_seed(self.recipe.seed, place_in_run, purpose + self.processes.rank)
        return generator.manual_seed(seed)

    def _skip(self, rows: Rows) -> None:
        """Count photos that cannot be used; too many are an error."""
        new = set(rows.tolist()) - self._broken
        self._broken |= new
        count, allowed = len(self._ids), self.recipe.bad_images
        file = self.data.file_of(min(self._broken))
        if len(self._broken) > allowed * count:
            raise too_many_broken(len(self._broken), count, allowed, file, what="photos")
        if new:
            self._watcher.note(f"{len(self._broken)} photos are skipped so far: {file} is broken.")


def cell_rows(partitions: Sequence[Partition], data: PhotoData) -> Tensor:
    """The cell of each training photo in each partition, int64 (n, p); -1 for none.

    Raises:
        PartitionError: No photo lies in any cell of one, or all of them in one cell.
    """
    places = torch.from_numpy(data.places("train"))
    return torch.stack([label_photos(one, places).rows for one in partitions], dim=1)


def photo_batches(recipe: GlobalRecipe, data: PhotoData, cells: Tensor) -> ResumableBatches:
    """What draws the batches of an epoch.

    Args:
        recipe: How.
        data: The photos.
        cells: (n, p) of :func:`cell_rows`. Photos in no cell of the finest partition count as one
            cell together.

    Raises:
        TrainingDataError: Too few photos, cells or photographers for a batch.
    """
    count, size = len(data.train), recipe.batch_size
    what = {"shuffled": "training photos", "cells": "cells with training photos"}
    if recipe.sampler == "cells":
        count = len(torch.unique(cells[:, -1]))
    elif recipe.sampler == "photographers":
        people = [data.photographers[row] for row in data.train.tolist()]
        count = len({one for one in people if one}) + sum(not one for one in people)
    if count < size:
        raise TrainingDataError(
            f"{count} {what.get(recipe.sampler, 'photographers')} make no batch of {size}.",
            hint=f"Run again with --set batch_size={max(2, count // 2)}, or with more photos.",
        )
    if recipe.sampler == "cells":
        return OnePerGroup(cells[:, -1].numpy(), size, seed=recipe.seed)
    if recipe.sampler == "photographers":
        return by_photographer(people, size, seed=recipe.seed)
    return Shuffled(count, size, seed=recipe.seed)


def words_of_cells(partitions: Sequence[Partition], cells: Tensor) -> str:
    """What the training photos are told apart by, in a sentence."""
    parts = [
        f"{len(one):,} cells ({int((cells[:, number] == OUTSIDE).sum()):,} photos in none)"
        for number, one in enumerate(partitions)
    ]
    return f"Classes: {', '.join(parts)}."
