"""The text files that datasets come with: read line by line, and complained about by line."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from sightline.datasets.layouts.layout import Recognition
from sightline.datasets.records import RecordProblem
from sightline.durable import make_folder, write_text
from sightline.errors import PhotoNotFoundError, SightlineError, TableError, UsageError

Line = TypeVar("Line")
Made = TypeVar("Made")

COMPLETE_HINT = "Unpack the dataset completely, with the label files of the same release."


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Read a text file's lines with their numbers, from 1; empty ones are passed over.

    Raises:
        TableError: The file is missing or is no UTF-8 text.
    """
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(stream, start=1):
                text = line.strip()
                if text:
                    yield number, text
    except OSError as cause:
        raise TableError(
            f"The list {str(path)!r} cannot be read: {cause.strerror}.",
            hint=COMPLETE_HINT,
            path=path,
        ) from cause
    except UnicodeDecodeError as cause:
        raise TableError(
            f"The list {str(path)!r} is not UTF-8 text.", hint="Copy it again.", path=path
        ) from cause


def origin_of(path: Path, line: int) -> str:
    """Say where a row was read from, the way errors do."""
    return f"line {line} of {str(path)!r}"


def line_problem(path: Path, line: int, said: str, hint: str = COMPLETE_HINT) -> RecordProblem:
    """Return what is wrong with a line, as a problem that names file and line."""
    error = TableError(f"Line {line} of {str(path)!r} {said}.", hint=hint, path=path)
    return RecordProblem(uri=str(path), line=line, error=error)


def located_problem(path: Path, line: int, error: SightlineError) -> RecordProblem:
    """Return an error about a row as a problem that names file and line."""
    said = f"line {line} of {str(path)!r}"
    if said.lower() not in error.message.lower():
        message = f"Line {line} of {str(path)!r}: {error.message}"
        error = type(error)(message, hint=error.hint, path=path)
    return RecordProblem(uri=str(path), line=line, error=error)


def unfold(
    lines: Iterable[Line | RecordProblem],
    make: Callable[[Line], Iterable[Made]],
    *,
    problems: bool = False,
) -> Iterator[Made | RecordProblem]:
    """Make rows of parsed lines.

    Args:
        lines: Parsed, or what is wrong with them.
        make: The rows of a line.
        problems: Hand problems on; one of a dataset's streams does, so that each is told once.
    """
    for line in lines:
        if not isinstance(line, RecordProblem):
            yield from make(line)
        elif problems:
            yield line


def once(lines: Iterable[Line], key: Callable[[Line], object]) -> Iterator[Line]:
    """Give of several lines with the same key the first."""
    seen: set[int] = set()
    for line in lines:
        mark = hash(key(line))
        if mark not in seen:
            seen.add(mark)
            yield line


def require(path: Path, what: str) -> Path:
    """Return a path that a layout cannot do without.

    Raises:
        PhotoNotFoundError: It is not there.
    """
    if not path.exists():
        raise PhotoNotFoundError(
            f"{what} is missing: there is no {str(path)!r}.", hint=COMPLETE_HINT, path=path
        )
    return path


def recognised(
    root: Path,
    name: str,
    version: str,
    telling: Sequence[tuple[str, str]],
    others: Sequence[tuple[str, str]] = (),
) -> Recognition | None:
    """Judge a folder by which of a layout's files and folders it has.

    Args:
        root: The folder.
        name: The layout's name.
        version: The version these files belong to.
        telling: Paths and what they are; without any of them it is not this layout.
        others: Paths and what they are that belong to it too.
    """
    found, missing, told = [], [], 0
    for number, (path, what) in enumerate([*telling, *others]):
        if (root / path).exists():
            found.append(f"{what} ({path})")
            told += number < len(telling)
        else:
            missing.append(f"{what} ({path})")
    if not told:
        return None
    share = len(found) / (len(found) + len(missing))
    return Recognition(name, version, share, tuple(found), tuple(missing))


def key_of(row_id: str) -> str:
    """Return the last part of an id: the dataset's own key."""
    return row_id.rsplit("/", 1)[-1]


def panorama_key(row_id: str) -> str:
    """Return 22 letters for an id, the same every time, in the alphabet of panorama ids."""
    digest = hashlib.blake2b(row_id.encode(), digest_size=16).digest()
    return base64.urlsafe_b64encode(digest).decode()[:22]


def one_of_each(name: str, photos: int, patches: int) -> None:
    """Check that a sample is one photo and one patch.

    Raises:
        UsageError: It is not.
    """
    if (photos, patches) != (1, 1):
        raise UsageError(
            f"A sample of {name} must be one photo and one patch. Got {photos} and {patches}.",
            hint="Choose the layout vigor, university1652 or plain for other samples.",
        )


def write_list(path: Path, lines: Iterable[str]) -> None:
    """Write a list whole or not at all."""
    make_folder(path.parent)
    write_text(path, "".join(f"{line}\n" for line in lines))
