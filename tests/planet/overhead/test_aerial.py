"""Aerial images: shadows, layers, years, windows, and refusals."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import numpy as np
import pytest
from tests.planet.scenes import noon, origin, town, world

from sightline.errors import UsageError
from sightline.planet.looks.moment import Moment, Season, Weather
from sightline.planet.looks.straightness import Turn
from sightline.planet.overhead import aerial, crowns
from sightline.planet.overhead.fill import Canvas
from sightline.planet.world.contents import (
    ALWAYS,
    NEVER,
    BoxKind,
    Buildings,
    Material,
    RoofKind,
    Species,
    Use,
)
from sightline.planet.world.ground_raster import ELEVATION, FIELDS
from sightline.planet.world.neighbourhood import Neighbourhood

PLACE = (45.0, 0.0)
STRAIGHT = Turn(0.0, 0.0, 0.0, 1.0)


@cache
def shifted() -> Neighbourhood:
    face, a, b = origin()
    return world().neighbourhood(face, a + 1.37, b - 0.81, 190.0)


def box(**changes: object) -> Buildings:
    """A grey flat house of 12 by 8 metres, 6 metres high, at the origin, its length to the east."""
    one = np.float32(1.0)
    given: dict[str, object] = {
        "centre": [0, 0], "axis": [1, 0], "half_length": 6, "half_width": 4, "base_m": 0,
        "eave_m": 6, "rise_m": 0, "roof": RoofKind.FLAT, "kind": BoxKind.BUILDING,
        "use": Use.DETACHED, "wall": [0.5] * 3, "roof_colour": [0.5] * 3, "phase": 0.3,
        "floor_m": 3, "bay_m": 3, "window_width": one / 2, "window_height": one / 2, "style": 0,
        "house": 77, "built_year": ALWAYS, "gone_year": NEVER,
    }  # fmt: skip
    types = {name: getattr(town().buildings, name).dtype for name in given}
    return Buildings(**{
        name: np.array([value], dtype=types[name]) for name, value in (given | changes).items()
    })  # fmt: skip


def empty(buildings: Buildings | None = None, **changes: object) -> Neighbourhood:
    """A level lawn with nothing on it but what is given."""
    around = town()
    none = np.zeros(0, np.intp)
    ground = around.ground.fields.copy()
    ground[..., 0], ground[..., 7], ground[..., ELEVATION] = 30, 500, 5
    cells = replace(
        around.cells,
        material=np.full_like(around.cells.material, Material.LAWN),
        style=np.zeros_like(around.cells.style),
        climate=np.zeros_like(around.cells.climate),
    )
    bare = replace(
        around,
        ground=replace(around.ground, fields=ground),
        cells=cells,
        buildings=around.buildings.rows(none) if buildings is None else buildings,
        plants=around.plants.rows(none),
        slots=around.slots.rows(none),
    )
    return replace(bare, **changes)


def tree(**changes: object) -> Neighbourhood:
    given = {"position": [0, 0], "height_m": 10, "radius_m": 5, "species": Species.BROADLEAF,
             "climate": 0, "planted_year": ALWAYS, "tint": 0.5, "key": 5} | changes  # fmt: skip
    first = town().plants.rows(np.array([0]))
    rows = {name: np.array([value], getattr(first, name).dtype) for name, value in given.items()}
    return empty(plants=replace(first, **rows))


def seen(
    around: Neighbourhood, moment: Moment | None = None, metres: float = 0.5, **options: object
) -> np.ndarray:
    """Return a quiet picture of 48 metres around the origin, float, in levels."""
    pixels = round(48 / metres)
    options = {"misregistration_m": 0.0, "noise_scale": 0.0} | options
    picture = aerial.render(
        around, (0.0, 0.0), metres, (pixels, pixels), moment or noon(), **options
    )  # type: ignore[arg-type]
    return picture.astype(float)


def test_pictures_have_the_size_asked_for_and_are_the_same_every_time() -> None:
    for size in ((64, 40), (1, 1), (33, 57)):
        picture = aerial.render(town(), (3.0, -2.0), 0.5, size, noon())
        assert picture.shape == (size[1], size[0], 3)
        assert picture.dtype == np.uint8
        again = aerial.render(town(), (3.0, -2.0), 0.5, size, noon())
        np.testing.assert_array_equal(picture, again)


@pytest.mark.parametrize("metres", [0.1, 0.3, 0.5, 1.0, 1.7])
def test_any_resolution_shows_the_same_place(metres: float) -> None:
    finest = seen(town(), metres=0.25)
    other = seen(town(), metres=metres)
    blocks = 6  # of eight metres

    def means(picture: np.ndarray) -> np.ndarray:
        edges = np.linspace(0, len(picture), blocks + 1).round().astype(int)[:-1]
        sums = np.add.reduceat(np.add.reduceat(picture, edges, 0), edges, 1)
        counts = np.diff([*edges, len(picture)])
        return sums / (counts[:, None] * counts)[..., None]

    apart = np.abs(means(finest) - means(other))
    assert apart.mean() < 6
    assert np.corrcoef(means(finest).ravel(), means(other).ravel())[0, 1] > 0.93


@pytest.mark.parametrize("metres", [0.0, -1.0, math.nan, math.inf])
def test_impossible_pixels_are_refused(metres: float) -> None:
    with pytest.raises(UsageError, match=r"metres_per_pixel must be positive\. Got"):
        aerial.render(town(), (0.0, 0.0), metres, (8, 8), noon())


@pytest.mark.parametrize("size", [(0, 8), (8, -1)])
def test_impossible_sizes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match=r"size must be two positive numbers.*Got"):
        aerial.render(town(), (0.0, 0.0), 0.5, size, noon())


@pytest.mark.parametrize("season", list(Season))
def test_two_windows_show_the_same_picture(season: Season) -> None:
    first, second = town(), shifted()
    moment = Moment.of_survey(first.latlng, season=season, year=2020, key=11)
    for place in ((0.0, 0.0), (-21.3, 17.9)):
        vectors = first.frame.vectors(np.array([place]))
        there = tuple(float(part) for part in second.frame.metres(vectors)[0])
        one = aerial.render(first, place, 0.5, (224, 224), moment).astype(int)
        two = aerial.render(second, there, 0.5, (224, 224), moment).astype(int)
        differs = (np.abs(one - two) > 12).any(axis=2)
        assert differs.mean() <= 1e-3


def test_shadow_lies_north_of_a_house_when_the_sun_is_in_the_south() -> None:
    moment = noon()
    bare, built = seen(empty()), seen(empty(box()))
    darker = bare.mean(axis=2) - built.mean(axis=2) > 25
    rows, columns = np.nonzero(darker)
    assert 24 * 24 * 0.1 < darker.sum() < 24 * 24
    # North is up: pixel row 48 is the middle, the house ends at row 40; 6 m of shadow at 68°.
    length = 6 / math.tan(math.radians(moment.sun_elevation_degrees)) / 0.5
    assert rows.max() <= 41
    assert rows.min() == pytest.approx(40 - length, abs=2)
    assert 33 <= columns.min() <= columns.max() <= 62
    np.testing.assert_allclose(bare[60:], built[60:], atol=1)


def test_a_house_is_where_it_stands_with_soft_edges() -> None:
    white = box(roof_colour=[0.9] * 3)
    for metres in (0.25, 0.5):
        lawn, roof = seen(empty(), metres=metres), seen(empty(white), metres=metres)
        covered = (roof - lawn).mean(axis=2) > 30
        rows, columns = np.nonzero(covered)
        middle = 24 / metres
        half = (6 / metres, 4 / metres)
        assert columns.min() == pytest.approx(middle - half[0], abs=1)
        assert columns.max() == pytest.approx(middle + half[0] - 1, abs=1)
        assert rows.max() == pytest.approx(middle + half[1] - 1, abs=1)
    # An edge through the middle of pixels: their colour lies between lawn and roof.
    split = seen(empty(box(roof_colour=[0.9] * 3, half_length=6.25)))
    edge, inside, outside = split[50, 36 - 1], split[50, 40], split[50, 30]
    assert (outside + 10 < edge).all()
    assert (edge < inside - 10).all()


def test_neighbours_hide_the_ground_between_them() -> None:
    first, second = box(centre=[-6.25, 0]), box(centre=[5.75, 0], house=5)
    both = Buildings.join([first, second])
    row = seen(empty(both))[46, 30:60].mean(axis=1)
    assert np.abs(np.diff(row)).max() < 22  # a parapet's edge, no stripe of lawn


def test_the_higher_box_is_on_top_whatever_the_order() -> None:
    low = box(roof_colour=[0.8, 0.2, 0.2])
    high = box(roof_colour=[0.2, 0.2, 0.8], half_length=2, half_width=2, eave_m=12, house=5)
    pictures = [seen(empty(Buildings.join(pair))) for pair in ([low, high], [high, low])]
    np.testing.assert_array_equal(pictures[0], pictures[1])
    middle, beside = pictures[0][48, 48], pictures[0][50, 57]
    assert middle[2] > middle[0] + 40
    assert beside[0] > beside[2] + 40


@pytest.mark.parametrize("turn", [0, 30, 90, 200])
def test_the_sunny_side_of_a_gable_is_brighter(turn: float) -> None:
    angle = math.radians(turn)
    axis = [math.cos(angle), math.sin(angle)]
    roof = box(axis=axis, roof=RoofKind.GABLE, rise_m=3.0, half_width=5.0)
    picture = seen(empty(roof)).mean(axis=2)
    left = np.array([-axis[1], axis[0]])

    def side(sign: float) -> float:
        east, north = left * 2.5 * sign
        return picture[round(47.5 - north / 0.5), round(47.5 + east / 0.5)]

    sun = noon().sun
    towards = left[0] * sun[0] + left[1] * sun[1]
    if abs(towards) > 0.15:
        assert (side(1) - side(-1)) * np.sign(towards) > 12


@pytest.mark.parametrize("roof", list(RoofKind))
@pytest.mark.parametrize("kind", list(BoxKind))
def test_every_roof_and_kind_is_drawn(roof: RoofKind, kind: BoxKind) -> None:
    rise = 0.0 if roof is RoofKind.FLAT else 2.5
    for use in (Use.DETACHED, Use.WAREHOUSE):
        drawn = box(roof=roof, kind=kind, rise_m=rise, use=use, half_width=5.5, house=3)
        picture = seen(empty(drawn))
        assert np.abs(picture - seen(empty())).max() > 20


def test_hipped_ends_have_their_own_light() -> None:
    hip = box(axis=[0, 1], roof=RoofKind.HIP, rise_m=4.0, half_length=8, half_width=4)
    picture = seen(empty(hip)).mean(axis=2)
    south, north = picture[48 + 14, 48], picture[48 - 14, 48]
    assert south > north + 20


def test_a_shed_roof_is_high_on_its_left() -> None:
    def light(axis: list[float]) -> float:
        roof = box(axis=axis, roof=RoofKind.SHED, rise_m=4.0)
        return float(seen(empty(roof))[44:52, 44:52].mean())

    # With its axis to the east the left is north: the roof looks south, into the sun.
    assert light([1, 0]) > light([-1, 0]) + 10


def test_snow_lies_on_roofs_but_less_on_vehicles_and_hedges() -> None:
    snowy = noon(when=datetime(2019, 1, 15, 12, tzinfo=UTC), weather=Weather.SNOWFALL)
    assert snowy.snow > 0.7
    dark = {"roof_colour": [0.2] * 3, "wall": [0.2] * 3}
    roof = seen(empty(box(**dark)), snowy)[44:52, 44:52].mean()
    hedge = seen(empty(box(kind=BoxKind.HEDGE, eave_m=2, **dark)), snowy)[44:52, 44:52].mean()
    bare = seen(empty(box(**dark)))[44:52, 44:52].mean()
    assert roof > bare + 50
    assert hedge < roof - 10


def test_houses_stand_in_their_years_only() -> None:
    house = empty(box(built_year=2015, gone_year=2022))
    there = {
        year: np.abs(
            seen(house, noon(when=datetime(year, 6, 21, 12, tzinfo=UTC)))
            - seen(empty(), noon(when=datetime(year, 6, 21, 12, tzinfo=UTC)))
        ).max() > 20
        for year in (2014, 2015, 2021, 2022)
    }  # fmt: skip
    assert there == {2014: False, 2015: True, 2021: True, 2022: False}


def test_trees_grow_and_throw_shadows() -> None:
    def area(year: int) -> int:
        moment = noon(when=datetime(year, 6, 21, 12, tzinfo=UTC))
        return int((np.abs(seen(tree(planted_year=2010), moment) - seen(empty(), moment)) > 12)
                   .any(axis=2).sum())  # fmt: skip

    assert area(2009) == 0
    assert 0 < area(2011) < area(2020) < area(2035)
    difference = seen(tree()).mean(axis=2) - seen(empty()).mean(axis=2)
    assert difference[26:36, 44:52].mean() < difference[62:72, 44:52].mean() - 10


@pytest.mark.parametrize("species", list(Species))
def test_every_species_has_a_crown(species: Species) -> None:
    grown = seen(tree(species=species))
    assert np.abs(grown - seen(empty()))[40:56, 40:56].max() > 20


def test_bare_trees_let_the_ground_through() -> None:
    climates = (replace(town().climates[0], temperature=0.5, humidity=0.6),)
    canvas = Canvas(-12.0, 12.0, 0.5, 48, 48)

    def covered(month: int, species: Species) -> float:
        moment = noon(when=datetime(2019, month, 15, 12, tzinfo=UTC), temperature=0.5)
        wood = replace(tree(radius_m=8, species=species), climates=climates)
        return float(crowns.cover(wood, canvas, STRAIGHT, moment).share.sum())

    assert covered(1, Species.BROADLEAF) < 0.8 * covered(7, Species.BROADLEAF)
    assert covered(1, Species.CONIFER) == covered(7, Species.CONIFER)


def test_a_tree_under_a_tower_is_not_seen() -> None:
    tower = empty(box(eave_m=40.0), plants=tree(radius_m=3).plants)
    np.testing.assert_array_equal(seen(tower), seen(empty(box(eave_m=40.0))))


def test_a_tower_outside_the_picture_throws_its_shadow_into_it() -> None:
    low_sun = noon(when=datetime(2019, 12, 21, 12, tzinfo=UTC))
    tower = box(centre=[0, -32], eave_m=20.0)
    dark = seen(empty(), low_sun).mean(axis=2) - seen(empty(tower), low_sun).mean(axis=2) > 15
    rows, columns = np.nonzero(dark)
    assert rows.max() == 95  # from the southern border on
    tip = (-28 + 20 / math.tan(math.radians(low_sun.sun_elevation_degrees))) / 0.5
    assert rows.min() == pytest.approx(48 - tip, abs=4)
    assert 30 < columns.min() < columns.max() < 66


def test_slopes_that_face_the_sun_are_brighter() -> None:
    around = empty()
    fields = around.ground.fields.copy()
    rows, columns = fields.shape[:2]
    frame = around.ground
    # Invert the affine map to know where each raster point lies to the north.
    matrix = np.array([frame.to_column[:2], frame.to_row[:2]])
    shift = np.array([frame.to_column[2], frame.to_row[2]])
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1)
    north = ((grid - shift) @ np.linalg.inv(matrix).T)[..., 1]
    pictures = []
    for slope in (0.3, 0.0, -0.3):
        fields[..., ELEVATION] = north * slope
        hill = replace(around, ground=replace(around.ground, fields=fields.copy()))
        pictures.append(seen(hill).mean())
    # The sun stands in the south: ground that falls to the south has the higher light.
    assert pictures[0] > pictures[1] > pictures[2]


def test_vehicles_come_and_go_with_the_key() -> None:
    around = town()
    bare = replace(around, slots=around.slots.rows(np.zeros(0, np.intp)))
    keys = [np.abs(seen(around, key=key) - seen(bare, key=key)).max(axis=2) > 20 for key in (1, 2)]
    assert keys[0].any()
    assert keys[1].any()
    assert (keys[0] != keys[1]).any()


def test_misregistration_moves_a_picture_a_little() -> None:
    around = empty(box(roof_colour=[0.9] * 3))
    straight = seen(around, key=3)
    moved = seen(around, key=3, misregistration_m=3.0)

    def middle(picture: np.ndarray) -> np.ndarray:
        bright = np.nonzero(picture.mean(axis=2) > 190)
        return np.array([part.mean() for part in bright])

    offset = np.abs(middle(straight) - middle(moved)) * 0.5
    assert 0.2 < offset.max() <= 3.3


def test_a_survey_by_night_is_dim_but_not_black() -> None:
    night = noon(when=datetime(2019, 6, 21, 0, tzinfo=UTC))
    assert 20 < seen(town(), night).mean() < seen(town(), noon()).mean()


def test_noise_is_the_sensors() -> None:
    quiet, loud = seen(empty(), key=4), seen(empty(), key=4, noise_scale=1.0)
    assert 0.5 < (loud - quiet).std() < 8


def test_large_and_coarse_pictures_need_no_special_case() -> None:
    picture = aerial.render(town(), (0.0, 0.0), 2.5, (100, 40), noon())
    assert picture.std() > 10


def test_fields_on_a_grid_are_the_rasters() -> None:
    around = town()
    for metres, step in ((1.0, 1), (0.25, 6), (0.5, 3)):
        canvas = Canvas(-20.0, 20.0, metres, 37, 41)
        found, lit = aerial.grid_fields(around, canvas, STRAIGHT, noon())
        assert found.shape == (len(FIELDS) - 1, 37 * 41)
        assert lit.shape == (37 * 41,)
        east, north = np.meshgrid(canvas.eastings(), canvas.northings())
        exact = around.ground.sample(east.ravel(), north.ravel())
        grid = found.reshape(-1, 37, 41)[:, ::step, ::step]
        np.testing.assert_allclose(
            grid, exact[:-1].reshape(-1, 37, 41)[:, ::step, ::step], atol=1e-3
        )
