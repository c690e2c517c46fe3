"""The model of a finished run, scored on a split again."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from sightline.errors import BundleError, TrainingDataError
from sightline.evaluation import RetrievalResult
from sightline.models.bundle import read_bundle
from sightline.models.cross_view_bundle import CrossViewBundle
from sightline.training.cross_view_recipe import CrossViewRecipe
from sightline.training.cross_view_scores import evaluation_of, retrieve
from sightline.training.embedding import Embedder
from sightline.training.leaks import refuse_leaks
from sightline.training.pair_data import read_pairs
from sightline.training.pixels import DecodedEachTime
from sightline.training.precision import MixedPrecision
from sightline.training.processes import Processes, find_device
from sightline.training.run_folder import BUNDLE, RunFolder
from sightline.training.sources import open_data
from sightline.training.views import Views
from sightline.training.watching import Silent, Watcher

_BATCH = 64


def evaluate_run(
    run: Path,
    *,
    data: Path | None = None,
    split: Literal["test", "validation"] = "test",
    device: str = "auto",
    watcher: Watcher | None = None,
    **settings: Any,
) -> RetrievalResult:
    """Score a run's bundle on the test or the validation split of its data.

    Args:
        run: The run's folder.
        data: Where the data lies; as for training.
        split: Which.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        watcher: Is told if data are made.
        settings: Of :class:`sightline.evaluation.RetrievalSettings`.

    Raises:
        RecipeError: The folder holds no run.
        BundleError: It holds no cross-view bundle.
        TrainingError: The data cannot be used, or leak.
    """
    folder = RunFolder(run)
    recipe = folder.recipe(CrossViewRecipe)
    bundle = read_bundle(run / BUNDLE)
    if not isinstance(bundle, CrossViewBundle):
        raise BundleError(
            f"The bundle of {str(run)!r} holds no cross-view network.",
            hint="Give the folder of a cross-view run.",
            path=run,
        )
    pairs = read_pairs(open_data(recipe, data, run, watcher or Silent()), recipe)
    refuse_leaks(pairs, recipe)
    if split not in pairs.splits:
        raise TrainingDataError(
            f"The run names no {split} split.",
            hint="Evaluate the validation split.",
            path=run,
        )
    processes = Processes(device=find_device(device))
    embedder = Embedder(
        Views(recipe),
        DecodedEachTime(pairs.photos.paths, recipe.stored_ground_size),
        DecodedEachTime(pairs.patches.paths, recipe.aerial_size),
        batch_size=_BATCH,
        precision=MixedPrecision(recipe.precision, processes.device),
        processes=processes,
    )
    network = bundle.network.to(processes.device).eval()
    found = retrieve(network, embedder, pairs, pairs.splits[split], recipe)
    return evaluation_of(found, pairs, f"{bundle.card.name} ({split})", **settings)
