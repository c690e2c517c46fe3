"""Made-up rows with the neighbourhoods of real photo vectors, and an atlas of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sightline.atlas.card import AtlasCard
from sightline.atlas.store import Store, row_schema
from sightline.geo import cells

DIMENSION = 512
ROWS_PER_CLUSTER = 50
CLUSTERS_PER_THEME = 10
FINGERPRINT = "clustered-benchmark"
RECIPE = (
    "row = unit(sqrt(.60) theme + sqrt(.22) cluster + sqrt(.22) u noise); theme, cluster and noise "
    "are random unit vectors of 512 dimensions, u = exp(.25 normal); 50 rows per cluster, 10 "
    "clusters per theme on average (20,000 clusters per 1,000,000 rows); a theme has one place, "
    "its clusters lie within about 20 km of it and their rows within 1 km; a query is a row moved "
    "by noise to cosine .97; seed 0"
)

_BLOCK = 50_000


def write_rows(path: Path, rows: int, seed: int = 0) -> NDArray[np.float64]:
    """Write float16 (rows, 512) to ``path`` (.npy) and return coordinates (rows, 2)."""
    rng = np.random.default_rng(seed)
    clusters = max(rows // ROWS_PER_CLUSTER, CLUSTERS_PER_THEME)
    themes = clusters // CLUSTERS_PER_THEME
    theme = rng.integers(0, themes, clusters)
    centres = _unit(rng, themes)[theme] * np.float32(0.60**0.5)
    centres += _unit(rng, clusters) * np.float32(0.22**0.5)
    homes = np.column_stack([rng.uniform(-60, 70, themes), rng.uniform(-180, 180, themes)])
    towns = homes[theme] + rng.normal(0, 0.1, (clusters, 2))
    coordinates = np.empty((rows, 2))
    out = np.lib.format.open_memmap(path, "w+", np.float16, (rows, DIMENSION))
    for start in range(0, rows, _BLOCK):
        count = min(_BLOCK, rows - start)
        cluster = rng.integers(0, clusters, count)
        spread = np.exp(0.25 * rng.standard_normal((count, 1))).astype(np.float32)
        vectors = centres[cluster] + np.float32(0.22**0.5) * spread * _unit(rng, count)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        out[start : start + count] = vectors
        coordinates[start : start + count] = towns[cluster] + rng.normal(0, 0.005, (count, 2))
    out.flush()
    return coordinates


def queries(rows: NDArray[np.float16], count: int, seed: int = 1) -> NDArray[np.float32]:
    """Rows moved by noise to cosine 0.97, float32 (count, 512), unit length."""
    rng = np.random.default_rng(seed)
    chosen = rows[np.sort(rng.choice(len(rows), count, replace=False))].astype(np.float32)
    chosen += np.float32((1 / 0.97**2 - 1) ** 0.5) * _unit(rng, count)
    rng.shuffle(chosen)
    return chosen / np.linalg.norm(chosen, axis=1, keepdims=True)


def exact(
    rows: NDArray[np.float16], asked: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The k nearest row numbers and cosines (q, k) by comparing everything in float32."""
    best = np.full((len(asked), k), -np.inf, np.float32)
    found = np.full((len(asked), k), -1)
    for start in range(0, len(rows), 16_384):
        block = rows[start : start + 16_384].astype(np.float32)
        scores = asked @ block.T
        if allowed is not None:
            scores[:, ~allowed[start : start + 16_384]] = -np.inf
        scores = np.concatenate([best, scores], axis=1)
        numbers = np.concatenate(
            [
                found,
                np.broadcast_to(np.arange(start, start + len(block)), (len(asked), len(block))),
            ],
            axis=1,
        )
        order = np.argpartition(-scores, k, axis=1)[:, :k]
        best = np.take_along_axis(scores, order, axis=1)
        found = np.take_along_axis(numbers, order, axis=1)
    order = np.argsort(-best, axis=1)
    return np.take_along_axis(found, order, axis=1), np.take_along_axis(best, order, axis=1)


def write_atlas(path: Path, rows: NDArray[np.float16], coordinates: NDArray[np.float64]) -> Store:
    """Write the rows as a real atlas; the row number is the row id."""
    card = AtlasCard("clustered", FINGERPRINT, DIMENSION, 1, None)
    store = Store.create(path, card)
    for start in range(0, len(rows), 4 * _BLOCK):
        part = slice(start, min(start + 4 * _BLOCK, len(rows)))
        store = store.append(table_of(card, rows[part], coordinates[part], part.start))
    return store


def table_of(
    card: AtlasCard, rows: NDArray[np.float16], coordinates: NDArray[np.float64], first: int
) -> pa.Table:
    """Rows of a store, ids counted from ``first``; vectors float16 (n, cells * d)."""
    count = len(rows)
    numbers = np.arange(first, first + count)
    names = pa.array([f"photos/{n:08d}.jpg" for n in numbers])
    hashes = np.zeros((count, 4), "<u8")
    hashes[:, 0] = numbers
    starts = pa.array(np.arange(count + 1, dtype=np.int32))
    floats = pa.nulls(count, pa.float32())
    text = pa.nulls(count, pa.string())
    columns = {
        "id": pa.array(numbers),
        "uri": names,
        "names": pa.ListArray.from_arrays(starts, names),
        "sha256": pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(32), count, [None, pa.py_buffer(hashes.tobytes())]
        ),
        "size_bytes": pa.array(numbers),
        "mtime_ns": pa.ListArray.from_arrays(starts, pa.array(numbers)),
        "view": pa.array(np.zeros(count, np.int16)),
        "lat": pa.array(coordinates[:, 0]),
        "lon": pa.array(coordinates[:, 1]),
        "s2": pa.array(cells.to_signed(cells.cell_ids(coordinates))),
        "heading_degrees": floats,
        "metres_per_pixel": floats,
        "captured_at": text,
        "source": text,
        "licence": text,
        "vector": pa.FixedSizeListArray.from_arrays(
            pa.array(np.ascontiguousarray(rows).ravel()), card.vector_length
        ),
    }
    return pa.table(columns, schema=row_schema(card))


def _unit(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    vectors = rng.standard_normal((count, DIMENSION), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors
