from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from tests.planet.scenes import midnight, noon, origin, town, world

from sightline.errors import UsageError
from sightline.planet.ground import photo as ground
from sightline.planet.ground.camera import Camera
from sightline.planet.ground.far_land import FarLand
from sightline.planet.ground.rays import cast
from sightline.planet.ground.relief import march
from sightline.planet.ground.staging import crowns, stage
from sightline.planet.ground.viewpoint import Viewpoint
from sightline.planet.ground.visibility import sort_pixels
from sightline.planet.looks.moment import Moment, Weather
from sightline.planet.world.ground_raster import HALF_WIDTH, ROAD_EDGE, WATER
from sightline.planet.world.lattice import Frame

_SMALL = Camera(size=(64, 64))


def _standpoint(number: int = 0) -> tuple[float, float]:
    """A place on a road near the origin."""
    east, north = (
        part.ravel().astype(np.float32)
        for part in np.meshgrid(np.arange(-50.0, 50.0), np.arange(-50.0, 50.0))
    )
    fields = town().ground.sample(east, north)
    on_road = (fields[ROAD_EDGE] < -2) & (fields[HALF_WIDTH] > 2.4) & (fields[WATER] > 3)
    chosen = np.flatnonzero(on_road)
    place = chosen[(number * 997) % len(chosen)]
    return float(east[place]), float(north[place])


def _photo(camera: Camera = _SMALL, moment: Moment | None = None, **options: object) -> np.ndarray:
    return ground.render(town(), _standpoint(), camera, moment or noon(), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "camera",
    [
        _SMALL,
        Camera(size=(90, 40), fov_degrees=30, heading_degrees=200),
        Camera(size=(128, 32), panorama=True),
        Camera(size=(64, 48), fov_degrees=150),
        Camera(size=(64, 64), tilt_degrees=-90, height_m=30),
        Camera(size=(64, 64), tilt_degrees=15, roll_degrees=-5, distortion=-0.1),
        Camera(size=(64, 32), panorama=True, tilt_degrees=10),
        Camera(size=(1, 1)),
    ],
)
def test_every_camera_takes_a_photo(camera: Camera) -> None:
    picture = _photo(camera)
    assert picture.shape == (camera.size[1], camera.size[0], 3)
    assert picture.dtype == np.uint8
    if camera.size[0] > 1:
        assert picture.std() > 5


@pytest.mark.parametrize("weather", list(Weather))
@pytest.mark.parametrize("hour", [0, 4, 9, 18])
def test_every_weather_and_hour_takes_a_photo(weather: Weather, hour: int) -> None:
    for month in (1, 7):
        moment = noon(when=datetime(2020, month, 3, hour, tzinfo=UTC), weather=weather)
        assert _photo(moment=moment).std() > 1


def test_the_same_question_has_the_same_answer_in_any_order() -> None:
    first = _photo()
    _photo(Camera(size=(32, 16), panorama=True), midnight())
    fresh = world().neighbourhood(*origin(), 190.0)
    assert np.array_equal(first, _photo())
    assert np.array_equal(first, ground.render(fresh, _standpoint(), _SMALL, noon()))


def test_night_is_darker_than_noon() -> None:
    assert _photo(moment=midnight()).mean() < 0.6 * _photo().mean()


def test_the_key_parks_other_cars_but_moves_no_house() -> None:
    camera = Camera(size=(192, 96), panorama=True)
    view = Viewpoint.of(camera, *_standpoint(), 0.0)
    first, second = (stage(town(), view, noon(), key) for key in (1, 2))
    assert np.array_equal(first.source, second.source)
    count = len(first.source)
    assert first.boxes.vehicles != second.boxes.vehicles or not np.array_equal(
        first.boxes.east[count:], second.boxes.east[count:]
    )
    assert not np.array_equal(_photo(camera, key=1), _photo(camera, key=2))


def test_pixels_are_sorted_into_sets_that_do_not_overlap() -> None:
    camera = Camera(size=(96, 64))
    east, north = _standpoint()
    foot = town().ground.elevation(np.array([east], np.float32), np.array([north], np.float32))
    view = Viewpoint.of(camera, east, north, float(foot[0]))
    boxes = stage(town(), view, noon(), 1).boxes
    relief = march(view, FarLand(town(), town().face).heights(9.0))
    seen = sort_pixels(relief, boxes, *cast(view, boxes))
    parts = (seen.sky, seen.ground, seen.walls.pixels, seen.roofs.pixels, seen.cars.pixels)
    every = np.concatenate(parts)
    assert len(every) == 96 * 64
    assert len(np.unique(every)) == 96 * 64
    # Down a column things only get nearer.
    assert (np.diff(seen.depth, axis=0) <= 1e-2).all()


