"""How sure a number is, and whether two systems differ on the same queries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import EvaluationError
from sightline.evaluation.uncertainty.bootstrap_means import Floats, Labels, resampled_means
from sightline.evaluation.uncertainty.bootstrap_quantiles import resampled_quantiles
from sightline.evaluation.uncertainty.sign_flips import sign_flip_p_value

Statistic = Literal["mean", "median"] | float
"""What is measured: the mean, the median, or the smallest value that a share in (0, 1] reaches."""

RESAMPLES = 10_000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A number and where it lies at the stated confidence; all None if there were no queries.

    Infinity is kept (the median error where most photos have no answer).
    """

    value: float | None
    low: float | None
    high: float | None

    def to_json(self) -> dict[str, float | None]:
        """Return ``value``, ``low``, ``high``; what is undefined or infinite is None."""
        return {
            "value": finite(self.value),
            "low": finite(self.low),
            "high": finite(self.high),
        }


@dataclass(frozen=True, slots=True)
class PairedResult:
    """What two systems differ by on the same queries; all None if there were no queries.

    Attributes:
        difference: Mean of b less mean of a.
        low: Lower end of its bootstrap interval.
        high: Upper end.
        p_value: How often a difference at least as large, in either direction, arises where it is
            a matter of chance which system got which of a query's two values.
        exact: All assignments were counted; otherwise ``resamples`` of them were drawn.
    """

    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None
    exact: bool


def interval(
    values: ArrayLike,
    *,
    rng: np.random.Generator,
    statistic: Statistic = "mean",
    groups: Sequence[object] | NDArray[np.generic] | None = None,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
) -> Interval:
    """Return a statistic of the queries and its percentile bootstrap interval.

    Ends are order statistics of the resampled values, the k-th smallest and the k-th largest with
    k = floor((resamples + 1)(1 - confidence) / 2), so nothing is interpolated. Where the queries,
    or the groups, are few, such intervals are too short: they know nothing of what was not seen.

    Args:
        values: (n,), one number per query. The mean needs finite numbers; the median and other
            shares also take +infinity.
        rng: What to draw with.
        statistic: ``"mean"``, ``"median"`` (of an even number, the mean of the two in the middle),
            or a share in (0, 1]: the smallest value that at least this share of values reaches.
        groups: (n,), what each query belongs to (queries that share a place): whole groups are
            drawn, as many as there are, and the statistic is that of all their queries. None where
            each query stands for itself.
        confidence: In (0, 1).
        resamples: How many resamples; at least 2 / (1 - confidence) - 1.

    Returns:
        All None for n = 0; low = high = value for n = 1, a single group, or equal values.

    Raises:
        EvaluationError: Values are no numbers, NaN or not (n,), groups do not fit, or a setting is
            out of range; names row and value.
    """
    array = _queries(values, "values", infinite=statistic != "mean")
    labels = None if groups is None else group_numbers(groups, len(array))
    share = _share(statistic)
    edge = _edge(confidence, resamples)
    if len(array) == 0:
        return Interval(None, None, None)
    value = _statistic(array, share, statistic)
    alone = len(array) == 1 or (labels is not None and labels.max() == 0)
    if alone or array.min() == array.max():
        return Interval(value, value, value)
    if share is None:
        drawn = resampled_means(array, labels, resamples, rng)
    else:
        median = statistic == "median"
        drawn = resampled_quantiles(array, labels, share, resamples, rng, median=median)
    ends = np.partition(drawn, (edge - 1, resamples - edge))
    return Interval(value, float(ends[edge - 1]), float(ends[resamples - edge]))


def statistic_of(values: ArrayLike, statistic: Statistic = "mean") -> float:
    """Return the statistic alone, as :func:`interval` takes it.

    Args:
        values: (n,), n at least 1.
        statistic: As for :func:`interval`.

    Raises:
        EvaluationError: As for :func:`interval`.
    """
    array = _queries(values, "values", infinite=statistic != "mean")
    return _statistic(array, _share(statistic), statistic)


