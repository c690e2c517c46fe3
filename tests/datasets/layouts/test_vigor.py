"""VIGOR: the real labels, against the rule that they follow, and damaged ones."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.datasets.layouts import LAYOUTS, read, recognise, write
from sightline.datasets.layouts.vigor import read as read_vigor
from sightline.datasets.layouts.vigor_labels import (
    CITIES,
    GRID_STEP_M,
    METRES_PER_PIXEL,
    Label,
    parse_label,
    parse_tile,
    resolution_of,
    revisions_of,
)
from sightline.datasets.manifest import Manifest, write_manifest
from sightline.datasets.records import RecordProblem
from sightline.errors import TableError, UsageError
from sightline.geo.distance import great_circle_m

from .conftest import vigor_sample

COMPLETE = ("Chicago", "NewYork", "Seattle")


@pytest.fixture(scope="module")
def manifest(shared_data, tmp_path_factory):
    """The real labels as a manifest, the city without labels counted out."""
    path = tmp_path_factory.mktemp("vigor")
    written = write_manifest(path, read(shared_data / "vigor"), on_error="skip")
    assert [problem.error.message.split(":")[0] for problem in written.problems] == [
        "SanFrancisco has no labels for same-area"
    ] * 2
    return Manifest.open(path)


def test_published_counts(manifest):
    assert (manifest.n_patches, manifest.n_photos, manifest.n_pairs) == (90_618, 76_999, 307_996)
    assert manifest.splits() == {"train": 38_501, "test": 38_498}
    tiles = manifest.table("patches", columns=["uri"]).column("uri").to_pylist()
    counts = [sum(uri.startswith(f"{city}/") for uri in tiles) for city in CITIES]
    assert dict(zip(CITIES, counts, strict=True)) == LAYOUTS["vigor"].published["patches"]


def test_every_tile_lies_where_the_rule_says(manifest):
    """Positive: in the tile's inner quarter; semi-positive: the three others that hold the spot.

    Tiles lie on a grid whose step is half a tile, so that the rule (Zhu et al. 2021, section 3.2)
    says: the positive's centre is within half a step on both axes, a semi-positive's within a whole
    step on both and beyond half a step on one.
    """
    pairs = manifest.table("pairs")
    offsets = np.abs(
        np.column_stack([pairs.column("offset_east_m"), pairs.column("offset_north_m")])
    )
    positive = np.array(pairs.column("relation")) == "positive"
    assert positive.sum() == 76_999
    # The grid is one of degrees made at each city's middle, so its step in metres varies by 0.1 %.
    tolerance = 0.03
    assert (offsets[positive] <= GRID_STEP_M / 2 + tolerance).all()
    assert (offsets[~positive] <= GRID_STEP_M + tolerance).all()
    assert (offsets[~positive].max(axis=1) >= GRID_STEP_M / 2 - tolerance).all()


def test_offsets_are_distances(manifest):
    """The offsets agree with the great circle between panorama and tile, on a sample of rows."""
    rows = np.arange(0, manifest.n_pairs, 997)
    pairs = manifest.take("pairs", rows)
    photos = {row.id: (row.lat, row.lon) for row in manifest.photos()}
    patches = {row.id: (row.lat, row.lon) for row in manifest.patches()}
    here = [photos[name] for name in pairs.column("photo_id").to_pylist()]
    there = [patches[name] for name in pairs.column("patch_id").to_pylist()]
    told = np.hypot(pairs.column("offset_east_m"), pairs.column("offset_north_m"))
    np.testing.assert_allclose(told, great_circle_m(here, there), rtol=1e-4, atol=1e-3)


def test_corrected_pixels_are_those_of_each_city(shared_data):
    """Pixels times the city's resolution are the metres between the names, within rounding."""
    revision = revisions_of(shared_data / "vigor")[0]
    assert revision.name == "corrected"
    for city in COMPLETE:
        path = revision.folder / city / revision.label_files("same-area")[0]
        lines = path.read_text().splitlines()[::50]
        for number, text in enumerate(lines, start=1):
            label = parse_label(city, text, path, number)
            assert isinstance(label, Label)
            for pair, (north, east) in zip(label.pairs("train"), label.pixels, strict=True):
                scale = METRES_PER_PIXEL[city]
                # The pixels were cut to whole numbers, on a sphere and for a latitude of theirs.
                assert abs(-north * scale - pair.offset_north_m) < 0.02 * 40 + scale
                assert abs(-east * scale - pair.offset_east_m) < 0.02 * 40 + scale


def test_what_was_written_keeps_places_and_offsets(tmp_path, read_all):
    write(LAYOUTS["vigor"], tmp_path, map(vigor_sample, range(8)))
    same = read_all(read_vigor(tmp_path))
    rows = {round(row.lat, 6) for row in same.photos}
    assert rows == {round(vigor_sample(n).photos[0].row.lat, 6) for n in range(8)}
    assert {row.split for row in same.photos} == {"train", "test"}
    for pair in same.pairs:
        assert max(abs(pair.offset_east_m), abs(pair.offset_north_m)) < GRID_STEP_M + 0.1
    label = next((tmp_path / "splits/Seattle").glob("same_area_balanced_train.txt"))
    parsed = parse_label("Seattle", label.read_text().splitlines()[0], label, 1)
    for pair, (north, east) in zip(parsed.pairs("train"), parsed.pixels, strict=True):
        assert abs(-north * 0.1 - pair.offset_north_m) < 0.1
        assert abs(-east * 0.1 - pair.offset_east_m) < 0.1


