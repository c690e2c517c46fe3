"""Heatmaps of a photo and a patch, or of two photos, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from sightline.errors import UsageError
from sightline.models.explain.gradient import gradient_heat
from sightline.models.explain.occlusion import occlusion_heat
from sightline.models.explain.pair import PairSimilarity, ViewTrunk
from sightline.models.explain.rollout import rollout_heat
from sightline.models.polar_view import rolled_up

Method = Literal["gradient", "grad-cam", "attention", "occlusion"]


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """Where the similarity of n pairs comes from.

    Attributes:
        first: float32 (n, h, w) in [0, 1], heat of the first pictures (of the photos, for a
            cross-view model). Each map is scaled by its own largest value; one without any place
            that speaks for the pair is 0.
        second: float32 (n, h', w'), of the second pictures.
        similarities: float32 (n,), the cosines that are explained.
        method: How.
        layers: Of the two trunks, where it was read off.
    """

    first: NDArray[np.float32]
    second: NDArray[np.float32]
    similarities: NDArray[np.float32]
    method: Method
    layers: tuple[str, str]


def explain(
    pair: PairSimilarity,
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    *,
    method: Method = "gradient",
    layer: str | tuple[str | None, str | None] | None = None,
    window: int | None = None,
    batch: int = 16,
) -> Explanation:
    """Say which pixels carry the similarity of pairs of pictures.

    Args:
        pair: From :func:`~sightline.models.explain.pair.pair_of`.
        first: uint8 (n, h, w, 3), as the encoder's ``prepare`` returns one view.
        second: uint8 (n, h', w', 3).
        method: ``gradient`` (each place by its own gradient), ``grad-cam`` (by the mean over the
            map), ``attention`` (rollout; transformers, and the same whatever the other picture)
            or ``occlusion`` (slow; what really happens when a window is covered).
        layer: Module path in the trunk, or one for each of the two; for the gradients.
        window: Side of the covered window in pixels; for ``occlusion``.
        batch: Pairs at once.

    Raises:
        UsageError: No such method or layer, a layer or a window for a method that has none,
            pictures of another size or kind, or not as many of the one as of the other.
    """
    if method not in get_args(Method):
        raise UsageError(
            f"The method must be one of {', '.join(get_args(Method))}. Got {method!r}.",
            hint="gradient is a good start.",
        )
    for name, given, methods in (
        ("layer", layer, ("gradient", "grad-cam")),
        ("window", window, ("occlusion",)),
    ):
        if given is not None and method not in methods:
            raise UsageError(
                f"The method {method} has no {name}. Got {given!r}.",
                hint=f"Leave it out, or use {' or '.join(methods)}.",
            )
    if len(first) != len(second):
        raise UsageError(
            f"There must be as many second pictures as first ones. Got {len(first)} and "
            f"{len(second)}.",
            hint="Repeat a picture to compare it with several.",
        )
    for pixels, view in zip((first, second), pair.views, strict=True):
        _check(pixels, view)
    layers = layer if isinstance(layer, tuple) else (layer, layer)
    device = next(pair.module.parameters()).device
    parts: list[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]] = []
    names = ("", "")
    for start in range(0, len(first), batch):
        one, other = (
            torch.from_numpy(np.ascontiguousarray(p[start : start + batch]))
            .permute(0, 3, 1, 2)
            .to(device)
            for p in (first, second)
        )
        heats, similarities, names = _heat(pair, one, other, method, layers, window)
        of_trunk = method != "occlusion"
        maps = [
            _scaled(heat, view, unrolled=view.polar and of_trunk)
            for heat, view in zip(heats, pair.views, strict=True)
        ]
        parts.append((maps[0], maps[1], similarities.float().cpu().numpy()))
    if not parts:
        empty = [np.zeros((0, *view.size), np.float32) for view in pair.views]
        parts = [(empty[0], empty[1], np.zeros(0, np.float32))]
    joined = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
    return Explanation(joined[0], joined[1], joined[2], method, names)


def _heat(
    pair: PairSimilarity,
    first: Tensor,
    second: Tensor,
    method: Method,
    layers: tuple[str | None, str | None],
    window: int | None,
) -> tuple[tuple[Tensor, Tensor], Tensor, tuple[str, str]]:
    if method == "occlusion":
        one, other, similarities = occlusion_heat(pair, first, second, window=window)
        return (one, other), similarities, ("pixels", "pixels")
    if method == "attention":
        with pair.ready(), torch.no_grad():
            similarities = pair.similarity(first, second)
        heats = [
            rollout_heat(pair, view, pixels)
            for view, pixels in zip(pair.views, (first, second), strict=True)
        ]
        return (heats[0], heats[1]), similarities, ("all blocks", "all blocks")
    one, other, similarities, names = gradient_heat(
        pair, first, second, layers, averaged=method == "grad-cam"
    )
    return (one, other), similarities, names


def _scaled(heat: Tensor, view: ViewTrunk, *, unrolled: bool) -> NDArray[np.float32]:
    """What speaks for the pair, as large as the picture, each map divided by its largest value."""
    positive = heat.float().clamp(min=0)
    if unrolled:
        large = rolled_up(positive, view.size)
    else:
        large = functional.interpolate(
            positive[:, None], view.size, mode="bilinear", align_corners=False
        )[:, 0]
    largest = large.amax(dim=(1, 2), keepdim=True)
    scaled = torch.where(largest > 0, large / largest.clamp(min=torch.finfo(large.dtype).tiny), 0.0)
    return np.asarray(scaled.cpu().numpy(), np.float32)


def _check(pixels: Any, view: ViewTrunk) -> None:
    shape = getattr(pixels, "shape", None)
    if getattr(pixels, "dtype", None) != np.uint8 or shape is None or shape[1:] != (*view.size, 3):
        raise UsageError(
            f"Pictures must be uint8 (n, {view.size[0]}, {view.size[1]}, 3). "
            f"Got {getattr(pixels, 'dtype', type(pixels).__name__)} {shape}.",
            hint="Pass what the encoder's prepare returned, one view of it.",
        )
