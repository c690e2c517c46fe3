"""Aerial patches as polygons, for files that maps read. Shapely's order: longitude first."""

from __future__ import annotations

from typing import Any

import numpy as np
from shapely.geometry import MultiPolygon, Polygon

from sightline.locating.patches import outline
from sightline.report.circles import split_at_antimeridian


def patch_geometry(match: dict[str, Any]) -> Polygon | MultiPolygon | None:
    """Return the north-up square of a document's match, cut at the antimeridian.

    Args:
        match: A candidate of the document.

    Returns:
        None for a photo, which has no square.
    """
    side_m = match.get("patch_m")
    if side_m is None:
        return None
    corners = outline(np.array([match["lat"], match["lon"]]), side_m)
    # Longitudes run on around the centre's, so that the square stays in one piece until it is cut.
    turned = match["lon"] + np.mod(corners[:, 1] - match["lon"] + 180.0, 360.0) - 180.0
    return split_at_antimeridian(Polygon(np.column_stack([turned, corners[:, 0]])))
