"""Stored pixels of pairs or photos, batch by batch, in worker processes or in this one."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sightline.errors import TrainingWorkerError
from sightline.training.data.pixels import PixelSource, VectorSource

Rows = NDArray[np.int64]

MOST_LOSSES = 3
"""How often in one pass workers may die before the run stops."""

L = TypeVar("L")

# So torch begins to tell of a death; of an error it says "in DataLoader worker process 0".
_LOST = "DataLoader worker (pid"

_CONTEXT = multiprocessing.get_context("forkserver")
# Imported once, not by every worker.
_CONTEXT.set_forkserver_preload([__name__])


@dataclass(frozen=True, slots=True, eq=False)
class LoadedPairs:
    """Pairs as they are stored.

    Attributes:
        rows: (n,) numbers of the pairs.
        ground: uint8 (n, 3, h, W).
        aerial: uint8 (n, 3, s, s).
        broken: (n,) whether an image of the pair cannot be used.
    """

    rows: Rows
    ground: Tensor
    aerial: Tensor
    broken: NDArray[np.bool_]

    def pin_memory(self) -> LoadedPairs:  # pragma: no cover - needs a GPU
        """The same, as a GPU can fetch it while it computes; torch's loader calls this."""
        return replace(self, ground=self.ground.pin_memory(), aerial=self.aerial.pin_memory())


class PairPixels(Dataset[LoadedPairs]):
    """Pairs by number, a batch for each request.

    Args:
        pairs: (n, 2) photo and patch of each pair.
        photos: Pixels of the photos.
        patches: Pixels of the patches.
    """

    def __init__(self, pairs: Rows, photos: PixelSource, patches: PixelSource) -> None:
        self._pairs, self._photos, self._patches = pairs, photos, patches

    def __getitems__(self, rows: list[int]) -> LoadedPairs:
        """The pairs of a batch at once; torch's loader asks for them so."""
        numbers = np.array(rows, np.int64)
        ground, bad = self._photos.take(self._pairs[numbers, 0])
        aerial, worse = self._patches.take(self._pairs[numbers, 1])
        return LoadedPairs(numbers, torch.from_numpy(ground), torch.from_numpy(aerial), bad | worse)

    def __getitem__(self, row: int) -> LoadedPairs:
        """One pair, as a batch of one."""
        return self.__getitems__([row])


@dataclass(frozen=True, slots=True, eq=False)
class LoadedPhotos:
    """Photos as they are stored.

    Attributes:
        rows: (n,) rows of the training photos.
        pixels: uint8 (n, 3, h, w); or float32 (n, d), pooled vectors.
        broken: (n,) whether the photo cannot be used.
    """

    rows: Rows
    pixels: Tensor
    broken: NDArray[np.bool_]

    def pin_memory(self) -> LoadedPhotos:  # pragma: no cover - needs a GPU
        """The same, as a GPU can fetch it while it computes; torch's loader calls this."""
        return replace(self, pixels=self.pixels.pin_memory())


class PhotoPixels(Dataset[LoadedPhotos]):
    """Training photos by row, a batch for each request.

    Args:
        photos: (n,) number of each training photo.
        pixels: Pixels or pooled vectors of all photos.
    """

    def __init__(self, photos: Rows, pixels: PixelSource | VectorSource) -> None:
        self._photos, self._pixels = photos, pixels

    def __getitems__(self, rows: list[int]) -> LoadedPhotos:
        """The photos of a batch at once; torch's loader asks for them so."""
        numbers = np.array(rows, np.int64)
        pixels, broken = self._pixels.take(self._photos[numbers])
        return LoadedPhotos(numbers, torch.from_numpy(pixels), broken)

    def __getitem__(self, row: int) -> LoadedPhotos:
        """One photo, as a batch of one."""
        return self.__getitems__([row])


class _Order:
    """Batches that a loader draws from; others for each pass, so that workers can stay."""

    def __init__(self) -> None:
        self.batches: Sequence[list[int]] = ()

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class BatchLoader(Generic[L]):
    """Loads batches, ahead of their use where there are workers.

    A worker that dies (killed for memory, a crash of a decoder) is replaced, and its batches are
    loaded again: nothing is lost or comes twice.

    Args:
        pixels: What is loaded.
        workers: Processes; 0 loads in this one.
        pin: Whether batches are made ready for a GPU to fetch.
        note: Is told of workers that died.
    """

    def __init__(
        self,
        pixels: Dataset[L],
        *,
        workers: int,
        pin: bool,
        note: Callable[[str], None],
    ) -> None:
        self._pixels, self._workers, self._pin, self._note = pixels, workers, pin, note
        self._order = _Order()
        self._loader = self._made()

    def load(self, batches: Sequence[Rows]) -> Iterator[L]:
        """Yield what each batch holds, in order.

        Raises:
            TrainingWorkerError: Workers died more than three times.
        """
        done = losses = 0
        while done < len(batches):
            self._order.batches = [rows.tolist() for rows in batches[done:]]
            coming: Iterator[L] | None = None
            while done < len(batches):
                try:
                    # To begin a pass asks the workers too, who may have died since the last one.
                    if coming is None:
                        coming = self._begun()
                    loaded = next(coming)
                except (RuntimeError, OSError, EOFError) as error:
                    if not _is_loss(error):
                        raise
                    losses += 1
                    self._replace(error, losses)
                    break
                yield loaded
                done += 1

    def _begun(self) -> Iterator[L]:
        """A pass over the batches; a worker's death is then seen where its batch is asked for."""
        if self._workers == 0 or threading.current_thread() is not threading.main_thread():
            return iter(self._loader)
        # torch would raise it from a signal handler, in the middle of whatever is going on.
        handler = signal.getsignal(signal.SIGCHLD)
        coming = iter(self._loader)
        signal.signal(signal.SIGCHLD, handler)
        return coming

    def _replace(self, error: Exception, losses: int) -> None:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        if losses > MOST_LOSSES:
            raise TrainingWorkerError(
                f"Processes that read images died {losses} times: {reason}",
                hint="Run again with --resume and fewer --set workers=N; look in the system's log "
                "for what killed them, most often too little memory.",
            ) from error
        self._note(f"A process that read images died and was replaced: {reason}")
        self._loader = self._made()

    def _made(self) -> DataLoader[L]:
        several = self._workers > 0
        return DataLoader(
            self._pixels,
            batch_sampler=self._order,
            num_workers=self._workers,
            collate_fn=_as_it_is,
            pin_memory=self._pin,
            persistent_workers=several,
            prefetch_factor=2 if several else None,
            # Forked workers would inherit locks of this process's threads.
            multiprocessing_context=_CONTEXT if several else None,
            # Of its own: the loader would draw from the global generator.
            generator=torch.Generator().manual_seed(0),
        )


def _as_it_is(loaded: Any) -> Any:
    return loaded


def _is_loss(error: Exception) -> bool:
    """Whether a worker died: torch says so, or what it had sent cannot be fetched any more."""
    return _LOST in str(error) or isinstance(error, (ConnectionError, EOFError, FileNotFoundError))
