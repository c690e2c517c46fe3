"""Cross-validation of a random forest: every photo is judged by trees that have not seen it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.viability.forest import Forest
from sightline.errors import DependencyError, UsageError

Features = NDArray[np.float32]
Labels = NDArray[np.bool_]

_Z_95 = 1.959963984540054


def cross_validated(
    rows: Features,
    labels: Labels,
    *,
    folds: int,
    trees: int,
    seed: int,
    groups: Sequence[str] | None,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return each photo's probability, by a forest of the other folds, and its fold.

    Folds hold both classes in equal parts; with groups, as nearly as whole groups allow.

    Raises:
        UsageError: The number of groups is wrong or too small.
        DependencyError: scikit-learn is not installed.
    """
    selection = _sklearn("model_selection")
    if groups is not None and (len(groups) != len(labels) or len(set(groups)) < folds):
        raise UsageError(
            f"groups must name {folds} groups or more, one for each of {len(labels)} photos. Got "
            f"{len(groups)} values of {len(set(groups))} groups.",
            hint="Give the photographer of each photo, or leave groups out.",
        )
    kind = selection.StratifiedKFold if groups is None else selection.StratifiedGroupKFold
    parts = kind(n_splits=folds, shuffle=True, random_state=seed).split(rows, labels, groups)
    probability = np.empty(len(labels))
    fold = np.empty(len(labels), np.int64)
    for number, (train, test) in enumerate(parts):
        if len(test) == 0 or len(set(labels[train].tolist())) < 2:
            raise UsageError(
                f"Part {number + 1} of {folds} leaves no photos to test on, or only one class to "
                "train on.",
                hint="Take fewer folds, or more and smaller groups.",
            )
        forest = fitted(rows[train], labels[train], trees=trees, seed=seed)
        probability[test] = forest.probability(rows[test])
        fold[test] = number
    return probability, fold


def fitted(rows: Features, labels: Labels, *, trees: int, seed: int) -> Forest:
    """Fit a forest; raises DependencyError if scikit-learn is not installed."""
    model = _sklearn("ensemble").RandomForestClassifier(
        n_estimators=trees, random_state=seed, n_jobs=-1
    )
    model.fit(rows, labels)
    return Forest.of_sklearn(model)


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """Return Wilson's score interval of a share, 95 % (Wilson 1927)."""
    share = right / total
    scale = 1.0 + _Z_95**2 / total
    middle = (share + _Z_95**2 / (2 * total)) / scale
    half = _Z_95 / scale * math.sqrt(share * (1 - share) / total + _Z_95**2 / (4 * total**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def _sklearn(part: str) -> ModuleType:
    try:
        return import_module(f"sklearn.{part}")
    except ImportError as cause:
        raise DependencyError(
            "The viability filter is trained with scikit-learn, which is not installed.",
            hint='Run: pip install "sightline[train]"',
        ) from cause
