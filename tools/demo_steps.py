"""One printed ``sightline`` command, as the demo runs them: all in one process.

A program of its own for each would spend most of a short step on importing torch and timm.
"""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import ExitStack, redirect_stdout
from pathlib import Path

from sightline.cli import main


def sightline(*arguments: object, into: Path | None = None) -> int:
    """Print and run one ``sightline`` command; stop the demo where it fails.

    Args:
        arguments: Its words.
        into: A file for what it prints.
    """
    words = [str(argument) for argument in arguments]
    line = shlex.join(shown(word) for word in words) + (f" > {shown(into)}" if into else "")
    print(f"\n$ sightline {line}", flush=True)
    status = run(words, into)
    if status:
        sys.exit(status)
    return status


def run(words: list[str], into: Path | None) -> int:
    """Do what the program does with these words; its exit status."""
    sys.argv = ["sightline", *words]
    with ExitStack() as stack:
        if into is not None:
            target = stack.enter_context(into.open("w", encoding="utf-8"))
            stack.enter_context(redirect_stdout(target))
        try:
            main()
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def shown(path: object) -> str:
    """A path relative to the project, which reads better."""
    text = str(path)
    return os.path.relpath(text, Path.cwd()) if text.startswith("/") else text
