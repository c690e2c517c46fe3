"""Count, in blocks, which references are closer than a query's own, and which are as close."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch

from sightline.errors import EvaluationError
from sightline.evaluation.retrieval.intervals import Intervals, Markers, Pairs, Scan
from sightline.evaluation.retrieval.relevance import Lists
from sightline.evaluation.retrieval.scanner import Scanner
from sightline.evaluation.retrieval.space import Space

Progress: TypeAlias = Callable[[int, int], None]

# What multiplies fastest.
_QUERIES_AT_ONCE = {"cpu": 4096, "cuda": 16384}
_REFERENCES_AT_ONCE = {"cpu": 4096, "cuda": 16384}


def scan(
    space: Space,
    intervals: Intervals,
    left_out: Lists,
    markers: Markers,
    *,
    device: str = "cpu",
    block: int | None = None,
    progress: Progress | None = None,
) -> Scan:
    """Count for every query the references above and inside its intervals.

    Args:
        space: What is compared, and how.
        intervals: What with.
        left_out: Per query, references that are not counted.
        markers: Whose order among ties is counted too.
        device: Where scores are computed, a torch device.
        block: Queries and references of a block of scores; None for what suits the device.
        progress: Called with references done and all references.
    """
    counted = Scan(
        np.zeros(len(intervals.low), np.int64),
        np.zeros(len(intervals.low), np.int64),
        np.zeros(len(markers.owners), np.int64),
    )
    where = _device(device)
    kind = where.type
    queries, references = space.queries.shape[0], space.references.shape[0]
    tall = min(block or _QUERIES_AT_ONCE.get(kind, 4096), queries)
    wide = min(block or _REFERENCES_AT_ONCE.get(kind, 4096), references)
    scanner = Scanner(space, intervals, markers, counted, where, tall * wide)
    by_member = Pairs.of(left_out)
    for first in range(0, references, wide):
        last = min(first + wide, references)
        scanner.take_references(first, last)
        inside = by_member.between(first, last)
        for start in range(0, queries, tall):
            stop = min(start + tall, queries)
            scanner.count(start, stop, inside.owned_by(start, stop))
        if progress is not None:
            progress(last, references)
    return counted


def _device(name: str) -> torch.device:
    """Return the device, or say why scores cannot be computed there."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as cause:
        reason = str(cause).splitlines()[0].rstrip(".")
        raise EvaluationError(
            f"Scores cannot be computed on the device {name!r}: {reason}.",
            hint="Take 'cpu', or a device that this machine and this build of torch have.",
        ) from cause
    return device
