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
from collections.abc import Callable
from pathlib import Path

import coverage
import torch

from sightline.training.run import train
from sightline.training.watching import Silent, StepReport

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
    memory=12,
    clip_norm=1.0,
    pixels="read",
)


class Speaks(Silent):
    """Says each step through a pipe."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe

    def step(self, report: StepReport) -> None:
        os.write(self._pipe, f"{report.step}\n".encode())


def forked(work: Callable[[], object]) -> int:
    """Run in a child; its number."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        torch.set_num_threads(1)
        work()
        status = 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        if coverage.Coverage.current() is not None:
            coverage.Coverage.current().save()
        os._exit(status)


def ended_well(child: int) -> None:
    _, status = os.waitpid(child, 0)
    assert status == 0, status


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


def share(data: Path, folder: Path) -> None:
    """The same run in one process and in two."""
    ended_well(forked(lambda: train(SHARED, folder / "one", data=data, device="cpu")))
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
        children.append(forked(lambda: train(SHARED, folder / "two", data=data, device="cpu")))
    for child in children:
        ended_well(child)


if __name__ == "__main__":
    {"kill": kill, "share": share}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
