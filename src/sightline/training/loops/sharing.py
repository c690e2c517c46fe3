"""Work on many rows that processes share: each does its part, and all get everything."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.losses import gather_rows
from sightline.training.loops.processes import Processes

Rows = NDArray[np.int64]


def computed_together(
    rows: Rows,
    compute: Callable[[Rows], tuple[Tensor, ...]],
    *,
    batch_size: int,
    processes: Processes,
) -> tuple[Tensor, ...]:
    """Compute something of every row, in batches, each process its part of them.

    Args:
        rows: (n,) at least one.
        compute: Of some rows: tensors with a row for each, of floats or whole numbers.
        batch_size: Rows at once.
        processes: All that share the work.

    Returns:
        The tensors of all rows, in their order, on the processor.
    """
    # Of fewer rows than processes some would have none: then each computes all.
    alone = processes.count == 1 or len(rows) < processes.count
    own = rows if alone else np.array_split(rows, processes.count)[processes.rank]
    batches = np.array_split(own, -(-len(own) // batch_size))
    columns = zip(*(compute(batch) for batch in batches), strict=True)
    # A clone, as nothing can be made of inference tensors outside of it.
    found = [torch.cat(column).clone() for column in columns]
    if not alone:
        with torch.no_grad():
            found = [gather_rows(one) for one in found]
    return tuple(one.cpu() for one in found)
