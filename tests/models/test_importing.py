"""Importing weights: the two silent traps, strict keys, the sample, the hub's door."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from sightline.errors import BundleError, OutputError, PhotoError, UsageError
from sightline.models.bundle import load_model
from sightline.models.config import read_config
from sightline.models.fetching import fetch_model, import_downloaded
from sightline.models.importing import RECOLOURINGS, import_model
from sightline.models.recolour import recolour
from sightline.models.runtimes import least_cosine
from sightline.models.tuning import tune_model

Write = Callable[..., tuple[Path, Path]]


@pytest.fixture(scope="session")
def mobilenet(shared_data: Path) -> Path:
    return shared_data / "weights" / "mobilenetv2_100"


@pytest.fixture(scope="session")
def photos(shared_data: Path) -> list[np.ndarray]:
    paths = sorted((shared_data / "photos").rglob("*.jpg"))[:6]
    return [np.asarray(Image.open(p).convert("RGB").resize((224, 224))) for p in paths]


def encode(config: Path, weights: Path, out: Path, photos: list[np.ndarray]) -> np.ndarray:
    import_model(out, config, weights, size=128)
    return load_model(out, precision="float32", runtime="torch").encode(photos)


def test_the_two_traps(mobilenet: Path, photos: list[np.ndarray], tmp_path: Path) -> None:
    weights = mobilenet / "mobilenetv2_100.imagenet1k.safetensors"
    right = encode(mobilenet / "config.json", weights, tmp_path / "right", photos)
    document = json.loads((mobilenet / "config.json").read_text())
    other = tmp_path / "config.json"
    padding = {k: v for k, v in document.items() if k != "model_args"}
    other.write_text(json.dumps(padding))
    default_padding = encode(other, weights, tmp_path / "padding", photos)
    described = {**document["pretrained_cfg"], "mean": [0.485, 0.456, 0.406]}
    described["std"] = [0.229, 0.224, 0.225]
    other.write_text(json.dumps({**document, "pretrained_cfg": described}))
    imagenet = encode(other, weights, tmp_path / "normalisation", photos)
    assert least_cosine(default_padding, right) < 0.99
    assert least_cosine(imagenet, right) < 0.99
    stored = json.loads((tmp_path / "right" / "model.json").read_text())["encoder"]
    assert stored["model_args"]["pad_type"] == "same"
    assert stored["preprocessing"]["mean"] == stored["preprocessing"]["std"] == [0.5] * 3
    assert stored["feature"] == "blocks.5.0.bn1"


def test_the_compact_weights_say_the_same(
    mobilenet: Path, photos: list[np.ndarray], tmp_path: Path
) -> None:
    found = [
        encode(mobilenet / "config.json", mobilenet / name, tmp_path / name, photos)
        for name in (
            "mobilenetv2_100.imagenet1k.safetensors",
            "mobilenetv2_100.imagenet1k.int8.safetensors",
        )
    ]
    assert least_cosine(*found) > 0.99999


def test_defaults_of_the_measured_family(mobilenet: Path, tmp_path: Path) -> None:
    report = import_model(
        tmp_path / "bundle",
        mobilenet / "config.json",
        mobilenet / "mobilenetv2_100.imagenet1k.safetensors",
    )
    encoder = load_model(tmp_path / "bundle")
    assert encoder.fingerprint == report.fingerprint
    assert (encoder.dimension, encoder.regions, encoder.decode_size) == (576, 2, (448, 448))
    assert encoder.whitening is not None
    assert encoder.whitening.dimension == 512
    assert report.basis == "measured on real photos"
    assert "apache-2.0" in str(encoder.describe()["licence"])
    assert "sha256" in str(encoder.describe()["provenance"])


@pytest.mark.parametrize(
    "architecture", ["test_efficientnet", "test_convnext", "test_vit", "test_resnet"]
)
def test_any_backbone(
    architecture: str, write_source: Write, tmp_path: Path, pictures: list[np.ndarray]
) -> None:
    config, weights = write_source(architecture)
    import_model(tmp_path / "out", config, weights, size=160)
    encoder = load_model(tmp_path / "out", precision="float32", runtime="torch")
    cells = encoder.encode_regions(pictures[:2])
    assert cells.shape == (2, 4, encoder.dimension)


def test_options(write_source: Write, tmp_path: Path) -> None:
    config, weights = write_source("test_vit")
    report = import_model(
        tmp_path / "out",
        config,
        weights,
        name="mine",
        pooling="class",
        views="four",
        resize="crop",
        feature="blocks.2",
        size=(96, 160),
    )
    settings = report.bundle.settings
    assert (settings.pooling, settings.regions, settings.views) == ("class", 1, "four")
    assert settings.preprocessing.size == (96, 160)
    assert settings.preprocessing.crop_fraction == 0.9
    assert report.bundle.card.name == "mine"
    assert report.basis == "given"
    with pytest.raises(OutputError, match="not empty"):
        import_model(tmp_path / "out", config, weights)
    import_model(tmp_path / "out", config, weights, replace_existing=True)
    with pytest.raises(BundleError, match="regions"):
        import_model(tmp_path / "no", config, weights, pooling="class", regions=2)
    assert not (tmp_path / "no").exists()


def test_a_config_of_any_of_the_forms(write_source: Write, tmp_path: Path) -> None:
    config, weights = write_source()
    nested = json.loads(config.read_text())
    flat = {"architecture": nested["architecture"], **nested["pretrained_cfg"], "num_classes": 10}
    config.write_text(json.dumps(flat))
    assert read_config(config).licence == "apache-2.0"
    import_model(tmp_path / "flat", config, weights)
    headless = {k: v for k, v in load_file(weights).items() if not k.startswith("classifier")}
    save_file(headless, weights)
    config.write_text(json.dumps({**nested, "num_classes": 0}))
    import_model(tmp_path / "headless", config, weights)


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"architecture": 3},
        {"architecture": "test_vit"},
        {"architecture": "test_vit", "pretrained_cfg": []},
        {"architecture": "test_vit", "pretrained_cfg": {"mean": [0.5, 0.5, 0.5]}},
        {"architecture": "test_vit", "mean": [1, 1, 1], "std": [1, 1, 1], "input_size": [3, 64]},
        {
            "architecture": "test_vit",
            "mean": [1, 1, 1],
            "std": [0, 1, 1],
            "input_size": [3, 64, 64],
        },
    ],
)
def test_incomplete_configs(document: object, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(document))
    with pytest.raises(BundleError, match="must") as refused:
        read_config(path)
    assert refused.value.path == str(path)


def test_unreadable_configs(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot be read"):
        read_config(tmp_path / "missing.json")
    (tmp_path / "config.json").write_text("{not json")
    with pytest.raises(BundleError, match="cannot be read"):
        read_config(tmp_path / "config.json")


@pytest.mark.parametrize("suffix", [".pth", ".bin", ".pt"])
def test_pickles_are_never_read(suffix: str, write_source: Write, tmp_path: Path) -> None:
    config, weights = write_source()
    hostile = weights.rename(weights.with_suffix(suffix))
    with pytest.raises(BundleError, match="may be a pickle") as refused:
        import_model(tmp_path / "out", config, hostile)
    assert "save_file" in refused.value.hint


def test_weights_that_do_not_fit(write_source: Write, tmp_path: Path) -> None:
    config, weights = write_source()
    out = tmp_path / "out"
    tensors = load_file(weights)
    first = next(k for k in tensors if k.endswith("weight"))
    broken = {k: v for k, v in tensors.items() if k != first}
    save_file({**broken, "surplus": tensors[first]}, weights)
    with pytest.raises(BundleError, match=f"1 missing .*{first}.*1 unexpected .*surplus"):
        import_model(out, config, weights)
    save_file({**tensors, first: tensors[first][:1].contiguous()}, weights)
    with pytest.raises(BundleError, match="1 of another shape"):
        import_model(out, config, weights)
    weights.write_bytes(b"GARBAGE")
    with pytest.raises(BundleError, match="no safetensors"):
        import_model(out, config, weights)
    weights.unlink()
    with pytest.raises(BundleError, match="cannot be read"):
        import_model(out, config, weights)
    assert not out.exists()


def test_the_sample(write_source: Write, tmp_path: Path, pictures: list[np.ndarray]) -> None:
    config, weights = write_source()
    good, bad = tmp_path / "good.png", tmp_path / "bad.jpg"
    Image.fromarray(pictures[0]).save(good)
    bad.write_text("no photo")
    many = [good, bad, *(pictures * 3)]
    report = import_model(tmp_path / "out", config, weights, size=64, whiten_photos=many)
    assert (report.sampled, len(report.skipped)) == (25, 1)
    assert isinstance(report.skipped[0], PhotoError)
    encoder = load_model(tmp_path / "out", precision="float32", runtime="torch")
    assert encoder.sample is not None
    assert encoder.sample.light_count == 25 * RECOLOURINGS
    vectors = encoder.encode_regions([pictures[0], *(pictures * 3)])
    vectors = vectors.reshape(-1, encoder.dimension)
    np.testing.assert_allclose(encoder.sample.mean, vectors.mean(axis=0), atol=1e-4)
    expected = np.cov(vectors.T.astype(np.float64), bias=True)
    np.testing.assert_allclose(encoder.sample.covariance, expected, atol=1e-4)
    light = encoder.sample.light_covariance
    assert light is not None
    assert np.linalg.eigvalsh(light).min() > -1e-6
    assert np.trace(light) > 1e-4
    again = import_model(tmp_path / "again", config, weights, size=64, whiten_photos=many)
    np.testing.assert_array_equal(
        again.bundle.sample.light_covariance, report.bundle.sample.light_covariance
    )  # type: ignore[union-attr, arg-type]
    assert again.fingerprint == report.fingerprint
    few = import_model(
        tmp_path / "few", config, weights, size=64, whiten_photos=iter(many), sample_limit=3
    )
    assert few.sampled == 3


def test_no_photo_to_sample(write_source: Write, tmp_path: Path) -> None:
    config, weights = write_source()
    with pytest.raises(UsageError, match="No photo") as refused:
        import_model(tmp_path / "out", config, weights, whiten_photos=[])
    assert "there are none" in refused.value.hint
    with pytest.raises(UsageError, match="1 were refused"):
        import_model(tmp_path / "out", config, weights, whiten_photos=[tmp_path / "missing.jpg"])


def test_recolouring_is_strong_seeded_and_leaves_shapes(pictures: list[np.ndarray]) -> None:
    grey = np.full((2, 4, 5, 3), 120, np.uint8)
    assert recolour(grey, np.random.default_rng(0)).shape == grey.shape
    for seed in range(5):
        changed = recolour(pictures[0], np.random.default_rng(seed))
        np.testing.assert_array_equal(changed, recolour(pictures[0], np.random.default_rng(seed)))
        assert changed.dtype == np.uint8
        assert np.abs(changed.astype(float) - pictures[0]).mean() > 5
        # Light changes, edges stay where they are.
        assert (
            np.corrcoef(changed.mean(axis=2).ravel(), pictures[0].mean(axis=2).ravel())[0, 1] > 0.6
        )


def test_fetching_asks_first(tmp_path: Path) -> None:
    asked: list[str] = []

    def refuse(question: str) -> bool:
        asked.append(question)
        return False

    with pytest.raises(UsageError, match="answered with no"):
        fetch_model("test_resnet.r160_in1k", tmp_path / "out", confirm=refuse)
    (question,) = asked
    assert "timm/test_resnet.r160_in1k" in question
    assert "MB" in question
    assert "Licence: apache-2.0" in question
    for unknown in ("no_such_network", "test_resnet.no_such_tag", "hf-hub:a/b"):
        with pytest.raises(UsageError, match="knows no weights"):
            fetch_model(unknown, tmp_path / "out", confirm=lambda _: True)
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("ignore")
def test_an_unreachable_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # It is asked six times, and waited for in between.
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with pytest.raises(BundleError, match="cannot be downloaded") as refused:
        fetch_model(
            "test_resnet.r160_in1k",
            tmp_path / "out",
            confirm=lambda _: True,
            endpoint="http://127.0.0.1:9",
        )
    assert "model import" in refused.value.hint
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("ignore")
def test_a_download_becomes_a_bundle(write_source: Write, tmp_path: Path) -> None:
    """A small server in the hub's own protocol stands in for the hub, which tests never reach."""
    config, weights = write_source("test_resnet")

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self.wfile.write(self._answer())

        def _answer(self) -> bytes:
            source = config if self.path.endswith("config.json") else weights
            content = source.read_bytes()
            self.send_response(200)
            self.send_header("ETag", f'"{source.name}"')
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            return content

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        report = fetch_model(
            "test_resnet.r160_in1k",
            tmp_path / "out",
            confirm=lambda _: True,
            endpoint=f"http://127.0.0.1:{server.server_port}",
            size=64,
        )
    finally:
        server.shutdown()
        server.server_close()
    assert load_model(tmp_path / "out").fingerprint == report.fingerprint


