"""A timm backbone up to its last feature map, ready to be trained.

Unlike :mod:`.backbone`, which cuts a frozen network at any module, this keeps what timm's
``forward_features`` runs, with gradients. Nothing is downloaded: weights are random, or they come
from a local file with the ``config.json`` beside it, which says how they want their input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, cast

import torch
from torch import Tensor, nn

from sightline.errors import BundleError, UsageError
from sightline.models.backbone import build_backbone, set_input_size
from sightline.models.config import read_config, read_network
from sightline.models.pooling import to_grid
from sightline.models.settings import Layout

Triple = tuple[float, float, float]

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


class Trunk(nn.Module):
    """Normalises pixels and runs a backbone to its feature map.

    Args:
        architecture: timm's name.
        size: (height, width) of the images it gets.
        model_args: Arguments of timm's constructor, such as ``{"drop_path_rate": 0.1}``.
        weights: A local safetensors file beside its ``config.json``; every key and shape must fit.
            Architecture, arguments and normalisation are the config's; random weights without.
        without: Modules replaced by nothing, such as ``features.30``, the last pooling of VGG16.

    Attributes:
        channels: c of the map.
        grid: (h, w) of the map.
        prefix_tokens: Tokens that stand for no place.

    Raises:
        BundleError: No such architecture, argument, size or weights.
        UsageError: Another architecture than the weights', or no such module to leave out.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        architecture: str,
        size: tuple[int, int],
        *,
        model_args: Mapping[str, Any] | None = None,
        weights: str | Path | None = None,
        without: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.architecture = architecture
        self.input_size = size
        arguments = dict(model_args or {})
        if weights is None:
            network = build_backbone(architecture, arguments)
            described = getattr(network, "pretrained_cfg", None) or {}
            mean = described.get("mean", _IMAGENET_MEAN)
            std = described.get("std", _IMAGENET_STD)
        else:
            network, mean, std = _read(architecture, arguments, Path(weights))
        if not arguments.get("dynamic_img_size"):
            set_input_size(network, size)
        _leave_out(network, without)
        self.network = network
        # With the weights, so that no checkpoint can be used with another normalisation.
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))
        self.prefix_tokens = int(getattr(network, "num_prefix_tokens", 0))
        self.layout: Layout = "NCHW"
        self.channels, self.grid = self._probe()
        self._folded = [] if weights is None else _folded_norms(network)
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Set the mode. Batch norms that were folded into convolutions stay in evaluation mode.

        They have no statistics of their own to return to: with those of a batch the network would
        collapse without any error.
        """
        super().train(mode)
        for norm in self._folded:
            norm.eval()
        return self

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Run.

        Args:
            pixels: (n, 3, height, width), uint8, or floats in [0, 1].

        Returns:
            The feature map (n, c, h, w), and the tokens (n, t, c) that stand for no place, if any.

        Raises:
            UsageError: Pixels of another shape or kind.
        """
        if pixels.ndim != 4 or pixels.shape[1] != 3:
            raise UsageError(
                f"Pixels must have shape (n, 3, height, width). Got {tuple(pixels.shape)}.",
                hint="Put the channels first.",
            )
        if pixels.dtype == torch.uint8:
            pixels = pixels / 255.0
        elif not pixels.is_floating_point():
            raise UsageError(
                f"Pixels must be uint8, or floats from 0 to 1. Got {pixels.dtype}.",
                hint="Leave the normalisation to the network.",
            )
        features: Tensor = self.network.forward_features(
            (pixels.to(self.mean.dtype) - self.mean) / self.std
        )  # type: ignore[operator]
        return to_grid(features, self.layout, self.prefix_tokens, self._grid_of(pixels))

    @property
    def normalisation(self) -> tuple[Triple, Triple]:
        """Mean and standard deviation that it applies to channels in [0, 1]."""
        return _triple(self.mean), _triple(self.std)

    def normalise_as(self, mean: Triple | None, std: Triple | None) -> None:
        """Let it apply what is stated; what is None stays as it is."""
        for buffer, wanted in ((self.mean, mean), (self.std, std)):
            if wanted is not None:
                buffer.copy_(torch.tensor(wanted).view(1, 3, 1, 1))

    def _grid_of(self, pixels: Tensor) -> tuple[int, int]:
        """(h, w) of a token network's patches; unused for others."""
        patch = getattr(getattr(self.network, "patch_embed", None), "patch_size", (1, 1))
        return pixels.shape[2] // patch[0], pixels.shape[3] // patch[1]

    def _probe(self) -> tuple[int, tuple[int, int]]:
        """Channels and grid, found by a forward pass; what takes no part in it is removed."""
        called: set[nn.Module] = set()
        handles = [
            module.register_forward_pre_hook(lambda module, _: called.add(module))
            for module in self.network.modules()
        ]
        pixels = torch.zeros(1, 3, *self.input_size)
        try:
            with torch.no_grad():
                features = self.network.forward_features(pixels)  # type: ignore[operator]
        except (RuntimeError, AssertionError, ValueError) as cause:
            raise BundleError(
                f"{self.architecture} cannot run on images of {self.input_size[0]} x "
                f"{self.input_size[1]} pixels: {cause}.",
                hint="Choose another size, and arguments of a network that takes RGB.",
            ) from cause
        finally:
            for handle in handles:
                handle.remove()
        for name, child in list(self.network.named_children()):
            if not any(module in called for module in child.modules()):
                setattr(self.network, name, nn.Identity())
        self.layout = _layout_of(self.network, features)
        grid, _ = to_grid(features, self.layout, self.prefix_tokens, self._grid_of(pixels))
        return grid.shape[1], (grid.shape[2], grid.shape[3])


