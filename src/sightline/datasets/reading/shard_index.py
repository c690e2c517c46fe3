"""Where each sample of a shard stands, so that any of them is read without those before it.

The index file is that of NVIDIA DALI (``wds2idx``, version 1.2): a line with the version and the
number of samples, then a line for each sample with kind, offset, size and name of each file.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sightline.datasets.reading.shard_names import split_name
from sightline.durable import write_text
from sightline.errors import PhotoNotFoundError, TableError

_VERSION = "v1.2"
_BLOCK = tarfile.BLOCKSIZE
_REPAIR = "Copy or write the shard again."


class Member(NamedTuple):
    """One file of a sample: its kind, where its bytes begin, and how many there are."""

    kind: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class ShardIndex:
    """The samples of one shard.

    Args:
        path: The tar file.
        keys: (n,) keys, in the order of the file.
        members: (n,) files of each.
    """

    path: Path
    keys: tuple[str, ...]
    members: tuple[tuple[Member, ...], ...]

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def end(self) -> int:
        """Where the last file's blocks end."""
        last = self.members[-1][-1]
        return -(-(last.offset + last.size) // _BLOCK) * _BLOCK


def find_shards(source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Return the shards in a folder (by name), a single shard, or the shards that are listed.

    Raises:
        PhotoNotFoundError: There is no such file or folder, or no ``.tar`` in it.
    """
    if not isinstance(source, str | os.PathLike):
        return [shard for one in source for shard in find_shards(one)]
    path = Path(source)
    shards = sorted(path.glob("*.tar")) if path.is_dir() else [path]
    shards = [shard for shard in shards if shard.is_file() and not shard.name.startswith(".")]
    if not shards:
        raise PhotoNotFoundError(
            f"There is no shard at {str(path)!r}.",
            hint="Give a tar file, or a folder with files that end in .tar.",
            path=path,
        )
    return shards


def index_shard(path: str | os.PathLike[str]) -> ShardIndex:
    """Return the index of a shard: from its ``.idx`` if that fits, else from the tar file itself.

    Raises:
        PhotoNotFoundError: No such file.
        TableError: It is no tar file, is cut off, or holds no sample or two of one name.
    """
    shard = Path(path)
    try:
        size = shard.stat().st_size
    except OSError as cause:
        raise PhotoNotFoundError(
            f"The shard {str(shard)!r} cannot be read: {cause.strerror}.",
            hint="Check the path.",
            path=shard,
        ) from cause
    stored = _stored_index(shard)
    # A shard that was written again, or cut off, has another end than its index says.
    if stored is not None and 0 <= size - stored.end <= 2 * _BLOCK + tarfile.RECORDSIZE:
        return stored
    return _scanned(shard)


def write_index(index: ShardIndex) -> Path:
    """Write the index beside its shard.

    Raises:
        OutputError: It cannot be written.
    """
    lines = [f"{_VERSION} {len(index)}"]
    for key, members in zip(index.keys, index.members, strict=True):
        lines.append(
            " ".join(f"{kind} {offset} {size} {key}.{kind}" for kind, offset, size in members)
        )
    path = index.path.with_suffix(".idx")
    write_text(path, "\n".join(lines) + "\n")
    return path


def _stored_index(shard: Path) -> ShardIndex | None:
    """Return what the index file says; None if there is none that can be understood."""
    try:
        lines = shard.with_suffix(".idx").read_text(encoding="utf-8").splitlines()
        version, written = lines[0].split(" ")
        number = int(written)
        samples = [_parsed(line) for line in lines[1:]]
    except (OSError, ValueError, IndexError):
        return None
    if version != _VERSION or number != len(samples) or not samples:
        return None
    return ShardIndex(shard, tuple(key for key, _ in samples), tuple(files for _, files in samples))


def _parsed(line: str) -> tuple[str, tuple[Member, ...]]:
    words = line.split(" ")
    members, keys = [], set()
    for start in range(0, len(words), 4):
        kind, offset, size, name = words[start : start + 4]
        members.append(Member(kind.lower(), int(offset), int(size)))
        keys.add(name[: -len(kind) - 1])
    (key,) = keys
    return key, tuple(members)


def _scanned(shard: Path) -> ShardIndex:
    keys: list[str] = []
    members: list[dict[str, Member]] = []
    seen: set[str] = set()
    for name, offset, size in _files(shard):
        parts = split_name(name)
        if parts is None:
            continue
        key, kind = parts
        if not keys or keys[-1] != key:
            if key in seen:
                raise _damaged(shard, f"holds the sample {key!r} twice")
            seen.add(key)
            keys.append(key)
            members.append({})
        if kind in members[-1]:
            raise _damaged(shard, f"holds {name!r} twice")
        members[-1][kind] = Member(kind, offset, size)
    if not keys:
        raise _damaged(shard, "holds no sample")
    return ShardIndex(shard, tuple(keys), tuple(tuple(files.values()) for files in members))


def _files(shard: Path) -> Iterator[tuple[str, int, int]]:
    name = None
    try:
        with tarfile.open(shard, "r:") as archive:
            for entry in archive:
                name = entry.name
                if entry.isreg():
                    yield name, entry.offset_data, entry.size
            _check_end(shard, archive.offset)
    except (tarfile.TarError, EOFError, OSError) as cause:
        where = "is no tar file" if name is None else f"is cut off or damaged after {name!r}"
        raise _damaged(shard, f"{where} ({cause})") from cause


def _check_end(shard: Path, offset: int) -> None:
    """Raise EOFError unless an empty block ends the file, as it must.

    tarfile itself takes a file that is cut off in the middle of a header for a whole one.
    """
    with shard.open("rb") as stream:
        stream.seek(offset)
        if stream.read(_BLOCK) != bytes(_BLOCK):
            raise EOFError("its end is missing")


def _damaged(shard: Path, what: str) -> TableError:
    return TableError(f"The shard {str(shard)!r} {what}.", hint=_REPAIR, path=shard)
