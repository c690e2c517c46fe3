"""The viability filter of the PSSR paper: which photos can be located at all.

Debnath et al. (PSSR, section 3): 10,000 photos labelled by hand, half of them viable; features of
a scene network (VGG16 on Places365); a random forest; 87 % accuracy. Macro photographs and
interiors are what it removes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.datasets.seeding import checked_seed
from sightline.datasets.viability.forest import Forest, checked_features
from sightline.datasets.viability.threshold import PrecisionThreshold, threshold_for_precision
from sightline.datasets.viability.validation import cross_validated, fitted, wilson_interval
from sightline.durable import make_folder, write_bytes, write_json
from sightline.errors import BundleError, UsageError

_SCHEMA = "sightline.viability/1"
_FOREST = "forest.npz"
_CARD = "viability.json"


@dataclass(frozen=True, slots=True)
class ViabilityReport:
    """How well the filter tells viable photos from others, on photos it was not trained on.

    Args:
        photos: How many were labelled.
        viable: How many of them are viable.
        folds: In how many parts they were left out in turn.
        accuracy: Share that is told rightly at a probability of one half.
        accuracy_interval: Wilson's 95 % interval of the accuracy.
        fold_accuracies: The accuracy in each part.
        majority_accuracy: What always saying the commoner answer would reach.
        threshold: The chosen threshold, with precision and recall.
    """

    photos: int
    viable: int
    folds: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    fold_accuracies: tuple[float, ...]
    majority_accuracy: float
    threshold: PrecisionThreshold


@dataclass(frozen=True, slots=True, eq=False)
class FilteredPhotos:
    """What a filter says of photos.

    Args:
        ids: (n,) the photos.
        probability: float64 (n,) how likely each is viable.
        keep: bool (n,) whether it reaches the threshold.
    """

    ids: tuple[str, ...]
    probability: NDArray[np.float64]
    keep: NDArray[np.bool_]

    @property
    def kept(self) -> list[str]:
        """Ids of the photos that are kept, in their order."""
        return [one for one, keep in zip(self.ids, self.keep.tolist(), strict=True) if keep]

    @property
    def dropped(self) -> list[str]:
        """Ids of the photos that are dropped, in their order."""
        return [one for one, keep in zip(self.ids, self.keep.tolist(), strict=True) if not keep]


@dataclass(frozen=True, slots=True, eq=False)
class ViabilityFilter:
    """A trained filter.

    Args:
        forest: The trees, trained on all labelled photos.
        report: How well it does on photos left out.
        encoder: Fingerprint of the encoder that made the features; empty if not said.
    """

    forest: Forest
    report: ViabilityReport
    encoder: str = ""

    def apply(
        self,
        ids: Sequence[str],
        features: NDArray[np.floating[Any]],
        *,
        encoder: str = "",
        threshold: float | None = None,
    ) -> FilteredPhotos:
        """Tell photos that can be located from those that cannot.

        Args:
            ids: (n,) the photos.
            features: (n, d) their features.
            encoder: Fingerprint of the encoder that made them; compared if both are known.
            threshold: Keep photos with this probability or more; the report's by default.

        Raises:
            VectorError: The features have another shape or are not finite.
            UsageError: The numbers of ids and features differ, or the encoder is another.
        """
        if encoder and self.encoder and encoder != self.encoder:
            raise UsageError(
                f"The filter was trained with the encoder {self.encoder!r}. Got features of "
                f"{encoder!r}.",
                hint="Encode with that encoder, or train the filter again.",
            )
        probability = self.forest.probability(features)
        if len(ids) != len(probability):
            raise UsageError(
                f"ids must have one value for each of the {len(probability)} photos. Got "
                f"{len(ids)}.",
                hint="Give the ids of the photos that were encoded.",
            )
        least = self.report.threshold.value if threshold is None else threshold
        return FilteredPhotos(tuple(ids), probability, probability >= least)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the filter to a folder: JSON and NumPy arrays, no pickle; raises OutputError."""
        target = Path(folder)
        make_folder(target)
        forest = self.forest.to_bytes()
        write_bytes(target / _FOREST, forest)
        card = {
            "schema": _SCHEMA,
            "encoder": self.encoder,
            "forest_sha256": hashlib.sha256(forest).hexdigest(),
            "report": asdict(self.report),
        }
        write_json(target / _CARD, card)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> ViabilityFilter:
        """Read a filter.

        Raises:
            BundleError: There is none, or it is damaged.
        """
        target = Path(folder)
        try:
            card = json.loads((target / _CARD).read_text(encoding="utf-8"))
            if card["schema"] != _SCHEMA:
                raise _unreadable(target, f"is of the schema {card['schema']!r}, not {_SCHEMA!r}")
            report = _report_of(card["report"])
            data = (target / _FOREST).read_bytes()
            if card["forest_sha256"] != hashlib.sha256(data).hexdigest():
                raise _unreadable(target, f"holds a {_FOREST} that {_CARD} does not speak of")
            return cls(Forest.from_bytes(data), report, str(card["encoder"]))
        except (OSError, ValueError, KeyError, TypeError) as cause:
            raise _unreadable(target, f"cannot be read ({cause})") from cause


