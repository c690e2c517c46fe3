"""Photos of a region of the planet: where they stand, what their files say, the same again."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from sightline.datasets import read_table
from sightline.datasets.layouts import recognise
from sightline.datasets.planet_walk import TABLE, plan_walk, walk
from sightline.errors import OutputError, UsageError
from sightline.geo.coordinates import LatLng
from sightline.geo.distance import great_circle_m
from sightline.geo.region import BoundingBox, Circle, parse_region
from sightline.imagery import open_photo
from sightline.locating.aerial_queries import field_of_view
from sightline.planet import Planet
from sightline.planet.looks.sun import sun_position

BOX = "46.7434,67.9438,46.7464,67.9483"
SMALL = (64, 16)


@pytest.fixture(scope="module")
def planet() -> Planet:
    return Planet(0, core_cells=2)


@pytest.fixture(scope="module")
def panoramas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("walk") / "photos"
    report = walk(folder, parse_region(BOX), 5, panorama=True, size=SMALL)
    assert report.written == 5
    return folder


def test_stand_on_streets_apart_by_day(planet: Planet) -> None:
    region = parse_region(BOX)
    shots = plan_walk(planet, region, 16, panorama=True)
    places = np.array([shot.latlng for shot in shots])
    assert region.contains(places).all()
    for one, other in itertools.combinations(places, 2):
        assert great_circle_m(one, other) >= 16.0
    # Spread over the box: each quarter has some.
    halves = places > np.array([46.7449, 67.94605])
    assert len({tuple(half) for half in halves.tolist()}) == 4
    for shot in shots:
        street = planet.street_near(shot.latlng, within_m=60.0)
        assert street is not None
        assert sun_position(shot.latlng, shot.when)[1] > 0
        assert shot.when.month in (5, 6, 7)
        assert shot.panorama
        assert 0 <= shot.heading_degrees < 360


def test_summer_is_elsewhere_in_the_south(planet: Planet) -> None:
    (shot,) = plan_walk(planet, Circle(LatLng(-5.5911, -177.7784), 150.0), 1)
    assert shot.when.month in (11, 12, 1)


def test_files_say_where_and_whither(panoramas: Path, planet: Planet) -> None:
    shots = plan_walk(planet, parse_region(BOX), 5, panorama=True)
    rows = list(read_table(panoramas / TABLE))
    assert len(rows) == 5
    for row, shot in zip(rows, shots, strict=True):
        photo = open_photo(row.uri)
        told = photo.metadata
        assert photo.pixels.shape == (16, 64, 3)
        assert told.place is not None
        assert great_circle_m((told.place.lat, told.place.lon), shot.latlng) < 0.02
        assert great_circle_m((row.lat, row.lon), shot.latlng) < 0.02
        assert told.heading_degrees == pytest.approx(shot.heading_degrees)
        assert row.heading_degrees == pytest.approx(shot.heading_degrees)
        assert told.captured_at == shot.when.replace(microsecond=0)
        assert told.camera == "Sightline Planet 0"
        # A strip is no whole sphere, and says so to nobody.
        assert not told.panorama
    assert recognise(panoramas)[0].name == "table"


def test_over_the_antimeridian(planet: Planet) -> None:
    region = parse_region("-0.001,179.999,0.003,-179.999")
    places = np.array([shot.latlng for shot in plan_walk(planet, region, 6)])
    assert region.contains(places).all()
    assert len(set(np.sign(places[:, 1]))) == 2


def test_photos_of_a_lens(tmp_path: Path) -> None:
    report = walk(tmp_path / "p", parse_region(BOX), 1, size=(64, 48))
    photo = open_photo(report.photos[0])
    assert not photo.metadata.panorama
    found = field_of_view(photo)
    assert found is not None
    assert found == pytest.approx(90.0, abs=2.5)  # the focal length is in whole millimetres


def test_a_longer_walk_begins_with_a_shorter_one(panoramas: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in panoramas.glob("*.jpg")}
    steps: list[tuple[int, int]] = []
    report = walk(
        tmp_path / "more",
        parse_region(BOX),
        6,
        panorama=True,
        size=SMALL,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert steps[-1] == (6, 6)
    after = {path.name: path.read_bytes() for path in report.photos}
    assert {name: after[name] for name in before} == before


def test_goes_on_after_a_stop(tmp_path: Path) -> None:
    folder, region = tmp_path / "p", parse_region(BOX)
    walk(folder, region, 2, panorama=True, size=SMALL)
    whole = (folder / "0001.jpg").read_bytes()
    (folder / "0001.jpg").write_bytes(whole[:100])
    report = walk(folder, region, 3, panorama=True, size=SMALL)
    assert report.written == 2
    assert (folder / "0001.jpg").read_bytes() == whole
    assert len(list(read_table(folder / TABLE))) == 3
    with pytest.raises(OutputError, match="was begun with panorama"):
        walk(folder, region, 3, size=SMALL)


def test_other_planets_are_other_photos(planet: Planet) -> None:
    region = parse_region(BOX)
    (here,) = plan_walk(planet, region, 1)
    (again,) = plan_walk(Planet(0, core_cells=2), region, 1)
    assert here == again


@pytest.mark.parametrize("photos", [0, -1])
def test_so_few_are_refused(photos: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="photos must be at least 1"):
        walk(tmp_path / "p", parse_region(BOX), photos)


def test_without_streets_nothing_is_written(tmp_path: Path) -> None:
    sea = parse_region("-60.0,-180.0,-59.998,-179.998")
    with pytest.raises(UsageError, match=r"Too few streets for 1 photos .*: there is room for 0"):
        walk(tmp_path / "p", sea, 1, size=SMALL)
    assert not (tmp_path / "p").exists()


def test_a_quarter_holds_only_so_many(planet: Planet) -> None:
    yard = BoundingBox(46.7446, 67.9456, 46.7452, 67.9464)
    with pytest.raises(UsageError, match="16 m from each other") as refused:
        plan_walk(planet, yard, 500)
    assert "fewer photos" in refused.value.hint
