from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from sightline.datasets.doctor import Diagnosis, examine, leftovers
from sightline.datasets.doctor.judgement import judged_places, on_land
from sightline.datasets.layouts import LAYOUTS, read, write
from sightline.datasets.layouts.sample import PhotoSample, Sample
from sightline.datasets.layouts.vigor_labels import METRES_PER_PIXEL
from sightline.datasets.layouts.writing import encoded
from sightline.datasets.manifest import write_manifest
from sightline.errors import PhotoNotFoundError, UsageError

from .layouts.conftest import pair_sample, photo, pixels, vigor_sample

LAND = [(48.85 + 0.01 * n, 2.35 + 0.01 * n) for n in range(30)]


def kinds(diagnosis: Diagnosis, severity: str = "fault") -> list[str]:
    return [finding.kind for finding in diagnosis.findings if finding.severity == severity]


def said(diagnosis: Diagnosis, kind: str) -> str:
    return " ".join(f.what + " " + f.next_step for f in diagnosis.findings if f.kind == kind)


def photo_sample(number: int, **changes: object) -> Sample:
    return Sample((PhotoSample(photo(number, **changes), pixels(number)),))


def test_a_whole_dataset_is_sound(tmp_path):
    write(LAYOUTS["plain"], tmp_path, map(pair_sample, range(12)), provenance={"seed": 7})
    told = examine(tmp_path, radius_m=0)
    assert (told.layout, told.sound, told.made_by) == (
        "plain",
        True,
        {"layout": "plain", "seed": 7},
    )
    assert told.counts == {"photos": 12, "patches": 12, "pairs": 12}
    assert told.splits == {"train": 9, "test": 3}
    assert (told.files_looked_at, told.files_known) == (24, 24)
    assert "sightline dataset manifest" in said(told, "layout")
    assert json.loads(json.dumps(told.to_json()))["sound"] is True
    assert examine(tmp_path, files="none").files_looked_at == 0


def test_leaks_are_found(tmp_path):
    samples = [photo_sample(n, photographer=f"p{n % 5}") for n in range(12)]
    copy = PhotoSample(samples[3].photos[0].row, samples[0].photos[0].picture)
    samples[3] = Sample((copy,))
    write(LAYOUTS["plain"], tmp_path, samples)
    told = examine(tmp_path, files="all", radius_m=200.0)
    assert told.sound, "a leak is a warning"
    assert [c.kind for c in told.leaks.crossings] == ["content", "photographer", "place"]
    assert kinds(told, "warning").count("leak") == 3
    assert "--by photographer" in said(told, "leak")
    assert "planet/7/0 (train) and planet/7/3 (test)" in said(told, "leak")


def test_half_extracted_folders(tmp_path):
    write(LAYOUTS["cvusa_zhai"], tmp_path, map(pair_sample, range(8)))
    (tmp_path / "streetview/panos/0000003.jpg").unlink()
    broken = tmp_path / "bingmap/19/0000005.jpg"
    broken.write_bytes(broken.read_bytes()[:-60])
    (tmp_path / "bingmap/19/0000006.jpg").write_bytes(b"<!DOCTYPE html>")
    (tmp_path / "streetview/panos/0000007.jpg").write_bytes(b"")
    (tmp_path / "streetview.zip").write_bytes(b"PK")
    (tmp_path / "bingmap.tar.part").write_bytes(b"x")
    told = examine(tmp_path)
    assert not told.sound
    assert sorted(kinds(told)) == ["archive", "file", "file", "file"]
    assert "streetview.zip" in said(told, "archive")
    assert "bingmap.tar.part" in said(told, "archive")
    assert "1 of 16 files looked at are missing" in said(told, "file")
    assert "3 of 16 files looked at are corrupt" in said(told, "file")
    assert "named in line 3 of" in said(told, "file")
    every = examine(tmp_path, files="all")
    assert every.counts == {"photos": 6, "patches": 6, "pairs": 4}
    assert sorted(kinds(every)) == ["archive", "file", "file", "pair"]
    assert "--skip-bad" in said(every, "layout")


def test_images_that_are_all_elsewhere(tmp_path):
    (tmp_path / "im2gps.csv").write_text("image_id,lat,lon\na.jpg,1,2\nb.jpg,3,4\n")
    told = examine(tmp_path)
    assert "None of 2 files" in said(told, "file")
    assert "Missing: photos" in said(told, "missing")
    assert "im2gps" in told.title.lower()
    assert "test has 2 photos, and 237 are published" in said(told, "count")


def test_ids_that_stand_twice(tmp_path):
    (tmp_path / "im2gps.csv").write_text("image_id,lat,lon\na.jpg,1,2\nb.jpg,3,4\na.jpg,5,6\n")
    told = examine(tmp_path, files="none")
    assert kinds(told) == ["duplicate"]
    assert "'im2gps/a' of a photo stands twice: in line 2 of" in said(told, "duplicate")
    assert told.counts["photos"] == 2


