"""``sightline locate``: the contract of its output and exit statuses, and bad input."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from sightline.errors import UsageError
from sightline.geo.distance import great_circle_m
from sightline.report import json_schema

from .conftest import PLACES, scene, write_photo


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    return write_photo(tmp_path / "asked.png", 3, 9)


def test_one_photo_is_located_at_its_place(sightline, atlas, asked):
    ran = sightline("locate", asked, "--atlas", atlas, "--json")
    assert ran.status == 0
    (photo,) = ran.json()["photos"]
    estimate = photo["estimate"]
    assert great_circle_m((estimate["lat"], estimate["lon"]), PLACES[3]) < 1.0
    assert estimate["method"] == "nearest"
    assert photo["error"] is None
    assert photo["exif"]["to_estimate_m"] < 1.0
    assert [c["distance"] for c in photo["candidates"]] == sorted(
        c["distance"] for c in photo["candidates"]
    )


def test_json_keeps_the_contract(sightline, atlas, asked, tmp_path):
    ran = sightline("locate", asked, tmp_path / "no.jpg", "--atlas", atlas, "--json")
    document = ran.json()
    assert ran.status == 1
    assert document["schema"] == "sightline.locate/1"
    good, bad = document["photos"]
    assert set(good) >= {"path", "sha256", "exif", "estimate", "candidates", "error"}
    assert set(good["estimate"]) >= {
        "lat", "lon", "radius_50_m", "radius_90_m", "method", "abstained",
    }  # fmt: skip
    assert set(good["candidates"][0]) >= {"lat", "lon", "distance", "uri", "weight"}
    assert bad["estimate"] is None
    assert bad["error"]["code"] == "photo.not_found"
    assert set(json_schema()["required"]) <= set(document)


@pytest.mark.parametrize("method", ["nearest", "density", "clusters"])
def test_every_method_answers(sightline, atlas, asked, method):
    ran = sightline("locate", asked, "--atlas", atlas, "--method", method, "--json")
    estimate = ran.json()["photos"][0]["estimate"]
    assert ran.status == 0
    assert estimate["method"] == method
    assert great_circle_m((estimate["lat"], estimate["lon"]), PLACES[3]) < 3000


def test_plain_output_is_readable(sightline, atlas, asked):
    ran = sightline("locate", asked, "--atlas", atlas)
    assert ran.status == 0
    assert "its own place" in ran.out
    assert "not used" in ran.out
    assert "Sweden" in ran.out
    assert "half of the evidence within" in ran.out
    assert str(atlas) not in ran.out


def test_a_photo_without_a_place_and_an_abstention(sightline, atlas, tmp_path):
    Image.new("RGB", (64, 64), (9, 200, 30)).save(tmp_path / "green.png")
    ran = sightline("locate", tmp_path / "green.png", "--atlas", atlas, "--json")
    estimate = ran.json()["photos"][0]["estimate"]
    plain = sightline("locate", tmp_path / "green.png", "--atlas", atlas)
    assert ran.json()["photos"][0]["exif"] is None
    assert ("none that would hold" in plain.out) == estimate["abstained"]
    assert estimate["lat"] is not None


def test_folders_patterns_and_hostile_names(sightline, atlas, tmp_path):
    names = ["with space.png", "quo'te\".png", "new\nline.png", "Ünïcödé-北京.png", "[x]*.png"]
    for number, name in enumerate(names):
        write_photo(tmp_path / "in" / name, number, 5)
    whole = sightline("locate", tmp_path / "in", "--atlas", atlas, "--json")
    pattern = sightline("locate", tmp_path / "in" / "*", "--atlas", atlas, "--json")
    plain = sightline("locate", tmp_path / "in" / names[2], "--atlas", atlas)
    assert whole.status == pattern.status == plain.status == 0
    assert {Path(p["path"]).name for p in whole.json()["photos"]} == set(names)
    assert len(pattern.json()["photos"]) == len(names)
    assert "new\nline" not in plain.out


def test_many_photos_are_answered_as_few_are(sightline, atlas, asked, monkeypatch):
    """For many photos what computes fastest is found out first; answers are the same."""
    few = sightline("locate", asked, "--atlas", atlas, "--json").json()["photos"][0]["estimate"]
    monkeypatch.setattr("sightline.cli.locate.FEW_PHOTOS", 0)
    many = sightline("locate", asked, "--atlas", atlas, "--json").json()["photos"][0]["estimate"]
    assert (many["lat"], many["lon"]) == pytest.approx((few["lat"], few["lon"]), abs=1e-6)
    assert many["radius_90_m"] == pytest.approx(few["radius_90_m"], rel=1e-3)


def test_a_photo_on_standard_input(sightline, atlas, asked):
    ran = sightline("locate", "-", "--atlas", atlas, "--json", stdin=asked.read_bytes())
    assert ran.status == 0
    assert ran.json()["photos"][0]["path"] == "-"
    empty = sightline("locate", "-", asked, "--atlas", atlas, "--json", stdin=b"")
    assert empty.status == 1
    nothing, good = empty.json()["photos"]
    assert nothing["error"]["code"] == "photo.unreadable"
    assert good["estimate"] is not None


def test_within_a_region(sightline, atlas, asked, tmp_path):
    south = sightline("locate", asked, "--atlas", atlas, "--json", "--within", "55.6,13,55.703,14")
    estimate = south.json()["photos"][0]["estimate"]
    assert estimate["lat"] < 55.703
    country = sightline("locate", asked, "--atlas", atlas, "--json", "--within", "SE")
    assert country.status == 0
    elsewhere = sightline("locate", asked, "--atlas", atlas, "--json", "--within", "BR")
    assert elsewhere.status == 1
    assert elsewhere.json()["photos"][0]["error"]["code"] == "atlas.empty"
    nonsense = sightline("locate", asked, "--atlas", atlas, "--within", "Atlantis")
    assert nonsense.status == 2
    assert "Atlantis" in nonsense.err


def test_outputs_are_written(sightline, atlas, asked, tmp_path):
    html, geojson, kml = (tmp_path / n for n in ("o.html", "o.geojson", "o.kml"))
    ran = sightline(
        "locate", asked, "--atlas", atlas, "--report", html, "--geojson", geojson, "--kml", kml
    )
    assert ran.status == 0
    assert html.read_text("utf-8").startswith("<!doctype html>")
    assert json.loads(geojson.read_text("utf-8"))["type"] == "FeatureCollection"
    assert "<kml" in kml.read_text("utf-8")


@pytest.mark.parametrize("option", ["--report", "--geojson", "--kml"])
def test_an_unwritable_output_is_refused_before_the_work(sightline, atlas, asked, tmp_path, option):
    missing = sightline("locate", asked, "--atlas", atlas, option, tmp_path / "no" / "o")
    folder = sightline("locate", asked, "--atlas", atlas, option, tmp_path)
    assert missing.status == folder.status == 2
    assert "does not exist" in missing.err
    assert "is a folder" in folder.err


def test_nothing_is_overwritten_that_was_asked_about(sightline, atlas, asked, tmp_path):
    before = asked.read_bytes()
    over_photo = sightline("locate", asked, "--atlas", atlas, "--report", asked)
    twice = tmp_path / "twice"
    over_output = sightline("locate", asked, "--atlas", atlas, "--report", twice, "--kml", twice)
    assert over_photo.status == over_output.status == 2
    assert asked.read_bytes() == before
    assert "overwrite" in over_photo.err
    assert not twice.exists()


def test_one_output_that_fails_stops_no_other(sightline, atlas, asked, tmp_path):
    # A file name that is too long can only be found out by writing it.
    long = tmp_path / ("x" * 250)
    ran = sightline("locate", asked, "--atlas", atlas, "--report", long, "--kml", tmp_path / "k")
    assert ran.status == 1
    assert "Cannot write" in ran.err
    assert (tmp_path / "k").exists()
    assert "Sweden" in ran.out


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody may write to; root may write everywhere but on a read-only disk."""
    folder = tmp_path / "closed"
    folder.mkdir()
    if os.geteuid():
        folder.chmod(0o500)
        yield folder
        folder.chmod(0o700)
        return
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("root may write everywhere, and no read-only disk can be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_closed_folder_is_refused(sightline, atlas, asked, closed):
    ran = sightline("locate", asked, "--atlas", atlas, "--kml", closed / "o.kml")
    assert ran.status == 2
    assert "permission" in ran.err


def test_an_unrelated_photo_ends_in_an_abstention(sightline, atlas, tmp_path):
    # Another scene than any of the references; nineteen of twenty should be told apart.
    paths = [write_photo(tmp_path / f"{n}.png", n, place=False) for n in range(50, 60)]
    photos = sightline("locate", *paths, "--atlas", atlas, "--json").json()["photos"]
    abstained = [photo["estimate"]["abstained"] for photo in photos]
    assert any(abstained)
    assert all(photo["estimate"]["reason"] for photo in photos if photo["estimate"]["abstained"])
    plain = sightline("locate", paths[abstained.index(True)], "--atlas", atlas)
    assert plain.status == 0
    assert "none that would hold" in plain.out
    assert "best guess" in plain.out


def test_a_refused_place_of_the_file_is_told(sightline, atlas, tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2], gps[3], gps[4] = "N", (0.0, 0.0, 0.0), "E", (0.0, 0.0, 0.0)
    Image.fromarray(scene(1)).save(tmp_path / "zero.png", exif=exif)
    ran = sightline("locate", tmp_path / "zero.png", "--atlas", atlas)
    assert "its own place   refused" in ran.out


def test_ctrl_c(sightline, atlas, asked, monkeypatch):
    from sightline.models.encoder import TorchEncoder

    def interrupted(self, batch, view="ground"):
        raise KeyboardInterrupt

    monkeypatch.setattr(TorchEncoder, "encode_prepared", interrupted)
    ran = sightline("locate", asked, "--atlas", atlas)
    assert ran.status == 130


def test_bad_photos_do_not_stop_the_good_one(sightline, atlas, asked, tmp_path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "cut.png").write_bytes(asked.read_bytes()[:2000])
    Image.new("RGB", (1, 1)).save(tmp_path / "one.png")
    Image.new("RGB", (30_000, 10)).save(tmp_path / "strip.png")
    bad = [tmp_path / n for n in ("empty.jpg", "text.jpg", "cut.png", "one.png", "strip.png")]
    ran = sightline("locate", *bad, asked, "--atlas", atlas, "--json")
    photos = ran.json()["photos"]
    assert ran.status == 1
    assert len(photos) == 6
    assert photos[-1]["estimate"] is not None
    for path, photo in zip(bad, photos, strict=False):
        assert photo["estimate"] is None
        assert photo["error"]["path"] == str(path)
        assert photo["error"]["hint"]
    plain = sightline("locate", *bad, "--atlas", atlas)
    assert plain.status == 1
    assert plain.out.count("error") >= 5


def test_an_empty_folder_of_photos(sightline, atlas, tmp_path):
    (tmp_path / "none").mkdir()
    ran = sightline("locate", tmp_path / "none", "--atlas", atlas)
    assert ran.status == 1
    assert "no photos" in ran.out.lower() or "no images" in ran.out.lower()


def test_k_larger_than_the_atlas(sightline, atlas, asked):
    ran = sightline("locate", asked, "--atlas", atlas, "--k", 500, "--json")
    assert ran.status == 0
    assert len(ran.json()["photos"][0]["candidates"]) == 12


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--method", "magic"], "magic"),
        (["--k", "0"], "equal to 1"),
        (["--nonsense"], "nonsense"),
    ],
)
def test_wrong_options_are_wrong_usage(sightline, atlas, asked, arguments, said):
    ran = sightline("locate", asked, "--atlas", atlas, *arguments)
    assert ran.status == 2
    assert said in ran.err


