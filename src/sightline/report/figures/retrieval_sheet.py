"""The retrieval sheet: queries at the left, what was found for them at the right, truth framed.

Debnath, *Proportional Search Space Reduction*, figure 11, shows the five nearest of three queries
with the correct one in red.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import UsageError
from sightline.report.figures.canvas import EvaluationFigure
from sightline.report.figures.palette import PALETTE
from sightline.report.figures.pictures import Picture, draw_picture, small_pixels
from sightline.report.text import count_text

if TYPE_CHECKING:
    from sightline.report.figures.canvas import Figure

MOST_QUERIES = 50
"""Queries on one sheet; more are several sheets."""

_LONGEST_PIXELS = 320
_CELL_INCHES = (1.55, 1.75)
_TRUE = PALETTE["series-3"]


@dataclass(frozen=True, slots=True, eq=False)
class _Sheet:
    queries: Sequence[Picture]
    references: Sequence[Picture]
    top: NDArray[np.int64]
    scores: NDArray[np.float64]
    true: NDArray[np.bool_]
    ranks: NDArray[np.int64] | None


def retrieval_sheet_figure(
    queries: Sequence[Picture],
    references: Sequence[Picture],
    top: ArrayLike,
    scores: ArrayLike,
    truth: Sequence[int | Sequence[int]],
    *,
    ranks: ArrayLike | None = None,
    score_name: str = "cosine",
) -> EvaluationFigure:
    """The best references of each query in one row, the true ones in a frame.

    Args:
        queries: q pictures, as files or pixels.
        references: n pictures; only those that are shown are opened.
        top: int (q, k), rows of ``references``, best first, -1 where a query has fewer.
        scores: float (q, k), similarities or distances, written under the pictures.
        truth: Per query the row of its true reference, or all of them.
        ranks: int (q,), where the best true reference came (1 is first); shown beside queries.
        score_name: What the scores are.

    Raises:
        UsageError: Shapes that do not fit, rows that do not exist, or too many queries.
    """
    sheet = _checked(queries, references, top, scores, truth, ranks)
    count, k = sheet.top.shape
    hits = int(sheet.true.any(axis=1).sum())
    width, height = _CELL_INCHES
    return EvaluationFigure(
        name="retrieval-sheet",
        title=f"The {count_text(k, 'nearest reference', 'nearest references')} of each query",
        caption=(
            f"A row is a query, at the left, and the references nearest to it, best first, with "
            f"their {score_name}. A frame marks the true reference."
        ),
        alt=f"{hits} of {count_text(count, 'query', 'queries')} have a true one among {k}",
        size_inches=(width * (k + 1), max(height * count, 1.0)),
        draw=partial(_draw, sheet),
    )


def _draw(sheet: _Sheet, figure: Figure) -> None:
    count, k = sheet.top.shape
    cells: Any = figure.subplots(count, k + 1, squeeze=False)
    for row in range(count):
        rank = "" if sheet.ranks is None else f"true one at rank {sheet.ranks[row]:,}"
        query = small_pixels(sheet.queries[row], _LONGEST_PIXELS)
        draw_picture(cells[row, 0], query, text=rank or "query")
        for place in range(k):
            number = int(sheet.top[row, place])
            axes = cells[row, place + 1]
            if number < 0:
                axes.set_axis_off()
                continue
            pixels = small_pixels(sheet.references[number], _LONGEST_PIXELS)
            true = bool(sheet.true[row, place])
            text = f"{sheet.scores[row, place]:.3f}{' ✓' if true else ''}"
            draw_picture(axes, pixels, frame=_TRUE if true else None, text=text)


def _checked(
    queries: Sequence[Picture],
    references: Sequence[Picture],
    top: ArrayLike,
    scores: ArrayLike,
    truth: Sequence[int | Sequence[int]],
    ranks: ArrayLike | None,
) -> _Sheet:
    rows, values = np.asarray(top), np.asarray(scores, np.float64)
    if not 1 <= len(queries) <= MOST_QUERIES:
        raise UsageError(
            f"A sheet must have from 1 to {MOST_QUERIES} queries. Got {len(queries)}.",
            hint="Choose some, or make several sheets.",
        )
    if rows.ndim != 2 or len(rows) != len(queries) or not rows.size or rows.shape != values.shape:
        raise UsageError(
            f"top and scores must have the shape ({len(queries)}, k). Got {rows.shape} and "
            f"{values.shape}.",
            hint="Give one row per query.",
        )
    if not np.issubdtype(rows.dtype, np.integer) or rows.max() >= len(references):
        raise UsageError(
            f"top must hold rows of the {len(references)} references. Got {rows.dtype} up to "
            f"{rows.max()}.",
            hint="Give positions counted from 0, and -1 for none.",
        )
    if len(truth) != len(queries):
        raise UsageError(
            f"truth must say the true references of {len(queries)} queries. Got {len(truth)}.",
            hint="Give one row of the references per query, or a list of them.",
        )
    true = np.array(
        [np.isin(row, np.atleast_1d(np.asarray(t))) for row, t in zip(rows, truth, strict=True)]
    )
    places = None if ranks is None else np.asarray(ranks, np.int64)
    if places is not None and places.shape != (len(queries),):
        raise UsageError(
            f"ranks must have the shape ({len(queries)},). Got {places.shape}.",
            hint="Give one rank per query.",
        )
    return _Sheet(queries, references, rows.astype(np.int64), values, true & (rows >= 0), places)
