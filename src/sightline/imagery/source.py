"""Where a photo's bytes come from: a path, bytes or a binary stream, never more than allowed."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeAlias

from sightline.errors import PhotoNotFoundError, PhotoUnreadableError
from sightline.imagery.limits import Limits

PhotoSource: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO


def source_name(source: PhotoSource, name: str | None = None) -> str:
    """Return what to call ``source`` in errors: ``name``, its path, or ``<bytes>``."""
    if name is not None:
        return name
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    return "<bytes>" if isinstance(source, bytes) else "<stream>"


@contextmanager
def opened(source: PhotoSource, limits: Limits, name: str) -> Iterator[BinaryIO]:
    """Give ``source`` as a seekable stream at its start, with its size already checked.

    A stream that is given is read from where it stands and left open.

    Raises:
        PhotoNotFoundError: No such file, a folder, or one that may not be read.
        PhotoUnreadableError: Empty, or not a regular file.
        PhotoTooLargeError: More bytes than ``limits`` allow.
    """
    if isinstance(source, str | os.PathLike):
        with _open_path(Path(source), limits, name) as stream:
            yield stream
        return
    data = source if isinstance(source, bytes) else source.read(limits.max_bytes + 1)
    limits.check_bytes(len(data), name)
    if not data:
        raise _empty(name)
    yield io.BytesIO(data)


def _open_path(path: Path, limits: Limits, name: str) -> BinaryIO:
    try:
        # stat before open: opening a named pipe would wait for its writer for ever.
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise PhotoNotFoundError(
                f"{name!r} is a folder, not a photo.",
                hint="Name the photos in it, or give the folder where folders are read.",
                path=name,
            )
        if not stat.S_ISREG(status.st_mode):
            raise PhotoUnreadableError(
                f"{name!r} is a device or a pipe, not a file.",
                hint="Save the photo to a file first, or pass its bytes.",
                path=name,
            )
        limits.check_bytes(status.st_size, name)
        if status.st_size == 0:
            raise _empty(name)
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as cause:
        if isinstance(cause, PhotoNotFoundError):
            raise
        raise PhotoNotFoundError(
            f"There is no file {name!r}.", hint="Check the path and its spelling.", path=name
        ) from cause
    except (OSError, ValueError) as cause:  # no permission, a loop of links, a name with NUL
        raise PhotoNotFoundError(
            f"{name!r} cannot be read: {getattr(cause, 'strerror', None) or cause}.",
            hint="Check the path and who may read it.",
            path=name,
        ) from cause


def _empty(name: str) -> PhotoUnreadableError:
    return PhotoUnreadableError(
        f"{name!r} is empty (0 bytes).", hint="Copy the photo again from its source.", path=name
    )
