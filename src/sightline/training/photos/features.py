"""Vectors of photos, computed once by a trained backbone and kept as an Arrow file.

::

    id, lat, lon    of each photo
    part            train, validation or test
    cell            row of the bundle's finest partition; -1 for none
    broken          whether the photo could not be read; its vector is zeros
    vector          float16 (d,), pooled and not of unit length

Arrow's file format (Feather 2, uncompressed) rather than Parquet, so that a row on disk is as in
memory. Vectors are mapped, and only those that are asked for are read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sightline.durable import make_folder, whole_file
from sightline.errors import TrainingDataError
from sightline.geo.partition import Partition
from sightline.training.cross_view.pair_data import Rows
from sightline.training.photos.photo_data import PhotoData

FEATURES = "features.arrow"
"""In a run's folder, where its recipe names no other file."""

FEATURES_SCHEMA = "sightline.features/2"
_KEY = b"sightline.features"

VectorBatch = tuple[NDArray[np.float16], NDArray[np.bool_]]
"""Vectors (n, d) of some photos, and which (n,) could not be read."""


class MappedVectors:
    """Rows of several arrays, one after the other, read when they are asked for.

    Args:
        chunks: float16 (m_i, d), at least one.
    """

    def __init__(self, chunks: Sequence[NDArray[np.float16]]) -> None:
        self._chunks = chunks
        self._ends = np.cumsum([len(chunk) for chunk in chunks])

    def __getitem__(self, rows: Rows) -> NDArray[np.float16]:
        """Vectors (k, d) of rows (k,)."""
        chunks = np.searchsorted(self._ends, rows, side="right")
        # From each chunk's end, where that of the one before is not needed.
        places = rows - self._ends[chunks]
        found = np.empty((len(rows), self._chunks[0].shape[1]), np.float16)
        for row, (chunk, place) in enumerate(zip(chunks.tolist(), places.tolist(), strict=True)):
            found[row] = self._chunks[chunk][place]
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Stored vectors of the photos of a run.

    Attributes:
        vectors: float16 (m, d), of which rows can be taken.
        row_of: (n,) row of each of the run's photos in ``vectors``; -1 where there is none.
        broken: (m,) which could not be read.
    """

    vectors: MappedVectors
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
    with whole_file(path) as temporary, pa.ipc.new_file(str(temporary), schema) as writer:
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
    with _opened(path) as file:
        return json.loads(file.schema.metadata[_KEY])


def read_features(path: Path, data: PhotoData) -> Features:
    """Map the vectors of a run's photos.

    Args:
        path: The file; it may be replaced meanwhile, and must not be changed.
        data: The photos.

    Raises:
        TrainingDataError: It is no such file.
    """
    chunks, broken, ids = [], [], []
    with _opened(path) as file:
        dimension = file.schema.field("vector").type.list_size
        for number in range(file.num_record_batches):
            batch = file.get_batch(number)
            flat = batch.column("vector").flatten().to_numpy(zero_copy_only=True)
            chunks.append(flat.reshape(-1, dimension))
            broken.append(batch.column("broken").to_numpy(zero_copy_only=False))
            ids += batch.column("id").to_pylist()
    numbers = {name: number for number, name in enumerate(ids)}
    row_of = np.array([numbers.get(name, -1) for name in data.photos.ids], np.int64)
    return Features(MappedVectors(chunks), row_of, np.concatenate(broken))


@contextmanager
def _opened(path: Path) -> Iterator[pa.RecordBatchFileReader]:
    """A file's reader; what is read stays mapped when the file is closed."""
    try:
        with pa.memory_map(str(path)) as mapped, pa.ipc.open_file(mapped) as file:
            yield file
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as cause:
        raise TrainingDataError(
            f"{str(path)!r} holds no stored vectors, or is damaged: {cause}.",
            hint="Name another file with --set features=FILE, or remove this one.",
            path=path,
        ) from cause