def test_rows_that_cannot_be(tmp_path):
    lines = ["id,uri,lat,lon", "a,a.jpg,139.7,35.7", "b,b.jpg,1,2,3", "c,c.jpg,1,2"]
    (tmp_path / "photos.csv").write_text("\n".join(lines))
    (tmp_path / "patches.csv").write_text("id,uri\nx,x.jpg\n")
    (tmp_path / "pairs.csv").write_text("id,photo_id,patch_id\n1,c,x\n2,c,y\n")
    told = examine(tmp_path, files="none")
    assert sorted(kinds(told)) == ["coordinates", "pair", "row"]
    assert "line 2 of" in said(told, "coordinates")
    assert "has 5 cells where the header has 4" in said(told, "row")
    assert "line 3 of" in said(told, "pair")


def test_many_names_are_not_looked_through_to_the_end(tmp_path, monkeypatch):
    for name in ("a.zip", "b.zip"):
        (tmp_path / name).write_bytes(b"PK")
    assert [finding.count for finding in leftovers.leftovers(tmp_path)] == [2]
    monkeypatch.setattr(leftovers, "_MOST_ENTRIES", 1)
    assert [finding.count for finding in leftovers.leftovers(tmp_path)] == [1]


def test_without_shapely_nothing_is_called_swapped(tmp_path, monkeypatch):
    rows = "".join(f"{n}.jpg,{lon},{lat}\n" for n, (lat, lon) in enumerate(LAND))
    (tmp_path / "yfcc4k.csv").write_text("image_id,lat,lon\n" + rows)
    monkeypatch.setitem(sys.modules, "sightline.geo.planar", None)
    assert on_land(np.array(LAND)) is None
    assert kinds(examine(tmp_path, files="none")) == []


def test_many_problems_are_counted(tmp_path, monkeypatch):
    from sightline.datasets.manifest import writing

    monkeypatch.setattr(writing, "KEPT_PROBLEMS", 3)
    rows = "".join(f"{n},a.jpg,999,0\n" for n in range(9))
    (tmp_path / "photos.csv").write_text("id,uri,lat,lon\n" + rows)
    told = examine(tmp_path)
    assert "6 more rows and files could not be used" in said(told, "row")
    assert "no photo that can be used" in said(told, "layout")


def test_swapped_coordinates_of_a_whole_list(tmp_path):
    rows = "".join(f"{n}.jpg,{lon},{lat}\n" for n, (lat, lon) in enumerate(LAND))
    (tmp_path / "yfcc4k.csv").write_text("image_id,lat,lon\n" + rows)
    told = examine(tmp_path, files="none")
    assert kinds(told) == ["coordinates"]
    assert "look swapped: 0% of the places lie on land as they are, and 100%" in said(
        told, "coordinates"
    )


def test_real_lists_are_not_called_swapped(shared_data):
    for name in ("im2gps3k", "yfcc4k"):
        told = examine(shared_data / f"lists/{name}.csv", files="none")
        assert kinds(told) == []
    vigor = np.array([(41.88, -87.69), (40.72, -73.99), (47.6, -122.3)] * 20)
    assert not list(judged_places(vigor, real=True))
    assert on_land(np.array(LAND)) == 1.0


def test_places_that_stand_for_none():
    places = np.array([(0.0, 0.0), (1.0, 2.0), (np.nan, np.nan)])
    found = list(judged_places(places, real=True))
    assert [(one.kind, one.count) for one in found] == [("coordinates", 1)]


def test_labels_of_another_revision(tmp_path):
    """Labels with 0.114 m a pixel under the name of corrected ones, for a city that has 0.1008."""

    def sample(number: int, scale: float) -> Sample:
        made = vigor_sample(number)
        patches = [
            replace(one, row=replace(one.row, metres_per_pixel=scale)) for one in made.patches
        ]
        return Sample(made.photos, tuple(patches), made.pairs)

    for scale, wrong in ((0.114, True), (METRES_PER_PIXEL["Seattle"], False)):
        root = tmp_path / str(wrong)
        write(LAYOUTS["vigor"], root, [sample(n, scale) for n in range(12)])
        (root / "splits").rename(root / "splits__corrected")
        for file in (root / "splits__corrected/Seattle").glob("*_*.txt"):
            if "satellite" not in file.name:
                file.rename(file.with_name(f"{file.stem}__corrected.txt"))
        assert "revision" not in kinds(examine(root, files="none")), "it says it is synthetic"
        (root / "sightline.json").unlink()
        told = examine(root, files="none")
        assert ("revision" in kinds(told)) is wrong
        if wrong:
            assert "take 0.1140 m a pixel, and corrected labels take 0.1008" in said(
                told, "revision"
            )


