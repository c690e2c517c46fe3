"""Figures of a localization: how far off how many photos are, and whether stated radii hold."""

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
from sightline.report.metric_text import metric_value, percent_number

if TYPE_CHECKING:
    from sightline.report.figures.canvas import Axes, Figure

# Hays and Efros, IM2GPS (2008), and those after them name the distances so.
_SCALES = {1: "street", 25: "city", 200: "region", 750: "country", 2500: "continent"}
_BASELINES = {
    "prior": ("most frequent place", "D"),
    "random": ("random place", "x"),
    "shuffled": ("shuffled answers", "+"),
}
_NEAREST_KM, _FARTHEST_KM = 0.01, 20_100.0


def is_calibrated(documents: Sequence[Document]) -> bool:
    """Whether any document says how often its radii held."""
    return any(document["calibration"] for document in documents)


def error_figure(documents: Sequence[Document]) -> EvaluationFigure:
    """The cumulative curve of errors."""
    return EvaluationFigure(
        name="errors",
        title="Photos within a distance of their true place",
        caption=(
            "Share of all photos whose answer lies within the distance, the distance included. "
            "Photos without an answer are never within any distance, so the curve ends below "
            "100 % by their share. Marks are baselines at the thresholds"
            + (", of the first list." if len(documents) > 1 else ".")
        ),
        alt="; ".join(
            f"{name}: median error {_median(document)}, "
            f"{document['n_answered']:,} of {document['n_photos']:,} photos answered"
            for name, document in zip(labels(documents), documents, strict=True)
        ),
        # The reliability stands beside it where there is one.
        size_inches=HALF_WIDTH if is_calibrated(documents) else FULL_WIDTH,
        draw=partial(_draw_errors, documents),
    )


def reliability_figure(documents: Sequence[Document]) -> EvaluationFigure:
    """Stated against observed shares; only documents with a calibration are drawn."""
    calibrated = [
        (number, name, document["calibration"])
        for number, (name, document) in enumerate(zip(labels(documents), documents, strict=True))
        if document["calibration"]
    ]
    return EvaluationFigure(
        name="reliability",
        title="Reliability of the stated radii",
        caption=(
            "Share of photos whose true place lies within the radius that was stated to hold it "
            "with the given probability. On the diagonal the radii say what happens; below it they "
            "are too small, above it too large."
        ),
        alt="; ".join(
            f"{name}: stated {percent_number(stated)} %, observed {percent_number(observed)} %"
            for _, name, calibration in calibrated
            for stated, observed in zip(calibration["stated"], calibration["observed"], strict=True)
            if observed is not None
        ),
        size_inches=HALF_WIDTH,
        draw=partial(_draw_reliability, calibrated),
    )


def _draw_errors(documents: Sequence[Document], figure: Figure) -> None:
    axes = figure.add_subplot()
    entries = []
    for number, (name, document) in enumerate(zip(labels(documents), documents, strict=True)):
        look, curve = series(number), document["curves"]["error"]
        km = [max(value, _NEAREST_KM) for value in curve["km"]]
        (line,) = axes.plot(
            km,
            percent(numbers(curve["share"])),
            color=look.colour,
            linewidth=1.8,
            linestyle=look.line_style,
        )
        entries.append((line, name))
    for baseline, (words, marker) in _BASELINES.items():
        stated = documents[0]["baselines"].get(baseline)
        if stated:
            shares = stated["metrics"]
            km = [
                t for t in documents[0]["settings"]["thresholds_km"] if _at(shares, t) is not None
            ]
            (line,) = axes.plot(
                km,
                percent(numbers([_at(shares, t) for t in km])),
                color=PALETTE["quiet"],
                linewidth=0.8,
                linestyle=":",
                marker=marker,
                markersize=4,
            )
            entries.append((line, words))
    log_axis(axes, "Great-circle error, km", _NEAREST_KM, _FARTHEST_KM)
    percent_axis(axes, "Photos within the distance, %")
    _draw_scales(axes)
    key(figure, entries)


def _draw_scales(axes: Axes) -> None:
    for row, (km, word) in enumerate(_SCALES.items()):
        axes.axvline(km, color=PALETTE["coast"], linewidth=0.8, zorder=0.5)
        # In two rows, or neighbours would run into each other.
        axes.annotate(
            f"{word} {km:,}",
            (km, 102),
            xytext=(0, 3 + 10 * (row % 2)),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=7.5,
            color=PALETTE["quiet"],
            annotation_clip=False,
        )


def _draw_reliability(
    calibrated: Sequence[tuple[int, str, dict[str, list[float]]]], figure: Figure
) -> None:
    axes = figure.add_subplot()
    axes.plot([0, 100], [0, 100], color=PALETTE["quiet"], linewidth=1.0, linestyle=":")
    note(
        axes,
        "radii hold what they state",
        (30, 30),
        xytext=(6, -6),
        va="top",
        color=PALETTE["quiet"],
    )
    entries = []
    for number, name, calibration in calibrated:
        look = series(number)
        stated, observed = percent(calibration["stated"]), percent(numbers(calibration["observed"]))
        (line,) = axes.plot(
            stated,
            observed,
            color=look.colour,
            marker=look.marker,
            markersize=6,
            linewidth=1.2,
            linestyle=look.line_style,
        )
        entries.append((line, name))
        if len(calibrated) == 1:
            for x, y, count in zip(stated, observed, calibration["n"], strict=True):
                if np.isfinite(y):
                    note(axes, f"{y:.1f} % of {count:,}", (x, y), xytext=(7, -12))
    axes.set_xlim(0, 104)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel("Stated probability, %")
    percent_axis(axes, "Photos within the radius, %")
    key(figure, entries)


def _at(shares: dict[str, float], threshold_km: float) -> float | None:
    return shares.get(f"accuracy@{threshold_km:g}km")


def _median(document: Document) -> str:
    median = document["metrics"].get("median_error_km", {}).get("value")
    return metric_value("median_error_km", median)
