"""What the axes of all figures share: ticks in plain numbers, keys above, words on paper."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.report.figures.palette import PALETTE

if TYPE_CHECKING:
    from sightline.report.figures.canvas import Artist, Axes, Figure

HALF_WIDTH = (5.9, 4.1)
"""Inches of a figure that shares a row with another."""

FULL_WIDTH = (11.6, 4.4)
"""Inches of a figure that has a row for itself."""

_LETTERS_OF_A_KEY_PER_INCH = 13.5


def numbers(values: Sequence[float | None]) -> NDArray[np.float64]:
    """Return float64 (n,) with NaN, which is not drawn, for what a document says is undefined."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def percent(shares: ArrayLike) -> NDArray[np.float64]:
    """Return shares as percent."""
    return 100.0 * np.asarray(shares, dtype=np.float64)


def percent_axis(axes: Axes, label: str, *, floor: float | None = None) -> None:
    """Make y percent from 0 to 100, or logarithmic from ``floor`` percent up."""
    if floor is None:
        axes.set_ylim(-2, 102)
        axes.set_yticks(range(0, 101, 20))
    else:
        axes.set_yscale("log")
        axes.set_ylim(floor, 160)
        ticks = decades(floor, 100)
        axes.set_yticks(ticks, [f"{tick:,g}" for tick in ticks])
        axes.set_yticks([], minor=True)
    axes.set_ylabel(label)


def log_axis(axes: Axes, label: str, low: float, high: float) -> None:
    """Make x logarithmic from ``low`` to ``high``, with powers of ten written out."""
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    ticks = decades(low, high)
    axes.set_xticks(ticks, [f"{tick:,g}" if tick < 1e6 else f"{tick:,.0f}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel(label)


def decades(low: float, high: float) -> list[float]:
    """Return the powers of ten from ``low`` to ``high``, both included."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    return [10.0**power for power in range(first, last + 1)]


def key(figure: Figure, entries: Sequence[tuple[Artist, str]]) -> None:
    """Put a key above everything, in as few rows as its words allow."""
    words = [text for _, text in entries]
    # A leading underscore would keep an entry out.
    safe = [f" {text}" if text.startswith("_") else text for text in words]
    row = int(figure.get_figwidth() * _LETTERS_OF_A_KEY_PER_INCH)
    columns = max(1, min(len(words), row // (max(map(len, safe), default=1) + 8)))
    figure.legend([artist for artist, _ in entries], safe, loc="outside upper left", ncols=columns)


def note(axes: Axes, text: str, place: tuple[float, float], **changes: Any) -> None:
    """Write ``text`` beside a point of the data, on a ground of paper."""
    axes.annotate(
        text,
        place,
        **{
            "xytext": (5, 4),
            "textcoords": "offset points",
            "fontsize": 8.5,
            "color": PALETTE["ink"],
            "bbox": {"facecolor": PALETTE["paper"], "alpha": 0.75, "pad": 1.0, "linewidth": 0},
            **changes,
        },
    )
