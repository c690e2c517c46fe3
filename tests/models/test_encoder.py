"""The encoder: its contract, its fingerprint, its preprocessing, its choice of runtime."""

from __future__ import annotations

import math
import os
import pickle
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from timm.data import create_transform

from sightline.errors import DependencyError, EncoderError, UsageError, VectorError
from sightline.models import openvino_runtime
from sightline.models.backbone import CutBackbone
from sightline.models.bundle import Bundle, ModelCard, load_model, save_bundle
from sightline.models.encoder import TorchEncoder
from sightline.models.network import EncoderNetwork
from sightline.models.preprocess import decode_size, prepare
from sightline.models.protocol import Encoder
from sightline.models.runtimes import (
    LEAST_COSINE,
    LEAST_COSINE_UNASKED,
    choose,
    least_cosine,
    sample_inputs,
)
from sightline.models.settings import EncoderSettings, Preprocessing

from .networks import make_encoder

needs_openvino = pytest.mark.skipif(
    not openvino_runtime.is_installed(), reason="there is no openvino for this machine"
)


def test_the_contract(pictures: list[np.ndarray]) -> None:
    encoder = make_encoder()
    assert isinstance(encoder, Encoder)
    cells = encoder.encode_regions(pictures)
    assert cells.shape == (8, 4, encoder.dimension)
    assert cells.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(cells.mean(axis=1), axis=1), 1.0, atol=1e-5)
    vectors = encoder.encode(pictures)
    np.testing.assert_allclose(vectors, cells.mean(axis=1), atol=1e-6)
    prepared = np.stack([encoder.prepare(p) for p in pictures])
    assert prepared.shape == (8, 1, 64, 64, 3)
    np.testing.assert_array_equal(encoder.encode_prepared(prepared), cells)
    assert encoder.encode([]).shape == (0, encoder.dimension)


def test_a_batch_changes_no_vector(pictures: list[np.ndarray]) -> None:
    encoder = make_encoder()
    together = encoder.encode_regions(pictures)
    alone = np.concatenate([encoder.encode_regions([p]) for p in pictures])
    backwards = encoder.encode_regions(pictures[::-1])[::-1]
    np.testing.assert_allclose(together, alone, atol=2e-5)
    np.testing.assert_allclose(together, backwards, atol=2e-5)


def test_threads_get_the_same_vectors(pictures: list[np.ndarray]) -> None:
    encoder = make_encoder()
    expected = make_encoder().encode(pictures)
    found: dict[int, np.ndarray] = {}
    threads = [
        threading.Thread(target=lambda i=i: found.update({i: encoder.encode(pictures)}))
        for i in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for vectors in found.values():
        np.testing.assert_allclose(vectors, expected, atol=2e-5)
    assert len(found) == 3


def test_torch_is_left_as_it_was(pictures: list[np.ndarray]) -> None:
    before = (torch.get_num_threads(), torch.is_grad_enabled(), torch.get_default_dtype())
    state = torch.get_rng_state()
    make_encoder(precision="auto").encode(pictures[:1])
    assert (torch.get_num_threads(), torch.is_grad_enabled(), torch.get_default_dtype()) == before
    assert torch.equal(torch.get_rng_state(), state)


def test_views_are_averaged(pictures: list[np.ndarray]) -> None:
    four, five, whole = (make_encoder(views=v) for v in ("four", "five", "whole"))
    picture = pictures[0]
    parts = four.prepare(picture)
    assert parts.shape == (4, 64, 64, 3)
    cells = np.stack([whole.encode_prepared(part[None, None])[0] for part in parts])
    mean = cells.mean(axis=0)
    np.testing.assert_allclose(
        four.encode_regions([picture])[0], mean / np.linalg.norm(mean.mean(axis=0)), atol=1e-5
    )
    np.testing.assert_array_equal(five.prepare(picture)[0], whole.prepare(picture)[0])
    assert four.decode_size == (107, 107)


def test_describe() -> None:
    encoder = make_encoder(precision="auto")
    assert encoder.describe()["computes"] is None
    encoder.warm_up()
    described = encoder.describe()
    assert described["fingerprint"] == encoder.fingerprint
    assert described["computes"]["trials"][0]["precision"] == "float32"
    assert described["computes"]["trials"][0]["cosine"] > 0.9999
    assert described["grid"] == [4, 4]
    assert encoder.whitening is None
    assert encoder.sample is None


CHANGES: list[dict[str, object]] = [
    {"seed": 1},
    {"feature": "blocks.3"},
    {"regions": 1},
    {"pooling": "max"},
    {"pooling": "gem"},
    {"pooling": "gem", "exponent": 4.0},
    {"views": "four"},
    {"views": "five"},
    {"model_args": {"pad_type": "same"}},
    *(
        {"preprocessing": replace(Preprocessing(size=(64, 64)), **change)}
        for change in (
            {"size": (64, 96)},
            {"mean": (0.5, 0.5, 0.5)},
            {"std": (0.5, 0.5, 0.5)},
            {"interpolation": "bilinear"},
            {"resize": "crop"},
            {"crop_fraction": 0.9},
        )
    ),
]


def test_every_setting_changes_the_fingerprint() -> None:
    prints = [make_encoder(**change).fingerprint for change in [{}, *CHANGES]]
    assert len(set(prints)) == len(prints)
    assert all(len(p) == 64 for p in prints)


def test_one_weight_changes_the_fingerprint() -> None:
    first, second = make_encoder(), make_encoder()
    assert first.fingerprint == second.fingerprint
    backbone = second._network.backbone
    with torch.no_grad():
        backbone.network.get_parameter("conv_stem.weight").view(-1)[0] += 1e-3
    assert TorchEncoder(backbone, second.settings, name="x").fingerprint != first.fingerprint


def test_nothing_else_changes_the_fingerprint(tmp_path: Path) -> None:
    encoder = make_encoder()
    for options in ({"precision": "bfloat16"}, {"precision": "auto"}, {"threads": 1}):
        other = make_encoder(**options)
        assert other.fingerprint == encoder.fingerprint
    bundle = Bundle(ModelCard("tiny"), encoder.settings, encoder._network.backbone)
    save_bundle(tmp_path / "bundle", bundle)
    os.utime(tmp_path / "bundle" / "weights.safetensors", (1, 1))
    loaded = load_model(tmp_path / "bundle")
    loaded.warm_up()
    assert loaded.fingerprint == encoder.fingerprint


def test_bad_input(pictures: list[np.ndarray]) -> None:
    encoder = make_encoder()
    for bad in (
        pictures[0].astype(np.float32),
        pictures[0][..., 0],
        pictures[0][..., :2],
        np.zeros((0, 5, 3), np.uint8),
    ):
        with pytest.raises(EncoderError, match="uint8 RGB"):
            encoder.prepare(bad)
    with pytest.raises(EncoderError, match="prepared batch"):
        encoder.encode_prepared(np.zeros((1, 1, 32, 32, 3), np.uint8))
    with pytest.raises(EncoderError, match="ground photos only"):
        encoder.encode(pictures[:1], view="aerial")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0])
