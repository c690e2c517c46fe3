"""Any timm backbone, cut after one of its modules.

The cut is generic. A hook on the named module raises as soon as its output is known, so nothing
later runs; what took no part until then is removed, so nothing later is stored. That a network is
unchanged up to the cut is checked whenever one is made.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Mapping
from typing import Any

import timm
import torch
from torch import Tensor, nn

from sightline.errors import BundleError
from sightline.models.pooling import to_grid
from sightline.models.settings import Layout

# Arguments of timm.create_model that reach for files, hubs or global state: never from a bundle.
_FORBIDDEN_ARGUMENTS = frozenset(
    {
        "pretrained",
        "pretrained_cfg",
        "pretrained_cfg_overlay",
        "pretrained_strict",
        "checkpoint_path",
        "cache_dir",
        "scriptable",
        "exportable",
        "no_jit",
        "features_only",
    }
)


class _FeatureReachedError(Exception):
    """Carries the feature map out of the network's forward pass."""

    def __init__(self, features: Tensor) -> None:
        super().__init__("feature reached")
        self.features = features


def build_backbone(architecture: str, model_args: Mapping[str, Any]) -> nn.Module:
    """Build a timm network with random weights, in evaluation mode.

    Raises:
        BundleError: No such architecture, or an argument it does not take.
    """
    if not timm.is_model(architecture):
        nearest = difflib.get_close_matches(architecture, timm.list_models(), n=1, cutoff=0.0)
        raise BundleError(
            f"timm {timm.__version__} knows no architecture {architecture!r}.",
            hint=f"Did you mean {nearest[0]!r}? A newer timm may know it.",
        )
    forbidden = sorted(_FORBIDDEN_ARGUMENTS & set(model_args))
    if forbidden:
        raise BundleError(
            f"The model argument {forbidden[0]!r} may not be set by a config.",
            hint="Keep only arguments of the network itself, such as pad_type.",
        )
    try:
        network: nn.Module = timm.create_model(architecture, pretrained=False, **model_args)
    except (TypeError, ValueError, KeyError, AssertionError, RuntimeError) as cause:
        raise BundleError(
            f"{architecture} cannot be built with the arguments {dict(model_args)!r}: {cause}.",
            hint="Compare model_args with the architecture's constructor in timm.",
        ) from cause
    return network.eval()


def set_input_size(network: nn.Module, size: tuple[int, int]) -> None:
    """Fit a network of fixed input size (transformers) to another, in place.

    Position embeddings are resampled by timm. Networks that take any size are left alone.

    Raises:
        BundleError: The network cannot take this size.
    """
    resample = getattr(network, "set_input_size", None)
    if resample is None:
        return
    try:
        with warnings.catch_warnings():
            # timm's resampling of bias tables warns of its own indexing.
            warnings.simplefilter("ignore", UserWarning)
            resample(img_size=size)
    except (TypeError, ValueError, AssertionError, RuntimeError) as cause:
        raise BundleError(
            f"{type(network).__name__} cannot take photos of {size[0]} x {size[1]} pixels: "
            f"{cause}.",
            hint="Choose a multiple of the patch size, or the size it was trained with.",
        ) from cause


