"""The tables of an evaluation's result: every number as text, beside the number itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sightline.report.evaluation_document import Document, labels
from sightline.report.figures.palette import series
from sightline.report.metric_text import (
    UNDEFINED,
    difference_interval,
    is_share,
    metric_difference,
    metric_explained,
    metric_interval,
    metric_name,
    metric_value,
    percent_number,
)
from sightline.report.text import visible

NOTHING = "–"
"""What stands where there is no number, because none was asked for."""

_POLICIES = ("optimistic", "expected", "pessimistic")
# Ties that move a number by more are pointed out: half a percentage point, half a percent of ranks.
_TIES_THAT_MATTER = 0.005


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        text: What it says.
        value: The document's number behind it, which the page holds unrounded.
        quiet: A smaller second line.
        look: CSS classes.
        rows: How many rows it spans.
        swatch: The name of the colour that stands before it; empty is none.
    """

    text: str
    value: float | None = None
    quiet: str = ""
    look: str = "number"
    rows: int = 1
    swatch: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """The headers of a row, outermost first, and its cells."""

    headers: tuple[Cell, ...]
    cells: tuple[Cell, ...]
    look: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    Attributes:
        caption: What it shows.
        columns: The heads of all columns, those of row headers included.
        bodies: Groups of rows with a line between them.
        note: A sentence below it.
    """

    caption: str
    columns: tuple[Cell, ...]
    bodies: tuple[tuple[Row, ...], ...]
    note: str = ""


def retrieval_table(documents: Sequence[Document], *, reverse: bool = False) -> Table:
    """Metrics with intervals, and every tie policy; ``reverse`` is the other direction."""
    parts = [document["reverse"] if reverse else document for document in documents]
    ks = documents[0]["settings"]["k_of_percent"]
    if reverse:
        ks = next((part["k_of_percent"] for part in parts if part and "k_of_percent" in part), ks)
    return _metrics_table(
        "References ask, queries answer" if reverse else "Metrics",
        documents,
        parts,
        {metric: metric_explained(metric, ks) for metric in _metrics(parts)},
        (
            number_head("Ties move it by"),
            *(number_head(policy.capitalize()) for policy in _POLICIES),
        ),
        "Optimistic: ties count as hits. Pessimistic: ties count as misses. Expected: the mean "
        "over every order of ties, each as likely. The value is the expected one; of PSSR and what "
        "is left to search it is the pessimistic one.",
    )


def localization_table(documents: Sequence[Document]) -> Table:
    """Metrics with intervals."""
    return _metrics_table(
        "Metrics",
        documents,
        documents,
        {metric: metric_explained(metric) for metric in _metrics(documents)},
        (),
        "Distances are inclusive; all photos are in the denominator, answered or not.",
    )


def comparison_table(document: Document) -> Table:
    """Both systems, their difference, and how sure it is."""
    first, second = (visible(document[side]["name"]) for side in "ab")
    adjusted = any("p_value_holm" in stated for stated in document["metrics"].values())
    rows = tuple(
        Row(
            (metric_head(metric, metric_explained(metric)),),
            (
                value_cell(metric, stated["a"]),
                value_cell(metric, stated["b"]),
                Cell(metric_difference(metric, stated["difference"]), stated["difference"]),
                Cell(difference_interval(metric, stated["low"], stated["high"]) or UNDEFINED),
                _p_value(stated["p_value"]),
                *([_p_value(stated.get("p_value_holm"))] if adjusted else []),
            ),
        )
        for metric, stated in document["metrics"].items()
    )
    return Table(
        caption=f"{second} against {first}",
        columns=(
            Cell("Metric", look=""),
            Cell("First", quiet=first),
            Cell("Second", quiet=second),
            number_head("Difference"),
            number_head(f"{_confidence(document)} interval"),
            number_head("p"),
            *([Cell("p, Holm", quiet="for so many metrics")] if adjusted else []),
        ),
        bodies=(rows,),
        note="Differences of shares are percentage points: second less first, query by query.",
    )


def metric_head(metric: str, explained: str = "", *, rows: int = 1) -> Cell:
    """Return the header of a metric's row, or of ``rows`` of them."""
    return Cell(metric_name(metric), quiet=explained, look="", rows=rows)


def number_head(text: str) -> Cell:
    """Return the head of a column of numbers."""
    return Cell(text)


def value_cell(metric: str, value: float | None, *, quiet: str = "") -> Cell:
    """Return one number of a metric."""
    return Cell(metric_value(metric, value), value, quiet=quiet)


def in_order(mappings: Iterable[Mapping[str, object]]) -> list[str]:
    """Return the names in several mappings, each once, as they come."""
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


def _metrics(parts: Sequence[Document | None]) -> list[str]:
    return in_order(part["metrics"] for part in parts if part is not None)


def _metrics_table(
    caption: str,
    documents: Sequence[Document],
    parts: Sequence[Document | None],
    explained: Mapping[str, str],
    columns: tuple[Cell, ...],
    note: str,
) -> Table:
    """One body for each metric, in it one row for each model that has it."""
    several = len(documents) > 1
    bodies = []
    for metric, words in explained.items():
        having = [
            (Cell(label, look="file", swatch=series(number).name), part)
            for number, (label, part) in enumerate(zip(labels(documents), parts, strict=True))
            if part is not None and metric in part["metrics"]
        ]
        bodies.append(
            tuple(
                Row(
                    (
                        *([metric_head(metric, words, rows=len(having))] if place == 0 else []),
                        *([model] if several else []),
                    ),
                    tuple(_metric_cells(metric, part)),
                )
                for place, (model, part) in enumerate(having)
            )
        )
    return Table(
        caption=caption,
        columns=(
            Cell("Metric", look=""),
            *([Cell("Model", look="")] if several else []),
            number_head("Value"),
            number_head(f"{_confidence(documents[0])} interval"),
            *columns,
        ),
        bodies=tuple(bodies),
        note=note,
    )


def _metric_cells(metric: str, part: Document) -> Iterator[Cell]:
    stated = part["metrics"][metric]
    value = stated["value"]
    yield Cell(
        metric_value(metric, value),
        value,
        look="number absent-value" if value is None else "number value",
    )
    yield Cell(metric_interval(metric, stated.get("low"), stated.get("high")) or NOTHING)
    if "tie_policies" not in part:
        return
    ties = stated["ties"]
    matter = None not in (value, ties) and ties > _TIES_THAT_MATTER * max(1.0, value)
    yield Cell(_size(metric, ties), ties, look="number doubt" if matter else "number")
    for policy in _POLICIES:
        under = part["tie_policies"][policy].get(metric)
        yield Cell(metric_value(metric, under), under, look="number policy")


def _size(metric: str, ties: float | None) -> str:
    """How far ties move a number."""
    if ties is None:
        return UNDEFINED
    if ties == 0:
        return "0"
    if is_share(metric):
        return f"{percent_number(ties)} points"
    return f"{ties:.2g}" if ties < 1 else f"{ties:,.1f}"


def _p_value(p: float | None) -> Cell:
    if p is None:
        return Cell(UNDEFINED)
    return Cell(f"{p:.2g}" if p >= 0.0001 else "< 0.0001", p)


def _confidence(document: Document) -> str:
    return f"{100 * document.get('settings', {}).get('confidence', 0.95):g} %"
