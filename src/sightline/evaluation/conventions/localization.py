"""Localization scores as published code would return them on the same distances or places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from sightline.errors import EvaluationError
from sightline.evaluation.conventions.published_localization import (
    LOCALIZATION,
    LOCALIZATION_PEERS,
    PublishedLocalization,
)
from sightline.evaluation.localization.metrics import HIGHEST_SCORE, SCORE_DECAY_KM
from sightline.geo.coordinates import as_coordinates
from sightline.geo.distance import geodesic_m, great_circle_m

VIGOR_EARTH_RADIUS_M = 6_371_004.0


def distance_km(peer: str, predicted: ArrayLike, true: ArrayLike) -> NDArray[np.float64]:
    """Return how far apart places are on the Earth of a peer.

    The Earth is the peer's, the formula ours: it is finite at the antipode, where some of the
    published ones are not.

    Args:
        peer: One of :data:`LOCALIZATION_PEERS`, or ``"vigor"``.
        predicted: (..., 2) degrees.
        true: (..., 2) degrees, broadcast against ``predicted``.

    Returns:
        Kilometres, float64; NaN where a place is NaN.

    Raises:
        EvaluationError: No such peer.
    """
    if peer == "vigor":
        return great_circle_m(predicted, true, radius_m=VIGOR_EARTH_RADIUS_M) / 1000.0
    if peer not in LOCALIZATION_PEERS:
        raise EvaluationError(
            f"There is no localization convention {peer!r}.",
            hint=f"There are {', '.join(LOCALIZATION_PEERS)}, and vigor.",
        )
    radius_m = LOCALIZATION[LOCALIZATION_PEERS[peer][0]].earth_radius_m
    if radius_m is None:
        return geodesic_m(predicted, true) / 1000.0
    return great_circle_m(predicted, true, radius_m=radius_m) / 1000.0


def published_accuracy(
    name: str, distances_km: ArrayLike, *, thresholds_km: Sequence[float] | None = None
) -> dict[str, float]:
    """Return what one published function returns for these distances: its keys, units, rounding.

    Args:
        name: A function of :data:`LOCALIZATION`.
        distances_km: (n,), not negative; infinite where there is no answer.
        thresholds_km: By default the function's own.

    Raises:
        EvaluationError: No such function, or distances that are none; names row and value.
    """
    if name not in LOCALIZATION:
        raise EvaluationError(
            f"There is no published function {name!r}.",
            hint=f"There are {', '.join(LOCALIZATION)}.",
        )
    row = LOCALIZATION[name]
    distances = _distances(distances_km)
    thresholds = row.thresholds_km if thresholds_km is None else thresholds_km
    numbers = {}
    if row.mean_key is not None:
        numbers[row.mean_key] = _single_mean(torch.from_numpy(distances).sum(), len(distances))
    if row.score_key is not None:
        numbers[row.score_key] = _score(row, distances)
    for threshold_km in thresholds:
        hits = _within(row, distances, threshold_km)
        key = row.accuracy_key.format(f"{threshold_km:g}")
        if row.single:
            numbers[key] = float(np.float32(hits) / np.float32(len(distances)))
        else:
            numbers[key] = hits / len(distances) * (100 if row.unit == "percent" else 1)
    return numbers


def published_localizations(
    predicted: ArrayLike, true: ArrayLike
) -> dict[str, dict[str, dict[str, float]]]:
    """Return ``{peer: {function: result}}`` for every published function.

    Args:
        predicted: (n, 2) degrees; NaN in both where there is no answer, which counts as a miss.
        true: (n, 2) degrees.

    Raises:
        CoordinateError: A place is out of range; names array and row.
        EvaluationError: Another number of places, or none.
    """
    return {
        peer: {
            LOCALIZATION[name].function: _finite(published_accuracy(name, distances))
            for name in LOCALIZATION_PEERS[peer]
        }
        for peer, distances in _distances_by_peer(predicted, true).items()
    }


def localization_conventions(predicted: ArrayLike, true: ArrayLike) -> dict[str, dict[str, float]]:
    """Return ``{peer: {metric: value}}``: every peer's verdict on the same places, our names.

    Args:
        predicted: As for :func:`published_localizations`.
        true: As for :func:`published_localizations`.

    Returns:
        ``accuracy@1km`` and so on as shares between 0 and 1; where the peer reports them,
        ``mean_error_km``, ``median_error_km``, and ``score`` between 0 and 5000. A mean or median
        that is infinite, because photos have no answer, is left out.

    Raises:
        CoordinateError: As for :func:`published_localizations`.
        EvaluationError: As for :func:`published_localizations`.
    """
    table = {}
    for peer, distances in _distances_by_peer(predicted, true).items():
        row = LOCALIZATION[LOCALIZATION_PEERS[peer][0]]
        numbers = {
            f"accuracy@{threshold_km:g}km": _within(row, distances, threshold_km) / len(distances)
            for threshold_km in row.thresholds_km
        }
        if row.mean_key is not None or "mean_error_km" in row.statistics:
            numbers["mean_error_km"] = float(np.mean(distances))
        if "median_error_km" in row.statistics:
            numbers["median_error_km"] = float(np.median(distances))
        if row.score is not None:
            numbers["score"] = float(np.mean(_scores(row, distances)))
        table[peer] = _finite(numbers)
    return table


def vigor_accuracy(distances: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return VIGOR's curve (Jeff-Zilence/VIGOR, evaluate_from_npy.py, distance_accuracy).

    Args:
        distances: (n,), in the unit of the thresholds; the published figure has metres.

    Returns:
        Thresholds 1.1 ** (i / 5) for i from 1 to 499, and the share of distances strictly below
        each, both (499,).

    Raises:
        EvaluationError: As for :func:`published_accuracy`.
    """
    known = np.sort(_distances(distances))
    # Python's power, not numpy's: they differ in the last bit.
    thresholds = np.array([1.1 ** (i / 5.0) for i in range(1, 500)])
    below = np.searchsorted(known, thresholds, side="left")
    return thresholds, np.asarray(below / len(known))


