"""Whitened rows in the order of the S2 curve, in memory-mapped files: what search reads."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sightline.atlas.arrays import ArrayFile, load_array, save_array
from sightline.atlas.store import Store
from sightline.models.whitening import Whitening

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many rows are done, and how many there are."""

_COLUMNS = ("id", "s2", "lat", "lon", "view", "heading_degrees", "sha256", "uri")
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """n rows ordered by S2 leaf id, equal ones by row id. A **position** is an index into them.

    Attributes:
        vectors: float16 (n, k), whitened global vectors of unit length.
        regions: float16 (n, r², k), whitened regional vectors of unit length; None where r is 1.
        ids: int64 (n,), the store's row ids.
        s2: uint64 (n,), leaf cell ids, ascending.
        coordinates: float64 (n, 2), degrees.
        views: int16 (n,).
        headings: float32 (n,), degrees, NaN where unknown.
        hashes: uint8 (n, 32), SHA-256 of the photos' files.
        uri_ends: int64 (n + 1,), where each name ends in ``uri_bytes``; the first is 0.
        uri_bytes: uint8, all names as UTF-8, one after the other.
    """

    vectors: NDArray[np.float16]
    regions: NDArray[np.float16] | None
    ids: NDArray[np.int64]
    s2: NDArray[np.uint64]
    coordinates: NDArray[np.float64]
    views: NDArray[np.int16]
    headings: NDArray[np.float32]
    hashes: NDArray[np.uint8]
    uri_ends: NDArray[np.int64]
    uri_bytes: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.ids)

    def uri(self, position: int) -> str:
        """Return the name of one row."""
        start, end = self.uri_ends[position], self.uri_ends[position + 1]
        return self.uri_bytes[start:end].tobytes().decode("utf-8")

    def run(self, first: int, last: int) -> slice:
        """Return the positions whose leaf ids lie in [first, last], unsigned, both included."""
        start = np.searchsorted(self.s2, np.uint64(first), side="left")
        stop = np.searchsorted(self.s2, np.uint64(last), side="right")
        return slice(int(start), int(stop))

    def runs(self, ranges: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the ascending positions inside any of the ranges (m, 2), sorted and disjoint."""
        starts = np.searchsorted(self.s2, ranges[:, 0], side="left")
        stops = np.searchsorted(self.s2, ranges[:, 1], side="right")
        parts = [np.arange(a, b) for a, b in zip(starts, stops, strict=True) if b > a]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    @classmethod
    def open(cls, folder: Path) -> Segment:
        """Map the files that :func:`write_segment` wrote; raises OSError or ValueError."""
        regions = folder / "regions.npy"
        return cls(
            regions=load_array(regions) if regions.exists() else None,
            **{name: load_array(folder / f"{name}.npy") for name in _FILES},
        )


_FILES = (
    "vectors",
    "ids",
    "s2",
    "coordinates",
    "views",
    "headings",
    "hashes",
    "uri_ends",
    "uri_bytes",
)


def write_segment(
    folder: Path,
    store: Store,
    whitening: Whitening,
    *,
    after_id: int | None = None,
    progress: Progress | None = None,
) -> int:
    """Write the store's rows, whitened and in S2 order, as a segment.

    Memory stays bounded by the facts of the rows (about 300 bytes each with their names); the
    vectors are streamed.

    Args:
        folder: Existing folder to write into.
        store: One pinned version of the rows.
        whitening: Applied to global and regional vectors.
        after_id: Only rows with a larger id.
        progress: Told about rows written.

    Returns:
        How many rows were written.
    """
    ids, ranks = _write_facts(folder, store, after_id)
    count, k = len(ids), whitening.dimension
    cells = store.card.regions**2
    with ArrayFile(folder / "vectors.npy", (count, k), np.float16) as globals_:
        if cells == 1:
            _fill(globals_, None, _whitened(store, whitening, after_id), ranks, progress)
            return count
        with ArrayFile(folder / "regions.npy", (count, cells, k), np.float16) as regions:
            _fill(globals_, regions, _whitened(store, whitening, after_id), ranks, progress)
    return count


def temporary_segment(store: Store, whitening: Whitening, after_id: int | None = None) -> Segment:
    """Return a segment in files that nobody else sees and that go away with it."""
    folder = Path(tempfile.mkdtemp(prefix="sightline-"))
    try:
        write_segment(folder, store, whitening, after_id=after_id)
        return Segment.open(folder)
    finally:
        # The maps stay readable after their names are gone.
        shutil.rmtree(folder, ignore_errors=True)


def _write_facts(
    folder: Path, store: Store, after_id: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Write all but the vectors; return the sorted ids and each physical row's position."""
    batches = list(store.batches(_COLUMNS, rows=65_536, after_id=after_id))
    table = pa.Table.from_batches(batches, schema=_facts_schema(store))
    ids = _numbers(table, "id")
    s2 = _numbers(table, "s2").astype(np.int64).view(np.uint64)
    order = np.lexsort((ids, s2))
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order))
    save_array(folder / "ids.npy", ids[order])
    save_array(folder / "s2.npy", s2[order])
    coordinates = np.column_stack([_numbers(table, "lat"), _numbers(table, "lon")])
    save_array(folder / "coordinates.npy", coordinates[order])
    save_array(folder / "views.npy", _numbers(table, "view").astype(np.int16)[order])
    save_array(folder / "headings.npy", _headings(table)[order])
    hashes = np.frombuffer(b"".join(_fixed_bytes(table)), np.uint8).reshape(-1, 32)
    save_array(folder / "hashes.npy", hashes[order])
    uris = table.column("uri").take(pa.array(order)).cast(pa.large_string()).combine_chunks()
    _write_uris(folder, uris)
    return ids[order], ranks


