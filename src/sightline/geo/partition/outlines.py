"""The outlines of cells as rings of longitude and latitude, for maps and GeoJSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.errors import PartitionError
from sightline.geo.cells import corner_vectors, levels
from sightline.geo.coordinates import FloatArray, from_unit_vectors
from sightline.geo.partition.boxes import Boxes
from sightline.geo.partition.cells import Rows
from sightline.geo.partition.partition import Partition
from sightline.geo.partition.s2_cells import S2Cells

if TYPE_CHECKING:
    import shapely

_DECIMALS = 7  # about a centimetre, as RFC 7946 advises against more
# An edge of a cell is a great circle, which a map draws as a curve: steps of at most 5 degrees.
_STEPS_BY_LEVEL = (18, 9, 5, 3, 2)
_NORTH, _SOUTH = 0x5000000000000000, 0xB000000000000000


def outlines(partition: Partition, rows: Rows | None = None) -> list[shapely.MultiPolygon]:
    """Return the shape of each cell, longitude first, cut at the antimeridian.

    Args:
        partition: S2 cells or boxes.
        rows: Which cells, int64 (k,); all if None.

    Raises:
        PartitionError: The cells have no edges of their own.
    """
    chosen = np.arange(len(partition)) if rows is None else rows
    cells = partition.cells
    if isinstance(cells, S2Cells):
        return _s2_outlines(cells, chosen)
    if isinstance(cells, Boxes):
        import shapely

        south, west, north, east = cells.edges[chosen].T
        return [shapely.MultiPolygon([box]) for box in shapely.box(west, south, east, north)]
    raise PartitionError(
        f"Cells of the kind {partition.kind!r} have no outlines: they end where another centre is "
        "as near.",
        hint="Export their representatives instead.",
    )


def feature_collection(partition: Partition) -> dict[str, Any]:
    """Return a partition as a GeoJSON FeatureCollection (RFC 7946): one feature a cell.

    The properties are the row, the cell's name, its representative, and where they are known its
    members and its area. Cells without edges of their own are the points of their representatives.
    """
    import shapely

    if partition.areas_km2 is None:
        geometries = list(shapely.points(partition.representatives[:, ::-1]))
    else:
        geometries = [_simple(shape) for shape in outlines(partition)]
    features = [
        {
            "type": "Feature",
            "geometry": _rounded(geometry),
            "properties": _facts(partition, row, name),
        }
        for row, (geometry, name) in enumerate(
            zip(geometries, partition.cells.names(), strict=True)
        )
    ]
    known = {"kind": partition.kind, "fingerprint": partition.fingerprint}
    return {
        "type": "FeatureCollection",
        "features": features,
        "sightline": {**known, "settings": dict(partition.settings)},
    }


def _facts(partition: Partition, row: int, name: str) -> dict[str, Any]:
    lat, lon = partition.representatives[row].round(_DECIMALS).tolist()
    facts: dict[str, Any] = {"row": row, "cell": name, "lat": lat, "lon": lon}
    if partition.members is not None:
        facts["members"] = int(partition.members[row])
    if partition.areas_km2 is not None:
        facts["area_km2"] = float(partition.areas_km2[row])
    return facts


def _s2_outlines(cells: S2Cells, rows: Rows) -> list[shapely.MultiPolygon]:
    import shapely

    from sightline.geo.planar import outline_of

    ids = cells.ids[rows]
    corner, level = corner_vectors(ids), levels(ids)
    following = np.roll(corner, -1, axis=1)
    shapes: list[shapely.MultiPolygon] = [None] * len(ids)
    for steps in set(_STEPS_BY_LEVEL) | {1}:
        some = np.flatnonzero(_steps(level) == steps)
        if not len(some):
            continue
        share = np.arange(steps)[:, None] / steps
        # Points of the chord, seen from the middle of the Earth, lie on the great circle.
        along = corner[some, :, None] * (1.0 - share) + following[some, :, None] * share
        rings = from_unit_vectors(along.reshape(len(some), -1, 3))[..., ::-1]
        # Nearly all lie on one side of the antimeridian and away from the poles.
        plain = (np.ptp(rings[..., 0], axis=1) < 180.0) & (np.abs(rings[..., 1]) < 89.0).all(axis=1)
        simple = shapely.multipolygons(
            shapely.polygons(rings[plain]), indices=np.arange(plain.sum())
        )
        for row, shape in zip(some[plain], simple, strict=True):
            shapes[row] = shape
        for row, ring in zip(some[~plain], rings[~plain], strict=True):
            shapes[row] = outline_of([(_around_pole(ring, int(ids[row])), [])])
    return shapes


def _steps(level: Rows) -> Rows:
    table = np.array([*_STEPS_BY_LEVEL, 1])
    return table[np.minimum(level, len(_STEPS_BY_LEVEL))]


def _around_pole(ring: FloatArray, cell: int) -> FloatArray:
    """Return a ring as it stands on a map; a corner at a pole has the meridians of its edges."""
    at_pole = np.flatnonzero(np.abs(ring[:, 1]) > 90.0 - 1e-9)
    if not len(at_pole) or cell in (_NORTH, _SOUTH):
        return ring
    at = int(at_pole[0])
    before, after = ring[at - 1], ring[(at + 1) % len(ring)]
    pole = np.array([[before[0], ring[at, 1]], [after[0], ring[at, 1]]])
    return np.concatenate([ring[:at], pole, ring[at + 1 :]])


def _simple(shape: shapely.MultiPolygon) -> Any:
    """Return one polygon or several, outer rings counterclockwise as RFC 7946 wants them."""
    import shapely

    # Cutting at the antimeridian leaves them as they come.
    oriented = shapely.orient_polygons(shape)
    return oriented.geoms[0] if len(oriented.geoms) == 1 else oriented


def _rounded(geometry: Any) -> dict[str, Any]:
    import shapely

    # Adding zero turns -0.0 into 0.0.
    exact = shapely.transform(geometry, lambda points: points.round(_DECIMALS) + 0.0)
    mapping: dict[str, Any] = shapely.geometry.mapping(exact)
    return mapping
