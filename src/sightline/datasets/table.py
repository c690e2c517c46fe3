"""Lists of photos in CSV and Parquet files."""

from __future__ import annotations

import csv
import datetime as dt
import difflib
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sightline.datasets.records import PhotoRecord, RecordProblem
from sightline.errors import CoordinateError, SightlineError, TableError

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
_EMPTY = frozenset({"", "nan", "null", "none", "na", "n/a"})
_DELIMITERS = ",;\t|"
_DEGREES_HINT = "Write decimal degrees, latitude first: 48.8566, not 48°51'N."


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
    table = Path(path)
    try:
        with table.open("rb") as stream:
            head = stream.read(4)
    except OSError as cause:
        raise TableError(
            f"The table {str(table)!r} cannot be read: {cause.strerror}.",
            hint="Check the path.",
            path=table,
        ) from cause
    if not head:
        raise _unusable(table, "is empty", "Write a header line: path,lat,lon.")
    rows = _parquet_rows(table) if head == b"PAR1" else _csv_rows(table)
    return _records(table, rows)


Row = tuple[int, Mapping[str, Any] | SightlineError]


def _records(table: Path, rows: Iterator[Row]) -> Iterator[PhotoRecord | RecordProblem]:
    empty = True
    for line, cells in rows:
        empty = False
        if isinstance(cells, SightlineError):
            yield RecordProblem(uri=str(table), line=line, error=cells)
            continue
        try:
            yield _record(table, line, cells)
        except (CoordinateError, TableError) as error:
            named = _text(cells.get("path"))
            uri = str(table if named is None else table.parent / named)
            yield RecordProblem(uri=uri, line=line, error=_located(error, line, table))
    if empty:
        raise _unusable(table, "has a header and no rows", "Add one line for each photo.")


def _located(error: SightlineError, line: int, table: Path) -> SightlineError:
    """Return the error with the line it comes from, if it does not name it already."""
    if f"line {line} of" in error.message.lower():
        return error
    message = f"Line {line} of {str(table)!r}: {error.message}"
    return type(error)(message, hint=error.hint, path=error.path or table)


def _record(table: Path, line: int, cells: Mapping[str, Any]) -> PhotoRecord:
    named = _text(cells.get("path"))
    if named is None:
        raise TableError(
            f"Line {line} of {str(table)!r} names no file.",
            hint="Fill the path column.",
            path=table,
        )
    return PhotoRecord(
        uri=str(table.parent / named),
        lat=_number(cells.get("lat"), "lat", line, table),
        lon=_number(cells.get("lon"), "lon", line, table),
        heading_degrees=_number(cells.get("heading_degrees"), "heading_degrees", line, table),
        captured_at=_text(cells.get("captured_at")),
        source=_text(cells.get("source")),
        licence=_text(cells.get("licence")),
        projection=_text(cells.get("projection")),
    )


def _csv_rows(table: Path) -> Iterator[Row]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            header = stream.readline()
            delimiter = max(_DELIMITERS, key=header.count)
            names = next(csv.reader([header], delimiter=delimiter, skipinitialspace=True), [])
            columns = _columns(table, names)
            reader = csv.reader(stream, delimiter=delimiter, skipinitialspace=True)
            for cells in reader:
                line = reader.line_num + 1
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(names):
                    yield line, _ragged(table, line, len(cells), len(names))
                    continue
                yield line, {name: cells[position] for name, position in columns.items()}
    except UnicodeDecodeError as cause:
        raise _unusable(table, "is not UTF-8 text", "Save it as UTF-8.") from cause
    except csv.Error as cause:
        raise _unusable(table, f"is not a CSV file: {cause}", "Save it as CSV again.") from cause


def _parquet_rows(table: Path) -> Iterator[Row]:
    try:
        with pq.ParquetFile(table) as file:
            names = list(file.schema_arrow.names)
            columns = _columns(table, names)
            wanted = [names[position] for position in columns.values()]
            line = 0
            for batch in file.iter_batches(batch_size=4096, columns=wanted):
                for row in batch.to_pylist():
                    line += 1
                    yield line, {name: row[names[at]] for name, at in columns.items()}
    except (pa.ArrowException, OSError) as cause:
        reason = " ".join(str(cause).split())[:200]
        raise _unusable(
            table, f"is not a readable Parquet file: {reason}", "Write it again."
        ) from cause


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
        near = [
            f"{match!r} for {column!r}"
            for column in missing
            for match in difflib.get_close_matches(column, plain, n=1, cutoff=0.4)
        ]
        raise TableError(
            f"{str(table)!r} lacks the column{'s'[: len(missing) > 1]} {', '.join(missing)}. "
            f"It has: {', '.join(name.strip() for name in names)[:500]}.",
            hint=(f"Did you mean {', '.join(near)}? " if near else "")
            + "Name the columns path, lat, lon in the first line.",
            path=table,
        )
    return found


def _number(value: object, column: str, line: int, table: Path) -> float | None:
    if isinstance(value, str):
        plain = value.strip()
        if plain.lower() in _EMPTY:
            return None
        # Tables separated by semicolons often come from places that write 48,85.
        plain = plain.replace(",", ".", 1) if "." not in plain else plain
    else:
        plain = "" if value is None else str(value)
    if not plain or plain == "nan":
        return None
    try:
        number = float(plain)
    except ValueError as cause:
        raise CoordinateError(
            f"{column} must be a number. Got {value!r} in line {line} of {str(table)!r}.",
            hint=_DEGREES_HINT,
            path=table,
        ) from cause
    if math.isinf(number):
        raise CoordinateError(
            f"{column} must be finite. Got {value!r} in line {line} of {str(table)!r}.",
            hint=_DEGREES_HINT,
            path=table,
        )
    return number


def _text(value: object) -> str | None:
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    plain = "" if value is None else str(value).strip()
    return plain or None


def _ragged(table: Path, line: int, cells: int, columns: int) -> TableError:
    return TableError(
        f"Line {line} of {str(table)!r} has {cells} cells where the header has {columns}.",
        hint="Quote cells that hold the separator.",
        path=table,
    )


def _unusable(table: Path, what: str, hint: str) -> TableError:
    return TableError(f"The table {str(table)!r} {what}.", hint=hint, path=table)
