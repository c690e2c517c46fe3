"""`sightline planet` in-process: its options, its messages and its files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sightline.cli.app import app
from sightline.errors import RegionError, UsageError
from sightline.imagery import open_photo
from sightline.planet.difficulty import DIFFICULTIES

RUNNER = CliRunner()


def run(*words: str) -> str:
    result = RUNNER.invoke(app, ["planet", *words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_sample_and_again(tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    small = ("--size", "64x16", "--tile-size", "32", "--metres-per-pixel", "2", "--workers", "1")
    report = json.loads(run("sample", out, "--pairs", "4", *small, "--json").splitlines()[-1])
    assert report == {"folder": out, "samples": 4, "written": 8, "kept": 0}
    said = run("sample", out, "--pairs", "4", *small)
    assert "4 pairs in" in said
    assert "0 files written, 8 were there" in said


def test_photos(tmp_path: Path) -> None:
    said = run(
        "sample", str(tmp_path / "p"), "--photos", "3", "--size", "32x32", "--layout", "im2gps"
    )
    assert "3 photos in" in said
    assert len(list((tmp_path / "p" / "images").iterdir())) == 3


@pytest.mark.parametrize("words", [(), ("--pairs", "1", "--photos", "1")])
def test_either_pairs_or_photos(words: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Either --pairs or --photos"):
        run("sample", str(tmp_path / "p"), *words)


@pytest.mark.parametrize("size", ["224", "8x8", "axb", "1x2x3"])
def test_sizes(size: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--size must be WIDTHxHEIGHT"):
        run("sample", str(tmp_path / "p"), "--pairs", "1", "--size", size)


def test_difficulties() -> None:
    said = run("difficulties")
    assert all(name in said for name in DIFFICULTIES)
    assert set(json.loads(run("difficulties", "--json"))) == set(DIFFICULTIES)


def test_show(tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    said = run("show", "--out", str(out), "--heading", "90", "--", "-5.5724", "-177.7977")
    assert "-5.572400, -177.797700, looking 90°" in said
    assert open_photo(out).pixels.shape[1::-1] == (774, 583)
    with pytest.raises(
        UsageError, match=r"A place has a latitude and a longitude\. Got 1\.0 alone"
    ):
        run("show", "1.0", "--out", str(out))


def test_walk(tmp_path: Path) -> None:
    out = str(tmp_path / "walk")
    words = ("walk", out, "--within", "46.7434,67.9438,46.7464,67.9483", "--photos", "2")
    said = run(*words, "--panorama")
    assert "2 photos in" in said
    assert "2 files written, 0 were there; photos.csv lists them" in said
    report = json.loads(run(*words, "--panorama", "--json").splitlines()[-1])
    assert report == {"folder": out, "photos": 2, "written": 0, "kept": 2}
    assert open_photo(tmp_path / "walk" / "0000.jpg").pixels.shape == (128, 512, 3)
    with pytest.raises(RegionError, match="Got 2 in"):
        run("walk", out, "--within", "1,2")