def paired_test(
    a: ArrayLike,
    b: ArrayLike,
    *,
    rng: np.random.Generator,
    groups: Sequence[object] | NDArray[np.generic] | None = None,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
) -> PairedResult:
    """Compare two systems on the same queries: the difference of means, its interval and a p-value.

    The p-value is that of Fisher's sign-flip test, two-sided: if the systems are alike, each
    query's difference could as well have had the other sign. All flips are counted where that is
    possible; with differences of -1, 0 and 1 (recall), that is McNemar's exact test. Otherwise
    flips are drawn, and p = (1 + as extreme) / (1 + resamples), which is never too small.

    Args:
        a: (n,), one finite number per query.
        b: (n,), the other system's, in the same order.
        rng: What to draw with.
        groups: (n,), what each query belongs to: the signs of a group flip together, and the
            interval draws whole groups.
        confidence: Of the interval, in (0, 1).
        resamples: How many resamples, and how many flips where they are drawn.

    Raises:
        EvaluationError: As for :func:`interval`, or a and b differ in length.
    """
    first, second = (
        _queries(x, name, infinite=False) for x, name in ((a, "values of a"), (b, "values of b"))
    )
    if len(first) != len(second):
        raise EvaluationError(
            f"A paired test needs the same queries on both sides. Got {len(first)} values of a and "
            f"{len(second)} of b.",
            hint="Give one value per query in the same order.",
        )
    differences = second - first
    found = interval(
        differences, rng=rng, groups=groups, confidence=confidence, resamples=resamples
    )
    if found.value is None:
        return PairedResult(None, None, None, None, exact=True)
    if groups is not None:
        labels = group_numbers(groups, len(differences))
        differences = np.bincount(labels, weights=differences).astype(np.float64)
    p_value, exact = sign_flip_p_value(differences, resamples, rng)
    return PairedResult(found.value, found.low, found.high, p_value, exact)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust the p-values of several tests so that any false alarm among them is as rare as one's.

    Holm (1979): the i-th smallest of m, counted from 0, is multiplied by m - i; none is below the
    one before it, none above 1.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    least = 0.0
    for rank, i in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = least
    return adjusted


def group_numbers(groups: Sequence[object] | NDArray[np.generic], count: int) -> Labels:
    """Number the groups from 0 in order of appearance.

    Raises:
        EvaluationError: Not one label per query, or one is None or NaN; names row and value.
    """
    given = groups.tolist() if isinstance(groups, np.ndarray) else list(groups)
    if len(given) != count:
        raise EvaluationError(
            f"groups has {len(given)} labels for {count} queries.", hint="Give one label each."
        )
    numbers: dict[object, int] = {}
    labels = np.empty(count, np.int64)
    for row, label in enumerate(given):
        # Only NaN differs from itself.
        if label is None or label != label:
            raise EvaluationError(
                f"groups row {row} is {label!r}, which is no group.",
                hint="Give a query without a group a label of its own.",
            )
        labels[row] = numbers.setdefault(label, len(numbers))
    return labels


def finite(value: float | None) -> float | None:
    """Return a number that JSON can hold: None for what is undefined or infinite."""
    return value if value is not None and math.isfinite(value) else None


def _queries(values: ArrayLike, name: str, *, infinite: bool) -> Floats:
    array = np.asarray(values)
    if array.dtype.kind not in "biuf" or array.ndim != 1:
        raise EvaluationError(
            f"{name} must be numbers of shape (n,). Got {array.dtype} of shape {array.shape}.",
            hint="Give one number per query.",
        )
    array = array.astype(np.float64)
    bad = ~(array > -np.inf) if infinite else ~np.isfinite(array)
    if bad.any():
        row = int(np.argmax(bad))
        hint = (
            "Give each query a number; what has no answer is a miss, or infinitely far."
            if infinite
            else "A mean needs finite numbers; a median takes +infinity too."
        )
        raise EvaluationError(f"{name} row {row} is {array[row]}.", hint=hint)
    return array


def _share(statistic: Statistic) -> Fraction | None:
    """Return the share that a quantile is of; None for the mean."""
    if statistic == "mean":
        return None
    if statistic == "median":
        return Fraction(1, 2)
    share = statistic if isinstance(statistic, float | int) else math.nan
    if not 0.0 < share <= 1.0:
        raise EvaluationError(
            f"statistic must be 'mean', 'median' or a share in (0, 1]. Got {statistic!r}.",
            hint="A share of 0.9 is the value that 90 % of queries reach.",
        )
    # 0.9 means nine tenths and not the nearest binary fraction, which would round ranks up.
    return Fraction(share).limit_denominator(1_000_000)


def _edge(confidence: float, resamples: int) -> int:
    """Return how many resamples, counted from either side, the ends of an interval stand at."""
    if not 0.0 < confidence < 1.0:
        raise EvaluationError(
            f"confidence must lie between 0 and 1. Got {confidence!r}.", hint="Usual is 0.95."
        )
    # Rounding of 1 - confidence must not cost a whole step.
    edge = math.floor((resamples + 1) * (1.0 - confidence) / 2.0 + 1e-9)
    if edge < 1:
        least = math.ceil(2.0 / (1.0 - confidence) - 1e-9) - 1
        raise EvaluationError(
            f"resamples must be at least {least} at a confidence of {confidence}. Got {resamples}.",
            hint="Usual are 10,000.",
        )
    return edge


def _statistic(values: Floats, share: Fraction | None, statistic: Statistic) -> float:
    if share is None:
        return float(np.sort(values).mean())
    if statistic == "median":
        return float(np.median(values))
    rank = -(-share.numerator * len(values) // share.denominator)
    return float(np.partition(values, rank - 1)[rank - 1])
