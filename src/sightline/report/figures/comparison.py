"""The figure of a comparison: the difference of two systems in each metric, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from sightline.report.evaluation_document import Document, labels
from sightline.report.figures.axes import key
from sightline.report.figures.canvas import EvaluationFigure
from sightline.report.figures.palette import PALETTE, series
from sightline.report.metric_text import (
    difference_interval,
    is_share,
    is_smaller_better,
    metric_difference,
    metric_name,
)

if TYPE_CHECKING:
    from sightline.report.figures.canvas import Axes, Figure


# All numbers here are differences of shares, which are written alike.
_A_SHARE = "recall@1"


def difference_figure(documents: Sequence[Document]) -> EvaluationFigure:
    """Differences of shares, in percentage points."""
    metrics = _shares(documents)
    return EvaluationFigure(
        name="differences",
        title="Difference between the two systems",
        caption=(
            "Each dot is the second system's number less the first one's, in percentage points, "
            "over the same queries; the line is its interval. Where the line crosses zero, these "
            "queries do not tell the systems apart."
        ),
        alt="; ".join(
            f"{label}, {metric_name(metric)}: "
            f"{metric_difference(metric, document['metrics'][metric]['difference'])} points"
            for label, document in zip(labels(documents), documents, strict=True)
            for metric in metrics
            if metric in document["metrics"]
        ),
        size_inches=(8.6, 1.3 + 0.34 * len(metrics) * max(1.0, 0.5 * len(documents))),
        draw=partial(_draw, documents, metrics),
    )


def _shares(documents: Sequence[Document]) -> list[str]:
    found = dict.fromkeys(metric for document in documents for metric in document["metrics"])
    return [metric for metric in found if is_share(metric) and not is_smaller_better(metric)]


def _draw(documents: Sequence[Document], metrics: Sequence[str], figure: Figure) -> None:
    axes = figure.add_subplot()
    axes.axvline(0, color=PALETTE["quiet"], linewidth=1.0)
    entries = []
    for number, (label, document) in enumerate(zip(labels(documents), documents, strict=True)):
        look = series(number)
        shift = 0.0 if len(documents) == 1 else 0.6 * (number / (len(documents) - 1) - 0.5)
        known = [
            (row + shift, stated)
            for row, metric in enumerate(metrics)
            if (stated := document["metrics"].get(metric)) and stated["difference"] is not None
        ]
        for row, stated in known:
            if stated["low"] is not None and stated["high"] is not None:
                ends = [100 * stated["low"], 100 * stated["high"]]
                axes.plot(ends, [row, row], color=look.colour, linewidth=2.2, alpha=0.6)
        (dots,) = axes.plot(
            [100 * stated["difference"] for _, stated in known],
            [row for row, _ in known],
            color=look.colour,
            marker=look.marker,
            markersize=6,
            linestyle="",
        )
        entries.append((dots, label))
        if len(documents) == 1:
            for row, stated in known:
                _write(axes, row, stated)
    axes.set_ylim(len(metrics) - 0.4, -0.6)
    axes.set_yticks(range(len(metrics)), [metric_name(metric) for metric in metrics])
    axes.set_xlabel("Difference, percentage points")
    if len(documents) > 1:
        key(figure, entries)


def _write(axes: Axes, row: float, stated: dict[str, float | None]) -> None:
    """Write a difference and its interval at the right end of its row."""
    text = metric_difference(_A_SHARE, stated["difference"])
    interval = difference_interval(_A_SHARE, stated["low"], stated["high"])
    axes.annotate(
        f"{text} ({interval})" if interval else text,
        (1.02, row),
        xycoords=("axes fraction", "data"),
        va="center",
        annotation_clip=False,
    )