@pytest.mark.parametrize("views", ["whole", "four"])
def test_bad_vectors_stop_at_the_door(value: float, views: str, pictures: list[np.ndarray]) -> None:
    encoder = make_encoder(views=views, feature="blocks.3", layout="NCHW")
    for parameter in encoder._network.backbone.parameters():
        parameter.data.fill_(value)
    with pytest.raises(VectorError, match="photo 0 of 1"):
        encoder.encode(pictures[:1])


@pytest.mark.parametrize(
    "options", [{"precision": "int4"}, {"runtime": "abacus"}, {"device": "nowhere"}]
)
def test_refused_choices(options: dict[str, str]) -> None:
    made = make_encoder()
    with pytest.raises(UsageError):
        TorchEncoder(made._network.backbone, made.settings, name="x", **options)  # type: ignore[arg-type]


def test_openvino_computes_on_the_cpu_only() -> None:
    made = make_encoder()
    with pytest.raises(UsageError, match="on the cpu"):
        TorchEncoder(
            made._network.backbone, made.settings, name="x", runtime="openvino", device="meta"
        )


def test_openvino_missing(monkeypatch: pytest.MonkeyPatch, pictures: list[np.ndarray]) -> None:
    monkeypatch.setattr(openvino_runtime, "is_installed", lambda: False)
    with pytest.raises(DependencyError, match="openvino"):
        make_encoder(runtime="openvino").encode(pictures[:1])
    assert make_encoder(runtime="auto").warm_up().runtime == "torch"


@needs_openvino
def test_openvino_keeps_the_vectors(pictures: list[np.ndarray]) -> None:
    encoder = make_encoder(runtime="openvino", threads=1)
    found = encoder.encode_regions(pictures)
    assert least_cosine(found, make_encoder().encode_regions(pictures)) > 0.9999
    np.testing.assert_allclose(encoder.encode_regions(pictures[:1]), found[:1], atol=2e-5)


def test_bfloat16_is_only_taken_where_it_keeps_the_vectors() -> None:
    encoder = make_encoder(precision="auto")
    choice = encoder.warm_up()
    chosen = next(t for t in choice.trials if t.precision == choice.precision)
    assert chosen.cosine >= LEAST_COSINE_UNASKED > LEAST_COSINE
    assert encoder.warm_up() is choice


