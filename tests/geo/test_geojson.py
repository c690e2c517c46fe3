"""Regions as users name them: GeoJSON files, country codes, boxes, and everything that is none."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import RegionError, SightlineError
from sightline.geo import countries
from sightline.geo.region import BoundingBox, Country, MultiPolygon, parse_region

SQUARE = [[0, 10], [20, 10], [20, 30], [0, 30], [0, 10]]
HOLE = [[5, 15], [5, 25], [15, 25], [15, 15], [5, 15]]


def polygon(*rings: list) -> dict:
    return {"type": "Polygon", "coordinates": list(rings)}


def feature(geometry: object) -> dict:
    return {"type": "Feature", "properties": {"name": "x"}, "geometry": geometry}


FORMS = {
    "polygon": polygon(SQUARE, HOLE),
    "unclosed": polygon(SQUARE[:-1], HOLE[:-1]),
    "with altitudes": polygon([[*p, 100.0] for p in SQUARE], HOLE),
    "multipolygon": {"type": "MultiPolygon", "coordinates": [[SQUARE, HOLE]]},
    "feature": feature(polygon(SQUARE, HOLE)),
    "collection": {
        "type": "FeatureCollection",
        "features": [feature(None), feature(polygon(SQUARE, HOLE))],
    },
    "geometries": {"type": "GeometryCollection", "geometries": [polygon(SQUARE, HOLE)]},
    "nested": feature(
        {
            "type": "GeometryCollection",
            "geometries": [{"type": "GeometryCollection", "geometries": [polygon(SQUARE, HOLE)]}],
        }
    ),
    "twice": {
        "type": "MultiPolygon",
        "coordinates": [[SQUARE, HOLE], [SQUARE, HOLE], []],
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_region(form: str, tmp_path: Path) -> None:
    path = tmp_path / "my région.geojson"
    path.write_text(json.dumps(FORMS[form]), encoding="utf-8-sig")
    region = parse_region(str(path))
    assert isinstance(region, MultiPolygon)
    # Longitude first in the file, latitude first here.
    places = [[12, 2], [10, 0], [29, 19], [15, 5], [20, 10], [2, 12], [31, 5]]
    assert region.contains(places).tolist() == [True, True, True, True, False, False, False]
    assert region.bounds == BoundingBox(10, 0, 30, 20)
    whole = BoundingBox(10, 0, 30, 20).area_km2 - BoundingBox(15, 5, 25, 15).area_km2
    assert region.area_km2 == pytest.approx(whole, rel=1e-12)
    assert "my région.geojson" in region.describe()


CROSSING = {
    "jumping": [[170, -10], [-170, -10], [-170, 10], [170, 10]],
    "running on": [[170, -10], [190, -10], [190, 10], [170, 10]],
    "running west": [[-190, -10], [-170, -10], [-170, 10], [-190, 10]],
    "cut": None,
}


@pytest.mark.parametrize("form", CROSSING)
def test_over_the_antimeridian(form: str) -> None:
    ring = CROSSING[form]
    document = polygon(ring) if ring else {
        "type": "MultiPolygon",
        "coordinates": [
            [[[170, -10], [180, -10], [180, 10], [170, 10]]],
            [[[-180, -10], [-170, -10], [-170, 10], [-180, 10]]],
        ],
    }  # fmt: skip
    region = MultiPolygon.from_geojson(document)
    box = BoundingBox(-10, 170, 10, -170)
    assert region.bounds == box
    assert region.area_km2 == pytest.approx(box.area_km2)
    assert region.contains([[0, 175], [0, -175], [0, 180], [10, -170], [-10, 170]]).all()
    assert not region.contains([[0, 0], [0, 169], [0, -169], [11, 180]]).any()


def test_a_hole_over_the_antimeridian() -> None:
    shell = [[160, -20], [-160, -20], [-160, 20], [160, 20]]
    hole = [[-190, -10], [-170, -10], [-170, 10], [-190, 10]]
    region = MultiPolygon.from_geojson(polygon(shell, hole))
    assert not region.contains([[0, 180], [5, 175], [5, -175]]).any()
    assert region.contains([[15, 180], [0, 165], [0, -165]]).all()


@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize("lat", [-60.0, 75.0])
def test_around_a_pole(lat: float, turn: int) -> None:
    ring = [[lon, lat] for lon in range(-170, 180, 20)][::turn]
    region = MultiPolygon.from_geojson(polygon(ring))
    box = BoundingBox(*((-90, -180, lat, 180) if lat < 0 else (lat, -180, 90, 180)))
    assert region.area_km2 == pytest.approx(box.area_km2, rel=1e-9)
    pole = 90.0 if lat > 0 else -90.0
    assert region.contains([[pole, 33], [lat, 0], [(lat + pole) / 2, 180]]).all()
    assert not region.contains([[lat - np.sign(lat), 5.0], [-pole, 0.0]]).any()


def test_around_the_earth_without_a_pole() -> None:
    ring = [[lon, lon / 10] for lon in range(-170, 180, 20)]
    with pytest.raises(RegionError, match="runs around the whole Earth") as caught:
        MultiPolygon.from_geojson(polygon(ring))
    assert "Cut the polygon" in caught.value.hint


@pytest.mark.parametrize("middle", [False, True])
def test_a_band_around_the_earth_as_rfc_7946_writes_it(middle: bool) -> None:
    ring = [[-180, -10], [180, -10], [180, 10], [-180, 10]]
    if middle:
        ring.insert(1, [0, -10])
    region = MultiPolygon.from_geojson(polygon(ring))
    assert region.area_km2 == pytest.approx(BoundingBox(-10, -180, 10, 180).area_km2)
    world = polygon([[-180, -90], [180, -90], [180, 90], [-180, 90], [-180, -90]])
    assert MultiPolygon.from_geojson(world).area_km2 == pytest.approx(510_065_621.7, abs=0.1)


def test_a_step_over_the_seam_without_width() -> None:
    # As TopoJSON writes a stitched ring: ... 180 and -180 are the same place.
    ring = [[179, 0], [180, 0], [-180, 0], [-179, 0], [-179, 1], [-180, 1], [180, 1], [179, 1]]
    region = MultiPolygon.from_geojson(polygon(ring))
    assert region.area_km2 == pytest.approx(BoundingBox(0, 179, 1, -179).area_km2)


def test_a_ring_that_crosses_itself_is_repaired() -> None:
    bow_tie = [[0, 0], [10, 10], [10, 0], [0, 10]]
    region = MultiPolygon.from_geojson(polygon(bow_tie))
    assert (
        region.contains([[5, 1], [5, 9]]).tolist() == [True, True]
        or region.contains([[1, 9.5], [9, 9.5]]).all()
    )
    assert region.area_km2 == pytest.approx(BoundingBox(0, 0, 10, 10).area_km2 / 2, rel=0.01)


NO_REGIONS = [
    (5, "Got a int"),
    ([], "Got a list"),
    ({}, "Got None"),
    ({"type": "Point", "coordinates": [1, 2]}, "'Point' in the document"),
    ({"type": "FeatureCollection", "features": []}, "empty"),
    ({"type": "FeatureCollection", "features": {}}, "no list of features"),
    ({"type": "FeatureCollection"}, "no list of features"),
    ({"type": "FeatureCollection", "features": [feature(polygon(SQUARE)), 7]}, "feature 1"),
    (feature(None), "empty"),
    (feature({"type": "LineString", "coordinates": SQUARE}), "'LineString'"),
    ({"type": "GeometryCollection", "geometries": [{"type": "Point"}]}, "geometry 0"),
    ({"type": "Polygon"}, "no list of coordinates"),
    (polygon(), "empty"),
    ({"type": "MultiPolygon", "coordinates": [{"a": 1}]}, "list of rings"),
    (polygon([[0, 0], [1, 1]]), "at least three positions"),
    (polygon("abcd"), "at least three positions"),
    (polygon([[0, 0], [1, "1"], [2, 2]]), "Position 1"),
    (polygon([[0, 0], [1], [2, 2]]), "Position 1"),
    (polygon([[0, 0], 5, [2, 2]]), "Position 1"),
    (polygon([[0, 0], [True, 1], [2, 2]]), "Position 1"),
    (polygon([[0, 0], [500, 1], [2, 2]]), "longitude 500.0"),
    (polygon([[0, 0], [float("nan"), 1], [2, 2]]), "no place"),
    (polygon([[0, 0], [1, 1], [2, 2], [0, 0]]), "enclose nothing"),
    (polygon([[5, 5], [5, 5], [5, 5]]), "enclose nothing"),
]


@pytest.mark.parametrize(("document", "says"), NO_REGIONS)
def test_documents_that_are_no_region(document, says, tmp_path) -> None:
    with pytest.raises(RegionError, match=says):
        MultiPolygon.from_geojson(document)
    path = tmp_path / "region.json"
    path.write_text(json.dumps(document))
    with pytest.raises(RegionError, match=says) as caught:
        parse_region(str(path))
    assert caught.value.path == str(path)
    assert str(path) in caught.value.message


def test_swapped_positions_are_noticed() -> None:
    ring = [[48, 100], [49, 100], [49, 101]]
    with pytest.raises(RegionError) as caught:
        MultiPolygon.from_geojson(polygon(ring))
    assert "swapped" in caught.value.hint
    assert "latitude 100.0" in caught.value.message
    with pytest.raises(RegionError) as caught:
        MultiPolygon.from_geojson(polygon([[148, 100], [49, 100], [49, 101]]))
    assert "swapped" not in caught.value.hint


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        (b"", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"type":"Feature","geometry":' * 3000 + b"null" + b"}" * 3000, "JSON|nested|empty"),
    ],
)
def test_files_that_are_no_json(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "region.geojson"
    path.write_bytes(content)
    with pytest.raises(RegionError, match=says) as caught:
        parse_region(str(path))
    assert caught.value.path == str(path)


def test_a_document_nested_too_deeply() -> None:
    document: dict = feature(polygon(SQUARE))
    for _ in range(3000):
        document = feature(document)
    with pytest.raises(RegionError, match="nested too deeply"):
        MultiPolygon.from_geojson(document)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere.geojson"
    with pytest.raises(RegionError, match="There is no region file") as caught:
        parse_region(str(missing))
    assert caught.value.path == str(missing)
    with pytest.raises(RegionError, match="cannot be read"):
        parse_region(str(tmp_path))


@pytest.mark.parametrize("text", ["46,6,48,10", " 46.0 , 6, 48,10 ", "4.6e1,6,48,10"])
def test_a_box_in_words(text: str) -> None:
    assert parse_region(text) == BoundingBox(46, 6, 48, 10)


@pytest.mark.parametrize("text", ["CH", "che", " Che "])
def test_a_country_in_words(text: str) -> None:
    region = parse_region(text)
    assert isinstance(region, Country)
    assert (region.alpha2, region.alpha3, region.name) == ("CH", "CHE", "Switzerland")
    assert region.describe() == "Switzerland (CH)"


@pytest.mark.parametrize(
    ("text", "says", "hints"),
    [
        ("", "empty text", "GeoJSON file"),
        ("1,2,3", "four numbers. Got 3", "south,west,north,east"),
        ("1,2,3,4,5", "four numbers. Got 5", "south,west,north,east"),
        ("1,2,3,x", "'x', which is no number", "south,west,north,east"),
        ("1,2,3,nan", "'nan', which is no number", "south,west,north,east"),
        ("48,6,46,10", "south 48.0 above north 46.0", "south,west"),
        ("100,46,110,48", "outside [-90, 90]", "look swapped"),
        ("QQ", "code 'QQ'", "two or three letters"),
        ("CHX", "code 'CHX'", "CHE"),
        ("Switzerlnd", "code 'Switzerlnd'", "CH (Switzerland)"),
        ("germany", "code 'germany'", "DE (Germany)"),
        ("Absurdistan", "code 'Absurdistan'", "ISO 3166"),
        ("a/b.geojson", "There is no region file", "Check the path"),
        ("x" * 5000 + ".json", "cannot be read", "Check the path"),
        ("a\0b.json", "no JSON", "GeoJSON"),
    ],
)
def test_words_that_name_no_region(text: str, says: str, hints: str) -> None:
    with pytest.raises(RegionError) as caught:
        parse_region(text)
    assert says in caught.value.message
    assert hints in caught.value.hint


@given(st.text(max_size=30))
def test_any_text_is_a_region_or_an_error_of_ours(text: str) -> None:
    try:
        parse_region(text)
    except SightlineError as error:
        assert error.hint  # noqa: PT017


JSON = st.recursive(
    st.none() | st.floats() | st.integers() | st.text(max_size=5)
    | st.sampled_from(["Polygon", "Feature", "FeatureCollection", "MultiPolygon"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.fixed_dictionaries(
        {"type": st.sampled_from(["Polygon", "Feature", "MultiPolygon", "GeometryCollection"])},
        optional={"coordinates": inner, "geometry": inner, "geometries": inner},
    ),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
def test_any_document_is_a_region_or_an_error_of_ours(document: object) -> None:
    try:
        MultiPolygon.from_geojson(document)
    except SightlineError as error:
        assert error.hint  # noqa: PT017


def test_every_country_is_there_and_valid() -> None:
    codes = countries.codes()
    assert len(codes) == 250
    everything = list(countries.outlines())
    assert [x.alpha2 for x in everything] == list(codes) == sorted(codes)
    assert len({x.alpha3 for x in everything}) == len({x.name for x in everything}) == 250
    for country in everything:
        assert country.geometry.is_valid, country.alpha2
        assert country.geometry.area > 0
        assert countries.is_code(country.alpha2.lower())
        assert countries.country_outline(country.alpha3) is country


def test_a_code_that_no_country_has() -> None:
    with pytest.raises(RegionError, match="'QQ'"):
        Country("QQ")


CAPITALS = {
    "SG": (1.3521, 103.8198), "MT": (35.8989, 14.46), "MC": (43.7384, 7.4246),
    "VA": (41.9022, 12.4533), "CH": (46.948, 7.4474), "FJ": (-17.8, 178.0), "XK": (42.66, 21.16),
    "GF": (4.0, -53.0), "SJ": (78.5, 16.0), "CX": (-10.49, 105.62), "TW": (23.7, 121.0),
    "HU": (47.5, 19.04), "AQ": (-90.0, 0.0), "RU": (66.0, -172.0), "FR": (48.8566, 2.3522),
    "TV": (-7.48, 178.68), "RE": (-21.11, 55.5), "NZ": (-41.3, 174.77),
}  # fmt: skip


@pytest.mark.parametrize("code", CAPITALS)
def test_countries_lie_where_they_are(code: str) -> None:
    assert Country(code).contains(CAPITALS[code]).all()
    others = [x for x in CAPITALS if x != code]
    assert not Country(code).contains([CAPITALS[x] for x in others]).any()


def test_countries_hardly_overlap() -> None:
    shapes = [Country(code).outline for code in ("FR", "DE", "CH", "IT", "AT", "VA", "LU", "BE")]
    for one, other in itertools.combinations(shapes, 2):
        assert shapely.intersection(one, other).area < 1e-4


def test_the_data_say_how_they_were_made() -> None:
    folder = Path(countries.__file__).parent / "data"
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "countries.npz.xz" in readme
    assert "Natural Earth" in readme
    assert (Path(__file__).parents[2] / "tools" / "convert_country_outlines.py").exists()


def test_a_simple_world_to_draw() -> None:
    simple = list(countries.outlines(0.1))
    full = list(countries.outlines())
    points = [sum(shapely.get_num_coordinates(x.geometry) for x in y) for y in (simple, full)]
    assert points[0] < points[1] / 10
    assert {"CH", "FR", "US"} <= {x.alpha2 for x in simple}
    assert "VA" not in {x.alpha2 for x in simple}