class CutBackbone(nn.Module):
    """A network up to one of its modules.

    Building one removes from ``network`` whatever the feature does not need.

    Args:
        network: From :func:`build_backbone`; changed in place.
        feature: Module path, such as ``blocks.5.0.bn1``; its output is the feature map.
        size: (height, width) of the input.
        layout: Order of the map's axes; found out if None.

    Attributes:
        input_size: (height, width) in pixels.
        layout: Order of the map's axes.
        channels: d.
        grid: (h, w) of the map.
        prefix_tokens: Tokens before those of places, for ``NLC``.

    Raises:
        BundleError: No such module, it is not run, or its output is no feature map.
    """

    def __init__(
        self, network: nn.Module, feature: str, size: tuple[int, int], layout: Layout | None = None
    ) -> None:
        super().__init__()
        self.network = network
        self.feature = feature
        self.input_size = size
        stop_after(network, feature)
        before = self._trace(size)
        self.layout: Layout = layout or _find_layout(network, before, size)
        self.prefix_tokens, self.grid, self.channels = self._describe(before, size)
        after = self._run(_probe(size))
        if not torch.equal(before, after):
            raise BundleError(
                f"Cutting the network after {feature!r} changed its output.",
                hint="Report this architecture as a bug, or choose another feature.",
            )

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Run to the cut.

        Args:
            pixels: normalised (n, 3, height, width).

        Returns:
            (n, d, h, w) and the prefix tokens (n, t, d) or None.
        """
        return to_grid(self._run(pixels), self.layout, self.prefix_tokens, self.grid)

    def _run(self, pixels: Tensor) -> Tensor:
        try:
            self.network(pixels)
        except _FeatureReachedError as reached:
            return reached.features
        raise BundleError(
            f"The module {self.feature!r} exists but is not run in a forward pass.",
            hint="Choose the module whose output is the feature map.",
        )

    def _probe(self, size: tuple[int, int]) -> Tensor:
        try:
            return self._run(_probe(size))
        except (RuntimeError, AssertionError, ValueError) as cause:
            raise BundleError(
                f"{type(self.network).__name__} cannot run on photos of {size[0]} x {size[1]} "
                f"pixels: {cause}.",
                hint="Choose another size, and arguments of a network that takes RGB.",
            ) from cause

    def _trace(self, size: tuple[int, int]) -> Tensor:
        """The feature map of the probe; what took no part in it is removed."""
        called: set[nn.Module] = set()
        handles = [
            m.register_forward_pre_hook(lambda module, _: called.add(module))
            for m in self.network.modules()
        ]
        try:
            with torch.enable_grad():
                features = self._probe(size)
                if not isinstance(features, Tensor) or features.ndim not in (2, 3, 4):
                    shape = getattr(features, "shape", type(features).__name__)
                    raise BundleError(
                        f"The module {self.feature!r} gives no feature map. Got {shape}.",
                        hint="Choose a module that returns one tensor of 2, 3 or 4 axes.",
                    )
                parameters = list(self.network.parameters())
                gradients = torch.autograd.grad(features.sum(), parameters, allow_unused=True)
        finally:
            for handle in handles:
                handle.remove()
        used = {p for p, g in zip(parameters, gradients, strict=True) if g is not None}
        _prune(self.network, called, used)
        self.network.requires_grad_(requires_grad=False)
        return features.detach()

    def _describe(
        self, features: Tensor, size: tuple[int, int]
    ) -> tuple[int, tuple[int, int], int]:
        """Prefix tokens, grid (h, w) and channels of the map."""
        shape = features.shape
        axes = {"NCHW": 4, "NHWC": 4, "NLC": 3, "NC": 2}[self.layout]
        if len(shape) != axes:
            raise BundleError(
                f"The layout of {self.feature!r} is not {self.layout}. Got shape {tuple(shape)}.",
                hint="Leave the layout out; the importer finds it.",
            )
        if self.layout == "NCHW":
            return 0, (shape[2], shape[3]), shape[1]
        if self.layout == "NHWC":
            return 0, (shape[1], shape[2]), shape[3]
        if self.layout == "NC":
            return 0, (1, 1), shape[1]
        prefix = int(getattr(self.network, "num_prefix_tokens", 0))
        places = shape[1] - prefix
        height = max(1, round((places * size[0] / size[1]) ** 0.5))
        if places < 1 or places % height:
            raise BundleError(
                f"The {shape[1]} tokens of {self.feature!r} form no grid over the photo.",
                hint="Choose a block of the network's trunk as the feature.",
            )
        return prefix, (height, places // height), shape[2]


def stop_after(network: nn.Module, feature: str) -> None:
    """End every forward pass of ``network`` at the output of one module.

    Raises:
        BundleError: No such module.
    """
    modules = dict(network.named_modules())
    if feature not in modules or feature == "":
        nearest = difflib.get_close_matches(feature, [m for m in modules if m], n=3, cutoff=0.0)
        raise BundleError(
            f"{type(network).__name__} has no module {feature!r}.",
            hint=f"Near it are {', '.join(nearest)}.",
        )
    modules[feature].register_forward_hook(_stop)


def _stop(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
    raise _FeatureReachedError(output)


def _probe(size: tuple[int, int]) -> Tensor:
    """A fixed, structured input (1, 3, height, width) that needs no random state."""
    rows = torch.linspace(-1.5, 1.5, size[0])[:, None]
    columns = torch.linspace(-1.5, 1.5, size[1])[None, :]
    return torch.stack(
        [torch.sin(7 * rows + columns), rows * columns, torch.cos(5 * columns) - rows]
    )[None]


def _prune(network: nn.Module, called: set[nn.Module], used: set[nn.Parameter]) -> None:
    """Remove modules and parameters that took no part; what is left keeps its names."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if not any(
                m in called or used & set(m.parameters(recurse=False)) for m in child.modules()
            ):
                setattr(parent, name, nn.Identity())
    for module in network.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            if parameter not in used:
                setattr(module, name, None)


def _find_layout(network: nn.Module, features: Tensor, size: tuple[int, int]) -> Layout:
    if features.ndim != 4:
        return "NLC" if features.ndim == 3 else "NC"
    _, a, b, c = features.shape
    looks_channels_first = abs(b * size[1] - c * size[0]) <= max(size)
    looks_channels_last = abs(a * size[1] - b * size[0]) <= max(size)
    if looks_channels_first != looks_channels_last:
        return "NCHW" if looks_channels_first else "NHWC"
    return "NHWC" if str(getattr(network, "output_fmt", "NCHW")).endswith("NHWC") else "NCHW"
