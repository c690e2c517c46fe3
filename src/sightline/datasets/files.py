"""The image file of a row: hashed, measured, and decoded where that is asked for."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import stat
from pathlib import Path
from typing import Literal

from sightline.datasets.rows import AerialPatch, Photo
from sightline.errors import PhotoNotFoundError, PhotoUnreadableError, SightlineError
from sightline.imagery.header import decoding, read_header
from sightline.imagery.limits import Limits

FileCheck = Literal["trust", "read", "decode"]
"""How far a file is believed: not looked at; read for hash and header; decoded to the last row."""

FileRow = Photo | AerialPatch

# Tiles and thumbnails of datasets are smaller than photos that someone took.
_LIMITS = Limits(min_side=1)


def checked_file(root: Path, row: FileRow, *, decode: bool = False) -> FileRow:
    """Read a row's file and return the row with hash and size.

    Args:
        root: The folder that uris are relative to.
        row: A photo or a patch.
        decode: Decode all pixels as well: the only proof that a file is whole.

    Raises:
        PhotoError: The file is missing, unreadable, or no image; names the file and the line of
            the list that it comes from.
    """
    path = root / row.uri
    try:
        data = _bytes_of(path)
        header = read_header(io.BytesIO(data), _LIMITS, str(path))
        if decode:
            with decoding(str(path)):
                header.image.load()
        width, height = header.width, header.height
    except SightlineError as error:
        raise located_file(error, row.origin) from error
    digest = hashlib.sha256(data).hexdigest()
    if row.sha256 not in (None, digest):
        changed = PhotoUnreadableError(
            f"{str(path)!r} has another content than its list says: its SHA-256 is {digest}, and "
            f"{row.sha256} is written there.",
            hint="Copy the file again, or make the list anew.",
            path=path,
        )
        raise located_file(changed, row.origin)
    if isinstance(row, AerialPatch):
        return dataclasses.replace(row, sha256=digest, size_px=width)
    return dataclasses.replace(row, sha256=digest, width=width, height=height)


def entries_of(folder: Path) -> list[os.DirEntry[str]]:
    """Return what stands in a folder, by name.

    Raises:
        PhotoNotFoundError: The folder is not there or may not be read.
    """
    try:
        return sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as cause:
        raise PhotoNotFoundError(
            f"The folder {str(folder)!r} cannot be read: {cause.strerror or cause}.",
            hint="Check the path and who may read it.",
            path=folder,
        ) from cause


def located_file(error: SightlineError, origin: str | None) -> SightlineError:
    """Return the error with the line of the list that names the file."""
    if origin is None:
        return error
    message = f"{error.message.rstrip('.')} (named in {origin})."
    return type(error)(message, hint=error.hint, path=error.path)


def _bytes_of(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
            raise PhotoUnreadableError(  # reading a pipe would wait for ever
                f"{str(path)!r} is no regular file.", hint="Copy the photo again.", path=path
            )
        _LIMITS.check_bytes(status.st_size, str(path))
        return path.read_bytes()
    except OSError as cause:
        raise PhotoNotFoundError(
            f"{str(path)!r} cannot be read: {cause.strerror}.",
            hint="Unpack the dataset completely, or leave out what is missing.",
            path=path,
        ) from cause
