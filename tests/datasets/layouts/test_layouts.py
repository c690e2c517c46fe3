"""Readers on small trees that follow the published repositories, and on real lists."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from sightline.datasets.layouts import LAYOUTS, own_photos, read, recognise, write
from sightline.datasets.layouts.cvact import within
from sightline.datasets.layouts.daejeon520 import positives
from sightline.datasets.layouts.utm import from_utm, to_utm, zone_of
from sightline.datasets.records import RecordProblem
from sightline.errors import PhotoNotFoundError, TableError, UsageError
from sightline.geo.distance import great_circle_m

from .conftest import pair_sample, touch_images


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


ZHAI = "bingmap/19/{0}.jpg,streetview/panos/{0}.jpg,streetview/annotations/{0}.png\n"


def test_cvusa_zhai(tmp_path, read_all):
    put(tmp_path / "splits/train-19zl.csv", ZHAI.format("0041073") + ZHAI.format("0027458"))
    put(tmp_path / "splits/val-19zl.csv", ZHAI.format("0000235"))
    found = read_all(read(tmp_path))
    assert [row.uri for row in found.photos] == [
        f"streetview/panos/{key}.jpg" for key in ("0041073", "0027458", "0000235")
    ]
    assert [row.split for row in found.pairs] == ["train", "train", "val"]
    assert found.patches[0].id == "cvusa_zhai/aerial/0041073"
    photo = found.photos[0]
    assert (photo.projection, photo.fov_degrees, photo.lat) == ("equirectangular", 360.0, None)
    told = recognise(tmp_path)[0]
    assert (told.name, told.confidence) == ("cvusa_zhai", 0.5)
    assert told.missing == ("tiles (bingmap/19)", "panoramas (streetview/panos)")


def test_cvusa_zhai_damaged(tmp_path, read_all):
    path = put(
        tmp_path / "splits/train-19zl.csv",
        ZHAI.format("0041073") + "bingmap/19/1.jpg,streetview/panos/2.jpg\n\nbingmap/19/3.jpg\n",
    )
    found = read_all(read(tmp_path))
    assert [problem.line for problem in found.problems] == [2, 4]
    assert f"Line 2 of {str(path)!r} pairs the tile '1.jpg' with" in found.messages[0]
    assert len(found.pairs) == 1
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TableError, match="not UTF-8"):
        list(read(tmp_path).photos())
    path.unlink()
    with pytest.raises(PhotoNotFoundError, match=r"list of training pairs is missing"):
        read(tmp_path, "cvusa_zhai")


def test_cvusa_workman(tmp_path, read_all):
    put(
        tmp_path / "flickr_images.txt",
        "flickr/44/-85/12@N00_345_44.74_-85.60.jpg\nflickr/44/-85/9_8_44.74_-85.60.jpg\n",
    )
    put(tmp_path / "streetview_images.txt", "streetview/cutouts/-0/-85/-0.5_-85.25_90.jpg\n")
    found = read_all(read(tmp_path))
    assert [row.id.split("/", 1)[1] for row in found.photos] == [
        "flickr/12@N00_345",
        "flickr/9_8",
        "streetview/-0.5_-85.25_90",
    ]
    assert (found.photos[0].photographer, found.photos[2].heading_degrees) == ("12@N00", 90.0)
    assert (len(found.patches), len(found.pairs)) == (6, 9), "photos of one spot share tiles"
    assert found.patches[0].uri == "flickr_aerial/18/44/-85/44.74_-85.60.jpg"
    assert found.patches[3].uri == "streetview_aerial/18/0/-85/-0.5_-85.25.jpg"
    # Workman et al. 2015: 0.60, 2.39 and 9.55 m a pixel at zooms 18, 16 and 14, at the equator.
    sizes = [row.metres_per_pixel for row in found.patches[3:]]
    np.testing.assert_allclose(sizes, [0.597, 2.389, 9.555], rtol=1e-3)
    assert len(read_all(read(tmp_path, variant="streetview")).photos) == 1
    assert recognise(tmp_path)[0].name == "cvusa_workman"


def test_cvusa_workman_damaged(tmp_path, read_all):
    put(tmp_path / "flickr_images.txt", "flickr/a_b.jpg\nflickr/1_2_99.5_7.jpg\nflickr/1_2_3_x.jpg")
    found = read_all(read(tmp_path))
    assert [problem.line for problem in found.problems] == [1, 2, 3]
    assert "<user>_<photo>_<lat>_<lon>.jpg" in found.messages[0]
    assert "99.5" in found.messages[1]
    with pytest.raises(PhotoNotFoundError, match="list of streetview photos"):
        read(tmp_path, variant="streetview")
    with pytest.raises(UsageError, match="Got 'bing'"):
        read(tmp_path, variant="bing")
    with pytest.raises(PhotoNotFoundError, match="list of flickr"):
        read(tmp_path / "none", "cvusa_workman")


def cvact_tree(root: Path, **changes: object) -> Path:
    """Four panoramas of Canberra, ten metres apart, the way ACT_data.mat has them."""
    east = 690_000.0 + 10.0 * np.arange(4)
    document = {
        "panoIds": np.array([f"pano{n}" + "x" * 17 for n in range(4)]),
        "utm": np.column_stack([east, np.full(4, 6_090_000.0)]),
        "trainSet": {"trainIds": np.arange(1.0), "trainInd": np.array([[1], [2]], np.uint16)},
        "valSet": {"valIds": np.arange(1.0), "valInd": np.array([[3]], np.uint16)},
        "valSetAll": {"valIds": np.arange(1.0), "valInd": np.array([[1], [3], [4]], np.uint16)},
        **changes,
    }
    (root / "ANU_data_small").mkdir(exist_ok=True)
    savemat(root / "ACT_data.mat", {k: v for k, v in document.items() if v is not None})
    return root


def test_cvact(tmp_path, read_all):
    found = read_all(read(cvact_tree(tmp_path)))
    assert [(row.split, row.uri.split("/")[0]) for row in found.photos] == [
        ("train", "ANU_data_small"),
        ("train", "ANU_data_small"),
        ("val", "ANU_data_small"),
        ("test", "ANU_data_test"),
        ("test", "ANU_data_test"),
        ("test", "ANU_data_test"),
    ]
    key = "pano0" + "x" * 17
    assert found.photos[0].uri == f"ANU_data_small/streetview/{key}_grdView.jpg"
    assert found.patches[0].uri == f"ANU_data_small/satview_polish/{key}_satView_polish.jpg"
    lat, lon = pyproj.Transformer.from_crs(32755, 4326).transform(690_000.0, 6_090_000.0)
    assert (found.photos[0].lat, found.photos[0].lon) == pytest.approx((lat, lon), abs=1e-9)
    assert (round(lat), round(lon), found.photos[0].country) == (-35, 149, "AU")
    # In test the panoramas stand at 0, 20 and 30 m: right within 25 m are the neighbours.
    tests = [pair for pair in found.pairs if pair.split == "test"]
    named = [(p.photo_id[-22:-17], p.patch_id[-22:-17], p.relation, p.offset_east_m) for p in tests]
    assert named == [
        ("pano0", "pano0", "positive", 0.0),
        ("pano0", "pano2", "semi-positive", -20.0),
        ("pano2", "pano2", "positive", 0.0),
        ("pano2", "pano0", "semi-positive", 20.0),
        ("pano2", "pano3", "semi-positive", -10.0),
        ("pano3", "pano3", "positive", 0.0),
        ("pano3", "pano2", "semi-positive", 10.0),
    ]
    assert {row.split for row in read_all(read(tmp_path, variant="small")).photos} == {
        "train",
        "val",
    }
    assert recognise(tmp_path)[0].name == "cvact"


def test_cvact_damaged(tmp_path):
    with pytest.raises(PhotoNotFoundError, match="CVACT's list is missing"):
        read(tmp_path, "cvact")
    for changes, words in (
        ({"utm": None}, "has no utm"),
        ({"valSet": {"other": np.arange(2.0)}}, "has no valInd"),
        (
            {"trainSet": {"trainInd": np.array([[5]])}},
            "trainSet of .* names row 5, and there are 4",
        ),
        ({"utm": np.zeros((3, 2))}, "has 4 panoIds, 3 rows of utm"),
        ({"panoIds": np.arange(4.0)}, "not text"),
    ):
        with pytest.raises(TableError, match=words):
            read(cvact_tree(tmp_path, **changes))
    (tmp_path / "ACT_data.mat").write_bytes(b"MATLAB no more")
    with pytest.raises(TableError, match="cannot be read"):
        read(tmp_path)
    with pytest.raises(UsageError, match="Got 'val'"):
        read(cvact_tree(tmp_path), variant="val")


def test_cvact_written_anywhere_on_earth(tmp_path, read_all):
    """Places of several zones and both hemispheres come back to a millimetre."""
    places = [(48.5, -0.001), (48.5, 0.001), (-33.0, 151.2), (0.0, 179.9), (64.1, -21.9)]
    samples = [
        pair_sample(n, lat=lat, lon=lon, split=("train", "val", "test")[n % 3])
        for n, (lat, lon) in enumerate(places)
    ]
    write(LAYOUTS["cvact"], tmp_path, samples)
    found = read_all(read(tmp_path))
    got = sorted((row.lat, row.lon) for row in found.photos)
    np.testing.assert_allclose(got, sorted(places), atol=1e-8)


def test_near_rows_against_all_distances():
    generator = np.random.default_rng(4)
    utm = generator.uniform(0, 200, (60, 2))
    zones, rows = generator.choice([-55, 31], 60), np.arange(0, 60, 2)
    for row, near in zip(rows, within(utm, zones, rows), strict=True):
        apart = np.linalg.norm(utm[rows] - utm[row], axis=1)
        expected = set(rows[(apart <= 25.0) & (zones[rows] == zones[row])].tolist())
        assert (near[0], set(near.tolist())) == (row, expected)


@given(st.floats(-80, 84), st.floats(-180, 179.99))
def test_utm_against_proj(lat, lon):
    places = np.array([[lat, lon]])
    zone = int(zone_of(places)[0])
    code = 32_600 + abs(zone) + (100 if zone < 0 else 0)
    expected = pyproj.Transformer.from_crs(4326, code).transform(lat, lon)
    utm = to_utm(places, zone)
    np.testing.assert_allclose(utm[0], expected, atol=1e-4)
    np.testing.assert_allclose(from_utm(utm, zone)[0], places[0], atol=1e-9)


def test_university1652(tmp_path, read_all):
    uris = [
        "train/drone/0839/image-01.jpeg",
        "train/drone/0839/image-02.jpeg",
        "train/satellite/0839/0839.jpg",
        "train/google/0839/1.jpg",
        "test/query_drone/0001/image-01.jpeg",
        "test/gallery_drone/0001/image-01.jpeg",
        "test/gallery_drone/0002/image-01.jpeg",
        "test/gallery_satellite/0001/0001.jpg",
        "test/query_satellite/0001/0001.jpg",
        "test/query_drone/0001/.hidden.jpg",
    ]
    list(touch_images(tmp_path, uris))
    put(tmp_path / "train/drone/0839/notes.txt", "no image")
    found = read_all(read(tmp_path))
    assert sorted(row.uri for row in (*found.photos, *found.patches)) == sorted(uris[:-1])
    assert [
        (pair.photo_id.split("/", 1)[1], pair.patch_id.split("/", 1)[1]) for pair in found.pairs
    ] == [
        ("train/drone/0839/image-01", "train/satellite/0839/0839"),
        ("train/drone/0839/image-02", "train/satellite/0839/0839"),
        ("train/google/0839/1", "train/satellite/0839/0839"),
        ("test/query_drone/0001/image-01", "test/gallery_satellite/0001/0001"),
        ("test/gallery_drone/0001/image-01", "test/gallery_satellite/0001/0001"),
    ]
    assert found.photos[3].labels == {"place": "0001", "role": "query", "view": "drone"}
    assert read(tmp_path, variant="test").version == "v1, test"
    with pytest.raises(UsageError, match="Got 'val'"):
        read(tmp_path, variant="val")
    with pytest.raises(PhotoNotFoundError, match="no part of University-1652"):
        read(tmp_path / "train", "university1652")


@pytest.mark.parametrize(
    ("name", "count"),
    [("im2gps", 237), ("im2gps3k", 2_997), ("yfcc4k", 4_536), ("yfcc25k", 23_035)],
)
def test_real_lists(shared_data, name, count, read_all):
    found = read_all(read(shared_data / f"lists/{name}.csv"))
    assert (len(found.photos), found.problems) == (count, [])
    assert LAYOUTS[name].published["photos"]["test"] == count
    assert all(row.lat is not None and row.uri.endswith(".jpg") for row in found.photos)


def test_lists_beside_photos_with_flickr_names(tmp_path, read_all):
    uris = ["images/104_secret_1_19@N00.jpg", "images/7.jpg"]
    list(touch_images(tmp_path, uris))
    put(tmp_path / "im2gps.csv", "image_id,lat,lon\n104,-16.5,145.5\n7,1,2\n8,3,4\n")
    found = read_all(read(tmp_path))
    assert [row.uri for row in found.photos] == [*uris, "images/8.jpg"]
    assert [row.photographer for row in found.photos] == ["19@N00", None, None]
    assert recognise(tmp_path)[0].confidence == 1.0


def test_lists_spelt_like_geoestimation(tmp_path, read_all):
    put(
        tmp_path / "mp16_places365.csv",
        "IMG_ID,AUTHOR,LAT,LON,S3_Label\n34/8d/905.jpg,jo@N01,10.5,20.5,2\n,x,1,2,0\na.jpg,x,100,2,0\n"
        "b.jpg,x,1\n",
    )
    found = read_all(read(tmp_path))
    row = found.photos[0]
    assert (row.id, row.uri) == ("mp16/34/8d/905", "images/34/8d/905.jpg")
    assert (row.photographer, row.labels, row.split) == ("jo@N01", {"scene": "2"}, "train")
    assert [problem.line for problem in found.problems] == [3, 4, 5]
    with pytest.raises(TableError, match="lacks the columns id, lat, lon"):
        put(tmp_path / "mp16_places365.csv", "a,b\n1,2\n")
        list(read(tmp_path, "mp16").photos())
    with pytest.raises(PhotoNotFoundError, match=r"no list yfcc4k.csv"):
        read(tmp_path, "yfcc4k")


OSV5M = "id,latitude,longitude,country,sequence,captured_at,creator_id,region,city\n"


def test_osv5m(tmp_path, read_all):
    put(
        tmp_path / "train.csv",
        OSV5M
        + "31,-22.5,17.1,NA,s1,16034,77.0,Khomas,\n32,1.5,2.5,,,,,,\n33,1,2,,,,,,\n,1,2,,,,,,\n"
        "34,1,2,,,,,,a,town\n",
    )
    list(touch_images(tmp_path, ["images/train/00/31.jpg", "images/train/01/32.jpg"]))
    put(tmp_path / "images/train/01/readme.txt", "")
    found = read_all(read(tmp_path))
    assert [row.uri for row in found.photos] == ["images/train/00/31.jpg", "images/train/01/32.jpg"]
    row = found.photos[0]
    assert (row.country, row.photographer, row.licence) == ("NA", "77.0", "CC BY-SA 4.0")
    assert row.labels == {"sequence": "s1", "region": "Khomas"}
    assert [problem.line for problem in found.problems] == [4, 5, 6]
    assert "has 10 cells where the header has 9" in found.messages[2]
    assert "names the photo 33, which lies in no folder of images/train" in found.messages[0]
    assert recognise(tmp_path)[0].name == "osv5m"
    put(tmp_path / "test.csv", OSV5M + "35,1,2,,,,,,\nx,1,2,,,,,,\n")
    tests = read_all(read(tmp_path, variant="test")).photos
    assert [row.uri for row in tests] == ["images/test/00/35.jpg", "images/test/00/x.jpg"]
    put(tmp_path / "test.csv", "id,lat\n1,2\n")
    with pytest.raises(TableError, match="latitude, longitude"):
        list(read(tmp_path, variant="test").photos())
    with pytest.raises(PhotoNotFoundError, match="OSV-5M's list of train"):
        read(tmp_path / "images", "osv5m")


def test_witw(tmp_path, read_all):
    put(tmp_path / "train.csv", 's/1.jpg,o/1.tif\ns/1.jpg,o/2.tif\n"s/2.jpg","o/2.tif"\n')
    put(tmp_path / "test.csv", "s/3.jpg,o/3.tif\ns/4.jpg\n")
    found = read_all(read(tmp_path))
    assert [row.uri for row in found.photos] == ["s/1.jpg", "s/2.jpg", "s/3.jpg"]
    assert [row.uri for row in found.patches] == ["o/1.tif", "o/2.tif", "o/3.tif"]
    assert len(found.pairs) == 4
    assert "photo,tile: two images. Got 's/4.jpg'" in found.messages[0]
    assert recognise(tmp_path)[0].name == "witw"
    with pytest.raises(UsageError, match="Got 'dev'"):
        read(tmp_path, variant="dev")
    with pytest.raises(PhotoNotFoundError, match="list of val pairs"):
        read(tmp_path, variant="val")


def test_daejeon520(shared_data, tmp_path, read_all):
    root = shared_data / "lists/daejeon520"
    found = read_all(read(root))
    counts = {
        split: sum(row.split == split for row in found.photos) for split in ("query", "database")
    }
    assert (counts, found.problems) == (LAYOUTS["daejeon520"].published["photos"], [])
    places = {row.id: (row.lat, row.lon) for row in found.photos}
    near = [(q, reference) for q, references in positives(root, 25) for reference in references]
    here, there = ([places[pair[side]] for pair in near] for side in (0, 1))
    # "Within 25 m" is a circle in degrees, for a degree of 91.6 km: up to 30 m north and south.
    degrees = np.hypot(*(np.array(here) - there).T)
    assert (len(near), round(25 / degrees.max() / 1000, 1)) == (3_269, 91.6)
    assert 30.0 < great_circle_m(here, there).max() < 30.5
    for split in ("query", "database"):
        put(tmp_path / f"{split}.csv", "a,1,2\nb,1\nc,91,2\n")
    (tmp_path / "annotations").mkdir()
    bad = [item for item in read(tmp_path).photos() if isinstance(item, RecordProblem)]
    assert [problem.line for problem in bad] == [2, 3, 2, 3]


def test_plain_tables_by_hand(tmp_path, read_all):
    put(
        tmp_path / "photos.csv",
        "id,uri,lat,lon,fov_degrees,locatable,width,labels\n"
        'a,a.jpg,1.5,2.5,90,true,640,"{""view"": ""drone""}"\n'
        "b,b.jpg,,,,false,,\nc,c.jpg,1,2,,maybe,,\nd,d.jpg,1,2,,,1.5,\n,e.jpg,1,2,,,,\n"
        "f,f.jpg,1,2,,,,[1]\ng,g.jpg,1,x,,,,\nh,h.jpg\ni,i.jpg,1,2,,,,{view: drone}\n",
    )
    found = read_all(read(tmp_path))
    assert [(row.id, row.locatable, row.width) for row in found.photos] == [
        ("a", True, 640),
        ("b", False, None),
    ]
    assert found.photos[0].labels == {"view": "drone"}
    assert [problem.line for problem in found.problems] == [4, 5, 6, 7, 8, 9, 10]
    assert "locatable must be true or false. Got 'maybe'" in found.messages[0]
    assert "labels must be a JSON object. Got '[1]'" in found.messages[3]
    assert "labels must be a JSON object. Got '{view: drone}' in line 10" in found.messages[6]
    with pytest.raises(TableError, match=r"no photos.csv"):
        read(tmp_path / "..", "plain")


def test_own_photos(tmp_path, shared_data, read_all):
    uris = ["b/2.jpg", "a.png"]
    list(touch_images(tmp_path, uris))
    put(tmp_path / "b/broken.jpg", "no image")
    found = read_all(read(tmp_path))
    assert sorted(row.uri for row in found.photos) == sorted(uris)
    assert len(found.problems) == 1
    put(tmp_path / "photos.csv", "path,lat,lon,projection\nb/2.jpg,1,2,spherical\na.png,91,2,\n")
    found = read_all(read(tmp_path))
    assert [(row.uri, row.fov_degrees) for row in found.photos] == [("b/2.jpg", 360.0)]
    assert "91" in found.messages[0]
    assert read_all(read(tmp_path / "photos.csv")).photos[0].id == "photos/b/2.jpg"
    assert recognise(tmp_path)[0].version == "csv table"
    real = read_all(read(shared_data / "photos", "folder"))
    assert len(real.photos) == 163
    assert sum(row.lat is not None for row in real.photos) > 15
    assert any(
        row.projection == "equirectangular" for row in read_all(read(shared_data / "photos")).photos
    )


def test_a_table_elsewhere_keeps_absolute_paths(tmp_path, read_all):
    table = put(tmp_path / "lists/mine.csv", f"path,lat,lon\n{tmp_path}/x.jpg,1,2\n")
    assert read_all(read(table)).photos[0].uri == (tmp_path / "x.jpg").as_posix()


def test_own_tables_and_folders_that_are_odd(tmp_path, read_all):
    """A photos.csv of another kind is no table of photos; odd files are told, not raised."""
    put(tmp_path / "photos.csv", "name,size\na,1\n")
    list(touch_images(tmp_path, ["x/a.jpg"]))
    assert recognise(tmp_path)[0].name == "folder"
    put(tmp_path / "mine.csv", "path,lat,lon\nb\u0000.jpg,1,2\n")
    assert recognise(tmp_path / "mine.csv")[0].name == "table"
    assert recognise(tmp_path / "x/a.jpg") == []
    assert LAYOUTS["folder"].recognise(tmp_path / "mine.csv") is None
    (tmp_path / "x" / ascii("n")).mkdir()
    assert len(read_all(read(tmp_path, "folder")).photos) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"utm": np.zeros((2, 4))}, r"two columns. Got the shape \(2, 4\)"),
        ({"utm": np.zeros((4, 2)) + 1j}, "utm must be numbers, and is complex"),
        ({"utm": "abcdefgh"}, "utm must be numbers, and is char"),
        ({"utm": np.array([[1.0, 2.0], [1.0, np.nan], [1.0, 2.0], [1.0, 2.0]])}, "Row 2 of"),
        ({"utmZone": np.array([[-55.0], [0.0], [1.0], [2.0]])}, "Row 2 of .* in 0"),
        ({"valSet": {"valInd": np.array([[1.5]])}}, "valSet.valInd must be whole .* 1.5"),
        ({"valSet": {"valInd": np.array([[np.nan]])}}, "holds nan"),
    ],
)
def test_cvact_with_numbers_that_are_none(tmp_path, changes, words):
    with pytest.raises(TableError, match=words):
        read(cvact_tree(tmp_path, **changes))


def test_osv5m_with_names_that_are_no_ids(tmp_path, read_all):
    put(tmp_path / "train.csv", "id,latitude,longitude\n1,2,3\n" + 30 * "9" + ",2,3\n")
    list(touch_images(tmp_path, ["images/train/00/1.jpg", f"images/train/00/{30 * '9'}.jpg"]))
    found = read_all(read(tmp_path, "osv5m"))
    assert len(found.photos) == 1
    assert found.messages[0].count("ine 3 of") == 1
    with pytest.raises(UsageError, match="Got 'val'"):
        read(tmp_path, "osv5m", "val")


def test_lists_that_are_no_utf8_are_recognised_and_told(tmp_path):
    (tmp_path / "train.csv").write_bytes(b"a.jpg,b.jpg\n\xe9.jpg,b.jpg\n")
    assert recognise(tmp_path)[0].name == "witw"
    with pytest.raises(TableError, match="not UTF-8"):
        list(read(tmp_path).photos())
    (tmp_path / "train.csv").unlink()
    (tmp_path / "photos.csv").write_bytes(b"path,lat,lon\n\xe9.jpg,1,2\n")
    assert recognise(tmp_path)[0].name == "table"
    with pytest.raises(TableError, match="not UTF-8"):
        list(read(tmp_path).photos())


def test_a_list_that_disappears_before_it_is_read(tmp_path):
    put(tmp_path / "train.csv", "a.jpg,b.jpg\n")
    dataset = read(tmp_path)
    (tmp_path / "train.csv").unlink()
    with pytest.raises(TableError, match=r"train.csv' cannot be read: No such file") as caught:
        list(dataset.photos())
    assert "same release" in caught.value.hint


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no file that refuses to be read")
def test_a_list_whose_disk_fails_is_recognised_as_nothing(tmp_path):
    (tmp_path / "train.csv").symlink_to("/proc/self/mem")  # it opens, and its first bytes do not
    with pytest.raises(OSError, match="Input/output error"):
        (tmp_path / "train.csv").read_bytes()
    assert LAYOUTS["witw"].recognise(tmp_path) is None
    with pytest.raises(TableError, match="cannot be read: Input/output error"):
        list(read(tmp_path, "witw").photos())


def test_a_photo_whose_name_is_no_text_stops_no_other(tmp_path, read_all):
    list(touch_images(tmp_path, ["a.jpg"]))
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes((tmp_path / "a.jpg").read_bytes())
    found = read_all(read(tmp_path, "folder"))
    assert [row.uri for row in found.photos] == ["a.jpg"]
    assert "caf\\udce9.jpg" in found.messages[0]


def test_a_folder_of_many_names_is_not_searched_to_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(own_photos, "_LOOKED_AT", 5)
    for number in range(7):
        put(tmp_path / f"{number}.txt", "")
    assert recognise(tmp_path) == []
    list(touch_images(tmp_path / "photos", ["a.jpg"]))
    (tmp_path / "6.txt").rename(tmp_path / "photos/6.txt")
    assert [told.name for told in recognise(tmp_path / "photos")] == ["folder"]


def test_rows_of_a_table_say_their_line(tmp_path):
    put(tmp_path / "mine.csv", "path,lat,lon\na.jpg,1,2\n\nb\0.jpg,1,2\n")
    first, second = read(tmp_path / "mine.csv").photos()
    assert first.origin == f"line 2 of '{tmp_path / 'mine.csv'}'"
    assert second.line == 4
    assert "null bytes" in second.error.message
