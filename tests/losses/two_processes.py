"""Runs ``worker(rank)`` of a module in two processes that train together.

They are forked from one that has done nothing but import, so that torch is imported once.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import torch
import torch._dynamo  # DistributedDataParallel would import it, four seconds long, in both
import torch.distributed as dist
from tests.forking import ended_well, forked
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]


def found_by_two(module: str, folder: Path) -> list[dict[str, Tensor]]:
    """What each of the two returned."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.losses.two_processes", module, str(folder)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


def main(name: str, folder: Path) -> None:
    module = importlib.import_module(name)

    def work(rank: int) -> None:
        store = f"file://{folder / 'store'}"
        dist.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
        torch.save(module.worker(rank), folder / f"{rank}.pt")
        dist.destroy_process_group()

    for child in [forked(partial(work, rank)) for rank in range(2)]:
        ended_well(child)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
