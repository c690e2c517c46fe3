"""Reading WebDataset shards: shuffled, split over ranks and workers, resumable to the sample."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Literal, Self, TypeAlias

import numpy as np

from sightline.datasets.reading.shard_index import (
    Member,
    ShardIndex,
    find_shards,
    index_shard,
)
from sightline.datasets.seeding import checked_seed
from sightline.errors import SightlineError, TableError, UsageError

OnError: TypeAlias = Literal["fail", "skip"]
_Entry: TypeAlias = tuple[ShardIndex, int]  # a shard, and the number of a sample in it


@dataclass(frozen=True, slots=True)
class ShardSample:
    """One sample of a shard.

    Args:
        key: Its key; :func:`~sightline.datasets.reading.id_of_key` gives the id back.
        shard: The tar file it stands in.
        files: Its files by kind.
    """

    key: str
    shard: Path
    files: dict[str, bytes]


class ShardReader:
    """The samples of many shards, an epoch for each pass.

    Shards are shuffled, then read one after the other; their samples go through a buffer from which
    they leave in random order. All that is random hangs on seed and epoch, so a reader that was
    stopped goes on where it was, with the same samples in the same order.

    Args:
        source: A folder of shards, one shard, or a list of them.
        shuffle_buffer: How many samples wait in the buffer, in memory; 0 keeps the shards and
            their samples in order.
        seed: Decides the order.
        rank: Which part of the shards to read: every ``world_size``-th.
        world_size: How many parts there are.
        on_error: ``fail``, or ``skip`` samples and shards that cannot be read and count them.

    Raises:
        PhotoNotFoundError: There is no shard.
        UsageError: There are fewer shards than parts, or a number is impossible.
        TableError: A shard is damaged (with ``on_error="fail"``), or all are.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        shuffle_buffer: int = 0,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        on_error: OnError = "fail",
    ) -> None:
        if shuffle_buffer < 0 or not 0 <= rank < world_size or on_error not in ("fail", "skip"):
            raise UsageError(
                "shuffle_buffer must be 0 or more, rank between 0 and world_size - 1, and on_error "
                f"fail or skip. Got {shuffle_buffer!r}, {rank!r} of {world_size!r}, {on_error!r}.",
                hint="Leave them out to read everything in order.",
            )
        self._paths = find_shards(source)
        if len(self._paths) < world_size:
            raise UsageError(
                f"{len(self._paths)} shards cannot feed {world_size} readers.",
                hint="Write smaller shards (samples_per_shard), or read with fewer workers.",
            )
        self._buffer = shuffle_buffer
        self._seed = checked_seed(seed)
        self._rank, self._world_size = rank, world_size
        self._on_error = on_error
        self._epoch = 0
        self._position = 0
        self.problems: list[SightlineError] = []

    @cached_property
    def _indexes(self) -> list[ShardIndex | None]:
        """The indexes of all shards; None for one that was skipped."""
        indexes: list[ShardIndex | None] = []
        for path in self._paths:
            try:
                indexes.append(index_shard(path))
            except SightlineError as error:
                if self._on_error == "fail":
                    raise
                self.problems.append(error)
                indexes.append(None)
        if not any(indexes):
            raise TableError(
                f"None of the {len(self._paths)} shards can be read.",
                hint="Copy or write them again.",
                path=self._paths[0],
            )
        return indexes

    @property
    def skipped(self) -> int:
        """How many samples and shards were skipped so far."""
        return len(self.problems)

    @property
    def samples(self) -> int:
        """How many samples all parts hold together."""
        return sum(len(index) for index in self._indexes if index is not None)

    @property
    def samples_of_part(self) -> int:
        """How many samples this part holds in this epoch."""
        return sum(1 for _ in self._entries())

    def part(self, number: int, parts: int) -> ShardReader:
        """Return a reader of one part of this reader's shards, for one worker of this rank.

        It is of the same epoch and begins at its start.
        """
        reader = ShardReader(
            self._paths,
            shuffle_buffer=self._buffer,
            seed=self._seed,
            rank=self._rank * parts + number,
            world_size=self._world_size * parts,
            on_error=self._on_error,
        )
        reader.set_epoch(self._epoch)
        return reader

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch at its start."""
        self._epoch, self._position = epoch, 0

    def skip(self, samples: int) -> None:
        """Go on behind so many more samples of this epoch, without reading them."""
        self._position += samples

    def state_dict(self, *, position: int | None = None) -> dict[str, Any]:
        """Return where the reader is.

        Args:
            position: How many samples of this epoch were used, where that is less than were read
                (they may have waited in a queue).
        """
        return {
            "epoch": self._epoch,
            "position": self._position if position is None else position,
            "identity": self._identity,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another reader of the same shards, seed and part was.

        Raises:
            UsageError: The state is that of other shards or another part.
        """
        if state.get("identity") != self._identity:
            raise UsageError(
                "The state is that of other shards, or of another seed, buffer, rank or world "
                "size.",
                hint="Make the reader with the arguments it had.",
            )
        self._epoch, self._position = int(state["epoch"]), int(state["position"])

    @cached_property
    def _identity(self) -> str:
        digest = hashlib.sha256()
        for path, index in zip(self._paths, self._indexes, strict=True):
            digest.update(f"{path.name}\0{0 if index is None else len(index)}\0".encode())
        settings = f"{self._buffer} {self._seed} {self._rank} {self._world_size}"
        return f"{digest.hexdigest()[:16]} {settings}"

    def __iter__(self) -> Iterator[ShardSample]:
        """Read from here to the end of the epoch; the next pass is the next epoch."""
        if self._position >= self.samples_of_part:  # broken off behind the last sample
            self.set_epoch(self._epoch + 1)
        with _OpenShard() as files:

            def load(entry: _Entry) -> ShardSample | SightlineError:
                try:
                    return files.read(*entry)
                except SightlineError as error:
                    if self._on_error == "fail":
                        raise
                    return error

            for sample in self._samples(load):
                self._position += 1
                if isinstance(sample, SightlineError):
                    self.problems.append(sample)
                    continue
                yield sample
        self.set_epoch(self._epoch + 1)

    def _samples(
        self, load: Callable[[_Entry], ShardSample | SightlineError]
    ) -> Iterator[ShardSample | SightlineError]:
        """Yield what ``load`` gives, in the order of the epoch, without the first ``position``."""
        generator = np.random.default_rng([self._seed, self._epoch, self._rank, self._world_size])
        skip, taken = self._position, 0
        held: list[tuple[_Entry, ShardSample | SightlineError | None]] = []

        def leave() -> Iterator[ShardSample | SightlineError]:
            nonlocal taken
            chosen = int(generator.integers(len(held))) if self._buffer else 0
            held[chosen], held[-1] = held[-1], held[chosen]
            entry, sample = held.pop()
            taken += 1
            if taken > skip:
                yield load(entry) if sample is None else sample

        for entry in self._entries():
            # What leaves before the place to go on from is never read.
            held.append((entry, None if taken < skip else load(entry)))
            if len(held) > self._buffer:
                yield from leave()
        while held:
            yield from leave()

    def _entries(self) -> Iterator[_Entry]:
        order = np.arange(len(self._paths))
        if self._buffer:
            # The same for every rank, so that their parts are disjoint.
            np.random.default_rng([self._seed, self._epoch]).shuffle(order)
        for shard in order[self._rank :: self._world_size].tolist():
            index = self._indexes[shard]
            if index is not None:
                yield from ((index, sample) for sample in range(len(index)))


class _OpenShard:
    """The shard that is read now, kept open; shards come one after the other."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._stream: BinaryIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._stream is not None:
            self._stream.close()

    def read(self, index: ShardIndex, sample: int) -> ShardSample:
        """Read the files of a sample.

        Raises:
            TableError: The shard is gone, or shorter than its index says.
        """
        key = index.keys[sample]
        try:
            if self._path != index.path or self._stream is None:
                self.__exit__()
                self._stream = index.path.open("rb")
                self._path = index.path
            stream = self._stream
            files = {member.kind: _bytes(stream, member) for member in index.members[sample]}
        except (OSError, EOFError) as cause:
            raise TableError(
                f"The sample {key!r} of the shard {str(index.path)!r} cannot be read: {cause}.",
                hint="Copy or write the shard again, or skip such samples.",
                path=index.path,
            ) from cause
        return ShardSample(key, index.path, files)


def _bytes(stream: BinaryIO, member: Member) -> bytes:
    stream.seek(member.offset)
    data = stream.read(member.size)
    if len(data) != member.size:
        raise EOFError(f"the file ends after {len(data)} of {member.size} bytes")
    return data
