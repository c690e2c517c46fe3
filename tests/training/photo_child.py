"""The same runs of heads and of a module in one process and in two, and of a head in slices."""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

from tests.forking import ended_well, forked

from sightline.training import train
from sightline.training.loops.watching import Silent, StepReport
from sightline.training.run import TrainedRecipe

from .photo_sets import tiny_global, tiny_retrieval
from .run_child import together


def recipes(start: str) -> dict[str, TrainedRecipe]:
    head = {"start": start, "trained": "head", "partitions": ("s2:cells=12",), "batch_size": 6}
    return {
        # Five photos are shared as three and two.
        "head": tiny_global(
            **{**head, "batch_size": 5, "partitions": (str(Path(start) / "partition-0.parquet"),)},
            head="mixture",
            chunk_size=1,
            accumulate=2,
            crop_area=0.7,
        ),
        # Of all classes a sample is the whole, whichever each process draws.
        "sampled": tiny_global(**head, sampled_classes=50, optimiser="sgd"),
        "head-in-slices": tiny_global(
            **head, sharded_head=True, chunk_size=2, accumulate=2, crop_area=0.7, clip_norm=0.5
        ),
        # Of three pairs and two, the share of one process alone is larger than a chunk.
        "module": tiny_retrieval(
            start=start, batch_size=5, chunk_size=2, memory=12, learning_rate=1e-3
        ),
    }


# Of whole networks batch norms see other photos in each process: two are compared with two.
NETWORK = tiny_global(
    partitions=("s2:cells=11",),
    distance_km=300.0,
    label_smoothing=0.05,
    weight_decay=0.1,
    clip_norm=0.5,
    average_decay=0.9,
    checkpoint_minutes=0.0,
)
IN_SLICES = NETWORK.changed(sharded_head=True)


class Stops(Silent):
    """Breaks the first process off within the second epoch, and with it the other."""

    def step(self, report: StepReport) -> None:
        if report.step == 11:
            raise InterruptedError


def broken_off(data: Path, out: Path) -> None:
    with suppress(InterruptedError, RuntimeError):
        train(IN_SLICES, out, data=data, device="cpu", watcher=Stops())


def run(data: Path, start: str, folder: Path, name: str, processes: int) -> None:
    recipe = recipes(start)[name]
    train(recipe, folder / f"{name}-{processes}", data=data, device="cpu")


def share(data: Path, start: str, folder: Path) -> None:
    names = list(recipes(start))
    # First: processes that run together leave their number in the surroundings.
    for name in names:
        ended_well(forked(partial(run, data, start, folder, name, 1)))
    for name in names:
        together(partial(run, data, start, folder, name, 2))
    for name, recipe in (("whole", NETWORK), ("slices", IN_SLICES)):
        together(partial(train, recipe, folder / name, data=data, device="cpu"))
    together(partial(broken_off, data, folder / "broken"))
    together(partial(train, IN_SLICES, folder / "broken", data=data, device="cpu", resume=True))


if __name__ == "__main__":
    share(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
