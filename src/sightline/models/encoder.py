"""A frozen torch network behind the :class:`~sightline.models.protocol.Encoder` protocol."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.errors import EncoderError, UsageError, VectorError
from sightline.models import preprocess
from sightline.models.backbone import CutBackbone
from sightline.models.network import EncoderNetwork
from sightline.models.protocol import Pixels, Vectors, View
from sightline.models.runtimes import Choice, Precision, RuntimeName, choose
from sightline.models.settings import EncoderSettings
from sightline.models.weights import state_digest
from sightline.models.whitening import FeatureStatistics, WhiteningSettings

# Raised whenever this code would turn the same settings and weights into other vectors.
_FINGERPRINT_SCHEMA = "sightline.fingerprint/1"


class TorchEncoder:
    """Pixels in, regional vectors out, on whatever runtime is fastest here.

    How it computes (runtime, precision, folded batch norms, memory layout) is chosen by a measured
    check the first time it is used, see :mod:`sightline.models.runtimes`; ``warm_up`` does it
    ahead. The choice never enters the fingerprint: it may not change a vector beyond a cosine of
    0.999.

    Args:
        backbone: The cut network, in float32.
        settings: What else fixes the vectors.
        name: A short name for people.
        whitening: How an atlas should whiten the vectors, or None.
        sample: Statistics of a sample of photos, or None.
        about: Licence, provenance and intended use, for :meth:`describe`.
        device: Where torch computes, such as ``cpu`` or ``cuda``.
        precision: ``auto`` measures; ``float32`` or ``bfloat16`` are taken as they are.
        runtime: ``auto`` measures; ``torch`` or ``openvino`` are taken as they are.
        threads: Threads of one OpenVINO inference, all if None. torch's own setting is left alone.

    Raises:
        UsageError: No such device, precision or runtime.
    """

    def __init__(
        self,
        backbone: CutBackbone,
        settings: EncoderSettings,
        *,
        name: str,
        whitening: WhiteningSettings | None = None,
        sample: FeatureStatistics | None = None,
        about: Mapping[str, object] | None = None,
        device: str = "cpu",
        precision: Precision = "auto",
        runtime: RuntimeName = "auto",
        threads: int | None = None,
    ) -> None:
        check_choices(device, precision, runtime)
        self.settings = settings
        self._name = name
        self._whitening = whitening
        self._sample = sample
        self._about = dict(about or {})
        self._network = EncoderNetwork(backbone, settings).eval()
        self._fingerprint = _fingerprint(backbone, settings)
        self._device = device
        self._precision: Precision = precision
        self._runtime: RuntimeName = runtime
        self._threads = threads
        self._choice: Choice | None = None
        self._choosing = threading.Lock()

    @property
    def name(self) -> str:
        """A short name for people."""
        return self._name

    @property
    def fingerprint(self) -> str:
        """Hash of weights, cut, pooling, regions, views and preprocessing (64 hex digits)."""
        return self._fingerprint

    @property
    def dimension(self) -> int:
        """Length d of one vector."""
        return self._network.backbone.channels

    @property
    def regions(self) -> int:
        """Side r of the grid of r x r cells."""
        return self.settings.regions

    @property
    def network(self) -> EncoderNetwork:
        """The plain float32 computation, uint8 (n, h', w', 3) in, cells out: the reference."""
        return self._network

    @property
    def views(self) -> int:
        """How many inputs one photo becomes."""
        return preprocess.view_count(self.settings.views)

    @property
    def branches(self) -> frozenset[View]:
        """Ground photos only."""
        return frozenset(("ground",))

    @property
    def aerial_turns(self) -> int:
        """1: it encodes no aerial patches."""
        return 1

    @property
    def decode_size(self) -> tuple[int, int]:
        """(height, width) in pixels that a decoder must not go below."""
        return preprocess.decode_size(self.settings.preprocessing, self.settings.views)

    def decode_size_of(self, view: View) -> tuple[int, int]:
        """As :attr:`decode_size`; raises EncoderError unless the view is ``ground``."""
        self._require_ground(view)
        return self.decode_size

    @property
    def whitening(self) -> WhiteningSettings | None:
        """How an atlas should whiten these vectors."""
        return self._whitening

    @property
    def sample(self) -> FeatureStatistics | None:
        """Statistics of the bundle's sample of photos."""
        return self._sample

    def warm_up(self) -> Choice:
        """Choose how to compute, if that is still open; thread-safe.

        Returns:
            The choice and the trials behind it.
        """
        with self._choosing:
            if self._choice is None:
                self._choice = choose(
                    self._network,
                    self.settings.preprocessing.size,
                    device=self._device,
                    precision=self._precision,
                    runtime=self._runtime,
                    threads=self._threads,
                )
            return self._choice

    def prepare(self, pixels: Pixels, view: View = "ground") -> Pixels:
        """Cut and resize one photo; thread-safe.

        Args:
            pixels: uint8 RGB (h, w, 3).
            view: ``ground``; this encoder has one branch.

        Returns:
            uint8 (views, h', w', 3).

        Raises:
            EncoderError: Not such an array, or a view it does not have.
        """
        self._require_ground(view)
        return preprocess.prepare(pixels, self.settings.preprocessing, self.settings.views)

    def encode_prepared(self, batch: Pixels, view: View = "ground") -> Vectors:
        """Encode what :meth:`prepare` returned.

        The cells of several views are averaged cell by cell before they are scaled.

        Args:
            batch: uint8 (n, views, h', w', 3).
            view: ``ground``; this encoder has one branch.

        Returns:
            float32 (n, regions * regions, d); the mean over axis 1 has unit length.

        Raises:
            EncoderError: Wrong shape or type, or a view it does not have.
            VectorError: The network returned NaN, infinity or a zero vector.
        """
        self._require_ground(view)
        given = np.asarray(batch)
        expected = (self.views, *self.settings.preprocessing.size, 3)
        if given.dtype != np.uint8 or given.shape[1:] != expected:
            raise EncoderError(
                f"A prepared batch must be uint8 (n, {', '.join(map(str, expected))}). "
                f"Got {given.dtype} {given.shape}.",
                hint="Pass what prepare returned, stacked.",
            )
        shape = (len(given), self.views, self.regions**2, self.dimension)
        if len(given) == 0:
            return np.zeros((0, *shape[2:]), dtype=np.float32)
        flat = np.ascontiguousarray(given.reshape(-1, *expected[1:]))
        cells = self.warm_up().forward(flat).reshape(shape)
        if self.views > 1:
            cells = _unit_mean(cells.mean(axis=1))
        return _checked(cells[:, 0] if cells.ndim == 4 else cells)

    def encode_regions(self, images: Sequence[Pixels], view: View = "ground") -> Vectors:
        """Prepare and encode: uint8 RGB images in, float32 (n, regions * regions, d) out."""
        size = self.settings.preprocessing.size
        prepared = np.zeros((len(images), self.views, *size, 3), dtype=np.uint8)
        for row, pixels in zip(prepared, images, strict=True):
            row[:] = self.prepare(pixels, view)
        return self.encode_prepared(prepared, view)

    def encode(self, images: Sequence[Pixels], view: View = "ground") -> Vectors:
        """Global vectors only: float32 (n, d), unit length."""
        vectors: Vectors = self.encode_regions(images, view).mean(axis=1)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def describe(self) -> dict[str, Any]:
        """What an atlas records about its encoder; ``computes`` is None before the first use."""
        return {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "dimension": self.dimension,
            "grid": list(self._network.backbone.grid),
            **self.settings.to_json(),
            **self._about,
            "computes": None if self._choice is None else self._choice.to_json(),
        }

    def _require_ground(self, view: View) -> None:
        if view != "ground":
            raise EncoderError(
                f"{self.name} encodes ground photos only. Got the view {view!r}.",
                hint="Use a two-view model for aerial imagery.",
            )


