"""One door to every list of photos."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from sightline.datasets.folder import scan_folder
from sightline.datasets.records import PhotoRecord, RecordProblem
from sightline.datasets.table import read_table
from sightline.errors import PhotoNotFoundError, TableError
from sightline.imagery.formats import PHOTO_SUFFIXES

_TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".pq")


def open_source(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
) -> Iterator[PhotoRecord | RecordProblem]:
    """Read photos from a folder, a CSV or Parquet table, a single photo, or several of these.

    Yields:
        A record for each photo, or a problem for each row or file that cannot be used.

    Raises:
        PhotoNotFoundError: Nothing there, or a folder without images.
        TableError: A table that cannot be read, or a file that is neither table nor photo.
    """
    several = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    return chain.from_iterable([_open_one(Path(path)) for path in several])


def _open_one(path: Path) -> Iterator[PhotoRecord | RecordProblem]:
    if path.is_dir():
        return scan_folder(path)
    if not path.exists():
        raise PhotoNotFoundError(
            f"There is no folder, table or photo {str(path)!r}.",
            hint="Give a folder of photos, or a CSV or Parquet file with path, lat and lon.",
            path=path,
        )
    suffix = path.suffix.lower()
    if suffix in _TABLE_SUFFIXES:
        return read_table(path)
    if suffix in PHOTO_SUFFIXES:
        return iter([PhotoRecord(uri=str(path))])
    raise TableError(
        f"{str(path)!r} is neither a folder, nor a table ({', '.join(_TABLE_SUFFIXES)}), nor a "
        "photo.",
        hint="Give a folder of photos, or a CSV or Parquet file with path, lat and lon.",
        path=path,
    )
