"""How far a classifier's answers lie from the truth: for selection, and for the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.errors import VectorError
from sightline.evaluation.localization import LocalizationSettings, Predictions, errors_m
from sightline.evaluation.localization.guesses import most_frequent_place
from sightline.evaluation.localization.metrics import (
    THRESHOLDS_KM,
    accuracy_name,
    localization_values,
)
from sightline.evaluation.results.localization import LocalizationResult, evaluate_localization
from sightline.geo.partition import Partition
from sightline.models.cell_classifiers import CellClassifier
from sightline.training.cross_view.pair_data import Floats, Rows
from sightline.training.data.pixels import PixelSource, VectorSource
from sightline.training.loops.precision import MixedPrecision
from sightline.training.loops.processes import Processes
from sightline.training.loops.sharing import computed_together
from sightline.training.loops.task import Validation
from sightline.training.photos.photo_data import PhotoData

_PRIOR_PLACES = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a classifier answered for some photos.

    Attributes:
        cells: int64 (n, p), the most probable cell of each partition that answers, the finest last.
        broken: (n,) photos that could not be read, and have no answer.
    """

    cells: Rows
    broken: NDArray[np.bool_]


class Answerer:
    """Asks a classifier about photos as they are seen in tests, each process its part.

    Args:
        pixels: Of all photos, at network size; or their pooled vectors.
        batch_size: Photos at once.
        precision: Of the computation.
        processes: All that share the work.
    """

    def __init__(
        self,
        pixels: PixelSource | VectorSource,
        *,
        batch_size: int,
        precision: MixedPrecision,
        processes: Processes,
    ) -> None:
        self._pixels, self._batch_size = pixels, batch_size
        self._precision, self._processes = precision, processes

    def ask(self, classifier: CellClassifier, rows: Rows) -> Answers:
        """The most probable cells of photos.

        Args:
            classifier: In evaluation mode.
            rows: (n,) which photos.

        Raises:
            VectorError: A probability is not finite.
        """
        cells, broken = computed_together(
            rows,
            lambda part: self._batch(classifier, part),
            batch_size=self._batch_size,
            processes=self._processes,
        )
        return Answers(cells.numpy(), broken.bool().numpy())

    def _batch(self, classifier: CellClassifier, rows: Rows) -> tuple[Tensor, Tensor]:
        pixels, broken = self._pixels.take(rows)
        given = torch.from_numpy(pixels).to(self._processes.device)
        with torch.inference_mode():
            with self._precision.autocast():
                vectors = given if given.ndim == 2 else classifier.vectors(given)
            answers = classifier.head.log_probabilities(vectors.float())
            several = answers if isinstance(answers, tuple) else (answers,)
            good = torch.from_numpy(~broken).to(given.device)
            if not all(bool(torch.isfinite(one[good]).all()) for one in several):
                raise VectorError(
                    "Probabilities of cells must be finite. Got NaN or infinity.",
                    hint="The network has diverged: train it with a lower learning_rate.",
                )
            cells = torch.stack([one.argmax(dim=1) for one in several], dim=1)
        return cells, torch.from_numpy(broken).to(cells.device, torch.int64)


def validation_of(
    answers: Answers, places: Floats, partitions: Sequence[Partition], select_km: float
) -> Validation:
    """The numbers of a validation, without intervals.

    Args:
        answers: Of n photos.
        places: (n, 2) where they were taken.
        partitions: Those that answer, the finest last.
        select_km: Decides.
    """
    thresholds = sorted({*THRESHOLDS_KM, select_km})
    found: dict[str, float] = {}
    warnings = []
    for number, partition in enumerate(partitions):
        errors = errors_m(answered_places(answers, number, partition), places)
        values = localization_values(errors, thresholds)
        finest = number == len(partitions) - 1
        kept = {k: v for k, v in values.items() if v is not None and np.isfinite(v)}
        if finest:
            found |= kept
        else:
            name = accuracy_name(select_km)
            found[f"{name} of {len(partition)} cells"] = kept[name]
    named = len(np.unique(answers.cells[:, -1]))
    found["cells_answered"] = float(named)
    if named == 1 and len(places) > 1:
        warnings.append("Every photo is answered with the same cell: nothing was learnt yet.")
    return Validation(found[accuracy_name(select_km)], found, tuple(warnings))


def answered_places(answers: Answers, number: int, partition: Partition) -> Floats:
    """Degrees (n, 2) that one partition answers; NaN for photos that could not be read."""
    points = partition.representatives[answers.cells[:, number]].copy()
    points[answers.broken] = np.nan
    return points


def evaluation_of(
    points: Floats, broken: NDArray[np.bool_], data: PhotoData, part: str, name: str, *, seed: int
) -> LocalizationResult:
    """The whole evaluation of answers, as ``sightline evaluate localization`` makes it.

    The constant guess beside it is the most frequent place of the training photos, and photos by
    one photographer are drawn together.

    Args:
        points: (n, 2) degrees; NaN where there is no answer.
        broken: (n,) photos that could not be read.
        data: Whose split was asked about.
        part: Which.
        name: Of the model.
        seed: Of what is drawn.
    """
    rows = data.splits[part].tolist()
    people = [data.photographers[row] or None for row in rows]
    predictions = Predictions.of(
        points,
        data.places(part),
        name=name,
        failed=broken,
        ids=[data.photos.ids[row] for row in rows],
        groups=people if any(people) else None,
    )
    prior = most_frequent_place(_some(data.places("train")))
    return evaluate_localization(predictions, LocalizationSettings(seed=seed), prior=prior)


def _some(places: Floats) -> Floats:
    """At most 100,000 places, drawn at random: enough to find the most frequent one."""
    if len(places) <= _PRIOR_PLACES:
        return places
    rows = np.random.default_rng(0).choice(len(places), _PRIOR_PLACES, replace=False)
    return np.asarray(places[rows])
