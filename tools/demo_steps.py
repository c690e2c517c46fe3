"""One printed ``sightline`` command, as the demo runs them."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path


def sightline(*arguments: object, into: Path | None = None) -> int:
    """Print and run one ``sightline`` command; stop the demo where it fails.

    Args:
        arguments: Its words.
        into: A file for what it prints.
    """
    words = [str(argument) for argument in arguments]
    line = shlex.join(shown(word) for word in words) + (f" > {shown(into)}" if into else "")
    print(f"\n$ sightline {line}", flush=True)
    command = [sys.executable, "-m", "sightline", *words]
    if into is None:
        status = subprocess.run(command, check=False).returncode
    else:
        with into.open("wb") as target:
            status = subprocess.run(command, check=False, stdout=target).returncode
    if status:
        sys.exit(status)
    return status


def shown(path: object) -> str:
    """A path relative to the project, which reads better."""
    text = str(path)
    return os.path.relpath(text, Path.cwd()) if text.startswith("/") else text
