"""Smaller training sets, each a part of the next larger one.

Zhang and Zhu (FRGeo, 2024, figure 4) train on 100, 80, 60, 40 and 20 % of CVUSA's training pairs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.seeding import uniform_of_ids
from sightline.errors import UsageError

FEW_SHOT_SHARES = (1.0, 0.8, 0.6, 0.4, 0.2)
"""The shares of the training set that few-shot curves are drawn at."""

_PURPOSE = "few-shot subset"


def few_shot(
    ids: Sequence[str], shares: Sequence[float] = FEW_SHOT_SHARES, *, seed: int = 0
) -> dict[float, list[str]]:
    """Return the subsets by share, their ids in the order they were given.

    See :func:`few_shot_rows` for what holds of them.
    """
    rows = few_shot_rows(ids, shares, seed=seed)
    return {share: [ids[row] for row in found.tolist()] for share, found in rows.items()}


def few_shot_rows(
    ids: Sequence[str], shares: Sequence[float] = FEW_SHOT_SHARES, *, seed: int = 0
) -> dict[float, NDArray[np.int64]]:
    """Choose nested random subsets of a training set.

    Which ids are chosen depends on the ids and the seed, not on their order. A subset holds
    round(share · n) of them, one at least, and every subset holds all smaller ones.

    Args:
        ids: (n,) ids, each once.
        shares: Sizes as shares, more than 0 and at most 1.
        seed: Decides which ids come first.

    Returns:
        Rows of the chosen ids, ascending, by share.

    Raises:
        UsageError: An id comes twice, there is none, or a share is impossible.
    """
    if not ids or len(set(ids)) != len(ids):
        raise UsageError(
            f"ids must be one or more, each once. Got {len(ids)}, {len(set(ids))} of them "
            "different.",
            hint="Give the ids of the training set.",
        )
    for share in shares:
        if not (math.isfinite(share) and 0 < share <= 1):
            raise UsageError(
                f"A share must be more than 0 and at most 1. Got {share!r}.",
                hint="0.2 is a fifth of the training set.",
            )
    draws = uniform_of_ids(ids, _PURPOSE, seed=seed)[:, 0]
    # Equal draws are as good as impossible; the id decides them, so that the order never does.
    order = np.array(sorted(range(len(ids)), key=lambda row: (draws[row], ids[row])))
    sizes = {share: max(1, math.floor(share * len(ids) + 0.5)) for share in shares}
    return {share: np.sort(order[:size]).astype(np.int64) for share, size in sizes.items()}
