"""What makes a Lance transaction durable, and its failures one kind of error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sightline.durable import is_disk_full, output_error, sync_file, sync_folder
from sightline.errors import SightlineError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn Lance's words for a full or closed disk into one error of ours."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if isinstance(error, SightlineError):
            raise
        if is_disk_full(error):
            raise output_error(path, OSError(28, "No space left on device")) from error
        raise output_error(path, OSError(str(error))) from error


def sync_new(folder: Path, synced: set[str]) -> None:
    """Flush the files of ``folder`` that are not in ``synced``, and add them to it."""
    if not folder.is_dir():
        return
    new = {entry.path for entry in os.scandir(folder)} - synced
    for path in new:
        sync_file(Path(path))
    if new:
        sync_folder(folder)
    synced |= new
