"""Partitions as files: our own, in Parquet, and the lists that others publish.

Published lists are told apart by their columns: boxes with ``min_lat, min_lon, max_lat, max_lon``
(OSV-5M), S2 tokens in ``hex_id`` (GeoEstimation and what followed it), or bare centres ``lat, lon``
(visloc's mixture). Their order, which is the order of a classifier's classes, is kept.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sightline.durable import whole_file
from sightline.errors import PartitionError, SightlineError, TableError
from sightline.geo import cells as s2
from sightline.geo.coordinates import as_coordinates
from sightline.geo.partition import Boxes, Cells, Centres, Partition, S2Cells
from sightline.tabular import (
    check_lines,
    known_columns,
    missing_columns,
    number_of,
    read_rows,
    text_of,
    unusable,
)
from sightline.version import __version__

SCHEMA_VERSION = "sightline.partition/1"

_KEY = b"sightline.partition"
_EDGES = ("south", "west", "north", "east")
_MOST_MEMBERS = 2.0**53  # beyond it a float is no count

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "row": ("cluster_id", "class_label", "class", "row"),
    "token": ("hex_id", "token", "s2_token", "cell"),
    "south": ("min_lat", "south"),
    "west": ("min_lon", "west"),
    "north": ("max_lat", "north"),
    "east": ("max_lon", "east"),
    "lat": ("mean_lat", "latitude_mean", "lat", "latitude"),
    "lon": ("mean_lon", "longitude_mean", "lon", "lng", "longitude"),
    "members": ("imgs_per_cell", "members", "count"),
}
_HINT = (
    "Name the columns min_lat, min_lon, max_lat, max_lon, mean_lat, mean_lon for boxes, hex_id, "
    "latitude_mean, longitude_mean for S2 cells, or lat, lon for centres."
)


def save_partition(path: str | os.PathLike[str], partition: Partition) -> None:
    """Write a partition as one Parquet file, whole or not at all.

    Raises:
        OutputError: The file cannot be written.
    """
    with whole_file(Path(path)) as temporary:
        pq.write_table(_table(partition), temporary, compression="zstd")


def partition_bytes(partition: Partition) -> bytes:
    """Return what :func:`save_partition` writes."""
    stream = io.BytesIO()
    pq.write_table(_table(partition), stream, compression="zstd")
    return stream.getvalue()


def partition_of_bytes(content: bytes, name: str | os.PathLike[str]) -> Partition:
    """Read the content of a file of :func:`save_partition`.

    Args:
        content: Of the whole file.
        name: What errors call it.

    Raises:
        TableError: Damaged, of a newer Sightline, or no partition.
    """
    return _own(pa.BufferReader(content), Path(name))


def partition_csv(partition: Partition) -> str:
    """Return a partition as CSV text, which :func:`read_published` reads again.

    Columns: the row; the S2 token, or the edges of a box; the representative; the members where
    they are known.
    """
    held = partition.cells
    columns: dict[str, list[Any]] = {"row": list(range(len(partition)))}
    if isinstance(held, S2Cells):
        columns["token"] = held.names()
    elif isinstance(held, Boxes):
        columns |= {name: held.edges[:, at].tolist() for at, name in enumerate(_EDGES)}
    columns["lat"], columns["lon"] = partition.representatives.T.tolist()
    if partition.members is not None:
        columns["members"] = partition.members.tolist()
    lines = (",".join(map(str, row)) for row in zip(*columns.values(), strict=True))
    return "\n".join([",".join(columns), *lines]) + "\n"


def load_partition(path: str | os.PathLike[str]) -> Partition:
    """Read a partition: a file of :func:`save_partition`, or a published list.

    Raises:
        TableError: The file is missing, damaged, of a newer Sightline, or no partition.
        PartitionError: Its cells overlap, or are fewer than two.
        CellError: A published list holds what is no S2 token.
        CoordinateError: A representative is out of range or no number.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            is_parquet = stream.read(4) == b"PAR1"
    except OSError as cause:
        raise TableError(
            f"The partition {str(file)!r} cannot be read: {cause.strerror}.",
            hint="Check the path; `sightline partition build` makes one.",
            path=file,
        ) from cause
    return _own(file, file) if is_parquet else read_published(file)


def read_published(path: str | os.PathLike[str]) -> Partition:
    """Read a list of cells that others publish as CSV; see the top of this module.

    Raises:
        TableError: Missing, empty, no table, columns of no known list, or a line that lacks a
            number; names the line.
        PartitionError: Its cells overlap, are fewer than two, or are numbered out of order.
        CellError: A token that is none.
        CoordinateError: A place out of range or no number.
    """
    file = Path(path)
    chosen: dict[str, int] = {}

    def choose(names: Sequence[str]) -> Mapping[str, int]:
        chosen.update(_columns(file, names))
        return chosen

    lines: list[int] = []
    rows: list[Mapping[str, Any]] = []
    for line, row in read_rows(file, choose, header="hex_id,latitude_mean,longitude_mean"):
        if isinstance(row, SightlineError):
            raise row
        lines.append(line)
        rows.append(row)
    if not rows:
        raise unusable(file, "has a header and no rows", "Add one line for each cell.")
    _check_numbering(file, rows, lines)

    def column(name: str) -> NDArray[np.float64]:
        values = [
            number_of(row[name], name, line, file) for row, line in zip(rows, lines, strict=True)
        ]
        if None in values:
            line = lines[values.index(None)]
            raise TableError(
                f"Line {line} of {str(file)!r} has no {name}.", hint="Fill the column.", path=file
            )
        return np.array(values, dtype=np.float64)

    points = np.column_stack([column("lat"), column("lon")])
    check_lines(partial(as_coordinates, name="place"), points, lines, file)
    cells: Cells
    if "token" in chosen:
        tokens = [text_of(row["token"], empty=()) or "" for row in rows]
        cells = S2Cells(check_lines(s2.from_tokens, tokens, lines, file))
    elif "south" in chosen:
        cells = Boxes(np.column_stack([column(name) for name in _EDGES]))
    else:
        cells = Centres(points)
    members = _counts(file, lines, column("members")) if "members" in chosen else None
    return Partition(cells, points, members, {"method": "published", "name": file.name})


