"""Two branches behind the protocol, and queries of every heading against the slow oracle."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sightline.errors import EncoderError, UsageError, VectorError
from sightline.models import autocast_runtime as module
from sightline.models.cross_view_encoder import TorchCrossViewEncoder
from sightline.models.cross_view_queries import ROLL_DEGREES
from sightline.models.protocol import GroundQueries
from sightline.models.region_shifts import best_shifts, headings_of_shifts
from sightline.models.view_geometry import read_geometry

from .cross_view_networks import bundle, encoder, pictures, turning


def tensor(images: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


def prepared(found: TorchCrossViewEncoder, images: list[np.ndarray]) -> np.ndarray:
    return np.stack([found.prepare(image) for image in images])


def best(queries: GroundQueries, rows: np.ndarray, turns: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores and headings (n, m), by loops over queries and rows."""
    photos, patches = len(queries.vectors), len(rows) // turns
    scores = np.full((photos, patches), -np.inf)
    headings = np.full((photos, patches), np.nan)
    for photo in range(photos):
        for number, vector in enumerate(queries.vectors[photo]):
            for row, reference in enumerate(rows):
                patch, turn = divmod(row, turns)
                if queries.turns[number] not in (-1, turn):
                    continue
                score = queries.scales[photo, number] * float(vector @ reference)
                if score > scores[photo, patch]:
                    scores[photo, patch] = score
                    headings[photo, patch] = (
                        queries.headings[photo, number] + turn * queries.turn_degrees
                    ) % 360
    return scores, headings


def test_both_branches() -> None:
    found = encoder()
    assert found.branches == {"ground", "aerial"}
    assert (found.decode_size, found.decode_size_of("aerial")) == ((64, 256), (64, 64))
    assert (found.regions, found.aerial_turns, found.whitening, found.sample) == (1, 1, None, None)
    images = pictures(3, (90, 130))
    for view, size in (("ground", (64, 256)), ("aerial", (64, 64))):
        inputs = np.stack([found.prepare(image, view) for image in images])
        assert inputs.shape == (3, 1, *size, 3)
        vectors = found.encode_prepared(inputs, view)
        assert vectors.shape == (3, 1, found.dimension)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=2), 1.0, atol=1e-5)
        np.testing.assert_array_equal(found.encode(images, view), vectors[:, 0])
        network = getattr(found.network, f"encode_{view}")
        with torch.inference_mode():
            expected = network(tensor(list(inputs[:, 0])))
        np.testing.assert_allclose(vectors[:, 0], expected, atol=1e-6)
    assert found.encode([], "aerial").shape == (0, found.dimension)
    assert found.ground_queries(np.zeros((0, 1, 64, 256, 3), np.uint8)).vectors.shape[0] == 0


def test_batches_are_bounded_without_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    found = encoder()
    images = pictures(5, (64, 256))
    whole = found.encode(images)
    monkeypatch.setattr(module, "_IMAGES_AT_ONCE", 2)
    np.testing.assert_allclose(found.encode(images), whole, atol=1e-6)


@pytest.mark.parametrize("ground", ["panorama", "crop:180", "perspective:90", "perspective:70"])
@pytest.mark.parametrize("turns", [1, 3])
def test_unknown_headings_are_those_of_the_best_shifts(ground: str, turns: int) -> None:
    """The same best score and the same heading as the direct comparison of regions."""
    found = turning(ground, turns)
    assert found.aerial_turns == turns
    photos = pictures(4, found.decode_size)
    patches = pictures(6, (64, 64), seed=2)
    rows = found.encode(patches, "aerial")
    assert rows.shape == (6 * turns, found.dimension)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)
    queries = found.ground_queries(prepared(found, photos))
    assert queries.vectors.shape[:2] == (4, 4)
    network = found.network
    with torch.inference_mode():
        regions = network.regions_of(network.encode_ground(tensor(photos)))
        turned = network.encode_aerial_turned(tensor(patches), turns)
        expected, shifts = best_shifts(regions, turned)
        ahead = headings_of_shifts(shifts, read_geometry(ground), regions=4, phases=turns)
    scores, headings = best(queries, rows, turns)
    np.testing.assert_allclose(scores, expected, atol=2e-6)
    np.testing.assert_allclose(headings, ahead, atol=1e-9)


@pytest.mark.parametrize("ground", ["panorama", "perspective:90"])
def test_a_known_heading_asks_every_turn_for_itself(ground: str) -> None:
    """At a heading that is a whole number of turns it is one of the shifts that are tried."""
    found = turning(ground, 3)
    photos, patches = pictures(2, found.decode_size), pictures(4, (64, 64), seed=2)
    rows = found.encode(patches, "aerial").reshape(4, 3, -1)
    unknown = found.ground_queries(prepared(found, photos))
    ahead = unknown.headings[0, 1] + 2 * unknown.turn_degrees
    known = found.ground_queries(prepared(found, photos), np.array([ahead, ahead - 360.0]))
    assert known.turns.tolist() == [0, 1, 2]
    np.testing.assert_allclose(
        np.mod(known.headings + known.turns * known.turn_degrees, 360), np.mod(ahead, 360)
    )
    np.testing.assert_allclose(
        np.einsum("nd,md->nm", known.vectors[:, 2], rows[:, 2]) * known.scales[:, 2:],
        np.einsum("nd,md->nm", unknown.vectors[:, 1], rows[:, 2]) * unknown.scales[:, 1:2],
        atol=2e-6,
    )


