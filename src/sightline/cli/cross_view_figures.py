"""``sightline evaluate cross-view --figures``: what there is to see of a scored run, as files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.cli.console import note, printable
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.report.figures import EvaluationFigure
    from sightline.training.evaluating import ScoredRun

SHEET_QUERIES = 10
HEAT_PAIRS = 6
_SUPER_BATCHES = "super_batches.parquet"
_HEAT = "heat.png"


def save_cross_view_figures(run: ScoredRun, folder: Path, form: str) -> list[Path]:
    """Draw every figure of a run that can be drawn, and say why the others cannot.

    Args:
        run: A scored run.
        folder: Made where it is missing.
        form: ``svg``, ``pdf`` or ``png``; heatmaps are always PNG.

    Returns:
        The files.

    Raises:
        OutputError: A file cannot be written.
    """
    from sightline.report.figures import evaluation_figures, write_figures

    figures = [*evaluation_figures([run.result.to_json()]), *_sheets(run), *_embeddings(run)]
    files = write_figures([*figures, *_super_batches(run)], folder, form)
    return [*files, *_heat(run, folder)]


def _sheets(run: ScoredRun) -> Iterator[EvaluationFigure]:
    """Five patches of photos from all over the split, and of those that find theirs last."""
    from sightline.report.figures.retrieval_sheet import retrieval_sheet_figure
    from sightline.training.inspection import some_queries, top_matches

    for worst in (False, True):
        found = top_matches(run, some_queries(run, SHEET_QUERIES, worst=worst))
        sheet = retrieval_sheet_figure(
            found.photos, found.patches, found.top, found.scores, found.truth, ranks=found.ranks
        )
        if worst:
            sheet = replace(
                sheet, name=f"{sheet.name}-worst", title=f"{sheet.title}, the worst queries"
            )
        yield sheet


def _embeddings(run: ScoredRun) -> Iterator[EvaluationFigure]:
    from sightline.report.figures.embedding_map import SHOWN_AT_MOST, embedding_map_figure
    from sightline.training.inspection import paired_vectors, some_queries

    ground, aerial = paired_vectors(run, some_queries(run, SHOWN_AT_MOST // 2))
    views = [("ground", ground), ("aerial", aerial)]
    yield embedding_map_figure(views, paired=True)
    try:
        yield embedding_map_figure(views, method="umap", paired=True)
    except SightlineError as error:
        _left_out("UMAP plots", error)


def _super_batches(run: ScoredRun) -> list[EvaluationFigure]:
    from sightline.report.figures.super_batches import read_clusters, super_batch_figures

    file = run.folder / _SUPER_BATCHES
    if not file.exists():
        return []
    patches = run.own.patches
    path_of = dict(zip(patches.ids, patches.paths, strict=True))
    try:
        return super_batch_figures(read_clusters(file), path_of.__getitem__)
    except SightlineError as error:
        _left_out("Super-batches", error)
        return []


def _heat(run: ScoredRun, folder: Path) -> list[Path]:
    from sightline.datasets.contact_sheet import save_picture
    from sightline.report.heat_sheet import heat_sheet
    from sightline.training.inspection import heat_of_pairs, some_queries

    try:
        first, second, found = heat_of_pairs(run, some_queries(run, HEAT_PAIRS))
    except SightlineError as error:
        _left_out("Heatmaps", error)
        return []
    file = folder / _HEAT
    save_picture(file, heat_sheet(first, second, found))
    return [file]


def _left_out(what: str, error: SightlineError) -> None:
    note(f"{what} are left out: {printable(error.message)} {printable(error.hint)}", style="yellow")
