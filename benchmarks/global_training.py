"""How long a training step of the Residual Retrieval Module takes, beside module and loss alone.

Both train the same module (1,792 and 4,096 wide) with the same loss on the same tensors, 64 pairs
and a full memory of 4,096 vectors, as the recipe ``rrm`` says:

- **ours**: a step of the loop of ``sightline train``: reading the stored vectors, labels, forward,
  loss, backward, its checks, the optimiser, the memory, the log;
- **bare**: forward, loss, backward and optimiser on tensors that lie in memory.

A step of one is followed by a step of the other, so that whatever else the machine does meets both.
The vectors are random: speed hangs on their shape alone.

    python benchmarks/global_training.py [--steps 60]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from _record import record
from sightline.losses import MemoryRows
from sightline.models.residual_retrieval import ResidualRetrieval
from sightline.training import RetrievalRecipe, find_recipe, read_recipe
from sightline.training.cross_view.pair_data import Images
from sightline.training.loops.loop import Loop
from sightline.training.loops.processes import Processes
from sightline.training.loops.task import Outputs, TaskBatch
from sightline.training.photos.features import Features, MappedVectors
from sightline.training.photos.photo_data import PhotoData
from sightline.training.retrieval.inputs import StoredInputs
from sightline.training.retrieval.network import PairOfVectors, RetrievalObjective
from sightline.training.retrieval.task import RetrievalTask
from sightline.training.run import loop_settings

DIMENSION = 1792
CELLS = 32_768
PHOTOS_PER_CELL = 2
LEAST_STEPS = 30
WANTED_SHARE = 0.9


class EnoughError(Exception):
    """All steps are measured; the epoch need not be finished."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=60, help=f"below {LEAST_STEPS}: no record")
    given = parser.parse_args()
    recipe = read_recipe(RetrievalRecipe, find_recipe("rrm")).changed(checkpoint_minutes=1e6)
    with tempfile.TemporaryDirectory() as folder:
        result = measured(recipe, given.steps, Path(folder))
    print(result)
    if given.steps >= LEAST_STEPS:
        print(record("global-training", result))


def measured(recipe: RetrievalRecipe, steps: int, folder: Path) -> dict[str, Any]:
    torch.manual_seed(0)
    module = ResidualRetrieval(DIMENSION, recipe.hidden)
    data, features, cells = stored_vectors()
    processes = Processes()
    inputs = StoredInputs(features, data, processes)
    bare = Bare(recipe, deepcopy(module))
    task = InTurns(
        recipe,
        data,
        cells,
        module,
        [],
        DIMENSION,
        inputs,
        inputs.take,
        processes,
        bare=bare,
        steps=steps,
    )
    with suppress(EnoughError):
        Loop(task, loop_settings(recipe), folder).run()
    ours, parts = task.seconds, bare.seconds
    step = [a + b for a, b in zip(parts["forward_backward"], parts["optimiser"], strict=True)]
    return {
        "recipe": recipe.name,
        "dimension": DIMENSION,
        "hidden": recipe.hidden,
        "pairs": recipe.batch_size,
        "memory": recipe.memory,
        "steps": steps,
        "threads": torch.get_num_threads(),
        "ours_ms": milliseconds(ours),
        "bare_ms": milliseconds(step),
        "bare_forward_backward_ms": milliseconds(parts["forward_backward"]),
        "bare_optimiser_ms": milliseconds(parts["optimiser"]),
        "share_of_bare": share(step, ours),
        "share_of_bare_forward_backward": share(parts["forward_backward"], ours),
        "wanted_share_of_bare": WANTED_SHARE,
    }


def stored_vectors() -> tuple[PhotoData, Features, np.ndarray]:
    """Random vectors as a backbone's are stored, two photos to a cell, and their cells (n,)."""
    count = CELLS * PHOTOS_PER_CELL
    rng = np.random.default_rng(0)
    vectors = np.empty((count, DIMENSION), np.float16)
    for start in range(0, count, CELLS // 8):
        part = vectors[start : start + CELLS // 8]
        part[:] = rng.standard_normal(part.shape, dtype=np.float32)
    rows = np.arange(count)
    places = np.column_stack([rng.uniform(-80, 80, count), rng.uniform(-180, 180, count)])
    names = [str(row) for row in range(count)]
    unknown = [None] * count
    images = Images(names, [Path(name) for name in names], places, np.full(count, np.nan), unknown)
    data = PhotoData(images, unknown, np.full(count, np.nan), {"train": rows}, "random")
    # In as many parts as a file of them has.
    parts = MappedVectors([vectors[start : start + 64] for start in range(0, count, 64)])
    return data, Features(parts, rows, np.zeros(count, bool)), rows % CELLS


class Bare:
    """Forward, loss, backward and optimiser, and how long they take.

    Args:
        recipe: Names loss and optimiser.
        module: Is trained.
    """

    def __init__(self, recipe: RetrievalRecipe, module: ResidualRetrieval) -> None:
        self._model = PairOfVectors(module).train()
        self._loss = RetrievalObjective(recipe, DIMENSION).loss
        self._optimiser = torch.optim.AdamW(
            module.parameters(),
            recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            fused=True,
        )
        self.seconds: dict[str, list[float]] = {"forward_backward": [], "optimiser": []}

    def step(self, batch: TaskBatch, labels: Tensor, memory: MemoryRows) -> None:
        begun = time.perf_counter()
        first, second = self._model(*batch.inputs)
        self._loss(first, second, labels=labels, memory=memory).backward()
        done = time.perf_counter()
        self._optimiser.step()
        self._optimiser.zero_grad()
        self.seconds["forward_backward"].append(done - begun)
        self.seconds["optimiser"].append(time.perf_counter() - done)


class InTurns(RetrievalTask):
    """The task, with a bare step after each of its own once its memory is full.

    Args:
        *arguments: Of the task.
        bare: Makes the other step.
        steps: How many are measured; the first of each, which sets the optimiser up, is not.
    """

    def __init__(self, *arguments: Any, bare: Bare, steps: int) -> None:
        super().__init__(*arguments)
        self._bare, self._steps = bare, steps
        self._given: TaskBatch | None = None
        self._begun: float | None = None
        self.seconds: list[float] = []

    def loss(self, outputs: Outputs, batch: TaskBatch, step: int) -> Tensor:
        self._given = batch
        return super().loss(outputs, batch, step)

    def after_step(self) -> None:
        super().after_step()
        ended = time.perf_counter()
        memory = self.loss_module.memory
        if len(memory) < memory.capacity:
            return
        if self._begun is not None:
            self.seconds.append(ended - self._begun)
        if len(self.seconds) > self._steps:
            # The first of both set up what they keep.
            del self.seconds[0]
            for found in self._bare.seconds.values():
                del found[0]
            raise EnoughError
        assert self._given is not None
        labels = self._cells[self._given.about[:, 0]]
        self._bare.step(self._given, labels, memory.rows())
        self._begun = time.perf_counter()


def milliseconds(seconds: list[float]) -> dict[str, float]:
    """Median, least and most."""
    found = {"median": statistics.median(seconds), "least": min(seconds), "most": max(seconds)}
    return {name: round(1000 * value, 1) for name, value in found.items()}


def share(bare: list[float], ours: list[float]) -> float:
    """Median of what share of a step of ours the bare one of its turn is."""
    return round(statistics.median(b / o for b, o in zip(bare, ours, strict=True)), 3)


if __name__ == "__main__":
    main()
