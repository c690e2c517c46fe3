from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sightline.errors import CoordinateError, EvaluationError, SightlineError, TableError
from sightline.evaluation.localization.predictions import Predictions
from sightline.evaluation.localization.tables import read_predictions


@pytest.fixture
def table(tmp_path: Path):
    def write(content: str | bytes, name: str = "answers.csv") -> Path:
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_dialects(table, delimiter, mark, end) -> None:
    lines = [["id", "lat", "lon", "true_lat", "true_lon"], ["é", "1.5", "-2", "3", "361e-1"]]
    found = read_predictions(table(mark + end.join(map(delimiter.join, lines)).encode()))
    assert found.ids == ["é"]
    assert found.predicted.tolist() == [[1.5, -2.0]]
    assert found.true.tolist() == [[3.0, 36.1]]
    assert found.groups is None
    assert found.columns == {}
    assert not found.warnings


@pytest.mark.parametrize(
    "header",
    [
        "lat,lon,true_lat,true_lon",
        "pred_lat,pred_lon,lat,lon",
        "pred_lat,pred_lon,true_lat,true_lon",
        "latitude,longitude,gt_latitude,gt_longitude",
        "prediction_latitude,prediction_lng,latitude,lng",
        "Predicted Lat,Predicted Long,Ground Truth Lat,Ground-Truth Long",
        "lat_pred,lon_pred,lat_true,lon_true",
        "estimated_latitude,estimated_longitude,LATITUDE,LONGITUDE",
        "lat,lng,latitude_gt,longitude_gt",
        "guess_lat,guess_lng,actual_lat,actual_lng",
    ],
)
def test_columns_are_known_by_many_names(table, header) -> None:
    found = read_predictions(table(f"{header}\n1,2,3,4\n"))
    assert found.predicted.tolist() == [[1.0, 2.0]]
    assert found.true.tolist() == [[3.0, 4.0]]


def test_words_win_over_plain_names(table) -> None:
    content = "lat,lon,pred_lat,pred_lon,true_lat,true_lon\n1,2,3,4,5,6\n"
    found = read_predictions(table(content))
    assert found.predicted.tolist() == [[3.0, 4.0]]
    assert found.true.tolist() == [[5.0, 6.0]]
    assert found.column("lat") == ("1",)


def test_photos_without_an_answer_are_kept(table) -> None:
    content = (
        "id,lat,lon,true_lat,true_lon,abstained,failed,error\n"
        "a,1,2,3,4,,,\n"
        "b,,,3,4,,,\n"
        "c,nan,NaN,3,4,false,no,\n"
        "d,1,2,3,4,true,,\n"
        "e,1,2,3,4,,,file not found\n"
        "f,,,3,4,True,1,\n"
        "g,1,2,3,4,0,0,False\n"
    )
    found = read_predictions(table(content))
    assert found.ids == list("abcdefg")
    assert "".join(np.where(found.answered, "y", "n")) == "ynnnnny"
    assert "".join(np.where(found.abstained, "y", "n")) == "nyyynnn"
    assert "".join(np.where(found.failed, "y", "n")) == "nnnnyyn"
    assert np.isnan(found.predicted[~found.answered]).all()
    assert len(found) == 7


def test_groups_radii_and_other_columns(table) -> None:
    content = (
        "photo_id,lat,lon,true_lat,true_lon,group,Scene,radius_50_m,radius_90_m,\n"
        "1,1,2,3,4,g1, street ,10,20,x\n"
        "2,1,2,3,4,,,,30.5,y\n"
    )
    found = read_predictions(table(content))
    assert found.groups == ("g1", None)
    assert found.clusters == ["g1", (1,)]
    assert found.column(" scene ") == ("street", None)
    assert found.column("group") == ("g1", None)
    assert set(found.columns) == {"group", "Scene"}
    assert found.radii_m[0.5].tolist()[0] == 10.0
    assert np.isnan(found.radii_m[0.5][1])
    assert found.radii_m[0.9].tolist() == [20.0, 30.5]


def test_an_unknown_column_to_group_by_says_what_there_is(table) -> None:
    found = read_predictions(table("lat,lon,true_lat,true_lon,scene,country\n1,2,3,4,a,b\n"))
    with pytest.raises(EvaluationError) as caught:
        found.column("scenes")
    assert "has no column 'scenes'" in caught.value.message
    assert caught.value.hint == "Did you mean 'scene'? There are: scene, country."
    bare = Predictions.of([[1, 2]], [[1, 2]])
    with pytest.raises(EvaluationError, match="There are: none"):
        bare.column("scene")


