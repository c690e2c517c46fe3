from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from sightline.datasets.layouts import LAYOUTS, WRITABLE, layout_named, read, recognise, write
from sightline.datasets.layouts.sample import PhotoSample, Sample
from sightline.datasets.layouts.writing import (
    begin,
    encoded,
    is_whole,
    without_pictures,
    write_files,
    writer_of,
)
from sightline.datasets.manifest import Manifest, write_manifest
from sightline.errors import OutputError, PhotoNotFoundError, UsageError

from .conftest import pair_sample, photo, pixels, vigor_sample


def photo_sample(number: int) -> Sample:
    return Sample((PhotoSample(photo(number), pixels(number)),))


def university_sample(number: int) -> Sample:
    views = ["drone", "drone", "street"]
    photos = tuple(
        PhotoSample(
            photo(10 * number + at, split="test" if number == 3 else "train", labels={"view": v}),
            pixels(at),
        )
        for at, v in enumerate(views)
    )
    return Sample(photos, pair_sample(number).patches)


def unscaled(sample: Sample) -> Sample:
    """The same sample with patches that do not say how large their pixels are."""
    patches = [replace(one, row=replace(one.row, metres_per_pixel=None)) for one in sample.patches]
    return Sample(sample.photos, tuple(patches), sample.pairs)


SAMPLES = {
    "vigor": vigor_sample,
    "university1652": university_sample,
    "plain": vigor_sample,
    "cvact": pair_sample,
    "cvusa_zhai": pair_sample,
}


def samples(name: str, count: int = 8) -> list[Sample]:
    return [SAMPLES.get(name, photo_sample)(number) for number in range(count)]


@pytest.mark.parametrize("name", WRITABLE)
def test_what_is_written_is_recognised_read_and_whole(tmp_path, name, read_all):
    report = write(LAYOUTS[name], tmp_path, samples(name))
    assert (report.samples, report.kept > 0) == (8, name in ("vigor", "plain"))
    told = recognise(tmp_path)[0]
    assert (told.name, told.confidence > 0.6) == (name, True)
    found = read_all(read(tmp_path))
    expected = 27 if name == "university1652" else 8
    assert not found.problems
    assert len(found.photos) == expected
    assert len(found.pairs) == {"vigor": 32, "plain": 32, "university1652": 27}.get(
        name, 8 if found.patches else 0
    )
    written = write_manifest(tmp_path / "m", read(tmp_path), files="decode")
    assert written.problem_count == 0
    row = next(Manifest.open(tmp_path / "m").photos())
    assert (row.width, row.height, len(row.sha256)) == (24, 16, 64)


@pytest.mark.parametrize("name", WRITABLE)
def test_a_stopped_run_goes_on_without_rendering_again(tmp_path, name):
    layout, rendered = LAYOUTS[name], []

    def lazily(sample: Sample) -> Sample:
        def of(one):
            return type(one)(one.row, lambda: rendered.append(one.row.id) or one.picture)

        return Sample(tuple(map(of, sample.photos)), tuple(map(of, sample.patches)), sample.pairs)

    whole = tmp_path / "whole"
    write(layout, whole, samples(name))
    stopped = tmp_path / "stopped"

    def breaking():
        for number, sample in enumerate(samples(name)):
            if number == 5:
                raise KeyboardInterrupt
            yield lazily(sample)

    with pytest.raises(KeyboardInterrupt):
        write(layout, stopped, breaking(), provenance={"seed": 7})
    first = set(rendered)
    victim = next(path for path in sorted(stopped.rglob("*.jp*g")))
    victim.write_bytes(victim.read_bytes()[:40])
    rendered.clear()
    write(layout, stopped, map(lazily, samples(name)), provenance={"seed": 7}, workers=3)
    assert len(first & set(rendered)) == 1, "the broken one alone was rendered again"
    files = {path.relative_to(whole) for path in whole.rglob("*") if path.is_file()}
    assert files == {path.relative_to(stopped) for path in stopped.rglob("*") if path.is_file()}
    for file in files - {f for f in files if f.name in ("sightline.json", "ACT_data.mat")}:
        assert (whole / file).read_bytes() == (stopped / file).read_bytes()


def test_a_folder_begun_otherwise_is_refused(tmp_path):
    begin(tmp_path, "plain", {"seed": 1, "size": (2, 3)})
    begin(tmp_path, "plain", {"seed": 1, "size": (2, 3)})
    with pytest.raises(OutputError, match=r"begun with seed = 1, and now it shall be 2"):
        begin(tmp_path, "plain", {"seed": 2, "size": (2, 3)})
    with pytest.raises(OutputError, match="begun with layout = 'plain'"):
        begin(tmp_path, "vigor", {"seed": 1, "size": (2, 3)})
    (tmp_path / "sightline.json").write_text("{")
    with pytest.raises(OutputError, match="cannot be read"):
        begin(tmp_path, "plain", {})
    (tmp_path / "sightline.json").write_text(json.dumps({"layout": "plain", "b": 1}))
    with pytest.raises(OutputError, match="b = 1, and now it shall be None"):
        begin(tmp_path, "plain", {})


