"""What looks wrong with answers and their scores, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy.special import bdtr

from sightline.evaluation.localization.calibration import Calibration
from sightline.evaluation.localization.guesses import Baseline
from sightline.evaluation.localization.metrics import Earth, accuracy_name, errors_m
from sightline.evaluation.localization.predictions import Predictions
from sightline.evaluation.uncertainty.bootstrap_means import Floats

_SWAPPED_IS_BETTER = 5.0
_FEWEST_FOR_SWAPPED = 5
_AT_THE_TRUTH_M = 1.0
_FEWEST_AT_THE_TRUTH = 2
# A false alarm about radii in one evaluation of a hundred.
_UNLIKELY = 0.01


def doubts(
    predictions: Predictions,
    errors: Floats,
    values: Mapping[str, float | None],
    baselines: Mapping[str, Baseline],
    calibration: Calibration | None,
    earth: Earth,
    thresholds_km: Sequence[float],
    *,
    prior_given: bool = False,
) -> list[str]:
    """Return a sentence for everything that looks wrong.

    Args:
        predictions: n > 0 photos.
        errors: Metres (n,).
        values: The model's metrics.
        baselines: ``prior`` and ``shuffled`` at least.
        calibration: Of the stated radii, if there are any.
        earth: What errors were measured on.
        thresholds_km: What accuracies were measured at.
        prior_given: The place of ``prior`` was chosen by the caller, and not counted out.
    """
    return [
        *_swapped(predictions, errors, earth),
        *_one_answer(predictions),
        *_at_the_truth(errors),
        *_no_median(errors),
        *_no_better_than_the_prior(
            values,
            baselines["prior"],
            len(errors),
            thresholds_km,
            "the given place" if prior_given else "the most frequent place",
        ),
        *_no_better_than_shuffled(values, baselines["shuffled"]),
        *_one_group(predictions),
        *_radii_too_short(calibration),
    ]


def _swapped(predictions: Predictions, errors: Floats, earth: Earth) -> Iterator[str]:
    answered = predictions.answered
    if answered.sum() < _FEWEST_FOR_SWAPPED:
        return
    turned = predictions.predicted[answered][:, ::-1].copy()
    # A longitude beyond 90 cannot have been meant as a latitude.
    turned[np.abs(turned[:, 0]) > 90.0] = np.nan
    median_m = float(np.median(errors[answered]))
    other_m = float(np.median(errors_m(turned, predictions.true[answered], earth=earth)))
    if other_m * _SWAPPED_IS_BETTER < median_m:
        yield (
            "Latitude and longitude look swapped in the answers or in the truth: with the answers' "
            f"columns exchanged, the median error of answered photos falls from "
            f"{median_m / 1000.0:,.0f} km to {other_m / 1000.0:,.0f} km."
        )


def _one_answer(predictions: Predictions) -> Iterator[str]:
    given = predictions.predicted[predictions.answered]
    if len(given) > 1 and (given == given[0]).all():
        yield (
            f"All {len(given)} answers are the same place ({given[0, 0]:.5f}, {given[0, 1]:.5f}): "
            "the model does not look at the photo."
        )


def _at_the_truth(errors: Floats) -> Iterator[str]:
    near = int((errors <= _AT_THE_TRUTH_M).sum())
    if near >= _FEWEST_AT_THE_TRUTH:
        yield (
            f"{near} of {len(errors)} answers lie within {_AT_THE_TRUTH_M:g} m of the truth: the "
            "references may hold the same photos, or the place may have been read from the file."
        )


def _no_median(errors: Floats) -> Iterator[str]:
    silent = int(np.isinf(errors).sum())
    if np.isinf(np.median(errors)):
        yield (
            f"{silent} of {len(errors)} photos have no answer, so the median error is infinite "
            "(null)."
        )


def _no_better_than_the_prior(
    values: Mapping[str, float | None],
    prior: Baseline,
    count: int,
    thresholds_km: Sequence[float],
    what: str,
) -> Iterator[str]:
    beaten = []
    for threshold_km in thresholds_km:
        ours, theirs = (
            values[accuracy_name(threshold_km)],
            prior.metrics[accuracy_name(threshold_km)],
        )
        # The one photo that the place was taken from says nothing about guessing.
        if ours is not None and theirs is not None and theirs * count > 1.5 and ours <= theirs:
            beaten.append(f"{threshold_km:g}")
    if beaten and prior.place is not None:
        yield (
            f"Within {_listed(beaten)} km the model is right no more often than always answering "
            f"({prior.place.lat:.2f}, {prior.place.lon:.2f}), {what}."
        )


def _no_better_than_shuffled(
    values: Mapping[str, float | None], shuffled: Baseline
) -> Iterator[str]:
    ours, chance = values["score"], shuffled.metrics["score"]
    if ours is not None and chance is not None and ours <= chance:
        yield (
            f"The model's answers score {ours:.0f}, and handed out to other photos at random they "
            f"score {chance:.0f}: they have nothing to do with their photos."
        )


def _one_group(predictions: Predictions) -> Iterator[str]:
    labels = predictions.clusters
    if labels is not None and len(labels) > 1 and len(set(labels)) == 1:
        yield (
            f"All photos belong to one group, {labels[0]!r}: how sure the numbers are cannot be "
            "said, and intervals have no width."
        )


def _radii_too_short(calibration: Calibration | None) -> Iterator[str]:
    if calibration is None:
        return
    for stated, observed, count in zip(
        calibration.stated, calibration.observed, calibration.photos, strict=True
    ):
        if observed is not None and bdtr(round(observed * count), count, stated) < _UNLIKELY:
            yield (
                f"Radii stated to hold the true place of {stated:.0%} of photos hold that of "
                f"{observed:.0%} (of {count} answered)."
            )


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
