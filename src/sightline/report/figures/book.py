"""Which figures an evaluation has, and figures as files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path

from sightline.durable import make_folder, write_bytes
from sightline.report.evaluation_document import Document, kind_of, labels
from sightline.report.figures.canvas import EvaluationFigure, render
from sightline.report.figures.comparison import difference_figure
from sightline.report.figures.conventions import conventions_figure
from sightline.report.figures.error_map import error_map_figure
from sightline.report.figures.localization import error_figure, is_calibrated, reliability_figure
from sightline.report.figures.retrieval import pssr_figure, recall_figure, search_space_figure


def evaluation_figures(documents: Sequence[Document]) -> list[EvaluationFigure]:
    """Return the figures of documents of one kind; several models share each figure.

    Nothing is drawn yet; :func:`~sightline.report.figures.canvas.render` does.

    Raises:
        EvaluationError: The documents are none, or of several kinds.
    """
    kind = kind_of(documents)
    if kind == "comparison":
        return [difference_figure(documents)]
    conventions = conventions_figure(documents)
    honest = [conventions] if conventions is not None else []
    if kind == "retrieval":
        return [
            recall_figure(documents),
            pssr_figure(documents),
            search_space_figure(documents),
            *honest,
        ]
    return [
        error_figure(documents),
        *([reliability_figure(documents)] if is_calibrated(documents) else []),
        *(
            error_map_figure(document, number, name, len(documents))
            for number, (name, document) in enumerate(
                zip(labels(documents), documents, strict=True), 1
            )
        ),
        *honest,
    ]


def save_figures(
    documents: Sequence[Document],
    folder: str | PathLike[str],
    format: str = "svg",  # noqa: A002
) -> list[Path]:
    """Write each figure to a file of its own, for a paper or a talk.

    Args:
        documents: Evaluation documents of one kind.
        folder: Made where it is missing.
        format: ``svg``, ``pdf`` or ``png``.

    Returns:
        The files, such as ``recall.pdf``, ``pssr.pdf``; the same bytes at every call.

    Raises:
        DependencyError: matplotlib is not installed.
        EvaluationError: The documents are none, or of several kinds.
        OutputError: A file cannot be written.
        UsageError: There is no such format.
    """
    return write_figures(evaluation_figures(documents), folder, format)


def write_figures(
    figures: Iterable[EvaluationFigure],
    folder: str | PathLike[str],
    format: str = "svg",  # noqa: A002
) -> list[Path]:
    """Draw figures, each into a file that is called like it.

    Args:
        figures: With different names.
        folder: Made where it is missing.
        format: ``svg``, ``pdf`` or ``png``.

    Returns:
        The files.

    Raises:
        DependencyError: matplotlib is not installed.
        OutputError: A file cannot be written.
        UsageError: There is no such format.
    """
    drawn = [(f"{figure.name}.{format}", render(figure, format)) for figure in figures]
    make_folder(Path(folder))
    for name, data in drawn:
        write_bytes(Path(folder) / name, data)
    return [Path(folder) / name for name, _ in drawn]
