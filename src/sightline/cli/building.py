"""A bar while an atlas is built, and the status of a build that was interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from sightline.cli.console import Status, note, progress_bar

if TYPE_CHECKING:
    from sightline.atlas.run import Progress


@contextmanager
def building(unit: str) -> Iterator[Callable[[Progress], None]]:
    """Show a bar of what is done; an interrupt ends with its own exit status.

    Args:
        unit: What is counted.

    Yields:
        What to call with the progress.
    """
    from sightline.atlas.run import BuildInterrupted

    with progress_bar("building", unit=unit) as bar:
        try:
            yield lambda progress: bar(progress.done, progress.total, progress.images_per_s)
        except BuildInterrupted as stop:
            note(str(stop), style="yellow")
            raise typer.Exit(Status.INTERRUPTED) from None
