"""Batches for tests, and every loss by a name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sightline.losses import (
    ContrastiveLoss,
    InfoNCELoss,
    MaxMarginTripletLoss,
    MemoryRows,
    NPairLoss,
    PairLoss,
    SoftMarginTripletLoss,
    WeightedTupleLoss,
)

from .oracles import Case

LOSSES: dict[str, Callable[..., PairLoss]] = {
    "max margin": MaxMarginTripletLoss,
    "soft margin": SoftMarginTripletLoss,
    "tuple": WeightedTupleLoss,
    "InfoNCE": InfoNCELoss,
    "smoothed InfoNCE": lambda **settings: InfoNCELoss(0.05, label_smoothing=0.1, **settings),
    "N-pair": NPairLoss,
    "contrastive": ContrastiveLoss,
}


def some_case(seed: int = 0, rows: int = 6, old: int = 5, dimension: int = 4) -> Case:
    """Pairs near each other, two places twice, one pair of patches that overlap, a memory."""
    rng = np.random.default_rng(seed)
    queries = rng.standard_normal((rows, dimension))
    labels = np.arange(rows) + 10
    labels[1] = labels[0]
    neither = np.zeros((rows, rows), dtype=bool)
    neither[2, 4] = True
    return Case(
        queries,
        queries + 0.7 * rng.standard_normal((rows, dimension)),
        labels,
        neither,
        rng.standard_normal((old, dimension)),
        rng.standard_normal((old, dimension)),
        np.arange(old) + 12,
    )


def arguments(case: Case, dtype: torch.dtype = torch.float64) -> dict[str, Any]:
    """The same as a loss takes it."""

    def tensor(rows: np.ndarray) -> Tensor:
        return torch.tensor(rows, dtype=dtype)

    memory = MemoryRows(
        (tensor(case.old_queries), tensor(case.old_references)), torch.tensor(case.old_labels)
    )
    return {
        "queries": tensor(case.queries),
        "references": tensor(case.references),
        "labels": torch.tensor(case.labels),
        "neither": torch.tensor(case.neither),
        "memory": memory,
    }


def pairs(seed: int = 0, rows: int = 8, dimension: int = 5) -> tuple[Tensor, Tensor]:
    """Plain pairs in float64, near each other."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.randn(rows, dimension, generator=generator, dtype=torch.float64)
    noise = torch.randn(rows, dimension, generator=generator, dtype=torch.float64)
    return first, first + 0.7 * noise
