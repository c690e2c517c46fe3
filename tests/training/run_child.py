"""Runs that are killed, or are several processes. Forked, so that torch is imported once.

Nothing is computed before the fork: threads of a parent do not survive it.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tests.forking import ended_well, forked
from torch import nn

from sightline.training.cross_view.embedding import Embedder
from sightline.training.cross_view.pair_data import read_pairs
from sightline.training.cross_view.run import build, network_settings
from sightline.training.cross_view.views import Views
from sightline.training.data.pixels import DecodedEachTime
from sightline.training.loops.loop import Loop
from sightline.training.loops.precision import MixedPrecision
from sightline.training.loops.processes import Processes, joined
from sightline.training.loops.task import LoopSettings, TaskBatch, Validation
from sightline.training.loops.watching import Silent, StepReport
from sightline.training.run import train
from sightline.training.sources import open_data

from .linear_task import BATCH, LinearTask
from .recipes import tiny

# Everything that a checkpoint has to hold: moments, average, temperature, memory, neighbours,
# clusters, and depth that is dropped at random.
KILLED = tiny(
    model_args={"channels": [8, 8, 8, 16], "stem_width": 8, "drop_path_rate": 0.3},
    sampler="similar",
    similar_neighbours=5,
    similar_from_epoch=1,
    epochs=3,
    memory=16,
    average_decay=0.9,
    warmup_epochs=1.0,
    mirror=True,
    quarter_turns=True,
    colour_jitter=0.3,
    noise=0.1,
    erase=0.5,
    aerial_crop=0.7,
    mining="distance-weighted",
    mining_count=3,
    second_epochs=2,
    second_loss="soft-margin",
    second_mining="same",
    second_sampler="super-batches",
    super_batches=2,
    checkpoint_minutes=0.0,
)

SHARED = tiny(
    architecture="frgeo",
    backbone="test_vit",
    model_args={"dynamic_img_size": True},
    ground_size=(32, 64),
    aerial_size=(32, 32),
    sampler="similar",
    similar_from_epoch=0,
    similar_neighbours=5,
    epochs=2,
    batch_size=6,
    accumulate=2,
    chunk_size=2,
    memory=12,
    clip_norm=1.0,
)


class Divided(LinearTask):
    """Each process sees other rows; what each one's batch norm knows at validation is kept."""

    def __init__(self, processes: Processes, folder: Path) -> None:
        super().__init__()
        self.processes, self.folder = processes, folder

    def batches(self, first: int) -> Iterator[TaskBatch]:
        for batch in super().batches(first):
            own = slice(self.processes.rank, None, self.processes.count)
            yield TaskBatch((batch.inputs[0][own],), BATCH // 2, batch.about[own])  # type: ignore[index]

    def validate(self, model: nn.Module) -> Validation:
        self.validated += 1
        path = self.folder / f"{self.processes.rank}-{self.validated}.safetensors"
        save_file(dict(model.named_buffers()), path)
        return Validation(0.0, {"score": 0.0})


class Speaks(Silent):
    """Says each step through a pipe."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe

    def step(self, report: StepReport) -> None:
        os.write(self._pipe, f"{report.step}\n".encode())


def killed_at(step: int, delay_s: float, data: Path, out: Path, *, resume: bool) -> bool:
    """Train until a number of steps, then die; whether it came to its end before."""
    read, write = os.pipe()
    child = forked(
        lambda: train(KILLED, out, data=data, device="cpu", resume=resume, watcher=Speaks(write))
    )
    os.close(write)
    with os.fdopen(read) as lines:
        for line in lines:
            if int(line) >= step:
                time.sleep(delay_s)
                os.kill(child, signal.SIGKILL)
                break
    _, status = os.waitpid(child, 0)
    return status == 0


def kill(data: Path, folder: Path) -> None:
    whole, broken = folder / "whole", folder / "broken"
    ended_well(forked(lambda: train(KILLED, whole, data=data, device="cpu")))
    chance = random.Random(0)
    # 21 steps of the first stage, then the second; some land in validations and in clustering.
    for number, step in enumerate((3, 8, 16, 23, 29)):
        done = killed_at(step, chance.uniform(0, 0.08), data, broken, resume=number > 0)
        sys.stdout.write(f"killed at {step}: {'had ended' if done else 'died'}\n")
    ended_well(forked(lambda: train(KILLED, broken, data=data, device="cpu", resume=True)))


def together(work: Callable[[], object]) -> None:
    """Run in two processes that train together."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = []
    for rank in range(2):
        surroundings = {
            "RANK": rank,
            "LOCAL_RANK": rank,
            "WORLD_SIZE": 2,
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
        }
        os.environ.update({key: str(value) for key, value in surroundings.items()})
        children.append(forked(work))
    for child in children:
        ended_well(child)


def share(data: Path, folder: Path) -> None:
    """The same run in one process and in two."""
    ended_well(forked(lambda: train(SHARED, folder / "one", data=data, device="cpu")))
    together(lambda: train(SHARED, folder / "two", data=data, device="cpu"))


def agree(data: Path, folder: Path) -> None:
    """Two processes with batch norms, with and without an average; and fewer images than both."""

    def work() -> None:
        with joined("cpu") as processes:
            for decay in (0.0, 0.9):
                own = folder / str(decay)
                own.mkdir(exist_ok=True)
                settings = LoopSettings(average_decay=decay)
                Loop(Divided(processes, own), settings, own, processes).run()
            recipe = tiny(heading="aligned")
            pairs = read_pairs(open_data(recipe, data, data, Silent()), recipe)
            pixels = DecodedEachTime(pairs.patches.paths, recipe.aerial_size)
            network = build(recipe, network_settings(recipe, None)).eval()
            embedder = Embedder(
                Views(recipe),
                pixels,
                pixels,
                batch_size=2,
                precision=MixedPrecision("float32", processes.device),
                processes=processes,
            )
            every = embedder.patches(network, np.arange(3)).vectors
            one = embedder.patches(network, np.arange(1)).vectors
            torch.testing.assert_close(one, every[:1])

    together(work)


if __name__ == "__main__":
    pairs, made = (Path(argument) for argument in sys.argv[1:])
    kill(pairs / "manifest", made)
    # Last: processes that run together leave their number in the surroundings.
    share(pairs / "manifest", made)
    agree(pairs, made)
