"""``sightline atlas``: build, grow, clean, check and export the reference database."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from sightline.cli.console import Status, err, note, printable, progress_bar, say, say_json
from sightline.cli.options import AtlasArgument, JsonOption, ModelOption, PhotosOption
from sightline.durable import output_error
from sightline.errors import SightlineError, UsageError

if TYPE_CHECKING:
    from sightline.atlas.build import BuildReport, Progress
    from sightline.models.protocol import Encoder

atlas = typer.Typer(
    name="atlas", help="Build, grow, clean, check and export an atlas.", no_args_is_help=True
)

SHOWN_PROBLEMS = 10

WorkersOption = Annotated[
    int | None,
    typer.Option(min=1, help="Threads that decode; one per processor by default."),
]


@atlas.command()
def build(
    folder: Annotated[
        Path, typer.Argument(metavar="OUT", help="The atlas to make.", show_default=False)
    ],
    photos: PhotosOption,
    model: Annotated[Path, typer.Option("--model", help="The model bundle.", show_default=False)],
    licence: Annotated[
        str | None, typer.Option(help="Licence of the collection.", show_default=False)
    ] = None,
    description: Annotated[
        str | None, typer.Option(help="What the collection is.", show_default=False)
    ] = None,
    workers: WorkersOption = None,
) -> None:
    """Build an atlas from photos with places; run it again to go on after a stop.

    Example: `sightline atlas build lund.atlas --photos walk/ --model mobilenet.model`
    """
    from sightline.api import open_model

    encoder = open_model(model)
    _grow(folder, photos, encoder, workers, licence=licence, description=description, model=model)


@atlas.command()
def add(
    folder: AtlasArgument,
    photos: PhotosOption,
    model: ModelOption = None,
    workers: WorkersOption = None,
) -> None:
    """Add photos to an atlas, and index it anew.

    Example: `sightline atlas add lund.atlas --photos second-walk/`
    """
    from sightline.api import open_model
    from sightline.atlas.store import Store

    Store.open(folder)
    _grow(folder, photos, open_model(model or folder), workers)


@atlas.command()
def remove(
    folder: AtlasArgument,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="A file name or glob pattern, as stored."),
    ] = None,
    row: Annotated[list[int] | None, typer.Option("--id", help="A row's id.")] = None,
    within: Annotated[
        str | None, typer.Option("--within", metavar="FILE|ISO|BOX", help="All of a region.")
    ] = None,
) -> None:
    """Remove references by name, id or region, and index the atlas anew.

    Example: `sightline atlas remove lund.atlas --name 'walk/IMG_2*.jpg'`
    """
    from sightline.atlas.maintain import remove as remove_rows
    from sightline.geo.region import parse_region

    if not (name or row or within):
        raise UsageError("Nothing was named to be removed.", hint="Give --name, --id or --within.")
    region = None if within is None else parse_region(within)
    report = remove_rows(folder, names=name or (), ids=row or (), region=region)
    say(f"removed {report.rows} rows and {report.names} names")
    for argument in report.unmatched:
        note(f"nothing matched {printable(argument)}", style="yellow")
    if report.rows:
        _index(folder)
    if report.unmatched:
        raise typer.Exit(Status.SOME_FAILED)


@atlas.command()
def compact(
    folder: AtlasArgument,
    keep_minutes: Annotated[
        float, typer.Option(min=0, help="Keep versions younger than this for their readers.")
    ] = 60,
) -> None:
    """Order the rows by S2 cell in few files, drop old versions, and index the atlas anew.

    Example: `sightline atlas compact lund.atlas`
    """
    from sightline.atlas.maintain import compact as compact_rows

    report = compact_rows(folder, keep=timedelta(minutes=keep_minutes))
    say(f"{report.rows:,} rows in {report.files_after} files (there were {report.files_before})")
    _index(folder)


@atlas.command()
def index(folder: AtlasArgument) -> None:
    """Fit the whitening and the accelerator on today's rows.

    Example: `sightline atlas index lund.atlas`
    """
    _index(folder)


@atlas.command()
def verify(folder: AtlasArgument, as_json: JsonOption = False) -> None:
    """Check hashes, vectors, ids, order and index; exit status 1 if something is wrong.

    Example: `sightline atlas verify lund.atlas`
    """
    from sightline.atlas.verify import verify as verify_atlas

    report = verify_atlas(folder)
    if as_json:
        say_json({**asdict(report), "sound": report.sound})
    else:
        for fault in report.faults:
            say(f"fault   {printable(fault)}", style="red")
        for remark in report.notes:
            say(f"note    {printable(remark)}", style="dim")
        say(f"{report.rows:,} rows: {'sound' if report.sound else 'NOT sound'}")
    if not report.sound:
        raise typer.Exit(Status.SOME_FAILED)


@atlas.command()
def info(folder: AtlasArgument, as_json: JsonOption = False) -> None:
    """Say what an atlas holds.

    Example: `sightline atlas info lund.atlas`
    """
    from sightline.atlas.derived import current_manifest
    from sightline.atlas.maintain import info as atlas_info

    facts = asdict(atlas_info(folder))
    facts["path"] = str(facts["path"])
    facts["index"] = current_manifest(folder)
    if as_json:
        say_json(facts)
        return
    card = facts.pop("card")
    for key in ("encoder", "fingerprint", "dimension", "regions", "licence", "description"):
        if card[key] is not None:
            say(f"{key:<14} {printable(str(card[key]))}")
    for key, value in facts.items():
        shown = value if isinstance(value, str) else json.dumps(value)
        say(f"{key.replace('_', ' '):<14} {printable(shown)}")


@atlas.command()
def export(
    folder: AtlasArgument,
    file: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="A .parquet or .geojson file.", show_default=False),
    ],
    vectors: Annotated[bool, typer.Option(help="Parquet: with the vectors.")] = True,
) -> None:
    """Write the references as Parquet or GeoJSON.

    Example: `sightline atlas export lund.atlas lund.geojson`
    """
    from sightline.atlas.export import export as export_rows

    say(f"{export_rows(folder, file, vectors=vectors):,} rows in {printable(str(file))}")


def _grow(
    folder: Path,
    photos: list[str],
    encoder: Encoder,
    workers: int | None,
    licence: str | None = None,
    description: str | None = None,
    model: Path | None = None,
) -> None:
    from sightline.atlas.build import BuildInterrupted, build_atlas
    from sightline.datasets import open_source

    records = list(open_source(photos))
    with progress_bar("building") as bar:

        def show(progress: Progress) -> None:
            bar(progress.done, progress.total, progress.images_per_s)

        try:
            report = build_atlas(
                folder,
                records,
                encoder,
                workers=workers,
                progress=show,
                licence=licence,
                description=description,
            )
        except BuildInterrupted as stop:
            _keep_model_of(folder, model)
            note(str(stop), style="yellow")
            raise typer.Exit(Status.INTERRUPTED) from None
    # Before the index and the table: rows that are committed shall not be without their model.
    _keep_model_of(folder, model)
    _summarise(folder, report)
    _index(folder)


def _summarise(folder: Path, report: BuildReport) -> None:
    say(
        f"{report.added} photos added at {report.images_per_s:.1f} images/s, "
        f"{report.skipped} already there, {report.duplicates} under another name; "
        f"{report.rows:,} rows now"
    )
    if not report.problems:
        return
    table = Table(box=None, padding=(0, 2), header_style="dim", pad_edge=False)
    table.add_column("left out", no_wrap=True)
    table.add_column("reason")
    for problem in report.problems[:SHOWN_PROBLEMS]:
        reason = f"{problem.message} {problem.hint}"
        table.add_row(Text(printable(problem.path)), Text(printable(reason)))
    err.print(table)
    note(f"{len(report.problems)} photos left out; {folder / 'problems.csv'} lists all of them")


def _index(folder: Path) -> None:
    from sightline.atlas.derived import build_derived
    from sightline.atlas.lock import writer_lock
    from sightline.atlas.store import Store

    if Store.open(folder).count == 0:
        note("The atlas holds no reference now; there is nothing to index.", style="yellow")
        return
    with progress_bar("indexing", unit="rows") as bar, writer_lock(folder):
        build_derived(folder, progress=lambda _, done, total: bar(done, total))


def _keep_model_of(folder: Path, model: Path | None) -> None:
    if model is not None and folder.is_dir():
        keep_model(folder, model)


def keep_model(folder: Path, model: Path) -> None:
    """Copy the bundle into the atlas, so that the folder answers wherever it is taken.

    Raises:
        OutputError: The copy cannot be written; nothing of it is left behind.
    """
    from sightline.api import MODEL_FOLDER

    kept = folder / MODEL_FOLDER
    source = model / MODEL_FOLDER if (model / MODEL_FOLDER).is_dir() else model
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
