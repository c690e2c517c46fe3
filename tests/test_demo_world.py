"""The demo's part on photos from all over the planet: for real, in small; and what it says."""

from __future__ import annotations

import csv
import importlib
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from sightline.geo.partition import S2Settings, adaptive_s2
from sightline.models.bundle import GlobalBundle, GlobalSettings, ModelCard, save_bundle

TOOLS = Path(__file__).resolve().parent.parent / "tools"


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module("demo_world")


def untrained(folder: Path) -> Path:
    """A classifier over cells of the whole planet that has learnt nothing."""
    places = np.random.default_rng(0).uniform((-60, -180), (60, 180), (200, 2))
    partition = adaptive_s2(places, S2Settings(cells=8))
    settings = GlobalSettings(
        "test_resnet",
        "single",
        (32, 32),
        "average",
        model_args={"channels": [8, 8, 8, 16], "stem_width": 8},
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        classifier = settings.build((partition,)).eval()
    save_bundle(folder, GlobalBundle(ModelCard("untrained"), settings, classifier, (partition,)))
    return folder


def test_photos_of_the_planet_are_asked_about_among_those_of_others(
    demo: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(demo, "MODEL", untrained(tmp_path / "untrained.model"))
    monkeypatch.setattr(demo, "PHOTOS", 24)
    monkeypatch.setattr(demo, "SIDE_PX", 32)
    monkeypatch.setattr(demo, "ASKED_EVERY", 2)
    demo.world(tmp_path)
    said = capsys.readouterr().out
    assert said.count("$ sightline ") == 3
    for row in ("within-cell", "classify", "nearest", "density", "busiest place"):
        assert f"\n{row} " in said
    assert "synthetic" in said
    report = tmp_path / "world-report.html"
    assert report.as_uri() in said
    assert report.is_file()
    asked, known = demo.held_out(tmp_path / "world-photos" / "photos.csv")
    assert not {row["photographer"] for row in asked} & {row["photographer"] for row in known}
    assert all(row["locatable"] == "true" for row in (*asked, *known))
    document = json.loads((tmp_path / "world-answers.json").read_text(encoding="utf-8"))
    assert sorted(Path(photo["path"]).name for photo in document["photos"]) == sorted(
        Path(row["uri"]).name for row in asked
    )
    with (tmp_path / "world-references.csv").open(encoding="utf-8", newline="") as source:
        assert len(list(csv.DictReader(source))) == len(known)


def test_what_is_said_is_counted(demo: ModuleType) -> None:
    def answer(method: str, lon: float, radius_km: float | None, abstained: bool = False) -> dict:
        radius_m = None if radius_km is None else 1000.0 * radius_km
        return {
            "method": method,
            "lat": 0.0,
            "lon": lon,
            "radius_90_m": radius_m,
            "abstained": abstained,
        }

    def row(name: str, lon: float, person: str) -> dict[str, str]:
        return {"uri": f"photos/{name}", "lat": "0", "lon": str(lon), "photographer": person}

    asked = [row("a.jpg", 10, "one"), row("b.jpg", 20, "one"), row("c.jpg", 30, "two")]
    known = [row("d.jpg", 10.001, "three"), row("e.jpg", 10.0, "four"), row("f.jpg", 60, "four")]
    # 1, 5 and 50 degrees away; and all of them right, with no radius.
    first = [answer("within-cell", 11, 200), answer("within-cell", 25, 200, abstained=True)]
    first.append(answer("within-cell", 80, 9000))
    photos = [
        {
            "path": f"/somewhere/{name}",
            "estimate": {**one, "alternatives": [answer("classify", lon, None)]},
        }
        for name, one, lon in zip(("a.jpg", "b.jpg", "c.jpg"), first, (10, 20, 30), strict=True)
    ]
    said = demo.said_of_world({"photos": photos}, asked, known)
    lines = said.splitlines()
    assert lines[0].startswith("3 photos by 2 photographers, among 3 by others")
    assert lines[1].split() == [
        *("200", "km", "750", "km", "2,500", "km"),
        *("median", "in", "its", "r90"),
    ]
    assert lines[2].split() == ["within-cell", "33%", "67%", "67%", "556", "km", "67%"]
    assert lines[3].split() == ["classify", "100%", "100%", "100%", "0", "km", "0%"]
    # Two of three references are near the first photo, and 10 and 20 degrees from the others.
    assert lines[4].split() == ["busiest", "place", "33%", "33%", "100%"]
    assert "abstained 1 times" in said
