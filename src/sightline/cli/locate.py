"""``sightline locate``: photos in, places out."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli.console import Status, complain, progress_bar, require_writable, say_json
from sightline.cli.located_text import show_photo
from sightline.cli.options import JsonOption, Method, ModelOption, Search, WithinOption
from sightline.errors import OutputError, SightlineError, UsageError

if TYPE_CHECKING:
    from sightline.datasets import PhotoArguments
    from sightline.locating import AnyLocator, HeadingChoice, LocatedPhoto

# So many photos are encoded in the seconds that finding the fastest way to encode takes.
FEW_PHOTOS = 32


def locate(
    photos: Annotated[
        list[str],
        typer.Argument(
            metavar="PHOTO...",
            help="Photos, folders or glob patterns; `-` reads one photo from stdin.",
            show_default=False,
        ),
    ],
    atlas: Annotated[
        Path | None,
        typer.Option(
            "--atlas",
            help="The atlas folder to ask. Not needed with a --model for --method classify.",
            show_default=False,
        ),
    ] = None,
    model: ModelOption = None,
    method: Annotated[
        Method | None,
        typer.Option(
            help="How to read the matches; with a model that holds a classifier of places, "
            "`within-cell` asks it in which cell to search, and `classify` asks it alone. By "
            "default `within-cell` with such a model, and `nearest` otherwise.",
            show_default=False,
        ),
    ] = None,
    within: WithinOption = None,
    k: Annotated[
        int | None,
        typer.Option(
            "--k",
            min=1,
            help="How many matches to use: 100 for density, 10 for all others.",
            show_default=False,
        ),
    ] = None,
    cells: Annotated[
        int | None,
        typer.Option(
            "--cells",
            min=1,
            help="Of within-cell: how many of the most probable cells to search; 1 by default.",
            show_default=False,
        ),
    ] = None,
    mass: Annotated[
        float | None,
        typer.Option(
            "--mass",
            metavar="P",
            help="Of within-cell: search as many cells as hold this much of the probability, above "
            "0 and at most 1; with --cells at most so many.",
            show_default=False,
        ),
    ] = None,
    levels: Annotated[
        bool,
        typer.Option(
            "--levels",
            help="Of within-cell and classify: name a place for street, city, region, country and "
            "continent each.",
        ),
    ] = False,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare",
            help="With an atlas of photos: say too what every other method answers to the same "
            "vectors.",
        ),
    ] = False,
    search: Annotated[
        Search,
        typer.Option(
            help="How to search. `auto` and `approximate` ask the index where there is one; "
            "`exact` compares with all; `tree` and `lsh` ask what `sightline atlas index --tree "
            "--lsh` built, and compare with all of a region.",
        ),
    ] = Search.auto,
    heading: Annotated[
        str | None,
        typer.Option(
            "--heading",
            metavar="DEGREES|unknown",
            help="With an aerial atlas: where the photos look, clockwise from north; `unknown` to "
            "find it out. By default what a photo's file says, if the model needs to know.",
            show_default=False,
        ),
    ] = None,
    as_declared: Annotated[
        bool,
        typer.Option(
            "--as-declared",
            help="With an aerial atlas: take photos for what the model was trained with (a "
            "panorama, a field of view), whatever their files say.",
        ),
    ] = False,
    as_json: JsonOption = False,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="OUT.html", help="Write an HTML report.")
    ] = None,
    geojson: Annotated[
        Path | None, typer.Option("--geojson", metavar="OUT", help="Write GeoJSON.")
    ] = None,
    kml: Annotated[Path | None, typer.Option("--kml", metavar="OUT", help="Write KML.")] = None,
) -> None:
    """Say where photos were taken, how sure that is, and on what evidence.

    Example: `sightline locate street.jpg --atlas lund.atlas --report street.html`
    """
    from sightline.api import open_locator
    from sightline.datasets import photos_matching
    from sightline.report import locate_document, write_geojson, write_kml, write_report

    looks = _heading(heading)
    outputs = [path for path in (report, geojson, kml) if path is not None]
    _refuse_to_overwrite(outputs, photos)
    for path in outputs:
        require_writable(path)
    found = photos_matching(photos)
    few = len(found.paths) <= FEW_PHOTOS
    locator = open_locator(
        atlas,
        model=model,
        method=None if method is None else method.value,
        within=within,
        k=k,
        mode=search.value,
        heading=looks,
        as_declared=as_declared,
        cells=cells,
        mass=mass,
        levels=levels,
        compare=compare,
        few=few,
    )
    results = _locate_all(found, locator)
    document = locate_document(results, locator)
    if as_json:
        say_json(document)
    else:
        for photo in document["photos"]:
            show_photo(photo)
    failed = any(result.error for result in results)
    for target, write in ((report, write_report), (geojson, write_geojson), (kml, write_kml)):
        try:
            if target is not None:
                write(target, results, locator)
        except OutputError as error:
            # The others are still wanted, and the answers are told already.
            complain(error)
            failed = True
    if failed:
        raise typer.Exit(Status.SOME_FAILED)


def _heading(text: str | None) -> HeadingChoice:
    if text is None or text == "unknown":
        return text  # type: ignore[return-value] # the one word that is a choice
    try:
        degrees = float(text)
    except ValueError:
        degrees = math.nan
    if not math.isfinite(degrees):
        raise UsageError(
            f"A heading must be degrees, or 'unknown'. Got {text!r}.",
            hint="0 is north, 90 is east: --heading 90.",
        )
    return degrees


def _refuse_to_overwrite(outputs: list[Path], photos: list[str]) -> None:
    taken = {Path(photo).resolve(): "a photo that is asked about" for photo in photos}
    for path in outputs:
        if path.resolve() in taken:
            raise UsageError(
                f"{str(path)!r} would overwrite {taken[path.resolve()]}.",
                hint="Name another file to write.",
                path=path,
            )
        taken[path.resolve()] = "another output"


def _locate_all(found: PhotoArguments, locator: AnyLocator) -> list[LocatedPhoto]:
    from sightline.locating import locate_paths

    # An empty stream is an unreadable photo like any other: the rest goes on.
    sources = [("-", _standard_input()) if path == "-" else path for path in found.paths]
    results: list[LocatedPhoto] = []
    with progress_bar("locating", unit="photos") as report:
        for result in locate_paths(sources, locator):
            results.append(result)
            report(len(results), len(sources))
    results += [_not_found(error) for error in found.errors]
    return results


def _standard_input() -> bytes:
    from sightline.imagery import Limits

    # One byte more than allowed, so that the decoder sees that it is too much.
    return sys.stdin.buffer.read(Limits().max_bytes + 1)


def _not_found(error: SightlineError) -> LocatedPhoto:
    from sightline.locating import LocatedPhoto

    return LocatedPhoto(
        path=error.path or "",
        sha256=None,
        photo_place=None,
        exif_to_estimate_m=None,
        estimate=None,
        error=error,
    )
