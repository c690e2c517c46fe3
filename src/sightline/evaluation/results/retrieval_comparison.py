"""Two models on the same queries and references."""

from __future__ import annotations

from dataclasses import replace

from sightline.errors import EvaluationError
from sightline.evaluation.results.comparison import Comparison, compare
from sightline.evaluation.results.retrieval import RetrievalResult


def compare_retrieval(a: RetrievalResult, b: RetrievalResult) -> Comparison:
    """Compare two models on the same queries, references and positives, with paired tests.

    Metrics that are means over queries are compared, as they stand in each evaluation; the
    settings and groups are those of ``a``. What either evaluation warns of is passed on under the
    model's name: a collapsed model is no less so beside another.

    Raises:
        EvaluationError: Other queries, references or positives.
    """
    for what, first, second in (
        ("queries", a.relevance.queries, b.relevance.queries),
        ("references", a.relevance.references, b.relevance.references),
    ):
        if first != second:
            raise EvaluationError(
                f"{a.name!r} has {first} {what} and {b.name!r} {second}.",
                hint="Compare models on the same set.",
            )
    for kind in ("positives", "semi_positives", "ignored"):
        first, second = getattr(a.relevance, kind), getattr(b.relevance, kind)
        if not first.equals(second):
            raise EvaluationError(
                f"{a.name!r} and {b.name!r} have other {kind}.",
                hint="Save both in the same order of queries and references.",
            )
    values = a.per_query(), b.per_query()
    groups = a.group_labels
    found = compare(
        a.name,
        b.name,
        {name: (values[0][name], values[1][name]) for name in values[0]},
        groups=None if groups is None else groups.tolist(),
        confidence=a.settings.confidence,
        resamples=a.settings.resamples,
        seed=a.settings.seed,
    )
    told = [f"{model.name}: {warning}" for model in (a, b) for warning in model.warnings]
    return replace(found, warnings=[*told, *found.warnings])
