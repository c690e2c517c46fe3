"""Weights in fewer bytes: half precision, or eight bits with one scale for each output channel.

Whatever the form, a network computes in float32 with what the file says: weights are widened when
they are read, and a fingerprint is taken of the widened values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import Tensor

from sightline.errors import BundleError, UsageError

WeightsForm = Literal["float32", "float16", "int8"]

# No module's parameter can have a name with a slash in it.
SCALE_SUFFIX = "/scale"

_LARGEST_INT8 = 127
# The few numbers of a normalisation, an exponent or a temperature are kept as they are.
_FEW_NUMBERS = 64
# Of the largest value of a tensor; what float16 keeps worse than this stays float32.
_HALF_TOLERANCE = 2.0**-10


def check_form(form: object) -> WeightsForm:
    """Refuse what is no form of weights.

    Raises:
        UsageError: Naming the forms there are.
    """
    for known in get_args(WeightsForm):
        if form == known:
            return known  # type: ignore[no-any-return]
    raise UsageError(
        f"The weights must be stored as one of {', '.join(get_args(WeightsForm))}. Got {form!r}.",
        hint="float16 halves a bundle and changes no vector that matters; int8 quarters it.",
    )


def compact(state: Mapping[str, Tensor], form: WeightsForm) -> dict[str, Tensor]:
    """Weights as they are stored.

    ``int8``: a matrix or convolution w, with the output channel first, is stored as q and s with
    w ≈ q · s[channel], s = max abs(w[channel]) / 127 and q = round(w / s), so that no weight is off
    by more than s / 2 (symmetric quantisation for each channel: Krishnamoorthi, *Quantizing deep
    convolutional networks for efficient inference*, 2018, section 2.2). All other tensors, and all
    of ``float16``, are halved where half precision holds them.

    Args:
        state: A network's ``state_dict``.
        form: ``float32``, ``float16`` or ``int8``.

    Returns:
        Tensors on the CPU that share no memory, for a safetensors file.
    """
    stored: dict[str, Tensor] = {}
    for key, given in state.items():
        tensor = given.detach().cpu()
        if form == "int8" and _is_matrix(tensor):
            quantised, scale = _quantised(tensor.float())
            stored[key], stored[key + SCALE_SUFFIX] = quantised, scale
        elif form != "float32" and _fits_half(tensor):
            stored[key] = tensor.half()
        else:
            # Tied weights share memory, which safetensors refuses: each key gets its own copy.
            stored[key] = tensor.clone().contiguous()
    return stored


def widened(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Stored weights as a network loads them: float32, whole numbers as they are.

    Raises:
        BundleError: Eight-bit weights without their scales, or scales without weights.
    """
    state: dict[str, Tensor] = {}
    for key, tensor in stored.items():
        if key.endswith(SCALE_SUFFIX):
            if key.removesuffix(SCALE_SUFFIX) not in stored:
                raise _unpaired(key, "weights")
            continue
        if tensor.dtype == torch.int8:
            scale = stored.get(key + SCALE_SUFFIX)
            if scale is None or tensor.ndim < 2 or scale.shape != tensor.shape[:1]:
                raise _unpaired(key, "scales, one for each output channel")
            state[key] = tensor.float() * scale.float().view(-1, *[1] * (tensor.ndim - 1))
        else:
            state[key] = tensor.float() if tensor.is_floating_point() else tensor
    return state


def _is_matrix(tensor: Tensor) -> bool:
    # A first axis of one is no output channel: position embeddings, class tokens.
    several = tensor.ndim in (2, 4) and tensor.shape[0] > 1
    return tensor.is_floating_point() and several and tensor.numel() > _FEW_NUMBERS


def _quantised(weights: Tensor) -> tuple[Tensor, Tensor]:
    largest = weights.flatten(1).abs().amax(dim=1)
    scale = torch.where(largest > 0, largest, torch.ones_like(largest)) / _LARGEST_INT8
    steps = weights / scale.view(-1, *[1] * (weights.ndim - 1))
    return steps.round().clamp(-_LARGEST_INT8, _LARGEST_INT8).to(torch.int8).contiguous(), scale


def _fits_half(tensor: Tensor) -> bool:
    if not tensor.is_floating_point() or tensor.numel() <= _FEW_NUMBERS:
        return False
    off = (tensor.half().float() - tensor.float()).abs().max()
    # An infinity, from a value beyond half precision, fails this too.
    return bool(off <= _HALF_TOLERANCE * tensor.abs().max())


def _unpaired(key: str, what: str) -> BundleError:
    return BundleError(
        f"The stored weights {key!r} lack their {what}.",
        hint="Save the bundle again with sightline.models.bundle.save_bundle.",
    )
