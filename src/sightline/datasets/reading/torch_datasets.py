"""What torch's DataLoader takes: photos by number, and shards as a stream."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.reading.decoding import Fit, checked_size, decode_photo
from sightline.datasets.reading.shard_reader import ShardReader, ShardSample
from sightline.errors import UsageError

if TYPE_CHECKING:
    from torch.utils.data import IterableDataset


class PhotoDataset:
    """Photos by number, for a DataLoader with any batch sampler; needs no torch itself.

    Args:
        paths: The photos.
        size: (height, width) that every photo is brought to.
        fit: ``crop`` or ``stretch``.
        transform: Called with the number and uint8 (h, w, 3); what it returns is the item. By
            default the item is the pixels.
    """

    def __init__(
        self,
        paths: Sequence[str | os.PathLike[str]],
        size: tuple[int, int],
        *,
        fit: Fit = "crop",
        transform: Callable[[int, NDArray[np.uint8]], Any] | None = None,
    ) -> None:
        self._paths = paths
        self._size = checked_size(size)
        self._fit: Fit = fit
        self._transform = transform

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, number: int) -> Any:
        """Return one photo; raises PhotoError if it cannot be used."""
        pixels = decode_photo(self._paths[number], self._size, fit=self._fit)
        return pixels if self._transform is None else self._transform(number, pixels)


def shard_dataset(
    reader: ShardReader,
    transform: Callable[[ShardSample], Any],
    *,
    batches_used: int = 0,
    batch_size: int = 1,
) -> IterableDataset[Any]:
    """Return a reader as a torch dataset whose workers each read their own shards.

    Call ``reader.set_epoch`` before each pass: the workers begin at the start of that epoch, or
    behind the batches that were used, with the batches in the order they would have come in.

    Args:
        reader: The shards of this rank.
        transform: Makes an item of a sample, in the worker.
        batches_used: How many batches of this epoch were used, with as many workers as now; exact
            as long as no sample is skipped.
        batch_size: The DataLoader's batch size; 1 if it makes no batches.

    Raises:
        UsageError: A number is impossible.
    """
    if batches_used < 0 or batch_size < 1:
        raise UsageError(
            "batches_used must be 0 or more and batch_size positive. Got "
            f"{batches_used!r} and {batch_size!r}.",
            hint="Count the batches that were used since the epoch began.",
        )
    from sightline.datasets.reading.torch_shards import TorchShards

    return TorchShards(reader, transform, batches_used, batch_size)
