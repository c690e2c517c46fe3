from __future__ import annotations

import re

import pytest
from tests.datasets.layouts.conftest import pair_sample

from sightline.datasets.layouts import LAYOUTS, write
from sightline.imagery import open_photo


@pytest.fixture
def planet(tmp_path):
    root = tmp_path / "town"
    write(LAYOUTS["plain"], root, [pair_sample(n) for n in range(30)], provenance={"seed": 1})
    return root


def test_from_a_folder_to_splits(sightline, planet, tmp_path):
    """What docs/datasets.md tells a newcomer to type."""
    ran = sightline("dataset", "doctor", planet)
    assert (ran.status, "sound" in ran.out, "30" in ran.out) == (0, True, True)
    ran = sightline("dataset", "manifest", planet, tmp_path / "m", "--files", "decode")
    assert "30 photos, 30 patches, 30 pairs" in ran.out
    ran = sightline("dataset", "stats", tmp_path / "m", "--level", 16)
    assert "Gini" in ran.out
    assert len(ran.out.splitlines()) > 30, "a map"
    ran = sightline(
        "dataset", "split", tmp_path / "m", tmp_path / "n", "--by", "place", "--radius-m", 50,
        "--shares", "train=0.7,test=0.3",
    )  # fmt: skip
    assert "nothing crosses (checked: content, place)" in ran.out
    assert sightline("dataset", "stats", tmp_path / "n", "--json").json()["splits"].keys() == {
        "train",
        "test",
    }


def test_json_of_every_verb(sightline, planet, tmp_path):
    assert sightline("dataset", "doctor", planet, "--json").json()["layout"] == "plain"
    told = sightline("dataset", "manifest", planet, tmp_path / "m", "--json").json()
    assert (told["counts"]["photos"], told["left_out"]) == (30, [])
    told = sightline("dataset", "stats", planet, "--json").json()
    assert (told["with_place"], len(told["map"])) == (30, 24)
    told = sightline(
        "dataset", "split", planet, tmp_path / "n", "--by", "cell", "--level", 17, "--json"
    ).json()
    assert set(told["pairs"]) == {"train", "val", "test"}
    assert "vigor" in sightline("dataset", "layouts", "--json").json()
    assert "VIGOR (Zhu et al. 2021) (same-area, cross-area)" in sightline("dataset", "layouts").out


def test_bad_rows_fail_or_are_left_out(sightline, planet, tmp_path):
    table = planet / "photos.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines, "x,x.jpg,99,0" + "," * (lines[0].count(",") - 3)]))
    ran = sightline("dataset", "manifest", planet, tmp_path / "m")
    assert ran.status == 2
    assert f"line 32 of '{table}'" in ran.err.lower()
    assert not list((tmp_path / "m").iterdir())
    ran = sightline("dataset", "manifest", planet, tmp_path / "m", "--skip-bad")
    assert (ran.status, "1 rows and files left out" in ran.err) == (0, True)
    ran = sightline("dataset", "doctor", planet)
    assert (ran.status, "NOT sound" in ran.out) == (1, True)
    ran = sightline("dataset", "stats", planet)
    assert (ran.status, f"line 32 of '{table}'" in ran.err.lower()) == (2, True)
    assert "1 rows left out" in sightline("dataset", "stats", planet, "--skip-bad").err
    ran = sightline("dataset", "split", planet, tmp_path / "n", "--by", "place", "--radius-m", 50)
    assert (ran.status, (tmp_path / "n").exists()) == (2, False)


def test_photographers_too_are_kept_apart(sightline, planet, tmp_path):
    split = (
        "dataset",
        "split",
        planet,
        tmp_path / "n",
        "--by",
        "photographer",
        "--unknown",
        "each",
    )
    ran = sightline(*split, "--shares", "train=0.9,test=0.1", "--buffer-m", 80, "--json")
    told = ran.json()["check"]
    assert (told["checked"], told["clean"]) == (["place"], True)
    assert told["unassigned"] > 0