def test_no_atlas_half_an_atlas_and_a_newer_one(sightline, atlas, asked, tmp_path):
    none = sightline("locate", asked, "--atlas", tmp_path / "none")
    assert none.status == 2
    assert "none" in none.err
    half = shutil.copytree(atlas, tmp_path / "half.atlas")
    shutil.rmtree(half / "rows.lance")
    assert sightline("locate", asked, "--atlas", half).status == 2
    newer = shutil.copytree(atlas, tmp_path / "newer.atlas")
    card = json.loads((newer / "atlas.json").read_text())
    name, _, number = card["schema"].rpartition("/")
    card["schema"] = f"{name}/{int(number) + 1}"
    (newer / "atlas.json").write_text(json.dumps(card))
    ran = sightline("locate", asked, "--atlas", newer)
    assert ran.status == 2
    assert "newer" in ran.err


def test_an_atlas_without_its_model_asks_for_one(sightline, atlas, bundle, asked, tmp_path):
    bare = shutil.copytree(atlas, tmp_path / "bare.atlas", ignore=lambda *_: {"model"})
    without = sightline("locate", asked, "--atlas", bare)
    assert without.status == 2
    assert "--model" in without.err
    assert sightline("locate", asked, "--atlas", bare, "--model", bundle).status == 0


