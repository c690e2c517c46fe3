"""Whether imagery is still what it was, told by names, sizes and times: nothing of it is read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

Revision = tuple[int, int]
"""Two numbers that stay the same for as long as the imagery does."""


class FileState(NamedTuple):
    """A file of a source.

    Attributes:
        name: Within the source, so that a source may move as a whole.
        size_bytes: Its size.
        mtime_ns: When it last changed.
    """

    name: str
    size_bytes: int
    mtime_ns: int


def revision_of(files: Iterable[FileState]) -> Revision:
    """Return the bytes of all files, and a hash (63 bits) of their names, sizes and times.

    The newest time alone would miss a file that is put back as it was before, or is taken away.

    Args:
        files: Always in the same order.
    """
    total, digest = 0, hashlib.blake2b(digest_size=8)
    for file in files:
        total += file.size_bytes
        state = f"{file.name}\0{file.size_bytes} {file.mtime_ns}\n"
        digest.update(state.encode("utf-8", "surrogateescape"))
    return total, int.from_bytes(digest.digest(), "big") >> 1
