"""Several files that take the place of others together, whenever the machine stops.

They are written into a folder beside, and that folder is given its final name: with this one rename
the new files are the ones that are read, from there. Only then each is moved to its place.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sightline.durable import output_error, sync_file, sync_folder
from sightline.errors import SightlineError

WAITING = ".next"
"""The folder of new files that a stopped writer had still to move to their places."""


def current(folder: Path, name: str) -> Path:
    """Return where a file of a folder lies: in its place, or still waiting for it."""
    waiting = folder / WAITING / name
    return waiting if waiting.is_file() else folder / name


@contextmanager
def replaced(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """Give a folder to write files into, which replace those of a folder when the block ends well.

    Args:
        folder: Where they shall lie; it must exist.
        names: The files; all must be written.

    Yields:
        The folder to write into. If the block raises, it is removed and nothing has changed.

    Raises:
        OutputError: They cannot be written.
    """
    temporary = folder / f".writing-{os.getpid()}{WAITING}"
    try:
        temporary.mkdir()
        yield temporary
        for name in names:
            if current(folder, name).is_file():
                shutil.copymode(current(folder, name), temporary / name)
            sync_file(temporary / name)
        sync_folder(temporary)
        _settle(folder)  # what an earlier writer could not
        temporary.rename(folder / WAITING)
        sync_folder(folder)
        _settle(folder)
    except SightlineError:
        # Not all of them are about these files: a photo that was to be read may be missing.
        raise
    except OSError as error:
        raise output_error(folder, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _settle(folder: Path) -> None:
    """Move the files that wait to their places."""
    waiting = folder / WAITING
    if not waiting.is_dir():
        return
    for file in sorted(waiting.iterdir()):
        file.replace(folder / file.name)
    sync_folder(folder)
    waiting.rmdir()
