"""Where photos are, and nothing else of them: what partitions are made of."""

from __future__ import annotations

import math
import os
from array import array
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sightline.datasets.manifest import Manifest
from sightline.datasets.table import COLUMNS
from sightline.errors import SightlineError, UsageError
from sightline.geo.coordinates import FloatArray, as_coordinates
from sightline.tabular import (
    check_lines,
    known_columns,
    missing_columns,
    number_of,
    read_rows,
    unusable,
)

_AXES = ("lat", "lon")
_HINT = "Name the columns lat, lon in the first line."


class ReadPlaces(NamedTuple):
    """Places of a list.

    Attributes:
        coordinates: (n, 2) degrees, in the order of the list.
        without: How many rows of the list have none, and are left out.
    """

    coordinates: FloatArray
    without: int


def read_places(path: str | os.PathLike[str], *, split: str | None = None) -> ReadPlaces:
    """Read the places of a manifest's photos, or of any table with latitudes and longitudes.

    Args:
        path: A manifest's folder; or a CSV or Parquet file whose header has ``lat`` and ``lon`` (or
            ``latitude``, ``longitude`` and the like); other columns do not matter.
        split: Of a manifest, only photos of this split.

    Raises:
        UsageError: A split of a table, which has none.
        TableError: Missing, empty, no table, or without the two columns.
        CoordinateError: A place is out of range or half given; names its line.
    """
    source = Path(path)
    if source.is_dir():
        batches = Manifest.open(source).batches("photos", split=split, columns=["lat", "lon"])
        parts = [
            np.column_stack([_numbers(one.column(0)), _numbers(one.column(1))]) for one in batches
        ]
        places = np.concatenate(parts) if parts else np.empty((0, 2))
        known = ~np.isnan(places).any(axis=1)
        return ReadPlaces(as_coordinates(places[known]), int((~known).sum()))
    if split is not None:
        raise UsageError(
            f"Only a manifest has splits. Got {split!r} of {str(source)!r}.",
            hint="Leave the split out, or give the folder of a manifest.",
        )
    found = _parquet(source)
    return _table(source) if found is None else found


def _parquet(table: Path) -> ReadPlaces | None:
    """Read a Parquet file's columns of floats as they are, at once; None where it has none."""
    try:
        with pq.ParquetFile(table) as file:
            names = list(file.schema_arrow.names)
            chosen = _columns(table, names)
            fields = [file.schema_arrow.field(chosen[axis]) for axis in _AXES]
            if not all(pa.types.is_floating(field.type) for field in fields):
                return None
            held = file.read(columns=[field.name for field in fields])
    except (pa.ArrowException, OSError):
        return None  # No Parquet file, or a damaged one: reading it row by row says which.
    places = np.column_stack([_numbers(held.column(field.name)) for field in fields])
    known = ~np.isnan(places).all(axis=1)
    return _checked(places[known], (np.flatnonzero(known) + 1).tolist(), int((~known).sum()), table)


def _table(table: Path) -> ReadPlaces:
    chosen: dict[str, int] = {}

    def choose(names: Sequence[str]) -> Mapping[str, int]:
        chosen.update(_columns(table, names))
        return chosen

    # 8 bytes a number, where a list of pairs would have 100.
    numbers, lines = array("d"), array("q")
    without = 0
    for line, row in read_rows(table, choose, header="lat,lon"):
        if isinstance(row, SightlineError):
            raise row
        place = [number_of(row[axis], axis, line, table) for axis in _AXES]
        if place == [None, None]:
            without += 1
            continue
        lines.append(line)
        numbers.extend(math.nan if value is None else value for value in place)
    places = np.frombuffer(numbers, np.float64).reshape(-1, 2)
    return _checked(places, lines, without, table)


def _checked(places: FloatArray, lines: Sequence[int], without: int, table: Path) -> ReadPlaces:
    if not len(places) and not without:
        raise unusable(table, "has a header and no rows", "Add one line for each photo.")
    return ReadPlaces(check_lines(_as_places, places, lines, table), without)


_as_places = partial(as_coordinates, name="place")


def _columns(table: Path, names: Sequence[str]) -> dict[str, int]:
    found = known_columns(names, {axis: COLUMNS[axis] for axis in _AXES})
    missing = [axis for axis in _AXES if axis not in found]
    if missing:
        raise missing_columns(table, names, missing, _HINT)
    return found


def _numbers(column: pa.Array | pa.ChunkedArray) -> FloatArray:
    # Arrow gives nulls of a float column to numpy as NaN.
    return np.asarray(column, np.float64)
