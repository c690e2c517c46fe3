"""Small real aerial atlases, written row by row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from sightline.atlas import Atlas
from sightline.atlas.card import AtlasCard
from sightline.atlas.store import Store, row_schema
from sightline.geo import cells
from sightline.imagery.aerial import patch_outline
from sightline.models.protocol import CrossViewEncoder


def write_aerial_atlas(
    folder: Path,
    encoder: CrossViewEncoder,
    centres: np.ndarray,
    pictures: list[np.ndarray],
    *,
    patch_m: float,
    stride_m: float,
) -> Atlas:
    """Encode patches and write one row for each of their turns."""
    turns = encoder.aerial_turns
    vectors = encoder.encode(pictures, "aerial")
    card = AtlasCard(
        encoder.name,
        encoder.fingerprint,
        encoder.dimension,
        encoder.regions,
        kind="aerial",
        patch_m=patch_m,
        stride_m=stride_m,
    )
    lat, lon = np.repeat(centres, turns, axis=0).T
    count = len(lat)
    names = [f"aerial:test#{n}" for n in range(len(centres)) for _ in range(turns)]
    columns = {
        "id": pa.array(range(count), pa.int64()),
        "uri": pa.array(names, pa.string()),
        "names": pa.array([[name] for name in names], pa.list_(pa.string())),
        "sha256": pa.array([(n // turns).to_bytes(32, "big") for n in range(count)], pa.binary(32)),
        "size_bytes": pa.array([0] * count, pa.int64()),
        "mtime_ns": pa.array([[0]] * count, pa.list_(pa.int64())),
        "view": pa.array([n % turns for n in range(count)], pa.int16()),
        "lat": pa.array(lat, pa.float64()),
        "lon": pa.array(lon, pa.float64()),
        "s2": pa.array(cells.to_signed(cells.cell_ids(np.column_stack([lat, lon]))), pa.int64()),
        "heading_degrees": pa.nulls(count, pa.float32()),
        "metres_per_pixel": pa.array([1.0] * count, pa.float32()),
        "captured_at": pa.nulls(count, pa.string()),
        "source": pa.array(["test"] * count, pa.string()),
        "licence": pa.nulls(count, pa.string()),
        "vector": pa.FixedSizeListArray.from_arrays(
            pa.array(vectors.astype(np.float16).ravel()), card.vector_length
        ),
    }
    outlines = np.stack([patch_outline(centre, patch_m).ravel() for centre in centres])
    corners = np.repeat(outlines, turns, axis=0)
    columns["outline"] = pa.FixedSizeListArray.from_arrays(pa.array(corners.ravel()), 8)
    schema = row_schema(card)
    store = Store.create(folder, card)
    store.append(pa.table({name: columns[name] for name in schema.names}, schema=schema))
    return Atlas.open(folder)
