"""Files that are whole or not there: written beside, flushed to disk, renamed.

A process may die and a machine may lose power between any two statements. A reader then finds the
old file or the new one, never a part of one.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sightline.errors import OutputError, SightlineError

_TEMPORARY = ".writing-"


def sync_file(path: Path) -> None:
    """Wait until the bytes of ``path`` are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Wait until the names in the folder ``path`` are on disk (new files, renames)."""
    if os.name == "nt":  # pragma: no cover - Windows opens no folders and needs no such flush
        return
    sync_file(path)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path beside ``path`` to write to, and put it in place when the block ends well.

    Args:
        path: The file that shall exist afterwards; its folder must exist.

    Yields:
        The path to write. If the block raises, it is removed and ``path`` stays as it was.

    Raises:
        OutputError: The file cannot be written; full disks and missing rights arrive as this.
    """
    if "\0" in str(path):
        raise output_error(path, OSError(errno.EINVAL, "a name cannot hold a null byte"))
    temporary = path.with_name(f"{_TEMPORARY}{os.getpid()}-{path.name}")
    try:
        yield temporary
        if path.is_file():
            shutil.copymode(path, temporary)
        sync_file(temporary)
        temporary.replace(path)
        sync_folder(path.parent)
    except SightlineError:
        # Not all of them are about this file: a photo that was to be read may be missing.
        raise
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``, whole or not at all; raises OutputError."""
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` as UTF-8 to ``path``, whole or not at all; raises OutputError."""
    write_bytes(Path(path), text.encode("utf-8"))


def write_json(path: Path, document: object) -> None:
    """Write ``document`` as JSON to ``path``, whole or not at all; raises OutputError."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    write_bytes(path, (text + "\n").encode())


def make_folder(path: Path) -> None:
    """Create ``path`` and its parents; raises OutputError."""
    if "\0" in str(path):
        raise output_error(path, OSError(errno.EINVAL, "a name cannot hold a null byte"))
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(path, error) from error


def remove_leftovers(folder: Path) -> None:
    """Remove what killed writers left half-written in ``folder``; the caller holds the lock."""
    for leftover in folder.glob(f"{_TEMPORARY}*"):
        with suppress(OSError):
            leftover.unlink()


def output_error(path: Path, error: OSError) -> OutputError:
    """Say why ``path`` could not be written, and what to do."""
    if isinstance(error, OutputError):
        return error
    reason = error.strerror or str(error)
    hint = "Choose a place you may write to."
    if is_disk_full(error):
        hint = "Free some space and run the same command again: what was committed is kept."
    return OutputError(f"Cannot write {str(path)!r}: {reason}.", hint=hint, path=path)


def is_disk_full(error: BaseException) -> bool:
    """Whether ``error`` comes from a full disk or quota, whoever worded it."""
    # Lance hands the system's message on as text and loses the number.
    text = str(error).lower()
    return any(
        phrase in text for phrase in ("no space left", "os error 28", "errno 28", "quota exceeded")
    )
