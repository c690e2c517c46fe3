"""``sightline train``: train a network as a recipe says, once or in many variants."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from typer.core import TyperGroup

from sightline.cli.console import err, note, out, printable, say, say_json
from sightline.cli.options import JsonOption
from sightline.errors import UsageError

if TYPE_CHECKING:
    from sightline.training.grid import GridRun
    from sightline.training.loops.task import Validation
    from sightline.training.loops.watching import StepReport
    from sightline.training.run import TrainedRecipe

_SHARES = (
    *("recall@1", "recall@5", "recall@10", "recall@1%", "hit_rate", "mrr", "pssr"),
    *(f"accuracy@{km}km" for km in (1, 25, 200, 750, 2500)),
)
_MEDIAN = "median_error_km"
_RUN = "run"


class _RecipeFirst(TyperGroup):
    """``sightline train RECIPE`` without a word between."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put in the word that is left out."""
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = [_RUN, *args]
        return super().parse_args(ctx, args)


train = typer.Typer(
    name="train",
    cls=_RecipeFirst,
    help="Train a network: `sightline train RECIPE`, with a TOML file or the name of a recipe that "
    "comes with Sightline (see `sightline train recipes`).",
    no_args_is_help=True,
)

RecipeArgument = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE", help="A TOML file, or a name such as `frgeo`.", show_default=False
    ),
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        help="Where the data lies, in place of the recipe's; or where the planet's pairs are kept.",
        show_default=False,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="A value in place of the recipe's; may be given several times.",
        show_default=False,
    ),
]
DeviceOption = Annotated[str, typer.Option(help="`auto`, `cpu`, `cuda` or `cuda:1`.")]
SeedsOption = Annotated[int, typer.Option(min=1, help="Seeds of each variant.")]


@train.command(_RUN)
def run(
    recipe: RecipeArgument,
    out_folder: Annotated[
        Path | None,
        typer.Option("--out", help="The run's folder. [default: runs/NAME]", show_default=False),
    ] = None,
    data: DataOption = None,
    changes: SetOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped.")
    ] = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Train as a recipe says, select on the validation split, and test once.

    Example: `sightline train small-planet --set epochs=20 --out runs/mine`
    """
    from sightline.training import train as train_run

    read = _read(recipe, changes)
    folder = out_folder or Path("runs") / read.name
    with _progress() as watcher:
        about = train_run(read, folder, data=data, device=device, resume=resume, watcher=watcher)
    if not about:
        return  # one of several processes, and not the first
    if as_json:
        say_json(about)
        return
    _show_run(about)
    note(f"next: sightline model info {printable(str(folder / 'bundle'))}")


@train.command("few-shot")
def few_shot(
    recipe: RecipeArgument,
    out_folder: Annotated[Path, typer.Option("--out", help="The folder of all runs.")],
    shares: Annotated[
        str, typer.Option(help="Shares of the training pairs, in per cent.")
    ] = "100,80,60,40,20",
    seeds: SeedsOption = 1,
    data: DataOption = None,
    changes: SetOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Train on smaller and smaller parts of the training pairs; run again to go on after a stop.

    Example: `sightline train few-shot small-planet --out few/`
    """
    from sightline.training.grid import few_shot_runs

    try:
        parts = [float(part) / 100 for part in shares.split(",")]
    except ValueError as cause:
        raise UsageError(
            f"--shares must be numbers, separated by commas. Got {shares!r}.",
            hint="For example --shares 100,50,25.",
        ) from cause
    runs = few_shot_runs(_read(recipe, changes), shares=parts, seeds=seeds)
    _run_all(runs, out_folder, data, device, as_json=as_json)


