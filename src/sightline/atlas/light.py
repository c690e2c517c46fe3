"""How light changes the vectors of an atlas's own photos, for encoders that bring no such sample.

A strongly re-coloured query finds its place again only if the whitening knows which directions
light moves vectors in. A few dozen photos, encoded as they are and re-coloured, show them.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.atlas.store import Store
from sightline.durable import write_bytes
from sightline.errors import PhotoError
from sightline.imagery.photo import open_photo
from sightline.models.recolour import recolour
from sightline.models.sample import statistics_to_bytes
from sightline.models.statistics import FeatureStatistics

if TYPE_CHECKING:
    from sightline.models.protocol import Encoder

LIGHT_NAME = "light.safetensors"
_PHOTOS = 64


def add_light(store: Store, encoder: Encoder) -> Store:
    """Measure what light does to up to 64 photos of the atlas, and write it beside the rows.

    Does nothing if the encoder does not whiten, brings a light sample, or the atlas has one
    already. Photos that are gone or have changed since are passed over.

    Returns:
        The store with its new card.

    Raises:
        OutputError: The folder cannot be written.
    """
    brought = encoder.sample is not None and encoder.sample.light_covariance is not None
    if encoder.whitening is None or brought or store.card.light is not None:
        return store
    original, recoloured = [], []
    for position in _spread(store):
        pair = _pair(store, position, encoder)
        if pair is not None:
            original.append(pair[0])
            recoloured.append(pair[1])
    if not original:
        return store
    statistics = FeatureStatistics.from_regions(np.stack(original), np.stack(recoloured))
    write_bytes(store.path / LIGHT_NAME, statistics_to_bytes(statistics))
    dataclasses.replace(store.card, light=LIGHT_NAME).write(store.path)
    return store.refreshed()


def _spread(store: Store) -> NDArray[np.int64]:
    """Positions of up to 64 rows, evenly spaced in the order in which photos came."""
    first_views = np.flatnonzero(store.column("view") == 0)
    by_age = first_views[np.argsort(store.ids()[first_views])]
    count = min(_PHOTOS, len(by_age))
    return by_age[np.linspace(0, len(by_age) - 1, count).round().astype(np.int64)]


def _pair(
    store: Store, position: int, encoder: Encoder
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Regional vectors (cells, d) of one photo as it is and re-coloured."""
    row = store.take(np.array([position]), ["uri", "sha256"])
    sha256: bytes = row.column("sha256")[0].as_py()
    try:
        photo = open_photo(row.column("uri")[0].as_py(), at_least=encoder.decode_size)
    except PhotoError:
        return None
    if photo.sha256 != sha256.hex():
        return None
    pixels = photo.views()[0][0]
    # The photo's own hash, so that every build of the same photos sees the same light.
    generator = np.random.default_rng(list(sha256))
    pair = np.stack([encoder.prepare(pixels), encoder.prepare(recolour(pixels, generator))])
    plain, changed = encoder.encode_prepared(pair)
    return plain, changed
