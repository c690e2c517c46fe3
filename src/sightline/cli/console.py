"""What every command shares: results to stdout, progress and errors to stderr, exit statuses."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from sightline.errors import OutputError, SightlineError


class _Terminal(Console):
    def on_broken_pipe(self) -> None:
        """Go on in silence: the reader (head, less) has gone, the work may not be done."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


def _terminal(*, stderr: bool = False) -> _Terminal:
    console = _Terminal(stderr=stderr, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        # What a program reads is not broken into lines.
        console.width = 10_000
    return console


out = _terminal()
err = _terminal(stderr=True)


class Status(IntEnum):
    """Exit statuses; scripts rely on them."""

    OK = 0
    SOME_FAILED = 1
    USAGE = 2
    INTERRUPTED = 130


class ProgressLike(Protocol):
    """What the rooms report while they work: done, total if known, images per second."""

    def __call__(self, done: int, total: int | None = None, rate: float | None = None) -> None:
        """Take one report."""


def printable(text: str) -> str:
    """Return ``text`` safe for a terminal: a file name may hold newlines and escape sequences."""
    from sightline.report.text import visible

    return visible(text)


def say(text: str, *, style: str = "") -> None:
    """Print one line to stdout, markup switched off."""
    out.print(Text(text, style=style))


def say_json(document: object) -> None:
    """Print one JSON document to stdout, on one line of plain ASCII.

    ASCII survives every terminal, and every file name that is no valid text.
    """
    out.out(json.dumps(document, allow_nan=False), highlight=False)


def note(text: str, *, style: str = "dim") -> None:
    """Print one line to stderr."""
    err.print(Text(text, style=style))


def complain(error: SightlineError) -> None:
    """Print an error to stderr: what was refused and why, then the next step."""
    line = Text("error: ", style="bold red")
    line.append(printable(error.message), style="not bold default")
    err.print(line)
    err.print(Text(f"       {printable(error.hint)}", style="dim"))


@contextmanager
def progress_bar(what: str, *, unit: str = "images") -> Iterator[ProgressLike]:
    """Show a bar with rate and remaining time on stderr; silent where stderr is no terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(what, total=None, rate="")

        def report(done: int, total: int | None = None, rate: float | None = None) -> None:
            shown = "" if rate is None else f"{rate:,.1f} {unit}/s"
            bar.update(task, completed=done, total=total, rate=shown)

        yield report


def require_writable(path: Path | None, *inputs: Path) -> None:
    """Refuse an output path before the long work, not after it.

    Args:
        path: The file to be written, or None for no file.
        inputs: Files that are read, and so must not be written over.

    Raises:
        OutputError: The folder is missing or may not be written, the path is a folder, or it is
            one of the inputs.
    """
    if path is None:
        return
    folder = path.parent
    if path.is_dir():
        raise OutputError(f"{path} is a folder.", hint="Name a file to write.", path=path)
    if not folder.is_dir():
        raise OutputError(
            f"{path} cannot be written: the folder {folder} does not exist.",
            hint="Make the folder first, or choose another.",
            path=path,
        )
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise OutputError(
            f"{path} cannot be written: permission denied.",
            hint="Choose a file you may write.",
            path=path,
        )
    for read in inputs:
        if path.exists() and read.exists() and path.samefile(read):
            raise OutputError(
                f"{path} is read, and would be written over.",
                hint="Name another file to write.",
                path=path,
            )


def run(command: Callable[[], object]) -> None:
    """Run the whole program; turn every public error into one message and an exit status.

    Typer ends an interrupt itself, with status 130.
    """
    try:
        command()
    except SightlineError as error:
        complain(error)
        sys.exit(Status.USAGE)