def test_decimal_commas_and_longitudes_to_360(table) -> None:
    found = read_predictions(table("lat;lon;true_lat;true_lon\n48,5;359,5;-1,25;200\n"))
    assert found.predicted.tolist() == [[48.5, -0.5]]
    assert found.true.tolist() == [[-1.25, -160.0]]


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.decimal128(8, 3), pa.string()])
def test_parquet(tmp_path, kind) -> None:
    columns = {"lat": ["1.5", None], "lon": ["2.5", None]}
    columns |= {"true_lat": ["3.5", "5"], "true_lon": ["4.5", "6"]}
    convert = {pa.string(): str, pa.decimal128(8, 3): Decimal}.get(kind, float)
    arrays = {
        name: pa.array([None if x is None else convert(x) for x in cells], kind)
        for name, cells in columns.items()
    }
    path = tmp_path / "answers.parquet"
    pq.write_table(pa.table({"id": [7, 8], **arrays, "abstained": [False, True]}), path)
    found = read_predictions(path)
    assert found.ids == ["7", "8"]
    assert found.predicted[0].tolist() == [1.5, 2.5]
    assert found.true.tolist() == [[3.5, 4.5], [5.0, 6.0]]
    assert found.abstained.tolist() == [False, True]
    assert found.name == str(path)


@pytest.mark.parametrize(("name", "answered"), [("osv5m_game_50", 50), ("osv5m_game_71", 21)])
def test_published_predictions(shared_data, name, answered) -> None:
    found = read_predictions(shared_data / "predictions" / f"{name}.csv")
    assert int(found.answered.sum()) == answered
    assert int(found.abstained.sum()) == len(found) - answered
    assert not found.warnings
    assert found.ids is not None
    place = found.ids.index("546314506564628")
    assert found.predicted[place] == pytest.approx([40.7347821883727, 16.46281757231567])
    assert found.true[place] == pytest.approx([39.559102, 8.888875], abs=1e-5)
    assert found.column("country")[place] == "IT"


LINE = "lat,lon,true_lat,true_lon\n1,2,3,4\n"