def test_a_network_that_is_told_headings() -> None:
    found = encoder(
        ground="perspective:90", heading="known", ground_size=(64, 96), options={"split": "area"}
    )
    photos = pictures(3, (64, 96))
    headings = np.array([0.0, 33.0, 359.5])
    queries = found.ground_queries(prepared(found, photos), headings)
    with torch.inference_mode():
        expected = found.network.encode_ground(tensor(photos), torch.from_numpy(headings))
    np.testing.assert_allclose(queries.vectors[:, 0], expected, atol=1e-6)
    np.testing.assert_array_equal(queries.headings[:, 0], headings)
    assert found.ground_queries(prepared(found, photos)).vectors.shape[:2] == (3, 4)


def test_an_aligned_photo_shows_the_regions_of_the_north() -> None:
    same = {"ground": "perspective:90", "ground_size": (64, 96), "options": {"split": "area"}}
    aligned, known = encoder(heading="aligned", **same), encoder(heading="known", **same)
    known.network.load_state_dict(aligned.network.state_dict())
    photos = prepared(aligned, pictures(2, (64, 96)))
    expected = known.ground_queries(photos, np.zeros(2))
    for headings in (None, np.zeros(2)):
        found = aligned.ground_queries(photos, headings)
        np.testing.assert_allclose(found.vectors, expected.vectors, atol=1e-6)
        assert found.headings.tolist() == [[0.0], [0.0]]


def test_panoramas_are_turned_until_they_look_north() -> None:
    found = encoder()
    north = pictures(2, (64, 256))
    # A camera that looks east has the north a quarter of the circle to its left.
    east = [np.roll(image, -64, axis=1) for image in north]
    queries = found.ground_queries(prepared(found, east), np.array([90.0, 450.0]))
    np.testing.assert_allclose(queries.vectors[:, 0], found.encode(north), atol=1e-6)
    np.testing.assert_array_equal(queries.headings, [[90.0], [90.0]])
    tried = found.ground_queries(prepared(found, east))
    assert tried.vectors.shape[1] == 360 / ROLL_DEGREES
    (column,) = np.flatnonzero(tried.headings[0] == 90.0)
    np.testing.assert_allclose(tried.vectors[:, column], found.encode(north), atol=1e-6)


def test_headings_that_a_network_knows_nothing_of() -> None:
    deaf = encoder("average", heading="unknown")
    photos = prepared(deaf, pictures(2, (64, 256)))
    for headings in (None, np.array([10.0, 20.0])):
        queries = deaf.ground_queries(photos, headings)
        assert queries.vectors.shape[:2] == (2, 1)
        assert np.isnan(queries.headings).all()
    aligned = encoder("average", ground="perspective:90", ground_size=(64, 96))
    photos = prepared(aligned, pictures(2, (64, 96)))
    assert aligned.ground_queries(photos).headings.tolist() == [[0.0], [0.0]]
    assert aligned.ground_queries(photos, np.array([0.0, 360.0])).headings.tolist() == [[0], [0]]
    with pytest.raises(EncoderError, match="heading of 20 degrees"):
        aligned.ground_queries(photos, np.array([0.0, 20.0]))


def test_it_computes_in_bfloat16_where_that_keeps_the_vectors() -> None:
    made = bundle()
    plain = made.encoder(precision="float32").encode(pictures(3, (64, 256)))
    halved = made.encoder(precision="bfloat16")
    assert halved.describe()["computes"] is None
    assert halved.warm_up() == "bfloat16"
    vectors = halved.encode(pictures(3, (64, 256)))
    assert 0.999 < (vectors * plain).sum(axis=1).min() < 1.0
    assert halved.describe()["computes"] == "bfloat16"
    assert made.encoder().warm_up() == "float32"


def test_bfloat16_that_loses_the_vectors_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_COSINE", 1.1)
    with pytest.raises(EncoderError, match="turns vectors"):
        bundle().encoder(precision="bfloat16").warm_up()
    elsewhere = bundle().encoder(precision="auto")
    monkeypatch.setattr(elsewhere._runtime, "_device", "cpu:0")
    assert elsewhere.warm_up() == "float32"


def test_refusals() -> None:
    found = encoder()
    with pytest.raises(UsageError, match="auto or torch"):
        bundle().encoder(runtime="openvino")
    with pytest.raises(UsageError, match="device"):
        bundle().encoder(device="warp")
    with pytest.raises(EncoderError, match="must be ground or aerial"):
        found.prepare(np.zeros((9, 9, 3), np.uint8), "satellite")  # type: ignore[arg-type]
    with pytest.raises(EncoderError, match="uint8 RGB"):
        found.prepare(np.zeros((9, 9), np.uint8))
    batch = prepared(found, pictures(2, (64, 256)))
    with pytest.raises(EncoderError, match="batch of aerial pictures must be uint8"):
        found.encode_prepared(batch, "aerial")
    with pytest.raises(EncoderError, match="must be uint8"):
        found.encode_prepared(batch.astype(np.float32))
    for headings in (np.array([1.0]), np.array([1.0, np.nan])):
        with pytest.raises(EncoderError, match="2 finite bearings"):
            found.ground_queries(batch, headings)


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_vectors_of_a_broken_network(value: float) -> None:
    broken = turning("perspective:90", 2)
    with torch.no_grad():
        for parameter in broken.network.heads.parameters():
            parameter.fill_(value)
    with pytest.raises(VectorError, match="picture 0 of 2"):
        broken.encode(pictures(2, (64, 64)), "aerial")
