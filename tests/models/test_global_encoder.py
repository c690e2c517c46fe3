"""One forward pass gives vectors and beliefs; photos become pixels as they do in training."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sightline.errors import EncoderError, PhotoUnreadableError, UsageError, VectorError
from sightline.imagery import open_photo
from sightline.locating import classify
from sightline.models import autocast_runtime
from sightline.models.bundle import GlobalBundle
from sightline.models.photo_preprocessing import PhotoPreprocessing
from sightline.training.data.pixels import DecodedEachTime, KeptOnDisk

from .global_networks import FAMILY, bundle, settings


def pixels_of(made: GlobalBundle, pictures: list[np.ndarray]) -> torch.Tensor:
    prepared = np.stack([made.encoder().prepare(one)[0] for one in pictures])
    return torch.from_numpy(prepared).permute(0, 3, 1, 2)


@pytest.mark.parametrize("head", ["single", "multi", "hierarchical", "mixture"])
@pytest.mark.parametrize("hidden", [0, 8])
def test_it_says_what_the_network_says(head: str, hidden: int, pictures: list[np.ndarray]) -> None:
    made = bundle(head, residual_hidden=hidden)
    encoder = made.encoder()
    found = encoder.classify(pictures)
    with torch.no_grad():
        given = pixels_of(made, pictures)
        pooled = made.classifier.vectors(given)
        expected = pooled if made.residual is None else made.residual(pooled)
        expected = expected / expected.norm(dim=1, keepdim=True)
        beliefs = made.classifier.log_probabilities(given)
    beliefs = beliefs if isinstance(beliefs, tuple) else (beliefs,)
    assert found.vectors.shape == (8, 1, encoder.dimension)
    np.testing.assert_allclose(found.vectors[:, 0], expected.numpy(), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=2), 1.0, atol=1e-6)
    np.testing.assert_array_equal(encoder.encode(pictures), found.vectors[:, 0])
    assert [len(one) for one in encoder.answering] == [b.shape[1] for b in beliefs]
    for ours, theirs in zip(found.log_probabilities, beliefs, strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5)
        np.testing.assert_allclose(np.exp(ours, dtype=np.float64).sum(axis=1), 1.0, atol=1e-5)
    modes = encoder.modes(found.log_probabilities[-1])
    if head == "mixture":
        head_ = made.classifier.head
        np.testing.assert_allclose(modes, head_.modes(pooled).points.numpy(), atol=1e-6)
        assert modes.shape == (8, 2)
    else:
        assert modes is None
        assert classify(found.log_probabilities[-1], encoder.answering[-1]).shape == (8, 2)


def test_what_an_atlas_needs_to_know() -> None:
    encoder = bundle("multi", residual_hidden=8).encoder()
    assert encoder.name == "tiny"
    assert (encoder.regions, encoder.aerial_turns) == (1, 1)
    assert encoder.branches == {"ground"}
    assert encoder.whitening is None
    assert encoder.sample is None
    assert encoder.decode_size == encoder.decode_size_of("ground") == (64, 64)
    assert encoder.partitions == FAMILY
    described = encoder.describe()
    assert described["kind"] == "global"
    assert described["retrieval"] == "residual module of width 8"
    assert described["computes"] is None
    without = bundle(residual_hidden=8, residual_skip=False).encoder().describe()
    assert without["retrieval"].endswith("of width 8, without its residual connection")
    assert [one["cells"] for one in described["classifier"]["partitions"]] == [9, 12, 18]
    assert bundle().encoder().describe()["retrieval"] == "pooled vector"
    assert encoder.encode([]).shape == (0, encoder.dimension)
    nothing = encoder.classify([])
    assert [one.shape for one in nothing.log_probabilities] == [(0, 9), (0, 12), (0, 18)]
    assert encoder.describe()["computes"] == "float32"


def test_the_fingerprint_is_of_what_changes_a_vector() -> None:
    """And of nothing else: an atlas outlives a head that is trained further."""
    plain = bundle(residual_hidden=8)
    fingerprint = plain.encoder().fingerprint
    further = bundle(residual_hidden=8)
    further.classifier.head.linear.weight.data += 0.1
    same = [further, bundle("mixture", residual_hidden=8), bundle("multi", residual_hidden=8)]
    for other in same:
        for name in ("trunk", "pooling"):
            part = getattr(other.classifier, name)
            part.load_state_dict(getattr(plain.classifier, name).state_dict())
        other.residual.load_state_dict(plain.residual.state_dict())
        assert other.encoder().fingerprint == fingerprint
        assert other.encoder().classifier_fingerprint != plain.encoder().classifier_fingerprint
    others = [
        bundle(seed=1, residual_hidden=8),
        bundle(residual_hidden=0),
        bundle(residual_hidden=8, residual_skip=False),
        bundle(pooling="max", residual_hidden=8),
        bundle(size=(64, 96), residual_hidden=8),
        bundle(residual_hidden=8, preprocessing=PhotoPreprocessing(interpolation="bilinear")),
        bundle(residual_hidden=8, preprocessing=PhotoPreprocessing(mean=(0.1, 0.2, 0.3))),
        bundle(residual_hidden=8, preprocessing=PhotoPreprocessing(resize="crop")),
    ]
    assert len({fingerprint, *(other.encoder().fingerprint for other in others)}) == 9
    without = bundle(residual_hidden=8, residual_skip=False).encoder()
    assert without.classifier_fingerprint == plain.encoder().classifier_fingerprint
    trained = bundle(residual_hidden=8)
    trained.residual.output.weight.data += 0.1
    assert trained.encoder().fingerprint != fingerprint
    assert trained.encoder().classifier_fingerprint == plain.encoder().classifier_fingerprint


@pytest.mark.parametrize("resize", ["squeeze", "crop"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_training_reads_the_very_same_pixels(resize: str, kind: str, tmp_path: Path) -> None:
    how = PhotoPreprocessing(resize=resize, interpolation="bilinear")
    encoder = bundle(preprocessing=how).encoder()
    generator = np.random.default_rng(0)
    paths = []
    for number, (height, width) in enumerate([(400, 300), (64, 64), (90, 700)]):
        blocks = generator.integers(0, 255, (height // 10 + 1, width // 10 + 1, 3), np.uint8)
        picture = blocks.repeat(10, axis=0).repeat(10, axis=1)[:height, :width]
        paths.append(tmp_path / f"{number}.{kind.lower()}")
        Image.fromarray(picture).save(paths[-1], kind)
    each = DecodedEachTime(paths, (64, 64), how.read)
    kept = KeptOnDisk(tmp_path / "kept", "photos", paths, (64, 64), repr(how), how.read)
    rows = np.arange(3)
    assert not each.take(rows)[1].any()
    for number, path in enumerate(paths):
        opened = open_photo(path, at_least=encoder.decode_size)
        used = encoder.prepare(opened.pixels)[0]
        for source in (each, kept):
            np.testing.assert_array_equal(source.take(rows)[0][number].transpose(1, 2, 0), used)
        np.testing.assert_array_equal(how.read(path.read_bytes(), (64, 64), name="x"), used)


def test_a_broken_photo_is_the_same_error_as_elsewhere() -> None:
    with pytest.raises(PhotoUnreadableError, match="mine"):
        PhotoPreprocessing().read(io.BytesIO(b"no picture"), (64, 64), name="mine")


def test_pieces_are_encoded_as_the_whole(
    pictures: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = bundle("multi").encoder()
    whole = encoder.classify(pictures)
    monkeypatch.setattr(autocast_runtime, "_IMAGES_AT_ONCE", 3)
    parts = encoder.classify(pictures)
    np.testing.assert_allclose(parts.vectors, whole.vectors, atol=1e-6)
    for a, b in zip(parts.log_probabilities, whole.log_probabilities, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_half_precision_keeps_vectors_and_beliefs(pictures: list[np.ndarray]) -> None:
    plain = bundle("mixture", residual_hidden=8).encoder().classify(pictures)
    halved = bundle("mixture", residual_hidden=8).encoder(precision="bfloat16")
    assert halved.warm_up() == "bfloat16"
    found = halved.classify(pictures)
    cosines = (plain.vectors * found.vectors).sum(axis=2)
    assert 0.999 < cosines.min() < 1.0
    np.testing.assert_allclose(found.log_probabilities[0], plain.log_probabilities[0], atol=0.1)
    with pytest.raises(UsageError, match="auto or torch"):
        bundle().encoder(runtime="openvino")
    with pytest.raises(UsageError, match="precision"):
        bundle().encoder(precision="int4")  # type: ignore[arg-type]


def test_refusals(pictures: list[np.ndarray]) -> None:
    encoder = bundle().encoder()
    with pytest.raises(EncoderError, match="ground photos only"):
        encoder.decode_size_of("aerial")
    with pytest.raises(EncoderError, match="ground photos only"):
        encoder.classify(pictures, "aerial")
    with pytest.raises(EncoderError, match="ground photos only"):
        encoder.prepare(pictures[0], "aerial")
    with pytest.raises(EncoderError, match="must be uint8 RGB"):
        encoder.prepare(np.zeros((4, 4), np.uint8))
    for wrong in (
        np.zeros((1, 64, 64, 3), np.uint8),
        np.zeros((1, 1, 64, 65, 3), np.uint8),
        np.zeros((1, 1, 64, 64, 3), np.float32),
    ):
        with pytest.raises(EncoderError, match=r"uint8 \(n, 1, 64, 64, 3\)"):
            encoder.encode_prepared(wrong)
    with pytest.raises(VectorError):
        bundle("mixture").encoder().modes(np.zeros((1, 3), np.float32))


@pytest.mark.parametrize("broken", [0.0, float("nan")])
def test_a_network_that_sees_nothing_is_an_error(broken: float, pictures: list[np.ndarray]) -> None:
    made = bundle()
    for parameter in made.classifier.trunk.network.parameters():
        parameter.data.fill_(broken)
    encoder = replace(made, settings=settings()).encoder()
    with pytest.raises(VectorError, match="photo 0 of 8"):
        encoder.encode(pictures)
    with pytest.raises(VectorError, match="NaN, infinity or a zero vector"):
        encoder.classify(pictures)
