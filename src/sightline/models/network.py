"""The whole computation of an encoder as one module: bytes in, regional vectors out."""

from __future__ import annotations

import copy
from typing import cast

import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from sightline.models.backbone import CutBackbone, stop_after
from sightline.models.pooling import RegionPooling
from sightline.models.settings import EncoderSettings

# Only these compute a plain convolution with their weight; others standardise or mix it first.
_PLAIN_CONVOLUTIONS = (nn.Conv2d, Conv2dSame)


class EncoderNetwork(nn.Module):
    """Normalise, run the cut backbone, pool, average the views.

    Args:
        backbone: The cut network.
        settings: The encoder's settings.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, backbone: CutBackbone, settings: EncoderSettings) -> None:
        super().__init__()
        self.backbone = backbone
        self.pooling = RegionPooling(settings.pooling, settings.regions, settings.exponent)
        mean = torch.tensor(settings.preprocessing.mean).view(1, 3, 1, 1)
        std = torch.tensor(settings.preprocessing.std).view(1, 3, 1, 1)
        self.register_buffer("scale", 1.0 / (255.0 * std), persistent=False)
        self.register_buffer("shift", -mean / std, persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode views.

        Args:
            pixels: uint8 (n, height, width, 3).

        Returns:
            float32 (n, r * r, d); the mean over axis 1 has unit length, or is NaN.
        """
        # NHWC bytes seen as NCHW are channels-last already: no copy.
        given = pixels.permute(0, 3, 1, 2).float() * self.scale + self.shift
        features, prefix = self.backbone(given.to(self._dtype()))
        # Sums over a map are taken in float32 whatever the network computed in.
        cells: Tensor = self.pooling(features.float(), None if prefix is None else prefix.float())
        return cells

    def _dtype(self) -> torch.dtype:
        return next((p.dtype for p in self.backbone.parameters()), torch.float32)


def optimised(network: EncoderNetwork, dtype: torch.dtype = torch.float32) -> EncoderNetwork:
    """A copy with batch norms folded into convolutions and weights laid out channels-last.

    Args:
        network: Left as it is.
        dtype: What the copy's backbone computes in.
    """
    faster = copy.deepcopy(network)
    _fold_batch_norms(faster.backbone)
    faster.backbone.to(dtype)
    faster.backbone.to(memory_format=torch.channels_last)
    return faster


def _fold_batch_norms(backbone: CutBackbone) -> None:
    """Fold each batch norm whose input is exactly the output of one convolution, in place."""
    pairs = _convolutions_before_norms(backbone)
    names = {module: name for name, module in backbone.network.named_modules()}
    for norm, convolution in pairs:
        weight, bias = fuse_conv_bn_weights(
            convolution.weight,
            convolution.bias,
            cast("Tensor", norm.running_mean),
            cast("Tensor", norm.running_var),
            norm.eps,
            norm.weight,
            norm.bias,
        )
        convolution.weight, convolution.bias = weight, bias
        rest = nn.Sequential(norm.drop, norm.act) if isinstance(norm, BatchNormAct2d) else None
        replacement = rest if rest is not None else nn.Identity()
        backbone.network.set_submodule(names[norm], replacement)
        if names[norm] == backbone.feature:
            stop_after(backbone.network, backbone.feature)
    backbone.requires_grad_(requires_grad=False)


def _convolutions_before_norms(
    backbone: CutBackbone,
) -> list[tuple[nn.BatchNorm2d, nn.Conv2d]]:
    """Pairs found by watching one forward pass, so that no naming convention is relied on."""
    outputs: list[tuple[Tensor, nn.Conv2d]] = []
    inputs: list[tuple[Tensor, nn.Module]] = []
    handles = []
    for module in backbone.network.modules():
        if type(module) in _PLAIN_CONVOLUTIONS:
            handles.append(module.register_forward_hook(lambda m, _, y: outputs.append((y, m))))
        # Whatever reads a tensor is noted: a convolution that a second module reads is not folded.
        handles.append(
            module.register_forward_pre_hook(
                lambda m, x: inputs.extend((t, m) for t in x if isinstance(t, Tensor))
            )
        )
    try:
        with torch.no_grad():
            backbone(torch.zeros(1, 3, *backbone.input_size))
    finally:
        for handle in handles:
            handle.remove()
    pairs = []
    for made, convolution in outputs:
        readers = [m for t, m in inputs if t is made]
        if len(readers) == 1 and _is_foldable(readers[0]):
            pairs.append((readers[0], convolution))
    return pairs  # type: ignore[return-value]


def _is_foldable(module: nn.Module) -> bool:
    return (
        type(module) in (nn.BatchNorm2d, BatchNormAct2d)
        and getattr(module, "running_mean", None) is not None
    )
