from __future__ import annotations

import csv
import datetime as dt
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.datasets import PhotoRecord, RecordProblem, read_table
from sightline.errors import CoordinateError, SightlineError, TableError


def rows(path: Path) -> list[PhotoRecord | RecordProblem]:
    return list(read_table(path))


@pytest.fixture
def table(tmp_path: Path):
    def write(content: str | bytes, name: str = "list.csv") -> Path:
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_dialects(table, tmp_path, delimiter, mark, end):
    lines = [["Filename", " LATITUDE", "Lng", "other"], ["a b.jpg", "48.5", "-2.25", "é"], [""]]
    content = end.join(delimiter.join(line) for line in lines)
    assert rows(table(mark + content.encode())) == [
        PhotoRecord(str(tmp_path / "a b.jpg"), 48.5, -2.25)
    ]


@pytest.mark.parametrize(
    ("path", "lat", "lon"),
    [
        ("path", "lat", "lon"),
        ("file", "y", "x"),
        ("image", "Latitude", "Longitude"),
        ("uri", "lat", "long"),
    ],
)
def test_synonyms(table, tmp_path, path, lat, lon):
    assert rows(table(f"{lon},{path},{lat}\n2,a.jpg,1\n")) == [
        PhotoRecord(str(tmp_path / "a.jpg"), 1.0, 2.0)
    ]


def test_all_columns_and_paths(table, tmp_path):
    content = (
        "path,lat,lon,heading,datetime,source,license,projection\n"
        "sub/a.jpg,1,2,370,2020-01-01T00:00:00,us,CC0,spherical\n"
        "/elsewhere/b.jpg,1,2,,,,,\n"
        '"with ""quotes"", and\nnewline.jpg",1,2,,,,,\n'
        "東京.jpg,,,,,,,\n"
        "c.jpg,nan,NULL,,,,,\n"
    )
    assert rows(table(content)) == [
        PhotoRecord(
            str(tmp_path / "sub/a.jpg"),
            1.0,
            2.0,
            10.0,
            "2020-01-01T00:00:00",
            "us",
            "CC0",
            "spherical",
        ),
        PhotoRecord("/elsewhere/b.jpg", 1.0, 2.0),
        PhotoRecord(str(tmp_path / 'with "quotes", and\nnewline.jpg'), 1.0, 2.0),
        PhotoRecord(str(tmp_path / "東京.jpg")),
        PhotoRecord(str(tmp_path / "c.jpg")),
    ]


def test_decimal_commas(table, tmp_path):
    assert rows(table("path;lat;lon\na.jpg;48,5;2,25\n")) == [
        PhotoRecord(str(tmp_path / "a.jpg"), 48.5, 2.25)
    ]


def test_bad_rows_do_not_stop_the_good_ones(table, tmp_path):
    content = (
        "path,lat,lon\n"
        "good.jpg,1,2\n"
        "text.jpg,48°51'N,2\n"
        "far.jpg,91,2\n"
        "swapped.jpg,139.7,35.7\n"
        "half.jpg,1,\n"
        ",1,2\n"
        "short.jpg,1\n"
        "long.jpg,1,2,3\n"
        "\n"
        "inf.jpg,inf,2\n"
        "last.jpg,3,4\n"
    )
    items = rows(table(content))
    assert items[0] == PhotoRecord(str(tmp_path / "good.jpg"), 1.0, 2.0)
    assert items[-1] == PhotoRecord(str(tmp_path / "last.jpg"), 3.0, 4.0)
    problems = items[1:-1]
    assert all(isinstance(problem, RecordProblem) for problem in problems)
    here, itself = str(tmp_path), str(tmp_path / "list.csv")
    assert [(problem.uri, problem.line, type(problem.error)) for problem in problems] == [
        (f"{here}/text.jpg", 3, CoordinateError),
        (f"{here}/far.jpg", 4, CoordinateError),
        (f"{here}/swapped.jpg", 5, CoordinateError),
        (f"{here}/half.jpg", 6, CoordinateError),
        (itself, 7, TableError),
        (itself, 8, TableError),
        (itself, 9, TableError),
        (f"{here}/inf.jpg", 11, CoordinateError),
    ]
    assert "48°51'N" in str(problems[0].error)
    assert "decimal" in problems[0].error.hint
    assert "swapped" in str(problems[2].error)
    assert "3" in str(problems[6].error)


def test_missing_columns_name_what_is_there_and_what_is_near(table):
    path = table("file,latitud,longtitude\na.jpg,1,2\n")
    with pytest.raises(TableError) as caught:
        rows(path)
    error = caught.value
    assert "columns lat, lon" in error.message
    assert "file, latitud, longtitude" in error.message
    assert "'latitud' for 'lat'" in error.hint
    assert error.path == str(path)
    with pytest.raises(TableError, match="column path"):
        rows(table("qqq,lat,lon\na.jpg,1,2\n"))
    with pytest.raises(TableError, match="Name the columns"):
        rows(table("zzz\n1\n"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n", "lacks the columns"),
        (b"path,lat,lon\n", "no rows"),
        (b"path,lat,lon\n\n  \n", "no rows"),
        ("path,lat,lon\ncafé.jpg,1,2\n".encode("latin-1"), "not UTF-8"),
        ("path,lat,lon\na.jpg,1,2\n".encode("utf-16"), "not UTF-8"),
        (b'path,lat,lon\n"' + b"x" * 200_000 + b'",1,2\n', "not a CSV"),
        (b"PAR1 and then nothing", "Parquet"),
    ],
)
def test_tables_that_are_none(table, content, words):
    with pytest.raises(TableError, match=words) as caught:
        rows(table(content))
    assert caught.value.hint