def visloc_printed(distances_km: ArrayLike) -> str:
    """Return what visloc prints: a line for each threshold, and the median.

    Args:
        distances_km: (n,), not negative.

    Raises:
        EvaluationError: As for :func:`published_accuracy`.
    """
    row = LOCALIZATION["visloc_evaluation"]
    shares = published_accuracy("visloc_evaluation", distances_km).values()
    lines = [
        f"Acc@{f'{int(km)}km' if km >= 1 else f'{int(km * 1000)}m'}:\t{share:.1f}%\n"
        for km, share in zip(row.thresholds_km, shares, strict=True)
    ]
    return "".join(lines) + f"Median Error: {np.median(_distances(distances_km)):.1f}km\n"


def _distances_by_peer(predicted: ArrayLike, true: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """Kilometres (n,) on each peer's Earth; infinite where there is no answer."""
    given = np.asarray(predicted, dtype=np.float64)
    places = as_coordinates(true, name="true")
    if given.shape != places.shape or len(places) == 0:
        raise EvaluationError(
            f"predicted and true must be the same number of places, at least one. Got "
            f"{given.shape} and {places.shape}.",
            hint="Give one prediction per photo, NaN where there is none.",
        )
    answered = np.asarray(~np.isnan(given).all(axis=1))
    as_coordinates(np.where(answered[:, None], given, 0.0), name="predicted")
    return {
        peer: np.where(answered, distance_km(peer, given, places), np.inf)
        for peer in LOCALIZATION_PEERS
    }


def _distances(value: ArrayLike) -> NDArray[np.float64]:
    distances = np.asarray(value, dtype=np.float64)
    if distances.ndim != 1 or len(distances) == 0:
        raise EvaluationError(
            f"distances must have shape (n,), n > 0. Got {distances.shape}.",
            hint="Give one distance per photo, infinite where there is no answer.",
        )
    bad = np.flatnonzero(np.isnan(distances) | (distances < 0.0))
    if len(bad):
        raise EvaluationError(
            f"distances row {bad[0]} is {distances[bad[0]]}, and no distance is.",
            hint="Say inf where there is no answer: it counts as a miss.",
        )
    return distances


def _within(row: PublishedLocalization, distances: NDArray[np.float64], threshold_km: float) -> int:
    inside = distances <= threshold_km if row.inclusive else distances < threshold_km
    return int(inside.sum())


def _scores(row: PublishedLocalization, distances: NDArray[np.float64]) -> NDArray[np.float64]:
    scores = HIGHEST_SCORE * np.exp(-distances / SCORE_DECAY_KM)
    return np.round(scores) if row.score == "rounded" else scores


def _score(row: PublishedLocalization, distances: NDArray[np.float64]) -> float:
    if not row.single:
        return float(np.mean(_scores(row, distances)))
    # Torch's own exponential and order of summing, since they decide the last bit of float32.
    total = HIGHEST_SCORE * torch.exp(-torch.from_numpy(distances) / SCORE_DECAY_KM).sum()
    return _single_mean(total, len(distances))


def _single_mean(total: torch.Tensor, n: int) -> float:
    """Divide as a metric whose running sum is a float32 does."""
    return float(total.float() / n)


def _finite(numbers: dict[str, float]) -> dict[str, float]:
    return {name: number for name, number in numbers.items() if np.isfinite(number)}
