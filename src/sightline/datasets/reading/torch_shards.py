"""The torch side of shards; imported only where a DataLoader is used, since it needs torch.

The class stands at the top of a module so that workers that are spawned can be handed one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch.utils.data import IterableDataset, get_worker_info

from sightline.datasets.reading.shard_reader import ShardReader, ShardSample


class TorchShards(IterableDataset[Any]):
    """The samples of a reader, split over the workers of a DataLoader.

    See :func:`sightline.datasets.reading.shard_dataset`, which makes it.
    """

    def __init__(
        self,
        reader: ShardReader,
        transform: Callable[[ShardSample], Any],
        batches_used: int,
        batch_size: int,
    ) -> None:
        super().__init__()
        self._reader = reader
        self._transform = transform
        self._used, self._batch_size = batches_used, batch_size

    def __iter__(self) -> Iterator[Any]:
        """Read this worker's part from where it is."""
        worker = get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        # Parts, so that the reader's own place stays as it is.
        parts = [self._reader.part(part, workers) for part in range(workers)]
        counts = [part.samples_of_part for part in parts] if self._used else [0] * workers
        part, batches = _queue(counts, self._used, self._batch_size)[number]
        if batches and batches * self._batch_size >= counts[part]:
            return iter(())  # all of it was used; a pass now would be that of the next epoch
        parts[part].skip(batches * self._batch_size)
        return map(self._transform, parts[part])


def _queue(counts: Sequence[int], batches_used: int, batch_size: int) -> list[tuple[int, int]]:
    """Return the parts in the order of their next batch, each with how many it has given.

    A DataLoader takes a batch from each worker in turn, and passes over those that are done.
    """
    waiting = deque((part, 0) for part in range(len(counts)))
    done = []
    while batches_used and waiting:
        part, given = waiting.popleft()
        if given * batch_size < counts[part]:
            waiting.append((part, given + 1))
            batches_used -= 1
        else:
            done.append((part, given))
    return [*waiting, *done]
