"""The looks of a country: one value for each thing that tells its streets from another's."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

Colour = tuple[float, float, float]


class StreetPattern(IntEnum):
    """How a country lays out its towns."""

    GRID = 0
    RADIAL = 1
    WINDING = 2


class Crosswalk(IntEnum):
    """How a crossing is painted."""

    NONE = 0
    ZEBRA = 1
    LINES = 2


class FenceKind(IntEnum):
    """What stands between a garden and the street."""

    NONE = 0
    HEDGE = 1
    WOOD = 2
    WALL = 3
    WIRE = 4


class PoleKind(IntEnum):
    """What carries the wires along streets."""

    NONE = 0
    WOOD = 1
    CONCRETE = 2
    STEEL = 3


class SignKind(IntEnum):
    """The board of a street sign."""

    DISC = 0
    SQUARE = 1
    DIAMOND = 2
    PLATE = 3


@dataclass(frozen=True)
class CountryStyle:
    """The looks of one region of one country. Colours are linear shares in [0, 1].

    Args:
        key: Names the pair of country and region.
        country: Names the country.
        region: Names the region.
        pattern: How towns are laid out.
        street_jitter: How far a street corner strays from the grid, in cells.
        street_warp: How far the grid bends over half a mile, in cells.
        dropped_along: Share of small streets left out, making longer blocks.
        dropped_across: Share of cross streets left out in whole runs.
        drives_left: On which side cars drive.
        road_half_width_m: Half of an ordinary street, kerb to kerb.
        asphalt: Grey level of the carriageway.
        asphalt_warmth: [-1, 1], bluish to reddish.
        centre_line_yellow: Colour of the middle line.
        centre_dash_m: Length of its dashes, 0 for a solid line.
        centre_gap_m: Gap between them.
        edge_line: Whether the carriageway's edges are painted.
        crosswalk: How crossings are painted.
        pavement_width_m: Width of the pavement.
        pavement: Colour of its slabs.
        kerb: Colour of the kerb.
        walls: Colours of façades.
        roofs: Colours of pitched roofs.
        flat_roof: Share of small houses with flat roofs.
        hip_roof: Share of pitched roofs that are hipped.
        roof_pitch: Rise over half the span.
        floor_height_m: Height of a floor.
        bay_m: Distance between windows.
        window_width: Share of a bay.
        window_height: Share of a floor.
        window_frame: Grey level of frames.
        shutters: Whether windows have shutters.
        shutter: Their colour.
        balconies: Whether apartments have balconies.
        brick: Whether walls show bricks.
        two_tone: Whether ground floors have another colour.
        door: Colour of doors.
        row_houses: [0, 1], how readily houses stand wall to wall.
        courtyards: [0, 1], how readily large houses enclose a court.
        setback_m: Depth of front gardens.
        plot_width_m: Width of a plot of a detached house.
        house_depth_m: Depth of a house.
        fenced: Share of gardens with a fence.
        fence: What fences are.
        fence_colour: Their colour.
        pole: What carries wires.
        wires: Whether wires hang between the poles.
        lamp_height_m: Height of street lamps.
        sign: Shape of signs.
        sign_colour: Their colour.
        street_trees: Share of places for trees along streets that have one.
        exotic_trees: Share of garden trees that are foreign.
        greenery: Number of garden trees, 1 on average.
        parking: Share of the kerb where cars may stand.
    """

    key: int
    country: int
    region: int
    pattern: StreetPattern
    street_jitter: float
    street_warp: float
    dropped_along: float
    dropped_across: float
    drives_left: bool
    road_half_width_m: float
    asphalt: float
    asphalt_warmth: float
    centre_line_yellow: bool
    centre_dash_m: float
    centre_gap_m: float
    edge_line: bool
    crosswalk: Crosswalk
    pavement_width_m: float
    pavement: Colour
    kerb: Colour
    walls: tuple[Colour, ...]
    roofs: tuple[Colour, ...]
    flat_roof: float
    hip_roof: float
    roof_pitch: float
    floor_height_m: float
    bay_m: float
    window_width: float
    window_height: float
    window_frame: float
    shutters: bool
    shutter: Colour
    balconies: bool
    brick: bool
    two_tone: bool
    door: Colour
    row_houses: float
    courtyards: float
    setback_m: float
    plot_width_m: float
    house_depth_m: float
    fenced: float
    fence: FenceKind
    fence_colour: Colour
    pole: PoleKind
    wires: bool
    lamp_height_m: float
    sign: SignKind
    sign_colour: Colour
    street_trees: float
    exotic_trees: float
    greenery: float
    parking: float
