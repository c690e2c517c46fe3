"""The door to matplotlib: no other module imports it, and this one only when something is drawn.

Figures are drawn with its objects alone, without pyplot and so without a window or a list of open
figures. Its settings are those it ships with and the few below, whatever the machine's
``matplotlibrc`` says, so that a figure has the same bytes everywhere; they are put back afterwards.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import DependencyError, UsageError
from sightline.report.figures.palette import PALETTE
from sightline.report.figures.svg import page_svg

if TYPE_CHECKING:
    from matplotlib.artist import Artist as Artist
    from matplotlib.axes import Axes as Axes
    from matplotlib.figure import Figure as Figure
    from matplotlib.patches import PathPatch

FORMATS = "svg", "pdf", "png"

_DOTS_PER_INCH = 300
_WIDEST_HALF_INCHES = 7.0
# matplotlib keeps its settings in one place for the whole process.
_settings_in_use = threading.Lock()
_SETTINGS = {
    "svg.hashsalt": "sightline",  # the same ids at every run
    "svg.fonttype": "none",  # text stays text
    "pdf.fonttype": 42,  # publishers refuse Type 3 fonts
    "text.parse_math": False,  # a name with dollars is a name
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.labelcolor": PALETTE["ink"],
    "axes.edgecolor": PALETTE["quiet"],
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "figure.facecolor": "none",
    "grid.color": PALETTE["line"],
    "grid.linewidth": 0.7,
    "text.color": PALETTE["ink"],
    "xtick.color": PALETTE["quiet"],
    "ytick.color": PALETTE["quiet"],
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "legend.borderpad": 0.0,
    "legend.columnspacing": 1.6,
}
_METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Creator": None, "Date": None, "Format": None, "Type": None},
    "pdf": {"Creator": "Sightline", "Producer": None, "CreationDate": None},
    "png": {"Software": None},
}


@dataclass(frozen=True, slots=True)
class EvaluationFigure:
    """One figure, not drawn yet.

    Attributes:
        name: A word for files and ids, unique among the figures of one evaluation.
        title: What it shows, without a full stop.
        caption: Sentences for the reader: what is shown and how ties are treated.
        alt: What there is to see, with numbers, for who cannot see it.
        size_inches: Width and height.
        draw: Draws it on a figure of that size.
    """

    name: str
    title: str
    caption: str
    alt: str
    size_inches: tuple[float, float]
    draw: Callable[[Figure], None]

    @property
    def is_wide(self) -> bool:
        """Whether it takes the whole width of a page."""
        return self.size_inches[0] > _WIDEST_HALF_INCHES


def render(figure: EvaluationFigure, form: str) -> bytes:
    """Draw a figure; the same bytes for the same figure.

    Args:
        figure: The figure.
        form: ``svg`` (for a page or a file of its own), ``pdf`` or ``png`` (300 dots per inch).

    Raises:
        DependencyError: matplotlib is not installed.
        UsageError: There is no such format.
    """
    if form not in FORMATS:
        raise UsageError(
            f"The format of figures must be one of {', '.join(FORMATS)}. Got {form!r}.",
            hint="Take svg for a page, pdf for a paper.",
        )
    buffer = io.BytesIO()
    with _drawing():
        sheet = _sheet(figure.size_inches)
        figure.draw(sheet)
        sheet.savefig(
            buffer,
            format=form,
            dpi=_DOTS_PER_INCH,
            metadata=_METADATA[form],
            facecolor="none" if form == "svg" else "white",
        )
    if form != "svg":
        return buffer.getvalue()
    return page_svg(
        buffer.getvalue().decode("utf-8"), prefix=figure.name, name=f"{figure.title}. {figure.alt}"
    ).encode("utf-8")


def outline_patch(
    axes: Axes, rings: Sequence[NDArray[np.float64]], **style: Any
) -> PathPatch:  # matplotlib's own type, for what clips to it
    """Add one shape of many rings (each float64 (n, 2), closed here) to ``axes``."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    codes = [
        np.r_[Path.MOVETO, np.full(len(ring) - 1, Path.LINETO), Path.CLOSEPOLY] for ring in rings
    ]
    points = [np.vstack([ring, ring[:1]]) for ring in rings]
    patch = PathPatch(Path(np.concatenate(points), np.concatenate(codes)), **style)
    axes.add_patch(patch)
    return patch


@contextmanager
def _drawing() -> Iterator[None]:
    mpl = require_matplotlib()
    with _settings_in_use, mpl.rc_context(), warnings.catch_warnings():
        # A name in a script that the font lacks is right in an SVG, and boxes elsewhere.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield


def _sheet(size_inches: tuple[float, float]) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=size_inches, layout="constrained")


def require_matplotlib() -> Any:
    """Return the package, or raise a DependencyError: before long work, not after it."""
    try:
        import matplotlib as mpl
    except ImportError as cause:
        raise DependencyError(
            "Figures need the package matplotlib, which is not installed.",
            hint='Install it with: pip install "sightline[figures]"',
        ) from cause
    return mpl
