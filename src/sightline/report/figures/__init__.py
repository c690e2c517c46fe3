"""Figures of an evaluation, for the page and for papers; needs ``sightline[figures]`` to draw."""

from sightline.report.figures.book import evaluation_figures, save_figures
from sightline.report.figures.canvas import FORMATS, EvaluationFigure, render

__all__ = ["FORMATS", "EvaluationFigure", "evaluation_figures", "render", "save_figures"]
