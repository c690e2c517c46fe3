"""What the rest of the house may know of an encoder.

The atlas and the locators are written against :class:`Encoder` and never against a model class, so
that a torch network, an ONNX file or a service on another machine can stand behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sightline.models.whitening import FeatureStatistics, WhiteningSettings

View = Literal["ground", "aerial"]
Pixels = NDArray[np.uint8]
Vectors = NDArray[np.float32]


@runtime_checkable
class Encoder(Protocol):
    """Pixels in, one vector per image region out.

    An encoder cuts one forward pass into ``regions`` x ``regions`` cells. The **global** vector is
    the mean over the cells; the cells are scaled so that this mean has unit length.
    """

    @property
    def name(self) -> str:
        """A short name for people, such as ``mobilenetv2_100``."""

    @property
    def fingerprint(self) -> str:
        """Hash of everything that changes a vector: weights, cut, pooling, preprocessing, views."""

    @property
    def dimension(self) -> int:
        """Length d of one vector."""

    @property
    def regions(self) -> int:
        """R of the r x r cells; 1 when the encoder has a global vector only."""

    @property
    def decode_size(self) -> tuple[int, int]:
        """(height, width) in pixels that a decoder must not go below; larger is shrunk later."""

    @property
    def whitening(self) -> WhiteningSettings | None:
        """How an atlas should whiten these vectors, or None to leave them as they are."""

    @property
    def sample(self) -> FeatureStatistics | None:
        """Statistics of the bundle's own sample of photos, mixed into an atlas's whitening."""

    def prepare(self, pixels: Pixels) -> Pixels:
        """Resize and crop one photo on the CPU; thread-safe.

        Args:
            pixels: uint8 RGB (h, w, 3).

        Returns:
            uint8 (views, h', w', 3), the encoder's input before normalisation.
        """

    def encode_prepared(self, batch: Pixels, view: View = "ground") -> Vectors:
        """Encode what :meth:`prepare` returned.

        Args:
            batch: uint8 (n, views, h', w', 3).
            view: Which branch of a two-view model.

        Returns:
            float32 (n, regions * regions, d); the mean over axis 1 has unit length.

        Raises:
            VectorError: The network returned NaN, infinity or a zero vector.
        """

    def encode_regions(self, images: Sequence[Pixels], view: View = "ground") -> Vectors:
        """Prepare and encode: uint8 RGB images in, float32 (n, regions * regions, d) out."""

    def encode(self, images: Sequence[Pixels], view: View = "ground") -> Vectors:
        """Global vectors only: float32 (n, d), unit length."""

    def describe(self) -> Mapping[str, object]:
        """What an atlas records about its encoder: name, architecture, licence, input size, …."""
