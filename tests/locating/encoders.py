"""A small real encoder: mean colours of an 8 x 8 grid, kept as 2 x 2 regions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from sightline.errors import VectorError

SIDE = 16


class MeanColours:
    """The colours of a picture, seen from mid-grey.

    A picture that is mid-grey all over has no direction and is refused.

    ``keep_shape`` prepares upright pictures taller than wide, so that shapes in a batch differ.
    """

    def __init__(self, salt: str = "", keep_shape: bool = False) -> None:
        self.name = "mean-colours"
        self.dimension = 48
        self.regions = 2
        self.decode_size = (SIDE, SIDE)
        self.sample = None
        self.whitening = None
        self.branches = frozenset({"ground"})
        self.fingerprint = hashlib.sha256(f"mean-colours{salt}".encode()).hexdigest()
        self.keep_shape = keep_shape
        self.batches: list[int] = []

    def prepare(self, pixels: np.ndarray) -> np.ndarray:
        tall = self.keep_shape and pixels.shape[0] > pixels.shape[1]
        size = (SIDE, 2 * SIDE) if tall else (SIDE, SIDE)
        return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))[None]

    def encode_prepared(self, batch: np.ndarray, view: str = "ground") -> np.ndarray:
        self.batches.append(len(batch))
        n, _, height, width, _ = batch.shape
        blocks = batch[:, 0].reshape(n, 8, height // 8, 8, width // 8, 3).mean(axis=(2, 4)) - 128.0
        blocks = blocks.reshape(n, 2, 4, 2, 4, 3).transpose(0, 1, 3, 2, 4, 5).reshape(n, 4, 48)
        length = np.linalg.norm(blocks.mean(axis=1), axis=1)[:, None, None]
        if not length.all():
            raise VectorError("A picture is grey all over.", hint="Leave it out.")
        return (blocks / length).astype(np.float32)

    def encode_regions(self, images: Sequence[np.ndarray], view: str = "ground") -> np.ndarray:
        return self.encode_prepared(np.stack([self.prepare(image) for image in images]))

    def encode(self, images: Sequence[np.ndarray], view: str = "ground") -> np.ndarray:
        return self.encode_regions(images).mean(axis=1)

    def describe(self) -> Mapping[str, object]:
        return {"name": self.name, "licence": "Apache-2.0"}
