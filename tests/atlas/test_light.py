from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sightline.atlas.build import build_atlas
from sightline.atlas.store import Store
from sightline.imagery.photo import open_photo
from sightline.models.recolour import recolour
from sightline.models.sample import statistics_from_bytes
from sightline.models.statistics import FeatureStatistics
from sightline.models.whitening import WhiteningSettings

from .encoders import ColourGrid
from .photos import write_photo, write_photos

SETTINGS = WhiteningSettings(dimension=4)


def test_an_encoder_without_a_light_sample_gets_one_from_the_photos(tmp_path: Path) -> None:
    encoder = ColourGrid(whitening=SETTINGS)
    records = write_photos(tmp_path / "photos", 5)
    build_atlas(tmp_path / "atlas", records, encoder)
    card = Store.open(tmp_path / "atlas").card
    assert card.light == "light.safetensors"
    got = statistics_from_bytes((tmp_path / "atlas" / "light.safetensors").read_bytes())
    plain, changed = [], []
    for one in records:
        photo = open_photo(one.uri, at_least=encoder.decode_size)
        generator = np.random.default_rng(list(bytes.fromhex(photo.sha256)))
        other = recolour(photo.pixels, generator)
        plain.append(encoder.encode_regions([photo.pixels])[0])
        changed.append(encoder.encode_regions([other])[0])
    expected = FeatureStatistics.from_regions(np.array(plain), np.array(changed))
    assert (got.count, got.light_count) == (5, 5)
    assert got.light_covariance is not None
    assert expected.light_covariance is not None
    assert np.allclose(got.light_covariance, expected.light_covariance, atol=1e-6)
    assert np.trace(got.light_covariance) > 1e-3
    assert Store.open(tmp_path / "atlas").count == 5


def test_at_most_64_photos_are_encoded_twice(tmp_path: Path) -> None:
    encoder = ColourGrid(whitening=SETTINGS)
    build_atlas(tmp_path / "atlas", write_photos(tmp_path / "photos", 70), encoder)
    got = statistics_from_bytes((tmp_path / "atlas" / "light.safetensors").read_bytes())
    assert got.count == 64
    # An atlas that has its light sample keeps it.
    before = encoder.encoded
    build_atlas(tmp_path / "atlas", write_photos(tmp_path / "photos", 71), encoder)
    assert encoder.encoded == before + 1


def test_photos_that_went_or_changed_are_passed_over(tmp_path: Path) -> None:
    encoder = ColourGrid(whitening=SETTINGS)
    records = write_photos(tmp_path / "photos", 4)
    build_atlas(tmp_path / "atlas", records[:3], encoder, light=False)
    assert Store.open(tmp_path / "atlas").card.light is None
    Path(records[0].uri).unlink()
    write_photo(Path(records[1].uri), 77)
    build_atlas(tmp_path / "atlas", records[3:], encoder)
    got = statistics_from_bytes((tmp_path / "atlas" / "light.safetensors").read_bytes())
    assert got.count == 2


def test_no_photo_left_to_look_at(tmp_path: Path) -> None:
    from sightline.atlas.light import add_light

    encoder = ColourGrid(whitening=SETTINGS)
    records = write_photos(tmp_path / "photos", 1)
    build_atlas(tmp_path / "atlas", records, encoder, light=False)
    Path(records[0].uri).unlink()
    store = Store.open(tmp_path / "atlas")
    assert add_light(store, encoder) is store


@pytest.mark.parametrize("with_light", [False, True])
def test_the_bundles_sample_travels_with_the_atlas(tmp_path: Path, with_light: bool) -> None:
    vectors = np.random.default_rng(1).normal(size=(2, 30, 8))
    sample = FeatureStatistics.from_vectors(vectors[0], vectors[1] if with_light else None)
    encoder = ColourGrid(whitening=SETTINGS, sample=sample)
    build_atlas(tmp_path / "atlas", write_photos(tmp_path / "photos", 3), encoder)
    card = Store.open(tmp_path / "atlas").card
    assert (card.sample, card.whitening) == ("sample.safetensors", SETTINGS)
    assert (card.light is None) == with_light
    kept = statistics_from_bytes((tmp_path / "atlas" / "sample.safetensors").read_bytes())
    assert np.allclose(kept.covariance, sample.covariance, atol=1e-5)
