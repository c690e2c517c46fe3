"""Rows of CSV and Parquet files, with the line that each stands in.

Everything that reads a list of photos or of answers reads it through here, so that every list
takes the same dialects and complains in the same words.
"""

from __future__ import annotations

import csv
import datetime as dt
import difflib
import math
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from sightline.errors import CoordinateError, SightlineError, TableError

Row = tuple[int, Mapping[str, Any] | SightlineError]
"""Where it stands (the line of a CSV file, the row of a Parquet file, both from 1), and its cells
by the names that were chosen for the columns, or why it has none."""

Checked = TypeVar("Checked")

Choose = Callable[[Sequence[str]], Mapping[str, int]]
"""Takes the names in the header, says which column to read under which name."""

EMPTY = frozenset({"", "nan", "null", "none", "na", "n/a"})
"""What programs write, in any case, where there is nothing: in numbers, names and flags alike."""

DEGREES_HINT = "Write decimal degrees, latitude first: 48.8566, not 48°51'N."
METRES_HINT = "Write metres as a plain number: 250.5, or leave it empty."

_DELIMITERS = ",;\t|"


def read_rows(path: str | os.PathLike[str], choose: Choose, *, header: str) -> Iterator[Row]:
    """Read a CSV or Parquet file row by row.

    CSV files are UTF-8, with or without a byte order mark, and separated by commas, semicolons,
    tabs or bars (the header says which). Empty lines are passed over.

    Args:
        path: The file.
        choose: Which columns to read; raises what it has to say about a header.
        header: A header line to propose for an empty file.

    Raises:
        TableError: The file is missing, empty, not UTF-8 or not a table (at the call or, where it
            shows only later, while iterating).
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
        raise unusable(table, "is empty", f"Write a header line: {header}.")
    return _parquet_rows(table, choose) if head == b"PAR1" else _csv_rows(table, choose)


def number_of(
    value: object, column: str, line: int, table: Path, *, hint: str = DEGREES_HINT
) -> float | None:
    """Return a cell as a number; None where it is empty or says so (:data:`EMPTY`).

    Args:
        value: The cell.
        column: Its column, for the message.
        line: Its line.
        table: Its file.
        hint: How to write such a number.

    Raises:
        CoordinateError: It is text, or infinite; names column, line and value.
    """
    if isinstance(value, str):
        plain = value.strip()
        if plain.lower() in EMPTY:
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
            hint=hint,
            path=table,
        ) from cause
    if math.isinf(number):
        raise CoordinateError(
            f"{column} must be finite. Got {value!r} in line {line} of {str(table)!r}.",
            hint=hint,
            path=table,
        )
    return number


def text_of(value: object, *, empty: Collection[str] = EMPTY) -> str | None:
    """Return a cell as text without the space around it; None where it is empty or says so.

    Args:
        value: The cell.
        empty: What counts as empty, in lower case.
    """
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    plain = "" if value is None else str(value).strip()
    return None if plain.lower() in empty else plain


def located(error: SightlineError, line: int, table: Path) -> SightlineError:
    """Return the error with the line it comes from, if it does not name it already."""
    if f"line {line} of" in error.message.lower():
        return error
    message = f"Line {line} of {str(table)!r}: {error.message}"
    return type(error)(message, hint=error.hint, path=error.path or table)


def known_columns(names: Sequence[str], synonyms: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return where the known columns of a header stand, whatever the case they are written in.

    Args:
        names: What stands in the header.
        synonyms: For each column what it may be called, in lower case, the preferred name first.
    """
    plain = [name.strip().lower() for name in names]
    return {
        column: plain.index(next(name for name in called if name in plain))
        for column, called in synonyms.items()
        if any(name in plain for name in called)
    }


def check_lines(
    check: Callable[[Any], Checked], values: Any, lines: Sequence[int], table: Path
) -> Checked:
    """Return what ``check`` makes of a column, or name the line of the first value it refuses.

    Args:
        check: Takes any slice of the values, and refuses it if it refuses one of them.
        values: All values, a sequence or an array.
        lines: The line of each.
        table: Their file.

    Raises:
        SightlineError: What ``check`` raises, with the line.
    """
    try:
        return check(values)
    except SightlineError as error:
        good, bad, last = 0, len(values), error
        while bad - good > 1:
            middle = (good + bad) // 2
            try:
                check(values[good:middle])
            except SightlineError as nearer:
                bad, last = middle, nearer
            else:
                good = middle
        try:
            check(values[good:bad])
        except SightlineError as nearest:
            last = nearest
        raise located(last, lines[good], table) from None


def missing_columns(
    table: Path,
    names: Sequence[str],
    missing: Sequence[str],
    hint: str,
    *,
    taken: Collection[str] = (),
) -> TableError:
    """Say which columns a header lacks, what it has, and what may have been meant.

    Args:
        table: The file.
        names: What stands in its header.
        missing: The columns it lacks.
        hint: What to write instead.
        taken: Names that have another meaning, and so are not what was meant.
    """
    plain = [name.strip() for name in names]
    free = [name.lower() for name in plain if name not in taken]
    near = [
        f"{match!r} for {column!r}"
        for column in missing
        for match in difflib.get_close_matches(column, free, n=1, cutoff=0.4)
    ]
    return TableError(
        f"{str(table)!r} lacks the column{'s'[: len(missing) > 1]} {', '.join(missing)}. "
        f"It has: {', '.join(plain)[:500]}.",
        hint=(f"Did you mean {', '.join(near)}? " if near else "") + hint,
        path=table,
    )


def unusable(table: Path, what: str, hint: str) -> TableError:
    """Say why a file as a whole cannot be used."""
    return TableError(f"The table {str(table)!r} {what}.", hint=hint, path=table)


def _csv_rows(table: Path, choose: Choose) -> Iterator[Row]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            header = stream.readline()
            delimiter = max(_DELIMITERS, key=header.count)
            names = next(csv.reader([header], delimiter=delimiter, skipinitialspace=True), [])
            columns = choose(names)
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
        raise unusable(table, "is not UTF-8 text", "Save it as UTF-8.") from cause
    except csv.Error as cause:
        raise unusable(table, f"is not a CSV file: {cause}", "Save it as CSV again.") from cause


def _parquet_rows(table: Path, choose: Choose) -> Iterator[Row]:
    try:
        with pq.ParquetFile(table) as file:
            names = list(file.schema_arrow.names)
            columns = choose(names)
            wanted = [names[position] for position in columns.values()]
            line = 0
            for batch in file.iter_batches(batch_size=4096, columns=wanted):
                for row in batch.to_pylist():
                    line += 1
                    yield line, {name: row[names[at]] for name, at in columns.items()}
    except (pa.ArrowException, OSError) as cause:
        reason = " ".join(str(cause).split())[:200]
        raise unusable(
            table, f"is not a readable Parquet file: {reason}", "Write it again."
        ) from cause


def _ragged(table: Path, line: int, cells: int, columns: int) -> TableError:
    return TableError(
        f"Line {line} of {str(table)!r} has {cells} cells where the header has {columns}.",
        hint="Quote cells that hold the separator.",
        path=table,
    )
