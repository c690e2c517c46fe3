"""What can go wrong in the middle of a run, said so that one knows what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from sightline.errors import TrainingDivergedError, TrainingMemoryError, VectorError

_NO_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "bad_alloc",
)


def diverged(what: str, value: float, step: int, last: Path) -> TrainingDivergedError:
    """The error for a loss or gradient that is not finite."""
    kept = (
        f"The last good state is {str(last)!r}" if last.is_file() else "There is no checkpoint yet"
    )
    return TrainingDivergedError(
        f"The {what} of step {step} is {value}. {kept}; nothing after it was kept.",
        hint="Lower learning_rate, give clip_norm = 1, use precision = 'bfloat16' in place of "
        "float16, or look for broken images; then begin anew.",
        path=last,
    )


@contextmanager
def told_of_memory(batch_size: int, chunk_size: int) -> Iterator[None]:
    """Turn the many ways of saying that memory is full into one error with numbers.

    Args:
        batch_size: Pairs in a batch of this process.
        chunk_size: Pairs with graphs at once; 0: all.

    Raises:
        TrainingMemoryError: Memory was full.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as cause:
        full = isinstance(cause, (MemoryError, torch.OutOfMemoryError)) or any(
            words in str(cause).lower() for words in _NO_MEMORY
        )
        if not full:
            raise
        at_once = chunk_size or batch_size
        smaller = max(1, at_once // 2)
        raise TrainingMemoryError(
            f"Memory is full at {at_once} pairs at once (batch_size {batch_size}, chunk_size "
            f"{chunk_size}).",
            hint=f"Run again with --set chunk_size={smaller}, which computes the same gradient in "
            "less memory; precision=bfloat16 halves it on a GPU. A run that has a checkpoint goes "
            "on with --resume.",
        ) from cause


@contextmanager
def told_of_divergence(step: int, last: Path) -> Iterator[None]:
    """Turn a loss's complaint about embeddings that are not finite into the error for it.

    Raises:
        TrainingDivergedError: They are not.
    """
    try:
        yield
    except VectorError as error:
        if "must be finite" not in error.message:
            raise
        raise diverged("embedding", float("nan"), step, last) from error
