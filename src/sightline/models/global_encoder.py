"""A classifier of places behind the :class:`~sightline.models.protocol.CellEncoder` protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.errors import EncoderError, UsageError, VectorError
from sightline.geo.partition import Partition
from sightline.models import preprocess
from sightline.models.autocast_runtime import AutocastRuntime
from sightline.models.encoder import check_choices
from sightline.models.global_fingerprints import classifier_fingerprint, vector_fingerprint
from sightline.models.global_network import GlobalNetwork
from sightline.models.global_settings import GlobalSettings
from sightline.models.mixture_head import MixtureHead
from sightline.models.mixture_modes import mixture_modes
from sightline.models.protocol import CellAnswers, Pixels, Vectors, View
from sightline.models.runtimes import Precision, RuntimeName


class TorchGlobalEncoder:
    """Photos in, vectors for retrieval and log-probabilities of cells out.

    Vectors are those of the Residual Retrieval Module, or the pooled ones scaled to unit length
    where there is none.

    Args:
        network: In float32. It is taken over: put into evaluation mode and moved to the device.
        settings: What else fixes vectors and answers.
        partitions: The cells, from coarse to fine.
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
        network: GlobalNetwork,
        settings: GlobalSettings,
        partitions: Sequence[Partition],
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
                "The runtime must be auto or torch for a classifier of places. Got 'openvino'.",
                hint="Leave the runtime out.",
            )
        self.settings = settings
        self._name = name
        self._about = dict(about or {})
        self._partitions = tuple(partitions)
        self._fingerprint = vector_fingerprint(network, settings)
        self._network = network.eval().to(device)
        self._device = device
        self._input = settings.preprocessing.at(settings.size)
        self._runtime = AutocastRuntime([(network, settings.size)], device, precision)

    @property
    def name(self) -> str:
        """A short name for people."""
        return self._name

    @property
    def fingerprint(self) -> str:
        """Hash of what changes a vector (64 hex digits); the head over cells does not."""
        return self._fingerprint

    @cached_property
    def classifier_fingerprint(self) -> str:
        """Hash of what changes a log-probability (64 hex digits); the residual module does not."""
        return classifier_fingerprint(self._network, self.settings)

    @property
    def network(self) -> GlobalNetwork:
        """The network, in evaluation mode."""
        return self._network

    @property
    def dimension(self) -> int:
        """Length d of one vector."""
        return self._network.dimension

    @property
    def partitions(self) -> tuple[Partition, ...]:
        """The cells that the classifier tells apart, from coarse to fine."""
        return self._partitions

    @property
    def answering(self) -> tuple[Partition, ...]:
        """Those that log-probabilities are over: the finest alone of a hierarchy, else all."""
        return self._partitions[-1:] if self.settings.head == "hierarchical" else self._partitions

    @property
    def regions(self) -> int:
        """1: a photo has one vector."""
        return 1

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
        return preprocess.decode_size(self._input, "whole")

    def decode_size_of(self, view: View) -> tuple[int, int]:
        """As :attr:`decode_size`; raises EncoderError unless the view is ``ground``."""
        self._require_ground(view)
        return self.decode_size

    @property
    def whitening(self) -> None:
        """None: vectors trained for retrieval are left as they are."""
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
        """Resize and crop one photo as training does; thread-safe.

        See :meth:`~sightline.models.photo_preprocessing.PhotoPreprocessing.read`.

        Args:
            pixels: uint8 RGB (h, w, 3).
            view: ``ground``.

        Returns:
            uint8 (1, h', w', 3).

        Raises:
            EncoderError: Not such an array, or a view it does not have.
        """
        self._require_ground(view)
        return preprocess.prepare(pixels, self._input, "whole")

    def encode_prepared(self, batch: Pixels, view: View = "ground") -> Vectors:
        """Encode what :meth:`prepare` returned.

        Args:
            batch: uint8 (n, 1, h', w', 3).
            view: ``ground``.

        Returns:
            float32 (n, 1, d), unit length.

        Raises:
            EncoderError: Wrong shape or type, or a view it does not have.
            VectorError: The network returned NaN, infinity or a zero vector.
        """
        given = self._checked_batch(batch, view)
        return _checked_vectors(self._runtime.run(self._network, given))

    def classify_prepared(self, batch: Pixels, view: View = "ground") -> CellAnswers:
        """Encode and classify what :meth:`prepare` returned, in one forward pass.

        Args:
            batch: uint8 (n, 1, h', w', 3).
            view: ``ground``.

        Returns:
            Vectors as of :meth:`encode_prepared`, and log-probabilities over the cells of each
            partition of :attr:`answering`.

        Raises:
            EncoderError: Wrong shape or type, or a view it does not have.
            VectorError: The network returned NaN, infinity or a zero vector.
        """
        given = self._checked_batch(batch, view)
        vectors, *beliefs = self._runtime.run_all(self._network.answers, given)
        return CellAnswers(_checked_vectors(vectors), tuple(beliefs))

    def modes(self, log_probabilities: NDArray[np.floating]) -> NDArray[np.float64] | None:
        """Where the density of a mixture head is highest, in degrees (n, 2); None of other heads.

        Args:
            log_probabilities: (n, m), the log of the mixture's weights.

        Raises:
            VectorError: Another number of components, or NaN.
        """
        head = self._network.classifier.head
        if not isinstance(head, MixtureHead):
            return None
        given = torch.from_numpy(np.ascontiguousarray(log_probabilities)).to(self._device)
        found = mixture_modes(given, head.log_concentrations, head.means)
        return cast("NDArray[np.float64]", found.points.cpu().numpy())

    def encode_regions(self, images: Sequence[Pixels], view: View = "ground") -> Vectors:
        """Prepare and encode; see :meth:`encode_prepared`."""
        return self.encode_prepared(self._prepared(images, view), view)

    def encode(self, images: Sequence[Pixels], view: View = "ground") -> Vectors:
        """As float32 (n, d), unit length."""
        return self.encode_regions(images, view)[:, 0]

    def classify(self, images: Sequence[Pixels], view: View = "ground") -> CellAnswers:
        """Prepare, encode and classify; see :meth:`classify_prepared`."""
        return self.classify_prepared(self._prepared(images, view), view)

    def describe(self) -> dict[str, Any]:
        """What an atlas records about its encoder; ``computes`` is None before the first use."""
        return {
            "name": self.name,
            "kind": "global",
            "fingerprint": self.fingerprint,
            "dimension": self.dimension,
            **self.settings.to_json(),
            "retrieval": _words_of_vectors(self.settings),
            "classifier": {
                "head": self.settings.head,
                "fingerprint": self.classifier_fingerprint,
                "partitions": [
                    {"kind": one.kind, "cells": len(one), "fingerprint": one.fingerprint}
                    for one in self.partitions
                ],
            },
            **self._about,
            "computes": self._runtime.computes,
        }

    def _prepared(self, images: Sequence[Pixels], view: View) -> Pixels:
        prepared = np.zeros((len(images), 1, *self.settings.size, 3), dtype=np.uint8)
        for row, pixels in zip(prepared, images, strict=True):
            row[:] = self.prepare(pixels, view)
        return prepared

    def _checked_batch(self, batch: Pixels, view: View) -> Pixels:
        self._require_ground(view)
        given = np.asarray(batch)
        expected = (1, *self.settings.size, 3)
        if given.dtype != np.uint8 or given.shape[1:] != expected:
            raise EncoderError(
                f"A prepared batch must be uint8 (n, {', '.join(map(str, expected))}). "
                f"Got {given.dtype} {given.shape}.",
                hint="Pass what prepare returned, stacked.",
            )
        return given[:, 0]

    def _require_ground(self, view: View) -> None:
        if view != "ground":
            raise EncoderError(
                f"{self.name} encodes ground photos only. Got the view {view!r}.",
                hint="Use a two-view model for aerial imagery.",
            )


def _words_of_vectors(settings: GlobalSettings) -> str:
    if not settings.residual_hidden:
        return "pooled vector"
    without = "" if settings.residual_skip else ", without its residual connection"
    return f"residual module of width {settings.residual_hidden}{without}"


def _checked_vectors(vectors: NDArray[np.float32]) -> Vectors:
    # A zero vector stays zero when it is scaled to unit length.
    sound = np.isfinite(vectors).all(axis=1) & (vectors != 0).any(axis=1)
    if not sound.all():
        raise VectorError(
            f"The network returned NaN, infinity or a zero vector for photo "
            f"{int(np.argmin(sound))} of {len(vectors)}.",
            hint="Leave this photo out; if all fail, the weights do not fit the architecture.",
        )
    return vectors[:, None]
