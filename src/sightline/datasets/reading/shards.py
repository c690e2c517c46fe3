"""Writing WebDataset shards: POSIX tar files of samples, whole or not at all, with an index.

The same samples give the same bytes: no times, owners or names of this machine are written.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from sightline.datasets.reading.shard_index import Member, ShardIndex, write_index
from sightline.datasets.reading.shard_names import checked_key, checked_kind
from sightline.durable import make_folder, output_error, whole_file, write_json
from sightline.errors import OutputError, UsageError

Sample = tuple[str, Mapping[str, Any]]
"""A key, and its files by kind: bytes as they are, text as UTF-8, whole numbers as text, and
everything else as JSON."""

CATALOGUE = "shards.json"
"""The file beside the shards that lists them."""

_BLOCK = tarfile.BLOCKSIZE


@dataclass(frozen=True, slots=True)
class ShardSummary:
    """One finished shard.

    Args:
        name: Its file name.
        samples: How many samples it holds.
        bytes_size: Length of the file.
        sha256: Hexadecimal hash of the file.
    """

    name: str
    samples: int
    bytes_size: int
    sha256: str


def write_shard(path: str | os.PathLike[str], samples: Iterable[Sample]) -> ShardSummary:
    """Write samples to one shard and its index (``.idx`` beside it), whole or not at all.

    Shards are independent of each other, so that several processes can each write their own; see
    :func:`write_catalogue` for the list of them.

    Args:
        path: The tar file; its folder is made.
        samples: Keys with their files.

    Raises:
        UsageError: There is no sample, one has no file, a key or kind is impossible, or a key
            comes twice.
        OutputError: It cannot be written.
    """
    target = Path(path)
    make_folder(target.parent)
    with _OpenShard(target) as shard:
        for key, files in samples:
            shard.add(key, files)
    return shard.summary


class ShardWriter:
    """Write samples one after the other, to as many shards as they need.

    Each shard appears when it is full; the last one, and the catalogue, when the block ends. If the
    block raises, the shard in progress is dropped and the finished ones stay.

    Args:
        folder: Where the shards go; it is made.
        prefix: How their names begin: ``prefix-000000.tar``.
        samples_per_shard: How many samples at most.
        bytes_per_shard: About how large at most; a shard holds one sample at least.
        first: Number of the first shard, to go on after others.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        prefix: str = "shard",
        samples_per_shard: int = 10_000,
        bytes_per_shard: int = 1 << 30,
        first: int = 0,
    ) -> None:
        if samples_per_shard < 1 or bytes_per_shard < 1 or first < 0:
            raise UsageError(
                "samples_per_shard and bytes_per_shard must be positive and first 0 or more. Got "
                f"{samples_per_shard!r}, {bytes_per_shard!r} and {first!r}.",
                hint="10,000 samples or 1 GB a shard is usual.",
            )
        self._folder = Path(folder)
        self._prefix = prefix
        self._samples = samples_per_shard
        self._bytes = bytes_per_shard
        self._number = first
        self._open: _OpenShard | None = None
        self.summaries: list[ShardSummary] = []

    def __enter__(self) -> Self:
        make_folder(self._folder)
        return self

    def write(self, key: str, files: Mapping[str, Any]) -> None:
        """Add a sample.

        Raises:
            UsageError: It has no file, a key or kind is impossible, or the shard has the key.
            OutputError: It cannot be written.
        """
        shard = self._open
        if shard is not None and (shard.samples >= self._samples or shard.size >= self._bytes):
            self._finish()
            shard = None
        if shard is None:
            name = f"{self._prefix}-{self._number:06d}.tar"
            shard = self._open = _OpenShard(self._folder / name).__enter__()
        shard.add(key, files)

    def _finish(self) -> None:
        if self._open is None:
            return
        shard, self._open = self._open, None
        shard.__exit__(None, None, None)
        self.summaries.append(shard.summary)
        self._number += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._finish()
            write_catalogue(self._folder, self.summaries)
        elif self._open is not None:
            self._open.__exit__(kind, error, trace)


