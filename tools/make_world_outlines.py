"""Make ``src/sightline/report/assets/world.json`` from the npm package world-atlas (Natural Earth).

Run once per new edition of the source:

    npm pack world-atlas@2 && tar xzf world-atlas-*.tgz
    python tools/make_world_outlines.py package/land-50m.json package/countries-50m.json

The result holds land polygons and inner borders as integers in steps of 1/``per_degree`` degree,
longitude before latitude, each point after the first as the difference to the one before: that is
less than half the size of GeoJSON, and both Python and JavaScript read it in a few lines.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

OUT = Path(__file__).resolve().parent.parent / "src/sightline/report/assets/world.json"
PER_DEGREE = 40

Point = tuple[float, float]


def main() -> int:
    """Read both topologies, write the outlines."""
    land, countries = (json.loads(Path(name).read_text("utf-8")) for name in sys.argv[1:3])
    # What remains of Antarctica's edge along the pole is no land.
    polygons = [
        [
            points
            for ring in polygon
            if has_area(points := steps(closed(unwrapped(stitch(land, ring)))))
        ]
        for geometry in land["objects"]["land"]["geometries"]
        for polygon in geometry["arcs"]
    ]
    outlines = {
        "per_degree": PER_DEGREE,
        "land": [polygon for polygon in polygons if polygon],
        "borders": [
            points
            for arc in inner_arcs(countries)
            if len(points := steps(unwrapped(decode(countries, arc)))) >= 4
        ],
    }
    OUT.write_text(json.dumps(outlines, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{OUT}: {OUT.stat().st_size} bytes")
    return 0


def decode(topology: dict, arc: int) -> list[Point]:
    """Degrees (lon, lat) of one arc; ``~arc`` is the arc reversed, as TopoJSON has it."""
    (scale_x, scale_y), (shift_x, shift_y) = (
        topology["transform"][k] for k in ("scale", "translate")
    )
    points, x, y = [], 0, 0
    for step_x, step_y in topology["arcs"][~arc if arc < 0 else arc]:
        x, y = x + step_x, y + step_y
        points.append((x * scale_x + shift_x, y * scale_y + shift_y))
    return points[::-1] if arc < 0 else points


def stitch(topology: dict, ring: list[int]) -> list[Point]:
    """One ring out of its arcs; neighbouring arcs share their end point."""
    points: list[Point] = []
    for arc in ring:
        points += decode(topology, arc)[1 if points else 0 :]
    return points


def has_area(flat: list[int]) -> bool:
    """Whether a ring is more than a line: enough points, and more than one latitude."""
    return len(flat) >= 8 and any(flat[3::2])


def unwrapped(points: list[Point]) -> list[Point]:
    """Longitudes that run on past 180 instead of jumping: Chukotka reaches to 190."""
    turn, before, result = 0, points[0][0], []
    for lon, lat in points:
        turn += round((before - lon) / 360)
        before = lon
        result.append((lon + 360 * turn, lat))
    return result


def closed(ring: list[Point]) -> list[Point]:
    """A ring that went once around the world, as Antarctica does, is closed along its pole."""
    (first, _), (last, lat) = ring[0], ring[-1]
    if abs(last - first) < 180:
        return ring
    pole = 90.0 if lat > 0 else -90.0
    return [*ring, (last, pole), (first, pole), ring[0]]


def inner_arcs(topology: dict) -> list[int]:
    """Arcs that two countries share: borders on land, without the coast."""
    uses: Counter[int] = Counter()
    for geometry in topology["objects"]["countries"]["geometries"]:
        nested = geometry.get("arcs", [])
        polygons = nested if geometry["type"] == "MultiPolygon" else [nested]
        uses.update({~a if a < 0 else a for polygon in polygons for ring in polygon for a in ring})
    return sorted(arc for arc, times in uses.items() if times > 1)


def steps(points: list[Point]) -> list[int]:
    """Flat integers lon, lat, then differences; points that fall together are one."""
    grid = [(round(lon * PER_DEGREE), round(lat * PER_DEGREE)) for lon, lat in points]
    flat, before = [], (0, 0)
    for index, point in enumerate(grid):
        if index and point == before:
            continue
        flat += [point[0] - before[0], point[1] - before[1]]
        before = point
    return flat


if __name__ == "__main__":
    sys.exit(main())
