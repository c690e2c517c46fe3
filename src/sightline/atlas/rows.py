"""The columns of an atlas's rows, and what may enter them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sightline.atlas.card import AtlasCard
from sightline.errors import VectorError


def row_schema(card: AtlasCard) -> pa.Schema:
    """Return the columns of ``rows.lance``.

    ``id`` is given once and never again. ``names`` are all paths that hold the same content, and
    ``mtime_ns`` their modification times in the same order; ``uri`` is the first name. ``s2`` is
    the leaf cell's id as signed two's complement. ``vector`` holds the regions² cells one after
    the other; their mean has unit length. An atlas of aerial patches has ``outline`` too: the
    latitudes and longitudes of a patch's corners, clockwise from the north-west; there ``view`` is
    the turn of the patch.
    """
    outline = [pa.field("outline", pa.list_(pa.float64(), 8), nullable=False)]
    return pa.schema(
        [
            pa.field("id", pa.int64(), nullable=False),
            pa.field("uri", pa.string(), nullable=False),
            pa.field("names", pa.list_(pa.string()), nullable=False),
            pa.field("sha256", pa.binary(32), nullable=False),
            pa.field("size_bytes", pa.int64(), nullable=False),
            pa.field("mtime_ns", pa.list_(pa.int64()), nullable=False),
            pa.field("view", pa.int16(), nullable=False),
            pa.field("lat", pa.float64(), nullable=False),
            pa.field("lon", pa.float64(), nullable=False),
            pa.field("s2", pa.int64(), nullable=False),
            pa.field("heading_degrees", pa.float32()),
            pa.field("metres_per_pixel", pa.float32()),
            *(outline if card.kind == "aerial" else ()),
            pa.field("captured_at", pa.string()),
            pa.field("source", pa.string()),
            pa.field("licence", pa.string()),
            pa.field("vector", pa.list_(pa.float16(), card.vector_length), nullable=False),
        ]
    )


def difference(found: pa.Schema, expected: pa.Schema) -> str:
    """Name the columns in which two schemas differ."""
    names = sorted({*found.names, *expected.names})
    return ", ".join(
        n
        for n in names
        if n not in found.names
        or n not in expected.names
        or not found.field(n).equals(expected.field(n))
    )


def checked(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the rows in the order and types of ``schema``.

    Raises:
        VectorError: A vector is not finite, or has another length.
    """
    if not rows.num_rows:
        return rows
    wanted = schema.field("vector").type
    found = rows.schema.field("vector").type
    if found != wanted:
        raise VectorError(
            f"The column 'vector' must be {wanted}. Got {found}.",
            hint="Use the encoder that the atlas was built with.",
        )
    flat = rows.column("vector").combine_chunks().flatten().to_numpy(zero_copy_only=False)
    if not np.isfinite(flat).all():
        bad = int(np.flatnonzero(~np.isfinite(flat))[0]) // wanted.list_size
        raise VectorError(
            f"The vector of row {bad} ({rows.column('uri')[bad].as_py()!r}) is not finite.",
            hint="Check the encoder; such a row never enters a store.",
        )
    return rows.select(schema.names).cast(schema).combine_chunks()
