"""One writer at a time, without a server: an advisory lock on a file of the atlas folder.

The operating system lets go of the lock when its holder dies, however it dies. Readers never
look at it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sightline.durable import make_folder, output_error
from sightline.errors import AtlasError

LOCK_NAME = "lock"


@contextmanager
def writer_lock(atlas: Path) -> Iterator[None]:
    """Hold the atlas for writing.

    Raises:
        AtlasError: Another process writes to it; the message names the process.
        OutputError: The folder cannot be written.
    """
    make_folder(atlas)
    path = atlas / LOCK_NAME
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise output_error(path, error) from error
    try:
        if not _locked(descriptor):
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            raise AtlasError(
                f"The atlas {str(atlas)!r} is being written by another process (pid {holder}).",
                hint="Wait until it ends, or stop it; reading is possible all the time.",
                path=atlas,
            )
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    if sys.platform == "win32":  # pragma: no cover - the tests run on POSIX systems
        import msvcrt

        try:
            # Far behind the pid, because Windows keeps others from reading what is locked.
            os.lseek(descriptor, 1024, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
