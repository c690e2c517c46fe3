"""Names and numbers of an evaluation as people read them.

A share is shown in percent with one decimal. Where that would read 0.0 or 100.0 although it is
neither (chance among 8,884 references is 0.011 %), two digits that count are shown instead, so
that a page never claims perfection or failure by rounding.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from sightline.report.text import distance_text, visible

UNDEFINED = "undefined"

_MOST_DECIMALS = 8
_NAMES = {
    "hit_rate": "Hit rate",
    "mrr": "Mean reciprocal rank",
    "map": "Mean average precision",
    "mean_rank": "Mean rank",
    "median_rank": "Median rank",
    "pssr": "PSSR",
    "median_error_km": "Median error",
    "mean_error_km": "Mean error",
    "mean_error_km_of_answered": "Mean error of answered photos",
    "score": "GeoGuessr-style score",
}
_EXPLAINED = {
    "hit_rate": "nothing but semi-positives before the true reference",
    "map": "over all positives of a query",
    "pssr": "mean share of references farther than the true one",
    "score": "0 to 5,000, mean",
}
_RANKS = frozenset({"mean_rank", "median_rank"})
_SMALLER_IS_BETTER = re.compile(r"(mean|median)_(rank|error_km.*)|search_space@.*")


def metric_name(metric: str) -> str:
    """Return a metric's name: ``Recall@1 %``, ``Within 25 km``; an unknown one stays itself."""
    if metric in _NAMES:
        return _NAMES[metric]
    if found := re.fullmatch(r"recall@(\d+)(%?)", metric):
        return f"Recall@{found[1]}{' %' if found[2] else ''}"
    if found := re.fullmatch(r"search_space@([\d.]+)%", metric):
        return f"Left to search at {found[1]} %"
    if found := re.fullmatch(r"accuracy@([\d.]+)km", metric):
        return f"Within {float(found[1]):,g} km"
    return visible(metric)


def metric_explained(metric: str, k_of_percent: dict[str, int] | None = None) -> str:
    """Return what a name leaves open, such as the k of 1 %; empty where it says everything."""
    if metric in _EXPLAINED:
        return _EXPLAINED[metric]
    if found := re.fullmatch(r"recall@(.+%)", metric):
        k = (k_of_percent or {}).get(found[1])
        return "" if k is None else f"k = {k:,}"
    if found := re.fullmatch(r"search_space@([\d.]+)%", metric):
        return f"share of references if {found[1]} % of queries must keep their match"
    return ""


def metric_value(metric: str, value: float | None) -> str:
    """Return a value with its unit, or ``undefined``."""
    if value is None:
        return UNDEFINED
    if "error_km" in metric:
        return distance_text(1000 * value)
    if is_share(metric):
        return f"{percent_number(value)} %"
    return _number(metric)(value)


def metric_interval(metric: str, low: float | None, high: float | None) -> str:
    """Return the two ends of an interval with their unit once; empty where there is none."""
    if low is None or high is None:
        return ""
    if "error_km" in metric:
        first, last = distance_text(1000 * low), distance_text(1000 * high)
        unit = last.rsplit(" ", 1)[-1]
        return f"{first.removesuffix(f' {unit}')} to {last}"
    if is_share(metric):
        return f"{percent_number(low)} to {percent_number(high)} %"
    number = _number(metric)
    return f"{number(low)} to {number(high)}"


def metric_difference(metric: str, difference: float | None) -> str:
    """Return a signed difference: percentage points for shares, else the metric's own unit."""
    if difference is None:
        return UNDEFINED
    sign = "+" if difference > 0 else "−" if difference < 0 else "±"
    size = abs(difference)
    if "error_km" in metric:
        return f"{sign}{distance_text(1000 * size) if size >= 0.0005 else 'under 1 m'}"
    if is_share(metric):
        return f"{sign}{percent_number(size)}"
    return f"{sign}{_number(metric)(size) if size >= 1 else _plain(size)}"


def difference_interval(metric: str, low: float | None, high: float | None) -> str:
    """Return the two signed ends of a difference's interval; empty where there is none."""
    if low is None or high is None:
        return ""
    return f"{metric_difference(metric, low)} to {metric_difference(metric, high)}"


def is_share(metric: str) -> bool:
    """Whether a metric lies between 0 and 1 and is read in percent."""
    return bool(re.match(r"(recall|accuracy|search_space)@", metric)) or metric in {
        "hit_rate",
        "map",
        "pssr",
    }


def is_smaller_better(metric: str) -> bool:
    """Whether a smaller value of a metric is the better one."""
    return _SMALLER_IS_BETTER.fullmatch(metric) is not None


def percent_number(share: float) -> str:
    """Return a share as percent without its sign: ``54.3``, ``0.011``, ``99.987``."""
    rounded = f"{100 * share:.1f}"
    rest = min(share, 1 - share)
    if rounded not in {"0.0", "100.0"} or rest <= 0:
        return rounded.removeprefix("-")
    decimals = min(1 - math.floor(math.log10(100 * rest)), _MOST_DECIMALS)
    return f"{100 * share:.{decimals}f}"


def _number(metric: str) -> Callable[[float], str]:
    if metric in _RANKS:
        return lambda value: f"{value:,.1f}"
    if metric == "score":
        return lambda value: f"{value:,.0f}"
    return _plain


def _plain(value: float) -> str:
    if abs(value) >= 10:
        return f"{value:,.1f}"
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.0005 else f"{value:.2g}"
