"""The batches of all processes as one, with gradients for one's own part."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def gather_rows(rows: Tensor) -> Tensor:
    """Return the rows of all processes, in the order of their ranks.

    Each process then computes the loss of the whole batch. Its gradient reaches the rows that are
    its own, complete, because every term in which they take part is there, as anchor or as negative
    of another process's anchor. It is multiplied by the number of processes on its way back, by
    which DistributedDataParallel divides when it averages: parameters, and a learned temperature,
    which sits behind the gathering and is the same everywhere, get the gradient of one process that
    has the whole batch. Numbers of rows may differ between processes.

    Args:
        rows: (n, ...), floating point or whole numbers, of the same type and with the same further
            axes in every process.

    Returns:
        (n of all together, ...). Without ``torch.distributed``, or alone, ``rows`` itself.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return rows
    gathered: Tensor = _Gather.apply(rows)
    return gathered


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        sizes = _sizes(rows)
        # all_gather wants one size: the shorter ones are filled up, and cut again.
        padded = rows.new_zeros((max(sizes), *rows.shape[1:]))
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded)
        rank = dist.get_rank()
        ctx.own = slice(sum(sizes[:rank]), sum(sizes[: rank + 1]))
        ctx.processes = len(sizes)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        own: Tensor = gradients[0][ctx.own] * ctx.processes
        return own


def _sizes(rows: Tensor) -> list[int]:
    size = torch.tensor([len(rows)], device=rows.device)
    sizes = [torch.empty_like(size) for _ in range(dist.get_world_size())]
    dist.all_gather(sizes, size)
    return [int(size) for size in sizes]