def test_a_folder_in_the_hubs_layout(write_source: Write, tmp_path: Path) -> None:
    config, weights = write_source()
    import_downloaded(config.parent, tmp_path / "out", size=64)
    assert load_model(tmp_path / "out").dimension > 0
    shutil.move(weights, tmp_path / "elsewhere")
    with pytest.raises(BundleError, match=r"holds no model\.safetensors"):
        import_downloaded(config.parent, tmp_path / "other")


def test_tuning_without_labels(write_source: Write, pictures: list[np.ndarray]) -> None:
    config, weights = write_source()
    ranking = tune_model(config, weights, pictures)
    assert len({(r.feature, r.size) for r in ranking}) == len(ranking) >= 4
    assert {r.size for r in ranking} == {(64, 64), (128, 128)}
    order = [(-r.recall, -r.margin) for r in ranking]
    assert order == sorted(order)
    assert all(0 <= r.recall <= 1 and r.seconds_per_photo > 0 for r in ranking)


def test_tuning_with_labels(write_source: Write, pictures: list[np.ndarray]) -> None:
    config, weights = write_source("test_vit")
    copies = [np.roll(p, 1, axis=1) for p in pictures]
    ranking = tune_model(
        config,
        weights,
        pictures + copies,
        places=[*range(8), *range(8)],
        features=["norm"],
        poolings=("average", "class"),
    )
    assert {(r.feature, r.pooling) for r in ranking} == {("norm", "average"), ("norm", "class")}
    assert ranking[0].recall == 1.0
    wrong = tune_model(
        config,
        weights,
        pictures + copies,
        places=[*range(8), *[7, 6, 5, 4, 3, 2, 1, 0]],
        features=["norm"],
    )
    assert wrong[0].recall == 0.0
    same = [pictures[0]] * 6
    assert tune_model(config, weights, same, features=["norm"])[0].recall == 0.0


def test_tuning_refuses(write_source: Write, pictures: list[np.ndarray]) -> None:
    config, weights = write_source()
    with pytest.raises(UsageError, match="at least 4"):
        tune_model(config, weights, pictures[:3])
    with pytest.raises(UsageError, match="one place per photo"):
        tune_model(config, weights, pictures, places=[1, 2])
    for labels in ([1] * 8, list(range(8))):
        with pytest.raises(UsageError, match="tell places apart"):
            tune_model(config, weights, pictures, places=labels)
    with pytest.raises(BundleError, match="no class token"):
        tune_model(config, weights, pictures, poolings=("class",))
