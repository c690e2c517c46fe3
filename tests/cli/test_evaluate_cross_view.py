"""``sightline evaluate cross-view``: figures, and other data than the run's own."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from tests.training.recipes import tiny

from sightline.datasets import write_manifest
from sightline.datasets.layouts import read
from sightline.errors import UsageError
from sightline.report.figures.embedding_map import embedding_map_figure
from sightline.report.figures.plane import to_plane
from sightline.training import train
from sightline.training.loops.watching import Silent
from sightline.training.sources import open_data

from .conftest import Ran

Sightline = Callable[..., Ran]

OF_THE_EVALUATION = {"recall", "pssr", "search-space"}
OF_THE_RUN = {
    "retrieval-sheet",
    "retrieval-sheet-worst",
    "embeddings-pca",
    "embeddings-umap",
    "heat",
}
OF_SUPER_BATCHES = {"cluster-map", "cluster-plane", "cluster-samples"}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    open_data(tiny(), folder, folder, Silent())
    return folder / "manifest"


@pytest.fixture(scope="module")
def run(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with super-batches in its second stage."""
    out = tmp_path_factory.mktemp("runs") / "staged"
    torch.set_num_threads(1)
    recipe = tiny(epochs=1, second_epochs=1, second_sampler="super-batches", batch_size=8)
    train(recipe, out, data=pairs, device="cpu")
    return out


def test_figures_of_a_run(sightline: Sightline, run: Path, pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "figures"
    ran = sightline(
        "evaluate", "cross-view", run, "--data", pairs, "--figures", out, "--resamples", 50,
        "--device", "cpu",
    )  # fmt: skip
    assert ran.status == 0, ran.err
    assert "recall@1" in ran.out
    names = {file.stem: file for file in out.iterdir()}
    assert set(names) == OF_THE_EVALUATION | OF_THE_RUN | OF_SUPER_BATCHES
    for file in names.values():
        assert str(file) in ran.err
        with Image.open(file) as picture:
            picture.load()
            assert picture.format == "PNG"
            assert picture.convert("L").getextrema()[0] < 200


def test_umap_keeps_groups_together() -> None:
    """Here and not with its figure: it compiles itself for a third of a minute in each process."""
    pytest.importorskip("umap", exc_type=ImportError)
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    vectors = 4 * rng.standard_normal((3, 12))[labels] + rng.standard_normal((90, 12))
    plane = to_plane(vectors, "umap", seed=1)
    np.testing.assert_array_equal(plane.points, to_plane(vectors, "umap", seed=1).points)
    gaps = np.linalg.norm(plane.points[:, None] - plane.points[None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    assert (labels[gaps.argmin(axis=1)] == labels).mean() > 0.95
    assert plane.explained is None
    assert np.isfinite(to_plane(vectors[:5], "umap").points).all()
    with pytest.raises(UsageError, match=r"at least 4 vectors\. Got 3"):
        to_plane(vectors[:3], "umap")
    figure = embedding_map_figure([("ground", vectors)], method="umap")
    assert figure.name == "embeddings-umap"
    assert "says little" in figure.caption
    sheet = Figure(figsize=figure.size_inches)
    figure.draw(sheet)
    assert sheet.axes[0].get_xlabel() == "UMAP axis 1"


def test_what_cannot_be_drawn_is_said_and_the_rest_is_drawn(
    sightline: Sightline,
    run: Path,
    pairs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    ran = sightline(
        "evaluate", "cross-view", run, "--data", pairs, "--figures", tmp_path, "--resamples", 50,
        "--figure-format", "pdf", "--split", "validation", "--json", "--device", "cpu",
    )  # fmt: skip
    assert ran.status == 0, ran.err
    assert ran.json()["n_queries"] == 8
    assert "UMAP plots are left out" in ran.err
    assert "sightline[umap]" in ran.err
    expected = (OF_THE_EVALUATION | OF_THE_RUN | OF_SUPER_BATCHES) - {"embeddings-umap"}
    assert {file.name for file in tmp_path.iterdir()} == {
        "heat.png" if name == "heat" else f"{name}.pdf" for name in expected
    }


def test_damaged_super_batches_and_a_network_that_cannot_be_explained(
    sightline: Sightline,
    run: Path,
    pairs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is left out is said with its reason, and the rest is drawn; without a file all is."""

    def refused(*_: object) -> None:
        raise UsageError("No place of the layer 'blocks.1' changes the similarity.", hint="None.")

    monkeypatch.setitem(sys.modules, "umap", None)
    own = shutil.copytree(run, tmp_path / "run")
    (own / "super_batches.parquet").write_bytes(b"PAR1 and no more")
    common = ("evaluate", "cross-view", own, "--data", pairs, "--resamples", 50, "--device", "cpu")
    with monkeypatch.context() as patch:
        # No architecture of ours is like that, and whether one is shows only while it is drawn.
        patch.setattr("sightline.training.inspection.explain", refused)
        ran = sightline(*common, "--figures", tmp_path / "damaged", "--figure-format", "svg")
    assert ran.status == 0, ran.err
    assert "Super-batches are left out" in ran.err
    assert "super_batches.parquet" in ran.err
    assert "Heatmaps are left out: No place of the layer" in ran.err
    drawn = {file.stem for file in (tmp_path / "damaged").iterdir()}
    assert drawn == (OF_THE_EVALUATION | OF_THE_RUN) - {"embeddings-umap", "heat"}
    (own / "super_batches.parquet").unlink()
    ran = sightline(*common, "--figures", tmp_path / "plain", "--figure-format", "svg")
    assert "Super-batches" not in ran.err
    drawn = {file.stem for file in (tmp_path / "plain").iterdir()}
    assert drawn == (OF_THE_EVALUATION | OF_THE_RUN) - {"embeddings-umap"}


def test_figures_need_matplotlib_before_any_work(
    sightline: Sightline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ran = sightline("evaluate", "cross-view", tmp_path / "none", "--figures", tmp_path / "out")
    assert ran.status == 2
    assert "sightline[figures]" in ran.err
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def abroad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("abroad")
    other = tiny(data="planet:unseen-country", planet_pairs=40, planet_collection=1)
    open_data(other, folder, folder, Silent())
    return folder


def test_images_without_hashes_are_told_of(
    sightline: Sightline, run: Path, pairs: Path, abroad: Path, tmp_path: Path
) -> None:
    """Of the run's own data the folder is named this time: what is made of it is there already."""
    write_manifest(tmp_path / "bare", read(abroad, "plain"))
    ran = sightline(
        "evaluate", "cross-view", run, "--data", pairs.parent, "--on", tmp_path / "bare",
        "--resamples", 50, "--device", "cpu",
    )  # fmt: skip
    assert ran.status == 0, ran.err
    assert "recall@1" in ran.out
    assert "hash" in ran.err


def test_a_run_on_other_data(sightline: Sightline, run: Path, pairs: Path, abroad: Path) -> None:
    common = ("evaluate", "cross-view", run, "--data", pairs, "--resamples", 50, "--device", "cpu")
    ran = sightline(*common, "--on", abroad / "manifest", "--json")
    assert ran.status == 0, ran.err
    assert ran.json()["name"] == "tiny (test of manifest)"
    ran = sightline(*common, "--on", abroad / "manifest", "--split", "abroad")
    assert ran.status == 2
    assert "The manifest's splits: test, train, val." in ran.err
    ran = sightline(*common, "--on", pairs, "--split", "train")
    assert ran.status == 2
    assert "that the run was trained or selected on" in ran.err
    ran = sightline(*common, "--split", "train")
    assert ran.status == 2
    assert "--on MANIFEST" in ran.err
