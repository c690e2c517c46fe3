"""Train and test many small cross-view networks, several at once, one thread each."""

from __future__ import annotations

import json
import multiprocessing
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from _cross_view_pairs import TESTS
from _record import commit
from sightline.datasets import Manifest
from sightline.errors import TrainingDivergedError
from sightline.evaluation import rank
from sightline.evaluation.retrieval.metrics import metrics_of
from sightline.evaluation.sanity import collapse_of
from sightline.models.bundle import read_bundle
from sightline.models.complexity import measure_complexity
from sightline.models.cross_view_bundle import CrossViewBundle
from sightline.training import CrossViewRecipe, train
from sightline.training.cross_view.embedding import Embedder
from sightline.training.cross_view.pair_data import PairData, read_pairs
from sightline.training.cross_view.scores import Retrieval, retrieve
from sightline.training.cross_view.views import Views
from sightline.training.data.pixels import KeptOnDisk
from sightline.training.loops.precision import MixedPrecision
from sightline.training.loops.processes import Processes
from sightline.training.run_folder import BUNDLE

METRICS = ("recall@1", "recall@5", "recall@10", "recall@1%", "pssr")
_SCORES, _ABOUT = "scores.npz", "scores.json"


@dataclass(frozen=True)
class Trial:
    """One training run.

    Args:
        system: What is compared.
        setting: Under which circumstances.
        seed: Of weights, order and augmentation.
        recipe: All of it.
    """

    system: str
    setting: str
    seed: int
    recipe: CrossViewRecipe

    @property
    def folder(self) -> str:
        """Its folder's name."""
        return "_".join([self.setting, self.system, str(self.seed)]).replace(" ", "-")


@dataclass(frozen=True)
class Scores:
    """What a trial reached.

    Args:
        values: By test and metric, one value per query (n,) float32; empty if it diverged.
        about: Parameters, durations, how it ended.
    """

    values: dict[tuple[str, str], np.ndarray]
    about: dict[str, Any]


def decode(trials: Sequence[Trial], manifest: Path, folder: Path) -> None:
    """Decode all images at the sizes that are needed, before processes share them."""
    for recipe in {
        (trial.recipe.stored_ground_size, trial.recipe.aerial_size): trial.recipe
        for trial in trials
    }.values():
        Galleries(recipe, manifest, folder).fill()


def all_trials(
    trials: Sequence[Trial], manifest: Path, pixels: Path, out: Path, workers: int
) -> list[Scores]:
    """Run the trials, or read what they left."""
    jobs = [(trial, manifest, pixels, out / trial.folder) for trial in trials]
    begun = time.perf_counter()
    found = []
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for trial, scores in zip(trials, pool.imap(_one, jobs, chunksize=1), strict=True):
            found.append(scores)
            shown = {
                test: round(100 * float(scores.values[test, "recall@1"].mean()), 1)
                for test in TESTS
                if (test, "recall@1") in scores.values
            }
            spent = time.perf_counter() - begun
            print(f"{len(found)}/{len(jobs)} {spent:.0f} s {trial.folder} {shown}", flush=True)
    return found


def _one(job: tuple[Trial, Path, Path, Path]) -> Scores:
    trial, manifest, pixels, folder = job
    torch.set_num_threads(1)
    if not (folder / _ABOUT).is_file():
        _run(trial, manifest, pixels, folder)
    about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
    values = {}
    if (folder / _SCORES).is_file():
        with np.load(folder / _SCORES) as arrays:
            values = {tuple(key.split("|")): arrays[key] for key in arrays.files}
    return Scores(values, about)


