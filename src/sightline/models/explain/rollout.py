"""Heat by attention: how much of each place has reached what the head reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from sightline.errors import UsageError
from sightline.models.explain.pair import PairSimilarity, ViewTrunk


def rollout_heat(pair: PairSimilarity, view: ViewTrunk, pixels: Tensor) -> Tensor:
    """Attention rolled out over the blocks of a transformer.

    Abnar and Zuidema, *Quantifying attention flow in transformers* (ACL 2020), section 3: the mean
    over the heads and the residual connection, half each, multiplied from block to block. It says
    what a branch looks at, whatever picture it is compared with.

    Args:
        pair: Whose view it is.
        view: The trunk, a transformer with global attention.
        pixels: uint8 (n, 3, h, w).

    Returns:
        (n, h, w), not negative: what the tokens that the head reads hold of each place; of the
        mean of all places where it reads those.

    Raises:
        UsageError: The trunk has no global attention.
    """
    with pair.ready(), torch.no_grad(), _attentions(view.trunk.network) as maps:
        view.run(pixels)
    tokens = view.trunk.prefix_tokens
    _require_global(maps, tokens, view)
    rolled: Tensor | None = None
    for attention in maps:
        mixed = attention.float().mean(dim=1)
        mixed = 0.5 * mixed + 0.5 * torch.eye(mixed.shape[-1], device=mixed.device)
        rolled = mixed if rolled is None else mixed @ rolled
    assert rolled is not None  # noqa: S101 - there are maps
    read = rolled[:, :tokens] if view.reads_tokens else rolled[:, tokens:]
    heat = read.mean(dim=1)[:, tokens:]
    return heat.reshape(len(heat), *view.trunk.grid)


@contextmanager
def _attentions(network: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the attention matrices (n, heads, l, l) of every block, in the order they run."""
    maps: list[Tensor] = []
    layers = [
        module
        for module in network.modules()
        if hasattr(module, "fused_attn")
        and isinstance(getattr(module, "attn_drop", None), nn.Module)
    ]
    fused = [(layer, layer.fused_attn) for layer in layers]
    handles = []
    for layer in layers:
        # The fused kernel never holds the matrix; the plain computation passes it through this.
        vars(layer)["fused_attn"] = False
        dropout = layer.get_submodule("attn_drop")
        handles.append(dropout.register_forward_hook(lambda _m, _given, made: maps.append(made)))
    try:
        yield maps
    finally:
        for handle in handles:
            handle.remove()
        for layer, flag in fused:
            vars(layer)["fused_attn"] = flag


def _require_global(maps: list[Tensor], tokens: int, view: ViewTrunk) -> None:
    """Refuse trunks some block of which sees less than the whole picture."""
    height, width = view.trunk.grid
    whole = tokens + height * width
    if not maps or any(a.ndim != 4 or a.shape[-2:] != (whole, whole) for a in maps):
        raise UsageError(
            "Attention can be rolled out of transformers with global attention only. Got "
            f"{type(view.trunk.network).__name__}.",
            hint="Use the method gradient.",
        )
