"""The map of errors: every true place joined to the answer that was given for it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.geo.distance import bearing_degrees, destination, great_circle_m
from sightline.report.evaluation_document import Document
from sightline.report.figures.axes import key
from sightline.report.figures.base_map import draw_base_map, draw_frame
from sightline.report.figures.canvas import EvaluationFigure, outline_patch
from sightline.report.figures.palette import PALETTE
from sightline.report.figures.projection import Projection, RegionalMap, fitting_projection
from sightline.report.text import count_text

if TYPE_CHECKING:
    from sightline.report.figures.canvas import Figure

Points = NDArray[np.float64]

SHOWN_AT_MOST = 1500
"""Photos on one map; more would be a blot, and a page that does not open."""

_SIZE_INCHES = (11.6, 6.2)
# The upper end of each class of errors, in kilometres: city, region, country, continent.
_CLASSES_KM = (25.0, 200.0, 750.0, 2500.0, math.inf)
_ARC_STEP_M = 200_000.0


def error_map_figure(document: Document, number: int, name: str, total: int) -> EvaluationFigure:
    """The map of one document's errors.

    Args:
        document: A localization.
        number: Which of the documents it is, from 1.
        name: Its short name, shown where there are several.
        total: How many documents there are.
    """
    photos = document["photos"]
    shown = _evenly(photos, SHOWN_AT_MOST)
    some = (
        f" {len(shown):,} of {len(photos):,} photos are drawn, taken evenly from the list."
        if len(shown) < len(photos)
        else ""
    )
    return EvaluationFigure(
        name="map" if total == 1 else f"map-{number}",
        title="Map of errors" if total == 1 else f"Map of errors: {name}",
        caption=(
            "Dots are true places; a line leads along the great circle to the answer. Colour says "
            "how large the error is, and the largest lie at the bottom. Rings are photos without "
            f"an answer.{some} Outlines: Natural Earth."
        ),
        alt=", ".join(
            f"{count_text(count, 'photo', 'photos')} {words}"
            for count, words in zip(*_tally(photos), strict=True)
        ),
        size_inches=_SIZE_INCHES,
        draw=partial(_draw, shown),
    )


def _draw(photos: Sequence[Document], figure: Figure) -> None:
    axes = figure.add_subplot()
    truths = _places(photos, "true_lat", "true_lon")
    answers = _places(photos, "lat", "lon")
    projection = fitting_projection(np.vstack([truths, answers[np.isfinite(answers).all(axis=1)]]))
    draw_base_map(axes, projection)
    entries = []
    errors_km = np.array([math.nan if p["error_km"] is None else p["error_km"] for p in photos])
    classes = np.searchsorted(_CLASSES_KM, errors_km, side="left")
    rim = outline_patch(
        axes, [projection.rim], fill=False, edgecolor=PALETTE["coast"], linewidth=0.9
    )
    for level in reversed(range(len(_CLASSES_KM))):
        rows = np.flatnonzero(np.isfinite(errors_km) & (classes == level))
        colour = PALETTE[f"error-{level + 1}"]
        lines = list(_arcs(truths[rows], answers[rows], projection))
        if lines:
            (arcs,) = axes.plot(*np.vstack(lines).T, color=colour, linewidth=0.9, alpha=0.8)
            arcs.set_clip_path(rim)
        (dots,) = axes.plot(
            *_drawn(truths[rows], projection).T,
            color=colour,
            marker="o",
            markersize=4.2,
            markeredgecolor=PALETTE["paper"],
            markeredgewidth=0.5,
            linestyle="",
        )
        entries.append((dots, _class_words(level)))
    (rings,) = axes.plot(
        *_drawn(truths[np.isnan(errors_km)], projection).T,
        color=PALETTE["ink"],
        marker="o",
        markersize=4.2,
        markerfacecolor="none",
        linestyle="",
    )
    key(figure, [*reversed(entries), (rings, "no answer")])
    draw_frame(axes, projection)


def _arcs(truths: Points, answers: Points, projection: Projection) -> Iterator[Points]:
    """Great circles from truths to answers (n, 2; latitude first), each ended by a row of NaN."""
    lengths = great_circle_m(truths, answers)
    for truth, answer, length, bearing in zip(
        truths, answers, lengths, bearing_degrees(truths, answers), strict=True
    ):
        steps = np.linspace(0.0, length, 2 + int(length // _ARC_STEP_M))
        way = destination(truth, bearing, steps)
        way[0], way[-1] = truth, answer
        # Longitudes that run on, so that no line crosses the whole map.
        lon = np.unwrap(way[:, 1], period=360.0)
        for turn in _turns(lon, projection):
            yield projection.project(np.column_stack([lon + turn, way[:, 0]]))
            yield np.full((1, 2), np.nan)


def _turns(lon: Points, projection: Projection) -> Sequence[float]:
    """Turns of the globe in which a line with these longitudes is on the map."""
    if isinstance(projection, RegionalMap):
        return (0.0,)
    return [t for t in (-360.0, 0.0, 360.0) if lon.min() + t < 180 and lon.max() + t >= -180]


def _drawn(places: Points, projection: Projection) -> Points:
    return projection.project(places[:, ::-1])


def _places(photos: Sequence[Document], lat: str, lon: str) -> Points:
    return np.array(
        [
            [math.nan if photo[axis] is None else photo[axis] for axis in (lat, lon)]
            for photo in photos
        ],
        dtype=np.float64,
    ).reshape(-1, 2)


def _evenly(photos: Sequence[Document], most: int) -> Sequence[Document]:
    if len(photos) <= most:
        return photos
    return [photos[row] for row in np.linspace(0, len(photos) - 1, most).round().astype(int)]


def _class_words(level: int) -> str:
    if math.isinf(_CLASSES_KM[level]):
        return f"over {_CLASSES_KM[level - 1]:,.0f} km"
    return f"within {_CLASSES_KM[level]:,.0f} km"


def _tally(photos: Sequence[Document]) -> tuple[list[int], list[str]]:
    errors = [photo["error_km"] for photo in photos]
    known = np.array([error for error in errors if error is not None], dtype=np.float64)
    classes = np.searchsorted(_CLASSES_KM, known, side="left")
    counts = np.bincount(classes, minlength=len(_CLASSES_KM)).tolist()
    words = [_class_words(level) for level in range(len(_CLASSES_KM))]
    return [*counts, len(errors) - len(known)], [*words, "without an answer"]
