"""``sightline dataset``: what a folder holds, its manifest, its statistics, its splits."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from sightline.cli.console import (
    Status,
    note,
    printable,
    progress_bar,
    require_writable,
    say,
    say_json,
)
from sightline.cli.options import JsonOption
from sightline.errors import UsageError

if TYPE_CHECKING:
    from sightline.datasets.doctor import Diagnosis
    from sightline.datasets.manifest import Manifest

dataset = typer.Typer(
    name="dataset",
    help="Recognise, check, index, count and split datasets of photos and aerial imagery.",
    no_args_is_help=True,
)

RootArgument = Annotated[
    Path,
    typer.Argument(metavar="ROOT", help="The dataset's folder, or a table.", show_default=False),
]
SourceArgument = Annotated[
    Path,
    typer.Argument(
        metavar="MANIFEST|ROOT", help="A manifest, or a dataset's folder.", show_default=False
    ),
]
OutArgument = Annotated[
    Path, typer.Argument(metavar="OUT", help="The manifest to make.", show_default=False)
]
LayoutOption = Annotated[
    str | None,
    typer.Option("--layout", help="What it is; recognised by default.", show_default=False),
]
VariantOption = Annotated[
    str | None,
    typer.Option("--variant", help="Which part or protocol, such as `cross-area`."),
]
SkipBadOption = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out and count what cannot be used.")
]
RadiusOption = Annotated[
    float, typer.Option(min=0, help="Metres within which photos are one place.")
]

TABLES = ("photos", "patches", "pairs")

_STYLES = {"fault": "red", "warning": "yellow", "note": "dim"}


class Files(StrEnum):
    """Which images the doctor decodes."""

    none = "none"
    sample = "sample"
    all = "all"


class Check(StrEnum):
    """How far a manifest believes the files."""

    trust = "trust"
    read = "read"
    decode = "decode"


class By(StrEnum):
    """What stays on one side of a split."""

    place = "place"
    cell = "cell"
    photographer = "photographer"


class Unknown(StrEnum):
    """What to do with photos by nobody known."""

    refuse = "refuse"
    each = "each"
    one = "one"


@dataset.command()
def doctor(
    root: RootArgument,
    layout: LayoutOption = None,
    variant: VariantOption = None,
    files: Annotated[Files, typer.Option(help="Which images to decode.")] = Files.sample,
    radius_m: RadiusOption = 25.0,
    as_json: JsonOption = False,
) -> None:
    """Say which dataset a folder holds, what is missing, corrupt or leaking, and what to do.

    Exit status 1 if something is at fault.

    Example: `sightline dataset doctor VIGOR/`
    """
    from sightline.datasets.doctor import examine

    diagnosis = examine(root, layout=layout, variant=variant, files=files.value, radius_m=radius_m)
    if as_json:
        say_json(diagnosis.to_json())
    else:
        _tell(diagnosis)
    if not diagnosis.sound:
        raise typer.Exit(Status.SOME_FAILED)


@dataset.command()
def manifest(
    root: RootArgument,
    out: OutArgument,
    layout: LayoutOption = None,
    variant: VariantOption = None,
    files: Annotated[
        Check, typer.Option(help="Trust the lists, or read or decode every image.")
    ] = Check.trust,
    skip_bad: SkipBadOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a dataset's rows as Parquet: what everything else reads.

    Example: `sightline dataset manifest VIGOR/ vigor.manifest --variant cross-area`
    """
    from sightline.datasets.layouts import read
    from sightline.datasets.manifest import write_manifest

    found = read(root, layout, variant)
    with progress_bar("reading", unit="rows") as bar:
        report = write_manifest(
            out, found, on_error="skip" if skip_bad else "fail", files=files.value, progress=bar
        )
    if as_json:
        problems = [
            {"uri": one.uri, "line": one.line, **one.error.to_json()} for one in report.problems
        ]
        told = {**asdict(report.information), "path": str(out), "left_out": problems}
        say_json(told)
        return
    counts = report.information.counts
    say(
        f"{printable(found.name)} ({printable(found.version)}): {counts['photos']:,} photos, "
        f"{counts['patches']:,} patches, {counts['pairs']:,} pairs in {printable(str(out))}"
    )
    for problem in report.problems[:10]:
        note(printable(problem.error.message), style="yellow")
    if report.problem_count:
        note(f"{report.problem_count:,} rows and files left out")


