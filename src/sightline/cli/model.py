"""``sightline model``: make, fetch, look at and tune bundles."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import numpy as np
import typer
from rich.table import Table

from sightline.cli.console import complain, note, out, printable, progress_bar, say, say_json
from sightline.cli.options import JsonOption
from sightline.errors import PhotoError, UsageError

if TYPE_CHECKING:
    from sightline.models.importing import ImportReport
    from sightline.models.protocol import Pixels

Item = TypeVar("Item")

TABLES = (".csv", ".tsv", ".parquet")
SAME_PLACE_M = 15.0
TUNING_SIZE = (512, 512)

model = typer.Typer(
    name="model", help="Make, fetch, look at and tune models.", no_args_is_help=True
)


class Pooling(StrEnum):
    """How a feature map becomes a vector."""

    average = "average"
    max = "max"
    gem = "gem"
    token = "class"  # noqa: S105 - the class token of a transformer, no secret


class ViewsChoice(StrEnum):
    """Which parts of a photo are encoded and averaged."""

    whole = "whole"
    four = "four"
    five = "five"


class Resize(StrEnum):
    """How a photo is brought to the input size."""

    squeeze = "squeeze"
    crop = "crop"


OutArgument = Annotated[Path, typer.Argument(help="The bundle to make.", show_default=False)]
ConfigOption = Annotated[
    Path,
    typer.Option("--config", help="The timm config (pretrained_cfg form).", show_default=False),
]
WeightsOption = Annotated[
    Path, typer.Option("--weights", help="The safetensors file.", show_default=False)
]
PoolingOption = Annotated[
    Pooling | None,
    typer.Option(help="Pooling of the feature map; by family.", show_default=False),
]
ViewsOption = Annotated[
    ViewsChoice | None, typer.Option(help="Whole photo, or several crops.", show_default=False)
]
FeatureOption = Annotated[
    str | None,
    typer.Option(
        metavar="PATH",
        help="Module path of the feature map, such as `blocks.5.0.bn1`; by family.",
        show_default=False,
    ),
]
SizeOption = Annotated[
    int | None, typer.Option(min=16, help="Side of the input in pixels; by family.")
]
ResizeOption = Annotated[
    Resize | None, typer.Option(help="Squeeze the whole photo, or crop it.", show_default=False)
]
RegionsOption = Annotated[
    int | None,
    typer.Option(min=1, max=8, help="r of the r x r regional vectors; by family."),
]
WhitenOption = Annotated[
    list[str] | None,
    typer.Option(
        "--whiten",
        metavar="PHOTOS",
        help="Photos, folders or patterns, with or without places: the sample that the whitening "
        "of small atlases leans on. May be given several times.",
        show_default=False,
    ),
]
SampleOption = Annotated[int, typer.Option(min=1, help="Use at most so many of --whiten.")]
ReplaceOption = Annotated[bool, typer.Option("--replace", help="Replace the bundle if it exists.")]


@model.command("import")
def import_(
    bundle: OutArgument,
    config: ConfigOption,
    weights: WeightsOption,
    pooling: PoolingOption = None,
    views: ViewsOption = None,
    whiten: WhitenOption = None,
    feature: FeatureOption = None,
    size: SizeOption = None,
    resize: ResizeOption = None,
    regions: RegionsOption = None,
    sample_limit: SampleOption = 1000,
    replace: ReplaceOption = False,
) -> None:
    """Make a bundle from weights on this machine.

    Example: `sightline model import resnet.model --config config.json --weights
    model.safetensors --whiten photos/`
    """
    from sightline.models.importing import import_model

    sample = _sample(whiten, sample_limit)
    with progress_bar("importing"):
        report = import_model(
            bundle,
            config,
            weights,
            pooling=None if pooling is None else pooling.value,
            views=None if views is None else views.value,
            feature=feature,
            size=size,
            resize=None if resize is None else resize.value,
            regions=regions,
            whiten_photos=sample,
            sample_limit=sample_limit,
            replace_existing=replace,
        )
    _show(report)


@model.command()
def fetch(
    name: Annotated[
        str,
        typer.Argument(
            help="timm's name with its tag, such as `resnet50.a1_in1k`.", show_default=False
        ),
    ],
    bundle: OutArgument,
    whiten: WhitenOption = None,
    sample_limit: SampleOption = 1000,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; download.")] = False,
    replace: ReplaceOption = False,
) -> None:
    """Download a model from its hub, after asking, and make a bundle of it.

    The only command that opens a connection.

    Example: `sightline model fetch resnet50.a1_in1k resnet50.model`
    """
    from sightline.models.fetching import fetch_model

    def confirm(question: str) -> bool:
        return yes or typer.confirm(question, err=True)

    sample = _sample(whiten, sample_limit)
    report = fetch_model(
        name, bundle, confirm=confirm, whiten_photos=sample, replace_existing=replace
    )
    _show(report)


@model.command()
def info(
    bundle: Annotated[
        Path,
        typer.Argument(
            help="The bundle, or the name of one that comes with Sightline, such as `planet-360`.",
            show_default=False,
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Say what a bundle holds; its hashes are checked.

    Example: `sightline model info resnet50.model`
    """
    from sightline.models.bundle import load_model

    encoder = load_model(bundle)
    described = dict(encoder.describe())
    described["whitening_sample"] = None if encoder.sample is None else encoder.sample.count
    if as_json:
        say_json(described)
        return
    for key, value in _facts(described).items():
        shown = value if isinstance(value, str) else json.dumps(value)
        say(f"{key.replace('_', ' '):<18} {printable(shown)}")