def _triple(values: Tensor) -> Triple:
    # Through the shortest text of a float32: 0.485, not 0.48500001430511475.
    return cast("Triple", tuple(float(str(x)) for x in values.detach().cpu().numpy().ravel()))


def _read(
    architecture: str, arguments: Mapping[str, Any], weights: Path
) -> tuple[nn.Module, tuple[float, ...], tuple[float, ...]]:
    """The whole network of a weights' file, and its normalisation."""
    config = read_config(weights.parent / "config.json")
    if config.architecture != architecture:
        raise UsageError(
            f"The weights {weights.name!r} must be those of {architecture}. "
            f"Got weights of {config.architecture}.",
            hint=f"Set the backbone to {config.architecture}.",
        )
    for name, value in arguments.items():
        if name in config.model_args and config.model_args[name] != value:
            raise UsageError(
                f"The model argument {name!r} must be {config.model_args[name]!r} for the weights "
                f"{weights.name!r}. Got {value!r}.",
                hint="Leave it out: it is read from the config beside the weights.",
            )
    config = replace(config, model_args={**config.model_args, **arguments})
    network, _ = read_network(config, weights)
    return network, config.preprocessing.mean, config.preprocessing.std


def _folded_norms(network: nn.Module) -> list[nn.Module]:
    """Batch norms whose statistics are those of no data: nothing for the mean, one for all else."""
    return [
        module
        for module in network.modules()
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))
        and module.running_mean is not None
        and module.running_var is not None
        and not bool(module.running_mean.any())
        and bool((module.running_var == module.running_var[0]).all())
    ]


def _leave_out(network: nn.Module, names: Sequence[str]) -> None:
    modules = dict(network.named_modules())
    for name in names:
        if name not in modules or not name:
            raise UsageError(
                f"{type(network).__name__} has no module {name!r} to leave out.",
                hint="Leave out modules of this backbone only, such as features.30 of vgg16.",
            )
        network.set_submodule(name, nn.Identity())


def _layout_of(network: nn.Module, features: Tensor) -> Layout:
    if features.ndim == 3:
        return "NLC"
    last = features.shape[-1] == getattr(network, "num_features", None) != features.shape[1]
    return "NHWC" if getattr(network, "output_fmt", None) == "NHWC" or last else "NCHW"