def train_viability(
    features: NDArray[np.floating[Any]],
    viable: ArrayLike,
    *,
    precision: float = 0.9,
    folds: int = 5,
    trees: int = 300,
    seed: int = 0,
    groups: Sequence[str] | None = None,
    encoder: str = "",
) -> ViabilityFilter:
    """Learn from labelled photos which ones can be located.

    Args:
        features: (n, d) features of a scene network, finite.
        viable: bool (n,) whether each photo can be located.
        precision: Wanted share of viable photos among those kept; sets the threshold, on photos
            left out of training.
        folds: In how many parts the photos are left out in turn.
        trees: How many trees.
        seed: Decides folds and trees.
        groups: (n,) photographers, say: those of one group are left out together, so that the
            accuracy is that on new ones.
        encoder: Fingerprint of the encoder that made the features.

    Raises:
        VectorError: The features have another shape or are not finite.
        UsageError: The labels are impossible, a class has fewer photos than there are folds, or no
            threshold reaches the precision.
        DependencyError: scikit-learn is not installed.
    """
    seed = checked_seed(seed)
    rows = checked_features(features)
    labels = _checked_labels(viable, len(rows), folds)
    probability, fold = cross_validated(
        rows, labels, folds=folds, trees=trees, seed=seed, groups=groups
    )
    right = (probability >= 0.5) == labels
    report = ViabilityReport(
        photos=len(labels),
        viable=int(labels.sum()),
        folds=folds,
        accuracy=float(right.mean()),
        accuracy_interval=wilson_interval(int(right.sum()), len(right)),
        fold_accuracies=tuple(float(right[fold == part].mean()) for part in range(folds)),
        majority_accuracy=float(max(labels.mean(), 1.0 - labels.mean())),
        threshold=threshold_for_precision(probability, labels, precision),
    )
    return ViabilityFilter(fitted(rows, labels, trees=trees, seed=seed), report, encoder)


def _checked_labels(viable: ArrayLike, rows: int, folds: int) -> NDArray[np.bool_]:
    labels = np.asarray(viable)
    if labels.shape != (rows,) or labels.dtype != bool:
        raise UsageError(
            f"viable must be {rows} truth values, one for each photo. Got {labels.dtype} of "
            f"{labels.shape}.",
            hint="Label each photo True (can be located) or False.",
        )
    fewest = int(min(labels.sum(), (~labels).sum()))
    if folds < 2 or fewest < folds:
        raise UsageError(
            f"folds must be 2 or more, and no more than the photos of either class. Got {folds!r} "
            f"with {int(labels.sum())} viable and {int((~labels).sum())} other photos.",
            hint="Label more photos; the paper used 5,000 of each.",
        )
    return labels


def _report_of(stored: dict[str, Any]) -> ViabilityReport:
    return ViabilityReport(
        **{
            **stored,
            "accuracy_interval": tuple(stored["accuracy_interval"]),
            "fold_accuracies": tuple(stored["fold_accuracies"]),
            "threshold": PrecisionThreshold(**stored["threshold"]),
        }
    )


def _unreadable(folder: Path, what: str) -> BundleError:
    return BundleError(
        f"The viability filter {str(folder)!r} {what}.",
        hint="Check the path, or train the filter again.",
        path=folder,
    )
