"""Growing an atlas from photos or imagery: what ``build`` and ``add`` have in common."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table
from rich.text import Text

from sightline.cli.aerial import AerialChoice, grow_aerial, refuse_aerial
from sightline.cli.building import building
from sightline.cli.console import err, note, printable, say
from sightline.durable import output_error
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.atlas.build import BuildReport
    from sightline.datasets.records import PhotoRecord, RecordProblem
    from sightline.models.protocol import Encoder

SHOWN_PROBLEMS = 10


def grow(
    folder: Path,
    photos: list[str] | None,
    choice: AerialChoice,
    model: Path,
    workers: int | None,
    licence: str | None = None,
    description: str | None = None,
    *,
    keep: bool = False,
) -> None:
    """Build an atlas or add to it, and say what was done; it is not indexed yet.

    Args:
        folder: The atlas.
        photos: What ``--photos`` named.
        choice: What ``--aerial`` and its options named.
        model: The bundle, or the atlas that keeps it.
        workers: Threads that decode.
        licence: Of the collection, for a new atlas.
        description: For a new atlas.
        keep: Whether the model is copied into the atlas.

    Raises:
        SightlineError: Before any long work, if what was named cannot go together.
        typer.Exit: It was interrupted; what was finished is kept.
    """
    from sightline.api import open_model

    choice.refuse_with_photos(photos)
    # What is wrong with the sources is said before the model is read.
    source = choice.open(licence) if choice.aerial is not None else _records(photos or [])
    encoder = open_model(model)
    kept = model if keep else None
    try:
        if isinstance(source, list):
            report = _grow_photos(folder, source, encoder, workers, licence, description)
        else:
            report = grow_aerial(folder, choice, source, encoder, workers, licence, description)
    except typer.Exit:
        _keep_model_of(folder, kept)
        raise
    # Before the index and the table: rows that are committed shall not be without their model.
    _keep_model_of(folder, kept)
    _list_problems(folder, report, "photos" if choice.aerial is None else "patches")


def _records(photos: list[str]) -> list[PhotoRecord | RecordProblem]:
    from sightline.datasets import open_source

    refuse_aerial(photos)
    return list(open_source(photos))


def _grow_photos(
    folder: Path,
    records: list[PhotoRecord | RecordProblem],
    encoder: Encoder,
    workers: int | None,
    licence: str | None,
    description: str | None,
) -> BuildReport:
    from sightline.atlas.build import build_atlas

    with building("images") as show:
        report = build_atlas(
            folder,
            records,
            encoder,
            workers=workers,
            progress=show,
            licence=licence,
            description=description,
        )
    say(
        f"{report.added} photos added at {report.images_per_s:.1f} images/s, "
        f"{report.skipped} already there, {report.duplicates} under another name; "
        f"{report.rows:,} rows now"
    )
    return report


def _list_problems(folder: Path, report: BuildReport, what: str) -> None:
    if not report.problems:
        return
    table = Table(box=None, padding=(0, 2), header_style="dim", pad_edge=False)
    table.add_column("left out", no_wrap=True)
    table.add_column("reason")
    for problem in report.problems[:SHOWN_PROBLEMS]:
        reason = f"{problem.message} {problem.hint}"
        table.add_row(Text(printable(problem.path)), Text(printable(reason)))
    err.print(table)
    note(f"{len(report.problems)} {what} left out; {folder / 'problems.csv'} lists all of them")


def _keep_model_of(folder: Path, model: Path | None) -> None:
    if model is not None and folder.is_dir():
        keep_model(folder, model)


def keep_model(folder: Path, model: Path) -> None:
    """Copy the bundle into the atlas, so that the folder answers wherever it is taken.

    Raises:
        OutputError: The copy cannot be written; nothing of it is left behind.
    """
    from sightline.api import MODEL_FOLDER
    from sightline.models.shipped import find_bundle

    kept = folder / MODEL_FOLDER
    source = model / MODEL_FOLDER if (model / MODEL_FOLDER).is_dir() else find_bundle(model)
    if _is_whole(kept):
        return
    for stale in folder.glob(f".{MODEL_FOLDER}-*"):
        shutil.rmtree(stale, ignore_errors=True)
    work = folder / f".{MODEL_FOLDER}-{os.getpid()}"
    try:
        shutil.copytree(source, work)
        if kept.exists():
            shutil.rmtree(kept)
        work.rename(kept)
    except OSError as error:
        shutil.rmtree(work, ignore_errors=True)
        raise output_error(kept, error) from error


def _is_whole(bundle: Path) -> bool:
    from sightline.models.bundle import read_bundle

    try:
        read_bundle(bundle)
    except SightlineError:
        return False
    return True
