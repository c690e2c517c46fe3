"""Places on the Earth: coordinates, distances, S2 cells, regions."""

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
