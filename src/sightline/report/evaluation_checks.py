"""Tables of what stands beside the metrics: conventions, groups, baselines, spread, leakage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sightline.report.evaluation_document import Document, convention_metrics
from sightline.report.evaluation_tables import (
    NOTHING,
    Cell,
    Row,
    Table,
    in_order,
    metric_head,
    number_head,
    value_cell,
)
from sightline.report.metric_text import (
    UNDEFINED,
    metric_difference,
    metric_interval,
    metric_name,
    metric_value,
    percent_number,
)
from sightline.report.text import coordinates_text, count_text, distance_text, visible

_HONEST = {
    "retrieval": "honest: ties decide nothing",
    "localization": "honest: every photo counts",
}
_BASELINES = {
    "prior": "Most frequent place",
    "random": "Random",
    "constant": "Constant",
    "shuffled": "Shuffled",
}
_SPREAD = (
    ("duplicates", "Duplicates", "share of vectors equal to another"),
    ("near_duplicates", "Near-duplicates", "share of vectors nearly equal to another"),
    ("effective_rank", "Effective rank", "directions in which the vectors differ"),
    ("uniformity", "Uniformity", "0 where all vectors are one; lower is more even"),
)
_LEAKS = (
    ("examples", "that have the content of a reference"),
    ("same_place_examples", "at the place of a reference"),
)
_GROUPS_SHOWN = 200
_EXAMPLES_SHOWN = 20
_LONGEST_PUBLISHED = 320


def conventions_table(document: Document, label: str) -> Table | None:
    """What published code would say, the honest number first; None where nothing was asked."""
    stated: dict[str, dict[str, float | None]] = document["conventions"] or {}
    if not stated:
        return None
    columns = convention_metrics([document])
    honest = Row(
        (Cell("Sightline", quiet=_HONEST[document["kind"]], look=""),),
        tuple(_measured(metric, document["metrics"]) for metric in columns),
        look="honest",
    )
    rows = tuple(
        Row(
            (Cell(visible(name), quiet=_besides(values, columns), look=""),),
            tuple(_conventional(metric, values, document) for metric in columns),
        )
        for name, values in stated.items()
    )
    return Table(
        caption=f"What published code would say of {label}",
        columns=(
            Cell("Convention", look=""),
            *(number_head(metric_name(metric)) for metric in columns),
        ),
        bodies=((honest,), rows),
        note=(
            "Below each number stands how far it is from the honest one; that of shares is in "
            "percentage points."
        ),
    )


def published_table(document: Document, label: str) -> Table | None:
    """What the published functions return, units and all; None where nothing was asked."""
    published: dict[str, Any] = document["published"] or {}
    if not published:
        return None
    return Table(
        caption=f"Exactly as the published functions return it for {label}",
        columns=(Cell("Convention", look=""), Cell("Function and value", look="")),
        bodies=(
            tuple(
                Row((Cell(visible(name), look=""),), (Cell(_as_returned(value), look="returned"),))
                for name, value in published.items()
            ),
        ),
    )


def group_tables(document: Document, label: str) -> Iterator[Table]:
    """The metrics of each value of each column, the largest group first."""
    for column, groups in document["groups"].items():
        metrics = in_order(group["metrics"] for group in groups.values())
        largest = sorted(groups.items(), key=lambda item: -item[1]["n"])
        rows = tuple(
            Row(
                (Cell(visible(value), look="file"),),
                (
                    Cell(f"{group['n']:,}", group["n"]),
                    *(_measured(metric, group["metrics"]) for metric in metrics),
                ),
            )
            for value, group in largest[:_GROUPS_SHOWN]
        )
        more = len(largest) - _GROUPS_SHOWN
        yield Table(
            caption=f"{label} by {visible(column)}",
            columns=(
                Cell(visible(column), look=""),
                number_head("Photos"),
                *(number_head(metric_name(metric)) for metric in metrics),
            ),
            bodies=(rows,),
            note=f"{more:,} smaller groups stand in the JSON." if more > 0 else "",
        )


def baselines_table(document: Document, label: str) -> Table | None:
    """The model beside what knows nothing; None where there are no baselines."""
    baselines: dict[str, dict[str, Any]] = document["baselines"] or {}
    local = document["kind"] == "localization"
    numbers = [stated["metrics"] if local else stated for stated in baselines.values()]
    metrics = [m for m in document["metrics"] if any(m in values for values in numbers)]
    if not metrics:
        return None
    rows = tuple(
        Row(
            (metric_head(metric),),
            (
                Cell(
                    metric_value(metric, document["metrics"][metric]["value"]),
                    document["metrics"][metric]["value"],
                    look="number value",
                ),
                *(
                    value_cell(metric, values[metric]) if metric in values else Cell(NOTHING)
                    for values in numbers
                ),
            ),
        )
        for metric in metrics
    )
    return Table(
        caption=f"Baselines beside {label}",
        columns=(
            Cell("Metric", look=""),
            number_head("This model"),
            *(
                Cell(_BASELINES.get(name, visible(name)), quiet=_where(stated))
                for name, stated in baselines.items()
            ),
        ),
        bodies=(rows,),
    )


def spread_table(document: Document, label: str) -> Table:
    """How far apart the vectors stand."""
    sides = [document["collapse"][side] for side in ("queries", "references")]
    rows = tuple(
        Row(
            (Cell(name, quiet=words, look=""),),
            tuple(_spread(measure, side[measure]) for side in sides),
        )
        for measure, name, words in _SPREAD
    )
    return Table(
        caption=f"Spread of the vectors of {label}, {document['dimension']:,} dimensions",
        columns=(Cell("", look=""), number_head("Queries"), number_head("References")),
        bodies=(rows,),
    )


def leakage_tables(document: Document, label: str) -> Iterator[Table]:
    """Examples of queries that a reference gives away."""
    for name, words in _LEAKS:
        examples = (document["leakage"] or {}).get(name) or []
        if examples:
            yield Table(
                caption=f"Queries of {label} {words}: examples",
                columns=(number_head("Query"), number_head("Reference")),
                bodies=(
                    tuple(
                        Row((Cell(f"{query:,}", query),), (Cell(f"{reference:,}", reference),))
                        for query, reference in examples[:_EXAMPLES_SHOWN]
                    ),
                ),
                note="Counted from 0.",
            )


def leakage_words(leakage: Document | None) -> str:
    """Return what was found of leakage, or that it was not looked for."""
    parts = []
    if leakage and leakage["same_place"] is not None:
        within = "" if leakage["radius_m"] is None else f", {distance_text(leakage['radius_m'])}"
        near = count_text(leakage["same_place"], "query stands", "queries stand")
        parts.append(f"{near} where a reference stands{within}")
    if leakage and leakage["same_content"] is not None:
        what = "vector" if leakage.get("by") == "vectors" else "content"
        same = count_text(leakage["same_content"], "query has", "queries have")
        parts.append(f"{same} the very {what} of a reference")
    if parts:
        return f"{'; '.join(parts)}."
    return "Not looked for: there are neither places nor hashes to compare."


def _measured(metric: str, metrics: Document) -> Cell:
    """A number with its interval."""
    stated = metrics.get(metric)
    if stated is None:
        return Cell(NOTHING)
    interval = metric_interval(metric, stated.get("low"), stated.get("high"))
    return value_cell(metric, stated["value"], quiet=interval)


def _conventional(metric: str, values: dict[str, float | None], document: Document) -> Cell:
    if metric not in values:
        return Cell(NOTHING)
    value, honest = values[metric], document["metrics"].get(metric, {}).get("value")
    away = ""
    if value is not None and honest is not None:
        away = metric_difference(metric, value - honest) if value != honest else "the same"
    return value_cell(metric, value, quiet=away)


def _besides(values: dict[str, float | None], columns: list[str]) -> str:
    """What a convention says that has no column."""
    others = [
        f"{metric_name(m)} {metric_value(m, v)}" for m, v in values.items() if m not in columns
    ]
    return f"also {', '.join(others)}" if others else ""


def _as_returned(published: Any) -> str:
    """The published function's own result, cut where it is a long list."""
    text = visible(json.dumps(published, ensure_ascii=False)).removeprefix("{").removesuffix("}")
    if len(text) <= _LONGEST_PUBLISHED:
        return text
    return f"{text[:_LONGEST_PUBLISHED]}… (whole in the JSON)"


def _spread(measure: str, value: float | None) -> Cell:
    if value is None:
        return Cell(UNDEFINED)
    if measure.endswith("duplicates"):
        return Cell(f"{percent_number(value)} %", value)
    decimals = 1 if measure == "effective_rank" else 2
    return Cell(f"{value:,.{decimals}f}".replace("-", "−"), value)


def _where(stated: dict[str, Any]) -> str:
    """The place of a baseline that always answers with one."""
    if stated.get("lat") is None or stated.get("lon") is None:
        return ""
    return coordinates_text(stated["lat"], stated["lon"])
