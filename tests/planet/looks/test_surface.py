"""The ground's colours: the same through every window, in any order of points, at any footprint."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import numpy as np
import pytest
from tests.planet.scenes import noon, origin, town, world

from sightline.planet.looks import surface
from sightline.planet.looks.field_reading import fields_at
from sightline.planet.looks.moment import Moment, Weather
from sightline.planet.looks.plots import PLOTS, climate_at, plot_table
from sightline.planet.world.contents import Material
from sightline.planet.world.countries import CountryStyle, Crosswalk
from sightline.planet.world.ground_raster import (
    ACROSS,
    ALONG,
    FIELDS,
    HALF_WIDTH,
    LATTICE_A,
    LATTICE_B,
    ROAD_EDGE,
    TO_END,
    WATER,
)
from sightline.planet.world.lattice import Frame, lattice_of, vectors_of_latlng
from sightline.planet.world.neighbourhood import Neighbourhood

GRASS_GREEN_OVER_BLUE = 1.2


def winter() -> Moment:
    when = datetime(2019, 1, 15, 12, tzinfo=UTC)
    return noon(when=when, weather=Weather.SNOWFALL, temperature=0.1)


@cache
def shifted() -> Neighbourhood:
    """The same town through another window, off by no whole number of anything."""
    face, a, b = origin()
    return world().neighbourhood(face, a + 1.37, b - 0.81, 190.0)


def grid(half_m: float = 60.0, step_m: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    steps = np.arange(-half_m, half_m, step_m, dtype=np.float32)
    east, north = np.meshgrid(steps, steps)
    return east.ravel(), north.ravel()


def plain(material: Material = Material.LAWN, **changes: object) -> Neighbourhood:
    """One material everywhere, one style, in town."""
    around = town()
    cells = around.cells
    cells = replace(
        cells,
        material=np.full_like(cells.material, material),
        density=np.full_like(cells.density, 0.5),
        style=np.zeros_like(cells.style),
        climate=np.zeros_like(cells.climate),
    )
    style = replace(
        around.styles[0],
        **{"crosswalk": Crosswalk.ZEBRA, "edge_line": True, "drives_left": False,
           "centre_dash_m": 3.0, "centre_gap_m": 6.0, "centre_line_yellow": True,
           "pavement_width_m": 2.0, "asphalt": 0.35} | changes,
    )  # fmt: skip
    return replace(around, cells=cells, styles=(style,), climates=around.climates[:1])


def road(
    across: np.ndarray, along: np.ndarray, *, half: float = 4.0, length: float = 100.0
) -> np.ndarray:
    """The fields of points beside and on a straight road between two junctions, no water."""
    across, along = np.broadcast_arrays(np.float32(across), np.float32(along))
    fields = np.zeros((len(FIELDS), across.size), np.float32)
    fields[ACROSS], fields[ALONG] = across.ravel(), along.ravel()
    fields[ROAD_EDGE] = np.abs(fields[ACROSS]) - half
    fields[HALF_WIDTH] = half
    fields[TO_END] = np.minimum(fields[ALONG], length - fields[ALONG])
    fields[WATER] = 500
    fields[LATTICE_A] = 3 + fields[ALONG] / 64
    fields[LATTICE_B] = 3.5 + fields[ACROSS] / 64
    return fields


def colour(
    around: Neighbourhood, fields: np.ndarray, moment: Moment | None = None, footprint: float = 0.1
) -> np.ndarray:
    none = fields[0]
    return surface.colour(around, none, none, footprint, moment or noon(), fields=fields)[0]


def test_colours_come_as_planes_with_the_fields_they_were_made_of() -> None:
    east, north = grid(10)
    colours, fields = surface.colour(town(), east, north, 0.5, noon())
    assert colours.shape == (east.size, 3)
    assert colours.dtype == np.float32
    assert colours.T.flags.c_contiguous
    assert np.isfinite(colours).all()
    assert -0.05 < colours.min() <= colours.max() < 1.3
    np.testing.assert_array_equal(fields, fields_at(town(), east, north))


def test_points_do_not_depend_on_their_company() -> None:
    east, north = grid(40, 1.3)
    chosen = np.random.default_rng(1).permutation(east.size)[:700]
    for moment in (noon(), winter(), noon(weather=Weather.RAIN)):
        together, _ = surface.colour(town(), east, north, 0.3, moment)
        alone, _ = surface.colour(town(), east[chosen], north[chosen], 0.3, moment)
        np.testing.assert_array_equal(together[chosen], alone)


def test_one_footprint_for_all_is_the_same_as_one_for_each() -> None:
    east, north = grid(40, 1.3)
    for footprint in (0.05, 0.2, 0.7, 3.0):
        scalar, _ = surface.colour(town(), east, north, footprint, noon())
        each = np.full(east.size, footprint, np.float32)
        vector, _ = surface.colour(town(), east, north, each, noon())
        np.testing.assert_allclose(scalar, vector, atol=1e-6)


@pytest.mark.parametrize("footprint", [0.08, 0.5])
def test_two_windows_show_the_same_ground(footprint: float) -> None:
    first, second = town(), shifted()
    east, north = grid(50)
    place = first.frame.vectors(np.stack([east, north], axis=1).astype(float))
    other = second.frame.metres(place).astype(np.float32)
    for moment in (noon(), winter()):
        one, _ = surface.colour(first, east, north, footprint, moment)
        two, _ = surface.colour(second, other[:, 0], other[:, 1], footprint, moment)
        differs = (np.abs(one - two) > 12 / 255).any(axis=1)
        assert differs.mean() <= 1e-3


def test_a_road_has_asphalt_kerb_pavement_and_lawn_in_this_order() -> None:
    around = plain()
    across = np.array([2.2, 4.15, 5.0, 9.0])
    asphalt, kerb, slab, lawn = colour(around, road(across, np.full(4, 43.3)))
    style = around.styles[0]
    assert asphalt.mean() == pytest.approx(style.asphalt, rel=0.25)
    np.testing.assert_allclose(kerb, style.kerb, atol=0.08)
    np.testing.assert_allclose(slab, style.pavement, atol=0.10)
    assert lawn[1] > lawn[2] * GRASS_GREEN_OVER_BLUE


def test_edges_are_as_soft_as_the_footprint() -> None:
    across = np.linspace(3.4, 4.4, 11)
    fine = colour(plain(), road(across, np.full(11, 43.3)), footprint=0.02).mean(axis=1)
    coarse = colour(plain(), road(across, np.full(11, 43.3)), footprint=1.0).mean(axis=1)
    assert np.abs(np.diff(fine)).max() > 2 * np.abs(np.diff(coarse)).max()


def test_the_middle_line_is_dashed_and_in_the_colour_of_the_country() -> None:
    along = np.arange(30.0, 66.0, 0.25)
    line = colour(plain(), road(np.zeros(along.size), along))
    yellow = line[:, 0] - line[:, 2] > 0.2
    assert yellow.mean() == pytest.approx(3 / 9, abs=0.06)
    assert not (colour(plain(), road(np.full(along.size, 1.0), along))[:, 0] > 0.6).any()
    white = colour(plain(centre_line_yellow=False, centre_dash_m=0.0), road(0.0 * along, along))
    assert (white.min(axis=1) > 0.5).all()


def test_lines_end_before_a_junction_and_a_zebra_lies_there() -> None:
    around = plain()
    across = np.arange(-3.4, 3.4, 0.05)
    zebra = colour(around, road(across, np.full(across.size, 7.3)))
    white = zebra.min(axis=1) > 0.55
    assert 0.35 < white.mean() < 0.65
    assert np.count_nonzero(np.diff(white.astype(int)) == 1) in (6, 7)  # stripes a metre apart
    junction = colour(around, road(np.zeros(20), np.linspace(0, 3, 20)))
    assert (junction.max(axis=1) < 0.55).all()


def test_no_zebra_without_a_junction_nor_where_the_country_has_none() -> None:
    across = np.arange(-3.4, 3.4, 0.05)
    fields = road(across, np.full(across.size, 7.3))
    none = colour(plain(crosswalk=Crosswalk.NONE, edge_line=False), fields)
    assert (none.max(axis=1) < 0.55).all()
    fields[TO_END] += 200  # how the raster names an end that is no junction
    assert (colour(plain(edge_line=False), fields).max(axis=1) < 0.65).mean() > 0.9


def test_the_stop_line_is_on_the_side_that_comes_to_the_junction() -> None:
    def white(drives_left: bool, along: float, across: float) -> bool:
        fields = road(np.array([across]), np.array([along]))
        return bool(colour(plain(drives_left=drives_left), fields).min() > 0.5)

    near, far = 4.0 * 1.25 + 0.9 + 3.8, 100 - (4.0 * 1.25 + 0.9 + 3.8)
    # Towards the first end traffic runs against ``along``: its right is the left of the road.
    assert white(False, near, 2.0)
    assert not white(False, near, -2.0)
    assert white(False, far, -2.0)
    assert not white(False, far, 2.0)
    assert white(True, near, -2.0)


def test_lines_of_crossings_are_another_paint() -> None:
    along = np.arange(5.0, 10.0, 0.05)
    lines = colour(
        plain(crosswalk=Crosswalk.LINES, edge_line=False), road(np.full(along.size, -2.0), along)
    )
    white = lines.min(axis=1) > 0.55
    assert np.count_nonzero(np.diff(white.astype(int)) == 1) == 2


def test_wide_roads_have_lanes_and_narrow_ones_are_of_earth() -> None:
    along = np.arange(30.0, 66.0, 0.25)
    lanes = colour(plain(), road(np.full(along.size, 3.0), along, half=6.0))
    assert 0.2 < (lanes.max(axis=1) > 0.55).mean() < 0.5
    around = plain()
    track = colour(around, road(np.full(along.size, 0.9), along, half=2.1)).mean(axis=0)
    assert track[0] > track[2]
    beside = colour(around, road(np.full(along.size, 3.2), along, half=2.1)).mean(axis=0)
    assert beside[1] > beside[2] * GRASS_GREEN_OVER_BLUE  # no pavement along a track


def test_country_roads_have_a_verge_in_place_of_a_pavement() -> None:
    around = plain()
    rural = replace(
        around, cells=replace(around.cells, density=np.full_like(around.cells.density, 0.05))
    )
    rural.__dict__.pop("_plot_grid", None)
    fields = road(np.full(50, 4.6), np.linspace(20, 80, 50))
    verge = colour(rural, fields).mean(axis=0)
    slab = colour(around, fields).mean(axis=0)
    np.testing.assert_allclose(slab, around.styles[0].pavement, atol=0.05)
    assert np.abs(verge - slab).max() > 0.08


def test_rain_darkens_roads_and_snow_whitens_everything() -> None:
    across = np.linspace(-3, 3, 200)
    fields = road(across, np.linspace(30, 60, 200))
    around = plain()
    dry, wet = colour(around, fields), colour(around, fields, noon(weather=Weather.RAIN, key=9))
    assert wet.mean() < dry.mean() * 0.9
    lawn = road(np.full(200, 15.0), np.linspace(30, 60, 200))
    green, white = colour(around, lawn), colour(around, lawn, winter())
    assert white.mean() > green.mean() + 0.25
    assert np.abs(white[:, 0] - white[:, 2]).max() < 0.15
    snowy_road = colour(around, fields, winter())
    assert dry.mean() < snowy_road.mean() < white.mean()


def test_water_has_a_bank() -> None:
    around = plain()
    fields = road(np.full(5, 30.0), np.full(5, 50.0))
    fields[WATER] = [-20, -2, 0, 1.0, 10]
    deep, shallow, edge, bank, lawn = colour(around, fields, footprint=0.3)
    assert deep[2] > deep[0]
    assert shallow.sum() > deep.sum()
    assert (np.abs(bank - lawn) > 0.02).any()
    assert deep.sum() < edge.sum()


@pytest.mark.parametrize("material", list(Material))
@pytest.mark.parametrize("moment", [noon(), winter()], ids=["summer", "snow"])
def test_every_material_has_a_look(material: Material, moment: Moment) -> None:
    around = plain(material)
    steps = np.arange(1.5, 4.5, 0.0137, dtype=np.float32)
    fields = np.zeros((len(FIELDS), steps.size**2), np.float32)
    fields[LATTICE_A] = np.repeat(steps, steps.size)
    fields[LATTICE_B] = np.tile(steps, steps.size)
    fields[ROAD_EDGE], fields[WATER], fields[HALF_WIDTH] = 30, 500, 3
    seen = colour(around, fields, moment, 1.0)
    assert np.isfinite(seen).all()
    assert 0 < seen.mean() < 1
    assert seen.std(axis=0).min() > 0.003
    near = colour(around, fields, moment, 0.05)
    np.testing.assert_allclose(near.mean(axis=0), seen.mean(axis=0), atol=0.04)


def test_parking_bays_lie_where_vehicles_park() -> None:
    around = plain(Material.PARKING)
    a = np.arange(10.24 + 0.3, 53.0, 0.04, dtype=np.float32)
    fields = np.zeros((len(FIELDS), a.size), np.float32)
    fields[LATTICE_A], fields[LATTICE_B] = 3 + a / 64, 3 + 12.8 / 64
    fields[ROAD_EDGE], fields[WATER], fields[HALF_WIDTH] = 30, 500, 3
    white = colour(around, fields, footprint=0.05).min(axis=1) > 0.55
    assert np.count_nonzero(np.diff(white.astype(int)) == 1) in (15, 16)
    fields[LATTICE_B] = 3 + 18 / 64  # the aisle
    assert (colour(around, fields, footprint=0.05).min(axis=1) < 0.6).all()


def test_plots_keep_their_number_in_every_window() -> None:
    first, second = plot_table(town(), noon()), plot_table(shifted(), noon())
    row = (town().cells.i0 - shifted().cells.i0) * PLOTS
    column = (town().cells.j0 - shifted().cells.j0) * PLOTS
    one, two = (
        each.colour.reshape(3, *each.shape)[:, 12:20, 12:20] if each is first
        else each.colour.reshape(3, *each.shape)[:, 12 + row : 20 + row, 12 + column : 20 + column]
        for each in (first, second)
    )  # fmt: skip
    np.testing.assert_array_equal(one, two)


def test_the_last_moments_plots_are_kept_and_never_mixed_up() -> None:
    summer = plot_table(town(), noon())
    assert plot_table(town(), noon()) is summer
    white = plot_table(town(), winter())
    assert white is not summer
    np.testing.assert_array_equal(plot_table(town(), noon()).colour, summer.colour)


def test_styles_meet_at_a_border() -> None:
    around = plain()
    dark: CountryStyle = replace(around.styles[0], asphalt=0.28, edge_line=False)
    light: CountryStyle = replace(around.styles[0], asphalt=0.48, edge_line=False)
    style = np.zeros_like(around.cells.style)
    style[4:] = 1
    both = replace(around, styles=(dark, light), cells=replace(around.cells, style=style))
    fields = road(np.full(2, 2.0), np.array([40.0, 50.0]))
    fields[LATTICE_A] = [3.5, 4.5]
    first, second = colour(both, fields).mean(axis=1)
    assert second > first + 0.1


def test_courts_and_beds_have_their_own_colours_wherever_the_window_begins() -> None:
    for material in (Material.PARK, Material.GARDEN):
        around = plain(material)
        cells = around.cells
        tint = np.linspace(0, 0.29, cells.tint.size, dtype=np.float32).reshape(cells.tint.shape)
        warm = replace(around.climates[0], temperature=0.9, humidity=0.1)
        climate = np.zeros_like(cells.climate)
        climate[:, 3:] = 1
        both = replace(
            around,
            cells=replace(cells, tint=tint, climate=climate),
            climates=(around.climates[0], warm),
        )
        both.__dict__.pop("_plot_grid", None)
        steps = np.arange(1.0, 5.0, 0.03, dtype=np.float32)
        fields = np.zeros((len(FIELDS), steps.size**2), np.float32)
        fields[LATTICE_A] = np.repeat(steps, steps.size)
        fields[LATTICE_B] = np.tile(steps, steps.size)
        fields[ROAD_EDGE], fields[WATER], fields[HALF_WIDTH] = 30, 500, 3
        together = colour(both, fields)
        for part in (slice(None, None, -1), slice(9000, None, 7)):
            np.testing.assert_array_equal(together[part], colour(both, fields[:, part].copy()))


def test_climate_is_looked_up_by_cell() -> None:
    around = plain()
    points = np.random.default_rng(2).uniform(-60, 60, (50, 2)).astype(np.float32)
    assert (climate_at(around, points) == 0).all()
    climate = np.random.default_rng(3).integers(0, 2, around.cells.climate.shape).astype(np.int16)
    two = replace(
        around,
        cells=replace(around.cells, climate=climate),
        climates=(around.climates[0], replace(around.climates[0], temperature=0.9)),
    )
    fields = around.ground.sample(points[:, 0].copy(), points[:, 1].copy())
    expected = climate[fields[LATTICE_A].astype(int), fields[LATTICE_B].astype(int)]
    np.testing.assert_array_equal(climate_at(two, points), expected)


def test_furrows_lie_where_they_lie_whatever_cell_a_window_begins_with() -> None:
    face, a, b = (part[0] for part in lattice_of(vectors_of_latlng([(-12.12607, -81.58341)])))
    first = world().neighbourhood(int(face), float(a), float(b), 60.0)
    second = world().neighbourhood(int(face), float(a) + 1.5, float(b) - 2.5, 250.0)
    assert (first.cells.i0, first.cells.j0) != (second.cells.i0, second.cells.j0)
    assert int(Material.FIELD) in first.cells.material
    east, north = grid(60)
    vectors = Frame.at(int(face), float(a), float(b)).vectors(np.stack([east, north], axis=1))
    there = Frame.at(int(face), float(a) + 1.5, float(b) - 2.5).metres(vectors).astype(np.float32)
    here, _ = surface.colour(first, east, north, 0.4, noon())
    same, _ = surface.colour(second, there[:, 0].copy(), there[:, 1].copy(), 0.4, noon())
    assert (np.abs(here - same).max(axis=1) > 0.05).mean() < 1e-3
