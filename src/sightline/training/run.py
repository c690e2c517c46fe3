"""A whole training run: checks, data, network, loop, bundle, test."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sightline.datasets import Manifest
from sightline.durable import write_json, write_text
from sightline.errors import CheckpointError, SightlineError
from sightline.models.bundle import save_bundle
from sightline.models.cross_view import CrossViewNetwork, initialise_netvlad
from sightline.models.cross_view_bundle import CrossViewBundle
from sightline.models.cross_view_preprocessing import CrossViewPreprocessing
from sightline.models.cross_view_settings import CrossViewSettings
from sightline.training.checkpoint import load_exactly, read_checkpoint
from sightline.training.cross_view import CrossViewTask
from sightline.training.cross_view_batches import require_batches
from sightline.training.cross_view_recipe import CrossViewRecipe
from sightline.training.cross_view_scores import evaluation_of, retrieve
from sightline.training.faults import told_of_memory
from sightline.training.leaks import refuse_leaks, unhashed
from sightline.training.loop import CHECKPOINTS, LAST, Loop
from sightline.training.model_card import CARD, bundle_card, card_text
from sightline.training.pace import Position
from sightline.training.pair_data import PairData, read_pairs
from sightline.training.pixels import PixelSource
from sightline.training.precision import MixedPrecision
from sightline.training.processes import Processes, joined
from sightline.training.run_folder import BUNDLE, TEST, RunFolder, surroundings
from sightline.training.run_pixels import open_pixels
from sightline.training.sources import open_data
from sightline.training.task import LoopSettings
from sightline.training.watching import Silent, Watcher

PIXELS = "pixels"
"""Decoded images in a run's folder, removed at its end."""

_NETVLAD_BATCHES = 64


def train(
    recipe: CrossViewRecipe,
    out: Path,
    *,
    data: Path | None = None,
    device: str = "auto",
    resume: bool = False,
    pixels: Path | None = None,
    watcher: Watcher | None = None,
) -> dict[str, Any]:
    """Train a cross-view network as a recipe says, and test it once.

    Args:
        recipe: What and how.
        out: The run's folder; new, or to be resumed.
        data: Where the data lies; see :func:`sightline.training.sources.open_data`.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        resume: Go on with a run that was stopped, or finish what is left of it.
        pixels: Where decoded pixels are kept; in the run's folder if None. Runs on the same data
            can share it.
        watcher: Is told how it goes.

    Returns:
        What ``run.json`` says.

    Raises:
        RecipeError: Values that cannot be, found when the network is built.
        TrainingError: Data, leaks, divergence, memory; the subclass says which.
        OutputError: The folder cannot be written.
        SightlineError: What reading the data raises.
    """
    with joined(device) as processes:
        return _Run(recipe, out, processes, watcher or Silent(), resume=resume).go(data, pixels)


