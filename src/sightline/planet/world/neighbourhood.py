"""Everything within a reach of a point, assembled: what the renderers are given."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from sightline.planet.world.contents import (
    ALWAYS,
    NEVER,
    BoxKind,
    Buildings,
    Cells,
    Furniture,
    FurnitureKind,
    Material,
    ParkingSlots,
    Plants,
    RoofKind,
    Species,
    Streets,
    Use,
)
from sightline.planet.world.countries import CountryStyle
from sightline.planet.world.globe import Biome, Climate
from sightline.planet.world.ground_raster import FIELDS, GroundRaster
from sightline.planet.world.lattice import Frame

__all__ = [
    "ALWAYS",
    "FIELDS",
    "NEVER",
    "Biome",
    "BoxKind",
    "Buildings",
    "Cells",
    "Climate",
    "CountryStyle",
    "Furniture",
    "FurnitureKind",
    "GroundRaster",
    "Material",
    "Neighbourhood",
    "ParkingSlots",
    "Plants",
    "RoofKind",
    "Species",
    "Streets",
    "Use",
]


@dataclass(frozen=True)
class Neighbourhood:
    """What stands around a point, in metres east and north of it.

    Args:
        face: Face of the cube on which the origin lies.
        a: The origin's lattice coordinate along the face's first axis.
        b: And along its second.
        latlng: The origin, degrees.
        reach_m: Everything with ``|east|, |north| <= reach_m`` is complete.
        seed: The planet's seed.
        styles: What objects' and cells' ``style`` points to.
        climates: What plants' and cells' ``climate`` points to.
        ground: The raster of the ground's fields.
        cells: What covers the lattice's cells.
        buildings: Boxes.
        plants: Trees and shrubs.
        furniture: What stands beside streets.
        slots: Where vehicles can stand.
        streets: Their middle lines.
    """

    face: int
    a: float
    b: float
    latlng: tuple[float, float]
    reach_m: float
    seed: int
    styles: tuple[CountryStyle, ...]
    climates: tuple[Climate, ...]
    ground: GroundRaster = field(repr=False)
    cells: Cells = field(repr=False)
    buildings: Buildings = field(repr=False)
    plants: Plants = field(repr=False)
    furniture: Furniture = field(repr=False)
    slots: ParkingSlots = field(repr=False)
    streets: Streets = field(repr=False)

    @cached_property
    def frame(self) -> Frame:
        """The window's metres east and north, and how they become lattice coordinates."""
        return Frame.at(self.face, self.a, self.b)
