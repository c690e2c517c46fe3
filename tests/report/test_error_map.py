from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from pyproj import Proj

from sightline.report.figures import error_map, render
from sightline.report.figures.error_map import error_map_figure
from sightline.report.figures.palette import PALETTE
from sightline.report.figures.projection import EqualEarth, RegionalMap

from . import evaluation_documents as made

places = st.tuples(st.floats(-90, 90), st.floats(-180, 179.9))


def photo(
    truth: tuple[float, float], answer: tuple[float, float] | None = None, error_km: float = 1.0
) -> dict:
    return {
        "id": "x",
        "true_lat": truth[0],
        "true_lon": truth[1],
        "lat": None if answer is None else answer[0],
        "lon": None if answer is None else answer[1],
        "error_km": None if answer is None else error_km,
    }


def drawn(photos: list[dict]) -> Figure:
    document = made.minimal_localization() | {"photos": photos}
    figure = error_map_figure(document, 1, "x", 1)
    sheet = Figure(figsize=figure.size_inches)
    figure.draw(sheet)
    return sheet


def arcs(sheet: Figure) -> list[np.ndarray]:
    """The lines from truths to answers, cut where a line is lifted."""
    found = []
    for line in sheet.axes[0].lines:
        if line.get_color() in {PALETTE[f"error-{i}"] for i in range(1, 6)} and (
            line.get_linestyle() == "-"
        ):
            points = np.column_stack(line.get_data())
            gaps = np.flatnonzero(np.isnan(points[:, 0]))
            found += [part[~np.isnan(part[:, 0])] for part in np.split(points, gaps)]
    return [part for part in found if len(part)]


def test_equal_earth_is_that_of_proj() -> None:
    lon, lat = (
        grid.ravel() for grid in np.meshgrid(np.linspace(-180, 180, 25), np.linspace(-90, 90, 19))
    )
    flat = EqualEarth().project(np.column_stack([lon, lat]))
    x, y = Proj("+proj=eqearth +R=1")(lon, lat)
    # PROJ brings -180 to 180.
    inside = np.abs(lon) < 180
    assert flat[inside] == pytest.approx(np.column_stack([x, y])[inside], abs=1e-9)
    assert np.abs(flat[~inside, 0]) == pytest.approx(np.abs(np.array(x)[~inside]), abs=1e-9)


def test_the_rim_of_the_world_is_a_ring_around_all_of_it() -> None:
    rim = EqualEarth().rim
    width, height = np.ptp(rim, axis=0)
    # Šavrič et al. (2018): the aspect ratio is 2.05458.
    assert width / height == pytest.approx(2.05458, abs=1e-4)


def test_a_region_keeps_shapes_in_its_middle() -> None:
    region = RegionalMap(west=10.0, south=59.0, east=14.0, north=61.0)
    (west, south), (east, north) = region.rim[0], region.rim[2]
    assert (east - west) / (north - south) == pytest.approx(4 * 0.5 / 2, rel=1e-6)


def test_arcs_lead_from_truth_to_answer_along_the_great_circle() -> None:
    sheet = drawn([photo((50.0, -100.0), (50.0, 100.0), 9000.0)])
    world = EqualEarth()
    truth, answer = world.project(np.array([[-100.0, 50.0], [100.0, 50.0]]))
    # The short way leads over the antimeridian: once it starts, once it ends on the map.
    arc, other = sorted(arcs(sheet), key=lambda one: abs(one[0, 0] - truth[0]))
    assert len(arc) > 20
    assert arc[0] == pytest.approx(truth)
    assert other[-1] == pytest.approx(answer)
    # Near the pole, far north of both ends.
    assert arc[:, 1].max() > world.project(np.array([[0.0, 75.0]]))[0, 1]


def test_an_arc_over_the_antimeridian_is_drawn_on_both_sides_and_never_across() -> None:
    sheet = drawn([photo((-17.0, 178.0), (-17.0, -178.0), 425.0), photo((0.0, 0.0))])
    both = arcs(sheet)
    assert len(both) == 2
    half = EqualEarth().project(np.array([[180.0, -17.0]]))[0, 0]
    for arc in both:
        assert np.ptp(arc[:, 0]) < 0.1
    assert sorted(np.sign(arc[:, 0].mean()) for arc in both) == [-1, 1]
    assert max(arc[:, 0].max() for arc in both) > half > min(np.abs(a[:, 0]).min() for a in both)


# Several on a sheet, for a sheet takes a second.
@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(places, places), min_size=3, max_size=12))
def test_every_pair_of_places_can_be_drawn(pairs) -> None:
    photos = [photo(truth, answer, 500.0) for truth, answer in pairs]
    sheet = drawn([*photos, photo((0, 0), (0, 90)), photo((0, -179))])
    assert len(arcs(sheet)) > len(pairs)
    for arc in arcs(sheet):
        assert np.isfinite(arc).all()
        assert len(arc) >= 2


def test_antipodes_and_hits_are_lines_and_dots_like_all_others() -> None:
    sheet = drawn(
        [photo((10.0, 20.0), (-10.0, -160.0), 20_015.0), photo((5.0, 5.0), (5.0, 5.0), 0.0)]
    )
    assert all(np.isfinite(arc).all() for arc in arcs(sheet))


