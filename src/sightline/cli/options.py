"""Options that several verbs share, written once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Method(StrEnum):
    """How an estimate is made: read off the matches, or by asking a classifier."""

    nearest = "nearest"
    density = "density"
    clusters = "clusters"
    within_cell = "within-cell"
    classify = "classify"


class Search(StrEnum):
    """How an atlas is searched."""

    auto = "auto"
    exact = "exact"
    approximate = "approximate"
    tree = "tree"
    lsh = "lsh"


class Distance(StrEnum):
    """How two vectors are compared."""

    euclidean = "euclidean"
    cosine = "cosine"
    dot = "dot"


class Earth(StrEnum):
    """What distances on the ground are measured on."""

    sphere = "sphere"
    geodesic = "geodesic"


AtlasArgument = Annotated[Path, typer.Argument(help="The atlas folder.", show_default=False)]
ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        help="The model bundle. By default the one that the atlas keeps of its own.",
        show_default=False,
    ),
]
WithinOption = Annotated[
    str | None,
    typer.Option(
        "--within",
        metavar="FILE|ISO|BOX",
        help="Only references inside a GeoJSON file, a country (ISO code), or a box "
        "`south,west,north,east`.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
PhotosOption = Annotated[
    list[str] | None,
    typer.Option(
        "--photos",
        metavar="FOLDER|CSV|PARQUET",
        help="Photos with places: a folder (places from EXIF), or a table with the columns "
        "`path`, `lat`, `lon`. May be given several times.",
        show_default=False,
    ),
]
