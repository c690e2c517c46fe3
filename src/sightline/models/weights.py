"""Weights that fit their network exactly, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

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


def state_digest(heading: str, state: Mapping[str, Tensor]) -> str:
    """SHA-256 over a text and the values of weights, whatever file they came from.

    Args:
        heading: What else fixes a network's vectors.
        state: The network's ``state_dict``.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256(heading.encode())
    for key, tensor in sorted(state.items()):
        # How long it was trained is stored beside a batch norm and changes no vector.
        if key.endswith("num_batches_tracked"):
            continue
        values = tensor.detach().cpu().float().contiguous().numpy().astype("<f4")
        digest.update(f"{key} {values.shape}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()
