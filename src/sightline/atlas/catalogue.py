"""Which files and which contents an atlas holds already, small enough for millions of rows.

Names and contents are known by 64-bit hashes: 24 bytes per name instead of some 400. A file is
taken for unchanged when its name, size and modification time agree with what was stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.atlas.store import Store

_COLUMNS = ("id", "names", "mtime_ns", "size_bytes", "sha256")


def name_key(name: str) -> int:
    """64-bit hash of a path."""
    return _hash(name.encode("utf-8", "surrogateescape"))


def stat_key(size_bytes: int, mtime_ns: int) -> int:
    """64-bit hash of a file's size and modification time."""
    return _hash(b"%d %d" % (size_bytes, mtime_ns))


def content_key(sha256: bytes) -> int:
    """64 bits of a content hash."""
    return int.from_bytes(sha256[:8], "big")


def _hash(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")


class Catalogue:
    """What is stored, and what a running build has accepted since.

    Reading from several threads while one thread writes is safe.
    """

    def __init__(self, store: Store) -> None:
        names, stats, contents, ids, id_contents = _keys(store)
        order = np.argsort(names, kind="stable")
        self._names, self._stats, self._contents = names[order], stats[order], contents[order]
        by_content = np.argsort(id_contents, kind="stable")
        self._id_contents, self._ids = id_contents[by_content], ids[by_content]
        self._new_names: dict[int, tuple[int, int]] = {}
        self._new_contents: dict[int, tuple[int, ...]] = {}

    def unchanged(self, name: str, size_bytes: int, mtime_ns: int) -> bool:
        """Whether exactly this file is stored."""
        known = self._find(name_key(name))
        return known is not None and known[0] == stat_key(size_bytes, mtime_ns)

    def content_of(self, name: str) -> int | None:
        """Return the content that was stored under ``name``, or None."""
        known = self._find(name_key(name))
        return None if known is None else known[1]

    def holds(self, content: int) -> bool:
        """Whether the content is stored, or accepted by the running build."""
        if content in self._new_contents:
            return len(self._new_contents[content]) > 0
        place = int(np.searchsorted(self._id_contents, np.uint64(content)))
        return place < len(self._id_contents) and int(self._id_contents[place]) == content

    def ids(self, content: int) -> tuple[int, ...]:
        """Return the ids of the rows (one per view) that hold the content."""
        if content in self._new_contents:
            return self._new_contents[content]
        first, last = (
            np.searchsorted(self._id_contents, np.uint64(content), side="left"),
            np.searchsorted(self._id_contents, np.uint64(content), side="right"),
        )
        return tuple(int(i) for i in self._ids[first:last])

    def put_name(self, name: str, size_bytes: int, mtime_ns: int, content: int) -> None:
        """Remember that ``name`` now holds ``content``."""
        self._new_names[name_key(name)] = (stat_key(size_bytes, mtime_ns), content)

    def put_content(self, content: int, ids: Iterable[int]) -> None:
        """Remember the rows of ``content``; no ids mean that it is gone."""
        self._new_contents[content] = tuple(ids)

    def _find(self, key: int) -> tuple[int, int] | None:
        if key in self._new_names:
            return self._new_names[key]
        place = int(np.searchsorted(self._names, np.uint64(key)))
        if place == len(self._names) or int(self._names[place]) != key:
            return None
        return int(self._stats[place]), int(self._contents[place])


def _keys(store: Store) -> tuple[NDArray[np.uint64], ...] | tuple[Any, ...]:
    names: list[NDArray[np.uint64]] = []
    stats: list[NDArray[np.uint64]] = []
    contents: list[NDArray[np.uint64]] = []
    ids: list[NDArray[np.int64]] = []
    id_contents: list[NDArray[np.uint64]] = []
    for batch in store.batches(_COLUMNS):
        columns = [batch.column(c).to_pylist() for c in _COLUMNS[1:]]
        rows = [(*row[:3], content_key(row[3])) for row in zip(*columns, strict=True)]
        flat = [
            (name_key(n), stat_key(size, m), content)
            for of_row, mtimes, size, content in rows
            for n, m in zip(of_row, mtimes, strict=True)
        ]
        part = np.array(flat, np.uint64).reshape(-1, 3)
        names.append(part[:, 0])
        stats.append(part[:, 1])
        contents.append(part[:, 2])
        ids.append(batch.column("id").to_numpy())
        id_contents.append(np.array([row[3] for row in rows], np.uint64))
    empty = np.empty(0, np.uint64)
    return (
        np.concatenate([empty, *names]),
        np.concatenate([empty, *stats]),
        np.concatenate([empty, *contents]),
        np.concatenate([np.empty(0, np.int64), *ids]),
        np.concatenate([empty, *id_contents]),
    )
