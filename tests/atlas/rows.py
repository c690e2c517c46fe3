"""Rows for tests of the store, made without an encoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from sightline.atlas.card import AtlasCard
from sightline.atlas.store import row_schema


def card(dimension: int = 4, regions: int = 2, fingerprint: str = "f" * 8) -> AtlasCard:
    return AtlasCard(encoder="test", fingerprint=fingerprint, dimension=dimension, regions=regions)


def table(of: AtlasCard, ids: Sequence[int], s2: Sequence[int] | None = None) -> pa.Table:
    """Rows with unit mean vectors that depend on the id alone."""
    count = len(ids)
    vectors = np.empty((count, of.regions**2, of.dimension))
    for row, number in enumerate(ids):
        raw = np.random.default_rng(number).normal(size=vectors.shape[1:])
        vectors[row] = raw / np.linalg.norm(raw.mean(axis=0))
    flat = pa.array(vectors.astype(np.float16).ravel())
    schema = row_schema(of)
    columns = {
        "id": pa.array(ids, pa.int64()),
        "uri": pa.array([f"{n}.jpg" for n in ids], pa.string()),
        "names": pa.array([[f"{n}.jpg"] for n in ids], pa.list_(pa.string())),
        "sha256": pa.array([n.to_bytes(32, "big") for n in ids], pa.binary(32)),
        "size_bytes": pa.array(ids, pa.int64()),
        "mtime_ns": pa.array([[n] for n in ids], pa.list_(pa.int64())),
        "view": pa.array([0] * count, pa.int16()),
        "lat": pa.array([0.0] * count, pa.float64()),
        "lon": pa.array([0.0] * count, pa.float64()),
        "s2": pa.array(list(ids) if s2 is None else s2, pa.int64()),
        "heading_degrees": pa.nulls(count, pa.float32()),
        "metres_per_pixel": pa.nulls(count, pa.float32()),
        "captured_at": pa.nulls(count, pa.string()),
        "source": pa.nulls(count, pa.string()),
        "licence": pa.nulls(count, pa.string()),
        "vector": pa.FixedSizeListArray.from_arrays(flat, of.vector_length),
    }
    return pa.table(columns, schema=schema)
