"""The program ``sightline`` and its verbs."""

from __future__ import annotations

from typing import Annotated

import typer

from sightline import __version__
from sightline.cli.atlas import atlas
from sightline.cli.console import run, say
from sightline.cli.dataset import dataset
from sightline.cli.doctor import doctor
from sightline.cli.evaluate import evaluate
from sightline.cli.evaluate_cross_view import cross_view
from sightline.cli.evaluate_global import global_
from sightline.cli.explain import explain
from sightline.cli.locate import locate
from sightline.cli.model import model
from sightline.cli.partition import partition
from sightline.cli.planet import planet
from sightline.cli.train import train

app = typer.Typer(
    name="sightline",
    help="Where was this photo taken? Build an atlas of photos with known places, and ask it.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(locate)
app.add_typer(atlas)
app.add_typer(model)
app.add_typer(train)
app.add_typer(dataset)
app.add_typer(evaluate)
evaluate.command("cross-view")(cross_view)
evaluate.command("global")(global_)
app.add_typer(planet)
app.add_typer(partition)
app.command()(explain)
app.command()(doctor)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"sightline {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version_wanted: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; the console script's entry."""
    run(app)
