"""``sightline explain``: a picture of heat for a photo and a patch, and for two photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sightline.models.bundle import save_bundle
from sightline.models.card import ModelCard
from sightline.models.cross_view_bundle import CrossViewBundle
from sightline.models.cross_view_settings import CrossViewSettings

from .conftest import write_photo


@pytest.fixture(scope="module")
def cross_view(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a small network of unknown heading, with random weights."""
    settings = CrossViewSettings.of(
        "frgeo",
        ground="panorama",
        backbone="test_resnet",
        ground_size=(64, 256),
        aerial_size=(96, 96),
        options={"split": "area", "regions": 4, "unit_regions": True},
        heading="unknown",
        turns=2,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = settings.build()
    out = tmp_path_factory.mktemp("cross-view") / "tiny.model"
    save_bundle(out, CrossViewBundle(ModelCard("tiny"), settings, network))
    return out


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[Path, Path]:
    return write_photo(tmp_path / "photo.png", 1), write_photo(tmp_path / "patch.png", 2)


def test_a_photo_and_a_patch(sightline, cross_view, pictures, tmp_path):
    out = tmp_path / "heat.png"
    arguments = ("explain", *pictures, "--model", cross_view, "--out", out)
    ran = sightline(*arguments)
    assert ran.status == 0, ran.err
    assert "heat by gradient of the last map and the last map" in ran.out
    with Image.open(out) as shown:
        assert shown.size == (2 * 1024 + 2 * 256 + 3 * 6, 256)
    said = sightline(*arguments, "--method", "grad-cam", "--layer", "layer2", "--json").json()
    assert said["layers"] == ["layer2", "layer2"]
    assert -1 <= said["similarity"] <= 1
    other = sightline(*arguments, "--heading", "90", "--json").json()
    assert other["similarity"] != said["similarity"]


def test_two_photos_of_a_photo_model(sightline, bundle, pictures, tmp_path):
    out = tmp_path / "heat.jpg"
    ran = sightline("explain", *pictures, "--model", bundle, "--out", out, "--method", "occlusion")
    assert ran.status == 0, ran.err
    with Image.open(out) as shown:
        assert np.asarray(shown).shape == (256, 4 * 256 + 3 * 6, 3)


def test_what_cannot_be_explained(sightline, bundle, cross_view, pictures, tmp_path):
    out = tmp_path / "heat.png"
    for arguments, said in (
        ((*pictures, "--model", bundle, "--out", tmp_path / "heat.gif"), "heat.gif"),
        ((tmp_path / "none.png", pictures[1], "--model", bundle, "--out", out), "none.png"),
        ((*pictures, "--model", tmp_path, "--out", out), str(tmp_path)),
        ((*pictures, "--model", cross_view, "--out", out, "--layer", "x"), "no layer 'x'"),
        ((*pictures, "--model", bundle, "--out", out, "--heading", 9), "no use of headings"),
        ((*pictures, "--model", bundle, "--out", tmp_path / "no" / "x.png"), "does not exist"),
    ):
        ran = sightline("explain", *arguments)
        assert ran.status != 0
        assert said in ran.err
        assert not out.exists()


def test_the_photo_is_not_written_over(sightline, bundle, pictures):
    before = pictures[0].read_bytes()
    ran = sightline("explain", *pictures, "--model", bundle, "--out", pictures[0])
    assert (ran.status, "would be written over" in ran.err) == (2, True)
    assert pictures[0].read_bytes() == before
