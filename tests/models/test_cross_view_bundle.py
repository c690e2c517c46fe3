"""Bundles of cross-view networks: round trip, fewer bytes, and every way to be none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sightline.errors import BundleError, UsageError
from sightline.models import compact_weights
from sightline.models.architectures import ARCHITECTURES
from sightline.models.bundle import (
    Bundle,
    CrossViewBundle,
    CrossViewSettings,
    load_model,
    read_bundle,
    save_bundle,
)
from sightline.models.compact_weights import compact, widened
from sightline.models.cross_view_encoder import TorchCrossViewEncoder
from sightline.models.cross_view_preprocessing import CrossViewPreprocessing
from sightline.models.cross_view_settings import can_turn
from sightline.models.protocol import CrossViewEncoder, Encoder

from .cross_view_networks import built, bundle, pictures, settings
from .test_bundle import edit, rehash, tiny_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_bundle(tmp_path / "bundle", bundle(patch_m=80.0))


def test_round_trip(folder: Path) -> None:
    made, found = bundle(patch_m=80.0), read_bundle(folder)
    assert isinstance(found, CrossViewBundle)
    assert found.settings == made.settings
    assert found.card == made.card
    loaded = load_model(folder)
    assert isinstance(loaded, TorchCrossViewEncoder)
    assert isinstance(loaded, CrossViewEncoder)
    assert isinstance(loaded, Encoder)
    assert loaded.fingerprint == made.encoder().fingerprint
    assert (loaded.patch_m, loaded.geometry, loaded.heading) == (80.0, "panorama", "aligned")
    for view, size in (("ground", (64, 256)), ("aerial", (64, 64))):
        np.testing.assert_array_equal(
            loaded.encode(pictures(3, size), view),  # type: ignore[arg-type]
            made.encoder().encode(pictures(3, size), view),  # type: ignore[arg-type]
        )
    document = json.loads((folder / "model.json").read_text())
    assert document["cross_view"]["dimension"] == loaded.dimension
    assert document["cross_view"]["preprocessing"]["mean"] == [0.5, 0.5, 0.5]
    assert "encoder" not in document
    described = loaded.describe()
    assert described["kind"] == "cross_view"
    assert described["licence"] == "Apache-2.0"


def test_the_fingerprint_is_of_what_changes_a_vector() -> None:
    plain = bundle().encoder().fingerprint
    assert bundle(patch_m=50.0).encoder().fingerprint == plain
    others = [
        bundle(seed=1),
        bundle(options={"split": "area"}),
        bundle(shared_weights=True),
        bundle(preprocessing=CrossViewPreprocessing(interpolation="bilinear")),
        bundle(preprocessing=CrossViewPreprocessing(mean=(0.4, 0.5, 0.6), std=(0.2, 0.2, 0.2))),
    ]
    assert len({plain, *(other.encoder().fingerprint for other in others)}) == 6


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_every_architecture_can_be_saved(name: str, tmp_path: Path) -> None:
    vit = "transgeo" in name
    made = bundle(
        name,
        backbone="test_vit" if vit else "test_resnet",
        ground_size=(64, 128),
        aerial_size=(64, 64),
        options={"clusters": 4, "projection": 16} if "cvm" in name else None,
    )
    loaded = load_model(save_bundle(tmp_path / name, made))
    assert loaded.fingerprint == made.encoder().fingerprint


@pytest.mark.parametrize(
    ("form", "share", "least"), [("float16", 0.51, 0.99999), ("int8", 0.28, 0.999)]
)
def test_fewer_bytes_keep_the_vectors(
    tmp_path: Path, folder: Path, form: compact_weights.WeightsForm, share: float, least: float
) -> None:
    """Measured on random weights, which are the hardest: nothing in them is redundant."""
    small = save_bundle(tmp_path / "small", bundle(patch_m=80.0), weights=form)
    whole = (folder / "weights.safetensors").stat().st_size
    assert (small / "weights.safetensors").stat().st_size < share * whole
    plain, loaded = load_model(folder), load_model(small)
    assert loaded.fingerprint != plain.fingerprint
    assert load_model(small).fingerprint == loaded.fingerprint
    for view, size in (("ground", (64, 256)), ("aerial", (64, 64))):
        images = pictures(8, size)
        cosines = (plain.encode(images, view) * loaded.encode(images, view)).sum(axis=1)
        assert cosines.min() > least
    assert all(
        t.dtype in (torch.float32, torch.int64)
        for t in read_bundle(small).network.state_dict().values()  # type: ignore[union-attr]
    )


def test_photo_encoders_can_be_small_too(tmp_path: Path) -> None:
    made = tiny_bundle()
    small = save_bundle(tmp_path / "small", made, weights="int8")
    found = read_bundle(small)
    assert isinstance(found, Bundle)
    images = pictures(4, (90, 130))
    cells = made.encoder(precision="float32", runtime="torch").encode(images)
    again = found.encoder(precision="float32", runtime="torch").encode(images)
    assert (cells * again).sum(axis=1).min() > 0.999


def test_eight_bits_are_off_by_half_a_step_at_most() -> None:
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(6, 5, 3, 3, generator=generator) * torch.logspace(-6, 6, 6).view(
        6, 1, 1, 1
    )
    weights[2] = 0
    again = widened(compact({"w": weights}, "int8"))["w"]
    step = weights.abs().amax(dim=(1, 2, 3)) / 127
    off = (again - weights).abs().amax(dim=(1, 2, 3))
    assert bool((off <= step / 2 * (1 + 1e-5)).all())
    assert not again[2].any()


def test_what_small_forms_cannot_hold_stays_as_it_is() -> None:
    state = {
        "huge": torch.full((100,), 1e6),
        "tiny": torch.linspace(1e-9, 1e-8, 100),
        "few": torch.tensor([0.485, 0.456, 0.406]),
        "embedding": torch.randn(1, 20, 8, generator=torch.Generator().manual_seed(0)),
        "count": torch.tensor(7),
    }
    for form in ("float16", "int8"):
        stored = compact(state, form)  # type: ignore[arg-type]
        assert {k: t.dtype for k, t in stored.items()} == {
            "huge": torch.float32,
            "tiny": torch.float32,
            "few": torch.float32,
            "embedding": torch.float16,
            "count": torch.int64,
        }
        again = widened(stored)
        for key in ("huge", "tiny", "few", "count"):
            torch.testing.assert_close(again[key], state[key], rtol=0, atol=0)
    tied = torch.ones(3, 40)
    copies = compact({"a": tied, "b": tied}, "float32")
    assert copies["a"].data_ptr() != copies["b"].data_ptr()


def test_forms_that_cannot_be(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="float32, float16, int8"):
        save_bundle(tmp_path / "x", bundle(), weights="int4")  # type: ignore[arg-type]
    for stored in (
        {"w/scale": torch.ones(3)},
        {"w": torch.ones(3, 4, dtype=torch.int8)},
        {"w": torch.ones(3, 4, dtype=torch.int8), "w/scale": torch.ones(4)},
    ):
        with pytest.raises(BundleError, match="lack their"):
            widened(stored)
    edit(folder, lambda d: d.update(weights="int4"))
    with pytest.raises(BundleError, match="Got 'int4'") as refused:
        load_model(folder)
    assert "Upgrade" in refused.value.hint


CHANGES: list[tuple[Callable[[dict], object], str]] = [
    (lambda d: d.update(encoder={}), "Got 'encoder' and 'cross_view'"),
    (lambda d: d.update(cross_view=[]), "JSON object"),
    (lambda d: d["cross_view"].update(dimension=3), "dimension 3"),
    (lambda d: d["cross_view"].pop("dimension"), "dimension None"),
    (lambda d: d["cross_view"].pop("ground"), "'ground' is missing"),
    (lambda d: d["cross_view"].update(archtecture="frgeo"), "Unknown key 'archtecture'"),
    (lambda d: d["cross_view"].update(architecture="frgo"), "no cross-view architecture 'frgo'"),
    (lambda d: d["cross_view"].update(architecture=""), "'architecture' must be a name"),
    (lambda d: d["cross_view"].update(ground="aerial"), "Got aerial"),
    (lambda d: d["cross_view"].update(ground="fisheye"), "Got 'fisheye'"),
    (lambda d: d["cross_view"].update(ground_size=[0, 64]), "'ground_size' must"),
    (lambda d: d["cross_view"].update(aerial_size=64), "'aerial_size' must"),
    (lambda d: d["cross_view"].update(shared_weights="no"), "'shared_weights' must"),
    (lambda d: d["cross_view"].update(heading="north"), "'heading' must"),
    (lambda d: d["cross_view"].update(heading="known"), "no use of a known heading"),
    (lambda d: d["cross_view"].update(turns=2), "'turns' must"),
    (lambda d: d["cross_view"].update(heading="unknown", turns=17), "'turns' must"),
    (lambda d: d["cross_view"].update(heading="unknown", turns=2), "no use of 2 turns"),
    (lambda d: d["cross_view"].update(patch_m=0), "'patch_m' must"),
    (lambda d: d["cross_view"].update(model_args=[]), "'model_args' must"),
    (lambda d: d["cross_view"]["options"].update(region=3), "no option 'region'"),
    (lambda d: d["cross_view"]["preprocessing"].update(size=3), "Unknown key 'size'"),
    (lambda d: d["cross_view"]["preprocessing"].update(resize="crop"), "'resize' must"),
    (lambda d: d["cross_view"]["preprocessing"].update(interpolation="x"), "'interpolation' must"),
    (lambda d: d["cross_view"]["preprocessing"].update(scaling=[0, 255]), "'scaling' must"),
    (lambda d: d["cross_view"]["preprocessing"].update(std=[1, 1, 0]), "'std' must"),
    (lambda d: d["cross_view"]["preprocessing"].update(mean=[1, 1]), "'mean' must"),
    (lambda d: d["cross_view"]["preprocessing"].update(mean=[0, 0, 0]), "the mean is"),
    (lambda d: d["cross_view"].update(backbone="test_resnt"), "no architecture 'test_resnt'"),
]


@pytest.mark.parametrize(("change", "cause"), CHANGES)
def test_documents_that_cannot_be(folder: Path, change: Callable[[dict], None], cause: str) -> None:
    edit(folder, change)
    with pytest.raises(BundleError, match=cause) as refused:
        load_model(folder)
    assert refused.value.path is not None
    assert refused.value.hint


def test_weights_of_another_network(folder: Path, tmp_path: Path) -> None:
    other = bundle(shared_weights=True).network.state_dict()
    save_file(other, tmp_path / "other.safetensors")
    rehash(folder, "weights.safetensors", (tmp_path / "other.safetensors").read_bytes())
    with pytest.raises(BundleError, match="do not fit CrossViewNetwork"):
        load_model(folder)


def test_it_starts_from_a_backbone(write_source: Callable[..., tuple[Path, Path]]) -> None:
    """The normalisation and the arguments of a backbone's file go with the bundle."""
    config, weights = write_source("test_resnet", model_args={"drop_path_rate": 0.1})
    document = json.loads(config.read_text())
    document["pretrained_cfg"]["mean"] = [0.1, 0.2, 0.3]
    config.write_text(json.dumps(document))
    started = settings(shared_weights=True).started_from(weights)
    assert started.model_args["drop_path_rate"] == 0.1
    assert started.preprocessing.mean == (0.1, 0.2, 0.3)
    network = started.build(weights)
    found = CrossViewBundle(bundle().card, started, network)
    assert found.settings == started
    stored = load_file(weights)
    (trunk,) = network.trunks.values()
    key = next(key for key in stored if stored[key].ndim == 4)
    torch.testing.assert_close(trunk.network.state_dict()[key], stored[key])
    again = started.build()
    (trunk,) = again.trunks.values()
    np.testing.assert_allclose(trunk.mean.ravel(), (0.1, 0.2, 0.3))


def test_a_network_of_other_settings(tmp_path: Path) -> None:
    found = bundle()
    wrong = replace(found.settings, preprocessing=CrossViewPreprocessing(std=(0.9, 0.9, 0.9)))
    with pytest.raises(BundleError, match="the std is"):
        CrossViewBundle(found.card, wrong, found.network)
    uneven = built(settings())
    uneven.trunks["aerial"].mean += 0.1  # type: ignore[operator]
    with pytest.raises(BundleError, match="normalised alike"):
        CrossViewBundle(found.card, settings(), uneven)


def test_which_networks_can_turn() -> None:
    assert can_turn(built(settings(options={"split": "area"})))
    assert can_turn(built(settings(ground="perspective:90", ground_size=(64, 96))))
    assert not can_turn(built(settings()))
    assert not can_turn(built(settings("average")))
    with pytest.raises(UsageError, match="no cross-view architecture"):
        CrossViewSettings.of("fgreo", ground="panorama")
