"""Small atlases of made-up vectors and places, and the slow obvious way to search them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sightline.atlas.card import AtlasCard
from sightline.atlas.store import Store, row_schema
from sightline.geo import cells
from sightline.models.whitening import Whitening, WhiteningSettings

FINGERPRINT = "f" * 16


@dataclass(frozen=True)
class Cloud:
    """Rows as arrays: raw (n, r², d) with unit means, places (n, 2), ids (n,)."""

    raw: NDArray[np.float32]
    places: NDArray[np.float64]
    ids: NDArray[np.int64]

    def part(self, start: int, stop: int) -> Cloud:
        return Cloud(self.raw[start:stop], self.places[start:stop], self.ids[start:stop])


def card(
    dimension: int, regions: int, whitening: WhiteningSettings | None = None, **more: object
) -> AtlasCard:
    return AtlasCard("test", FINGERPRINT, dimension, regions, whitening, **more)


def cloud(
    count: int, *, dimension: int = 24, regions: int = 2, seed: int = 0, first_id: int = 0
) -> Cloud:
    """Towns of rows near each other, on the ground and in what they look like."""
    rng = np.random.default_rng(seed)
    towns = max(3, count // 25)
    looks = rng.standard_normal((towns, dimension)) * np.linspace(2.0, 0.3, dimension)
    centres = np.column_stack([rng.uniform(-60, 70, towns), rng.uniform(-180, 179, towns)])
    town = rng.integers(0, towns, count)
    raw = 0.5 + looks[town][:, None, :] + rng.standard_normal((count, regions**2, dimension))
    raw /= np.linalg.norm(raw.mean(axis=1), axis=1)[:, None, None]
    places = centres[town] + rng.normal(0, 0.003, (count, 2))
    return Cloud(
        raw.astype(np.float16).astype(np.float32), places, np.arange(first_id, first_id + count)
    )


def table(of: AtlasCard, rows: Cloud) -> pa.Table:
    count = len(rows.ids)
    names = [name_of(i) for i in rows.ids]
    s2 = cells.to_signed(cells.cell_ids(rows.places))
    flat = pa.array(rows.raw.astype(np.float16).ravel())
    headings = pa.array([None if i % 3 == 0 else float(i % 360) for i in rows.ids], pa.float32())
    columns = {
        "id": pa.array(rows.ids, pa.int64()),
        "uri": pa.array(names, pa.string()),
        "names": pa.array([[n] for n in names], pa.list_(pa.string())),
        "sha256": pa.array([hash_of(i) for i in rows.ids], pa.binary(32)),
        "size_bytes": pa.array(rows.ids, pa.int64()),
        "mtime_ns": pa.array([[0]] * count, pa.list_(pa.int64())),
        "view": pa.array(rows.ids % 4, pa.int16()),
        "lat": pa.array(rows.places[:, 0]),
        "lon": pa.array(rows.places[:, 1]),
        "s2": pa.array(s2, pa.int64()),
        "heading_degrees": headings,
        "metres_per_pixel": pa.nulls(count, pa.float32()),
        "captured_at": pa.nulls(count, pa.string()),
        "source": pa.nulls(count, pa.string()),
        "licence": pa.nulls(count, pa.string()),
        "vector": pa.FixedSizeListArray.from_arrays(flat, of.vector_length),
    }
    return pa.table(columns, schema=row_schema(of))


def name_of(number: int) -> str:
    return f"{'ä' * (number % 3)}photo {number}.jpg"


def hash_of(number: int) -> bytes:
    return (int(number) + 1).to_bytes(8, "big") * 4


def write(path: Path, of: AtlasCard, rows: Cloud, *, commits: int = 1) -> Store:
    store = Store.create(path, of)
    for part in np.array_split(np.arange(len(rows.ids)), commits):
        if len(part):
            store = store.append(table(of, rows.part(int(part[0]), int(part[-1]) + 1)))
    return store


def whitened(whitening: Whitening, raw: NDArray[np.float32]) -> NDArray[np.float64]:
    """What the atlas compares, in float64: rounded to halves as it stores them."""
    return whitening.apply(raw).astype(np.float16).astype(np.float64)


def brute_force(
    whitening: Whitening,
    rows: Cloud,
    queries: NDArray[np.float32],
    k: int,
    allowed: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Ids and cosines (q, k) by sorting everything; -1 and NaN where there are fewer."""
    references = whitened(whitening, rows.raw.mean(axis=1))
    ids = np.full((len(queries), k), -1)
    scores = np.full((len(queries), k), np.nan)
    keep = np.ones(len(rows.ids), bool) if allowed is None else allowed
    for q, query in enumerate(whitening.apply(queries.mean(axis=1)).astype(np.float64)):
        cosines = references @ query
        order = sorted(np.flatnonzero(keep), key=lambda i: (-cosines[i], rows.ids[i]))[:k]
        ids[q, : len(order)] = rows.ids[order]
        scores[q, : len(order)] = cosines[order]
    return ids, scores
