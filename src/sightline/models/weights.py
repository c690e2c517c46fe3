"""Weights that fit their network exactly, or not at all."""

from __future__ import annotations

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import Tensor, nn

from sightline.errors import BundleError
from sightline.models.backbone import CutBackbone


def read_weights(content: bytes) -> dict[str, Tensor]:
    """Tensors of a safetensors file.

    Raises:
        BundleError: It is something else.
    """
    try:
        return load_tensors(content)
    except (SafetensorError, ValueError, KeyError, RuntimeError) as cause:
        raise BundleError(
            f"The weights are no safetensors file: {cause}.",
            hint="Use weights in the safetensors format; other formats can run code.",
        ) from cause


def load_exactly(backbone: CutBackbone, tensors: dict[str, Tensor]) -> None:
    """Load weights whose keys and shapes are exactly those of the network.

    Raises:
        BundleError: Naming what is missing, unexpected or of another shape.
    """
    check_state(backbone.network, tensors)
    backbone.network.load_state_dict(tensors, strict=True)


def check_state(network: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Compare keys and shapes of weights with a network's own.

    Raises:
        BundleError: Naming what is missing, unexpected or of another shape.
    """
    expected = network.state_dict()
    missing = sorted(expected.keys() - tensors.keys())
    unexpected = sorted(tensors.keys() - expected.keys())
    reshaped = sorted(
        k for k in expected.keys() & tensors.keys() if expected[k].shape != tensors[k].shape
    )
    problems = []
    if missing:
        problems.append(f"{len(missing)} missing (such as {', '.join(missing[:3])})")
    if unexpected:
        problems.append(f"{len(unexpected)} unexpected (such as {', '.join(unexpected[:3])})")
    if reshaped:
        key = reshaped[0]
        problems.append(
            f"{len(reshaped)} of another shape (such as {key}: {tuple(tensors[key].shape)} "
            f"instead of {tuple(expected[key].shape)})"
        )
    if problems:
        raise BundleError(
            f"The weights do not fit {type(network).__name__}: {'; '.join(problems)}.",
            hint="Check the architecture and model_args of the config against the weights.",
        )