@train.command()
def ablate(
    recipe: RecipeArgument,
    out_folder: Annotated[Path, typer.Option("--out", help="The folder of all runs.")],
    vary: Annotated[
        list[str],
        typer.Option(
            "--vary",
            metavar="KEY=A,B",
            help="Values of a key; of several keys all combinations are trained. Values that hold "
            "commas are separated by semicolons.",
            show_default=False,
        ),
    ],
    seeds: SeedsOption = 3,
    data: DataOption = None,
    changes: SetOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Train every combination of some values; run again to go on after a stop.

    Example: `sightline train ablate small-planet --vary loss=tuple,infonce --out losses/`
    """
    from sightline.training.grid import ablation_runs
    from sightline.training.recipe import value_of

    common = _read(recipe, changes)
    values: dict[str, list[Any]] = {}
    for one in vary:
        key, equals, listed = one.partition("=")
        parts = [part.strip() for part in listed.split(";" if ";" in listed else ",")]
        if not equals or not all(parts):
            raise UsageError(
                f"--vary must be KEY=A,B. Got {one!r}.",
                hint="For example --vary loss=tuple,infonce.",
            )
        values[key.strip()] = [value_of(type(common), key.strip(), part) for part in parts]
    runs = ablation_runs(common, values, seeds=seeds)
    _run_all(runs, out_folder, data, device, as_json=as_json)


@train.command()
def recipes(as_json: JsonOption = False) -> None:
    """List the recipes that come with Sightline.

    Example: `sightline train recipes`
    """
    from sightline.training import open_recipe, recipe_names

    found = {name: open_recipe(path) for name, path in recipe_names().items()}
    if as_json:
        say_json({name: one.to_dict() for name, one in found.items()})
        return
    for name, one in found.items():
        say(f"{one.task:<10} {name:<24} {one.source}")


def _read(recipe: str, changes: list[str] | None) -> TrainedRecipe:
    from sightline.training import find_recipe, open_recipe

    return open_recipe(find_recipe(recipe), changes or ())


def _run_all(
    runs: list[GridRun], folder: Path, data: Path | None, device: str, *, as_json: bool
) -> None:
    from sightline.training.grid import SUMMARY, run_grid

    with _progress() as watcher:
        summary = run_grid(runs, folder, data=data, device=device, watcher=watcher)
    if as_json:
        say_json(summary)
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("setting")
    table.add_column("seeds", justify="right")
    shown = [
        name for name in _SHARES if any(f"test {name}" in s["mean"] for s in summary["settings"])
    ]
    for name in shown:
        table.add_column(name, justify="right", no_wrap=True)
    for setting in summary["settings"]:
        cells = [_mean_cell(setting, f"test {name}") for name in shown]
        table.add_row(printable(setting["setting"]), str(setting["seeds"]), *cells)
    out.print(table)
    note(f"all numbers: {printable(str(folder / SUMMARY))}")


def _mean_cell(setting: dict[str, Any], name: str) -> str:
    if name not in setting["mean"]:
        return "-"
    deviation = setting["deviation"][name]
    spread = "" if deviation is None else f" ± {100 * deviation:.1f}"
    return f"{100 * setting['mean'][name]:.1f}{spread}"


def _show_run(about: dict[str, Any]) -> None:
    best = about["best"]
    rows = "pairs" if about["recipe"]["task"] == "cross-view" else "photos"
    say(
        f"{printable(about['name'])}: {about['data']['train']:,} {rows}, {about['steps']:,} steps, "
        f"{about['seconds']:,.0f} s; best after epoch {best['epoch']}: {best['score']:.4f}",
        style="bold",
    )
    for name in _SHARES:
        if about["test"] and name in about["test"]:
            say(f"  {name:<15} {100 * about['test'][name]:6.2f} %")
    if about["test"] and about["test"].get(_MEDIAN) is not None:
        say(f"  {'median error':<15} {about['test'][_MEDIAN]:6,.0f} km")


class _Console:
    """Says how training goes: a bar where there is a terminal, a line now and then elsewhere.

    Args:
        bar: Shows nothing where there is no terminal.
        every_s: Seconds between two lines.
    """

    def __init__(self, bar: Progress, every_s: float = 60.0) -> None:
        self._bar, self._every_s = bar, every_s
        self._task = bar.add_task("", total=None, told="")
        self._said = -math.inf

    def step(self, report: StepReport) -> None:
        """Move the bar."""
        told = (
            f"epoch {report.epoch:.2f} of {report.epochs}, loss {report.loss:.4f}, "
            f"{report.pairs_per_second:,.1f} a second, {_duration(report.remaining_s)} left"
        )
        self._move(f"stage {report.stage}", report.epoch, report.epochs, told)

    def validation(self, stage: str, epoch: int, found: Validation, *, best: bool) -> None:
        """Print a line."""
        shown = ", ".join(
            f"{name} {100 * found.values[name]:.1f}" for name in _SHARES if name in found.values
        )
        note(f"stage {stage}, epoch {epoch}: {shown}{' (best)' if best else ''}", style="")
        for warning in found.warnings:
            note(f"warning: {printable(warning)}", style="yellow")

    def note(self, text: str) -> None:
        """Print a line."""
        note(printable(text))

    def preparing(self, what: str, done: int, total: int) -> None:
        """Move the bar."""
        self._move(what, done, total, f"{done:,}/{total:,}")

    def _move(self, what: str, done: float, total: float, told: str) -> None:
        self._bar.update(self._task, description=what, completed=done, total=total, told=told)
        now = time.monotonic()
        if self._bar.disable and now - self._said >= self._every_s:
            note(f"{what}: {told}")
            self._said = now


@contextmanager
def _progress() -> Iterator[_Console]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[told]}"),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        yield _Console(bar)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{seconds:.0f} s" if seconds < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
