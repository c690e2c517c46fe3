"""``sightline model`` and ``sightline doctor``."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from sightline.cli.console import note, progress_bar
from sightline.cli.doctor import _version
from sightline.version import __version__

from .conftest import PLACES


def imported(sightline, source, out, *more):
    return sightline(
        "model", "import", out,
        "--config", source / "config.json", "--weights", source / "model.safetensors", *more,
    )  # fmt: skip


def test_import_with_a_sample(sightline, source, photos, tmp_path):
    out = tmp_path / "m.model"
    ran = imported(
        sightline, source, out, "--whiten", photos, "--pooling", "max", "--views", "four",
        "--size", 64, "--regions", 2, "--resize", "squeeze", "--sample-limit", 5,
    )  # fmt: skip
    assert ran.status == 0
    assert "5 photos" in ran.out
    document = json.loads((out / "model.json").read_text())
    assert document["encoder"]["pooling"] == "max"
    assert document["encoder"]["views"] == "four"
    twice = imported(sightline, source, out)
    assert twice.status == 2
    assert imported(sightline, source, out, "--replace").status == 0


def test_import_tells_of_unreadable_sample_photos(sightline, source, photos, tmp_path):
    (tmp_path / "bad.jpg").write_text("no picture")
    ran = imported(
        sightline, source, tmp_path / "m", "--size", 64,
        "--whiten", photos, "--whiten", tmp_path / "bad.jpg",
    )  # fmt: skip
    assert ran.status == 0
    assert "bad.jpg" in ran.err
    missing = imported(sightline, source, tmp_path / "n", "--whiten", tmp_path / "missing.jpg")
    assert missing.status == 2


def test_import_refuses_weights_that_do_not_fit(sightline, source, tmp_path):
    config = json.loads((source / "config.json").read_text())
    config["architecture"] = "test_resnet"
    (tmp_path / "config.json").write_text(json.dumps(config))
    ran = sightline(
        "model", "import", tmp_path / "m",
        "--config", tmp_path / "config.json", "--weights", source / "model.safetensors",
    )  # fmt: skip
    assert ran.status == 2
    assert not (tmp_path / "m").exists()


def test_info(sightline, bundle, tmp_path):
    plain = sightline("model", "info", bundle)
    facts = sightline("model", "info", bundle, "--json").json()
    assert plain.status == 0
    assert facts["fingerprint"] in plain.out
    assert facts["whitening_sample"] is None
    assert sightline("model", "info", tmp_path).status == 2


def test_fetch_asks_first(sightline, tmp_path):
    ran = sightline("model", "fetch", "resnet18.a1_in1k", tmp_path / "m", stdin=b"n\n")
    assert ran.status == 2
    assert "[y/N]" in ran.err
    assert not (tmp_path / "m").exists()


def test_what_was_fetched_becomes_a_bundle(sightline, source, tmp_path, monkeypatch):
    """The hub, which tests never reach, is a folder; the rest is what a download goes through."""

    def copied(repository: str, folder: Path, endpoint: str | None) -> None:
        assert repository == "timm/test_efficientnet.r160_in1k"
        shutil.copytree(source, folder, dirs_exist_ok=True)

    monkeypatch.setattr("sightline.models.fetching._download", copied)
    fetch = ("model", "fetch", "test_efficientnet.r160_in1k", tmp_path / "m")
    ran = sightline(*fetch, "--yes")
    assert ran.status == 0, ran.err
    told = sightline("model", "info", tmp_path / "m", "--json").json()
    assert told["fingerprint"] in ran.out
    again = sightline(*fetch, "--yes")
    assert (again.status, str(tmp_path / "m") in again.err) == (2, True)


def test_tune_on_photos_and_on_a_table(sightline, source, photos, tmp_path):
    options = ("--config", source / "config.json", "--weights", source / "model.safetensors")
    unlabelled = sightline("model", "tune", photos, *options, "--limit", 8)
    assert unlabelled.status == 0
    assert "recall@1" in unlabelled.out
    table = tmp_path / "t.csv"
    rows = [
        f"{photos}/place {n}/{v}.png,{lat},{lon}"
        for n, (lat, lon) in enumerate(PLACES)
        for v in (0, 1)
    ]
    table.write_text("path,lat,lon\n" + "\n".join(rows))
    labelled = sightline("model", "tune", table, *options)
    assert labelled.status == 0
    assert "Use it" in labelled.out
    table.write_text("path,lat,lon\n" + f"{photos}/nowhere.png,,\n")
    assert sightline("model", "tune", table, *options).status == 2
    assert sightline("model", "tune", tmp_path / "no.jpg", *options).status == 2


def test_doctor(sightline):
    plain = sightline("doctor")
    facts = sightline("doctor", "--json").json()
    assert plain.status == 0
    assert "pip install" in plain.out or all(e["version"] for e in facts["extras"])
    assert facts["sightline"] == __version__
    assert facts["packages"]["numpy"]
    assert facts["images"]["jpeg"] is True


def test_version_help_and_completion(sightline):
    assert __version__ in sightline("--version").out
    for verb in ("locate", "atlas", "model", "doctor"):
        assert verb in sightline("--help").out
    for verb in (
        ("locate",), ("atlas", "build"), ("atlas", "add"), ("atlas", "remove"),
        ("atlas", "compact"), ("atlas", "index"), ("atlas", "verify"), ("atlas", "info"),
        ("atlas", "export"), ("model", "import"), ("model", "fetch"), ("model", "info"),
        ("model", "tune"), ("doctor",),
    ):  # fmt: skip
        helped = sightline(*verb, "--help")
        assert helped.status == 0
        assert "Example" in helped.out
    assert "--install-completion" in sightline("--help").out
    assert sightline("no-such-verb").status == 2


def test_progress_is_silent_where_nobody_watches(capsys):
    with progress_bar("working") as report:
        report(1, 2, 3.0)
    note("to people")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "working" not in printed.err


def test_a_reader_that_left_is_no_error():
    program = subprocess.Popen(
        [sys.executable, "-m", "sightline", "doctor"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    program.stdout.close()
    _, complaint = program.communicate()
    assert program.returncode == 0
    assert complaint == b""


def test_tune_tells_of_a_photo_that_cannot_be_read(sightline, source, photos, tmp_path):
    folder = shutil.copytree(photos, tmp_path / "photos")
    (folder / "bad.jpg").write_text("no picture")
    ran = sightline(
        "model", "tune", folder, "--config", source / "config.json",
        "--weights", source / "model.safetensors",
    )  # fmt: skip
    assert ran.status == 0
    assert "bad.jpg" in ran.err


def test_doctor_knows_what_is_not_installed():
    assert _version("sightline-no-such-distribution") is None