@dataset.command()
def stats(
    source: SourceArgument,
    layout: LayoutOption = None,
    variant: VariantOption = None,
    level: Annotated[int, typer.Option(min=0, max=30, help="S2 level of the cells.")] = 10,
    skip_bad: SkipBadOption = False,
    as_json: JsonOption = False,
) -> None:
    """Count a dataset's photos, draw where they lie, and say how uneven that is.

    Example: `sightline dataset stats vigor.manifest`
    """
    from sightline.datasets.doctor.judgement import places_of
    from sightline.datasets.stats import Occupancy
    from sightline.datasets.text_map import text_map

    with _opened(source, layout, variant, skip_bad=skip_bad) as held:
        places = places_of(held)
        known = places[~np.isnan(places).any(axis=1)]
        figures = {
            "dataset": held.name,
            "version": held.version,
            "counts": held.information.counts,
            "splits": held.splits(),
            "with_place": len(known),
            "cells": Occupancy.of(known, level).to_json(),
        }
    lines = text_map(known)
    if as_json:
        say_json({**figures, "map": lines})
    else:
        _show(figures, lines)


@dataset.command()
def sheet(
    source: SourceArgument,
    out: Annotated[
        Path, typer.Argument(metavar="OUT.jpg", help="The picture.", show_default=False)
    ],
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many are shown.")] = 24,
    only: Annotated[
        str | None, typer.Option("--split", help="Only of this split.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed shows others.")] = 0,
    layout: LayoutOption = None,
    variant: VariantOption = None,
    skip_bad: SkipBadOption = False,
) -> None:
    """Put some of a dataset's pictures on one page: photos beside their aerial patches.

    Example: `sightline dataset sheet town.manifest town.jpg`
    """
    from sightline.datasets.contact_sheet import contact_sheet

    require_writable(out)
    with _opened(source, layout, variant, skip_bad=skip_bad) as held:
        made = contact_sheet(held, count=count, split=only, seed=seed)
    made.save(out)
    say(f"{len(made.ids)} shown in {printable(str(out))}")
    for problem in made.problems:
        note(printable(problem.message), style="yellow")


@dataset.command()
def split(
    source: SourceArgument,
    out: OutArgument,
    by: Annotated[By, typer.Option(help="What stays on one side.", show_default=False)],
    shares: Annotated[
        str, typer.Option(help="The splits and their sizes.")
    ] = "train=0.8,val=0.1,test=0.1",
    radius_m: RadiusOption = 100.0,
    buffer_m: Annotated[
        float | None,
        typer.Option(min=0, help="Leave out photos nearer than this to a smaller split."),
    ] = None,
    level: Annotated[int, typer.Option(min=0, max=30, help="S2 level of the cells.")] = 10,
    unknown: Annotated[
        Unknown, typer.Option(help="Photos by nobody known: refuse, each alone, or all as one.")
    ] = Unknown.refuse,
    seed: Annotated[int, typer.Option(help="Decides what goes where.")] = 0,
    layout: LayoutOption = None,
    variant: VariantOption = None,
    skip_bad: SkipBadOption = False,
    as_json: JsonOption = False,
) -> None:
    """Split a dataset by place, cell or photographer, into a new manifest, and check the splits.

    Example: `sightline dataset split town.manifest town-split.manifest --by place`
    """
    from sightline.datasets.resplit import SplitRule, resplit, shares_of

    rule = SplitRule(by.value, shares_of(shares), radius_m, buffer_m, level, unknown.value, seed)
    with _opened(source, layout, variant, skip_bad=skip_bad) as held:
        report = resplit(held, out, rule)
    if as_json:
        say_json(report.to_json())
        return
    for name, count in report.check.counts.items():
        say(f"{name:<12} {count:,} photos, {report.pairs.get(name, 0):,} pairs")
    if report.check.unassigned:
        say(f"{'left out':<12} {report.check.unassigned:,} photos (in no split)")
    checked = ", ".join(report.check.checked)
    if not checked:
        note("nothing could be checked: give --buffer-m to keep places of two splits apart")
    else:
        clean = "nothing crosses" if report.check.clean else "SOMETHING CROSSES"
        say(f"{clean} (checked: {checked})")
    say(f"written to {printable(str(out))}")
    for line in report.check.lines():
        note(printable(line), style="yellow")


