"""A whole training run, whatever it trains: checks, data, network, loop, bundle, test."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sightline.datasets import Manifest
from sightline.durable import write_json, write_text
from sightline.errors import CheckpointError, TrainingDivergedError
from sightline.models.bundle import save_bundle
from sightline.training.cells.recipe import GlobalRecipe
from sightline.training.cells.run import GlobalJob
from sightline.training.cross_view.recipe import CrossViewRecipe
from sightline.training.cross_view.run import CrossViewJob
from sightline.training.job import Job
from sightline.training.loops.faults import told_of_memory
from sightline.training.loops.freed_memory import freed_memory_kept
from sightline.training.loops.loop import CHECKPOINTS, LAST, Loop
from sightline.training.loops.pace import Position
from sightline.training.loops.precision import MixedPrecision
from sightline.training.loops.processes import Processes, joined
from sightline.training.loops.task import LoopSettings
from sightline.training.loops.watching import Silent, Watcher
from sightline.training.recipe import Recipe
from sightline.training.retrieval.recipe import RetrievalRecipe
from sightline.training.retrieval.run import RetrievalJob
from sightline.training.run_folder import (
    BUNDLE,
    CARD,
    FAILED,
    FINISHED,
    TEST,
    RunFolder,
    surroundings,
)

PIXELS = "pixels"
"""Decoded images in a run's folder, removed at its end."""

TrainedRecipe = CrossViewRecipe | GlobalRecipe | RetrievalRecipe
"""The recipes that :func:`train` takes."""


def train(
    recipe: TrainedRecipe,
    out: Path,
    *,
    data: Path | None = None,
    device: str = "auto",
    resume: bool = False,
    pixels: Path | None = None,
    watcher: Watcher | None = None,
) -> dict[str, Any]:
    """Train a network as a recipe says, and test it once.

    Args:
        recipe: What and how; its class says which task it is.
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
    with joined(device) as processes, ExitStack() as during:
        if processes.device.type == "cpu":
            during.enter_context(freed_memory_kept())
        return _Run(recipe, out, processes, watcher or Silent(), resume=resume).go(data, pixels)


def job_of(recipe: TrainedRecipe, processes: Processes) -> Job:
    """What a recipe's task does in a run."""
    if isinstance(recipe, GlobalRecipe):
        return GlobalJob(recipe, processes)
    if isinstance(recipe, RetrievalRecipe):
        return RetrievalJob(recipe, processes)
    return CrossViewJob(recipe, processes)


class _Run:
    """One run, step by step."""

    def __init__(
        self,
        recipe: TrainedRecipe,
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
        self._job = job_of(recipe, processes)
        if processes.first:
            self._folder = RunFolder.begin(out, recipe, resume=resume)
        processes.wait()
        self._folder = RunFolder(out)

    def go(self, root: Path | None, pixels: Path | None) -> dict[str, Any]:
        recipe, folder = self._recipe, self._folder
        if self._resume and folder.finished:
            self._watcher.note("This run is finished.")
            return folder.about() if self._processes.first else {}
        manifest = self._read(root)
        goes_on = self._resume and (folder.path / CHECKPOINTS / LAST).is_file()
        left_out = self._job.open_pixels(
            pixels or folder.path / PIXELS,
            self._watcher,
            left_out=folder.about().get("left_out") if goes_on else None,
        )
        self._note_beginning(manifest, left_out)
        with told_of_memory(recipe.batch_size, recipe.chunk_size):
            task = self._job.task(folder.path, self._watcher, goes_on=goes_on)
            settings = loop_settings(recipe)
            loop = Loop(task, settings, folder.path, self._processes, self._watcher)
            try:
                position = loop.run(resume=goes_on)
                return self._finish(loop, manifest, position)
            except TrainingDivergedError as error:
                if self._processes.first:
                    folder.record(status=FAILED, error=error.message)
                raise

    def _read(self, root: Path | None) -> Manifest:
        # The first process makes what is missing, and the others find it.
        for turn in (True, False):
            if self._processes.first == turn:
                manifest = self._job.read(root, self._folder.path, self._watcher)
            self._processes.wait()
        known = self._folder.about().get("data", {}).get("fingerprint")
        found = self._job.fingerprint
        if self._resume and known not in (None, found):
            raise CheckpointError(
                f"The run was begun on data with the fingerprint {known[:12]}, and this one has "
                f"{found[:12]}.",
                hint="Resume with the data it was begun on.",
                path=manifest.path,
            )
        return manifest

    def _note_beginning(self, manifest: Manifest, left_out: Sequence[int]) -> None:
        if not self._processes.first:
            return
        about = {} if self._resume and self._folder.about().get("machine") else surroundings()
        facts = dict(self._job.facts())
        data = {
            "name": manifest.name,
            "version": manifest.version,
            "fingerprint": self._job.fingerprint,
            **facts.pop("data"),
        }
        self._folder.record(
            **about,
            status="training",
            name=self._recipe.name,
            recipe=self._recipe.to_dict(),
            processes=self._processes.count,
            device=str(self._processes.device),
            **facts,
            data=data,
            left_out=left_out,
        )

    def _finish(self, loop: Loop, manifest: Manifest, position: Position) -> dict[str, Any]:
        """Test the best weights once, and save them with their card."""
        folder, begun = self._folder, time.monotonic()
        outcome = self._job.finish(loop, manifest)
        if outcome is None:
            return {}
        test = outcome.test
        if test is not None:
            write_json(folder.path / TEST, test)
        save_bundle(folder.path / BUNDLE, outcome.bundle, replace=True)
        about = folder.about() | {
            **outcome.facts,
            "status": FINISHED,
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
        write_text(folder.path / BUNDLE / CARD, self._job.card_text(about, test))
        shutil.rmtree(folder.path / PIXELS, ignore_errors=True)
        # Last: a run that says so has nothing left to do.
        folder.record(**about)
        return about


def loop_settings(recipe: Recipe) -> LoopSettings:
    """What of a recipe the loop goes by."""
    known = asdict(LoopSettings())
    return LoopSettings(**{key: value for key, value in recipe.to_dict().items() if key in known})
