"""A small real cross-view encoder, and imagery to use it on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from atlas.encoders import ColourGrid


class TwoViews(ColourGrid):
    """Mean colours of a grid, of photos and of patches, these under ``turns`` quarter turns."""

    def __init__(self, turns: int = 1) -> None:
        super().__init__()
        self.branches = frozenset({"ground", "aerial"})
        self.aerial_turns = turns
        self.fingerprint += str(turns)

    def decode_size_of(self, view: str) -> tuple[int, int]:
        assert view in self.branches
        return (16, 16)

    def prepare(self, pixels: NDArray[np.uint8], view: str = "ground") -> NDArray[np.uint8]:
        return np.asarray(Image.fromarray(pixels).resize((16, 16), Image.Resampling.BOX))[None]

    def encode_prepared(
        self, batch: NDArray[np.uint8], view: str = "ground"
    ) -> NDArray[np.float32]:
        if view == "aerial":
            turned = [np.rot90(batch, k, (2, 3)) for k in range(self.aerial_turns)]
            batch = np.stack(turned, axis=1).reshape(-1, *batch.shape[1:])
        return super().encode_prepared(batch, view)

    def describe(self) -> dict[str, object]:
        return {**super().describe(), "patch_m": 30.0}
