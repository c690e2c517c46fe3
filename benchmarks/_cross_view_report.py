"""Tables of the cross-view evidence: means, intervals over queries, spread over seeds, tests."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from _cross_view_pairs import TESTS
from _cross_view_parts import Part
from _cross_view_trials import METRICS, Scores, Trial
from sightline.evaluation.uncertainty import holm, interval, paired_test

TESTED = ("recall@1", "pssr")


def report(
    part: Part, setting: str, trials: Sequence[Trial], scores: Sequence[Scores]
) -> dict[str, Any]:
    """All numbers of a part in one setting as JSON has them."""
    by_system: dict[str, list[Scores]] = {}
    for trial, own in zip(trials, scores, strict=True):
        by_system.setdefault(trial.system, []).append(own)
    return {
        "intervals": "95 %, of the mean over seeds; a query's values of all seeds are drawn "
        "together (percentile bootstrap, 10,000 resamples), so that they tell of other queries, "
        "not of other seeds; those stand beside them",
        "tests": "b less a, sign flips of whole queries; p after Holm over all tests",
        "setting": setting,
        "recipe": _plain(trials[0].recipe.to_dict()),
        "commits_of_runs": sorted({one.about["commit"] for one in scores if "commit" in one.about}),
        "systems": {
            name: {"changes": _plain(values), **_row(by_system[name])}
            for name, values in part.systems.items()
        },
        "comparisons": _comparisons(part, by_system),
    }


def _row(own: Sequence[Scores]) -> dict[str, Any]:
    done = [one for one in own if one.values]
    first = own[0].about
    found: dict[str, Any] = {
        "seeds": len(own),
        "diverged": len(own) - len(done),
        **{key: first.get(key) for key in ("parameters", "multiply_adds", "dimension", "steps")},
        "pairs_per_cpu_s": _median(
            [one.about["pairs_per_cpu_s"] for one in done if "pairs_per_cpu_s" in one.about]
        ),
        "train_cpu_s": _median([one.about["train_cpu_s"] for one in done]),
    }
    for test in TESTS if done else ():
        found[test] = {metric: _number(done, test, metric) for metric in METRICS}
        found[test]["effective_rank"] = _median(
            [one.about["sides"][test]["photos"]["effective_rank"] for one in done]
        )
    return found


def _number(done: Sequence[Scores], test: str, metric: str) -> dict[str, Any]:
    values = [one.values[test, metric].astype(np.float64) for one in done]
    # Whole queries are drawn: their means over seeds.
    found = interval(np.mean(values, axis=0), rng=np.random.default_rng(0))
    return {
        **{key: _short(value) for key, value in found.to_json().items()},
        "by_seed": [_short(float(one.mean())) for one in values],
    }


def _comparisons(part: Part, own: dict[str, list[Scores]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    p_values: list[float] = []
    for metric, test, (a, b) in product(TESTED, TESTS, part.pairs):
        sides = [[one.values for one in own[name] if one.values] for name in (a, b)]
        if not all(sides):
            continue
        first, second = (
            np.mean([one[test, metric].astype(np.float64) for one in side], axis=0)
            for side in sides
        )
        paired = paired_test(first, second, rng=np.random.default_rng(0))
        ends = {key: _short(getattr(paired, key)) for key in ("difference", "low", "high")}
        found.append({"metric": metric, "test": test, "a": a, "b": b, **ends})
        p_values.append(float(paired.p_value or 0.0))
    for row, adjusted in zip(found, holm(p_values), strict=True):
        row["p"] = float(f"{adjusted:.2g}")
    return found


def _median(values: Sequence[float]) -> float | None:
    return round(float(np.median(values)), 2) if values else None


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 5)


def _plain(values: Any) -> dict[str, Any]:
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in values.items()
    }
