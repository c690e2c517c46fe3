"""``sightline planet``: make data sets of the synthetic planet, and look at its places."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sightline.cli.console import note, printable, progress_bar, require_writable, say, say_json
from sightline.cli.options import JsonOption
from sightline.errors import UsageError

planet = typer.Typer(
    name="planet",
    help="Make data sets of a synthetic planet that every machine has.",
    no_args_is_help=True,
)


class PlanetLayout(StrEnum):
    """How a data set of the planet is laid out."""

    folders = "folders"
    shards = "shards"
    cvusa = "cvusa"
    cvact = "cvact"
    vigor = "vigor"
    university1652 = "university1652"
    im2gps = "im2gps"
    im2gps3k = "im2gps3k"
    yfcc4k = "yfcc4k"
    yfcc25k = "yfcc25k"


SeedOption = Annotated[int, typer.Option(help="Which planet.")]


@planet.command()
def sample(
    folder: Annotated[
        Path, typer.Argument(metavar="OUT", help="The folder to make.", show_default=False)
    ],
    pairs: Annotated[
        int | None,
        typer.Option(min=1, help="So many photos with aerial tiles.", show_default=False),
    ] = None,
    photos: Annotated[
        int | None,
        typer.Option(min=1, help="So many photos as people take them.", show_default=False),
    ] = None,
    layout: Annotated[
        PlanetLayout, typer.Option(help="How they are laid out.")
    ] = PlanetLayout.folders,
    difficulty: Annotated[
        list[str] | None,
        typer.Option(
            help="What the pairs are like; may be given several times. "
            "See `sightline planet difficulties`.",
            show_default="aligned-panorama",
        ),
    ] = None,
    seed: SeedOption = 0,
    collection: Annotated[
        int, typer.Option(help="Which data set of this planet: other places, other photographers.")
    ] = 0,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="WIDTHxHEIGHT",
            help="Of the photos. [default: 224x224, panoramas 512x128]",
            show_default=False,
        ),
    ] = None,
    tile_size: Annotated[int, typer.Option(min=16, help="Side of the aerial tiles, pixels.")] = 224,
    metres_per_pixel: Annotated[float, typer.Option(help="Of the aerial tiles.")] = 0.5,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes; one per processor by default.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write pairs or photos of the planet; run it again to go on after a stop.

    Example: `sightline planet sample out/ --pairs 10000 --difficulty known-heading`
    """
    from sightline.datasets.planet import PlanetSettings, make

    if (pairs is None) == (photos is None):
        raise UsageError(
            "Either --pairs or --photos must be given, and not both.",
            hint="For example --pairs 1000.",
        )
    width, height = (None, None) if size is None else _parsed(size)
    settings = PlanetSettings(
        "photos" if pairs is None else "pairs",
        pairs or photos or 0,
        layout.value,
        seed,
        collection,
        tuple(difficulty or ()),
        width,
        height,
        tile_size,
        metres_per_pixel,
    )
    with progress_bar("rendering", unit="samples") as bar:
        report = make(settings, folder, workers=workers or _processors(), progress=bar)
    if as_json:
        say_json({"folder": str(folder), **report.to_json()})
        return
    say(
        f"{report.samples:,} {settings.kind} in {printable(str(folder))}: "
        f"{report.written:,} files written, {report.kept:,} were there"
    )
    note("next: sightline dataset doctor, stats, split; see docs/planet.md")


@planet.command()
def difficulties(as_json: JsonOption = False) -> None:
    """List the named difficulty settings.

    Example: `sightline planet difficulties`
    """
    from sightline.planet.difficulty import DIFFICULTIES

    if as_json:
        say_json({name: setting.summary for name, setting in DIFFICULTIES.items()})
        return
    for name, setting in DIFFICULTIES.items():
        say(f"{name:<18} {setting.summary}")


@planet.command()
def show(
    latitude: Annotated[float | None, typer.Argument(metavar="[LAT", show_default=False)] = None,
    longitude: Annotated[float | None, typer.Argument(metavar="LNG]", show_default=False)] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The picture to write, .jpg or .png.")
    ] = Path("planet.jpg"),
    heading: Annotated[
        float | None,
        typer.Option(help="Where the photo looks. [default: along the street]", show_default=False),
    ] = None,
    seed: SeedOption = 0,
    number: Annotated[
        int, typer.Option(min=0, help="Without a place: which of the planet's famous spots.")
    ] = 0,
) -> None:
    """Write a sheet with photo, aerial image and panorama of a place, or of a famous spot.

    Negative latitudes and longitudes go after `--`.

    Example: `sightline planet show --out sheet.jpg -- -12.5 130.8`
    """
    from sightline.datasets.planet_sheet import save_sheet, sheet
    from sightline.planet.planet import Planet

    if (latitude is None) != (longitude is None):
        raise UsageError(
            f"A place has a latitude and a longitude. Got {latitude} alone.",
            hint="Give both, or neither for a famous spot.",
        )
    require_writable(out)
    world = Planet(seed)
    place = None if latitude is None or longitude is None else (latitude, longitude)
    made = sheet(world, place, heading_degrees=heading, number=number)
    save_sheet(out, made)
    say(f"{made.caption} in {printable(str(out))}")


@planet.command()
def walk(
    folder: Annotated[
        Path, typer.Argument(metavar="OUT", help="The folder to make.", show_default=False)
    ],
    within: Annotated[
        str,
        typer.Option(
            "--within",
            metavar="FILE|ISO|BOX",
            help="Where the photos stand: a box `south,west,north,east` in a town, a GeoJSON file "
            "or a country.",
            show_default=False,
        ),
    ],
    photos: Annotated[int, typer.Option(min=1, help="How many.")] = 24,
    panorama: Annotated[
        bool,
        typer.Option("--panorama", help="360° strips, for --as-declared, in place of 90° photos."),
    ] = False,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Photograph a small region from its streets: JPEG with place and heading in their EXIF.

    A longer walk begins with a shorter one; run it again to go on after a stop.

    Example: `sightline planet walk out/ --within 46.742,67.942,46.748,67.950 --photos 12`
    """
    from sightline.datasets.planet_walk import TABLE
    from sightline.datasets.planet_walk import walk as make
    from sightline.geo.region import parse_region

    region = parse_region(within)
    with progress_bar("rendering", unit="photos") as bar:
        report = make(folder, region, photos, seed=seed, panorama=panorama, progress=bar)
    kept = len(report.photos) - report.written
    if as_json:
        count = {"photos": len(report.photos), "written": report.written, "kept": kept}
        say_json({"folder": str(folder), **count})
        return
    say(
        f"{len(report.photos):,} photos in {printable(str(folder))}: {report.written:,} files "
        f"written, {kept:,} were there; {TABLE} lists them"
    )


def _parsed(size: str) -> tuple[int, int]:
    parts = size.lower().split("x")
    if len(parts) != 2 or not all(part.isdigit() and int(part) >= 16 for part in parts):
        raise UsageError(
            f"--size must be WIDTHxHEIGHT in pixels, 16 or more each. Got {size!r}.",
            hint="For example 224x224.",
        )
    return int(parts[0]), int(parts[1])


def _processors() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