def test_cross_area_trains_on_two_cities(tmp_path, read_all):
    for city in ("Seattle", "Chicago"):
        write(LAYOUTS["vigor"], tmp_path / city, [vigor_sample(n, city) for n in range(5)])
    for city in ("Seattle", "Chicago"):
        for folder in ("splits", "."):
            target = tmp_path / "both" / folder / city
            target.parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / city / folder / city).rename(target)
    cross = read_all(read_vigor(tmp_path / "both", "cross-area"))
    assert {(row.labels["city"], row.split) for row in cross.photos} == {
        ("Seattle", "train"),
        ("Chicago", "test"),
    }
    assert len(cross.photos) == 10
    told = recognise(tmp_path / "both")[0]
    assert (told.version, told.confidence, told.missing) == ("original labels", 1.0, ())


def broken(tmp_path, change) -> list[str]:
    write(LAYOUTS["vigor"], tmp_path, map(vigor_sample, range(4)))
    path = tmp_path / "splits/Seattle/same_area_balanced_train.txt"
    lines = path.read_text().splitlines()
    lines[1] = change(lines[1])
    path.write_text("\n".join(lines))
    found = [item for item in read_vigor(tmp_path).photos() if isinstance(item, RecordProblem)]
    assert [problem.line for problem in found] == [2]
    assert str(path) in found[0].error.message
    return [problem.error.message for problem in found]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda line: line.rsplit(" ", 1)[0], "Got 12 words"),
        (lambda line: line.replace("satellite_", "sat_", 1), "not a tile"),
        (lambda line: line.replace("satellite_", "satellite_x", 1), "could not convert"),
        (lambda line: line.replace(",", ";", 2), "unpack"),
        (lambda line: line.replace(",48.5", ",148.5", 1), "148.5"),
    ],
)
def test_damaged_lines_are_named(tmp_path, change, words):
    assert words in broken(tmp_path, change)[0]


def test_damaged_lines_do_not_hide_how_large_pixels_are(tmp_path):
    write(LAYOUTS["vigor"], tmp_path, map(vigor_sample, range(8)))
    revision = revisions_of(tmp_path)[0]
    whole = resolution_of(revision, "Seattle")
    assert whole == pytest.approx(0.1, rel=0.02)
    path = tmp_path / "splits/Seattle/same_area_balanced_train.txt"
    path.write_text("no label\n" + path.read_text())
    assert resolution_of(revision, "Seattle") == whole


def test_a_tile_list_with_a_line_that_is_none(tmp_path):
    write(LAYOUTS["vigor"], tmp_path, map(vigor_sample, range(2)))
    path = tmp_path / "splits/Seattle/satellite_list.txt"
    path.write_text("satellite_1_2_3.png\nsatellite_100_2.png\n" + path.read_text())
    found = [item for item in read_vigor(tmp_path).patches() if isinstance(item, RecordProblem)]
    assert [problem.line for problem in found] == [1, 2]
    assert "must name a tile" in found[0].error.message


def test_pairs_whose_tile_is_in_no_list(tmp_path):
    write(LAYOUTS["vigor"], tmp_path, map(vigor_sample, range(3)))
    path = tmp_path / "splits/Seattle/satellite_list.txt"
    path.write_text("\n".join(path.read_text().splitlines()[1:]))
    with pytest.raises(TableError, match=r"line 1 of '.*train.txt' names the patch"):
        write_manifest(tmp_path / "m", read_vigor(tmp_path))
    assert not list((tmp_path / "m").iterdir()), "nothing is written half"
    report = write_manifest(tmp_path / "m", read_vigor(tmp_path), on_error="skip")
    assert report.problem_count > 0
    counts = report.information.counts
    assert counts["pairs"] == 12 - report.problem_count


def test_labels_that_are_not_there(tmp_path):
    with pytest.raises(TableError, match="no VIGOR labels"):
        read_vigor(tmp_path)
    write(LAYOUTS["vigor"], tmp_path, [vigor_sample(0)])
    with pytest.raises(TableError, match="no corrected VIGOR labels"):
        read_vigor(tmp_path, "same-area-corrected")
    assert read_vigor(tmp_path, "cross-area-original").version == "cross-area, original labels"
    with pytest.raises(UsageError, match="Got 'everywhere'"):
        read_vigor(tmp_path, "everywhere")
    (tmp_path / "splits__corrected").mkdir()
    assert [revision.name for revision in revisions_of(tmp_path)] == ["original"]


def test_some_semi_positives_of_seattle_do_not_show_the_spot(shared_data):
    """What docs/datasets.md says: beyond 320 pixels the camera stands outside the tile."""
    revision = revisions_of(shared_data / "vigor")[0]
    outside = []
    for file in revision.label_files("same-area"):
        path = revision.folder / "Seattle" / file
        for number, text in enumerate(path.read_text().splitlines(), start=1):
            label = parse_label("Seattle", text, path, number)
            outside += [max(map(abs, pixels)) > 320 for pixels in label.pixels[1:]]
    assert len(outside) == 3 * 23_751
    assert round(np.mean(outside), 3) == 0.275


def test_a_tile_that_lies_nowhere():
    with pytest.raises(ValueError, match="no place"):
        parse_tile("satellite_nan_1.0.png")