def _facts_schema(store: Store) -> pa.Schema:
    return pa.schema([store.schema.field(name) for name in _COLUMNS])


def _numbers(table: pa.Table, name: str) -> NDArray[Any]:
    values: NDArray[Any] = table.column(name).to_numpy()
    return values


def _headings(table: pa.Table) -> NDArray[np.float32]:
    # Arrow gives nulls of a float column to numpy as NaN.
    return _numbers(table, "heading_degrees").astype(np.float32)


def _fixed_bytes(table: pa.Table) -> Iterator[bytes]:
    for chunk in table.column("sha256").chunks:
        # The buffer of a fixed-size column is the bytes one after the other.
        start, size = chunk.offset * 32, len(chunk) * 32
        yield chunk.buffers()[1].to_pybytes()[start : start + size]


def _write_uris(folder: Path, uris: Any) -> None:
    lengths = np.asarray(pa.compute.binary_length(uris).to_numpy(zero_copy_only=False), np.int64)
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    save_array(folder / "uri_ends.npy", ends)
    data = uris.buffers()[2]
    joined = np.frombuffer(data, np.uint8)[: ends[-1]] if data else np.empty(0, np.uint8)
    save_array(folder / "uri_bytes.npy", joined)


def _whitened(
    store: Store, whitening: Whitening, after_id: int | None
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Yield whitened global (b, k) and regional (b, r², k) vectors in physical order."""
    for _, raw in store.vectors(rows=_ROWS_AT_ONCE, after_id=after_id):
        regional = whitening.apply(raw) if raw.shape[1] > 1 else raw
        yield whitening.apply(raw.mean(axis=1)), regional


def _fill(
    globals_: ArrayFile,
    regions: ArrayFile | None,
    blocks: Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]],
    ranks: NDArray[np.int64],
    progress: Progress | None,
) -> None:
    done = 0
    for vectors, regional in blocks:
        places = ranks[done : done + len(vectors)]
        globals_.array[places] = vectors
        globals_.wrote(vectors.size * 2)
        if regions is not None:
            regions.array[places] = regional
            regions.wrote(regional.size * 2)
        done += len(vectors)
        if progress is not None:
            progress("whitening", done, len(ranks))
