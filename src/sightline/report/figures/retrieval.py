"""Figures of a retrieval: recall at every k, PSSR per query, search space at a required recall."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from sightline.report.evaluation_document import Document, labels
from sightline.report.figures.axes import (
    FULL_WIDTH,
    HALF_WIDTH,
    key,
    log_axis,
    note,
    numbers,
    percent,
    percent_axis,
)
from sightline.report.figures.canvas import EvaluationFigure
from sightline.report.figures.palette import PALETTE, series
from sightline.report.metric_text import metric_name, metric_value, percent_number

if TYPE_CHECKING:
    from sightline.report.figures.canvas import Artist, Axes, Figure

_REQUIRED_PERCENT = (90, 95, 99, 100)
# Two shares whose ratio is smaller are written on top of each other on a logarithmic axis.
_APART = 1.6
_SEARCH_FROM_PERCENT = 80


def recall_figure(documents: Sequence[Document]) -> EvaluationFigure:
    """Recall at k for every k, in all tie policies."""
    widest = max(_widest_band(document) for document in documents)
    if widest < 5e-5:
        ties = "Ties move no point of it by as much as 0.01 points, so the band has no width."
    else:
        ties = f"The band is up to {percent_number(widest)} points wide."
    return EvaluationFigure(
        name="recall",
        title="Recall at k",
        caption=(
            "Share of queries that have a true reference among their k nearest. The line is the "
            "expected value over a random order of ties; the band reaches from the pessimistic "
            f"policy, where ties count as misses, to the optimistic one, where they count as hits. "
            f"{ties} Chance is k of all references."
        ),
        alt="; ".join(
            f"{name}: Recall@1 {_expected(document, 'recall@1')} in expectation, "
            f"{_policy(document, 'pessimistic')} pessimistic, "
            f"{_policy(document, 'optimistic')} optimistic"
            for name, document in zip(labels(documents), documents, strict=True)
        ),
        size_inches=FULL_WIDTH,
        draw=partial(_draw_recall, documents),
    )


def pssr_figure(documents: Sequence[Document]) -> EvaluationFigure:
    """How much of the search space each query loses."""
    return EvaluationFigure(
        name="pssr",
        title="Proportional search space reduction per query",
        caption=(
            "How many queries have how large a share of the references removed: those farther "
            "than the true reference. Ties count as not removed, so a collapsed model stands at "
            "0 %. The scale of queries is logarithmic, or the long tail would not be seen."
        ),
        alt="; ".join(
            f"{name}: mean PSSR {_expected(document, 'pssr')}"
            for name, document in zip(labels(documents), documents, strict=True)
        ),
        size_inches=HALF_WIDTH,
        draw=partial(_draw_pssr, documents),
    )


def search_space_figure(documents: Sequence[Document]) -> EvaluationFigure:
    """What is left to search if a share of the queries must keep their match."""
    return EvaluationFigure(
        name="search-space",
        title="Search space at a required recall",
        caption=(
            "Share of the references that must be kept, the nearest first and the same number for "
            "every query, so that the stated share of queries keeps its true reference. Lower is "
            "better. Ties count as nearer than the true reference."
        ),
        alt="; ".join(
            f"{name}: {_expected(document, 'search_space@95%')} of the references for 95 % of the "
            "queries"
            for name, document in zip(labels(documents), documents, strict=True)
        ),
        size_inches=HALF_WIDTH,
        draw=partial(_draw_search_space, documents),
    )


def _draw_recall(documents: Sequence[Document], figure: Figure) -> None:
    axes = figure.add_subplot()
    most = max(document["n_references"] for document in documents)
    entries: list[tuple[Artist, str]] = []
    bands = []
    for number, (name, document) in enumerate(zip(labels(documents), documents, strict=True)):
        look, curve = series(number), document["curves"]["recall"]
        low, high = (percent(numbers(curve[row])) for row in ("pessimistic", "optimistic"))
        bands.append(
            axes.fill_between(
                curve["k"],
                low,
                high,
                color=look.colour,
                alpha=0.2 if len(documents) == 1 else 0.12,
                linewidth=0,
            )
        )
        for edge in (low, high):
            axes.plot(curve["k"], edge, color=look.colour, linewidth=0.6, alpha=0.7)
        (line,) = axes.plot(
            curve["k"],
            percent(numbers(curve["expected"])),
            color=look.colour,
            linewidth=1.8,
            linestyle=look.line_style,
        )
        words = name if len(documents) > 1 else "expected over the order of ties"
        entries.append((line, words))
    entries.append((bands[0], "pessimistic to optimistic"))
    if len(documents) == 1:
        _write_recall(axes, documents[0])
        if _widest_band(documents[0]) > 0.2:
            _name_policies(axes, documents[0])
    _draw_chance(axes, documents)
    log_axis(axes, "k, number of nearest references looked at", 1, max(most, 2))
    percent_axis(axes, "Queries with a true match among them, %")
    key(figure, entries)


def _write_recall(axes: Axes, document: Document) -> None:
    """Mark the two numbers that papers state."""
    one_percent = document["settings"]["k_of_percent"].get("1%")
    for metric, k in (("recall@1", 1), ("recall@1%", one_percent)):
        value = document["metrics"].get(metric, {}).get("value")
        if value is None or k is None:
            continue
        axes.plot(
            [k], [100 * value], marker="o", markersize=5, color=series(0).colour, clip_on=False
        )
        note(
            axes,
            f"{metric_name(metric)}: {percent_number(value)} %",
            (k, 100 * value),
            xytext=(7, -12) if value > 0.1 else (7, 6),
        )


def _name_policies(axes: Axes, document: Document) -> None:
    """Say at the edges of a wide band which policy draws them."""
    curve = document["curves"]["recall"]
    place = len(curve["k"]) * 3 // 4
    for row, above in (("optimistic", False), ("pessimistic", curve["pessimistic"][place] < 0.1)):
        at = (curve["k"][place], 100 * curve[row][place])
        note(axes, f"{row} ties", at, xytext=(0, 5 if above else -14), ha="center")


def _draw_chance(axes: Axes, documents: Sequence[Document]) -> None:
    for references in sorted({document["n_references"] for document in documents}):
        k = np.geomspace(1, max(references, 2), 120)
        axes.plot(
            k,
            percent(np.minimum(k / references, 1)),
            color=PALETTE["quiet"],
            linewidth=1.0,
            linestyle=":",
        )
        at = max(references, 2) ** 0.8
        note(
            axes,
            "chance",
            (at, 100 * min(at / references, 1)),
            xytext=(3, -3),
            va="top",
            color=PALETTE["quiet"],
        )


def _draw_pssr(documents: Sequence[Document], figure: Figure) -> None:
    axes = figure.add_subplot()
    floor = 40.0 / max(1, *(sum(d["histograms"]["pssr"]["counts"]) for d in documents))
    entries = []
    for number, (name, document) in enumerate(zip(labels(documents), documents, strict=True)):
        look, histogram = series(number), document["histograms"]["pssr"]
        counts = np.asarray(histogram["counts"], dtype=np.float64)
        shares = percent(counts / max(counts.sum(), 1))
        step = axes.stairs(
            np.maximum(shares, floor),
            percent(histogram["edges"]),
            baseline=floor,
            color=look.colour,
            linewidth=1.6,
            linestyle=look.line_style,
        )
        if len(documents) == 1:
            axes.stairs(
                np.maximum(shares, floor),
                percent(histogram["edges"]),
                baseline=floor,
                fill=True,
                color=look.colour,
                alpha=0.3,
                linewidth=0,
            )
        entries.append((step, f"{name}, mean {_expected(document, 'pssr')}"))
    axes.set_xlim(0, 100)
    axes.set_xlabel("References removed for a query (PSSR), %")
    percent_axis(axes, "Queries, % (logarithmic)", floor=floor)
    key(figure, entries)


def _draw_search_space(documents: Sequence[Document], figure: Figure) -> None:
    axes = figure.add_subplot()
    entries = []
    for number, (name, document) in enumerate(zip(labels(documents), documents, strict=True)):
        look, curve = series(number), document["curves"]["search_space"]
        (line,) = axes.plot(
            percent(numbers(curve["recall"])),
            percent(numbers(curve["share"])),
            color=look.colour,
            linewidth=1.8,
            linestyle=look.line_style,
        )
        entries.append((line, name))
        for required in _REQUIRED_PERCENT:
            _mark_required(axes, document, required, number)
        if len(documents) == 1:
            _write_required(axes, document)
    chance = np.linspace(_SEARCH_FROM_PERCENT, 100, 20)
    axes.plot(chance, chance, color=PALETTE["quiet"], linewidth=1.0, linestyle=":")
    note(
        axes,
        "chance",
        (_SEARCH_FROM_PERCENT, _SEARCH_FROM_PERCENT),
        xytext=(4, -3),
        va="top",
        color=PALETTE["quiet"],
    )
    axes.set_xlim(_SEARCH_FROM_PERCENT, 100.6)
    axes.set_xticks([80, 85, 90, 95, 99, 100], ["80", "85", "90", "95", "99", "100"])
    axes.set_xlabel("Queries that must keep their true reference, %")
    floor = 60.0 / max(document["n_references"] for document in documents)
    percent_axis(axes, "References left to search, % (logarithmic)", floor=min(floor, 50.0))
    key(figure, entries)


def _required(document: Document, required: int) -> float | None:
    share: float | None = document["metrics"].get(f"search_space@{required}%", {}).get("value")
    return share


def _mark_required(axes: Axes, document: Document, required: int, number: int) -> None:
    share = _required(document, required)
    if share is None:
        return
    look = series(number)
    axes.plot(
        [required],
        [100 * share],
        marker=look.marker,
        markersize=5,
        color=look.colour,
        clip_on=False,
        linestyle="",
    )


def _write_required(axes: Axes, document: Document) -> None:
    """Write the marked shares, from the right; one that would lie on another is left out."""
    written = 0.0
    for required in reversed(_REQUIRED_PERCENT):
        share = _required(document, required)
        if share is None or (required == 99 and share > written / _APART):
            continue
        written = share
        text = f"{percent_number(share)} %"
        note(axes, text, (required, 100 * share), xytext=(-6, 4), ha="right")


def _widest_band(document: Document) -> float:
    """The largest difference between the optimistic and the pessimistic recall."""
    curve = document["curves"]["recall"]
    widths = numbers(curve["optimistic"]) - numbers(curve["pessimistic"])
    return float(np.nanmax(widths, initial=0.0))


def _expected(document: Document, metric: str) -> str:
    return metric_value(metric, document["metrics"].get(metric, {}).get("value"))


def _policy(document: Document, policy: str) -> str:
    return metric_value("recall@1", document["tie_policies"][policy].get("recall@1"))