def _counts(file: Path, lines: Sequence[int], values: NDArray[np.float64]) -> NDArray[np.int64]:
    bad = ~((values >= 0) & (values < _MOST_MEMBERS) & (values == np.floor(values)))
    if bad.any():
        at = int(np.argmax(bad))
        raise TableError(
            f"members must be a whole number of at least 0. Got {values[at]:g} in line {lines[at]} "
            f"of {str(file)!r}.",
            hint="Leave the column out where the numbers are not known.",
            path=file,
        )
    return values.astype(np.int64)


def _table(partition: Partition) -> pa.Table:
    columns: dict[str, Any] = {}
    held = partition.cells
    if isinstance(held, S2Cells):
        columns["cell"] = pa.array(held.ids, pa.uint64())
    elif isinstance(held, Boxes):
        columns |= {name: held.edges[:, at] for at, name in enumerate(_EDGES)}
    elif isinstance(held, Centres):
        columns |= {"centre_lat": held.points[:, 0], "centre_lon": held.points[:, 1]}
    columns["lat"], columns["lon"] = partition.representatives.T
    if partition.members is not None:
        columns["members"] = pa.array(partition.members, pa.int64())
    told = {
        "schema_version": SCHEMA_VERSION,
        "kind": partition.kind,
        "cells": len(partition),
        "fingerprint": partition.fingerprint,
        "settings": dict(partition.settings),
        "tool_version": __version__,
    }
    return pa.table(columns).replace_schema_metadata({_KEY: json.dumps(told, sort_keys=True)})


def _own(source: Path | pa.BufferReader, file: Path) -> Partition:
    try:
        table = pq.read_table(source)
        told = json.loads((table.schema.metadata or {})[_KEY])
        version, kind = told["schema_version"], told["kind"]
        settings, fingerprint = dict(told["settings"]), told["fingerprint"]
    except KeyError as cause:
        raise TableError(
            f"{str(file)!r} is a Parquet file, but no partition.",
            hint="Make one with `sightline partition build`.",
            path=file,
        ) from cause
    except (pa.ArrowException, OSError, TypeError, ValueError) as cause:
        raise _damaged(file, " ".join(str(cause).split())[:200]) from cause
    if version != SCHEMA_VERSION:
        raise TableError(
            f"{str(file)!r} is written as {version!r}, and {SCHEMA_VERSION!r} is known here.",
            hint="Read it with the Sightline that wrote it, or build the partition again.",
            path=file,
        )
    try:
        partition = _rebuilt(table, kind, settings)
    except (KeyError, SightlineError) as cause:
        reason = cause.message if isinstance(cause, SightlineError) else str(cause)
        raise _damaged(file, reason) from cause
    if partition.fingerprint != fingerprint:
        raise _damaged(file, "its rows are not those that its fingerprint names")
    return partition


def _rebuilt(table: pa.Table, kind: str, settings: Mapping[str, Any]) -> Partition:
    def column(name: str) -> NDArray[Any]:
        values: NDArray[Any] = table.column(name).to_numpy()
        return values

    points = np.column_stack([column("lat"), column("lon")])
    cells: Cells
    if kind == "s2":
        cells = S2Cells(column("cell"))
    elif kind == "boxes":
        cells = Boxes(np.column_stack([column(name) for name in _EDGES]))
    elif kind == "centres":
        cells = Centres(np.column_stack([column("centre_lat"), column("centre_lon")]))
    else:
        raise PartitionError(f"There are no cells of the kind {kind!r}.", hint="Build it again.")
    members = column("members") if "members" in table.column_names else None
    return Partition(cells, points, members, settings)


def _columns(file: Path, names: Sequence[str]) -> dict[str, int]:
    found = known_columns(names, _COLUMNS)
    wanted = {"lat", "lon"} | (set(_EDGES) if set(_EDGES) & set(found) else set())
    missing = [column for column in (*_EDGES, "lat", "lon") if column in wanted - set(found)]
    if missing:
        raise missing_columns(file, names, missing, _HINT)
    return found


def _check_numbering(file: Path, rows: Sequence[Mapping[str, Any]], lines: Sequence[int]) -> None:
    """Refuse a list whose own numbers of classes are not its order."""
    if "row" not in rows[0]:
        return
    for expected, (row, line) in enumerate(zip(rows, lines, strict=True)):
        if number_of(row["row"], "row", line, file) != expected:
            raise PartitionError(
                f"The cells of {str(file)!r} must be numbered from 0 in order. Line {line} has "
                f"{row['row']!r} where {expected} is due.",
                hint="Sort the list by its numbers.",
            )


def _damaged(file: Path, reason: str) -> TableError:
    return TableError(
        f"The partition {str(file)!r} is damaged: {reason.rstrip('.')}.",
        hint="Build it again.",
        path=file,
    )
