"""Answers as the papers print them: accuracy within radii, with intervals and paired tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sightline.benchmark.answers import Answers
from sightline.benchmark.seen import Floats, Queries
from sightline.evaluation.localization.metrics import (
    LocalizationSettings,
    accuracy_name,
    errors_m,
    scores,
    within,
)
from sightline.evaluation.uncertainty import Interval, PairedResult, holm, interval, paired_test

BEST_SINGLE = "best single"
"""In place of the name of what a table's rows are compared with."""

_SINGLE = ("classification", "retrieval")


@dataclass(frozen=True, slots=True, eq=False)
class AnswerSet:
    """The rows of a table before they are scored.

    Attributes:
        key: A short name for files and documents.
        title: For people.
        source: Which table or figure of which paper has it.
        answers: The rows; their names differ.
        thresholds_km: Its columns.
        against: The name of the row that all others are compared with, or :data:`BEST_SINGLE`.
        notes: Sentences below it.
    """

    key: str
    title: str
    source: str
    answers: Sequence[Answers]
    thresholds_km: tuple[float, ...]
    against: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """What a row's accuracy differs by from the row that it is compared with.

    Attributes:
        paired: Row less the other, its interval and p-value.
        p_value_holm: Adjusted for all tests of the table.
    """

    paired: PairedResult
    p_value_holm: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the difference as the document holds it."""
        return {
            "difference": self.paired.difference,
            "low": self.paired.low,
            "high": self.paired.high,
            "p_value": self.paired.p_value,
            "p_value_holm": self.p_value_holm,
        }


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """A row of a table.

    Attributes:
        answers: What was scored.
        metrics: ``accuracy@25km`` and so on, and ``median_error_km``.
        differences: By ``accuracy@25km`` and so on; empty for the row of comparison itself.
    """

    answers: Answers
    metrics: Mapping[str, Interval]
    differences: Mapping[str, Difference]

    def to_json(self) -> dict[str, Any]:
        """Return the row as the document holds it."""
        return {
            "name": self.answers.name,
            "kind": self.answers.kind,
            "note": self.answers.note,
            "metrics": {name: found.to_json() for name, found in self.metrics.items()},
            "differences": {name: found.to_json() for name, found in self.differences.items()},
        }


@dataclass(frozen=True, slots=True)
class AccuracyTable:
    """A scored table.

    Attributes:
        key: As of :class:`AnswerSet`; so are ``title``, ``source``, ``thresholds_km``, ``notes``.
        against: The name of the row that the others are compared with.
        rows: In order.
    """

    key: str
    title: str
    source: str
    thresholds_km: tuple[float, ...]
    against: str
    rows: Sequence[ScoredRow]
    notes: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the table as the document holds it."""
        return {
            "key": self.key,
            "title": self.title,
            "source": self.source,
            "thresholds_km": list(self.thresholds_km),
            "against": self.against,
            "rows": [row.to_json() for row in self.rows],
            "notes": list(self.notes),
        }


def scored(given: AnswerSet, queries: Queries, settings: LocalizationSettings) -> AccuracyTable:
    """Score the rows of a table.

    Photographers are resampled whole. All rows are compared with one, threshold by threshold, and
    the p-values are Holm's over all tests of the table.

    Args:
        given: The rows.
        queries: Whose places are the truth; a broken photo is a miss of every row.
        settings: Earth, confidence, resamples and seed; the thresholds are the table's.
    """
    errors = {
        one.name: _errors(one, queries, given.thresholds_km, settings) for one in given.answers
    }
    plain = {one.name: _plain_errors(one.points, queries, settings) for one in given.answers}
    against = given.against
    if against == BEST_SINGLE:
        against = _best_single(given.answers, plain)
    rows = []
    for one in given.answers:
        metrics = {
            accuracy_name(x): _interval(within(errors[one.name][x], x), "mean", queries, settings)
            for x in given.thresholds_km
        }
        metrics["median_error_km"] = _interval(
            plain[one.name] / 1000.0, "median", queries, settings
        )
        differences = {}
        if one.name != against:
            for x in given.thresholds_km:
                pair = [within(errors[name][x], x) for name in (against, one.name)]
                differences[accuracy_name(x)] = Difference(
                    paired_test(
                        *pair,
                        rng=np.random.default_rng(settings.seed),
                        groups=queries.groups,
                        confidence=settings.confidence,
                        resamples=settings.resamples,
                    )
                )
        rows.append(ScoredRow(one, metrics, differences))
    return AccuracyTable(
        given.key,
        given.title,
        given.source,
        given.thresholds_km,
        against,
        _adjusted(rows),
        given.notes,
    )


def _errors(
    answers: Answers,
    queries: Queries,
    thresholds_km: Sequence[float],
    settings: LocalizationSettings,
) -> dict[float, Floats]:
    """Errors in metres (n,) by threshold: a method may answer each with another place."""
    return {
        x: _plain_errors(answers.by_radius.get(x, answers.points), queries, settings)
        for x in thresholds_km
    }


def _plain_errors(points: Floats, queries: Queries, settings: LocalizationSettings) -> Floats:
    answered = np.where(queries.broken[:, None], np.nan, points)
    return errors_m(answered, queries.places, earth=settings.earth)


def _best_single(answers: Sequence[Answers], errors: Mapping[str, Floats]) -> str:
    """The classifier or retrieval alone with the highest mean score; the first of equal ones."""
    alone = [one.name for one in answers if one.kind in _SINGLE]
    return max(alone, key=lambda name: float(scores(errors[name]).mean()))


def _interval(
    values: Floats,
    statistic: str,
    queries: Queries,
    settings: LocalizationSettings,
) -> Interval:
    # A stream of its own, so that equal columns have equal intervals.
    return interval(
        values,
        rng=np.random.default_rng(settings.seed),
        statistic="median" if statistic == "median" else "mean",
        groups=queries.groups,
        confidence=settings.confidence,
        resamples=settings.resamples,
    )


def _adjusted(rows: Sequence[ScoredRow]) -> list[ScoredRow]:
    tests = [
        (number, name)
        for number, row in enumerate(rows)
        for name, found in row.differences.items()
        if found.paired.p_value is not None
    ]
    p_values = [rows[number].differences[name].paired.p_value for number, name in tests]
    adjusted = holm([p for p in p_values if p is not None])
    changed = [dict(row.differences) for row in rows]
    for (number, name), p_value in zip(tests, adjusted, strict=True):
        changed[number][name] = replace(changed[number][name], p_value_holm=p_value)
    return [replace(row, differences=own) for row, own in zip(rows, changed, strict=True)]