def _facts(described: dict[str, Any]) -> dict[str, Any]:
    """The same with one line for a classifier, and one for each of its partitions."""
    facts: dict[str, Any] = {}
    for key, value in described.items():
        if key != "classifier":
            facts[key] = value
            continue
        facts[key] = f"{value['head']} head, fingerprint {value['fingerprint']}"
        for number, cells in enumerate(value["partitions"]):
            said = f"{cells['cells']:,} cells ({cells['kind']}), fingerprint {cells['fingerprint']}"
            facts[f"partition {number}"] = said
    return facts


@model.command()
def tune(
    photos: Annotated[
        list[str],
        typer.Argument(
            metavar="PHOTOS...",
            help="Photos, folders or patterns; or one table with places (CSV, Parquet).",
            show_default=False,
        ),
    ],
    config: ConfigOption,
    weights: WeightsOption,
    limit: Annotated[int, typer.Option(min=4, help="Use at most so many photos.")] = 200,
) -> None:
    """Try feature maps and sizes of a backbone on photos, best first.

    With a table of places, a photo must find another of its place (within 15 m); without one, a
    re-coloured part of a photo must find the rest of it.

    Example: `sightline model tune photos/ --config config.json --weights model.safetensors`
    """
    from sightline.models.tuning import tune_model

    pixels, places = _tuning_photos(photos, limit)
    with progress_bar("tuning"):
        ranking = tune_model(config, weights, pixels, places=places)
    table = Table(box=None, padding=(0, 2), header_style="dim", pad_edge=False)
    for heading in (
        "feature map",
        "size",
        "pooling",
        "recall@1",
        "margin",
        "dimension",
        "ms/photo",
    ):
        table.add_column(heading)
    for one in ranking:
        height, width = one.size
        table.add_row(
            one.feature,
            f"{height}x{width}",
            one.pooling,
            f"{one.recall:.1%}",
            f"{one.margin:.3f}",
            str(one.dimension),
            f"{one.seconds_per_photo * 1000:.0f}",
        )
    out.print(table)
    best = ranking[0]
    say(f"\nUse it: sightline model import … --feature {best.feature} --size {best.size[0]}")


def _sample(whiten: list[str] | None, limit: int) -> list[str] | None:
    if not whiten:
        note(
            "No --whiten photos: the bundle carries no sample. Small atlases will be whitened on "
            "their own photos alone."
        )
        return None
    return _evenly(_photos(whiten), limit)


def _photos(arguments: list[str]) -> list[str]:
    from sightline.datasets import photos_matching

    found = photos_matching(arguments)
    if found.errors:
        raise found.errors[0]
    return found.paths


def _evenly(items: list[Item], limit: int) -> list[Item]:
    """At most ``limit`` items, spread over all: a folder often holds one place."""
    step = max(1, -(-len(items) // limit))
    return items[::step]


def _tuning_photos(arguments: list[str], limit: int) -> tuple[list[Pixels], list[int] | None]:
    if len(arguments) == 1 and Path(arguments[0]).suffix.lower() in TABLES:
        return _placed_photos(arguments[0], limit)
    opened = [_open(path) for path in _evenly(_photos(arguments), limit)]
    return [pixels for pixels in opened if pixels is not None], None


def _placed_photos(table: str, limit: int) -> tuple[list[Pixels], list[int]]:
    from sightline.datasets import PhotoRecord, read_table
    from sightline.locating import cluster_labels

    rows = [row for row in read_table(table) if isinstance(row, PhotoRecord)]
    # Neighbours in the table are often of one place: take a run, not every n-th.
    placed = [(row.uri, row.lat, row.lon) for row in rows if row.lat is not None][:limit]
    if not placed:
        raise UsageError(
            f"No row of {table!r} has a place.",
            hint="Fill the columns lat and lon, or give the photos without a table.",
        )
    opened = [(_open(uri), (lat, lon)) for uri, lat, lon in placed]
    readable = [(pixels, place) for pixels, place in opened if pixels is not None]
    places = np.array([place for _, place in readable], dtype=np.float64).reshape(-1, 2)
    (labels,) = cluster_labels(places[None], epsilon_m=SAME_PLACE_M)
    return [pixels for pixels, _ in readable], [int(label) for label in labels]


def _open(path: str) -> Pixels | None:
    from sightline.imagery import open_photo

    try:
        return open_photo(path, at_least=TUNING_SIZE).pixels
    except PhotoError as error:
        complain(error)
        return None


def _show(report: ImportReport) -> None:
    for error in report.skipped:
        complain(error)
    settings = report.bundle.settings
    say(f"{report.path}", style="bold")
    say(f"  architecture   {settings.architecture}, cut after {settings.feature} ({report.basis})")
    height, width = settings.preprocessing.size
    say(f"  input          {height} x {width}, {settings.preprocessing.resize}; {settings.views}")
    say(f"  pooling        {settings.pooling}, {settings.regions} x {settings.regions} regions")
    say(f"  sample         {report.sampled or 'none'}{' photos' if report.sampled else ''}")
    say(f"  fingerprint    {report.fingerprint}")
