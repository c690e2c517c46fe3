"""Sums over many places are taken in float32 at least, whatever the network computes in."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def wide(values: Tensor) -> Tensor:
    """The same values in float32, or in float64 where they are."""
    return values if values.dtype == torch.float64 else values.float()


def without_autocast(values: Tensor) -> torch.autocast:
    """A context in which products of wide values stay wide, on the device of ``values``."""
    return torch.autocast(values.device.type, enabled=False)


def layer_norm(norm: nn.Module, values: Tensor) -> Tensor:
    """Apply a LayerNorm to wide values, also where its weights were turned into half precision.

    Args:
        norm: A LayerNorm with weights, or an Identity, which leaves values alone.
        values: (..., c).
    """
    if not isinstance(norm, nn.LayerNorm):
        return values
    shape = list(norm.normalized_shape)
    weight, bias = norm.weight.to(values.dtype), norm.bias.to(values.dtype)
    return functional.layer_norm(values, shape, weight, bias, norm.eps)
