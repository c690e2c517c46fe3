"""Shipping the bundle of a finished run, for real; into another folder than the package's."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from sightline.errors import SightlineError
from sightline.models.bundle import GlobalBundle, read_bundle, read_document
from sightline.training import train

from .photo_sets import tiny_global

TOOL = Path(__file__).resolve().parents[2] / "tools" / "ship_model.py"


@pytest.fixture(scope="module")
def run(photo_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "tiny"
    torch.set_num_threads(1)
    train(tiny_global(epochs=2), out, data=photo_set, device="cpu")
    return out


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script, which ships elsewhere."""
    spec = importlib.util.spec_from_file_location("ship_model", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    (tmp_path / "shipped").mkdir()
    (tmp_path / "results").mkdir()
    return module


def test_a_classifier_of_places_is_shipped_with_what_it_is(
    tool: ModuleType,
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["ship_model.py", str(run)])
    assert tool.main() == 0
    shipped = tool.SHIPPED / "tiny-global"
    document = read_document(shipped)
    assert (document["weights"], document["licence"]) == ("float16", "CC0-1.0")
    test = json.loads((run / "test.json").read_text(encoding="utf-8"))
    assert f"{test['n_photos']} test photos" in document["provenance"]
    assert f"{test['metrics']['accuracy@750km']['value']:.1%} within 750" in document["provenance"]
    assert document["provenance"] in capsys.readouterr().out
    bundle, trained = read_bundle(shipped), read_bundle(run / "bundle")
    assert isinstance(bundle, GlobalBundle)
    assert isinstance(trained, GlobalBundle)
    assert [one.fingerprint for one in bundle.partitions] == [
        one.fingerprint for one in trained.partitions
    ]
    card = (shipped / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# tiny-global\n")
    assert card.count("## Use") == 1
    assert document["intended_use"] in card
    told = json.loads((tool.RESULTS / "tiny-global.json").read_text(encoding="utf-8"))
    assert told["test"]["metrics"] == test["metrics"]
    assert told["test"]["baselines"]["prior"] == test["baselines"]["prior"]
    assert told["run"]["partitions"][0]["cells"] == len(bundle.partitions[0])
    assert str(run) not in json.dumps(told)


def test_too_large_a_package_is_a_failure(
    tool: ModuleType,
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["ship_model.py", str(run)])
    monkeypatch.setattr(tool, "LARGEST_BYTES", 1000)
    assert tool.main() == 1
    assert "may be 0.001 MB" in capsys.readouterr().err


def test_a_run_that_did_not_end_is_not_shipped(
    tool: ModuleType,
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    half = tmp_path / "half"
    half.mkdir()
    (half / "recipe.toml").write_bytes((run / "recipe.toml").read_bytes())
    (half / "run.json").write_text('{"status": "training"}')
    with pytest.raises(SightlineError, match="no run that came to its end"):
        tool.ship(half)
    monkeypatch.setattr(sys, "argv", ["ship_model.py", str(half)])
    with pytest.raises(SystemExit) as stop:
        tool.main()
    assert stop.value.code == 2
    assert "--resume" in capsys.readouterr().err
    assert not list(tool.SHIPPED.iterdir())
