"""Mixed precision: what is computed in 16 bits, and the scale that float16 needs."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim import Optimizer

from sightline.errors import UsageError

Precision = Literal["float32", "bfloat16", "float16"]
_TYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


class MixedPrecision:
    """Runs forward passes under autocast, and scales the losses of float16.

    Args:
        name: ``float32`` (no autocast), ``bfloat16`` or ``float16``.
        device: Where the network computes.

    Raises:
        UsageError: float16 on a processor, which computes it slowly or not at all.
    """

    def __init__(self, name: Precision, device: torch.device) -> None:
        if name == "float16" and device.type != "cuda":
            raise UsageError(
                f"precision = 'float16' needs a GPU. Got the device {str(device)!r}.",
                hint="Write --set precision=bfloat16, or float32.",
            )
        self._type = _TYPES[name]
        self._device = device
        self._scaler = torch.amp.GradScaler(device.type, enabled=name == "float16")

    @property
    def scales(self) -> bool:
        """Whether gradients may overflow without harm: the step is then left out."""
        return self._scaler.is_enabled()

    def autocast(self) -> torch.autocast:
        """Within it, networks compute in this precision."""
        enabled = self._type is not torch.float32
        return torch.autocast(
            self._device.type, dtype=self._type if enabled else None, enabled=enabled
        )

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss to its parameters, scaled."""
        torch.autograd.backward(self._scaler.scale(loss))

    def unscale(self, optimiser: Optimizer) -> None:
        """Bring gradients to their true size, once before each step."""
        if self.scales:  # pragma: no cover - needs a GPU
            self._scaler.unscale_(optimiser)

    def step(self, optimiser: Optimizer) -> None:
        """Step, unless scaled gradients overflowed."""
        self._scaler.step(optimiser)
        self._scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """What :meth:`load_state_dict` needs; empty without a scale."""
        return self._scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with an earlier scale."""
        if state:  # pragma: no cover - needs a GPU
            self._scaler.load_state_dict(state)
