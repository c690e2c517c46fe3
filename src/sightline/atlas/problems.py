"""The photos that did not become rows, each with its reason: ``problems.csv`` of an atlas."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sightline.durable import write_bytes
from sightline.errors import SightlineError

PROBLEMS_NAME = "problems.csv"
_COLUMNS = ("path", "code", "message", "hint")


@dataclass(frozen=True, slots=True)
class Problem:
    """One photo that was left out: its path, a stable code, the reason and the next step."""

    path: str
    code: str
    message: str
    hint: str

    @classmethod
    def of(cls, path: str, error: SightlineError) -> Problem:
        """Return the problem that ``error`` describes."""
        return cls(path, error.code, error.message, error.hint)


def write_problems(atlas: Path, problems: Iterable[Problem]) -> None:
    """Write the table, whole or not at all; raises OutputError."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    writer.writerows((p.path, p.code, p.message, p.hint) for p in problems)
    # File names need not be valid UTF-8; the table still has to name them.
    write_bytes(atlas / PROBLEMS_NAME, text.getvalue().encode("utf-8", "surrogateescape"))


def read_problems(atlas: Path) -> list[Problem]:
    """Read the table of the atlas folder; no table means no problems."""
    try:
        data = (atlas / PROBLEMS_NAME).read_bytes()
    except FileNotFoundError:
        return []
    text = io.StringIO(data.decode("utf-8", "surrogateescape"), newline="")
    return [Problem(**{c: row[c] or "" for c in _COLUMNS}) for row in csv.DictReader(text)]