def test_a_photo_is_a_part_of_the_panorama() -> None:
    """The horizon and the skyline lie where the panorama has them."""
    wide = ground.render(
        town(), _standpoint(), Camera(size=(720, 180), panorama=True), noon(), key=1
    )
    narrow = ground.render(
        town(), _standpoint(), Camera(size=(90, 90), fov_degrees=90), noon(), key=1
    )
    matched = []
    for column in range(10, 80, 3):
        angle = math.degrees(math.atan((column + 0.5 - 45) / 45))
        across = int(360 + angle * 2)
        for row in range(20, 70, 3):
            up = math.degrees(math.atan((45 - row - 0.5) / 45 * math.cos(math.radians(angle))))
            down = int(90 - up * 2)
            patch = wide[down - 1 : down + 2, across - 1 : across + 2].astype(int)
            matched.append(abs(patch - narrow[row, column].astype(int)).sum(axis=2).min())
    assert np.mean(np.array(matched) < 60) > 0.9


def test_two_windows_show_the_same_place() -> None:
    """At most 0.1 % of pixels differ by more than 12 levels."""
    face, a, b = origin()
    shift = (0.61, -0.43)
    other = world().neighbourhood(face, a + shift[0], b + shift[1], 235.0)
    moved = Frame.at(face, a, b).metres(Frame.at(face, a + shift[0], b + shift[1]).axes[:1])[0]
    differing = []
    for number in range(3):
        east, north = _standpoint(number)
        for camera in (
            Camera(heading_degrees=70.0 * number),
            Camera(size=(512, 128), panorama=True),
        ):
            moment = noon(key=number, weather=Weather(number))
            one = ground.render(town(), (east, north), camera, moment)
            two = ground.render(
                other, (east - float(moved[0]), north - float(moved[1])), camera, moment
            )
            apart = abs(one.astype(int) - two.astype(int)).max(axis=2)
            differing.append(float((apart > 12).mean()))
    assert np.mean(differing) <= 0.001, differing


@pytest.mark.parametrize("place", [(65.0, 0.0), (math.nan, 0.0), (0.0, -1e6)])
def test_standpoints_at_the_edge_are_refused(place: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="standpoint must lie") as caught:
        ground.render(town(), place, _SMALL, noon())
    assert "190 m" in caught.value.message


@pytest.mark.parametrize("weather", [Weather.CLEAR, Weather.RAIN])
@pytest.mark.parametrize(
    "camera",
    [
        Camera(size=(96, 97), tilt_degrees=3),
        Camera(size=(97, 96), tilt_degrees=-35, roll_degrees=8),
        Camera(size=(96, 64), tilt_degrees=2, distortion=-0.2),
        Camera(size=(96, 64), distortion=0.3),
        Camera(size=(96, 48), panorama=True, roll_degrees=4),
    ],
)
def test_what_a_picture_leaves_out_need_not_be_painted(
    monkeypatch: pytest.MonkeyPatch, camera: Camera, weather: Weather
) -> None:
    moment = noon(weather=weather)
    assert (moment.wetness > 0.1) is (weather is Weather.RAIN)
    picture = _photo(camera, moment)

    def everything(relief, boxes, rays, owners, shown):  # type: ignore[no-untyped-def]
        assert shown is not None
        return sort_pixels(relief, boxes, rays, owners)

    monkeypatch.setattr(ground, "sort_pixels", everything)
    np.testing.assert_array_equal(picture, _photo(camera, moment))


@pytest.mark.parametrize("width", [1, 2, 3, 4, 33])
def test_narrow_photos_are_cut_from_no_others(width: int) -> None:
    for tilt in (0.0, 5.0):
        picture = _photo(Camera(size=(width, 40), fov_degrees=4.0, tilt_degrees=tilt - 10))
        assert picture.shape == (40, width, 3)
        # No pixel was left out: the ground before the camera is nowhere black.
        assert picture.max(axis=2).min() > 5


def test_plants_throw_shadows_by_distance_alone() -> None:
    """Not by a square of the window: windows near a pole are turned against each other."""
    east, north = _standpoint()
    view = Viewpoint.of(_SMALL, east, north, 0.0)
    offset = town().plants.position - np.array([east, north], np.float32)
    away = np.hypot(*offset.T)
    range_m = float(np.quantile(away, 0.6))
    corners = (away >= range_m) & (np.abs(offset).max(axis=1) < range_m)
    assert corners.any()
    casters = crowns(town(), view, noon(), range_m)
    np.testing.assert_array_equal(casters.key, town().plants.key[away < np.float32(range_m)])