def test_colour_says_the_class_of_the_error_and_its_upper_end_is_inclusive() -> None:
    errors = [0.0, 25.0, 25.1, 200.0, 750.0, 2500.0, 2500.1]
    photos = [photo((0.0, 10.0 * i - 60), (0.0, 10.0 * i - 59), e) for i, e in enumerate(errors)]
    document = made.minimal_localization() | {"photos": [*photos, photo((1.0, 1.0))]}
    figure = error_map_figure(document, 1, "x", 1)
    assert figure.alt == (
        "2 photos within 25 km, 2 photos within 200 km, 1 photo within 750 km, "
        "1 photo within 2,500 km, 1 photo over 2,500 km, 1 photo without an answer"
    )
    dots = {
        line.get_color(): len(line.get_xdata())
        for line in drawn(document["photos"]).axes[0].lines
        if line.get_marker() == "o"
    }
    assert dots == {
        PALETTE["error-1"]: 2,
        PALETTE["error-2"]: 2,
        PALETTE["error-3"]: 1,
        PALETTE["error-4"]: 1,
        PALETTE["error-5"]: 1,
        PALETTE["ink"]: 1,
    }


@pytest.mark.parametrize(
    ("photos", "labels"),
    [
        ([photo((55.70, 13.19), (55.71, 13.20))], {"13.19° E", "55.705° N", "500 m"}),
        ([photo((-33.0, -71.0), (-34.0, -70.0))], {"70.5° W", "33.5° S", "50 km"}),
        # Longitudes beyond the antimeridian keep their names.
        ([photo((0.0, 179.9999))], {"180° W", "0° N", "200 m"}),
        ([photo((90.0, 0.0)), photo((88.0, 30.0))], {"90° N", "20° E"}),
    ],
)
def test_near_places_are_shown_as_a_region_with_its_degrees(photos, labels: set[str]) -> None:
    sheet = drawn(photos)
    assert labels <= {text.get_text() for text in sheet.axes[0].texts}
    assert sheet.axes[0].get_aspect() == 1.0


def test_the_world_has_no_degrees_but_land() -> None:
    sheet = drawn([photo((60.0, -150.0), (-30.0, 150.0), 15_000.0)])
    assert not sheet.axes[0].texts
    land = [patch for patch in sheet.axes[0].patches if len(patch.get_path()) > 1000]
    assert len(land) == 1


def test_a_region_by_the_sea_shows_its_coast_and_borders() -> None:
    sheet = drawn([photo((55.0, 12.0), (56.0, 14.0)), photo((50.0, 8.0))])
    west, east = sheet.axes[0].get_xlim()
    land = max(sheet.axes[0].patches, key=lambda patch: len(patch.get_path()))
    assert len(land.get_path()) > 100
    borders = [
        patch
        for patch in sheet.axes[0].patches
        if not patch.get_fill() and len(patch.get_path()) > 100
    ]
    assert len(borders) == 1
    assert west < east


def test_a_region_inland_is_land() -> None:
    sheet = drawn([photo((47.0, 8.0), (46.0, 10.0))])
    box = sheet.axes[0].patches[0].get_path().get_extents()
    land = next(
        patch
        for patch in sheet.axes[0].patches
        if patch.get_facecolor()[:3] == pytest.approx(rgb(PALETTE["land"]))
    )
    assert land.get_path().contains_point(((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2))


def test_a_street_is_no_sea() -> None:
    sheet = drawn([photo((55.70, 13.19), (55.71, 13.20))])
    (ground, *others) = sheet.axes[0].patches
    assert ground.get_facecolor()[:3] == pytest.approx(rgb(PALETTE["land"]))
    # Rounded outlines would be drawn where they are not.
    assert len(others) == 1


def test_the_scale_is_true() -> None:
    sheet = drawn([photo((60.0, 10.0), (61.0, 12.0))])
    (bar,) = (line for line in sheet.axes[0].lines if line.get_linewidth() == 1.6)
    (words,) = (text.get_text() for text in sheet.axes[0].texts if text.get_text().endswith("km"))
    # A unit of the map is a degree of latitude, everywhere 111 km.
    assert np.ptp(bar.get_xdata()) * 111.195 == pytest.approx(float(words.removesuffix(" km")))


def test_no_photos_are_an_empty_world() -> None:
    assert not arcs(drawn([]))


def rgb(colour: str) -> list[float]:
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def test_too_many_photos_are_thinned_evenly_and_the_caption_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(error_map, "SHOWN_AT_MOST", 5)
    photos = [photo((0.0, float(i)), (0.0, float(i) + 1)) for i in range(100)]
    document = made.minimal_localization() | {"photos": photos}
    figure = error_map_figure(document, 2, "b.csv", 3)
    assert "5 of 100 photos are drawn, taken evenly from the list." in figure.caption
    assert (figure.name, figure.title) == ("map-2", "Map of errors: b.csv")
    # What is told in words still counts all.
    assert figure.alt.startswith("100 photos within 25 km")
    sheet = Figure()
    figure.draw(sheet)
    dots = next(
        line
        for line in sheet.axes[0].lines
        if line.get_marker() == "o" and line.get_color() == PALETTE["error-1"]
    )
    assert len(dots.get_xdata()) == 5
    assert dots.get_xdata()[-1] == pytest.approx(
        EqualEarth().project(np.array([[99.0, 0.0]]))[0, 0]
    )


def test_a_map_of_the_world_stays_small() -> None:
    document = made.localization(n=240)
    assert len(render(error_map_figure(document, 1, "x", 1), "svg")) < 400_000
