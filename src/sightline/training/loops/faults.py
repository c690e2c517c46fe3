"""What can go wrong in the middle of a run, said so that one knows what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from sightline.errors import (
    TrainingDataError,
    TrainingDivergedError,
    TrainingMemoryError,
    VectorError,
)

_NO_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "bad_alloc",
    "alloc_failed",
)


def diverged(what: str, value: float, step: int, last: Path) -> TrainingDivergedError:
    """The error for a loss or gradient that is not finite."""
    kept = (
        f"The last good state is {str(last)!r}" if last.is_file() else "There is no checkpoint yet"
    )
    return TrainingDivergedError(
        f"The {what} of step {step} is {value}. {kept}; nothing after it was kept.",
        hint="Run again with --resume and a lower --set learning_rate, with --set clip_norm=1, or "
        "with --set precision=bfloat16 in place of float16; or look for broken images "
        "(`sightline dataset doctor`) and begin anew in another --out.",
        path=last,
    )


def too_many_broken(
    broken: int, count: int, allowed: float, files: str, *, what: str = "pairs"
) -> TrainingDataError:
    """The error for more broken pairs or photos than the allowed share of all of them."""
    return TrainingDataError(
        f"{broken} of {count} training {what} cannot be read, and bad_images = {allowed:g} allows "
        f"{int(allowed * count)}. The first is {files}.",
        hint="Repair or leave out the files (`sightline dataset doctor` lists them), or allow more "
        "with --set bad_images=0.05.",
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
        advice = (
            f"Run again with --set chunk_size={at_once // 2}, which computes the same gradient in "
            "less memory; a run that has a checkpoint goes on so with --resume."
            if at_once > 1
            else "Not even one pair fits: take smaller images or a smaller network."
        )
        raise TrainingMemoryError(
            f"Memory is full at {at_once} pairs at once (batch_size {batch_size}, chunk_size "
            f"{chunk_size}).",
            hint=f"{advice} precision=bfloat16 needs half as much on a GPU.",
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
