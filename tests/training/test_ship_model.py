"""Shipping the bundle of a finished run, for real; into another folder than the package's."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from sightline.errors import SightlineError
from sightline.models.bundle import GlobalBundle, read_bundle, read_document
from sightline.training import train

from .photo_sets import tiny_global, tiny_retrieval

TOOL = Path(__file__).resolve().parents[2] / "tools" / "ship_model.py"


@pytest.fixture(scope="module")
def run(photo_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "tiny"
    torch.set_num_threads(1)
    train(tiny_global(epochs=2, licence="CC0-1.0"), out, data=photo_set, device="cpu")
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


def test_vectors_for_retrieval_bring_their_classifier_and_its_numbers(
    tool: ModuleType, run: Path, photo_set: Path, tmp_path: Path
) -> None:
    recipe = tiny_retrieval(start=str(run / "bundle"), epochs=1, licence="Apache-2.0")
    train(recipe, tmp_path / "vectors", data=photo_set, device="cpu")
    tool.ship(tmp_path / "vectors")
    document = read_document(tool.SHIPPED / recipe.name)
    assert document["licence"] == "Apache-2.0"
    told = [
        json.loads((folder / "test.json").read_text(encoding="utf-8"))["metrics"]
        for folder in (run, tmp_path / "vectors")
    ]
    said = document["provenance"]
    assert f"alone places {told[0]['accuracy@200km']['value']:.1%} within 200 km" in said
    assert f"is right for {told[1]['accuracy@1km']['value']:.1%} within 1 km" in said
    assert str(tmp_path) not in said
    results = json.loads((tool.RESULTS / f"{recipe.name}.json").read_text(encoding="utf-8"))
    assert [results["classifier"]["test"]["metrics"], results["test"]["metrics"]] == told
    assert results["run"]["recipe"]["start"] == "tiny/bundle"
    assert "--set start=tiny/bundle" in results["command"]
    assert str(run) not in json.dumps(results)
    bundle = read_bundle(tool.SHIPPED / recipe.name)
    assert isinstance(bundle, GlobalBundle)
    assert bundle.residual is not None


def test_a_start_outside_of_its_run_is_refused(
    tool: ModuleType, run: Path, photo_set: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "elsewhere" / "bundle"
    shutil.copytree(run / "bundle", moved)
    train(
        tiny_retrieval(start=str(moved), epochs=1, licence="CC0-1.0"),
        tmp_path / "vectors",
        data=photo_set,
        device="cpu",
    )
    with pytest.raises(SightlineError, match=r"elsewhere.*recipe\.toml"):
        tool.ship(tmp_path / "vectors")
    assert not list(tool.SHIPPED.iterdir())


def test_weights_without_a_licence_are_not_shipped(
    tool: ModuleType, photo_set: Path, tmp_path: Path
) -> None:
    train(tiny_global(epochs=1), tmp_path / "run", data=photo_set, device="cpu")
    with pytest.raises(SightlineError, match="names no licence"):
        tool.ship(tmp_path / "run")
    assert not list(tool.SHIPPED.iterdir())


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
