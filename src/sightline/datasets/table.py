"""Lists of photos in CSV and Parquet files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sightline.datasets.records import PhotoRecord, RecordProblem
from sightline.errors import CoordinateError, SightlineError, TableError
from sightline.tabular import (
    Row,
    located,
    missing_columns,
    number_of,
    read_rows,
    text_of,
    unusable,
)

COLUMNS: dict[str, tuple[str, ...]] = {
    "path": ("path", "file", "filename", "file_name", "filepath", "image", "photo", "uri"),
    "lat": ("lat", "latitude", "y"),
    "lon": ("lon", "lng", "long", "longitude", "x"),
    "heading_degrees": ("heading_degrees", "heading", "bearing", "compass_angle", "direction"),
    "captured_at": ("captured_at", "datetime", "timestamp", "taken_at", "date"),
    "source": ("source",),
    "licence": ("licence", "license"),
    "projection": ("projection", "projection_type"),
}
"""The columns of a list of photos, each with the names it is known by, in any case."""

_REQUIRED = ("path", "lat", "lon")


def read_table(path: str | os.PathLike[str]) -> Iterator[PhotoRecord | RecordProblem]:
    """Read a list of photos from a CSV or Parquet file, row by row.

    CSV files are UTF-8, with or without a byte order mark, and separated by commas, semicolons,
    tabs or bars (the header says which). Columns are found by the names in ``COLUMNS``; path, lat
    and lon must be there, others are ignored. Relative paths start at the table's folder. A row
    with both coordinates empty gives a record without a place, for EXIF to fill.

    Yields:
        A record, or, for a row that cannot be used, a problem with its line. Bad rows never stop
        the list.

    Raises:
        TableError: The file is missing, empty, not UTF-8, not a table, or lacks a column (at the
            call or, where it shows only later, while iterating).
    """
    return (record for _, record in numbered_records(path))


def numbered_records(
    path: str | os.PathLike[str],
) -> Iterator[tuple[int, PhotoRecord | RecordProblem]]:
    """Read a list as :func:`read_table` does, each record with the line it stands in.

    Raises:
        TableError: As for :func:`read_table`.
    """
    table = Path(path)
    rows = read_rows(table, lambda names: _columns(table, names), header="path,lat,lon")
    return _records(table, rows)


def _records(table: Path, rows: Iterator[Row]) -> Iterator[tuple[int, PhotoRecord | RecordProblem]]:
    empty = True
    for line, cells in rows:
        empty = False
        if isinstance(cells, SightlineError):
            yield line, RecordProblem(uri=str(table), line=line, error=cells)
            continue
        try:
            yield line, _record(table, line, cells)
        except (CoordinateError, TableError) as error:
            named = text_of(cells.get("path"))
            uri = str(table if named is None else table.parent / named)
            yield line, RecordProblem(uri=uri, line=line, error=located(error, line, table))
    if empty:
        raise unusable(table, "has a header and no rows", "Add one line for each photo.")


def _record(table: Path, line: int, cells: Mapping[str, Any]) -> PhotoRecord:
    named = text_of(cells.get("path"))
    if named is None:
        raise TableError(
            f"Line {line} of {str(table)!r} names no file.",
            hint="Fill the path column.",
            path=table,
        )
    return PhotoRecord(
        uri=str(table.parent / named),
        lat=number_of(cells.get("lat"), "lat", line, table),
        lon=number_of(cells.get("lon"), "lon", line, table),
        heading_degrees=number_of(cells.get("heading_degrees"), "heading_degrees", line, table),
        captured_at=text_of(cells.get("captured_at")),
        source=text_of(cells.get("source")),
        licence=text_of(cells.get("licence")),
        projection=text_of(cells.get("projection")),
    )


def _columns(table: Path, names: Sequence[str]) -> dict[str, int]:
    """Return where each known column stands.

    Raises:
        TableError: A required column is missing.
    """
    plain = [name.strip().lower() for name in names]
    found = {}
    for column, synonyms in COLUMNS.items():
        position = next((plain.index(name) for name in synonyms if name in plain), None)
        if position is not None:
            found[column] = position
    missing = [column for column in _REQUIRED if column not in found]
    if missing:
        hint = "Name the columns path, lat, lon in the first line."
        raise missing_columns(table, names, missing, hint)
    return found
