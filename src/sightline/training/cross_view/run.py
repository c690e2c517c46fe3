"""What is of cross-view networks alone in a run: their data, their start and their end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sightline.datasets import Manifest
from sightline.errors import SightlineError
from sightline.models.cross_view import CrossViewNetwork, initialise_netvlad
from sightline.models.cross_view_bundle import CrossViewBundle
from sightline.models.cross_view_preprocessing import CrossViewPreprocessing
from sightline.models.cross_view_settings import CrossViewSettings
from sightline.training.cross_view.card import bundle_card, card_text
from sightline.training.cross_view.epochs import require_batches
from sightline.training.cross_view.pair_data import PairData, read_pairs
from sightline.training.cross_view.recipe import CrossViewRecipe
from sightline.training.cross_view.run_pixels import open_pixels
from sightline.training.cross_view.scores import evaluation_of, retrieve
from sightline.training.cross_view.task import CrossViewTask
from sightline.training.cross_view.trying import try_network
from sightline.training.data.pixels import PixelSource
from sightline.training.job import Outcome
from sightline.training.leaks import refuse_leaks, unhashed
from sightline.training.loops.checkpoint import load_exactly, read_checkpoint
from sightline.training.loops.loop import Loop
from sightline.training.loops.processes import Processes
from sightline.training.loops.watching import Watcher
from sightline.training.sources import open_data

_NETVLAD_BATCHES = 64


class CrossViewJob:
    """A run of a cross-view recipe; see :class:`sightline.training.job.Job`.

    Args:
        recipe: What and how.
        processes: All that train together.
    """

    _data: PairData
    _pixels: tuple[PixelSource, PixelSource]
    _task: CrossViewTask

    def __init__(self, recipe: CrossViewRecipe, processes: Processes) -> None:
        self._recipe, self._processes = recipe, processes
        self._settings = network_settings(recipe, None)
        self._network = build(recipe, self._settings)
        try_network(self._network, recipe, processes, turns=self._settings.turns)

    def read(self, root: Path | None, folder: Path, watcher: Watcher) -> Manifest:
        """Open the pairs, and refuse what cannot be trained on."""
        manifest = open_data(self._recipe, root, folder, watcher)
        self._data = read_pairs(manifest, self._recipe)
        refuse_leaks(self._data, self._recipe)
        missing = unhashed(self._data) if self._recipe.leak_check != "off" else None
        if missing:
            watcher.note(missing)
        require_batches(self._recipe, self._data, self._processes)
        return manifest

    @property
    def fingerprint(self) -> str:
        """Of the data."""
        return self._data.fingerprint

    def open_pixels(
        self, folder: Path, watcher: Watcher, *, left_out: Sequence[int] | None
    ) -> list[int]:
        """Open the pixels of both views; the training pairs that are left out."""
        photos, patches, broken = open_pixels(
            self._recipe, self._data, folder, self._processes, watcher, left_out=left_out
        )
        self._pixels = photos, patches
        self._data = self._data.without(broken)
        return [int(row) for row in broken]

    def facts(self) -> Mapping[str, Any]:
        """What ``run.json`` says of network and data."""
        data = self._data
        return {
            "dimension": self._network.dimension,
            "parameters": sum(p.numel() for p in self._network.parameters()),
            "data": {
                "patch_m": data.patch_m,
                **{name: len(split) for name, split in data.splits.items()},
            },
        }

    def task(self, folder: Path, watcher: Watcher, *, goes_on: bool) -> CrossViewTask:
        """Pairs, batches, loss and validation; a NetVLAD starts from training images."""
        self._task = CrossViewTask(
            self._recipe,
            self._data,
            self._network,
            *self._pixels,
            self._processes,
            folder,
            watcher,
        )
        if not goes_on:
            start_netvlad(self._network, self._data, *self._pixels, self._recipe)
        return self._task

    def finish(self, loop: Loop, manifest: Manifest) -> Outcome | None:
        """Take the best weights and test them once."""
        recipe, data, encoder = self._recipe, self._data, self._task.model
        load_exactly(encoder, read_checkpoint(loop.best).part("model"), "network")
        network = encoder.get_submodule("network")
        assert isinstance(network, CrossViewNetwork)  # noqa: S101 - as the task made it
        network.eval()
        test = None
        if "test" in data.splits:
            found = retrieve(network, self._task.embedder, data, data.splits["test"], recipe)
            if self._processes.first:
                test = evaluation_of(found, data, recipe.name, seed=recipe.seed).to_json()
        if not self._processes.first:
            return None
        card = bundle_card(recipe, f"{manifest.name} {manifest.version}", len(data.train))
        network.to("cpu").to(memory_format=torch.contiguous_format)
        settings = replace(self._settings, patch_m=data.patch_m)
        return Outcome(test, CrossViewBundle(card, settings, network))

    def card_text(self, about: Mapping[str, Any], test: Mapping[str, Any] | None) -> str:
        """The card for people, Markdown."""
        return card_text(self._recipe, about, test)


def network_settings(recipe: CrossViewRecipe, patch_m: float | None) -> CrossViewSettings:
    """What fixes a recipe's network besides its weights.

    Raises:
        SightlineError: Settings that cannot be, or weights without their config.
    """
    turning = recipe.recombines and recipe.heading == "unknown"
    options = {"split": "area", "unit_regions": True} if turning else {}
    settings = CrossViewSettings.of(
        recipe.architecture,
        ground=recipe.ground,
        backbone=recipe.backbone or None,
        ground_size=recipe.ground_size,
        aerial_size=recipe.aerial_size,
        polar_size=recipe.polar_size,
        shared_weights=None if recipe.branches == "published" else recipe.branches == "shared",
        model_args=recipe.model_args,
        options={**options, **recipe.head_options},
        heading=recipe.heading,
        turns=recipe.phases if turning else 1,
        patch_m=patch_m,
        # As training images are resized.
        preprocessing=CrossViewPreprocessing(interpolation="bilinear"),
    )
    return settings.started_from(recipe.weights) if recipe.weights else settings


def build(recipe: CrossViewRecipe, settings: CrossViewSettings) -> CrossViewNetwork:
    """The network at its start, which the seed decides; no global generator is touched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return settings.build(recipe.weights or None)


def start_netvlad(
    network: CrossViewNetwork,
    data: PairData,
    photos: PixelSource,
    patches: PixelSource,
    recipe: CrossViewRecipe,
) -> None:
    """Start the clusters of NetVLAD from training images; nothing for other networks."""
    size = min(recipe.chunk_size or recipe.batch_size, len(data.train))
    generator = np.random.default_rng(recipe.seed)
    rows = generator.permutation(len(data.train))[: _NETVLAD_BATCHES * size]
    parts = np.array_split(rows, max(1, len(rows) // size))
    width = recipe.ground_size[1]

    def given(source: PixelSource, column: int) -> Any:
        for part in parts:
            pixels, broken = source.take(data.train.pairs[part, column])
            yield torch.from_numpy(pixels[~broken][..., : None if column else width])

    try:
        initialise_netvlad(network, given(photos, 0), given(patches, 1), seed=recipe.seed)
    except SightlineError as error:
        error.hint = f"{error.hint} Training images are taken; give more pairs."
        raise
