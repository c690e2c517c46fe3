"""Sightline's own plain layout: folders of images, and three tables that say everything.

::

    photos/<key>.jpg     ground photos
    aerial/<key>.jpg     aerial patches
    photos.csv, patches.csv, pairs.csv     the columns of a manifest; labels are JSON

Any folder with such tables is read, whatever its images' folders are called.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from sightline.datasets.dataset import Dataset
from sightline.datasets.layouts.layout import Layout, PlannedFile, Recognition
from sightline.datasets.layouts.lists import key_of, located_problem, origin_of
from sightline.datasets.layouts.sample import Sample
from sightline.datasets.manifest.schema import ROW_TYPES, SCHEMAS, TABLES, TableName, stored
from sightline.datasets.records import RecordProblem
from sightline.datasets.rows import AerialPatch, Pair, Photo, Row
from sightline.durable import write_text
from sightline.errors import SightlineError, TableError, UsageError
from sightline.tabular import METRES_HINT, missing_columns, number_of, read_rows, text_of

NAME = "plain"
_KINDS = {"string": str, "double": float, "int32": int, "bool": bool}
_REQUIRED = {
    "photos": ("id", "uri"),
    "patches": ("id", "uri"),
    "pairs": ("id", "photo_id", "patch_id"),
}
_TRUTHS = {"true": True, "false": False}


def recognise(root: Path) -> Recognition | None:
    """Say whether a folder has the tables."""
    if not (root / "photos.csv").is_file():
        return None
    try:
        next(
            read_rows(
                root / "photos.csv", lambda names: _columns("photos", root, names), header="id,uri"
            ),
            None,
        )
    except TableError:
        return None
    found = tuple(f"table ({t}.csv)" for t in TABLES if (root / f"{t}.csv").is_file())
    return Recognition(NAME, "tables with all columns", 1.0, found)


def read(root: Path, variant: str | None = None) -> Dataset:  # noqa: ARG001
    """Read the tables; ``patches.csv`` and ``pairs.csv`` may be missing.

    Raises:
        TableError: There is no ``photos.csv``, or it lacks its columns (while iterating).
    """
    if not (root / "photos.csv").is_file():
        raise TableError(
            f"There is no photos.csv in {str(root)!r}.",
            hint="Make a table with the columns id, uri, lat, lon.",
            path=root,
        )

    def photos() -> Iterator[Photo | RecordProblem]:
        return cast(Iterator[Photo | RecordProblem], _rows(root, "photos"))

    def patches() -> Iterator[AerialPatch | RecordProblem]:
        return cast(Iterator[AerialPatch | RecordProblem], _rows(root, "patches"))

    def pairs() -> Iterator[Pair | RecordProblem]:
        return cast(Iterator[Pair | RecordProblem], _rows(root, "pairs"))

    return Dataset(root.resolve().name, "plain tables", root, photos, patches, pairs)


def _rows(root: Path, table: TableName) -> Iterator[Row | RecordProblem]:
    path = root / f"{table}.csv"
    if not path.is_file():
        return
    for line, cells in read_rows(path, lambda n: _columns(table, path, n), header="id,uri"):
        if isinstance(cells, SightlineError):
            yield located_problem(path, line, cells)
            continue
        try:
            yield ROW_TYPES[table](**_values(table, path, line, cells))
        except SightlineError as error:
            yield located_problem(path, line, error)


def _values(table: TableName, path: Path, line: int, cells: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {"origin": origin_of(path, line)}
    for name, cell in cells.items():
        kind = _KINDS[str(SCHEMAS[table].field(name).type)]
        value: Any = text_of(cell, empty={""})
        if value is None:
            continue
        if name == "labels":
            value = _labels(value, path, line)
        elif kind is bool:
            if value.lower() not in _TRUTHS:
                raise TableError(f"{name} must be true or false. Got {value!r}.", hint="Or empty.")
            value = _TRUTHS[value.lower()]
        elif kind is not str:
            hint = METRES_HINT if name.startswith("offset") else "Write a plain number."
            value = number_of(value, name, line, path, hint=hint)
            if kind is int and value is not None:
                value = int(value) if value == int(value) else value
        if value is not None:
            values[name] = value
    for name in _REQUIRED[table]:
        values.setdefault(name, "")
    return values


def _labels(text: str, path: Path, line: int) -> dict[str, Any]:
    try:
        labels = json.loads(text)
    except ValueError:
        labels = None
    if not isinstance(labels, dict):
        raise TableError(
            f"labels must be a JSON object. Got {text!r} in line {line} of {str(path)!r}.",
            hint='Write {"name": "value"}, or leave it empty.',
            path=path,
        )
    return labels


def _columns(table: TableName, path: Path, names: Sequence[str]) -> dict[str, int]:
    plain = [name.strip().lower() for name in names]
    known = [name for name in SCHEMAS[table].names if name != "origin"]
    missing = [name for name in _REQUIRED[table] if name not in plain]
    if missing:
        raise missing_columns(path, names, missing, f"The columns are {', '.join(known)}.")
    return {name: plain.index(name) for name in known if name in plain}


class PlainWriter:
    """Writes any samples; a patch that several samples share is one file."""

    def plan(self, number: int, sample: Sample) -> Sequence[PlannedFile]:  # noqa: ARG002
        """Say which files a sample becomes."""
        photos = [
            PlannedFile(photo.row.id, _uri("photos", photo.row), photo.picture)
            for photo in sample.photos
        ]
        patches = [
            PlannedFile(patch.row.id, _uri("aerial", patch.row), patch.picture)
            for patch in sample.patches
        ]
        return (*photos, *patches)

    def finish(self, root: Path, samples: Iterable[tuple[int, Sample]]) -> None:
        """Write the three tables."""
        tables: dict[TableName, dict[str, Row]] = {table: {} for table in TABLES}
        for _, sample in samples:
            for photo in sample.photos:
                _add(tables["photos"], replace(photo.row, uri=_uri("photos", photo.row)))
            for patch in sample.patches:
                row = replace(patch.row, uri=_uri("aerial", patch.row))
                tables["patches"].setdefault(row.id, row)
            for pair in sample.pairs:
                _add(tables["pairs"], pair)
        for table, rows in tables.items():
            if rows or table == "photos":
                write_text(root / f"{table}.csv", _as_csv(table, rows.values()))


def _add(rows: dict[str, Row], row: Row) -> None:
    if row.id in rows:
        raise UsageError(
            f"The id {row.id!r} stands in two samples.", hint="Give each row an id of its own."
        )
    rows[row.id] = row


def _uri(folder: str, row: Photo | AerialPatch) -> str:
    key = key_of(row.id)
    safe = "".join(letter if letter.isalnum() or letter in "-_@,.+" else "_" for letter in key)
    return f"{folder}/{safe}.jpg"


def _as_csv(table: TableName, rows: Iterable[Row]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(SCHEMAS[table].names[:-1])
    for row in rows:
        writer.writerow([_cell(value) for value in stored(table, row)[:-1]])
    return stream.getvalue()


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


LAYOUT = Layout(
    NAME,
    "plain folders with tables",
    "docs/datasets.md",
    recognise,
    read,
    writer=PlainWriter,
)