def test_the_real_vigor_labels(shared_data, tmp_path):
    for city in ("Chicago", "SanFrancisco"):
        target = tmp_path / "splits__corrected" / city
        target.parent.mkdir(exist_ok=True)
        target.symlink_to(shared_data / "vigor/splits__corrected" / city)
    told = examine(tmp_path, radius_m=0)
    assert (told.layout, told.version) == ("vigor", "same-area, corrected labels")
    assert told.counts == {"photos": 25_479, "patches": 46_563, "pairs": 101_916}
    assert sorted(kinds(told)) == ["file", "missing"]
    assert "SanFrancisco has no labels for same-area" in said(told, "missing")


def test_folders_that_are_nothing(tmp_path):
    told = examine(tmp_path)
    assert (told.layout, kinds(told)) == (None, ["layout"])
    with pytest.raises(PhotoNotFoundError):
        examine(tmp_path / "none")
    with pytest.raises(UsageError, match="no layout 'x'"):
        examine(tmp_path, layout="x")
    told = examine(tmp_path, layout="cvact")
    assert "CVACT's list is missing" in said(told, "layout")


def test_roles_are_no_splits(tmp_path):
    (tmp_path / "annotations").mkdir()
    for split in ("query", "database"):
        (tmp_path / f"{split}.csv").write_text("a,36.3,127.4\n")
    assert examine(tmp_path, files="none").leaks is None


def test_traces_deep_in_a_dataset_and_unreadable_provenance(tmp_path):
    write(LAYOUTS["plain"], tmp_path, [photo_sample(0)])
    (tmp_path / "sightline.json").write_text("[1]")
    (tmp_path / "photos/.writing-1-a.jpg").write_bytes(encoded(pixels(1), ".jpg"))
    told = examine(tmp_path)
    assert told.made_by is None
    assert "did not end: photos/.writing-1-a.jpg" in said(told, "archive")


def test_shards_are_named_and_no_leftovers(tmp_path):
    (tmp_path / "town-000000.tar").write_bytes(b"x")
    (tmp_path / "shards.json").write_text("{}")
    told = examine(tmp_path)
    assert (told.layout, told.sound, kinds(told, "note")) == (None, True, ["layout"])
    assert "ShardReader" in said(told, "layout")


def test_the_next_step_can_be_typed(tmp_path):
    root = tmp_path / "a town"
    write(LAYOUTS["plain"], root, map(pair_sample, range(4)), provenance={"seed": 7})
    assert f"sightline dataset manifest '{root}' OUT" in said(examine(root), "layout")


def test_twins_are_left_out_as_the_doctor_says(tmp_path):
    (tmp_path / "photos.csv").write_text("id,uri\na,a.jpg\na,b.jpg\nc,c.jpg\na,d.jpg\n")
    told = examine(tmp_path, files="none")
    assert (kinds(told), told.counts["photos"]) == (["duplicate"], 2)
    assert "2 times, such as: The id 'a' of a photo stands twice: in line 2" in said(
        told, "duplicate"
    )
    assert "--skip-bad" in said(told, "layout")
    report = write_manifest(tmp_path / "m", read(tmp_path), on_error="skip")
    assert (report.information.counts["photos"], report.problem_count) == (2, 2)


def test_a_photo_in_two_lists_leaks(tmp_path):
    (tmp_path / "train.csv").write_text("a.jpg,b.jpg\nd.jpg,e.jpg\n")
    (tmp_path / "test.csv").write_text("a.jpg,c.jpg\nf.jpg,e.jpg\n")
    told = examine(tmp_path, files="none")
    assert kinds(told, "warning").count("leak") == 2
    assert "'witw/a.jpg+c.jpg' (test) with 'witw/a.jpg'" in said(told, "leak")
    assert "than their patch, such as 'witw/f.jpg+e.jpg' (test)" in said(told, "leak")
    (tmp_path / "test.csv").write_text("g.jpg,c.jpg\n")
    assert "leak" not in kinds(examine(tmp_path, files="none"), "warning")


def test_an_empty_split_is_told(tmp_path):
    write(LAYOUTS["cvusa_zhai"], tmp_path, [pair_sample(n, split="train") for n in range(4)])
    (tmp_path / "sightline.json").unlink()
    (tmp_path / "splits/val-19zl.csv").write_text("\n")
    assert "val is empty: it has no pairs, and 8,884 are published" in said(
        examine(tmp_path, files="none"), "count"
    )


def test_corrupt_files_are_left_out_as_the_doctor_says(tmp_path):
    root = tmp_path / "town"
    write(LAYOUTS["plain"], root, map(pair_sample, range(4)), provenance={"seed": 7})
    victim = next((root / "photos").iterdir())
    victim.write_bytes(victim.read_bytes()[:-60])
    told = said(examine(root), "layout")
    assert "--files decode --skip-bad" in told
    report = write_manifest(tmp_path / "m", read(root), on_error="skip", files="decode")
    assert report.information.counts == {"photos": 3, "patches": 4, "pairs": 3}
