"""Train the systems of the planet-scale evidence, several at once, and ask each about the tests."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import torch

from _global_answers import Asked, Scores, answered
from _global_claims import RAW
from _global_joined import ABOUT, WITH_RRM, join
from _global_photos import PhotoSets
from _global_systems import START, systems
from _record import commit
from sightline.datasets import Manifest
from sightline.training import GlobalRecipe, RetrievalRecipe, read_recipe, train
from sightline.training.cells.network import classifier_settings
from sightline.training.loops.processes import Processes
from sightline.training.loops.watching import Silent
from sightline.training.photos.photo_data import read_photos
from sightline.training.photos.pixels import open_photo_pixels
from sightline.training.run_folder import BUNDLE, RECIPE


@dataclass(frozen=True)
class Trial:
    """One training run.

    Args:
        system: Its name.
        recipe: All of it.
        folder: Of the run.
    """

    system: str
    recipe: GlobalRecipe | RetrievalRecipe
    folder: Path


class Trials:
    """All runs of one budget on one set of photos.

    Args:
        photos: Trained on and asked about.
        folder: Of the runs and of pixels.
        train: About how many photos there are to train on.
        epochs: Of a classifier.
        seeds: How many.
        precision: Of the networks that see pixels.
        pool: Processes, each with a run at a time.
    """

    def __init__(
        self,
        photos: PhotoSets,
        folder: Path,
        pool: Pool,
        *,
        train: int,
        epochs: int,
        seeds: int,
        precision: str,
    ) -> None:
        self._photos, self._folder, self._pool = photos, folder, pool
        self._systems = systems(train, precision)
        self._epochs, self._seeds = epochs, range(seeds)

    def decode(self) -> None:
        """Decode all photos, before processes share them."""
        recipe = self._systems[START].recipe(START, 0, self._epochs, "")
        assert isinstance(recipe, GlobalRecipe)
        data = read_photos(Manifest.open(self._photos.own), recipe)
        open_photo_pixels(
            recipe,
            recipe.size,
            classifier_settings(recipe, None).preprocessing,
            data,
            self._folder / "pixels",
            Processes(),
            Silent(),
            shown=data.train,
        )

    def heads(self) -> list[str]:
        """The classifiers that are heads on the backbone of another."""
        return [name for name, one in self._systems.items() if one.on and one.kind is GlobalRecipe]

    def scores(self, names: Sequence[str], asked: Asked, key: str) -> dict[str, list[Scores]]:
        """Train systems and ask them about the test photos, or read what they left.

        Args:
            names: Of the systems; :data:`RAW` is the classifier that others start from, and what
                ends with :data:`WITH_RRM` is a classifier joined with RRM.
            asked: By what.
            key: Of these answers among others of a run.
        """
        parts = [START if name == RAW else name.removesuffix(WITH_RRM) for name in names]
        # Those that start from others come after them.
        for later in (False, True):
            self._train([n for n in parts if bool(self._systems[n].on) == later])
        models = [
            self._model(name, part, seed)
            for seed in self._seeds
            for name, part in zip(names, parts, strict=True)
        ]
        found = self._all(answered, [(one, self._photos, asked, key) for one in models])
        return {name: found[number :: len(names)] for number, name in enumerate(names)}

    def _model(self, name: str, part: str, seed: int) -> Path:
        """The folder of what is asked."""
        own = self._trial(part, seed).folder
        if not name.endswith(WITH_RRM):
            return own
        joined = own.with_name(f"{own.name}-with-RRM")
        join(own, self._trial("RRM", seed).folder, joined)
        return joined

    def _train(self, names: Sequence[str]) -> list[Trial]:
        trials = [self._trial(name, seed) for seed in self._seeds for name in names]
        self._all(_trained, [(one, self._photos, self._folder / "pixels") for one in trials])
        return trials

    def _trial(self, name: str, seed: int) -> Trial:
        system = self._systems[name]
        bundle = str(self._run(system.on, seed) / BUNDLE) if system.on else ""
        recipe = system.recipe(name, seed, self._epochs, bundle)
        return Trial(name, recipe, self._run(name, seed))

    def _run(self, name: str, seed: int) -> Path:
        return self._folder / f"{name}-{seed}".replace(", ", "-").replace(" ", "-")

    def _all(self, work: Any, jobs: Sequence[Any]) -> list[Any]:
        begun, found = time.perf_counter(), []
        for job, one in zip(jobs, self._pool.imap(work, jobs, chunksize=1), strict=True):
            found.append(one)
            spent = time.perf_counter() - begun
            folder = job[0].folder if isinstance(job[0], Trial) else job[0]
            print(f"{len(found)}/{len(jobs)} {spent:.0f} s {folder.name}", flush=True)
        return found


def _trained(job: tuple[Trial, PhotoSets, Path]) -> None:
    trial, photos, pixels = job
    torch.set_num_threads(1)
    recipe, begun = trial.folder / RECIPE, (trial.folder / RECIPE).is_file()
    if begun and read_recipe(type(trial.recipe), recipe) != trial.recipe:
        raise RuntimeError(f"{trial.folder} was made of another recipe: give another --out.")
    if (trial.folder / ABOUT).is_file():
        return
    cpu = time.process_time()
    run = train(
        trial.recipe, trial.folder, data=photos.own, device="cpu", resume=begun, pixels=pixels
    )
    about = {
        "commit": commit(),
        **{key: run[key] for key in ("parameters", "dimension", "steps")},
        "cells": [one["cells"] for one in run["partitions"]],
        "validation": run["best"]["score"],
        "train_cpu_s": round(time.process_time() - cpu, 1),
    }
    (trial.folder / ABOUT).write_text(json.dumps(about), encoding="utf-8")
