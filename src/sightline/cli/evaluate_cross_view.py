"""``sightline evaluate cross-view``: the model of a training run, scored again."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli.console import ProgressLike, note, printable, progress_bar, require_writable
from sightline.cli.evaluate import (
    ConfidenceOption,
    ReportOption,
    ResamplesOption,
    SeedOption,
    tell,
)
from sightline.cli.options import JsonOption

if TYPE_CHECKING:
    from sightline.training.loops.watching import Watcher


class FigureFormat(StrEnum):
    """How figures are written."""

    png = "png"
    pdf = "pdf"
    svg = "svg"


def cross_view(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="The folder of a run.", show_default=False)
    ],
    data: Annotated[
        Path | None,
        typer.Option(help="Where the run's own data lies, as for training.", show_default=False),
    ] = None,
    on: Annotated[
        Path | None,
        typer.Option(
            metavar="MANIFEST",
            help="Score it on other data, such as another country's. Refused if the run was "
            "trained on any of it.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="`test` or `validation`; with --on, the name of a split there. [default: test]",
            show_default=False,
        ),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Draw what was found: retrieval sheets, both views on a plane, heatmaps, and the "
            "super-batches of the run if it had some.",
            show_default=False,
        ),
    ] = None,
    figure_format: Annotated[
        FigureFormat, typer.Option(help="How figures are written.")
    ] = FigureFormat.png,
    device: Annotated[str, typer.Option(help="`auto`, `cpu`, `cuda` or `cuda:1`.")] = "auto",
    resamples: ResamplesOption = 10_000,
    confidence: ConfidenceOption = 0.95,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    report: ReportOption = None,
) -> None:
    """Score the bundle of a training run on its test split or on other data, with intervals.

    Example: `sightline evaluate cross-view runs/mine --report out.html --figures out/`
    """
    from sightline.durable import make_folder
    from sightline.training.evaluating import score_run

    require_writable(report)
    if figures is not None:
        from sightline.report.figures import require_matplotlib

        require_matplotlib()
        make_folder(figures)
    with progress_bar("scoring", unit="pairs") as bar:
        scored = score_run(
            run,
            data=data,
            on=on,
            split=split,
            device=device,
            watcher=told_to(bar),
            resamples=resamples,
            confidence=confidence,
            seed=seed,
        )
    tell(scored.result.to_json(), as_json=as_json, report=report)
    if figures is not None:
        from sightline.cli.cross_view_figures import save_cross_view_figures

        for file in save_cross_view_figures(scored, figures, figure_format.value):
            note(printable(str(file)))


def told_to(bar: ProgressLike) -> Watcher:
    """Passes on what is said and done while data are opened."""
    from sightline.training.loops.watching import Silent

    class Told(Silent):
        def note(self, text: str) -> None:
            note(printable(text), style="yellow")

        def preparing(self, what: str, done: int, total: int) -> None:  # noqa: ARG002
            bar(done, total)

    return Told()
