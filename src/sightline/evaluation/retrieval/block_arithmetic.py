"""The few operations that see every score: by numpy on the CPU, by torch on an accelerator.

Numpy's BLAS is the faster one on CPUs, and its threads stay awake for a while after a product; a
second pool, torch's, would wait for them. So on the CPU everything that touches a whole block of
scores is numpy's, on torch's memory.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

_CACHE_BYTES = 2**20


def by_numpy(tensor: torch.Tensor) -> bool:
    """Whether numpy computes on this tensor's memory."""
    return tensor.device.type == "cpu"


def product(asked: torch.Tensor, given: torch.Tensor, out: torch.Tensor) -> None:
    """Write ``asked @ given.T`` to ``out``: (a, d), (b, d) -> (a, b)."""
    if by_numpy(out):
        np.matmul(asked.numpy(), given.numpy().T, out=out.numpy())
    else:
        torch.mm(asked, given.T, out=out)


def pair_products(
    asked: torch.Tensor,
    rows: torch.Tensor,
    given: torch.Tensor,
    columns: torch.Tensor,
    scale: float,
    weights: torch.Tensor,
) -> torch.Tensor:
    """Return ``(scale asked[rows]) . (weights given[columns])`` in float64, (p,).

    Args:
        asked: (a, d).
        rows: int64 (p,).
        given: (b, d).
        columns: int64 (p,).
        scale: A power of two.
        weights: float64 (p,).
    """
    if not by_numpy(asked):
        left = asked[rows].double() * scale
        return (left * (given[columns].double() * weights[:, None])).sum(dim=1)
    every_left, every_right = asked.numpy(), given.numpy()
    row, column, weight = rows.numpy(), columns.numpy(), weights.numpy()
    scaled = scale != 1.0 or bool((weight != 1.0).any())
    out = np.empty(len(row))
    # So many rows of doubles stay in the cache between being made and being used.
    step = max(1, _CACHE_BYTES // (16 * every_left.shape[1]))
    for start in range(0, len(row), step):
        part = slice(start, start + step)
        one = every_left[row[part]].astype(np.float64)
        other = every_right[column[part]].astype(np.float64)
        if scaled:
            one *= scale
            other *= weight[part, None]
        out[part] = np.vecdot(one, other)
    return torch.from_numpy(out)


def above(
    scores: torch.Tensor, limits: torch.Tensor, out: torch.Tensor, *, or_equal: bool = False
) -> torch.Tensor:
    """Write ``scores > limits`` (or ``>=``) to ``out``: (a, b), (a,) -> bool (a, b)."""
    limits = limits[:, None]
    if by_numpy(out):
        compare = np.greater_equal if or_equal else np.greater
        compare(scores.numpy(), limits.numpy(), out=out.numpy())
    elif or_equal:
        torch.ge(scores, limits, out=out)
    else:
        torch.gt(scores, limits, out=out)
    return out


def only_in_second(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Turn ``second`` (a, b), which holds all of ``first``, into what only it holds."""
    if by_numpy(second):
        np.not_equal(first.numpy(), second.numpy(), out=second.numpy())
    else:
        second.logical_xor_(first)
    return second


def row_counts(flags: torch.Tensor) -> NDArray[np.int64]:
    """Count what is true in each row: bool (a, b) -> int64 (a,)."""
    if by_numpy(flags):
        # One by one, because along an axis numpy counts several times slower.
        return np.array([np.count_nonzero(row) for row in flags.numpy()], np.int64)
    counts: NDArray[np.int64] = flags.sum(dim=1).cpu().numpy()
    return counts


def total(flags: torch.Tensor) -> int:
    """Count what is true in all of a bool (a, b)."""
    if by_numpy(flags):
        return int(np.count_nonzero(flags.numpy()))
    return int(flags.sum())


def places(flags: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and columns of what is true, int64 (p,) each, by row and then by column."""
    if by_numpy(flags):
        # Of a flat array, because in two dimensions numpy looks ten times as long.
        row, column = np.divmod(np.flatnonzero(flags.numpy()), flags.shape[1])
        return torch.from_numpy(row), torch.from_numpy(column)
    row_, column_ = torch.nonzero(flags, as_tuple=True)
    return row_, column_
