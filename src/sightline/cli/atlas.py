"""``sightline atlas``: build, grow, clean, check and export the reference database."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from sightline.cli.aerial import (
    AerialChoice,
    AerialOption,
    AttributionOption,
    BandsOption,
    CrsOption,
    MinValidOption,
    NetworkOption,
    PatchesWithinOption,
    PatchOption,
    RangeOption,
    SourceNameOption,
    StrideOption,
    ZoomOption,
)
from sightline.cli.console import Status, note, printable, progress_bar, say, say_json
from sightline.cli.growing import grow
from sightline.cli.options import AtlasArgument, JsonOption, ModelOption, PhotosOption
from sightline.cli.search_structures import index_structures, show_structures, tell_lost
from sightline.errors import UsageError

atlas = typer.Typer(
    name="atlas", help="Build, grow, clean, check and export an atlas.", no_args_is_help=True
)

WorkersOption = Annotated[
    int | None,
    typer.Option(min=1, help="Threads that decode; one per processor by default."),
]


@atlas.command()
def build(
    folder: Annotated[
        Path, typer.Argument(metavar="OUT", help="The atlas to make.", show_default=False)
    ],
    model: Annotated[Path, typer.Option("--model", help="The model bundle.", show_default=False)],
    photos: PhotosOption = None,
    licence: Annotated[
        str | None, typer.Option(help="Licence of the collection.", show_default=False)
    ] = None,
    description: Annotated[
        str | None, typer.Option(help="What the collection is.", show_default=False)
    ] = None,
    workers: WorkersOption = None,
    aerial: AerialOption = None,
    patch_m: PatchOption = None,
    stride_m: StrideOption = None,
    within: PatchesWithinOption = None,
    min_valid: MinValidOption = None,
    bands: BandsOption = None,
    value_range: RangeOption = None,
    source_crs: CrsOption = None,
    zoom: ZoomOption = None,
    allow_network: NetworkOption = False,
    attribution: AttributionOption = None,
    source_name: SourceNameOption = None,
) -> None:
    """Build an atlas from photos or aerial imagery; run it again to go on after a stop.

    Example: `sightline atlas build lund.atlas --photos walk/ --model mobilenet.model`

    Example: `sightline atlas build town.atlas --aerial town.tif --patch-m 100 --model frgeo.model`
    """
    choice = AerialChoice(
        aerial, patch_m, stride_m, within, min_valid, bands, value_range, source_crs, zoom,
        allow_network, attribution, source_name,
    )  # fmt: skip
    grow(folder, photos, choice, model, workers, licence, description, keep=True)
    _index(folder)


@atlas.command()
def add(
    folder: AtlasArgument,
    photos: PhotosOption = None,
    model: ModelOption = None,
    workers: WorkersOption = None,
    aerial: AerialOption = None,
    within: PatchesWithinOption = None,
    min_valid: MinValidOption = None,
    bands: BandsOption = None,
    value_range: RangeOption = None,
    source_crs: CrsOption = None,
    zoom: ZoomOption = None,
    allow_network: NetworkOption = False,
    attribution: AttributionOption = None,
    source_name: SourceNameOption = None,
) -> None:
    """Add photos, or patches of more imagery, to an atlas, and index it anew.

    Example: `sightline atlas add lund.atlas --photos second-walk/`
    """
    from sightline.atlas.store import Store

    Store.open(folder)
    choice = AerialChoice(
        aerial, None, None, within, min_valid, bands, value_range, source_crs, zoom,
        allow_network, attribution, source_name,
    )  # fmt: skip
    grow(folder, photos, choice, model or folder, workers)
    _index(folder)


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
def index(
    folder: AtlasArgument,
    tree: Annotated[
        str | None,
        typer.Option(
            metavar="k=8,leaf=256,…",
            help="Build the search tree too: k, leaf, beam, depth, seed.",
            show_default=False,
        ),
    ] = None,
    lsh: Annotated[
        str | None,
        typer.Option(
            metavar="tables=16,…",
            help="Build hash tables too: tables, bits, probes, seed.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Fit the whitening and the accelerator on today's rows.

    With `--tree` or `--lsh` an index that is up to date stays; the structure is built beside it.

    Example: `sightline atlas index lund.atlas`
    """
    if tree is None and lsh is None:
        _index(folder)
    else:
        index_structures(folder, tree, lsh, _index)


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
    from sightline.atlas.structures import structures_json

    facts = asdict(atlas_info(folder))
    facts["path"] = str(facts["path"])
    facts["index"] = current_manifest(folder)
    facts["structures"] = structures_json(folder, facts["version"])
    if as_json:
        say_json(facts)
        return
    card, structures = facts.pop("card"), facts.pop("structures")
    for key in ("kind", "patch_m", "stride_m", "encoder", "fingerprint", "dimension", "regions"):
        if card[key] is not None:
            say(f"{key.replace('_', ' '):<14} {printable(str(card[key]))}")
    for key in ("licence", "description"):
        if card[key] is not None:
            say(f"{key:<14} {printable(str(card[key]))}")
    for name, source in card["aerial_sources"].items():
        say(f"{'aerial source':<14} {printable(name)}: {printable(str(source['location']))}")
    for key, value in facts.items():
        shown = value if isinstance(value, str) else json.dumps(value)
        say(f"{key.replace('_', ' '):<14} {printable(shown)}")
    show_structures(structures)


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


def _index(folder: Path, replaced: Collection[str] = ()) -> None:
    from sightline.atlas.derived import build_derived
    from sightline.atlas.lock import writer_lock
    from sightline.atlas.store import Store
    from sightline.atlas.structures import structures_json

    store = Store.open(folder)
    if store.count == 0:
        note("The atlas holds no reference now; there is nothing to index.", style="yellow")
        return
    before = structures_json(folder, store.version)
    with progress_bar("indexing", unit="rows") as bar, writer_lock(folder):
        build_derived(folder, progress=lambda _, done, total: bar(done, total))
    tell_lost(folder, {kind: told for kind, told in before.items() if kind not in replaced})
