"""A colour histogram behind the encoder protocol: what light and colour alone reach."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from sightline.models.protocol import Pixels, Vectors, View
from sightline.models.whitening import WhiteningSettings

BINS = 8
SIDE = 128


class HistogramEncoder:
    """Joint HSV histogram of 8 x 4 x 4 bins over the whole photo, square-rooted (Hellinger)."""

    name = "colour-histogram"
    fingerprint = "colour-histogram-hsv-8x4x4-sqrt-128px"
    dimension = BINS * 4 * 4
    regions = 1
    decode_size = (SIDE, SIDE)
    whitening: WhiteningSettings | None = None
    sample = None

    def prepare(self, pixels: Pixels) -> Pixels:
        small = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BOX)
        return np.asarray(small)[None]

    def encode_prepared(self, batch: Pixels, view: View = "ground") -> Vectors:
        vectors = [self._histogram(photo.reshape(-1, SIDE, 3)) for photo in batch]
        return np.stack(vectors)[:, None, :]

    def encode_regions(self, images: Sequence[Pixels], view: View = "ground") -> Vectors:
        return self.encode_prepared(np.stack([self.prepare(image) for image in images]))

    def encode(self, images: Sequence[Pixels], view: View = "ground") -> Vectors:
        return self.encode_regions(images)[:, 0]

    def describe(self) -> dict[str, object]:
        return {"name": self.name}

    def _histogram(self, pixels: Pixels) -> Vectors:
        hsv = np.asarray(Image.fromarray(pixels).convert("HSV")).reshape(-1, 3)
        counts, _ = np.histogramdd(hsv, bins=(BINS, 4, 4), range=[(0, 256)] * 3)
        vector = np.sqrt(counts.ravel() / counts.sum())
        return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)