def test_usage(sightline, planet, tmp_path):
    sightline("dataset", "manifest", planet, tmp_path / "m")
    ran = sightline("dataset", "stats", tmp_path / "m", "--variant", "x")
    assert (ran.status, "is a manifest" in ran.err) == (2, True)
    ran = sightline("dataset", "split", planet, tmp_path / "n", "--by", "cell", "--shares", "a")
    assert (ran.status, "shares must be" in ran.err) == (2, True)
    ran = sightline("dataset", "split", planet, tmp_path / "n", "--by", "photographer")
    assert (ran.status, "name no photographer" in ran.err) == (2, True)
    ran = sightline(
        "dataset", "split", planet, tmp_path / "n", "--by", "photographer", "--unknown", "each"
    )
    assert (ran.status, "nothing could be checked" in ran.err) == (0, True)


def test_a_buffer_leaves_some_out(sightline, planet, tmp_path):
    ran = sightline(
        "dataset", "split", planet, tmp_path / "n", "--by", "cell", "--level", 16,
        "--buffer-m", 90, "--shares", "train=0.5,test=0.5", "--json",
    )  # fmt: skip
    told = ran.json()["check"]
    assert (ran.status, told["clean"], told["checked"]) == (0, True, ["place"])
    assert told["unassigned"] > 0


def test_a_sheet_shows_what_can_be_opened(sightline, planet, tmp_path):
    broken = min((planet / "photos").iterdir())
    broken.write_bytes(b"no picture")
    ran = sightline("dataset", "sheet", planet, tmp_path / "sheet.png", "--count", 30)
    assert (ran.status, "30 shown in" in ran.out) == (0, True)
    assert str(broken) in "".join(ran.err.splitlines())
    assert open_photo(tmp_path / "sheet.png").pixels.shape[2] == 3
    ran = sightline("dataset", "sheet", planet, tmp_path / "sheet.gif")
    assert (ran.status, "must end in .jpg or .png" in ran.err) == (2, True)
    ran = sightline("dataset", "sheet", planet, tmp_path / "none" / "sheet.png")
    assert (ran.status, "none" in ran.err) == (2, True)


def test_what_was_left_out_and_what_crosses_is_told(sightline, planet, tmp_path):
    split = ("dataset", "split", planet, tmp_path / "n", "--by", "cell", "--level", 16)
    ran = sightline(*split, "--buffer-m", 90, "--shares", "train=0.5,test=0.5")
    assert (ran.status, "nothing crosses (checked: place)" in ran.out) == (0, True)
    assert re.search(r"left out +\d+ photos \(in no split\)", ran.out)
    photos = sorted((planet / "photos").iterdir())
    for photo in photos[1:]:  # one picture at all places, so that every split holds it
        photo.write_bytes(photos[0].read_bytes())
    sightline("dataset", "manifest", planet, tmp_path / "m", "--files", "read")
    ran = sightline(
        "dataset", "split", tmp_path / "m", tmp_path / "o", "--by", "cell", "--level", 16
    )
    assert (ran.status, "SOMETHING CROSSES (checked: content" in ran.out) == (0, True)
    assert "rows" in ran.err


def test_nothing_known(sightline, tmp_path):
    ran = sightline("dataset", "doctor", tmp_path)
    assert (ran.status, "looks like no known dataset" in ran.out) == (1, True)
    ran = sightline("dataset", "stats", tmp_path)
    assert (ran.status, "looks like no dataset" in ran.err) == (2, True)


def test_a_dataset_without_places(sightline, tmp_path):
    (tmp_path / "train.csv").write_text("a.jpg,b.jpg\n")
    assert "with a place     0" in sightline("dataset", "stats", tmp_path).out
    assert "witw" in sightline("dataset", "manifest", tmp_path, tmp_path / "m").out
