"""What all batch samplers share: seeds, ranks, and going on where one was."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.seeding import checked_seed
from sightline.errors import UsageError

Rows = NDArray[np.int64]


class ResumableBatches(ABC):
    """Batches of row numbers, an epoch for each pass: what a DataLoader takes as ``batch_sampler``.

    The batches of an epoch hang on seed and epoch alone. They are dealt out to the ranks in turn,
    the same number to each; the few at the end that do not go round are left out.

    A pass that was broken off is taken up by the next one where it stopped. A DataLoader with
    workers draws batches before they are used: tell :meth:`state_dict` how many *were* used.

    Args:
        rows: How many rows there are.
        batch_size: Rows in a batch of one rank.
        seed: Decides everything that is random.
        rank: Which rank this is.
        world_size: How many ranks there are.
        drop_last: Leave out a last batch that is not full.

    Raises:
        UsageError: A number is impossible.
    """

    def __init__(
        self,
        rows: int,
        batch_size: int,
        *,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        drop_last: bool = True,
    ) -> None:
        if batch_size < 1 or not 0 <= rank < world_size:
            raise UsageError(
                "batch_size must be positive and rank between 0 and world_size - 1. Got "
                f"{batch_size!r} and {rank!r} of {world_size!r}.",
                hint="Give the number of pairs that one device takes at once.",
            )
        self.rows = rows
        self.batch_size = batch_size
        self.seed = checked_seed(seed)
        self.rank, self.world_size = rank, world_size
        self.drop_last = drop_last
        self.epoch = 0
        self.position = 0
        self._made: tuple[int, list[Rows]] | None = None

    @abstractmethod
    def batches_of(self, epoch: int) -> Sequence[Rows]:
        """Return all batches of an epoch, of all ranks together."""

    @abstractmethod
    def identity(self) -> bytes:
        """Return what the batches depend on besides the common settings."""

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch at its start."""
        self.epoch, self.position = epoch, 0

    def __len__(self) -> int:
        """How many batches this rank has in the current epoch, from its start."""
        return len(self._own())

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the batches from here to the end of the epoch; then the next epoch begins."""
        if self.position >= len(self._own()):  # it was broken off behind the last batch
            self.set_epoch(self.epoch + 1)
        batches = self._own()
        epoch = self.epoch
        while self.position < len(batches) and self.epoch == epoch:
            self.position += 1
            yield batches[self.position - 1].tolist()
        if self.epoch == epoch:
            self.set_epoch(epoch + 1)

    def state_dict(self, *, used: int | None = None) -> dict[str, Any]:
        """Return where the sampler is, as JSON can hold it.

        Args:
            used: How many batches of this epoch were used, counted from its start, where that is
                less than were drawn.
        """
        return {
            "epoch": self.epoch,
            "position": self.position if used is None else used,
            "fingerprint": self._fingerprint(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where a sampler with the same rows and settings was.

        Raises:
            UsageError: The state is that of other rows or settings.
        """
        if state.get("fingerprint") != self._fingerprint():
            raise UsageError(
                "The state is that of a sampler with other rows, another seed, batch size, rank or "
                "world size.",
                hint="Make the sampler with the arguments it had, or begin a new epoch.",
            )
        self.epoch, self.position = int(state["epoch"]), int(state["position"])

    def _own(self) -> list[Rows]:
        if self._made is None or self._made[0] != self.epoch:
            batches = self.batches_of(self.epoch)
            share = len(batches) // self.world_size
            own = [batches[self.rank + turn * self.world_size] for turn in range(share)]
            self._made = (self.epoch, own)
        return self._made[1]

    def _refuse_empty(self, given: str) -> None:
        """Raise if the first epoch gives this rank no batch."""
        if not self._own():
            raise UsageError(
                f"{given} make no batch of {self.batch_size} rows for each of {self.world_size} "
                "ranks.",
                hint="Take a smaller batch_size, or drop_last=False.",
            )

    def _fingerprint(self) -> str:
        settings = (
            f"{type(self).__name__} {self.rows} {self.batch_size} {self.seed} {self.rank} "
            f"{self.world_size} {self.drop_last} "
        )
        return hashlib.sha256(settings.encode() + self.identity()).hexdigest()[:32]
