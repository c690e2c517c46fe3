"""Places read off lists and manifests."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sightline.datasets import Dataset, Photo, write_manifest
from sightline.datasets.places import read_places
from sightline.errors import CoordinateError, TableError, UsageError


def test_tables_of_any_dialect(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("id;Latitude;LNG\na;1,5;2\nb;;\nc;-3;190\n")
    found = read_places(path)
    assert found.coordinates.tolist() == [[1.5, 2.0], [-3.0, -170.0]]
    assert found.without == 1
    pq.write_table(pa.table({"lon": [2.0, None], "lat": [1.0, None]}), tmp_path / "list.parquet")
    found = read_places(tmp_path / "list.parquet")
    assert (found.coordinates.tolist(), found.without) == ([[1.0, 2.0]], 1)


def test_the_published_list(shared_data: Path) -> None:
    found = read_places(shared_data / "lists/im2gps3k.csv")
    assert found.coordinates.shape == (2997, 2)
    assert found.without == 0


def test_a_manifest_and_one_of_its_splits(tmp_path: Path) -> None:
    photos = [
        Photo("a/1", "1.jpg", 10.0, 20.0, split="train"),
        Photo("a/2", "2.jpg", None, None, split="train"),
        Photo("a/3", "3.jpg", -10.0, 20.0, split="test"),
    ]
    write_manifest(tmp_path / "m", Dataset("a", "1", tmp_path, lambda: iter(photos)))
    found = read_places(tmp_path / "m")
    assert (found.coordinates.tolist(), found.without) == ([[10.0, 20.0], [-10.0, 20.0]], 1)
    assert read_places(tmp_path / "m", split="test").coordinates.tolist() == [[-10.0, 20.0]]
    assert read_places(tmp_path / "m", split="none").coordinates.shape == (0, 2)


def test_a_split_of_a_list_is_refused_and_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("lat,lon\n1,2\n")
    with pytest.raises(UsageError, match=r"Only a manifest has splits\. Got 'test'"):
        read_places(tmp_path / "list.csv", split="test")


def test_parquet_of_every_type_is_read_alike(tmp_path: Path) -> None:
    path = tmp_path / "list.parquet"
    lat, lon = [1.5, None, -3.0], [2.0, None, 190.0]
    for kind in (pa.float64(), pa.float32(), pa.string()):
        columns = [[None if x is None else str(x) for x in side] for side in (lat, lon)]
        columns = columns if kind == pa.string() else [lat, lon]
        table = {n: pa.array(side, kind) for n, side in zip(("Lat", "LNG"), columns, strict=True)}
        pq.write_table(pa.table({"id": ["a", "b", "c"], **table}), path)
        found = read_places(path)
        assert (found.coordinates.tolist(), found.without) == ([[1.5, 2.0], [-3.0, -170.0]], 1)


@pytest.mark.parametrize(
    ("lat", "lon", "error", "said"),
    [
        ([1.0, None, 95.0], [1.0, None, 3.0], CoordinateError, "Line 3 of .*latitude 95.0"),
        ([1.0, 2.0], [1.0, None], CoordinateError, "Line 2 of .*not finite"),
        ([], [], TableError, "has a header and no rows"),
    ],
)
def test_bad_rows_of_parquet_are_named(lat, lon, error: type, said: str, tmp_path: Path) -> None:
    path = tmp_path / "list.parquet"
    pq.write_table(pa.table({"lat": pa.array(lat, pa.float64()), "lon": pa.array(lon)}), path)
    with pytest.raises(error, match=said):
        read_places(path)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(TableError, match="not a readable Parquet file"):
        read_places(path)


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("id,lat\n1,2\n", TableError, "lacks the column lon"),
        ("lat,lon\n", TableError, "has a header and no rows"),
        ("lat,lon\n1,2\n\n95,3\n", CoordinateError, "Line 4 of .*latitude 95.0"),
        ("lat,lon\n1,2\n1,\n", CoordinateError, "Line 3 of .*not finite"),
        ("lat,lon\n1,2,3\n", TableError, "Line 2 of"),
        ("lat,lon\n1,x\n", CoordinateError, "lon must be a number"),
    ],
)
def test_bad_rows_are_named(text: str, error: type, said: str, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text)
    with pytest.raises(error, match=said):
        read_places(path)