class _Run:
    """One run, step by step."""

    def __init__(
        self,
        recipe: CrossViewRecipe,
        out: Path,
        processes: Processes,
        watcher: Watcher,
        *,
        resume: bool,
    ) -> None:
        self._recipe, self._processes, self._resume = recipe, processes, resume
        self._watcher: Watcher = watcher if processes.first else Silent()
        # What a recipe alone can get wrong shows here, before there is a folder.
        MixedPrecision(recipe.precision, processes.device)
        self._settings = network_settings(recipe, None)
        self._network = build(recipe, self._settings)
        if processes.first:
            self._folder = RunFolder.begin(out, recipe, resume=resume)
        processes.wait()
        self._folder = RunFolder(out)

    def go(self, root: Path | None, pixels: Path | None) -> dict[str, Any]:
        recipe, folder = self._recipe, self._folder
        if self._resume and folder.finished:
            self._watcher.note("This run is finished.")
            return folder.about() if self._processes.first else {}
        manifest, data = self._data(root)
        goes_on = self._resume and (folder.path / CHECKPOINTS / LAST).is_file()
        photos, patches, left_out = open_pixels(
            recipe,
            data,
            pixels or folder.path / PIXELS,
            self._processes,
            self._watcher,
            left_out=folder.about().get("left_out") if goes_on else None,
        )
        data = data.without(left_out)
        self._note_beginning(manifest, data, left_out.tolist())
        with told_of_memory(recipe.batch_size, recipe.chunk_size):
            return self._trained(manifest, data, photos, patches, goes_on=goes_on)

    def _trained(
        self,
        manifest: Manifest,
        data: PairData,
        photos: PixelSource,
        patches: PixelSource,
        *,
        goes_on: bool,
    ) -> dict[str, Any]:
        recipe, folder, network = self._recipe, self._folder, self._network
        task = CrossViewTask(
            recipe,
            data,
            network,
            photos,
            patches,
            self._processes,
            folder.path,
            self._watcher,
        )
        if not goes_on:
            start_netvlad(network, data, photos, patches, recipe)
        loop = Loop(task, loop_settings(recipe), folder.path, self._processes, self._watcher)
        position = loop.run(resume=goes_on)
        return self._finish(loop, task, manifest, position)

    def _data(self, root: Path | None) -> tuple[Manifest, PairData]:
        # The first process makes what is missing, and the others find it.
        if self._processes.first:
            open_data(self._recipe, root, self._folder.path, self._watcher)
        self._processes.wait()
        manifest = open_data(self._recipe, root, self._folder.path, Silent())
        data = read_pairs(manifest, self._recipe)
        refuse_leaks(data, self._recipe)
        missing = unhashed(data) if self._recipe.leak_check != "off" else None
        if missing:
            self._watcher.note(missing)
        require_batches(self._recipe, data, self._processes)
        known = self._folder.about().get("data", {}).get("fingerprint")
        if self._resume and known not in (None, data.fingerprint):
            raise CheckpointError(
                f"The run was begun on data with the fingerprint {known[:12]}, and this one has "
                f"{data.fingerprint[:12]}.",
                hint="Resume with the data it was begun on.",
                path=manifest.path,
            )
        return manifest, data

    def _note_beginning(self, manifest: Manifest, data: PairData, left_out: Sequence[int]) -> None:
        if not self._processes.first:
            return
        about = {} if self._resume and self._folder.about().get("machine") else surroundings()
        self._folder.record(
            **about,
            status="training",
            name=self._recipe.name,
            recipe=self._recipe.to_dict(),
            processes=self._processes.count,
            device=str(self._processes.device),
            dimension=self._network.dimension,
            parameters=sum(p.numel() for p in self._network.parameters()),
            data={
                "name": manifest.name,
                "version": manifest.version,
                "fingerprint": data.fingerprint,
                "patch_m": data.patch_m,
                **{name: len(split) for name, split in data.splits.items()},
            },
            left_out=left_out,
        )

    def _finish(
        self,
        loop: Loop,
        task: CrossViewTask,
        manifest: Manifest,
        position: Position,
    ) -> dict[str, Any]:
        """Take the best weights, test them once, and save them with their card."""
        recipe, data, folder = self._recipe, task.data, self._folder
        encoder = task.model
        load_exactly(encoder, read_checkpoint(loop.best).part("model"), "network")
        network = encoder.get_submodule("network")
        assert isinstance(network, CrossViewNetwork)  # noqa: S101 - as the task made it
        network.eval()
        test, begun = None, time.monotonic()
        if "test" in data.splits:
            found = retrieve(network, task.embedder, data, data.splits["test"], recipe)
            if self._processes.first:
                test = evaluation_of(found, data, recipe.name, seed=recipe.seed).to_json()
        if not self._processes.first:
            return {}
        if test is not None:
            write_json(folder.path / TEST, test)
        card = bundle_card(recipe, f"{manifest.name} {manifest.version}", len(data.train))
        network.to("cpu").to(memory_format=torch.contiguous_format)
        settings = replace(self._settings, patch_m=data.patch_m)
        save_bundle(folder.path / BUNDLE, CrossViewBundle(card, settings, network), replace=True)
        about = folder.about() | {
            "status": "finished",
            "ended_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": position.seconds,
            "test_seconds": time.monotonic() - begun,
            "steps": position.step,
            "best": {
                "score": position.best_score,
                "stage": position.best_stage,
                "epoch": position.best_epoch,
            },
            "test": None if test is None else {k: v["value"] for k, v in test["metrics"].items()},
        }
        write_text(folder.path / BUNDLE / CARD, card_text(recipe, about, test))
        shutil.rmtree(folder.path / PIXELS, ignore_errors=True)
        # Last: a run that says so has nothing left to do.
        folder.record(**about)
        return about


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


def loop_settings(recipe: CrossViewRecipe) -> LoopSettings:
    """What of a recipe the loop goes by."""
    known = asdict(LoopSettings())
    return LoopSettings(**{key: value for key, value in recipe.to_dict().items() if key in known})
