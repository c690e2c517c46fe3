"""Places on the Earth: coordinates, distances, S2 cells, regions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.geo.coordinates import (
    EARTH_RADIUS_M,
    LatLng,
    as_coordinates,
    from_unit_vectors,
    normalise_longitude,
    unit_vectors,
)
from sightline.geo.distance import (
    bearing_degrees,
    destination,
    geodesic_m,
    great_circle_m,
    spherical_mean,
)

if TYPE_CHECKING:
    from sightline.geo.region import (
        BoundingBox,
        CellRegion,
        Circle,
        Country,
        MultiPolygon,
        Polygon,
        Region,
        parse_region,
    )

__all__ = [
    "EARTH_RADIUS_M",
    "BoundingBox",
    "CellRegion",
    "Circle",
    "Country",
    "LatLng",
    "MultiPolygon",
    "Polygon",
    "Region",
    "as_coordinates",
    "bearing_degrees",
    "destination",
    "from_unit_vectors",
    "geodesic_m",
    "great_circle_m",
    "normalise_longitude",
    "parse_region",
    "spherical_mean",
    "unit_vectors",
]


def __getattr__(name: str) -> object:
    # Regions need shapely; training and evaluation run where only numpy and torch are.
    if name in __all__:
        from sightline.geo import region

        return getattr(region, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