def check_choices(device: str, precision: str, runtime: str) -> None:
    """Refuse a device, precision or runtime that there is not; raises UsageError."""
    for name, value, choices in (
        ("precision", precision, ("auto", "float32", "bfloat16")),
        ("runtime", runtime, ("auto", "torch", "openvino")),
    ):
        if value not in choices:
            raise UsageError(
                f"The {name} must be one of {', '.join(choices)}. Got {value!r}.",
                hint="Use 'auto' to let a measurement decide.",
            )
    if runtime == "openvino" and device != "cpu":
        raise UsageError(
            f"The runtime 'openvino' computes on the cpu. Got the device {device!r}.",
            hint="Use the runtime 'torch' for other devices.",
        )
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as cause:
        raise UsageError(
            f"torch cannot compute on the device {device!r}: {str(cause).splitlines()[0]}",
            hint="Use 'cpu', or install a build of torch for that device.",
        ) from cause


def _checked(cells: NDArray[np.float32]) -> Vectors:
    # A zero vector was divided by its length, so it is NaN by now.
    bad = np.flatnonzero(~np.isfinite(cells).all(axis=(1, 2)))
    if len(bad):
        raise VectorError(
            f"The network returned NaN, infinity or a zero vector for photo {bad[0]} of "
            f"{len(cells)}.",
            hint="Leave this photo out; if all fail, the weights do not fit the architecture.",
        )
    return cells


def _unit_mean(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(cells.mean(axis=1), axis=-1)[:, None, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(cells / lengths, dtype=np.float32)


def _fingerprint(backbone: CutBackbone, settings: EncoderSettings) -> str:
    """SHA-256 over the settings and the weights' values, whatever file they came from."""
    document = json.dumps(settings.to_json(), sort_keys=True, default=list)
    return state_digest(f"{_FINGERPRINT_SCHEMA}\n{document}\n", backbone.network.state_dict())