def test_another_encoder_is_refused(sightline, atlas, source, asked, tmp_path):
    other = tmp_path / "other.model"
    made = sightline(
        "model", "import", other,
        "--config", source / "config.json", "--weights", source / "model.safetensors",
        "--size", 96,
    )  # fmt: skip
    assert made.status == 0
    ran = sightline("locate", asked, "--atlas", atlas, "--model", other)
    assert ran.status == 2
    assert "encoder" in ran.err


def test_the_program_in_a_process_of_its_own(atlas, asked):
    ran = subprocess.run(
        [sys.executable, "-m", "sightline", "locate", asked, "--atlas", atlas, "--json"],
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0
    assert json.loads(ran.stdout)["photos"][0]["error"] is None


def test_the_three_lines_of_python(atlas, asked):
    import sightline

    opened = sightline.open_atlas(atlas)
    model = sightline.open_model(atlas)
    located = sightline.locate(asked, opened, model)
    assert great_circle_m((located.estimate.lat, located.estimate.lon), PLACES[3]) < 1.0
    assert "<svg" in located._repr_html_()
    assert sightline.locate(asked.read_bytes(), opened, model).path == "photo"
    inside = sightline.locate(asked, opened, model, within="55.6,13,55.703,14")
    assert inside.estimate.lat < 55.703
    with pytest.raises(FileNotFoundError):
        sightline.locate("no.jpg", opened, model)
    with pytest.raises(UsageError):
        sightline.locate(asked, opened, model, k=0)
    with pytest.raises(AttributeError):
        sightline.no_such_name  # noqa: B018
