"""``sightline explain``: which pixels of a photo and a patch make a model think they match."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli.console import printable, require_writable, say, say_json
from sightline.cli.options import JsonOption

if TYPE_CHECKING:
    from sightline.models.protocol import Encoder, Pixels, View


class HeatMethod(StrEnum):
    """How heat is found."""

    gradient = "gradient"
    grad_cam = "grad-cam"
    attention = "attention"
    occlusion = "occlusion"


def explain(
    photo: Annotated[Path, typer.Argument(help="A ground photo.", show_default=False)],
    patch: Annotated[
        Path,
        typer.Argument(
            help="An aerial image, north up; for a photo model another photo.", show_default=False
        ),
    ],
    model: Annotated[Path, typer.Option("--model", help="The model bundle.", show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", help="The picture to write: PNG or JPEG.", show_default=False)
    ],
    method: Annotated[
        HeatMethod,
        typer.Option(help="Gradients, rolled-out attention, or covering windows (slow, exact)."),
    ] = HeatMethod.gradient,
    layer: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Module path of the feature map, such as `stages.2`; by default the last.",
            show_default=False,
        ),
    ] = None,
    heading: Annotated[
        float | None,
        typer.Option(help="Bearing of the photo's centre, in degrees.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show where the similarity of a photo and a patch comes from.

    Example: `sightline explain photo.jpg patch.png --model frgeo.model --out heat.png`
    """
    from sightline.datasets.contact_sheet import picture_format, save_picture
    from sightline.models.bundle import load_model
    from sightline.models.explain import explain as explained
    from sightline.models.explain import pair_of
    from sightline.report.heat_sheet import heat_sheet

    picture_format(out)
    require_writable(out, photo, patch)
    encoder = load_model(model, precision="float32", runtime="torch")
    pair = pair_of(encoder, heading_degrees=heading)
    two_views = "aerial" in encoder.branches
    first = _prepared(encoder, photo, "ground")
    second = _prepared(encoder, patch, "aerial" if two_views else "ground")
    found = explained(pair, first, second, method=method.value, layer=layer)
    save_picture(out, heat_sheet(first, second, found))
    similarity = float(found.similarities[0])
    if as_json:
        layers = list(found.layers)
        say_json(
            {"similarity": similarity, "method": found.method, "layers": layers, "out": str(out)}
        )
        return
    say(f"similarity {similarity:.3f}; heat by {found.method} of {' and '.join(found.layers)}")
    say(printable(str(out)))


def _prepared(encoder: Encoder, path: Path, view: View) -> Pixels:
    from sightline.imagery import open_photo

    photo = open_photo(str(path), at_least=encoder.decode_size_of(view))
    return encoder.prepare(photo.pixels, view)
