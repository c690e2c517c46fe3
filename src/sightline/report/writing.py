"""Files appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from os import PathLike
from pathlib import Path

from sightline.errors import OutputError


def write_whole(path: str | PathLike[str], text: str) -> None:
    """Write ``text`` as UTF-8 to ``path``, replacing what was there in one step.

    Raises:
        OutputError: The folder is missing, full or may not be written, or the path is a folder.
    """
    target = Path(path)
    data = text.encode("utf-8")
    partial: Path | None = None
    try:
        # os.replace would put the file in place of an empty folder on some systems.
        if target.is_dir():
            raise IsADirectoryError("it is a folder")
        handle, name = tempfile.mkstemp(prefix=".sightline-", suffix=".part", dir=target.parent)
        partial = Path(name)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        partial.chmod(_mode(target))
        partial.replace(target)
    except (OSError, ValueError) as error:
        if partial is not None:
            partial.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or error
        raise OutputError(
            f"{target} cannot be written: {reason}.",
            hint="Choose a file in a folder that exists, that you may write and that has room.",
            path=target,
        ) from error


def _mode(target: Path) -> int:
    """Permissions of the file that is replaced, or those of a new file (mkstemp's are private)."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