@dataset.command()
def layouts(as_json: JsonOption = False) -> None:
    """List the layouts that are known.

    Example: `sightline dataset layouts`
    """
    from sightline.datasets.layouts import LAYOUTS

    if as_json:
        say_json(
            {
                name: {
                    "title": one.title,
                    "source": one.source,
                    "variants": list(one.variants),
                    "written": one.writer is not None,
                }
                for name, one in LAYOUTS.items()
            }
        )
        return
    for name, one in LAYOUTS.items():
        variants = f" ({', '.join(one.variants)})" if one.variants else ""
        say(f"{name:<16} {one.title}{variants}")


def _tell(diagnosis: Diagnosis) -> None:
    title = diagnosis.title or "unknown"
    say(f"{printable(str(diagnosis.root))}: {printable(title)}", style="bold")
    if diagnosis.version is not None:
        say(f"version   {printable(diagnosis.version)}")
    for name in TABLES if diagnosis.counts else ():
        say(f"{name:<9} {diagnosis.counts[name]:,}")
    if any(diagnosis.splits):
        shown = ", ".join(f"{name or 'none'} {n:,}" for name, n in sorted(diagnosis.splits.items()))
        say(f"splits    {printable(shown)}")
    if diagnosis.files_known:
        say(f"files     {diagnosis.files_looked_at:,} of {diagnosis.files_known:,} looked at")
    if diagnosis.made_by is not None:
        say(f"made by   {printable(str(diagnosis.made_by))}")
    for finding in diagnosis.findings:
        line = f"{finding.severity:<9} {printable(finding.what)}"
        say(line, style=_STYLES[finding.severity])
        if finding.kind != "trap":
            say(f"          → {printable(finding.next_step)}", style="dim")
    say("sound" if diagnosis.sound else "NOT sound")


def _show(figures: dict[str, Any], lines: list[str]) -> None:
    say(f"{printable(figures['dataset'])} ({printable(figures['version'])})", style="bold")
    for table in TABLES:
        say(f"{table:<16} {figures['counts'][table]:,}")
    for name, count in sorted(figures["splits"].items()):
        say(f"  {printable(name or 'in no split'):<14} {count:,}")
    say(f"{'with a place':<16} {figures['with_place']:,}")
    cells = figures["cells"]
    if cells["occupied_cells"]:
        say(
            f"{'cells':<16} {cells['occupied_cells']:,} of level {cells['level']} hold photos, the "
            f"fullest {cells['most_in_a_cell']:,}"
        )
        say(f"{'Gini':<16} {cells['gini_of_occupied']:.3f} over the cells that hold photos")
        for line in lines:
            say(line)


@contextmanager
def _opened(
    source: Path, layout: str | None, variant: str | None, *, skip_bad: bool
) -> Iterator[Manifest]:
    """Open a manifest, or make one of a dataset for as long as it is needed."""
    from sightline.datasets.layouts import read
    from sightline.datasets.manifest import Manifest, write_manifest

    if Manifest.lies_at(source):
        if layout is not None or variant is not None:
            raise UsageError(
                f"{str(source)!r} is a manifest; layout and variant were chosen when it was made.",
                hint="Leave out --layout and --variant.",
            )
        yield Manifest.open(source)
        return
    with tempfile.TemporaryDirectory(prefix="sightline-manifest-") as folder:
        report = write_manifest(
            folder, read(source, layout, variant), on_error="skip" if skip_bad else "fail"
        )
        if report.problem_count:
            note(f"{report.problem_count:,} rows left out", style="yellow")
        yield Manifest.open(folder)
