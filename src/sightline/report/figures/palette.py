"""The colours and lines of figures, for eyes of every kind.

Each colour has a name, which a page gives another value in the dark (``assets/evaluation.css``).
The colours of models were searched for the largest difference between any two as seen with normal
vision and without one kind of cone; each model has its own dashes and marker besides, so that no
figure says anything by colour alone. Those of errors keep one order of lightness, and the largest
error stands out most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PALETTE = {
    "ink": "#1d2327",
    "quiet": "#57626a",
    "line": "#dde1e4",
    "paper": "#ffffff",
    "sea": "#e9eef2",
    "land": "#fbfaf7",
    "coast": "#9aa5ad",
    "series-1": "#024dab",
    "series-2": "#c05f1d",
    "series-3": "#12a071",
    "series-4": "#a17ab3",
    "series-5": "#503404",
    "series-6": "#202930",
    "error-1": "#cf7f12",
    "error-2": "#d1553f",
    "error-3": "#a8326e",
    "error-4": "#6a2491",
    "error-5": "#1d1050",
}
"""Name to the colour on white paper; no two alike, because an SVG is told apart by them."""

_DASHES: tuple[tuple[float, ...], ...] = (
    (),
    (5, 2),
    (1.6, 1.4),
    (6, 2, 1.6, 2),
    (9, 2.5),
    (3, 1.2),
)
_MARKERS = "osD^vP"
_COLOURS = 6


@dataclass(frozen=True, slots=True)
class Series:
    """How one model looks in every figure.

    Attributes:
        name: The name of its colour in :data:`PALETTE`.
        colour: The colour on paper.
        dashes: Lengths of line and gap in widths of the line, empty for a solid one.
        marker: The marker of matplotlib.
    """

    name: str
    colour: str
    dashes: tuple[float, ...]
    marker: str

    @property
    def line_style(self) -> Any:
        """The dashes as matplotlib takes them."""
        return (0, self.dashes) if self.dashes else "-"


def series(number: int) -> Series:
    """Return the look of model ``number``, counted from 0; beyond six the dashes move on."""
    turn = (number + number // _COLOURS) % _COLOURS
    name = f"series-{number % _COLOURS + 1}"
    return Series(name, PALETTE[name], _DASHES[turn], _MARKERS[turn])


def palette_css() -> str:
    """Return style rules that give every colour of a figure the page's value of its name."""
    names = "".join(
        f"  --{name}: {colour};\n"
        for name, colour in PALETTE.items()
        if name.startswith(("series-", "error-"))
    )
    rules = "".join(
        f".fill-{name} {{ fill: var(--{name}); }} .stroke-{name} {{ stroke: var(--{name}); }}\n"
        for name in PALETTE
    )
    return f":root {{\n{names}}}\n{rules}"
