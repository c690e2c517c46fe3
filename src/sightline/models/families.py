"""Which feature map, input size and pooling suit which backbone.

One entry is measured; the others follow from it by rule and say so. The rule for convolutional
networks is the last map of stride 16 in the order of execution: in MobileNetV2 that is
``blocks.5.0.bn1``, the map that measured best. `sightline model tune` finds out for others.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from sightline.errors import BundleError
from sightline.models.settings import PoolingMethod
from sightline.models.whitening import WhiteningSettings

STRIDE = 16
MEASURED = "measured on real photos"
RULE = "rule, not measured"

# Outputs of modules that only hand on their input name no new map.
_PASSING = (nn.Identity, nn.Dropout)


@dataclass(frozen=True, slots=True)
class Family:
    """How to encode with one family of backbones.

    Args:
        prefix: Architectures whose name starts so belong to it; the longest prefix wins.
        feature: Module path, or None for the rule.
        size: (height, width) of the input, or None for the size the weights were trained with.
        regions: r of the r x r cells.
        pooling: How a cell becomes a vector.
        whitening: How an atlas should whiten.
        basis: What this entry rests on.
    """

    prefix: str
    feature: str | None = None
    size: tuple[int, int] | None = (448, 448)
    regions: int = 2
    pooling: PoolingMethod = "average"
    whitening: WhiteningSettings = field(default_factory=WhiteningSettings)
    basis: str = RULE


# Convolutional networks, trained at 224 px on the whole: twice that size, whole photo, averaged.
FAMILIES = (
    Family("mobilenetv2_100", feature="blocks.5.0.bn1", basis=MEASURED),
    Family("mobilenetv2"),
    Family("mobilenetv3"),
    Family("efficientnet"),
    Family("tf_efficientnet"),
    Family("resnet"),
    Family("convnext"),
    Family("regnet"),
    Family("vgg"),
)

# Anything else keeps the size it was trained with: position embeddings may not stretch well.
UNKNOWN = Family("", size=None)


def family_of(architecture: str) -> Family:
    """The entry for an architecture, or the rule for unknown ones."""
    fitting = [f for f in FAMILIES if architecture.startswith(f.prefix)]
    return max(fitting, key=lambda f: len(f.prefix), default=UNKNOWN)


def default_feature(network: nn.Module, size: tuple[int, int]) -> str:
    """Where to cut a network that no entry names.

    Token networks are cut after their last block, or their final norm where there is one; networks
    with maps after the last map of stride 16, or the last map of any stride where none has 16.

    Args:
        network: In evaluation mode; left as it is.
        size: (height, width) that it takes.

    Returns:
        A module path.

    Raises:
        BundleError: No module returns a feature map.
    """
    maps = feature_maps(network, size)
    if not maps:
        raise BundleError(
            f"{type(network).__name__} has no module that returns a feature map.",
            hint="Name one with --feature.",
        )
    if hasattr(network, "num_prefix_tokens"):
        # Pooling by attention also sees a grid of tokens, and is no map of the trunk.
        trunk = [m for m in maps if m[0] in ("norm", "blocks") or m[0].startswith("blocks.")]
        return (trunk or maps)[-1][0]
    strides = [stride for _, stride in maps]
    wanted = STRIDE if STRIDE in strides else maps[-1][1]
    return next(name for name, stride in reversed(maps) if stride == wanted)


def candidate_features(network: nn.Module, size: tuple[int, int]) -> list[str]:
    """A few feature maps worth comparing: the last of each stride from 8 on, and deep blocks.

    Args:
        network: In evaluation mode; left as it is.
        size: (height, width) that it takes.
    """
    maps = feature_maps(network, size)
    last = {stride: name for name, stride in maps if stride >= STRIDE // 2}
    blocks = [name for name, _ in maps if name.rpartition(".")[0] == "blocks"]
    depths = (
        [blocks[len(blocks) * share // 4 - 1] for share in (2, 3, 4)] if len(blocks) > 3 else []
    )
    return list(dict.fromkeys([*last.values(), *depths]))


def feature_maps(network: nn.Module, size: tuple[int, int]) -> list[tuple[str, int]]:
    """(module path, stride) of every map over the photo, in the order in which they are done.

    A map is a tensor with a row and a column axis, or a sequence of tokens that fills a grid; its
    stride is rounded to a power of two.
    """
    found: list[tuple[str, int]] = []
    prefix = int(getattr(network, "num_prefix_tokens", 0))

    def note(name: str, output: object) -> None:
        if isinstance(output, Tensor):
            stride = _stride(output, size, prefix)
            if stride:
                found.append((name, stride))

    handles = [
        module.register_forward_hook(lambda _m, _i, output, name=name: note(name, output))
        for name, module in network.named_modules()
        if name and not isinstance(module, _PASSING)
    ]
    try:
        with torch.no_grad():
            network(torch.zeros(1, 3, *size))
    finally:
        for handle in handles:
            handle.remove()
    return found


def _stride(output: Tensor, size: tuple[int, int], prefix: int) -> int:
    """The stride of a map, 0 if it is none."""
    height, width = size
    if output.ndim == 3:
        places = output.shape[1] - prefix
        stride = (height * width / places) ** 0.5 if places > 3 else 0.0
        exact = stride >= 1 and (height // round(stride)) * (width // round(stride)) == places
        return _power_of_two(stride) if exact else 0
    if output.ndim != 4:
        return 0
    for rows, columns in ((output.shape[2], output.shape[3]), (output.shape[1], output.shape[2])):
        stride = height / rows
        if (
            rows > 1
            and columns > 1
            and abs(columns - width / stride) <= 1
            and stride < height / 1.5
        ):
            return _power_of_two(stride)
    return 0


def _power_of_two(stride: float) -> int:
    return int(2 ** round(torch.tensor(stride).log2().item()))