def write_catalogue(folder: str | os.PathLike[str], summaries: Iterable[ShardSummary]) -> Path:
    """Write ``shards.json``: every shard with its samples, size and hash, in the order of names.

    Shards that an older catalogue lists and that are still there stay listed.

    Raises:
        OutputError: It cannot be written.
    """
    path = Path(folder) / CATALOGUE
    listed = {entry["name"]: entry for entry in _listed(path)}
    listed |= {summary.name: asdict(summary) for summary in summaries}
    entries = [listed[name] for name in sorted(listed) if (path.parent / name).is_file()]
    write_json(
        path,
        {
            "schema": "sightline.shards/1",
            "samples": sum(entry["samples"] for entry in entries),
            "shards": entries,
        },
    )
    return path


def _listed(path: Path) -> list[dict[str, Any]]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return [dict(entry) for entry in document["shards"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # none yet, or a broken one that is replaced


class _OpenShard:
    """A shard while it is written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stack = ExitStack()
        self._hash = hashlib.sha256()
        self._keys: dict[str, int] = {}
        self._members: list[tuple[Member, ...]] = []
        self.size = 0

    @property
    def samples(self) -> int:
        return len(self._keys)

    @property
    def summary(self) -> ShardSummary:
        return ShardSummary(self._path.name, self.samples, self.size, self._hash.hexdigest())

    def __enter__(self) -> Self:
        temporary = self._stack.enter_context(whole_file(self._path))
        self._stream: BinaryIO = self._stack.enter_context(temporary.open("wb"))
        return self

    def add(self, key: str, files: Mapping[str, Any]) -> None:
        checked_key(key)
        if not files:
            raise UsageError(f"The sample {key!r} has no file.", hint="Give one file at least.")
        if key in self._keys:
            raise UsageError(
                f"The key {key!r} comes twice in {self._path.name!r}: as sample "
                f"{self._keys[key]} and as {len(self._keys)}.",
                hint="Give every sample a key of its own.",
            )
        contents = [(checked_kind(kind), _content(kind, value)) for kind, value in files.items()]
        self._keys[key] = len(self._keys)
        self._members.append(
            tuple(self._append(f"{key}.{kind}", kind, data) for kind, data in contents)
        )

    def _append(self, name: str, kind: str, data: bytes) -> Member:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        self._put(entry.tobuf(tarfile.PAX_FORMAT))
        member = Member(kind, self.size, len(data))
        self._put(data)
        self._put(b"\0" * (-len(data) % _BLOCK))
        return member

    def _put(self, data: bytes) -> None:
        try:
            self._stream.write(data)
        except OSError as error:
            raise output_error(self._path, error) from error
        self._hash.update(data)
        self.size += len(data)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            with suppress(OutputError):  # a photo that is missing would be taken for a full disk
                self._stack.__exit__(kind, error, trace)
            return
        with self._stack:  # an error in here removes what was written
            if not self._keys:
                raise UsageError(
                    f"There is no sample for the shard {self._path.name!r}.",
                    hint="Write one sample at least, or no shard.",
                )
            self._put(b"\0" * (2 * _BLOCK))  # the end of a tar file
            self._put(b"\0" * (-self.size % tarfile.RECORDSIZE))
            # That of an older shard must not outlive it, whatever stops us now.
            self._path.with_suffix(".idx").unlink(missing_ok=True)
        write_index(ShardIndex(self._path, tuple(self._keys), tuple(self._members)))


def _content(kind: str, value: Any) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, str):
        return value.encode()
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as cause:
        raise UsageError(
            f"A file of the kind {kind!r} must be bytes, text or what JSON can hold. Got "
            f"{type(value).__name__}.",
            hint="Encode pictures as JPEG or PNG before writing them.",
        ) from cause
