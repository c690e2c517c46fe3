"""Pictures through a network of torch, in a precision that keeps the vectors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.errors import EncoderError
from sightline.models.protocol import Pixels
from sightline.models.runtimes import LEAST_COSINE, Precision, least_cosine, sample_inputs

_IMAGES_AT_ONCE = 32
_CHECKED_IMAGES = 4


Encode = Callable[..., Tensor]
EncodeAll = Callable[..., tuple[Tensor, ...]]


class AutocastRuntime:
    """Runs what encodes pictures.

    Args:
        checks: What encodes pictures to vectors, and their (height, width): on these it is found
            out whether bfloat16 keeps the vectors. In evaluation mode, on ``device``.
        device: Where it computes.
        precision: ``auto`` is float32 on the CPU, and bfloat16 elsewhere if that keeps the vectors.

    Attributes:
        computes: ``float32`` or ``bfloat16``; None while it is open.
    """

    def __init__(
        self,
        checks: Sequence[tuple[Encode, tuple[int, int]]],
        device: str,
        precision: Precision,
    ) -> None:
        self._checks = tuple(checks)
        self._device = device
        self._precision: Precision = precision
        self.computes: str | None = None

    def warm_up(self) -> str:
        """Settle in which precision to compute.

        Raises:
            EncoderError: bfloat16 was asked for and turns vectors too far.
        """
        if self.computes is None:
            self.computes = self._chosen()
        return self.computes

    def run(
        self,
        encode: Encode,
        given: Pixels,
        heading_degrees: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float32]:
        """Encode pictures.

        Args:
            encode: From (n, 3, h, w), and headings if there are any, to (n, …).
            given: uint8 (n, h, w, 3).
            heading_degrees: (n,), or None.

        Returns:
            float32 (n, …).
        """
        (found,) = self.run_all(lambda *told: (encode(*told),), given, heading_degrees)
        return found

    def run_all(
        self,
        encode: EncodeAll,
        given: Pixels,
        heading_degrees: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float32], ...]:
        """Encode pictures to several arrays in one forward pass; otherwise as :meth:`run`."""
        computes = self.warm_up()
        parts = []
        for start in range(0, max(len(given), 1), _IMAGES_AT_ONCE):
            rows = slice(start, start + _IMAGES_AT_ONCE)
            told = None if heading_degrees is None else heading_degrees[rows]
            parts.append(self._compute(encode, given[rows], told, computes))
        return tuple(np.concatenate(column) for column in zip(*parts, strict=True))

    def _chosen(self) -> str:
        if self._precision == "float32" or (self._precision == "auto" and self._device == "cpu"):
            return "float32"
        cosine = 1.0
        for encode, size in self._checks:
            samples = sample_inputs(_CHECKED_IMAGES, size)
            plain, faster = (
                self._compute(lambda given, by=encode: (by(given),), samples, None, kind)[0]
                for kind in ("float32", "bfloat16")
            )
            cosine = min(cosine, least_cosine(faster, plain))
        if cosine >= LEAST_COSINE:
            return "bfloat16"
        if self._precision == "auto":
            return "float32"
        raise EncoderError(
            f"Computing in bfloat16 turns vectors to a cosine of {cosine:.5f}, below "
            f"{LEAST_COSINE}.",
            hint="Use the precision 'auto', which falls back to float32.",
        )

    def _compute(
        self,
        encode: EncodeAll,
        given: Pixels,
        heading_degrees: NDArray[np.float64] | None,
        computes: str,
    ) -> tuple[NDArray[np.float32], ...]:
        halved = contextlib.nullcontext() if computes == "float32" else self._autocast()
        with torch.inference_mode(), halved:
            pixels = torch.from_numpy(np.ascontiguousarray(given)).to(self._device)
            arguments = [pixels.permute(0, 3, 1, 2)]
            if heading_degrees is not None:
                # On the CPU: it costs a GPU no waiting.
                arguments.append(torch.from_numpy(np.ascontiguousarray(heading_degrees)))
            found = encode(*arguments)
        return tuple(np.asarray(one.float().cpu().numpy(), dtype=np.float32) for one in found)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(torch.device(self._device).type, torch.bfloat16)
