"""A small real encoder: mean colours of a grid, through a fixed random projection."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.errors import VectorError
from sightline.models.statistics import FeatureStatistics
from sightline.models.whitening import WhiteningSettings

_SIDE = 16


class ColourGrid:
    """2 × 2 regions, each the projected mean colours of its 4 × 4 squares.

    A picture that is black all over has no direction and is refused, as a network's zero vector is.
    """

    def __init__(
        self,
        dimension: int = 8,
        seed: int = 1,
        sample: FeatureStatistics | None = None,
        whitening: WhiteningSettings | None = None,
    ) -> None:
        self.name = "colour-grid"
        self.dimension = dimension
        self.branches = frozenset({"ground"})
        self.regions = 2
        self.decode_size = (_SIDE, _SIDE)
        self.sample = sample
        self.whitening = whitening
        self.fingerprint = hashlib.sha256(b"%d %d" % (dimension, seed)).hexdigest()
        self._projection = np.random.default_rng(seed).normal(size=(48, dimension))
        self.encoded = 0
        self._counting = threading.Lock()

    def prepare(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        small = Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BOX)
        return np.asarray(small)[None]

    def encode_prepared(
        self, batch: NDArray[np.uint8], view: str = "ground"
    ) -> NDArray[np.float32]:
        with self._counting:
            self.encoded += len(batch)
        cells = batch[:, 0].astype(np.float64).reshape(-1, 2, 4, 2, 2, 4, 2, 3)
        # (n, region row, square row, y, region column, square column, x, rgb)
        means = cells.mean(axis=(3, 6)).transpose(0, 1, 3, 2, 4, 5).reshape(len(batch), 4, 48)
        vectors = means @ self._projection
        length = np.linalg.norm(vectors.mean(axis=1), axis=1)[:, None, None]
        if not length.all():
            raise VectorError("A picture has a zero vector.", hint="Leave it out.")
        return (vectors / length).astype(np.float32)

    def encode_regions(
        self, images: Sequence[NDArray[np.uint8]], view: str = "ground"
    ) -> NDArray[np.float32]:
        return self.encode_prepared(np.stack([self.prepare(i) for i in images]))

    def encode(
        self, images: Sequence[NDArray[np.uint8]], view: str = "ground"
    ) -> NDArray[np.float32]:
        return self.encode_regions(images).mean(axis=1)

    def describe(self) -> Mapping[str, object]:
        return {"name": self.name, "licence": "Apache-2.0"}
