"""A cross-view network behind the :class:`~sightline.models.protocol.CrossViewEncoder` protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from sightline.errors import EncoderError, UsageError
from sightline.models import preprocess
from sightline.models.autocast_runtime import AutocastRuntime
from sightline.models.cross_view import CrossViewNetwork
from sightline.models.cross_view_queries import (
    Asking,
    checked_headings,
    checked_rows,
    queries_of,
)
from sightline.models.cross_view_settings import CrossViewSettings, can_turn
from sightline.models.encoder import check_choices
from sightline.models.protocol import GroundQueries, Heading, Pixels, Vectors, View
from sightline.models.runtimes import Precision, RuntimeName
from sightline.models.settings import Preprocessing
from sightline.models.weights import state_digest

# Raised whenever this code would turn the same settings and weights into other vectors.
_FINGERPRINT_SCHEMA = "sightline.fingerprint.cross-view/1"


class TorchCrossViewEncoder:
    """Photos and aerial patches in, vectors of one space out.

    Args:
        network: Both branches, in float32. It is taken over: put into evaluation mode and moved to
            the device.
        settings: What else fixes the vectors.
        name: A short name for people.
        about: Licence, provenance and intended use, for :meth:`describe`.
        device: Where torch computes, such as ``cpu`` or ``cuda``.
        precision: ``auto`` is float32 on the CPU and, where it keeps the vectors, bfloat16
            elsewhere; ``bfloat16`` is refused where it does not keep them.
        runtime: ``auto`` or ``torch``, which are the same here.

    Raises:
        UsageError: No such device or precision, or a runtime other than torch.
    """

    def __init__(
        self,
        network: CrossViewNetwork,
        settings: CrossViewSettings,
        *,
        name: str,
        about: Mapping[str, object] | None = None,
        device: str = "cpu",
        precision: Precision = "auto",
        runtime: RuntimeName = "auto",
    ) -> None:
        check_choices(device, precision, runtime)
        if runtime == "openvino":
            raise UsageError(
                "The runtime must be auto or torch for a cross-view model. Got 'openvino'.",
                hint="Leave the runtime out.",
            )
        self.settings = settings
        self._name = name
        self._about = dict(about or {})
        self._fingerprint = _fingerprint(network, settings)
        self._network = network.eval().to(device)
        sizes = self._network.input_sizes
        checks = (
            (self._network.encode_ground, sizes["ground"]),
            (self._network.encode_aerial, sizes["aerial"]),
        )
        self._runtime = AutocastRuntime(checks, device, precision)
        self._geometry = settings.geometry
        # Regions that can be turned are compared one by one, so each has unit length.
        self._turning = settings.heading == "unknown" and can_turn(network)
        self._asking = Asking(
            name=name,
            heading=settings.heading,
            geometry=self._geometry,
            regions=network.regions if can_turn(network) else None,
            turns=settings.turns,
        )

    @property
    def name(self) -> str:
        """A short name for people."""
        return self._name

    @property
    def fingerprint(self) -> str:
        """Hash of weights and settings (64 hex digits)."""
        return self._fingerprint

    @property
    def dimension(self) -> int:
        """Length d of one vector."""
        return self._network.dimension

    @property
    def regions(self) -> int:
        """1: its vectors have no cells."""
        return 1

    @property
    def branches(self) -> frozenset[View]:
        """Ground and aerial."""
        return frozenset(("ground", "aerial"))

    @property
    def aerial_turns(self) -> int:
        """Rows that a patch becomes."""
        return self.settings.turns

    @property
    def network(self) -> CrossViewNetwork:
        """The plain network, in evaluation mode."""
        return self._network

    @property
    def geometry(self) -> str:
        """What a ground photo shows."""
        return str(self._geometry)

    @property
    def fov_degrees(self) -> float:
        """Horizontal field of view of a ground photo."""
        return self._geometry.fov_degrees

    @property
    def heading(self) -> Heading:
        """Whether the network is told where photos look."""
        return self.settings.heading

    @property
    def patch_m(self) -> float | None:
        """Side of the patches it was trained with, metres on the ground."""
        return self.settings.patch_m

    @property
    def decode_size(self) -> tuple[int, int]:
        """(height, width) in pixels that a decoder of photos must not go below."""
        return self.settings.ground_size

    def decode_size_of(self, view: View) -> tuple[int, int]:
        """(height, width) in pixels of one view's input.

        Raises:
            EncoderError: No such view.
        """
        if view == "ground":
            return self.settings.ground_size
        if view == "aerial":
            return self.settings.aerial_size
        raise EncoderError(
            f"The view must be ground or aerial. Got {view!r}.",
            hint="Photos are ground, patches are aerial.",
        )

    @property
    def whitening(self) -> None:
        """None: both views were trained into one space, which is left as it is."""
        return

    @property
    def sample(self) -> None:
        """None: there is nothing to whiten."""
        return

    def warm_up(self) -> str:
        """Find out in which precision to compute, if that is still open.

        Returns:
            ``float32`` or ``bfloat16``.

        Raises:
            EncoderError: bfloat16 was asked for and turns vectors too far.
        """
        return self._runtime.warm_up()

    def prepare(self, pixels: Pixels, view: View = "ground") -> Pixels:
        """Resize one picture; thread-safe.

        Args:
            pixels: uint8 RGB (h, w, 3).
            view: ``ground`` or ``aerial``.

        Returns:
            uint8 (1, h', w', 3).

        Raises:
            EncoderError: Not such an array, or no such view.
        """
        size = self.decode_size_of(view)
        how = Preprocessing(size=size, interpolation=self.settings.preprocessing.interpolation)
        return preprocess.prepare(pixels, how, "whole")

    def encode_prepared(self, batch: Pixels, view: View = "ground") -> Vectors:
        """Encode what :meth:`prepare` returned for this view.

        Photos are encoded as they are, whatever they look at; :meth:`ground_queries` is what an
        atlas is asked with.

        Args:
            batch: uint8 (n, 1, h', w', 3).
            view: ``ground`` or ``aerial``.

        Returns:
            float32 (n, 1, d), or (n * aerial_turns, 1, d) for patches, patch by patch.

        Raises:
            EncoderError: Wrong shape or type, or no such view.
            VectorError: The network returned NaN, infinity or a zero vector.
        """
        given = self._checked_batch(batch, view)
        encode = self._network.encode_ground if view == "ground" else self._encode_aerial
        vectors = self._runtime.run(encode, given)
        rows = self.aerial_turns if view == "aerial" else 1
        return checked_rows(vectors.reshape(-1, 1, self.dimension), rows)

    def encode_regions(self, images: Sequence[Pixels], view: View = "ground") -> Vectors:
        """Prepare and encode; see :meth:`encode_prepared`."""
        prepared = np.zeros((len(images), 1, *self.decode_size_of(view), 3), dtype=np.uint8)
        for row, pixels in zip(prepared, images, strict=True):
            row[:] = self.prepare(pixels, view)
        return self.encode_prepared(prepared, view)

    def encode(self, images: Sequence[Pixels], view: View = "ground") -> Vectors:
        """As float32 (n, d), or (n * aerial_turns, d) for patches; unit length."""
        return self.encode_regions(images, view)[:, 0]

    def ground_queries(
        self, batch: Pixels, heading_degrees: NDArray[np.float64] | None = None
    ) -> GroundQueries:
        """Encode photos as queries, one for every heading that has to be tried.

        Regions that can be turned are, which costs nothing
        (:func:`~sightline.models.region_shifts.turned_queries`); scores and headings are then those
        of :func:`~sightline.models.region_shifts.best_shifts`. A panorama for a network of aligned
        photos is itself turned until it looks north.

        Args:
            batch: uint8 (n, 1, h', w', 3).
            heading_degrees: (n,), or None if they are unknown.

        Raises:
            EncoderError: Wrong shape or type, or a heading that this model cannot have.
            VectorError: The network returned NaN, infinity or a zero vector.
        """
        given = self._checked_batch(batch, "ground")
        headings = None
        if heading_degrees is not None:
            headings = checked_headings(heading_degrees, len(given))
        return queries_of(self._run_ground, given, headings, self._asking)

    def describe(self) -> dict[str, Any]:
        """What an atlas records about its encoder; ``computes`` is None before the first use."""
        return {
            "name": self.name,
            "kind": "cross_view",
            "fingerprint": self.fingerprint,
            "dimension": self.dimension,
            **self.settings.to_json(),
            **self._about,
            "computes": self._runtime.computes,
        }

    def _encode_aerial(self, pixels: Tensor) -> Tensor:
        """Patches (m, 3, h, w) -> (m, turns, d), unit length."""
        if not self._turning:
            return self._network.encode_aerial(pixels)[:, None]
        regions = self._network.encode_aerial_turned(pixels, self.aerial_turns)
        unit_regions = functional.normalize(regions, dim=-1)
        return functional.normalize(unit_regions.flatten(2), dim=-1)

    def _run_ground(
        self, given: Pixels, heading_degrees: NDArray[np.float64] | None = None
    ) -> NDArray[np.float32]:
        return self._runtime.run(self._network.encode_ground, given, heading_degrees)

    def _checked_batch(self, batch: Pixels, view: View) -> Pixels:
        given = np.asarray(batch)
        expected = (1, *self.decode_size_of(view), 3)
        if given.dtype != np.uint8 or given.shape[1:] != expected:
            raise EncoderError(
                f"A prepared batch of {view} pictures must be uint8 "
                f"(n, {', '.join(map(str, expected))}). Got {given.dtype} {given.shape}.",
                hint="Pass what prepare returned for the same view, stacked.",
            )
        return given[:, 0]


def _fingerprint(network: CrossViewNetwork, settings: CrossViewSettings) -> str:
    # The size of the patches it was trained with changes no vector.
    fixed = {key: value for key, value in settings.to_json().items() if key != "patch_m"}
    document = json.dumps(fixed, sort_keys=True, default=list)
    return state_digest(f"{_FINGERPRINT_SCHEMA}\n{document}\n", network.state_dict())
