"""``sightline evaluate cross-view``: the model of a training run, scored again."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sightline.cli.console import require_writable
from sightline.cli.evaluate import (
    ConfidenceOption,
    ReportOption,
    ResamplesOption,
    SeedOption,
    tell,
)
from sightline.cli.options import JsonOption


class Split(StrEnum):
    """Which split of a run's data."""

    test = "test"
    validation = "validation"


def cross_view(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="The folder of a run.", show_default=False)
    ],
    data: Annotated[
        Path | None,
        typer.Option(help="Where the data lies, as for training.", show_default=False),
    ] = None,
    split: Annotated[Split, typer.Option(help="Which split of its data.")] = Split.test,
    device: Annotated[str, typer.Option(help="`auto`, `cpu`, `cuda` or `cuda:1`.")] = "auto",
    resamples: ResamplesOption = 10_000,
    confidence: ConfidenceOption = 0.95,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    report: ReportOption = None,
) -> None:
    """Score the bundle of a training run on its test split, with intervals.

    Example: `sightline evaluate cross-view runs/mine --report out.html`
    """
    from sightline.training.evaluating import evaluate_run

    require_writable(report)
    result = evaluate_run(
        run,
        data=data,
        split=split.value,
        device=device,
        resamples=resamples,
        confidence=confidence,
        seed=seed,
    )
    tell(result.to_json(), as_json=as_json, report=report)
