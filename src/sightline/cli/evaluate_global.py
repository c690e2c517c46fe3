"""``sightline evaluate global``: a model of places asked by every method, in the papers' tables."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli.console import note, printable, progress_bar, require_writable, say_json
from sightline.cli.evaluate import ConfidenceOption, ReportOption, ResamplesOption, SeedOption
from sightline.cli.evaluate_cross_view import told_to
from sightline.cli.options import JsonOption

if TYPE_CHECKING:
    from sightline.benchmark import Ablation


class Ablate(StrEnum):
    """Which tables to print besides that of the methods."""

    k = "k"
    sigma = "sigma"
    answer = "answer"
    background = "background"
    retrieval = "retrieval"
    residual = "residual"
    references = "references"
    partitions = "partitions"
    all = "all"


class Thresholds(StrEnum):
    """The radii of all tables."""

    five = "five"
    eight = "eight"


def global_(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|BUNDLE",
            help="The folder of a run of task `global` or `retrieval`, or of its bundle.",
            show_default=False,
        ),
    ],
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--sets",
            metavar="MANIFEST[:SPLIT]",
            help="Photos to ask about; may be given several times. Refused if the model was "
            "trained on any of them, or on photos by their photographers. By default the run's "
            "own test split.",
            show_default=False,
        ),
    ] = None,
    references: Annotated[
        list[str] | None,
        typer.Option(
            "--references",
            metavar="MANIFEST[:SPLIT]",
            help="Photos to compare with; may be given several times. By default what the run was "
            "trained on.",
            show_default=False,
        ),
    ] = None,
    atlas: Annotated[
        Path | None,
        typer.Option(
            "--atlas",
            metavar="DIR",
            help="Compare with an atlas that this model built.",
            show_default=False,
        ),
    ] = None,
    ablate: Annotated[
        list[Ablate] | None,
        typer.Option(
            "--ablate",
            help="Print one more table; may be given several times.",
            show_default=False,
        ),
    ] = None,
    beside: Annotated[
        list[Path] | None,
        typer.Option(
            "--beside",
            metavar="RUN|BUNDLE",
            help="With --ablate retrieval: another run, such as one with triplets, whose network "
            "may be its own; with --ablate residual: one without residual connection. May be given "
            "several times.",
            show_default=False,
        ),
    ] = None,
    thresholds: Annotated[
        Thresholds | None,
        typer.Option(
            help="`five`: 1, 25, 200, 750 and 2500 km; `eight`: also 0.1, 5 and 10. By default "
            "each table has its paper's.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Where the run's own data lies, as for training.", show_default=False),
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where vectors of photos are kept; by default beside the model.",
            show_default=False,
        ),
    ] = None,
    save_to: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Write the document, the tables as Markdown, and each method's answers as CSV.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, max=256, help="Processes that read images; 0 reads in this one.")
    ] = 0,
    device: Annotated[str, typer.Option(help="`auto`, `cpu`, `cuda` or `cuda:1`.")] = "auto",
    resamples: ResamplesOption = 10_000,
    confidence: ConfidenceOption = 0.95,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    report: ReportOption = None,
) -> None:
    """Ask a model of places by every method: the papers' tables, with intervals and tests.

    Example: `sightline evaluate global runs/mine --sets im2gps3k --ablate all --out tables/`
    """
    from sightline.benchmark import EIGHT_KM, FIVE_KM, evaluate_global
    from sightline.cli.global_tables import localization_documents, save, show
    from sightline.durable import make_folder
    from sightline.evaluation import LocalizationSettings

    require_writable(report)
    if save_to is not None:
        make_folder(save_to)
    radii = {None: None, Thresholds.five: FIVE_KM, Thresholds.eight: EIGHT_KM}[thresholds]
    settings = LocalizationSettings(confidence=confidence, resamples=resamples, seed=seed)
    with progress_bar("evaluating", unit="photos") as bar:
        found = evaluate_global(
            model,
            sets=sets or (),
            references=references or (),
            atlas=atlas,
            ablate=_wanted(ablate or (), atlas, model, beside or []),
            beside=beside or (),
            thresholds_km=radii,
            settings=settings,
            data=data,
            features=features,
            workers=workers,
            device=device,
            watcher=told_to(bar),
        )
    document = found.to_json()
    if report is not None:
        from sightline.report import write_evaluation_report

        write_evaluation_report(report, localization_documents(found, radii))
    if as_json:
        say_json(document)
    else:
        show(document)
        for warning in document["warnings"]:
            note(f"warning: {printable(warning)}", style="yellow")
    if save_to is not None:
        save(found, document, save_to)


def _wanted(
    names: list[Ablate] | tuple[()], atlas: Path | None, model: Path, beside: list[Path]
) -> list[Ablation]:
    """The tables of ``all``: those that can be had."""
    from sightline.benchmark import ABLATIONS, NEED_POOLED, have_both_connections

    if Ablate.all not in names:
        return [name for name in ABLATIONS if name in {one.value for one in names}]
    if atlas is not None:
        note(f"An atlas keeps no pooled vectors: no tables {', '.join(NEED_POOLED)}.")
        return [name for name in ABLATIONS if name not in NEED_POOLED]
    if have_both_connections(model, beside):
        return list(ABLATIONS)
    note("No table residual: it takes a run without residual connection (--beside) beside one.")
    return [name for name in ABLATIONS if name != "residual"]
