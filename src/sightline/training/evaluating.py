"""The model of a finished run, scored on a split again, or on data it has never seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.errors import BundleError, RecipeError, TrainingDataError
from sightline.evaluation import RetrievalResult
from sightline.models.bundle import read_bundle
from sightline.models.cross_view import CrossViewNetwork
from sightline.models.cross_view_bundle import CrossViewBundle
from sightline.training.cross_view.embedding import Embedder
from sightline.training.cross_view.pair_data import PairData, read_pairs
from sightline.training.cross_view.recipe import CrossViewRecipe
from sightline.training.cross_view.scores import Retrieval, evaluation_of, retrieve
from sightline.training.cross_view.views import Views
from sightline.training.data.pixels import DecodedEachTime
from sightline.training.leaks import refuse_leaks
from sightline.training.loops.precision import MixedPrecision, Precision
from sightline.training.loops.processes import Processes, find_device
from sightline.training.loops.watching import Silent, Watcher
from sightline.training.other_data import open_other
from sightline.training.run_folder import BUNDLE, RECIPE, RunFolder
from sightline.training.sources import open_data

_BATCH = 64
_OWN = ("test", "validation")


@dataclass(frozen=True, slots=True, eq=False)
class ScoredRun:
    """A run's network, what it was asked, and how it answered.

    Attributes:
        folder: The run's.
        recipe: What it was trained by.
        network: In evaluation mode.
        own: What it was trained, selected and is tested on.
        asked: What it was asked: ``own``, or other data.
        found: Queries, references and what is right.
        result: The evaluation.
    """

    folder: Path
    recipe: CrossViewRecipe
    network: CrossViewNetwork
    own: PairData
    asked: PairData
    found: Retrieval
    result: RetrievalResult


def evaluate_run(run: Path, **options: Any) -> RetrievalResult:
    """The evaluation of :func:`score_run`, which takes the same options, alone."""
    return score_run(run, **options).result


def score_run(
    run: Path,
    *,
    data: Path | None = None,
    on: Path | None = None,
    split: str | None = None,
    device: str = "auto",
    watcher: Watcher | None = None,
    **settings: Any,
) -> ScoredRun:
    """Score a run's bundle on the test or the validation split of its data, or on other data.

    Args:
        run: The run's folder.
        data: Where the run's data lie; as for training.
        on: A manifest of other data. The run's own are read too, so that nothing is taken for new
            that it was trained on.
        split: ``test`` or ``validation``; of other data the name of a split there, by default the
            recipe's ``test_split``.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        watcher: Is told if data are made, and what may mislead.
        settings: Of :class:`sightline.evaluation.RetrievalSettings`.

    Raises:
        RecipeError: The folder holds no run.
        BundleError: It holds no cross-view bundle.
        TrainingError: The data cannot be used, or leak.
    """
    if not (run / RECIPE).is_file():
        raise RecipeError(
            f"{str(run)!r} holds no run of `sightline train`: there is no {RECIPE!r} in it.",
            hint="Give the folder that was the run's --out.",
            path=run,
        )
    folder = RunFolder(run)
    recipe = folder.recipe(CrossViewRecipe)
    bundle = read_bundle(run / BUNDLE)
    if not isinstance(bundle, CrossViewBundle):
        raise BundleError(
            f"The bundle of {str(run)!r} holds no cross-view network.",
            hint="Give the folder of a cross-view run.",
            path=run,
        )
    listener = watcher or Silent()
    own = read_pairs(open_data(recipe, data, run, listener), recipe)
    _require_same(own, folder)
    if on is None:
        asked, part = own, _own_split(own, split or "test", run)
        refuse_leaks(own, recipe)
        words = part
    else:
        name = split or recipe.test_split or "test"
        asked, part = open_other(on, name, recipe, own, listener), "test"
        words = f"{name} of {on.name}"
    processes = Processes(device=find_device(device))
    embedder = Embedder(
        Views(recipe),
        DecodedEachTime(asked.photos.paths, recipe.stored_ground_size),
        DecodedEachTime(asked.patches.paths, recipe.aerial_size),
        batch_size=_BATCH,
        precision=MixedPrecision(_precision(recipe, processes), processes.device),
        processes=processes,
    )
    network = bundle.network.to(processes.device).eval()
    found = retrieve(network, embedder, asked, asked.splits[part], recipe)
    result = evaluation_of(found, asked, f"{bundle.card.name} ({words})", **settings)
    return ScoredRun(run, recipe, network, own, asked, found, result)


def _require_same(own: PairData, folder: RunFolder) -> None:
    """Refuse other data in the place of a run's own: their splits were never kept apart."""
    known = folder.about().get("data", {}).get("fingerprint")
    if known not in (None, own.fingerprint):
        raise TrainingDataError(
            f"The run was trained on data with the fingerprint {known[:12]}, and these have "
            f"{own.fingerprint[:12]}.",
            hint="Name with --data where the run's own data lie, and other data with --on.",
            path=folder.path,
        )


def _own_split(own: PairData, split: str, run: Path) -> str:
    """A split of a run's data that says something of its network."""
    if split not in _OWN:
        raise TrainingDataError(
            f"A run is scored on the test or the validation split of its data. Got {split!r}.",
            hint="Give --split test or validation; a split of other data needs --on MANIFEST.",
            path=run,
        )
    if split not in own.splits:
        raise TrainingDataError(
            f"The run names no {split} split.",
            hint="Evaluate the validation split, or other data with --on MANIFEST.",
            path=run,
        )
    return split


def _precision(recipe: CrossViewRecipe, processes: Processes) -> Precision:
    """The run's own, but for float16 on a processor, which does not compute it."""
    on_processor = processes.device.type == "cpu"
    return "float32" if on_processor and recipe.precision == "float16" else recipe.precision
