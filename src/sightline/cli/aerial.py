"""Aerial patches on the command line: the options of imagery, and growing an atlas from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sightline.cli.building import building
from sightline.cli.console import say
from sightline.errors import UsageError

if TYPE_CHECKING:
    from sightline.atlas.run import BuildReport
    from sightline.imagery.aerial import AerialSource
    from sightline.models.protocol import Encoder

_PANEL = "Aerial imagery"

AerialOption = Annotated[
    str | None,
    typer.Option(
        "--aerial",
        metavar="FILE|FOLDER|TEMPLATE",
        help="Aerial imagery instead of photos: a GeoTIFF or COG, a folder of them, tiles "
        "`{z}/{x}/{y}`, MBTiles, PMTiles, or `planet:SEED`.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
PatchOption = Annotated[
    float | None,
    typer.Option(
        "--patch-m",
        help="Side of a patch on the ground, metres. By default what the model was trained on.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
StrideOption = Annotated[
    float | None,
    typer.Option(
        "--stride-m",
        help="Metres between patches. By default half a patch.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
PatchesWithinOption = Annotated[
    str | None,
    typer.Option(
        "--within",
        metavar="FILE|ISO|BOX",
        help="Only patches inside a GeoJSON file, a country, or a box `south,west,north,east`.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
MinValidOption = Annotated[
    float | None,
    typer.Option(
        "--min-valid",
        help="Leave out patches of which a smaller share is shown. By default 0.9.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
BandsOption = Annotated[
    str | None,
    typer.Option(
        "--bands",
        metavar="R,G,B",
        help="Which bands are red, green and blue. By default what the file says.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
RangeOption = Annotated[
    str | None,
    typer.Option(
        "--value-range",
        metavar="LOW,HIGH",
        help="Values that become black and white. By default measured, unless they are 8-bit.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
CrsOption = Annotated[
    str | None,
    typer.Option(
        "--source-crs",
        metavar="EPSG:CODE",
        help="Reference system of files that name none.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
ZoomOption = Annotated[
    int | None,
    typer.Option(
        "--zoom",
        help="Finest zoom level of tiles to read.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
NetworkOption = Annotated[
    bool,
    typer.Option(
        "--allow-network",
        help="Let tiles be fetched; they are kept and fetched only once.",
        rich_help_panel=_PANEL,
    ),
]
AttributionOption = Annotated[
    str | None,
    typer.Option(
        "--attribution",
        help="Whom to name; a tile server must be.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
SourceNameOption = Annotated[
    str | None,
    typer.Option(
        "--source-name",
        help="What the imagery is called. By default the file's name.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]


@dataclass(frozen=True, slots=True)
class AerialChoice:
    """The options of aerial imagery as they were typed."""

    aerial: str | None
    patch_m: float | None = None
    stride_m: float | None = None
    within: str | None = None
    min_valid: float | None = None
    bands: str | None = None
    value_range: str | None = None
    source_crs: str | None = None
    zoom: int | None = None
    allow_network: bool = False
    attribution: str | None = None
    source_name: str | None = None

    def refuse_with_photos(self, photos: list[str] | None) -> None:
        """Let either photos or imagery be named, and each with options that belong to it.

        Raises:
            UsageError: Both, neither, or options of imagery without any.
        """
        if (self.aerial is None) == (not photos):
            which = "Neither --photos nor" if self.aerial is None else "Both --photos and"
            raise UsageError(
                f"{which} --aerial were given.",
                hint="Give --photos for an atlas of photos, or --aerial for one of patches.",
            )
        if self.aerial is None:
            values = {name: getattr(self, name) for name in self.__dataclass_fields__}
            # By identity: a zoom of 0 was given, and is equal to False.
            names = [n for n, value in values.items() if value is not None and value is not False]
            if names:
                raise UsageError(
                    f"--{names[0].replace('_', '-')} belongs to --aerial, and photos were named.",
                    hint="Leave it out, or give --aerial.",
                )

    def open(self, licence: str | None = None) -> AerialSource:
        """Open the imagery; raises AerialError or UsageError."""
        from sightline.atlas.aerial import open_aerial

        return open_aerial(
            self.aerial or "",
            bands=_numbers("--bands", self.bands, int),
            value_range=_numbers("--value-range", self.value_range, float),
            crs=self.source_crs,
            zoom=self.zoom,
            bounds=self._server_bounds(),
            attribution=self.attribution,
            licence=licence,
            allow_network=self.allow_network,
            name=self.source_name,
        )

    def _server_bounds(self) -> Any:
        """A server does not say where it has tiles; where they are wanted is enough."""
        from sightline.geo.region import parse_region
        from sightline.imagery.aerial.tile_files import is_template

        address = self.aerial or ""
        if self.within is None or "://" not in address or not is_template(address):
            return None
        return parse_region(self.within).bounds


def refuse_aerial(photos: list[str]) -> None:
    """Refuse aerial imagery that was named as photos, before any of it is read.

    Raises:
        UsageError: It names the first.
    """
    from sightline.imagery.aerial.recognise import aerial_words

    for path in photos:
        words = aerial_words(path)
        if words is not None:
            raise UsageError(
                f"{path!r} is {words}, not photos.",
                hint="Name it with --aerial instead of --photos.",
                path=path,
            )


def grow_aerial(
    folder: Path,
    choice: AerialChoice,
    source: AerialSource,
    encoder: Encoder,
    workers: int | None,
    licence: str | None = None,
    description: str | None = None,
) -> BuildReport:
    """Build or grow an aerial atlas, with a bar; an interrupt ends with its own status."""
    from sightline.atlas.aerial.build import MIN_VALID, build_aerial_atlas, require_aerial
    from sightline.geo.region import parse_region

    require_aerial(encoder)
    patch_m, stride_m = _sides(folder, choice, encoder)
    with building("patches") as show:
        report = build_aerial_atlas(
            folder,
            source,
            encoder,
            patch_m=patch_m,
            stride_m=stride_m,
            within=None if choice.within is None else parse_region(choice.within),
            min_valid=MIN_VALID if choice.min_valid is None else choice.min_valid,
            workers=workers,
            progress=show,
            licence=licence,
            description=description,
        )
    say(
        f"{report.added:,} patches of {patch_m:g} m added at {report.images_per_s:.1f} patches/s, "
        f"{report.skipped + report.duplicates:,} already there, {report.blank:,} left out because "
        f"too little of them is shown; {report.rows:,} rows now"
    )
    return report


def _sides(folder: Path, choice: AerialChoice, encoder: Encoder) -> tuple[float, float]:
    """Patch and stride: as typed, else as the atlas has them, else as the model was trained."""
    from sightline.atlas.card import CARD_NAME, AtlasCard

    patch_m, stride_m = choice.patch_m, choice.stride_m
    if (folder / CARD_NAME).exists():
        card = AtlasCard.read(folder)
        patch_m = card.patch_m if patch_m is None else patch_m
        stride_m = card.stride_m if stride_m is None else stride_m
    if patch_m is None:
        trained = encoder.describe().get("patch_m")
        if not isinstance(trained, int | float):
            raise UsageError(
                f"The side of a patch must be told: {encoder.name} does not say on how much "
                "ground it was trained.",
                hint="Give --patch-m, such as --patch-m 100.",
            )
        patch_m = float(trained)
    return patch_m, patch_m / 2.0 if stride_m is None else stride_m


def _numbers(option: str, text: str | None, kind: type[int | float]) -> list[Any] | None:
    if text is None:
        return None
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError as cause:
        raise UsageError(
            f"{option} must be numbers with commas between them. Got {text!r}.",
            hint=f"Such as {option} {'3,2,1' if kind is int else '0,3000'}.",
        ) from cause
