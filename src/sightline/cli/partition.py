"""``sightline partition``: divide the Earth where photos are, look at it, and use it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sightline.cli.console import note, printable, require_writable, say, say_json
from sightline.cli.options import JsonOption
from sightline.errors import UsageError

if TYPE_CHECKING:
    from sightline.geo.coordinates import FloatArray
    from sightline.geo.partition import Partition

partition = typer.Typer(
    name="partition",
    help="Divide the Earth into the cells that a classifier tells apart.",
    no_args_is_help=True,
)


class Division(StrEnum):
    """How places are divided."""

    s2 = "s2"
    boxes = "boxes"
    quadtree = "quadtree"
    uniform = "uniform"
    grid = "grid"


class CutAt(StrEnum):
    """Where a box is cut."""

    even = "even"
    random = "random"


class Outside(StrEnum):
    """What becomes of a place in no cell."""

    report = "report"
    nearest = "nearest"


PartitionArgument = Annotated[
    Path,
    typer.Argument(
        metavar="PARTITION", help="A partition, or a published list of cells.", show_default=False
    ),
]
SplitOption = Annotated[
    str | None,
    typer.Option("--split", help="Of a manifest, only photos of this split.", show_default=False),
]
_PLACES = "A manifest, or a table with the columns `lat`, `lon`."


@partition.command()
def build(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The file to write.", show_default=False)
    ],
    source: Annotated[
        Path,
        typer.Option("--from", metavar="LIST|MANIFEST", help=_PLACES, show_default=False),
    ],
    method: Annotated[
        Division,
        typer.Option(
            help="`s2`, `boxes` (halves, as Im2GPS) and `quadtree` (quarters, as OSV-5M) adapt to "
            "the places; `uniform` takes the S2 cells of a level, `grid` equal boxes."
        ),
    ] = Division.s2,
    cells: Annotated[
        int | None,
        typer.Option(min=2, help="Split the fullest until there are so many.", show_default=False),
    ] = None,
    max_members: Annotated[
        int | None,
        typer.Option(min=1, help="Split until none holds more places.", show_default=False),
    ] = None,
    min_members: Annotated[int, typer.Option(min=1, help="Drop cells with fewer places.")] = 1,
    min_level: Annotated[
        int | None, typer.Option(min=0, max=30, help="Level or depth to start from. [default: 0]")
    ] = None,
    max_level: Annotated[
        int | None, typer.Option(min=0, max=30, help="Finest level or depth. [default: 30]")
    ] = None,
    level: Annotated[
        int | None,
        typer.Option(min=0, max=30, help="Of `uniform` and `grid`: level or depth of all cells."),
    ] = None,
    min_area_km2: Annotated[
        float | None,
        typer.Option(min=0, help="Of `boxes`: do not split what is smaller.", show_default=False),
    ] = None,
    cut: Annotated[
        CutAt | None, typer.Option(help="Of `boxes`: where to split. [default: even]")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of random cuts. [default: 0]")] = None,
    around_data: Annotated[
        bool | None,
        typer.Option(
            "--around-data",
            help="Of `quadtree`: start from the box of all places, not the world.",
            show_default=False,
        ),
    ] = None,
    split: SplitOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a partition of the places of a list.

    Example: `sightline partition build cells.parquet --from photos.csv --cells 32768`
    """
    from sightline.geo.partition import oracle_report, summary
    from sightline.partition_files import save_partition

    given = {
        "cells": cells,
        "max_members": max_members,
        "min_level": min_level,
        "max_level": max_level,
        "level": level,
        "min_area_km2": min_area_km2,
        "cut": None if cut is None else cut.value,
        "seed": seed,
        "around_data": around_data,
    }
    options = {name: value for name, value in given.items() if value is not None}
    _check_options(method, options)
    require_writable(out, source)
    places, without = _places(source, split)
    made = _made(method, places, options | {"min_members": min_members})
    save_partition(out, made)
    facts = {**summary(made), "oracle": oracle_report(made, places).to_json(), "without": without}
    if as_json:
        say_json({"partition": str(out), **facts})
        return
    _tell(facts)
    _tell_without(without)
    say(f"written to {printable(str(out))}")


