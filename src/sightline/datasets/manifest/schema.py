"""The columns of a manifest's tables, and what stands beside them in each file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from typing import Any, Literal

import pyarrow as pa

from sightline.datasets.rows import AerialPatch, Pair, Photo, Row, labels_to_json

SCHEMA_VERSION = "sightline.manifest/1"

TableName = Literal["photos", "patches", "pairs"]
TABLES: tuple[TableName, ...] = ("photos", "patches", "pairs")


def file_of(table: TableName) -> str:
    """Return the name of a table's file in the manifest's folder."""
    return f"{table}.parquet"


ROW_TYPES: Mapping[TableName, type[Photo | AerialPatch | Pair]] = {
    "photos": Photo,
    "patches": AerialPatch,
    "pairs": Pair,
}

INFORMATION_KEY = b"sightline.manifest"

_TEXT, _NUMBER, _WHOLE = pa.string(), pa.float64(), pa.int32()

SCHEMAS: Mapping[TableName, pa.Schema] = {
    "photos": pa.schema(
        [
            pa.field("id", _TEXT, nullable=False),
            pa.field("uri", _TEXT, nullable=False),
            ("lat", _NUMBER),
            ("lon", _NUMBER),
            ("heading_degrees", _NUMBER),
            ("fov_degrees", _NUMBER),
            pa.field("projection", _TEXT, nullable=False),
            ("captured_at", _TEXT),
            ("photographer", _TEXT),
            ("country", _TEXT),
            ("source", _TEXT),
            ("licence", _TEXT),
            ("split", _TEXT),
            ("sha256", _TEXT),
            ("width", _WHOLE),
            ("height", _WHOLE),
            ("locatable", pa.bool_()),
            ("labels", _TEXT),
            ("origin", _TEXT),
        ]
    ),
    "patches": pa.schema(
        [
            pa.field("id", _TEXT, nullable=False),
            pa.field("uri", _TEXT, nullable=False),
            ("lat", _NUMBER),
            ("lon", _NUMBER),
            ("metres_per_pixel", _NUMBER),
            ("size_px", _WHOLE),
            ("captured_at", _TEXT),
            ("source", _TEXT),
            ("licence", _TEXT),
            ("split", _TEXT),
            ("sha256", _TEXT),
            ("labels", _TEXT),
            ("origin", _TEXT),
        ]
    ),
    "pairs": pa.schema(
        [
            pa.field("id", _TEXT, nullable=False),
            pa.field("photo_id", _TEXT, nullable=False),
            pa.field("patch_id", _TEXT, nullable=False),
            pa.field("relation", _TEXT, nullable=False),
            ("offset_east_m", _NUMBER),
            ("offset_north_m", _NUMBER),
            ("split", _TEXT),
            ("origin", _TEXT),
        ]
    ),
}
"""The columns are the fields of the rows by name; labels are JSON text."""


@dataclass(frozen=True, slots=True)
class Information:
    """What the metadata of each of a manifest's files says.

    Args:
        schema_version: ``sightline.manifest/1``.
        dataset: The dataset's name.
        dataset_version: Its release, subset or label revision.
        root: Where uris start: relative to the manifest's folder where the folder lies below it,
            else absolute.
        tool_version: The Sightline that wrote it.
        counts: Rows by table.
        problems: How many rows and files were left out on request.
        fingerprint: SHA-256 of name, version and all rows, hexadecimal; says nothing of the root,
            of the tool, or of the lines that rows were read from.
    """

    schema_version: str
    dataset: str
    dataset_version: str
    root: str
    tool_version: str
    counts: dict[str, int]
    problems: int
    fingerprint: str

    def to_metadata(self) -> dict[bytes, bytes]:
        """Return it as Parquet's key-value metadata."""
        return {INFORMATION_KEY: json.dumps(asdict(self), sort_keys=True).encode()}


_VALUES = {table: attrgetter(*schema.names) for table, schema in SCHEMAS.items()}
_LABELS_AT: dict[TableName, int] = {
    table: schema.get_field_index("labels") for table, schema in SCHEMAS.items() if table != "pairs"
}


def stored(table: TableName, row: Row) -> tuple[Any, ...]:
    """Return a row as the values of its table's columns; the last is its origin."""
    values: tuple[Any, ...] = _VALUES[table](row)
    at = _LABELS_AT.get(table)
    if at is None:
        return values
    return (*values[:at], labels_to_json(values[at]), *values[at + 1 :])


def to_batch(table: TableName, rows: Sequence[tuple[Any, ...]]) -> pa.RecordBatch:
    """Turn stored rows into a record batch of the table's schema."""
    schema = SCHEMAS[table]
    columns = zip(*rows, strict=True) if rows else [[] for _ in schema]
    arrays = [pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def to_rows(table: TableName, batch: pa.RecordBatch) -> Iterable[Row]:
    """Turn a record batch with all columns back into rows."""
    make = ROW_TYPES[table]
    for values in batch.to_pylist():
        if "labels" in values:
            text = values["labels"]
            values["labels"] = {} if text is None else json.loads(text)
        yield make(**values)
