"""Figures of an evaluation, for the page and for papers; needs ``sightline[figures]`` to draw."""

from sightline.report.figures.book import evaluation_figures, save_figures, write_figures
from sightline.report.figures.canvas import (
    FORMATS,
    EvaluationFigure,
    render,
    require_matplotlib,
)

__all__ = [
    "FORMATS",
    "EvaluationFigure",
    "evaluation_figures",
    "render",
    "require_matplotlib",
    "save_figures",
    "write_figures",
]
