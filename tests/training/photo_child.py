"""The same runs of heads and of a module in one process and in two."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from sightline.training import train
from sightline.training.run import TrainedRecipe

from .photo_sets import tiny_global, tiny_retrieval
from .run_child import ended_well, forked, together


def recipes(start: str) -> dict[str, TrainedRecipe]:
    head = {"start": start, "trained": "head", "partitions": ("s2:cells=12",), "batch_size": 6}
    return {
        "head": tiny_global(**head, head="mixture", chunk_size=2, accumulate=2, crop_area=0.7),
        # Of all classes a sample is the whole, whichever each process draws.
        "sampled": tiny_global(**head, sampled_classes=50, optimiser="sgd"),
        "module": tiny_retrieval(start=start, batch_size=4, memory=12, learning_rate=1e-3),
    }


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


if __name__ == "__main__":
    share(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
