"""How an evaluation was made, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from sightline.report.evaluation_document import Document
from sightline.report.metric_text import (
    difference_interval,
    is_share,
    metric_difference,
    metric_interval,
    metric_name,
    metric_value,
)
from sightline.report.text import count_text, distance_text, visible

_TIES = {
    "expected": "Recall and ranks are means over every order of tied references, each as likely.",
    "optimistic": "Ties count as hits, which flatters models that tell little apart.",
    "pessimistic": "Ties count as misses.",
}
_EARTHS = {
    "sphere": "Errors are great-circle distances on a sphere of radius 6,371 km.",
    "geodesic": "Errors are geodesic distances on the WGS84 ellipsoid.",
}
_DISTANCES = {"euclidean": "Euclidean"}
_HEADLINES = {
    "retrieval": ("recall@1", "pssr"),
    "localization": ("median_error_km", "accuracy@25km"),
}


def headline(document: Document) -> str:
    """Return the one or two numbers that stand for an evaluation, with their intervals."""
    if document["kind"] == "comparison":
        metric = next(iter(document["metrics"]), None)
        return "" if metric is None else _difference(metric, document["metrics"][metric])
    parts = [
        _headline_number(metric, document["metrics"][metric])
        for metric in _HEADLINES[document["kind"]]
        if metric in document["metrics"]
    ]
    return f"{'; '.join(parts)}." if parts else ""


def facts(document: Document) -> list[tuple[str, str]]:
    """Return the sizes of an evaluation, each with its name."""
    if document["kind"] == "comparison":
        return [("Queries", f"{document['n_queries']:,}")]
    if document["kind"] == "localization":
        return [
            ("Photos", f"{document['n_photos']:,}"),
            ("Answered", f"{document['n_answered']:,}"),
            ("Abstained", f"{document['n_abstained']:,}"),
            ("Failed", f"{document['n_failed']:,}"),
        ]
    return [
        ("Queries", f"{document['n_queries']:,}"),
        ("References", f"{document['n_references']:,}"),
        ("Dimension", f"{document['dimension']:,}"),
        ("Without a true reference", f"{document['n_without_positive']:,}"),
    ]


def sentences(document: Document) -> Iterator[str]:
    """Yield what was done, for a reader who wants to repeat or to doubt it."""
    if document["kind"] == "comparison":
        yield "Both systems answered the same queries, and the difference is taken query by query."
        if "settings" in document:
            yield _interval_sentence(document["settings"], "query")
        return
    settings = document["settings"]
    if document["kind"] == "retrieval":
        yield from _retrieval_sentences(document)
    else:
        yield _EARTHS[settings["earth"]]
        missing = document["n_abstained"] + document["n_failed"]
        if missing:
            yield (
                f"{count_text(missing, 'photo has', 'photos have')} no answer: within no distance "
                "of the truth, and never left out of the denominator."
            )
    yield _interval_sentence(settings, "query" if document["kind"] == "retrieval" else "photo")


def _retrieval_sentences(document: Document) -> Iterator[str]:
    settings = document["settings"]
    yield (
        f"Each query is compared with every reference, exactly, by {_distance(settings)} distance."
    )
    if settings["radius_m"] is not None:
        yield (
            f"Every reference within {distance_text(settings['radius_m'])} of a query's place "
            "is a true one."
        )
    yield _TIES[settings["ties"]]
    if settings.get("pssr_ties") == "pessimistic":
        yield (
            "PSSR and the search space count ties against the model, as their definition has it."
        )
    yield f"Scores that differ by no more than {settings['tie_tolerance']:.2g} are tied."
    ks = ", ".join(
        f"{visible(percent).replace('%', ' %')} is k = {k:,}"
        for percent, k in settings["k_of_percent"].items()
    )
    if ks:
        yield f"Of {count_text(document['n_references'], 'reference', 'references')} {ks}."
    if document["n_without_positive"]:
        yield count_text(
            document["n_without_positive"],
            "query has no true reference at all and counts as missed.",
            "queries have no true reference at all and count as missed.",
        )


def _interval_sentence(settings: Document, by: str) -> str:
    if not settings["resamples"]:
        return "There are no intervals: nothing was resampled."
    if settings["grouped_by"] is not None:
        by = f"{visible(settings['grouped_by'])}"
        if settings["n_groups"] is not None:
            by += f" ({settings['n_groups']:,} groups)"
    return (
        f"{100 * settings['confidence']:g} % intervals are from {settings['resamples']:,} "
        f"bootstrap resamples by {by}, seed {settings['seed']}."
    )


def _distance(settings: Document) -> str:
    return _DISTANCES.get(settings["distance"], visible(settings["distance"]))


def _headline_number(metric: str, stated: Document) -> str:
    interval = metric_interval(metric, stated.get("low"), stated.get("high"))
    value = f"{metric_name(metric)}: {metric_value(metric, stated['value'])}"
    return f"{value} ({interval})" if interval else value


def _difference(metric: str, stated: Document) -> str:
    interval = difference_interval(metric, stated["low"], stated["high"])
    points = " points" if is_share(metric) and stated["difference"] is not None else ""
    return (
        f"{metric_name(metric)}: {metric_value(metric, stated['b'])} against "
        f"{metric_value(metric, stated['a'])}, "
        f"{metric_difference(metric, stated['difference'])}{points}"
        f"{f' ({interval})' if interval else ''}."
    )
