"""timm's description of pretrained weights, as hubs store it in ``config.json``."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sightline.errors import BundleError
from sightline.models.backbone import build_backbone
from sightline.models.settings import Preprocessing
from sightline.models.weights import check_state, read_weights

_PICKLE_SUFFIXES = (".pth", ".pt", ".bin", ".ckpt", ".pkl", ".tar", ".npz")


@dataclass(frozen=True, slots=True)
class TimmConfig:
    """What a config says that matters here.

    Args:
        architecture: timm's name.
        model_args: Arguments of its constructor, ``num_classes`` among them.
        preprocessing: Normalisation, filter and trained size; the resize mode is not timm's.
        licence: Of the weights.
        source: Where they come from.
    """

    architecture: str
    model_args: Mapping[str, Any]
    preprocessing: Preprocessing
    licence: str
    source: str


def read_config(path: str | os.PathLike[str]) -> TimmConfig:
    """Read ``{"architecture", "model_args", "pretrained_cfg": {...}}``, or a flat pretrained_cfg.

    Normalisation is never guessed: ImageNet's, put in place of a missing one, loads without any
    error and breaks the network silently.

    Raises:
        BundleError: Unreadable, or without architecture, mean, std or input size.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as cause:
        raise BundleError(
            f"The config cannot be read: {cause}.",
            hint="Give the config.json that came with the weights.",
            path=path,
        ) from cause
    try:
        return _parse(document)
    except BundleError as error:
        error.path = str(path)
        raise


def _parse(document: object) -> TimmConfig:
    if not isinstance(document, dict):
        raise _incomplete("a JSON object", document)
    described = document.get("pretrained_cfg", document)
    arguments = document.get("model_args", {})
    if not isinstance(described, dict) or not isinstance(arguments, dict):
        raise _incomplete("objects for pretrained_cfg and model_args", document)
    architecture = document.get("architecture", described.get("architecture"))
    if not isinstance(architecture, str):
        raise _incomplete("the key 'architecture'", sorted(document))
    for key in ("mean", "std", "input_size"):
        if not isinstance(described.get(key), list) or len(described[key]) != 3:
            raise _incomplete(f"three numbers for {key!r}", described.get(key))
    arguments = dict(arguments)
    classes = document.get("num_classes", described.get("num_classes"))
    if classes is not None:
        arguments.setdefault("num_classes", classes)
    preprocessing = Preprocessing(
        size=tuple(described["input_size"][1:]),
        mean=tuple(described["mean"]),
        std=tuple(described["std"]),
        interpolation=described.get("interpolation", "bicubic"),
        crop_fraction=described.get("crop_pct", 0.875),
    )
    notes = document.get("notes")
    source = notes.get("source") if isinstance(notes, dict) else None
    source = source or described.get("hf_hub_id") or described.get("url") or "unknown"
    licence = described.get("license") or document.get("license") or "unknown"
    return TimmConfig(architecture, arguments, preprocessing, str(licence), str(source))


def _incomplete(what: str, got: object) -> BundleError:
    return BundleError(
        f"The config must hold {what}. Got {got!r}.",
        hint="Use timm's form: architecture, model_args and pretrained_cfg with mean and std.",
    )


def read_network(config: TimmConfig, weights: str | os.PathLike[str]) -> tuple[nn.Module, bytes]:
    """Build the whole network and load its weights, every key and shape checked.

    Weights in int8, float16 or bfloat16 are turned into float32; batch norms may be folded.

    Returns:
        The network in evaluation mode, and the content of the weights' file.

    Raises:
        BundleError: No safetensors file, or weights that do not fit the config.
    """
    path = Path(weights)
    if path.suffix.lower() in _PICKLE_SUFFIXES:
        raise BundleError(
            f"{path.name!r} may be a pickle, which can run code when it is read; it is not read.",
            hint="Convert it where you trust it: safetensors.torch.save_file("
            "torch.load(FILE, weights_only=True), 'model.safetensors').",
            path=path,
        )
    try:
        content = path.read_bytes()
    except OSError as cause:
        raise BundleError(
            f"The weights cannot be read: {cause.strerror or cause}.",
            hint="Give the safetensors file that belongs to the config.",
            path=path,
        ) from cause
    try:
        tensors = read_weights(content)
        network = build_backbone(config.architecture, config.model_args)
        check_state(network, tensors)
    except BundleError as error:
        error.path = str(path)
        raise
    network.load_state_dict(_as_float32(tensors), strict=True)
    return network, content


def _as_float32(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        key: tensor if key.endswith("num_batches_tracked") else tensor.float()
        for key, tensor in tensors.items()
    }
