"""The same runs of heads and of a module in one process and in two."""

from __future__ import annotations

import sys
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


def run_all(data: Path, start: str, folder: Path, processes: int) -> None:
    for name, recipe in recipes(start).items():
        train(recipe, folder / f"{name}-{processes}", data=data, device="cpu")


def share(data: Path, start: str, folder: Path) -> None:
    # First: processes that run together leave their number in the surroundings.
    ended_well(forked(lambda: run_all(data, start, folder, 1)))
    together(lambda: run_all(data, start, folder, 2))


if __name__ == "__main__":
    share(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
