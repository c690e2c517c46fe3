"""What is of classifiers of places alone in a run: their data, their start and their end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from sightline.datasets import Manifest
from sightline.geo.partition import Partition
from sightline.models.cell_classifiers import CellClassifier
from sightline.models.global_bundle import GlobalBundle
from sightline.training.cells.card import bundle_card, card_text
from sightline.training.cells.network import (
    classifier_settings,
    read_start,
    same_cells,
    start_classifier,
)
from sightline.training.cells.recipe import GlobalRecipe
from sightline.training.cells.scores import answered_places, evaluation_of
from sightline.training.cells.task import GlobalTask, cell_rows, photo_batches, words_of_cells
from sightline.training.data.pixels import PixelSource, VectorSource
from sightline.training.job import Outcome
from sightline.training.leaks import refuse_shared, unhashed_images
from sightline.training.loops.checkpoint import load_exactly, read_checkpoint
from sightline.training.loops.loop import Loop
from sightline.training.loops.processes import Processes
from sightline.training.loops.watching import Watcher
from sightline.training.photos.computed_features import open_features
from sightline.training.photos.photo_data import (
    PhotoData,
    read_photos,
    unknown_photographers,
)
from sightline.training.photos.pixels import open_photo_pixels, refuse_broken_photos
from sightline.training.photos.recipe import PhotoRecipe
from sightline.training.sources import open_data


class GlobalJob:
    """A run of a recipe for a classifier; see :class:`sightline.training.job.Job`.

    Args:
        recipe: What and how.
        processes: All that train together.
    """

    _data: PhotoData
    _partitions: tuple[Partition, ...]
    _pixels: tuple[PixelSource | VectorSource, PixelSource | VectorSource]
    _folder: Path
    _task: GlobalTask

    def __init__(self, recipe: GlobalRecipe, processes: Processes) -> None:
        self._recipe, self._processes = recipe, processes
        self._start = read_start(recipe)
        self._settings = classifier_settings(recipe, self._start)
        self._classifier: CellClassifier | None = None

    def read(self, root: Path | None, folder: Path, watcher: Watcher) -> Manifest:
        """Open the photos, make the partitions, and refuse what cannot be trained on."""
        recipe, self._folder = self._recipe, folder
        manifest, self._data = read_apart(recipe, root, folder, watcher)
        places = self._data.places("train")
        self._partitions = tuple(one.partition(places) for one in recipe.partition_specs)
        cells = cell_rows(self._partitions, self._data)
        photo_batches(recipe, self._data, cells)
        self._classifier = start_classifier(
            recipe, self._settings, self._partitions, places, self._start
        )
        watcher.note(words_of_cells(self._partitions, cells))
        if self._start is not None and not same_cells(self._start, self._partitions):
            watcher.note(f"The head starts at random: {recipe.start!r} has other cells.")
        return manifest

    @property
    def fingerprint(self) -> str:
        """Of the data."""
        return self._data.fingerprint

    @property
    def classifier(self) -> CellClassifier:
        """What is trained; there when the data are read."""
        return cast("CellClassifier", self._classifier)

    def open_pixels(
        self, folder: Path, watcher: Watcher, *, left_out: Sequence[int] | None
    ) -> list[int]:
        """Open the pixels or vectors of the photos; the training rows that are left out."""
        if self._recipe.on_vectors:
            return self._open_vectors(watcher, left_out)
        stored, asked, broken = open_photo_pixels(
            self._recipe,
            self._recipe.size,
            self._settings.preprocessing,
            self._data,
            folder,
            self._processes,
            watcher,
            left_out=left_out,
        )
        self._pixels = stored, asked
        self._data = self._data.without(broken)
        return [int(row) for row in broken]

    def _open_vectors(self, watcher: Watcher, left_out: Sequence[int] | None) -> list[int]:
        features, broken = open_features(
            self._recipe,
            self.classifier,
            self._settings,
            self._partitions[-1],
            self._data,
            self._folder,
            self._processes,
            watcher,
            left_out=left_out,
        )
        self._pixels = features, features
        self._data = self._data.without(broken)
        return [int(row) for row in broken]

    def facts(self) -> Mapping[str, Any]:
        """What ``run.json`` says of network, cells and data."""
        return {
            "dimension": self.classifier.dimension,
            "parameters": sum(p.numel() for p in self.classifier.parameters()),
            "partitions": [
                {"cells": len(one), "kind": one.kind, "fingerprint": one.fingerprint}
                for one in self._partitions
            ],
            "data": facts_of(self._data),
        }

    def task(self, folder: Path, watcher: Watcher, *, goes_on: bool) -> GlobalTask:  # noqa: ARG002
        """Photos, batches, loss and validation."""
        self._task = GlobalTask(
            self._recipe,
            self._data,
            self._partitions,
            self.classifier,
            *self._pixels,
            self._processes,
            watcher,
        )
        return self._task

    def finish(self, loop: Loop, manifest: Manifest) -> Outcome | None:
        """Take the best weights and test them once."""
        recipe, data, classifier = self._recipe, self._data, self.classifier
        best = read_checkpoint(loop.best).part("model")
        own = {name.removeprefix("classifier."): tensor for name, tensor in best.items()}
        load_exactly(classifier, own, "network")
        # A head that was trained in slices was never on the device as a whole.
        classifier.to(self._processes.device).eval()
        test = None
        if "test" in data.splits:
            answers = self._task.answerer.ask(classifier, data.splits["test"])
            refuse_broken_photos(data, "test", answers.broken, recipe.bad_images)
            if self._processes.first:
                points = answered_places(answers, -1, self._task.answering[-1])
                test = evaluation_of(
                    points, answers.broken, data, "test", recipe.name, seed=recipe.seed
                ).to_json()
        if not self._processes.first:
            return None
        card = bundle_card(recipe, f"{manifest.name} {manifest.version}", len(data.train))
        classifier.requires_grad_(requires_grad=True).to("cpu")
        classifier.to(memory_format=torch.contiguous_format)
        return Outcome(test, GlobalBundle(card, self._settings, classifier, self._partitions))

    def card_text(self, about: Mapping[str, Any], test: Mapping[str, Any] | None) -> str:
        """The card for people, Markdown."""
        return card_text(self._recipe, about, test)


def read_apart(
    recipe: PhotoRecipe, root: Path | None, folder: Path, watcher: Watcher
) -> tuple[Manifest, PhotoData]:
    """Open the photos of a recipe, with nothing in training that is asked about.

    Raises:
        TrainingError: There are none, or they cannot be used, or leak.
        SightlineError: What making or reading them raises.
    """
    manifest = open_data(recipe, root, folder, watcher)
    data = read_photos(manifest, recipe)
    for count, why in (
        (data.removed, "their photographers are in validation or test too"),
        (data.unlocatable, "they show no place"),
    ):
        if count:
            watcher.note(f"{count:,} training photos are left out: {why}.")
    nameless = unknown_photographers(data, recipe)
    if nameless:
        watcher.note(nameless)
    if recipe.leak_check == "off":
        return manifest, data
    refuse_shared("photos", data.photos, data.splits, recipe.leak_radius_m)
    missing = unhashed_images((data.photos, np.concatenate(list(data.splits.values()))))
    if missing:
        watcher.note(missing)
    return manifest, data


def facts_of(data: PhotoData) -> dict[str, Any]:
    """What ``run.json`` says of photos."""
    return {
        "removed": data.removed,
        "unlocatable": data.unlocatable,
        **{part: len(rows) for part, rows in data.splits.items()},
    }
