"""Heat by gradients: how the similarity changes with every place of a feature map."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from sightline.errors import UsageError
from sightline.models.explain.pair import PairSimilarity, ViewTrunk
from sightline.models.pooling import to_grid


def gradient_heat(
    pair: PairSimilarity,
    first: Tensor,
    second: Tensor,
    layers: tuple[str | None, str | None],
    *,
    averaged: bool,
) -> tuple[Tensor, Tensor, Tensor, tuple[str, str]]:
    """Activations of a layer weighted by the gradient of the similarity, summed over channels.

    With ``averaged`` the gradient is averaged over the map before: Grad-CAM (Selvaraju et al.,
    *Grad-CAM: Visual explanations from deep networks via gradient-based localization*, ICCV 2017,
    equations 1 and 2), the class score being the cosine of the two vectors. Without, each place
    keeps its own: HiResCAM (Draelos and Carin, *Use HiResCAM instead of Grad-CAM for faithful
    explanations of convolutional neural networks*, 2020, equation 5), which heads that treat
    places differently (recombination, attention masks, fully connected layers) need.

    Args:
        pair: What is explained.
        first: uint8 (n, 3, h, w).
        second: uint8 (n, 3, h', w').
        layers: Of the two trunks, by module path; the last map that the head reads if None.
        averaged: See above.

    Returns:
        Heat (n, a, b) and (n, a', b') on the layers' grids, negative where a place speaks against
        the pair; the similarities (n,); and the names of the layers.

    Raises:
        UsageError: No such layer, or one whose output is no map of places or does not reach the
            similarity.
    """
    names = tuple(_layer(view, name) for view, name in zip(pair.views, layers, strict=True))
    modules = [_module(view, name) for view, name in zip(pair.views, names, strict=True)]
    with pair.ready(), _captured(modules) as seen, torch.enable_grad():
        similarity = pair.similarity(first, second)
        if len(seen) != len(modules):
            raise UsageError(
                f"The layers {names[0]!r} and {names[1]!r} must run once for each picture. "
                f"They ran {len(seen)} times.",
                hint="Name a block of the trunk.",
            )
        gradients = torch.autograd.grad(similarity.sum(), seen, allow_unused=True)
    heats = []
    for view, name, leaf, gradient in zip(pair.views, names, seen, gradients, strict=True):
        grid = _grid(view, name, leaf.detach())
        slope = torch.zeros_like(leaf) if gradient is None else gradient
        if gradient is None or not bool(torch.any(_grid(view, name, slope))):
            _refuse_unread(name, similarity)
        slope = _grid(view, name, slope)
        if averaged:
            slope = slope.mean(dim=(2, 3), keepdim=True)
        heats.append((slope * grid).sum(dim=1))
    return heats[0], heats[1], similarity.detach(), (names[0], names[1])


@contextmanager
def _captured(modules: list[nn.Module]) -> Iterator[list[Tensor]]:
    """Hand on, in place of each module's output, a copy that gradients reach, and keep it."""
    seen: list[Tensor] = []

    def hook(_module: nn.Module, _given: Any, output: Any) -> Any:
        many = isinstance(output, tuple)
        made = output[0] if many else output
        if not isinstance(made, Tensor):
            return output
        leaf = made.detach()
        leaf.requires_grad = True
        seen.append(leaf)
        return (leaf, *output[1:]) if many else leaf

    handles = [module.register_forward_hook(hook) for module in dict.fromkeys(modules)]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


LAST_MAP = "the last map"
"""The name of what a trunk gives its head."""


def _layer(view: ViewTrunk, name: str | None) -> str:
    """The named layer, or the last one whose places the head reads."""
    if name is not None or not view.reads_tokens:
        return name or LAST_MAP
    blocks = getattr(view.trunk.network, "blocks", None)
    kept = [] if blocks is None else [n for n, b in blocks.named_children() if _is_block(b)]
    if len(kept) < 2:
        raise UsageError(
            "The head reads tokens that stand for no place, and the trunk has no blocks before.",
            hint="Name a layer whose output is a map of places.",
        )
    # In the last block the tokens read the places that the block before it made.
    return f"blocks.{kept[-2]}"


def _is_block(module: nn.Module) -> bool:
    return not isinstance(module, nn.Identity)


def _module(view: ViewTrunk, name: str) -> nn.Module:
    if name == LAST_MAP:
        return view.trunk
    modules = dict(view.trunk.network.named_modules())
    if name not in modules or not name:
        blocks = [n for n, m in modules.items() if n.count(".") <= 1 and n and _is_block(m)]
        raise UsageError(
            f"The trunk has no layer {name!r}.",
            hint=f"Its last ones are {', '.join(blocks[-6:])}.",
        )
    module: nn.Module = modules[name]
    return module


def _grid(view: ViewTrunk, name: str, output: Tensor) -> Tensor:
    """The output of a layer, or a gradient of its shape, as (n, c, h, w)."""
    trunk = view.trunk
    if name == LAST_MAP:
        return output
    if output.ndim == 3:
        places = output.shape[1] - trunk.prefix_tokens
        height = max(1, round((places * view.size[0] / view.size[1]) ** 0.5))
        if places > 0 and places % height == 0:
            grid = (height, places // height)
            return to_grid(output, "NLC", trunk.prefix_tokens, grid)[0]
    if output.ndim == 4:
        return to_grid(output, "NHWC" if trunk.layout == "NHWC" else "NCHW", 0, (1, 1))[0]
    raise UsageError(
        f"The layer {name!r} must give a map of places. Its output has the shape "
        f"{tuple(output.shape)}.",
        hint="Name a block or a stage of the trunk.",
    )


def _refuse_unread(name: str, similarity: Tensor) -> None:
    """Refuse a layer no place of which reaches the similarity; that of equal vectors is flat."""
    if bool((similarity.detach() < 1 - 1e-6).any()):
        raise UsageError(
            f"No place of the layer {name!r} changes the similarity.",
            hint="Name an earlier layer; the head reads tokens that stand for no place.",
        )