def _run(trial: Trial, manifest: Path, pixels: Path, folder: Path) -> None:
    begun = (folder / "recipe.toml").is_file()
    cpu = time.process_time()
    try:
        run = train(trial.recipe, folder, data=manifest, device="cpu", resume=begun, pixels=pixels)
    except TrainingDivergedError as error:
        _write(folder, {"diverged": error.message})
        return
    trained, cpu = time.process_time() - cpu, time.process_time()
    values, sides = Galleries(trial.recipe, manifest, pixels).scores(folder)
    about = {
        "commit": commit(),
        "parameters": run["parameters"],
        "multiply_adds": _multiply_adds(folder),
        "pairs_per_cpu_s": round(run["data"]["train"] * trial.recipe.epochs / trained, 1),
        "dimension": run["dimension"],
        "steps": run["steps"],
        "train_cpu_s": round(trained, 1),
        "test_cpu_s": round(time.process_time() - cpu, 1),
        "best": run["best"],
        "sides": sides,
    }
    np.savez(folder / _SCORES, **{"|".join(key): array for key, array in values.items()})
    _write(folder, about)


def _multiply_adds(folder: Path) -> int:
    """Of one photo and one patch."""
    bundle = read_bundle(folder / BUNDLE)
    assert isinstance(bundle, CrossViewBundle)
    found = measure_complexity(bundle.network)
    return found.ground_multiply_adds + found.aerial_multiply_adds


def _write(folder: Path, about: dict[str, Any]) -> None:
    (folder / _ABOUT).write_text(json.dumps(about), encoding="utf-8")


class Galleries:
    """The four galleries, and the training pairs, as a recipe looks at them."""

    def __init__(self, recipe: CrossViewRecipe, manifest: Path, pixels: Path) -> None:
        self._recipe, self._manifest = recipe, Manifest.open(manifest)
        data = read_pairs(self._manifest, recipe)
        self.data = data
        self.photos, self.patches = (
            KeptOnDisk(pixels, view, images.paths, size, data.fingerprint)
            for view, images, size in (
                ("ground", data.photos, recipe.stored_ground_size),
                ("aerial", data.patches, recipe.aerial_size),
            )
        )
        self._counts = len(data.photos), len(data.patches)

    def fill(self) -> None:
        self.photos.fill(np.arange(self._counts[0]))
        self.patches.fill(np.arange(self._counts[1]))

    def asked(self, network: Any, test: str) -> tuple[Retrieval, PairData]:
        """What a network that encodes both views answers in one gallery, and its data."""
        embedder = Embedder(
            Views(self._recipe),
            self.photos,
            self.patches,
            batch_size=100,
            precision=MixedPrecision(self._recipe.precision, torch.device("cpu")),
            processes=Processes(),
        )
        own = self._recipe.changed(test_split=test)
        pairs = read_pairs(self._manifest, own)
        return retrieve(network, embedder, pairs, pairs.splits["test"], own), pairs

    def scores(
        self, folder: Path
    ) -> tuple[dict[tuple[str, str], np.ndarray], dict[str, dict[str, Any]]]:
        bundle = read_bundle(folder / BUNDLE)
        assert isinstance(bundle, CrossViewBundle)
        network = bundle.network.eval()
        values: dict[tuple[str, str], np.ndarray] = {}
        sides: dict[str, dict[str, Any]] = {}
        for test in TESTS:
            found, _ = self.asked(network, test)
            with warnings.catch_warnings():
                # Of a network collapsed on purpose.
                warnings.simplefilter("ignore")
                ranks = found.ranks or rank(found.queries, found.references, found.relevance)
            known = {metric.name: metric for metric in metrics_of(ranks, found.relevance)}
            for name in METRICS:
                metric = known[name]
                values[test, name] = np.asarray(
                    metric.per_query(ranks, metric.ties), dtype=np.float32
                )
            sides[test] = {
                name: _side(vectors, name)
                for name, vectors in (("photos", found.queries), ("patches", found.references))
            }
        return values, sides


def _side(vectors: np.ndarray, name: str) -> dict[str, Any]:
    found = collapse_of(vectors, rng=np.random.default_rng(0), name=name)
    return {"effective_rank": found.effective_rank}
