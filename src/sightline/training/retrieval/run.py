"""What is of retrieval alone in a run: its photos, its start and its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.datasets import Manifest
from sightline.errors import RecipeError
from sightline.evaluation.localization import errors_m
from sightline.evaluation.localization.metrics import localization_values
from sightline.geo.partition import Partition
from sightline.losses import label_photos
from sightline.models.global_bundle import GlobalBundle
from sightline.models.residual_retrieval import ResidualRetrieval
from sightline.training.cells.network import global_bundle
from sightline.training.cells.run import facts_of, read_apart
from sightline.training.cells.scores import evaluation_of
from sightline.training.job import Outcome
from sightline.training.loops.checkpoint import load_exactly, read_checkpoint
from sightline.training.loops.loop import Loop
from sightline.training.loops.processes import Processes
from sightline.training.loops.watching import Watcher
from sightline.training.photos.computed_features import open_features
from sightline.training.photos.photo_data import PhotoData
from sightline.training.photos.pixels import open_photo_pixels, refuse_broken_photos
from sightline.training.retrieval.batches import neighbours_of, pair_batches
from sightline.training.retrieval.card import bundle_card, card_text
from sightline.training.retrieval.inputs import PixelInputs, StoredInputs
from sightline.training.retrieval.network import PairOfVectors, PooledVectors
from sightline.training.retrieval.recipe import RetrievalRecipe
from sightline.training.retrieval.task import RetrievalTask, some_references


class Plain(nn.Module):
    """Stored vectors as they are, of unit length."""

    def forward(self, vectors: Tensor) -> Tensor:
        """(n, d) -> (n, d)."""
        return functional.normalize(vectors, dim=1)


class RetrievalJob:
    """A run of a recipe for retrieval; see :class:`sightline.training.job.Job`.

    Args:
        recipe: What and how.
        processes: All that train together.

    Raises:
        RecipeError: It names no bundle to start from.
        BundleError: That is none, or no classifier's.
    """

    _data: PhotoData
    _cells: Partition
    _inputs: StoredInputs | PixelInputs
    _task: RetrievalTask

    def __init__(self, recipe: RetrievalRecipe, processes: Processes) -> None:
        if not recipe.start:
            raise RecipeError(
                "task = 'retrieval' needs a classifier that was trained before.",
                hint="Name the bundle of a run with --set start=runs/NAME/bundle.",
            )
        self._recipe, self._processes = recipe, processes
        self._folder = Path()
        self._start = global_bundle(Path(recipe.start))
        self._settings = replace(self._start.settings, residual_hidden=0, residual_skip=True)
        classifier = self._start.classifier
        self._residual: ResidualRetrieval | None = None
        self._encode: nn.Module
        if recipe.trained == "module":
            self._settings = replace(
                self._settings, residual_hidden=recipe.hidden, residual_skip=recipe.residual_skip
            )
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(recipe.seed)
                self._residual = self._settings.build_residual(classifier.dimension)
            self._encode = cast("ResidualRetrieval", self._residual)
        else:
            self._encode = PooledVectors(classifier, channels_last=recipe.channels_last)

    def read(self, root: Path | None, folder: Path, watcher: Watcher) -> Manifest:
        """Open the photos and the cells, and refuse what cannot be trained on."""
        recipe, self._folder = self._recipe, folder
        manifest, self._data = read_apart(recipe, root, folder, watcher)
        places = self._data.places("train")
        spec = recipe.partition_spec
        self._cells = self._start.partitions[-1] if spec is None else spec.partition(places)
        if recipe.positives == "cell":
            label_photos(self._cells, torch.from_numpy(places))
        pair_batches(recipe, self._cells.assign(places), neighbours_of(recipe, places))
        return manifest

    @property
    def fingerprint(self) -> str:
        """Of the data."""
        return self._data.fingerprint

    def open_pixels(
        self, folder: Path, watcher: Watcher, *, left_out: Sequence[int] | None
    ) -> list[int]:
        """Store the vectors of the photos or open their pixels; the rows that are left out."""
        recipe, data, size = self._recipe, self._data, self._settings.size
        if recipe.trained == "module":
            features, lost = open_features(
                recipe,
                self._start.classifier,
                self._settings,
                self._start.partitions[-1],
                data,
                self._folder,
                self._processes,
                watcher,
                left_out=left_out,
            )
            self._data = data.without(lost)
            self._inputs = StoredInputs(features, self._data, self._processes)
            return [int(row) for row in lost]
        every = recipe.positives == "place-and-vector"
        stored, asked, lost = open_photo_pixels(
            recipe,
            size,
            self._settings.preprocessing,
            data,
            folder,
            self._processes,
            watcher,
            left_out=left_out,
            shown=data.train if every else some_references(data, recipe),
        )
        self._data = data.without(lost)
        self._inputs = PixelInputs(
            recipe, self._data, size, stored, asked, self._processes, watcher
        )
        return [int(row) for row in lost]

    def facts(self) -> Mapping[str, Any]:
        """What ``run.json`` says of network, cells and data."""
        return {
            "dimension": self._start.classifier.dimension,
            "parameters": sum(p.numel() for p in self._encode.parameters()),
            "start": self._start.card.name,
            "partitions": [
                {
                    "cells": len(self._cells),
                    "kind": self._cells.kind,
                    "fingerprint": self._cells.fingerprint,
                }
            ],
            "data": facts_of(self._data),
        }

    def task(self, folder: Path, watcher: Watcher, *, goes_on: bool) -> RetrievalTask:  # noqa: ARG002
        """Pairs, batches, loss and validation."""
        trunk = self._start.classifier.trunk
        self._task = RetrievalTask(
            self._recipe,
            self._data,
            self._cells.assign(self._data.places("train")),
            self._encode,
            [] if self._residual is not None else list(trunk.parameters()),
            self._start.classifier.dimension,
            self._inputs,
            self._inputs.take,
            self._processes,
        )
        return self._task

    def finish(self, loop: Loop, manifest: Manifest) -> Outcome | None:
        """Take the best weights and test them once, beside the vectors they started from."""
        recipe, data, pairs = self._recipe, self._data, self._task.model
        load_exactly(pairs, read_checkpoint(loop.best).part("model"), "network")
        encode = cast("PairOfVectors", pairs).encode.eval()
        test, before = None, None
        if "test" in data.splits:
            points, _ = self._task.answered(encode, "test")
            plain, _ = self._task.answered(self._plain(), "test")
            broken = np.isnan(points[:, 0])
            refuse_broken_photos(data, "test", broken, recipe.bad_images)
            if self._processes.first:
                found = evaluation_of(points, broken, data, "test", recipe.name, seed=recipe.seed)
                test = found.to_json()
                before = localization_values(errors_m(plain, data.places("test")))
        if not self._processes.first:
            return None
        card = bundle_card(recipe, self._start.card, f"{manifest.name} {manifest.version}", data)
        classifier = self._start.classifier.to("cpu")
        classifier.to(memory_format=torch.contiguous_format)
        residual = None if self._residual is None else self._residual.to("cpu")
        bundle = GlobalBundle(
            card, self._settings, classifier.eval(), self._start.partitions, residual
        )
        return Outcome(test, bundle, {"test_of_start": before})

    def card_text(self, about: Mapping[str, Any], test: Mapping[str, Any] | None) -> str:
        """The card for people, Markdown."""
        return card_text(self._recipe, about, test)

    def _plain(self) -> nn.Module:
        """What gave the vectors before training."""
        if self._residual is not None:
            return Plain()
        again = global_bundle(Path(self._recipe.start)).classifier
        made = PooledVectors(again, channels_last=self._recipe.channels_last)
        return made.to(self._processes.device).eval()
