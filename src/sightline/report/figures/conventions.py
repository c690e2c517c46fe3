"""What published code would say about the same ranks, side by side, the honest number first."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from sightline.report.evaluation_document import (
    Document,
    convention_metrics,
    convention_names,
    labels,
)
from sightline.report.figures.axes import key
from sightline.report.figures.canvas import EvaluationFigure
from sightline.report.figures.palette import PALETTE, series
from sightline.report.metric_text import is_share, metric_name, metric_value, percent_number
from sightline.report.text import visible

if TYPE_CHECKING:
    from sightline.report.figures.canvas import Artist, Axes, Figure

_HONEST = "Sightline"
# No more panels than fit beside each other.
_PANELS = 5
# By kind, what the honest number and published code decide for themselves.
_RULES = {
    "retrieval": ("ties in every order, each as likely", "its own rule for ties and its own k"),
    "localization": ("every photo in the denominator", "its own Earth and its own thresholds"),
}


def conventions_figure(documents: Sequence[Document]) -> EvaluationFigure | None:
    """A dot for each convention and metric; None where no convention speaks of a share."""
    names = convention_names(documents)
    metrics = [metric for metric in convention_metrics(documents) if is_share(metric)][:_PANELS]
    if not metrics:
        return None
    honest, theirs = _RULES[documents[0]["kind"]]
    return EvaluationFigure(
        name="conventions",
        title="The same answers under published conventions",
        caption=(
            f"The first row is the honest number with its interval, {honest}; the line through it "
            "makes deviations visible. Each row below is what that published code returns on the "
            f"same input, with {theirs}."
        ),
        alt="; ".join(
            f"{label}, {metric_name(metric)}: {_range(document, metric)}"
            for label, document in zip(labels(documents), documents, strict=True)
            for metric in metrics
        ),
        size_inches=(11.6, 1.5 + 0.27 * (len(names) + 1) * max(1.0, 0.45 * len(documents))),
        draw=partial(_draw, documents, names, metrics),
    )


def _draw(
    documents: Sequence[Document], names: Sequence[str], metrics: Sequence[str], figure: Figure
) -> None:
    panels = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    entries = []
    for axes, metric in zip(panels, metrics, strict=True):
        entries = [
            (_draw_model(axes, document, metric, names, number, len(documents)), label)
            for number, (label, document) in enumerate(
                zip(labels(documents), documents, strict=True)
            )
        ]
        axes.set_title(metric_name(metric))
        axes.set_xlim(-4, 112)
        axes.set_xticks(range(0, 101, 25))
        axes.set_xlabel("%")
        axes.axhline(0.5, color=PALETTE["coast"], linewidth=0.8)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
    panels[0].set_ylim(len(names) + 0.6, -0.6)
    panels[0].set_yticks(range(len(names) + 1), [_HONEST, *map(visible, names)])
    for tick, text in enumerate(panels[0].get_yticklabels()):
        text.set_fontweight("bold" if tick == 0 else "normal")
        text.set_color(PALETTE["ink"])
    if len(documents) > 1:
        key(figure, entries)


def _draw_model(
    axes: Axes, document: Document, metric: str, names: Sequence[str], number: int, total: int
) -> Artist:
    look = series(number)
    shift = 0.0 if total == 1 else 0.6 * (number / (total - 1) - 0.5)
    honest = document["metrics"].get(metric, {})
    stated = document["conventions"] or {}
    values = [honest.get("value"), *(stated.get(name, {}).get(metric) for name in names)]
    rows = [(row, 100 * value) for row, value in enumerate(values) if value is not None]
    if honest.get("value") is not None:
        axes.axvline(100 * honest["value"], color=look.colour, linewidth=0.8, alpha=0.6)
        if honest.get("low") is not None and honest.get("high") is not None:
            ends = [100 * honest["low"], 100 * honest["high"]]
            axes.plot(ends, [shift, shift], color=look.colour, linewidth=2.2, alpha=0.6)
    dots, _ = (
        axes.plot(
            [x for row, x in rows if (row == 0) is ours],
            [row + shift for row, _ in rows if (row == 0) is ours],
            color=look.colour,
            marker=look.marker,
            markersize=6.0 if ours else 5.0,
            markerfacecolor=look.colour if ours else PALETTE["paper"],
            linestyle="",
        )[0]
        for ours in (True, False)
    )
    if total == 1:
        for row, x in rows:
            axes.annotate(
                percent_number(x / 100),
                (x, row),
                xytext=(6, 0) if x < 60 else (-6, 0),
                textcoords="offset points",
                ha="left" if x < 60 else "right",
                va="center",
                fontsize=8,
                fontweight="bold" if row == 0 else "normal",
                bbox={"facecolor": PALETTE["paper"], "alpha": 0.75, "pad": 0.6, "linewidth": 0},
            )
    return dots


def _range(document: Document, metric: str) -> str:
    stated = [
        value
        for numbers in (document["conventions"] or {}).values()
        if (value := numbers.get(metric)) is not None
    ]
    honest = metric_value(metric, document["metrics"].get(metric, {}).get("value"))
    if not stated:
        return f"honest {honest}"
    low, high = metric_value(metric, min(stated)), metric_value(metric, max(stated))
    return f"honest {honest}, conventions from {low} to {high}"
