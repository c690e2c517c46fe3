"""What the rest of the house may know of an encoder.

The atlas and the locators are written against :class:`Encoder` and never against a model class, so
that a torch network, an ONNX file or a service on another machine can stand behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sightline.geo.partition import Partition
from sightline.models.whitening import FeatureStatistics, WhiteningSettings

View: TypeAlias = Literal["ground", "aerial"]
Heading: TypeAlias = Literal["known", "unknown", "aligned"]
Pixels: TypeAlias = NDArray[np.uint8]
Vectors: TypeAlias = NDArray[np.float32]


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
    def branches(self) -> frozenset[View]:
        """What it can encode: ground photos, and aerial patches if it is a cross-view model."""

    @property
    def aerial_turns(self) -> int:
        """Rows t that one aerial patch becomes; 1 unless it is stored under several turns."""

    @property
    def decode_size(self) -> tuple[int, int]:
        """(height, width) in pixels that a decoder must not go below; larger is shrunk later."""

    def decode_size_of(self, view: View) -> tuple[int, int]:
        """As :attr:`decode_size`, for one view; raises EncoderError for a view it lacks."""

    @property
    def whitening(self) -> WhiteningSettings | None:
        """How an atlas should whiten these vectors, or None to leave them as they are."""

    @property
    def sample(self) -> FeatureStatistics | None:
        """Statistics of the bundle's own sample of photos, mixed into an atlas's whitening."""

    def prepare(self, pixels: Pixels, view: View = "ground") -> Pixels:
        """Resize and crop one photo or patch on the CPU; thread-safe.

        Args:
            pixels: uint8 RGB (h, w, 3).
            view: What it is.

        Returns:
            uint8 (views, h', w', 3), the encoder's input before normalisation.

        Raises:
            EncoderError: Not such an array, or a view that the encoder lacks.
        """

    def encode_prepared(self, batch: Pixels, view: View = "ground") -> Vectors:
        """Encode what :meth:`prepare` returned.

        Args:
            batch: uint8 (n, views, h', w', 3).
            view: Which branch of a two-view model.

        Returns:
            float32 (n, regions * regions, d), or (n * aerial_turns, regions * regions, d) for
            aerial patches: all turns of the first patch, then those of the second. The mean over
            axis 1 has unit length.

        Raises:
            EncoderError: Wrong shape or type, or a view it lacks.
            VectorError: The network returned NaN, infinity or a zero vector.
        """

    def encode_regions(self, images: Sequence[Pixels], view: View = "ground") -> Vectors:
        """Prepare and encode: uint8 RGB images in, what :meth:`encode_prepared` returns out."""

    def encode(self, images: Sequence[Pixels], view: View = "ground") -> Vectors:
        """Global vectors only: float32 (n, d), unit length; (n * aerial_turns, d) for patches."""

    def describe(self) -> Mapping[str, object]:
        """What an atlas records about its encoder: name, architecture, licence, input size, …."""


@dataclass(frozen=True, slots=True, eq=False)
class GroundQueries:
    """Photos as what an atlas of aerial patches is asked.

    A patch fits a photo as well as the best of the photo's queries fits the best of the patch's
    rows. The pair that fits tells the heading: that of the query, plus ``turn_degrees`` for each
    turn of the row.

    Attributes:
        vectors: float32 (n, s, d), s queries for each of n photos, unit length.
        headings: float64 (n, s), the bearing of the photo's centre column in [0, 360) if a row of
            turn 0 fits; NaN where the model has nothing to say of it.
        turns: int (s,), the only turn of a row that the query may be compared with; -1 for any.
        scales: float32 (n, s): inner products times these are scores in [-1, 1].
        turn_degrees: How far one turn of a row turns the heading.
    """

    vectors: Vectors
    headings: NDArray[np.float64]
    turns: NDArray[np.int64]
    scales: NDArray[np.float32]
    turn_degrees: float


@runtime_checkable
class CrossViewEncoder(Encoder, Protocol):
    """An encoder of two branches: photos ask, aerial patches answer.

    Its vectors have no cells: ``regions`` is 1.
    """

    @property
    def geometry(self) -> str:
        """What a ground photo shows: ``panorama``, ``perspective:FOV`` or ``crop:FOV``."""

    @property
    def fov_degrees(self) -> float:
        """Horizontal field of view of a ground photo, in degrees."""

    @property
    def heading(self) -> Heading:
        """Whether the network is told where photos look.

        ``known``: it is; ``unknown``: it is not; ``aligned``: every photo's centre looks north.
        """

    @property
    def patch_m(self) -> float | None:
        """Side of the patches it was trained with, metres on the ground; None if unknown."""

    def ground_queries(
        self, batch: Pixels, heading_degrees: NDArray[np.float64] | None = None
    ) -> GroundQueries:
        """Encode photos as queries.

        Args:
            batch: uint8 (n, 1, h', w', 3) of :meth:`prepare`.
            heading_degrees: (n,), bearings of the photos' centre columns in degrees clockwise from
                north; None if they are unknown.

        Raises:
            EncoderError: Wrong shape or type, or a heading that this model cannot have.
            VectorError: The network returned NaN, infinity or a zero vector.
        """


@dataclass(frozen=True, slots=True, eq=False)
class CellAnswers:
    """What one forward pass says of n photos.

    Attributes:
        vectors: float32 (n, 1, d), what :meth:`Encoder.encode_prepared` returns.
        log_probabilities: One float32 (n, m) for each of the encoder's ``answering`` partitions;
            for a mixture of distributions the log of its weights.
    """

    vectors: Vectors
    log_probabilities: tuple[NDArray[np.float32], ...]


@runtime_checkable
class CellEncoder(Encoder, Protocol):
    """An encoder of photos that holds a classifier over cells too.

    Its vectors have no regions: ``regions`` is 1. Its ``fingerprint`` is that of the vectors alone,
    so that an atlas stays valid when only the classifier's head is trained further.
    """

    @property
    def partitions(self) -> tuple[Partition, ...]:
        """The cells that the classifier tells apart, from coarse to fine."""

    @property
    def answering(self) -> tuple[Partition, ...]:
        """Those of them that log-probabilities are over; the last one is the finest."""

    @property
    def classifier_fingerprint(self) -> str:
        """Hash of everything that changes a log-probability."""

    def classify_prepared(self, batch: Pixels, view: View = "ground") -> CellAnswers:
        """Encode and classify what :meth:`prepare` returned, in one forward pass.

        Args:
            batch: uint8 (n, 1, h', w', 3).
            view: ``ground``.

        Raises:
            EncoderError: Wrong shape or type, or a view it lacks.
            VectorError: The network returned NaN, infinity or a zero vector.
        """

    def modes(self, log_probabilities: NDArray[np.floating]) -> NDArray[np.float64] | None:
        """Where a mixture of distributions is densest.

        Args:
            log_probabilities: (n, m), over the last of the ``answering`` partitions.

        Returns:
            Degrees (n, 2); None where the classifier is no mixture: the representative of the most
            probable cell is its answer then.
        """
