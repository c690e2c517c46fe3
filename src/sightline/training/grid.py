"""Many runs from one recipe: few-shot curves and ablations, resumable, with a table at the end."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sightline.datasets.preparation import FEW_SHOT_SHARES
from sightline.durable import make_folder, whole_file, write_json
from sightline.errors import RecipeError, TrainingDivergedError, UsageError
from sightline.training.cross_view.recipe import PLANET, CrossViewRecipe
from sightline.training.loops.watching import Silent, Watcher
from sightline.training.run import TrainedRecipe, train
from sightline.training.run_folder import FAILED, FINISHED, RunFolder

SCHEMA = "sightline.grid/1"
TABLE = "results.parquet"
SUMMARY = "results.json"
RUNS = "runs"


@dataclass(frozen=True, slots=True)
class GridRun:
    """One run of a grid.

    Args:
        name: Its folder.
        values: What it has in place of the recipe's values, the seed among them.
        recipe: The whole.
    """

    name: str
    values: Mapping[str, Any]
    recipe: TrainedRecipe


def few_shot_runs(
    recipe: TrainedRecipe,
    *,
    shares: Sequence[float] = FEW_SHOT_SHARES,
    seeds: int = 1,
) -> list[GridRun]:
    """Runs on parts of the training set, each a part of the next larger one.

    Zhang and Zhu (FRGeo, 2024, figure 4): 100, 80, 60, 40 and 20 %.
    """
    return ablation_runs(recipe, {"train_share": list(shares)}, seeds=seeds)


def ablation_runs(
    recipe: TrainedRecipe, vary: Mapping[str, Sequence[Any]], *, seeds: int = 1
) -> list[GridRun]:
    """Every combination of values, each with several seeds.

    Args:
        recipe: What all have in common.
        vary: Values by key.
        seeds: How many: the recipe's own and those that follow it.

    Raises:
        UsageError: Nothing to vary, no seed, ``seed`` among the keys, or a run that comes twice.
        RecipeError: A combination that cannot be; before any run begins.
    """
    if not vary or seeds < 1 or "seed" in vary or not all(vary.values()):
        raise UsageError(
            "An ablation must vary one key or more, each over one value or more, with one seed or "
            f"more. Got {dict(vary)!r} and {seeds!r} seeds.",
            hint="For example --vary loss=tuple,infonce --seeds 3; seeds are counted by --seeds.",
        )
    runs = []
    for combination in itertools.product(*vary.values()):
        values = dict(zip(vary, combination, strict=True))
        for number in range(seeds):
            own = {**values, "seed": recipe.seed + number}
            name = _name_of(own)
            try:
                made = recipe.changed(**own, name=f"{recipe.name} {name}")
            except RecipeError as error:
                raise RecipeError(f"{name}: {error.message}", hint=error.hint) from error
            runs.append(GridRun(name, own, made))
    twice = [name for name, count in Counter(run.name for run in runs).items() if count > 1]
    if twice:
        raise UsageError(
            f"Two runs of the grid have one name, {twice[0]!r}.",
            hint="Name each value once; values that differ by special characters alone need grids "
            "of their own.",
        )
    return runs


def run_grid(
    runs: Sequence[GridRun],
    out: Path,
    *,
    data: Path | None = None,
    device: str = "auto",
    watcher: Watcher | None = None,
) -> dict[str, Any]:
    """Train all runs, those left out that are finished, and write the tables.

    A run whose loss is not finite is written down as failed, and the next one begins; remove its
    folder to try it again.

    Args:
        runs: What to train.
        out: The grid's folder; run again with the same one to go on after a stop.
        data: Where the data lies; that of the planet is made once for all in the folder if None.
        device: As for a single run.
        watcher: Is told how it goes.

    Returns:
        The summary: mean and spread over seeds for each combination.

    Raises:
        SightlineError: What a single run raises, except for one that diverged.
    """
    told: Watcher = watcher or Silent()
    make_folder(out / RUNS)
    rows = []
    for number, run in enumerate(runs, start=1):
        told.note(f"Run {number} of {len(runs)}: {run.name}")
        rows.append(_row(run, out, data, device, told))
        _write(out, rows, finished=number == len(runs))
    summary: dict[str, Any] = json.loads((out / SUMMARY).read_text(encoding="utf-8"))
    return summary


def _row(
    run: GridRun, out: Path, data: Path | None, device: str, watcher: Watcher
) -> dict[str, Any]:
    folder = out / RUNS / run.name
    begun = (folder / "recipe.toml").is_file()
    values = {key: _plain(value) for key, value in run.values.items()}
    failed = {"run": run.name, "status": FAILED, **values}
    if begun and RunFolder(folder).about().get("status") == FAILED:
        watcher.note(f"{run.name} failed before, and would again.")
        return failed
    try:
        about = train(
            run.recipe,
            folder,
            data=data or _own_data(run.recipe, out),
            device=device,
            resume=begun,
            pixels=out / "pixels",
            watcher=watcher,
        )
    except TrainingDivergedError as error:
        watcher.note(f"{run.name} failed: {error.message}")
        return failed
    rows = "pairs" if isinstance(run.recipe, CrossViewRecipe) else "photos"
    metrics = {f"test {key}": value for key, value in (about["test"] or {}).items()}
    return {
        "run": run.name,
        "status": FINISHED,
        **values,
        "validation score": about["best"]["score"],
        **metrics,
        "seconds": about["seconds"],
        "steps": about["steps"],
        f"training {rows}": about["data"]["train"],
    }


def _write(out: Path, rows: Sequence[Mapping[str, Any]], *, finished: bool) -> None:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = pa.table({key: pa.array([row.get(key) for row in rows]) for key in columns})
    with whole_file(out / TABLE) as temporary:
        pq.write_table(table, temporary, compression="zstd")
    write_json(
        out / SUMMARY,
        {
            "schema": SCHEMA,
            "finished": finished,
            "runs": list(rows),
            "settings": _summary(rows),
        },
    )


def _summary(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Mean and standard deviation over the seeds of each combination."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        name = str(row["run"]).rsplit(",", 1)[0]
        groups.setdefault(name, []).append(row)
    found = []
    for name, members in groups.items():
        done = [row for row in members if row["status"] == FINISHED]
        numbers = {
            key: [float(row[key]) for row in done if row.get(key) is not None]
            for key in (done[0] if done else ())
            if key.startswith("test ") or key == "validation score"
        }
        found.append(
            {
                "setting": name,
                "seeds": len(done),
                "failed": len(members) - len(done),
                "mean": {key: math.fsum(own) / len(own) for key, own in numbers.items() if own},
                "deviation": {key: _deviation(own) for key, own in numbers.items() if own},
            }
        )
    return found


def _deviation(values: Sequence[float]) -> float | None:
    """Standard deviation of a sample; None for a single value."""
    if len(values) < 2:
        return None
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((x - mean) ** 2 for x in values) / (len(values) - 1))


def _name_of(values: Mapping[str, Any]) -> str:
    """A folder's name, the seed last; text that no folder can have is cut."""
    parts = [f"{key}={_plain(value)}" for key, value in values.items()]
    return ",".join(re.sub(r"[^\w.=+-]+", "-", part) for part in parts)


def _plain(value: Any) -> str | int | float | bool:
    return value if isinstance(value, str | int | float | bool) else json.dumps(value)


def _own_data(recipe: TrainedRecipe, out: Path) -> Path | None:
    """Where the planet's data are kept, those of different settings apart; None for other data."""
    if not recipe.data.startswith(PLANET):
        return None
    keys = [key for key in recipe.keys() if key.startswith("planet_")]  # noqa: SIM118
    settings: tuple[Any, ...] = tuple(getattr(recipe, key) for key in keys)
    if isinstance(recipe, CrossViewRecipe):
        settings = recipe.stored_ground_size, *settings
    name = hashlib.sha256(f"{recipe.data} {settings}".encode()).hexdigest()[:10]
    return out / f"data-{name}"
