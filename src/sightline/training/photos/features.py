"""Vectors of photos, computed once by a trained backbone and kept as Parquet.

::

    id, lat, lon    of each photo
    part            train, validation or test
    cell            row of the bundle's finest partition; -1 for none
    broken          whether the photo could not be read; its vector is zeros
    vector          float16 (d,), pooled and not of unit length
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sightline.durable import make_folder, whole_file
from sightline.errors import TrainingDataError
from sightline.geo.partition import Partition
from sightline.training.cross_view.pair_data import Rows
from sightline.training.photos.photo_data import PhotoData

FEATURES = "features.parquet"
"""In a run's folder, where its recipe names no other file."""

FEATURES_SCHEMA = "sightline.features/1"
_KEY = b"sightline.features"

VectorBatch = tuple[NDArray[np.float16], NDArray[np.bool_]]
"""Vectors (n, d) of some photos, and which (n,) could not be read."""


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Stored vectors of the photos of a run.

    Attributes:
        vectors: float16 (m, d).
        row_of: (n,) row of each of the run's photos in ``vectors``; -1 where there is none.
        broken: (m,) which could not be read.
    """

    vectors: NDArray[np.float16]
    row_of: Rows
    broken: NDArray[np.bool_]

    def take(self, rows: Rows) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Vectors (k, d) of photos by their numbers, and which of them could not be read."""
        return self.vectors[self.row_of[rows]].astype(np.float32), self.broken_of(rows)

    def broken_of(self, photos: Rows) -> NDArray[np.bool_]:
        """Which of some photos (k,) could not be read."""
        return np.asarray(self.broken[self.row_of[photos]])


def write_features(
    path: Path,
    batches: Iterator[VectorBatch],
    data: PhotoData,
    partition: Partition,
    dimension: int,
    told: Mapping[str, Any],
) -> None:
    """Write vectors of photos, whole or not at all.

    Args:
        path: The file.
        batches: Of the photos of all splits, one split after the other.
        data: The photos.
        partition: For the column ``cell``.
        dimension: d of the vectors.
        told: What they are, for :func:`told_by`.

    Raises:
        OutputError: The file cannot be written.
    """
    schema = pa.schema(
        [
            ("id", pa.string()),
            ("lat", pa.float64()),
            ("lon", pa.float64()),
            ("part", pa.string()),
            ("cell", pa.int64()),
            ("broken", pa.bool_()),
            ("vector", pa.list_(pa.float16(), dimension)),
        ],
        metadata={_KEY: json.dumps(told)},
    )
    rows = np.concatenate(list(data.splits.values()))
    parts = [part for part, own in data.splits.items() for _ in own]
    make_folder(path.parent)
    start = 0
    with whole_file(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for vectors, broken in batches:
            own = slice(start, start + len(vectors))
            places = data.photos.latlon[rows[own]]
            flat = pa.array(vectors.reshape(-1), pa.float16())
            columns = [
                pa.array([data.photos.ids[row] for row in rows[own].tolist()]),
                pa.array(places[:, 0]),
                pa.array(places[:, 1]),
                pa.array(parts[own]),
                pa.array(partition.assign(places)),
                pa.array(broken),
                pa.FixedSizeListArray.from_arrays(flat, dimension),
            ]
            writer.write_batch(pa.record_batch(columns, schema=schema))
            start = own.stop


def told_by(path: Path) -> Any:
    """What a file says of its vectors; raises TrainingDataError if it holds none."""
    try:
        return json.loads((pq.read_schema(path).metadata or {})[_KEY])
    except (OSError, pa.ArrowException, KeyError, ValueError) as cause:
        raise TrainingDataError(
            f"{str(path)!r} holds no stored vectors, or is damaged: {cause}.",
            hint="Name another file with --set features=FILE, or remove this one.",
            path=path,
        ) from cause


def read_features(path: Path, data: PhotoData) -> Features:
    """Read the vectors of a run's photos.

    Args:
        path: The file.
        data: The photos.
    """
    file = pq.ParquetFile(path)
    count, dimension = file.metadata.num_rows, file.schema_arrow.field("vector").type.list_size
    vectors = np.empty((count, dimension), np.float16)
    broken, ids = np.empty(count, bool), []
    start = 0
    for batch in file.iter_batches(columns=["id", "broken", "vector"]):
        own = slice(start, start + len(batch))
        vectors[own] = batch.column("vector").flatten().to_numpy().reshape(-1, dimension)
        broken[own] = batch.column("broken").to_numpy(zero_copy_only=False)
        ids += batch.column("id").to_pylist()
        start = own.stop
    numbers = {name: number for number, name in enumerate(ids)}
    row_of = np.array([numbers.get(name, -1) for name in data.photos.ids], np.int64)
    return Features(vectors, row_of, broken)