def test_missing_table(tmp_path):
    with pytest.raises(TableError, match="cannot be read"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(TableError, match="cannot be read"):
        read_table(tmp_path)


def test_rows_before_a_broken_one_are_delivered(table, tmp_path):
    good = "".join(f"{number}.jpg,1,2\n" for number in range(20_000))
    items = read_table(table(b"path,lat,lon\n" + good.encode() + b"caf\xe9.jpg,1,2\n"))
    assert next(items).uri == str(tmp_path / "0.jpg")
    with pytest.raises(TableError, match="UTF-8"):
        list(items)


def test_parquet(tmp_path):
    file = tmp_path / "list.parquet"
    columns = {
        "File": ["a.jpg", "b.jpg", None, "d.jpg", "e.jpg"],
        "lat": [1.5, None, 1.0, 91.0, float("nan")],
        "lon": [2.5, None, 1.0, 1.0, float("nan")],
        "taken_at": [dt.datetime(2020, 1, 2, 3, 4, 5), None, None, None, None],  # noqa: DTZ001
        "unused": [b"x"] * 5,
    }
    pq.write_table(pa.table(columns), file)
    a, b, nameless, far, e = read_table(file)
    assert a == PhotoRecord(str(tmp_path / "a.jpg"), 1.5, 2.5, captured_at="2020-01-02T03:04:05")
    assert (b, e) == (PhotoRecord(str(tmp_path / "b.jpg")), PhotoRecord(str(tmp_path / "e.jpg")))
    assert (nameless.line, type(nameless.error)) == (3, TableError)
    assert (far.line, far.uri) == (4, str(tmp_path / "d.jpg"))


def test_parquet_of_other_types(tmp_path):
    file = tmp_path / "list.pq"
    path = pa.array([b"a.jpg", b"b.jpg"], pa.binary())
    lat = pa.array([Decimal("1.25"), None], pa.decimal128(6, 2))
    pq.write_table(pa.table({"path": path, "lat": lat, "lon": pa.array(["2.5", ""])}), file)
    assert rows(file) == [
        PhotoRecord(str(tmp_path / "a.jpg"), 1.25, 2.5),
        PhotoRecord(str(tmp_path / "b.jpg")),
    ]
    pq.write_table(pa.table({"path": ["a.jpg"], "lat": [1.0]}), file)
    with pytest.raises(TableError, match="column lon"):
        rows(file)
    pq.write_table(pa.table({"path": ["a"], "lat": [1.0], "lon": [1.0]}).slice(0, 0), file)
    with pytest.raises(TableError, match="no rows"):
        rows(file)


def test_parquet_is_read_in_pieces(tmp_path):
    file = tmp_path / "list.parquet"
    count = 10_000
    numbers = list(range(count))
    pq.write_table(
        pa.table(
            {"path": [f"{n}.jpg" for n in numbers], "lat": [0.5] * count, "lon": [0.5] * count}
        ),
        file,
        row_group_size=1000,
    )
    data = bytearray(file.read_bytes())
    records = rows(file)
    assert [Path(record.uri).stem for record in records] == [str(n) for n in numbers]
    data[4:2000] = b"\xff" * 1996  # the first pages
    file.write_bytes(data)
    with pytest.raises(TableError, match="Parquet"):
        rows(file)


CELLS = st.text(st.characters(codec="utf-8"), max_size=12)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lines=st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=5))
def test_any_cells_end_in_records_problems_or_a_table_error(tmp_path, lines):
    file = tmp_path / "list.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["path", "lat", "lon"], *lines])
    try:
        items = rows(file)
    except TableError:
        return
    assert len(items) <= len(lines)
    for item in items:
        assert isinstance(item, PhotoRecord) or isinstance(item.error, SightlineError)


@given(content=st.binary(min_size=1, max_size=80))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes_end_in_records_or_a_table_error(tmp_path, content):
    file = tmp_path / "list.csv"
    for head in (b"", b"path,lat,lon\n"):
        file.write_bytes(head + content)
        try:
            rows(file)
        except TableError as error:
            outcome = error
            assert outcome.hint


def test_the_shared_table(shared_data: Path):
    records = rows(shared_data / "photos" / "photos.csv")
    assert len(records) == 160
    assert all(isinstance(record, PhotoRecord) for record in records)
    assert all(Path(record.uri).is_file() for record in records)
    assert sum(record.projection == "spherical" for record in records) == 9
    assert sum(record.heading_degrees is not None for record in records) == 25
