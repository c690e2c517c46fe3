"""Land and borders of the world, from Natural Earth, shipped with the package."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Line:
    """A ring or a line.

    Attributes:
        points: float64 (n, 2), longitude and latitude in degrees.
        bounds: West, south, east, north.
    """

    points: NDArray[np.float64]
    bounds: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Outlines:
    """The world: rings of land, holes among them, and borders between countries."""

    land: tuple[Line, ...]
    borders: tuple[Line, ...]


def outlines_json() -> str:
    """Return the compact outlines as they are embedded in a page; see assets/README.md."""
    return files("sightline.report").joinpath("assets/world.json").read_text("utf-8").strip()


@cache
def world() -> Outlines:
    """Return the outlines for drawing."""
    compact = json.loads(outlines_json())
    scale = 1 / compact["per_degree"]
    return Outlines(
        land=tuple(_line(ring, scale) for polygon in compact["land"] for ring in polygon),
        borders=tuple(_line(line, scale) for line in compact["borders"]),
    )


def _line(flat: list[int], scale: float) -> Line:
    """Undo the differences between points."""
    points = np.cumsum(np.array(flat, dtype=np.float64).reshape(-1, 2), axis=0) * scale
    west, south = points.min(axis=0).tolist()
    east, north = points.max(axis=0).tolist()
    return Line(points, (west, south, east, north))