@partition.command()
def info(
    source: PartitionArgument,
    places: Annotated[
        Path | None,
        typer.Option("--from", metavar="LIST|MANIFEST", help=f"Places to ask. {_PLACES}"),
    ] = None,
    outside: Annotated[
        Outside, typer.Option(help="Places in no cell: missed, or sent to the nearest cell.")
    ] = Outside.report,
    split: SplitOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a partition is like, and with `--from` how well a perfect classifier would do.

    Example: `sightline partition info cells.parquet --from test.csv`
    """
    from sightline.geo.partition import oracle_report, summary
    from sightline.partition_files import load_partition

    if places is None and (split is not None or outside is not Outside.report):
        raise UsageError(
            "--split and --outside are of the places to ask. Got no --from.",
            hint="Name a list or a manifest with --from.",
        )
    held = load_partition(source)
    facts = summary(held)
    if places is not None:
        asked, facts["without"] = _places(places, split)
        facts["oracle"] = oracle_report(held, asked, outside=outside.value).to_json()
    if as_json:
        say_json(facts)
        return
    _tell(facts)
    _tell_without(facts.get("without", 0))


@partition.command()
def export(
    source: PartitionArgument,
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="`.geojson`, `.csv`, or a map as `.svg`, `.pdf` or `.png`.",
            show_default=False,
        ),
    ],
) -> None:
    """Write a partition for other programs, or as a map.

    Example: `sightline partition export cells.parquet cells.geojson`
    """
    from sightline.partition_files import load_partition

    form = out.suffix.lower().lstrip(".")
    if form not in ("geojson", "csv", "svg", "pdf", "png"):
        raise UsageError(
            f"A partition is exported as .geojson, .csv, .svg, .pdf or .png. Got {str(out)!r}.",
            hint="Give the file one of these endings.",
        )
    require_writable(out, source)
    held = load_partition(source)
    _export(held, out, form)
    say(f"{len(held):,} cells written to {printable(str(out))}")


@partition.command()
def assign(
    source: PartitionArgument,
    places: Annotated[
        Path, typer.Argument(metavar="LIST|MANIFEST", help=_PLACES, show_default=False)
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT.csv", help="The table to write.", show_default=False)
    ],
    outside: Annotated[
        Outside, typer.Option(help="Places in no cell: row -1, or the nearest cell.")
    ] = Outside.report,
    split: SplitOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which cell each place of a list lies in.

    Rows of the list without a place are left out.

    Example: `sightline partition assign cells.parquet test.csv test-cells.csv`
    """
    from sightline.durable import write_text
    from sightline.partition_files import load_partition

    require_writable(out, source, places)
    held = load_partition(source)
    coordinates, without = _places(places, split)
    rows = held.assign(coordinates, outside=outside.value)
    names = [*held.cells.names(), ""]  # -1 names none
    lines = (
        f"{lat!r},{lon!r},{row},{names[row]}\n"
        for (lat, lon), row in zip(coordinates.tolist(), rows.tolist(), strict=True)
    )
    write_text(out, "lat,lon,row,cell\n" + "".join(lines))
    missed = int((rows < 0).sum())
    if as_json:
        say_json({"places": len(rows), "outside": missed, "without": without, "out": str(out)})
        return
    say(f"{len(rows):,} places, {missed:,} of them in no cell, written to {printable(str(out))}")
    _tell_without(without)


_OPTIONS = {
    Division.s2: {"cells", "max_members", "min_level", "max_level"},
    Division.boxes: {"cells", "max_members", "min_area_km2", "cut", "seed"},
    Division.quadtree: {"cells", "max_members", "min_level", "max_level", "around_data"},
    Division.uniform: {"level"},
    Division.grid: {"level"},
}


def _check_options(method: Division, options: dict[str, Any]) -> None:
    """Refuse an option that the method does not know, and a level that it needs and lacks."""
    unknown = sorted(set(options) - _OPTIONS[method])
    if unknown:
        raise UsageError(
            f"--method {method} has no option --{unknown[0].replace('_', '-')}.",
            hint="It has: "
            + ", ".join(f"--{name.replace('_', '-')}" for name in sorted(_OPTIONS[method]))
            + ".",
        )
    if "level" in _OPTIONS[method] and "level" not in options:
        raise UsageError(
            f"--method {method} needs a --level. Got none.", hint="For example --level 5."
        )


def _made(method: Division, places: FloatArray, options: dict[str, Any]) -> Partition:
    from sightline.geo import partition as made

    if method is Division.uniform:
        return made.uniform_s2(places, options["level"], min_members=options["min_members"])
    if method is Division.grid:
        return made.uniform_boxes(places, options["level"], min_members=options["min_members"])
    if method is Division.boxes:
        return made.adaptive_boxes(places, made.BoxSettings(**options))
    if method is Division.quadtree:
        deep = {name.replace("level", "depth"): value for name, value in options.items()}
        return made.quadtree(places, made.QuadtreeSettings(**deep))
    return made.adaptive_s2(places, made.S2Settings(**options))


def _export(held: Partition, out: Path, form: str) -> None:
    import json

    from sightline.durable import write_bytes, write_text

    if form == "geojson":
        from sightline.geo.partition import feature_collection

        write_text(out, json.dumps(feature_collection(held), allow_nan=False) + "\n")
    elif form == "csv":
        from sightline.partition_files import partition_csv

        write_text(out, partition_csv(held))
    else:
        from sightline.report.figures import render
        from sightline.report.figures.partition_map import partition_map_figure

        write_bytes(out, render(partition_map_figure(held), form))


def _places(source: Path, split: str | None) -> tuple[FloatArray, int]:
    from sightline.datasets.places import read_places

    return read_places(source, split=split)


def _tell_without(rows: int) -> None:
    from sightline.report.text import count_text

    if rows:
        what = count_text(rows, "row without a place was", "rows without a place were")
        note(f"{what} left out", style="yellow")


def _shown(value: float) -> str:
    """Return a number for people: whole where it is large, three digits where it is small."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _tell(facts: dict[str, Any]) -> None:
    say(f"{facts['cells']:,} cells ({facts['kind']}), fingerprint {facts['fingerprint'][:12]}")
    for name, unit in (("members", "places"), ("area_km2", "km²")):
        spread = facts[name]
        if spread is not None:
            say(
                f"{spread['total']:,.0f} {unit}: {_shown(spread['least'])} to "
                f"{_shown(spread['most'])} a cell, median {_shown(spread['median'])}"
            )
    oracle = facts.get("oracle")
    if oracle is None:
        return
    say(f"A classifier that is always right, on {oracle['places']:,} places:")
    for km, share in oracle["beyond"].items():
        say(f"  {100 * share:6.2f} % lie farther than {float(km):,g} km from their cell's answer")
    if oracle["outside"]:
        say(f"  {oracle['outside']:,} places lie in no cell, and count as missed")
