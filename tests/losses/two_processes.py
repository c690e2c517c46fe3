"""Runs ``worker(rank)`` of a module in two processes that train together.

They are forked from one that has done nothing but import, so that torch is imported once.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import traceback
from pathlib import Path

import torch
import torch._dynamo  # DistributedDataParallel would import it, four seconds long, in both
import torch.distributed as dist
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


def main(name: str, folder: Path) -> int:
    module = importlib.import_module(name)
    children = []
    for rank in range(2):
        child = os.fork()
        if not child:
            status = 1
            try:
                torch.set_num_threads(1)
                store = f"file://{folder / 'store'}"
                dist.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
                torch.save(module.worker(rank), folder / f"{rank}.pt")
                dist.destroy_process_group()
                status = 0
            except BaseException:  # noqa: BLE001 - told, and the status says it
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        children.append(child)
    return max(os.waitpid(child, 0)[1] != 0 for child in children)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