def test_a_network_that_bfloat16_breaks_stays_in_float32() -> None:
    class Fragile(torch.nn.Module):
        """Adds a large constant and takes it away again: bfloat16 keeps 8 bits of the sum."""

        def __init__(self) -> None:
            super().__init__()
            self.first = torch.nn.Conv2d(3, 3, 1)
            self.end = torch.nn.Conv2d(3, 3, 1)
            self.first.weight.data.copy_(torch.eye(3)[:, :, None, None])
            self.first.bias.data.fill_(1000.0)
            self.end.weight.data.copy_((3 * torch.eye(3) - 1)[:, :, None, None])
            self.end.bias.data.zero_()

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return self.end(self.first(pixels))

    settings = EncoderSettings("x", "end", "NCHW", preprocessing=Preprocessing(size=(64, 64)))
    network = EncoderNetwork(CutBackbone(Fragile(), "end", (64, 64)), settings)
    choice = choose(network, (64, 64), runtime="torch")
    assert {t.precision: t.cosine < LEAST_COSINE for t in choice.trials}["bfloat16"]
    assert choice.precision == "float32"
    with pytest.raises(EncoderError, match="below"):
        choose(network, (64, 64), runtime="torch", precision="bfloat16")


def test_least_cosine() -> None:
    ones = np.ones((2, 3), np.float32)
    assert least_cosine(ones, ones) == pytest.approx(1.0)
    assert least_cosine(ones, ones * np.array([[1], [-1]])) == pytest.approx(-1.0)
    assert least_cosine(ones, np.zeros((2, 3), np.float32)) == -1.0
    assert least_cosine(ones * np.nan, ones) == -1.0


def test_sample_inputs_are_fixed_and_varied() -> None:
    first = sample_inputs(3, (40, 56))
    assert first.shape == (3, 40, 56, 3)
    np.testing.assert_array_equal(first, sample_inputs(3, (40, 56)))
    assert (first.std(axis=(1, 2)) > 3).all()


@pytest.mark.parametrize("shape", [(300, 400), (500, 200), (90, 91)])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_crop_equals_timm(shape: tuple[int, int], interpolation: str) -> None:
    pixels = sample_inputs(1, shape)[0]
    chosen = Preprocessing(
        size=(64, 64), interpolation=interpolation, resize="crop", crop_fraction=0.875
    )
    found = prepare(pixels, chosen, "whole")[0]
    transform = create_transform(
        (3, 64, 64), interpolation=interpolation, crop_pct=0.875, mean=(0, 0, 0), std=(1, 1, 1)
    )
    expected = transform(Image.fromarray(pixels)).permute(1, 2, 0).numpy() * 255
    assert np.abs(found - expected).max() < 1e-3
    assert decode_size(chosen, "whole") == (math.floor(64 / 0.875),) * 2


def test_squeeze_is_antialiased_and_whole() -> None:
    stripes = np.zeros((640, 640, 3), np.uint8)
    stripes[::2] = 255
    squeezed = prepare(stripes, Preprocessing(size=(64, 64)), "whole")[0]
    assert np.abs(squeezed[2:-2].astype(int) - 127).max() <= 3
    edge = np.zeros((100, 300, 3), np.uint8)
    edge[:, 270:] = 255
    seen = prepare(edge, Preprocessing(size=(50, 50)), "whole")[0]
    assert seen[:, -4:].min() > 250
    assert seen[:, :40].max() < 5


def test_a_photo_much_too_large_is_reduced_first() -> None:
    pixels = sample_inputs(1, (700, 900))[0]
    found = prepare(pixels, Preprocessing(size=(32, 32)), "whole")[0]
    expected = np.asarray(Image.fromarray(pixels).resize((32, 32), Image.Resampling.BICUBIC))
    assert np.abs(found.astype(int) - expected).mean() < 1.0


def test_errors_survive_processes() -> None:
    error = VectorError("a", hint="b")
    again = pickle.loads(pickle.dumps(error))
    assert (again.message, again.hint) == ("a", "b")


@needs_openvino
def test_openvino_tells_nobody(tmp_path: Path) -> None:
    encoder = make_encoder()
    bundle = Bundle(ModelCard("tiny"), encoder.settings, encoder._network.backbone)
    save_bundle(tmp_path / "bundle", bundle)
    program = (
        "import sys\n"
        "seen = []\n"
        "sys.addaudithook(lambda event, _: seen.append(event))\n"
        "from sightline.models.bundle import load_model\n"
        "encoder = load_model(sys.argv[1], precision='float32', runtime='openvino')\n"
        "print(encoder.warm_up().runtime)\n"
        "assert 'openvino_telemetry.main' not in sys.modules\n"
        "assert not {'socket.connect', 'socket.getaddrinfo'} & set(seen), seen\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "bundle"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (0, "openvino\n"), ran.stderr
