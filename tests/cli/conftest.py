"""A real small model, a real folder of geotagged photos, and the command as a person types it."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from sightline.cli import main

PLACES = [(55.70 + 0.002 * n, 13.19) for n in range(6)]


@dataclass
class Ran:
    """What a command did."""

    status: int
    out: str
    err: str

    def json(self) -> dict:
        return json.loads(self.out)


@pytest.fixture
def sightline(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ran]:
    """Run the program in this process, so that its lines are counted."""

    def run(*arguments: object, stdin: bytes | None = None) -> Ran:
        monkeypatch.setattr(sys, "argv", ["sightline", *map(str, arguments)])
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        printed = capsys.readouterr()
        return Ran(int(stop.value.code or 0), printed.out, printed.err)

    return run


def scene(number: int, variant: int = 0) -> np.ndarray:
    """Pixels of a place: large coloured blocks, in slight noise per variant."""
    blocks = np.random.default_rng([1, number]).integers(20, 236, (6, 8, 3))
    noise = np.random.default_rng([2, number, variant]).normal(0, 5, (96, 128, 3))
    picture = blocks.repeat(16, axis=0).repeat(16, axis=1) + noise
    return np.clip(picture, 1, 255).astype(np.uint8)


def write_photo(path: Path, number: int, variant: int = 0, *, place: bool = True) -> Path:
    exif = Image.Exif()
    if place:
        exif[0x010F] = "Maker"  # Pillow writes no block that has nothing but GPS in it
        gps = exif.get_ifd(0x8825)
        gps[1], gps[2] = "N", degrees(PLACES[number][0])
        gps[3], gps[4] = "E", degrees(PLACES[number][1])
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(scene(number, variant)).save(path, "PNG", exif=exif)
    return path


def degrees(value: float) -> tuple[float, float, float]:
    whole, rest = divmod(value * 3600, 3600)
    minutes, seconds = divmod(rest, 60)
    return whole, minutes, round(seconds, 3)


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``config.json`` and ``model.safetensors`` of a small network with random weights."""
    folder = tmp_path_factory.mktemp("source")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = timm.create_model("test_efficientnet", pretrained=False, num_classes=10)
    save_file(network.state_dict(), folder / "model.safetensors")
    config = {
        "architecture": "test_efficientnet",
        "num_classes": 10,
        "pretrained_cfg": {
            "input_size": [3, 64, 64],
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "interpolation": "bicubic",
            "license": "apache-2.0",
        },
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def bundle(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from sightline.models.importing import import_model

    out = tmp_path_factory.mktemp("bundle") / "tiny.model"
    import_model(out, source / "config.json", source / "model.safetensors", size=64)
    return out


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six places, two photos each, and one photo without a place."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(len(PLACES)):
        for variant in (0, 1):
            write_photo(folder / f"place {number}" / f"{variant}.png", number, variant)
    write_photo(folder / "nowhere.png", 0, 7, place=False)
    return folder


@pytest.fixture(scope="session")
def atlas(photos: Path, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An atlas of :func:`photos`; tests that change one copy it."""
    from sightline.atlas import build_derived
    from sightline.atlas.build import build_atlas
    from sightline.cli.growing import keep_model
    from sightline.datasets import open_source
    from sightline.models.bundle import load_model

    out = tmp_path_factory.mktemp("atlas") / "town.atlas"
    build_atlas(out, list(open_source(photos)), load_model(bundle))
    build_derived(out)
    keep_model(out, bundle)
    return out
