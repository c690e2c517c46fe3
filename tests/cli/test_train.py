from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from rich.console import Console
from rich.progress import Progress
from tests.training.recipes import tiny

from sightline.cli import train as train_command
from sightline.training.loops.watching import Silent, StepReport
from sightline.training.sources import open_data

from .conftest import Ran

Sightline = Callable[..., Ran]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    open_data(tiny(), folder, folder, Silent())
    return folder / "manifest"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    torch.set_num_threads(1)
    path = tmp_path / "mine.toml"
    path.write_text(tiny(epochs=1, batch_size=14).to_toml())
    return path


def test_a_recipe_is_trained_and_its_run_evaluated(
    sightline: Sightline, recipe: Path, pairs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    ran = sightline(
        "train", recipe, "--data", pairs, "--out", out, "--device", "cpu", "--set", "name=own"
    )
    assert ran.status == 0, ran.err
    assert "own: 56 pairs, 4 steps" in ran.out
    assert "recall@1 " in ran.out
    assert "stage one, epoch 1: recall@1" in ran.err
    assert f"sightline model info {out / 'bundle'}" in ran.err
    scored = sightline("evaluate", "cross-view", out, "--data", pairs, "--device", "cpu", "--json")
    assert scored.json()["schema"] == "sightline.evaluation/1"
    assert scored.json()["n_queries"] == 16
    shown = sightline(
        "evaluate",
        "cross-view",
        out,
        "--data",
        pairs,
        "--split",
        "validation",
        "--report",
        tmp_path / "report.html",
        "--resamples",
        50,
    )
    assert "own (validation): 8 queries among 8 references" in shown.out
    assert (tmp_path / "report.html").is_file()
    assert sightline("model", "info", out / "bundle", "--json").json()["name"] == "own"
    refused = sightline("train", recipe, "--data", pairs, "--out", out)
    assert refused.status == 2
    assert "--resume" in refused.err
    again = sightline(
        "train", "--resume", recipe, "--data", pairs, "--out", out, "--set", "name=own", "--json"
    )
    assert again.json()["status"] == "finished"


def test_wrong_recipes_are_refused_in_one_line(
    sightline: Sightline, recipe: Path, tmp_path: Path
) -> None:
    recipe.write_text("epochs = 1\nbatchsize = 3\n")
    ran = sightline("train", recipe, "--out", tmp_path / "run")
    assert ran.status == 2
    assert "line 2: there is no key 'batchsize'" in ran.err
    assert "Did you mean 'batch_size'?" in ran.err
    assert not (tmp_path / "run").exists()
    assert "no recipe 'frgoe'" in sightline("train", "frgoe").err
    assert "must be given key=value" in sightline("train", "frgeo", "--set", "epochs").err


def test_recipes_are_listed(sightline: Sightline) -> None:
    shown = sightline("train", "recipes")
    assert "frgeo-baseline" in shown.out
    assert "table 4, Baseline" in shown.out
    assert sightline("train", "recipes", "--json").json()["frgeo"]["loss_weight"] == 10.0
    assert "RECIPE" in sightline("train", "--help").out


def test_grids_are_trained_from_the_command_line(
    sightline: Sightline, recipe: Path, pairs: Path, tmp_path: Path
) -> None:
    common = ("--data", pairs, "--device", "cpu")
    few = sightline(
        "train", "few-shot", recipe, "--shares", "100,50", "--out", tmp_path / "few", *common
    )
    assert few.status == 0, few.err
    assert "train_share=0.5" in few.out
    assert "recall@1" in few.out
    assert "Run 2 of 2: train_share=0.5,seed=0" in few.err
    ablated = sightline(
        "train",
        "ablate",
        recipe,
        "--vary",
        "loss=tuple",
        "--vary",
        "aerial_size=32,32;48,48",
        "--seeds",
        2,
        "--set",
        "bad_images=0.01",
        "--out",
        tmp_path / "grid",
        "--json",
        *common,
    )
    names = [one["setting"] for one in ablated.json()["settings"]]
    assert names == ["loss=tuple,aerial_size=-32-32-", "loss=tuple,aerial_size=-48-48-"]
    assert ablated.json()["settings"][0]["seeds"] == 2


def test_a_setting_that_diverges_is_shown_without_numbers(
    sightline: Sightline, recipe: Path, pairs: Path, tmp_path: Path
) -> None:
    ran = sightline(
        "train", "ablate", recipe, "--vary", "learning_rate=1e30,1e-3", "--seeds", 1,
        "--out", tmp_path / "grid", "--data", pairs, "--device", "cpu",
    )  # fmt: skip
    assert ran.status == 0, ran.err
    assert "failed: The" in ran.err
    bad, good = (line.split() for line in ran.out.splitlines()[1:3])
    assert bad[1:] == ["0", *["-"] * (len(bad) - 2)]
    assert good[1] == "1"
    assert "-" not in good[2:]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("few-shot", "frgeo", "--shares", "all", "--out", "x"), "--shares must be numbers"),
        (("ablate", "frgeo", "--vary", "loss", "--out", "x"), "--vary must be KEY=A,B"),
        (("ablate", "frgeo", "--vary", "lose=a", "--out", "x"), "there is no key 'lose'"),
        (("ablate", "frgeo", "--vary", "loss=a", "--out", "x"), "loss must be one of"),
    ],
)
def test_wrong_grids_are_refused(
    sightline: Sightline, arguments: tuple[str, ...], message: str
) -> None:
    ran = sightline("train", *arguments)
    assert ran.status == 2
    assert message in ran.err


def test_a_terminal_shows_rate_and_remaining_time(
    sightline: Sightline,
    recipe: Path,
    pairs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=200)
    monkeypatch.setattr(train_command, "err", terminal)
    ran = sightline(
        "train", recipe, "--data", pairs, "--out", tmp_path / "run", "--json", "--device", "cpu"
    )
    assert json.loads(ran.out)["status"] == "finished"
    shown = terminal.file.getvalue()  # type: ignore[attr-defined]
    assert "a second" in shown
    assert "left" in shown
    assert train_command._duration(30) == "30 s"
    assert train_command._duration(7260) == "2 h 01 min"


def test_without_a_terminal_a_line_says_it_now_and_then(
    capfd: pytest.CaptureFixture[str],
) -> None:
    report = StepReport(7, "one", 1.5, 3, 0.25, 0.1, 1.0, 12.5, 9.0, 30.0)
    for every_s, lines in ((0.0, 3), (1e9, 1)):
        with Progress(disable=True) as bar:
            console = train_command._Console(bar, every_s)
            console.preparing("decoding ground images", 64, 128)
            console.step(report)
            console.step(report)
        said = capfd.readouterr().err.splitlines()
        assert len(said) == lines
        assert said[0] == "decoding ground images: 64/128"
        assert (
            said[-1] == "stage one: epoch 1.50 of 3, loss 0.2500, 12.5 a second, 30 s left"
        ) == (lines == 3)


def test_a_collapse_is_said_at_once(
    sightline: Sightline, recipe: Path, pairs: Path, tmp_path: Path
) -> None:
    """A rate of nearly nothing from weights that are all alike."""
    ran = sightline(
        "train",
        recipe,
        "--data",
        pairs,
        "--out",
        tmp_path / "run",
        "--device",
        "cpu",
        "--set",
        "architecture=vgg16-fc",
        "--set",
        "head_options={widths=[2, 1]}",
        "--set",
        "learning_rate=1e-12",
    )
    assert ran.status == 0, ran.err
    assert "warning: " in ran.err
