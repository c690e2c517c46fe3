"""Aerial patches as polygons, for maps and files. Shapely's order: longitude first."""

from __future__ import annotations

from typing import Any

import numpy as np
from shapely.geometry import MultiPolygon, Polygon

from sightline.imagery.aerial import patch_outline
from sightline.report.circles import split_at_antimeridian


def patch_polygon(match: dict[str, Any], around_lon: float) -> Polygon | None:
    """Return the north-up square of a document's match, with the corners that its atlas stores.

    Args:
        match: A candidate of the document.
        around_lon: Degrees; longitudes run on past 180 so that the square lies whole on the turn of
            the globe around this meridian.

    Returns:
        None for a photo, which has no square.
    """
    side_m = match.get("patch_m")
    if side_m is None:
        return None
    corners = patch_outline((match["lat"], match["lon"]), side_m)
    centre = around_lon + _half_turn(match["lon"] - around_lon)
    lons = centre + _half_turn(corners[:, 1] - match["lon"])
    return Polygon(np.column_stack([lons, corners[:, 0]]))


def patch_geometry(match: dict[str, Any]) -> Polygon | MultiPolygon | None:
    """Return the same square cut at the antimeridian; None for a photo."""
    square = patch_polygon(match, match["lon"])
    return None if square is None else split_at_antimeridian(square)


def _half_turn(degrees: Any) -> Any:
    """Differences of longitudes as [-180, 180)."""
    return np.mod(degrees + 180.0, 360.0) - 180.0
