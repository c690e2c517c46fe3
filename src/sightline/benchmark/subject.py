"""What is evaluated: a classifier of places from a run's folder or a bundle, and its own data."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from sightline.errors import BundleError, TrainingDataError
from sightline.models.global_bundle import GlobalBundle
from sightline.models.weights import state_digest
from sightline.training.cells.network import global_bundle
from sightline.training.cells.run import read_apart
from sightline.training.loops.watching import Watcher
from sightline.training.photos.features import FEATURES, told_by
from sightline.training.photos.photo_data import PhotoData
from sightline.training.photos.recipe import PhotoRecipe
from sightline.training.retrieval.recipe import RetrievalRecipe
from sightline.training.run_folder import BUNDLE, RECIPE, RunFolder
from sightline.training.tasks import open_recipe

KEPT = "features"
"""The folder beside a model, where vectors of photos are kept."""


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A model that is evaluated.

    Attributes:
        path: The run's folder, or the bundle's.
        bundle: The model.
        own: The run's data; None of a bundle alone.
        stored: A file that holds the pooled vectors of all of ``own``; None if there is none.
        kept: The folder where vectors of other photos are kept.
        tuned: Whether its pooled vectors were trained for retrieval, and are no raw features.
    """

    path: Path
    bundle: GlobalBundle
    own: PhotoData | None
    stored: Path | None
    kept: Path
    tuned: bool = False

    @property
    def name(self) -> str:
        """Of the model."""
        return self.bundle.card.name


def open_subject(
    path: Path, watcher: Watcher, *, data: Path | None = None, features: Path | None = None
) -> Subject:
    """Open a run or a bundle.

    Args:
        path: The folder of a run of task ``global`` or ``retrieval``, or of a bundle.
        watcher: Is told how far the making of data is.
        data: Where the run's data lie; as for training.
        features: Where vectors are kept; by default beside the model.

    Raises:
        BundleError: There is none, or it holds no classifier of places.
        TrainingDataError: The run's data are not those that it was trained on.
    """
    if not (path / RECIPE).is_file():
        bundle = global_bundle(path)
        kept = features or path.parent / f"{path.name}-{KEPT}"
        return Subject(path, bundle, None, None, kept)
    recipe = open_recipe(path / RECIPE)
    if not isinstance(recipe, PhotoRecipe):
        raise BundleError(
            f"The run {str(path)!r} is of task {recipe.task!r}, and holds no classifier of places.",
            hint="Score it with `sightline evaluate cross-view`.",
            path=path,
        )
    bundle = global_bundle(path / BUNDLE)
    _, own = read_apart(recipe, data, path, watcher)
    known = RunFolder(path).about().get("data", {}).get("fingerprint")
    _require_same(known, own, path)
    stored, kept = stored_vectors(recipe, own, path), features or path / KEPT
    tuned = isinstance(recipe, RetrievalRecipe) and recipe.trained == "network"
    return Subject(path, bundle, own, stored, kept, tuned)


def open_bundle(path: Path) -> GlobalBundle:
    """Read the bundle of a run's folder, or one that stands alone.

    Raises:
        BundleError: There is none, or it holds no classifier of places.
    """
    return global_bundle(path / BUNDLE if (path / RECIPE).is_file() else path)


def backbone_digest(classifier: nn.Module) -> str:
    """What decides a classifier's pooled vectors, hexadecimal."""
    state: dict[str, torch.Tensor] = {
        name: one for name, one in classifier.state_dict().items() if not name.startswith("head.")
    }
    return state_digest("backbone", state)


def _require_same(known: object, own: PhotoData, path: Path) -> None:
    """Refuse other data in the place of a run's own: their splits were never kept apart."""
    if known not in (None, own.fingerprint):
        raise TrainingDataError(
            f"The run was trained on data with the fingerprint {str(known)[:12]}, and these have "
            f"{own.fingerprint[:12]}.",
            hint="Name with --data where the run's own data lie, and other data with --sets.",
            path=path,
        )


def stored_vectors(recipe: PhotoRecipe, own: PhotoData, folder: Path) -> Path | None:
    """The file in which training kept the vectors of these very photos; None if there is none."""
    rows = np.concatenate(list(own.splits.values()))
    digest = hashlib.sha256(rows.tobytes()).hexdigest()
    path = Path(recipe.features) if recipe.features else folder / FEATURES
    if not path.is_file():
        return None
    told = told_by(path)
    return path if (told["data"], told["rows"]) == (own.fingerprint, digest) else None
