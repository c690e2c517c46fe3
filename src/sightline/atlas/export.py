"""Hand an atlas on: as a Parquet table, with or without vectors, or as GeoJSON.

In GeoJSON photos are points, and aerial patches the squares that they show.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from sightline.atlas.store import Store
from sightline.durable import whole_file
from sightline.errors import UsageError
from sightline.geo import planar
from sightline.geo.coordinates import FloatArray

_GEOJSON_SUFFIXES = (".geojson", ".json")
_PARQUET_SUFFIXES = (".parquet", ".pq")
# Nearer to a pole a square may hold it, which takes more than four corners to draw.
_NEAR_POLE = 89.0


def export(atlas: str | Path, out: str | Path, *, vectors: bool = True) -> int:
    """Write all rows to ``out``; its suffix says how.

    Args:
        atlas: The atlas.
        out: ``.parquet`` or ``.geojson``; replaced whole if it is there.
        vectors: Whether a Parquet file holds the vectors too.

    Returns:
        How many rows were written.

    Raises:
        UsageError: Another suffix.
        OutputError: The file cannot be written; what was there before stays.
    """
    path = Path(out)
    suffix = path.suffix.lower()
    if suffix in _PARQUET_SUFFIXES:
        return export_parquet(atlas, path, vectors=vectors)
    if suffix in _GEOJSON_SUFFIXES:
        return export_geojson(atlas, path)
    raise UsageError(
        f"An atlas is exported to .parquet or .geojson. Got {str(path)!r}.",
        hint="Change the ending of the output file.",
        path=path,
    )


def export_parquet(atlas: str | Path, out: str | Path, *, vectors: bool = True) -> int:
    """Write a Parquet file with the columns of the store; ``sha256`` is hexadecimal text.

    The file's metadata holds the atlas's card under the key ``sightline.atlas``, so that vectors
    stay bound to their encoder.

    Raises:
        OutputError: The file cannot be written; what was there before stays.
    """
    store = Store.open(atlas)
    names = [n for n in store.schema.names if vectors or n != "vector"]
    card = json.dumps(dataclasses.asdict(store.card), ensure_ascii=False)
    hexadecimal = pa.field("sha256", pa.string(), nullable=False)
    fields = [hexadecimal if n == "sha256" else store.schema.field(n) for n in names]
    schema = pa.schema(fields, metadata={"sightline.atlas": card})
    with whole_file(Path(out)) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for batch in store.batches(names):
            columns = [_readable(name, batch.column(name)) for name in names]
            writer.write_batch(pa.record_batch(columns, schema=schema))
    return store.count


def export_geojson(atlas: str | Path, out: str | Path) -> int:
    """Write a GeoJSON FeatureCollection, longitude first as RFC 7946 has it.

    Photos are points. Aerial patches are polygons, cut where they cross the antimeridian, with the
    middle in the properties ``lat`` and ``lon``.

    Raises:
        OutputError: The file cannot be written; what was there before stays.
    """
    store = Store.open(atlas)
    names = [n for n in store.schema.names if n not in {"vector", "s2", "mtime_ns"}]
    with whole_file(Path(out)) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        separator = "\n"
        for batch in store.batches(names):
            for row in batch.to_pylist():
                file.write(separator + json.dumps(_feature(row), ensure_ascii=False))
                separator = ",\n"
        file.write("\n]}\n")
    return store.count


def _readable(name: str, column: pa.Array) -> pa.Array:
    if name != "sha256":
        return column
    return pa.array([digest.hex() for digest in column.to_pylist()], pa.string())


def _feature(row: dict[str, Any]) -> dict[str, Any]:
    outline = row.pop("outline", None)
    if outline is None:
        geometry = {"type": "Point", "coordinates": [row.pop("lon"), row.pop("lat")]}
    else:
        geometry = _square(np.array(outline).reshape(4, 2))
    row["sha256"] = row["sha256"].hex()
    return {"type": "Feature", "id": row.pop("id"), "geometry": geometry, "properties": row}


def _square(corners: FloatArray) -> dict[str, Any]:
    """The outline of a patch, latitude first and clockwise, as GeoJSON has polygons."""
    if np.ptp(corners[:, 1]) > 180.0 or np.abs(corners[:, 0]).max() > _NEAR_POLE:
        return dict(shapely.geometry.mapping(planar.outline_of([(corners[:, ::-1], [])])))
    # Counterclockwise, and the first corner again at the end.
    ring = [[lon, lat] for lat, lon in corners[[0, 3, 2, 1, 0]].tolist()]
    return {"type": "Polygon", "coordinates": [ring]}
