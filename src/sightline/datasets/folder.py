"""Photos found in folders and named on a command line."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sightline.datasets.records import PhotoRecord, RecordProblem
from sightline.errors import PhotoNotFoundError, TableError
from sightline.imagery.formats import PHOTO_SUFFIXES


def scan_folder(root: str | os.PathLike[str]) -> Iterator[PhotoRecord | RecordProblem]:
    """Find the photos in a folder and in all folders below it.

    The order is that of the names, folder by folder, and the same on every run. Files are chosen by
    their suffix, in any case; names that begin with a dot are skipped. Linked folders are entered,
    each real folder once, so that loops end.

    Yields:
        A record without coordinates for each photo (its place comes from EXIF), or a problem for a
        folder that may not be read and for a name that is not text.

    Raises:
        PhotoNotFoundError: No such folder (at once), or no photo in it (at the end).
    """
    folder = Path(root)
    if not folder.is_dir():
        raise PhotoNotFoundError(
            f"There is no folder {str(folder)!r}.", hint="Check the path.", path=folder
        )
    return _scan(folder)


def _scan(root: Path) -> Iterator[PhotoRecord | RecordProblem]:
    empty = True
    for item in _walk(root, set()):
        empty = False
        if isinstance(item, RecordProblem):
            yield item
            continue
        try:
            yield PhotoRecord(uri=item)
        except TableError as error:
            yield RecordProblem(uri=ascii(item), line=None, error=error)
    if empty:
        raise PhotoNotFoundError(
            f"There are no images in {str(root)!r}.",
            hint=f"Photos are found by their endings: {', '.join(sorted(PHOTO_SUFFIXES))}.",
            path=root,
        )


def _walk(folder: Path, seen: set[tuple[int, int]]) -> Iterator[str | RecordProblem]:
    try:
        status = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as cause:
        error = PhotoNotFoundError(
            f"The folder {str(folder)!r} cannot be read: {cause.strerror}.",
            hint="Check who may read it.",
            path=folder,
        )
        yield RecordProblem(uri=str(folder), line=None, error=error)
        return
    identity = (status.st_dev, status.st_ino)
    if identity in seen:
        return
    seen.add(identity)
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if _is_folder(entry):
            yield from _walk(folder / entry.name, seen)
        elif Path(entry.name).suffix.lower() in PHOTO_SUFFIXES:
            yield str(folder / entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


@dataclass(frozen=True, slots=True)
class PhotoArguments:
    """What the photos named on a command line come to.

    Args:
        paths: The photos, in the order of the arguments, each once.
        errors: One for each argument that names no photo.
    """

    paths: list[str]
    errors: list[PhotoNotFoundError]


def photos_matching(arguments: Iterable[str | os.PathLike[str]]) -> PhotoArguments:
    """Resolve files, folders and glob patterns (``**`` included) into photos.

    A name that exists is taken as it is, even if it holds ``*``, ``?`` or ``[``. Named files are
    taken whatever their suffix; folders and patterns give the files with a photo's suffix. ``-``
    (standard input) is handed through.
    """
    paths: dict[str, None] = {}
    errors = []
    for argument in arguments:
        try:
            paths.update(dict.fromkeys(_matching(os.fspath(argument))))
        except PhotoNotFoundError as error:
            errors.append(error)
    return PhotoArguments(list(paths), errors)


def _matching(argument: str) -> list[str]:
    if argument == "-" or (os.path.lexists(argument) and not Path(argument).is_dir()):
        return [argument]
    if Path(argument).is_dir():
        return _photos_in(argument)
    found: list[str] = []
    # Path.glob takes no absolute patterns.
    matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207
    for match in matches:
        if Path(match).is_dir():
            # "**" names every folder besides its files; a folder without photos is no error then.
            found += [path for path in _walk(Path(match), set()) if isinstance(path, str)]
        elif Path(match).suffix.lower() in PHOTO_SUFFIXES:
            found.append(match)
    if not found:
        pattern = glob.has_magic(argument)
        raise PhotoNotFoundError(
            f"No photo matches {argument!r}." if pattern else f"There is no file {argument!r}.",
            hint="Check the path; quote patterns so that the shell leaves them alone.",
            path=argument,
        )
    return found


def _photos_in(folder: str) -> list[str]:
    return [item.uri for item in scan_folder(folder) if isinstance(item, PhotoRecord)]
