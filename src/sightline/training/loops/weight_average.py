"""A moving average of a network's weights, which is often better than the weights themselves."""

from __future__ import annotations

import copy
from typing import Self

import torch
from torch import Tensor, nn


class WeightAverage:
    """Follows a network: average = decay · average + (1 - decay) · weights, after each step.

    Polyak and Juditsky, 1992; with the warm-up of its decay that is usual, min(decay, (1 + n) /
    (10 + n)) at step n, so that a short run's average is not that of its start. Buffers, such as
    the statistics of batch norms, are copied.

    Args:
        model: The network, as it is now.
        decay: Above 0 and below 1.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.model = copy.deepcopy(model).requires_grad_(requires_grad=False)
        self.model.eval()

    @torch.no_grad()
    def update(self, model: nn.Module) -> Self:
        """Take in the weights after a step."""
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        weights = dict(model.named_parameters())
        for name, average in self.model.named_parameters():
            average.lerp_(weights[name].detach(), 1.0 - decay)
        buffers = dict(model.named_buffers())
        for name, buffer in self.model.named_buffers():
            buffer.copy_(buffers[name])
        return self

    def restart(self, model: nn.Module) -> None:
        """Begin anew from a network's weights."""
        self.steps = 0
        self.model.load_state_dict(model.state_dict())

    def state_dict(self) -> dict[str, Tensor]:
        """The averaged weights and buffers."""
        return self.model.state_dict()