@pytest.mark.parametrize(
    ("content", "kind", "message", "hint"),
    [
        (b"", TableError, "is empty", "id,lat,lon,true_lat,true_lon"),
        ("lat,lon,true_lat,true_lon\n", TableError, "has a header and no rows", "one line"),
        (b"lat,lon,true_lat,true_lon\n1,2,3,4\n\xff\n", TableError, "is not UTF-8", "UTF-8"),
        (b"PAR1 and no more", TableError, "is not a readable Parquet file", "again"),
        (LINE + "1,2,3\n", TableError, "Line 3 of .* has 3 cells where the header has 4", "Quote"),
        (LINE + "1,x,3,4\n", CoordinateError, "lon must be a number. Got 'x' in line 3", "decimal"),
        (LINE + "1,2,3,inf\n", CoordinateError, "true_lon must be finite. Got 'inf' in line 3", ""),
        (
            LINE + "91,2,3,4\n",
            CoordinateError,
            r"Line 3 of .*: predicted place \(91.0, 2.0\) has latitude 91.0, which must lie in",
            "swapped",
        ),
        (
            LINE + "1,2,139.7,35.7\n",
            CoordinateError,
            r"Line 3 of .*: true place \(139.7, 35.7\) has latitude 139.7",
            "The two look swapped",
        ),
        (LINE + "1,400,3,4\n", CoordinateError, r"Line 3 .* has longitude 400.0", "degrees"),
        (LINE + "1,,3,4\n", CoordinateError, "Line 3 of .* has lat and no lon", "neither"),
        (LINE + ",2,3,4\n", CoordinateError, "Line 3 of .* has lon and no lat", "neither"),
        (LINE + "1,2,,\n", CoordinateError, "Line 3 of .* has no true place", "cannot be judged"),
        (
            "latt,long,truelat,true_lon\n1,2,3,4\n",
            TableError,
            "lacks the columns lat, true_lat. It has: latt, long, truelat, true_lon",
            "Did you mean 'latt' for 'lat', 'truelat' for 'true_lat'?",
        ),
        ("lat,pred_lon,true_lat,true_lon\n1,2,3,4\n", TableError, "lacks the column lat", "Name"),
        ("a,b\n1,2\n", TableError, "lacks the columns lat, lon, true_lat, true_lon", "Name the"),
        (
            "lat,lon,name\n1,2,x\n",
            TableError,
            "lacks the columns true_lat, true_lon. It has: lat, lon, name",
            "Name the columns",
        ),
        (
            "pred_lat,pred_lon\n1,2\n",
            TableError,
            "lacks the columns true_lat, true_lon",
            "Name the columns",
        ),
        (
            "lat,lon,true_lat,true_lon,gt_lat\n1,2,3,4,5\n",
            TableError,
            "has several columns that may be true_lat: true_lat, gt_lat",
            "Keep one",
        ),
        ("lat,latitude,lon,true_lat,true_lon\n1,2,3,4,5\n", TableError, "may be lat: lat", "Keep"),
        ("lat,lon,x,true_lat,true_lon,x\n1,2,3,4,5,6\n", TableError, "column 'x' twice", "Remove"),
        (
            "lat,lon,true_lat,true_lon,abstained\n1,2,3,4,perhaps\n",
            TableError,
            "abstained must be true or false. Got 'perhaps' in line 2",
            "empty",
        ),
        (
            "lat,lon,true_lat,true_lon,radius_90_m\n1,2,3,4,5\n1,2,3,4,-5\n",
            TableError,
            "radius_90_m must not be negative. Got -5.0 in line 3",
            "metres",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(table, content, kind, message, hint) -> None:
    path = table(content)
    with pytest.raises(kind, match=message) as caught:
        read_predictions(path)
    assert isinstance(caught.value, SightlineError)
    assert hint in caught.value.hint
    assert caught.value.path == str(path)


def test_a_missing_file(tmp_path) -> None:
    with pytest.raises(TableError, match="cannot be read: No such file"):
        read_predictions(tmp_path / "none.csv")


def test_repeated_ids_are_a_warning(table) -> None:
    rows = "".join(f"{name},1,2,3,4\n" for name in ["a", "b", "a", "", "", "b"])
    found = read_predictions(table("id,lat,lon,true_lat,true_lon\n" + rows))
    assert list(found.warnings) == [
        "2 ids stand in more than one line: a, b (first in line 2). Every line counts."
    ]
    rows = "".join(f"{name},1,2,3,4\n" * 2 for name in "abcde")
    found = read_predictions(table("id,lat,lon,true_lat,true_lon\n" + rows))
    assert "a, b, c and 2 more" in found.warnings[0]


def test_a_column_of_error_distances_is_no_column_of_failures(table) -> None:
    content = "lat,lon,true_lat,true_lon,error\n1,2,3,4,12.5\n1,2,3,4,\n"
    found = read_predictions(table(content))
    assert not found.failed.any()
    assert "'error' holds numbers" in found.warnings[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ids": ["a"]}, "ids has 1 entries for 2 photos"),
        ({"groups": ["a"] * 3}, "groups has 3 entries for 2 photos"),
        ({"columns": {"scene": []}}, "scene has 0 entries for 2 photos"),
        ({"abstained": [True]}, r"abstained must be booleans of shape \(2,\). Got bool of \(1,\)"),
        ({"failed": [1, 0]}, "failed must be booleans .* Got int64"),
        ({"radii_m": {0.5: [1.0]}}, r"2 radii .* Got \(1,\) for 0.5"),
        ({"radii_m": {1.0: [1.0, 2.0]}}, "between 0 and 1. .* for 1.0"),
        ({"radii_m": {0.9: [np.nan, -2.0]}}, "radius for 0.9 row 1 is -2.0"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(options, message) -> None:
    with pytest.raises(EvaluationError, match=message):
        Predictions.of([[1, 2], [3, 4]], [[1, 2], [3, 4]], **options)


def test_arrays_are_copied() -> None:
    predicted, true = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])
    failed = np.array([True])
    found = Predictions.of(predicted, true, failed=failed)
    assert np.isnan(found.predicted).all()
    assert predicted.tolist() == [[1.0, 2.0]]
    failed[:] = False
    assert found.failed.tolist() == [True]


def test_reading_predictions_needs_no_imaging_and_no_torch() -> None:
    script = (
        "import sys\n"
        "from sightline.evaluation import read_predictions, evaluate_localization\n"
        "print([m for m in ('PIL', 'torch', 'lance', 'faiss', 'rich') if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_a_radius_is_told_to_be_metres_and_a_place_degrees(table) -> None:
    header = "lat,lon,true_lat,true_lon,radius_50_m"
    with pytest.raises(SightlineError, match=r"radius_50_m must be a number. Got 'abc'") as caught:
        read_predictions(table(f"{header}\n1,2,3,4,abc\n"))
    assert "metres" in caught.value.hint
    assert "degrees" not in caught.value.hint
    with pytest.raises(SightlineError, match="must be finite") as caught:
        read_predictions(table(f"{header}\n1,2,3,4,inf\n"))
    assert "metres" in caught.value.hint
    with pytest.raises(CoordinateError, match="lat must be a number") as caught:
        read_predictions(table(f"{header}\nabc,2,3,4,5\n"))
    assert "decimal degrees" in caught.value.hint


@pytest.mark.parametrize("word", ["NA", "nan", "NULL", "None", "n/a", ""])
def test_what_is_empty_for_a_number_is_empty_for_an_id_and_a_group(table, word) -> None:
    header = "id,lat,lon,true_lat,true_lon,group,failed,error"
    found = read_predictions(table(f"{header}\n{word},{word},{word},3,4,{word},{word},{word}\n"))
    assert found.ids == [""]
    assert found.groups == (None,)
    assert found.abstained.tolist() == [True]
    assert found.failed.tolist() == [False]


def test_namibia_is_a_country(table) -> None:
    found = read_predictions(
        table("lat,lon,true_lat,true_lon,country\n1,2,3,4,NA\n1,2,3,4,nan\n1,2,3,4,SE\n")
    )
    assert found.column("country") == ("NA", None, "SE")