def test_pictures(tmp_path):
    data = encoded(pixels(1), ".jpg")
    assert encoded(data, ".jpeg") == data
    shown = np.array(Image.open(io.BytesIO(encoded(pixels(1), ".png"))))
    np.testing.assert_array_equal(shown, pixels(1))
    with pytest.raises(UsageError, match="must be PNG"):
        encoded(data, ".png")
    with pytest.raises(UsageError, match=r"suffix must be .jpg, .jpeg or .png. Got '.gif'"):
        encoded(data, ".gif")
    with pytest.raises(UsageError, match=r"Got float64 of shape \(2, 2, 3\)"):
        encoded(np.zeros((2, 2, 3)), ".jpg")
    for suffix in (".jpg", ".png"):
        path = tmp_path / f"a{suffix}"
        assert not is_whole(path)
        path.write_bytes(encoded(pixels(1), suffix))
        assert is_whole(path)
        path.write_bytes(path.read_bytes()[:-1])
        assert not is_whole(path)
        path.write_bytes(b"x")
        assert not is_whole(path)


def test_a_distractor_of_university_is_in_the_gallery_alone(tmp_path, read_all):
    made = university_sample(3)
    photos = [
        replace(one, row=replace(one.row, labels={**one.row.labels, "role": "gallery"}))
        for one in made.photos
    ]
    distractor = Sample(tuple(photos), made.patches)
    write(LAYOUTS["university1652"], tmp_path, [university_sample(3), distractor])
    folders = {path.name for path in (tmp_path / "test").iterdir() if (path / "0002").exists()}
    assert folders == {"gallery_satellite", "gallery_drone", "gallery_street"}
    roles = {(row.labels["place"], row.labels["role"]) for row in read_all(read(tmp_path)).photos}
    assert roles == {("0001", "query"), ("0001", "gallery"), ("0002", "gallery")}


def test_processes_can_share_the_work(tmp_path):
    layout, all_samples = LAYOUTS["cvusa_zhai"], samples("cvusa_zhai")
    writer = writer_of(layout)
    begin(tmp_path, layout.name, {})
    for number, sample in reversed(list(enumerate(all_samples))):
        assert write_files(tmp_path, writer.plan(number, sample)) == (2, 0)
    writer.finish(tmp_path, enumerate(map(without_pictures, all_samples)))
    assert write(layout, tmp_path, all_samples).kept == 16


@pytest.mark.parametrize(
    ("name", "sample", "words"),
    [
        ("cvusa_zhai", photo_sample(0), "one photo and one patch. Got 1 and 0"),
        ("cvusa_zhai", pair_sample(0, split="other"), "train or val. Got 'other'"),
        ("cvact", pair_sample(0, split=None), "train, val or test. Got None"),
        ("cvact", pair_sample(0, lat=None, lon=None), "must have a place"),
        ("vigor", pair_sample(0), "one positive and three semi-positive"),
        ("vigor", vigor_sample(0, city="New York"), "in letters"),
        ("vigor", vigor_sample(0, split="x"), "train or test, and not 'x'"),
        ("vigor", vigor_sample(0), None),
        ("vigor", unscaled(vigor_sample(0)), "have places, and metres per pixel of its patches"),
        ("university1652", pair_sample(0), "drone, street, google"),
        ("university1652", photo_sample(0), "with one patch"),
        ("im2gps", Sample((PhotoSample(photo(0, lat=None, lon=None), b""),)), "with a place"),
        ("im2gps", Sample(()), "one photo"),
    ],
)
def test_samples_that_a_layout_cannot_say(tmp_path, name, sample, words):
    if words is None:
        assert write(LAYOUTS[name], tmp_path, [sample]).written == 5
        return
    with pytest.raises(UsageError, match=words):
        write(LAYOUTS[name], tmp_path, [sample])
    assert not list(tmp_path.rglob("*.csv"))


def test_what_is_no_layout(tmp_path):
    with pytest.raises(UsageError, match="is read, and not written"):
        write(LAYOUTS["osv5m"], tmp_path, [])
    with pytest.raises(UsageError, match="no layout 'voc'"):
        layout_named("voc")
    with pytest.raises(UsageError, match="workers must be at least 1"):
        write(LAYOUTS["plain"], tmp_path, [], workers=0)
    with pytest.raises(PhotoNotFoundError, match="looks like no dataset"):
        read(make_empty(tmp_path))
    with pytest.raises(PhotoNotFoundError, match="no folder or table"):
        recognise(tmp_path / "none")
    with pytest.raises(UsageError, match="has no variants"):
        read(tmp_path, "plain", "small")


def make_empty(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    return empty


def test_disk_that_refuses(tmp_path):
    begin(tmp_path, "im2gps", {})
    (tmp_path / "images").write_text("a file where a folder is needed")
    with pytest.raises(OutputError, match="Cannot write"):
        write(LAYOUTS["im2gps"], tmp_path, samples("im2gps"))


def test_ids_that_stand_twice_in_plain_samples(tmp_path):
    with pytest.raises(UsageError, match="stands in two samples"):
        write(LAYOUTS["plain"], tmp_path, [photo_sample(1), photo_sample(1)])


def test_a_folder_of_somebody_else_is_not_written_over(tmp_path):
    listed = tmp_path / "splits" / "train-19zl.csv"
    listed.parent.mkdir()
    listed.write_text("bingmap/19/1.jpg,streetview/panos/1.jpg\n")
    with pytest.raises(OutputError, match=r"holds 'splits' and no sightline.json"):
        write(LAYOUTS["cvusa_zhai"], tmp_path, samples("cvusa_zhai"))
    assert [path.name for path in tmp_path.iterdir()] == ["splits"]
