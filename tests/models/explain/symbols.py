"""Pairs of pictures that share one coloured symbol in grey noise, and a network that finds it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from sightline.models.architectures import build_network
from sightline.models.cross_view import CrossViewNetwork

SIZE = 48
SYMBOL = 12


@dataclass(frozen=True)
class Pairs:
    """Pictures uint8 (n, 48, 48, 3), and the upper left corner (n, 2) of the symbol in each."""

    first: NDArray[np.uint8]
    second: NDArray[np.uint8]
    in_first: NDArray[np.int64]
    in_second: NDArray[np.int64]


def pairs(count: int, seed: int) -> Pairs:
    rng = np.random.default_rng(seed)
    shape = (count, SIZE, SIZE, 3)
    made = [rng.integers(90, 130, shape).astype(np.uint8) for _ in range(2)]
    corners = rng.integers(0, SIZE - SYMBOL, (2, count, 2))
    symbols = 255 * rng.integers(0, 2, (count, 2, 2, 3)).repeat(6, axis=1).repeat(6, axis=2)
    for pictures, places in zip(made, corners, strict=True):
        for picture, symbol, (y, x) in zip(pictures, symbols, places, strict=True):
            picture[y : y + SYMBOL, x : x + SYMBOL] = symbol
    return Pairs(made[0], made[1], corners[0], corners[1])


def tensor(pictures: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2)


@cache
def trained() -> CrossViewNetwork:
    """A small residual network with average pooling, 40 steps of InfoNCE on 512 pairs."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_network(
            "average",
            ground="perspective:90",
            backbone="test_resnet",
            ground_size=(SIZE, SIZE),
            aerial_size=(SIZE, SIZE),
            shared_weights=True,
        )
        data = pairs(512, seed=1)
        first, second = tensor(data.first), tensor(data.second)
        optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
        for _ in range(40):
            chosen = torch.randint(0, 512, (24,))
            one, other = network(first[chosen], second[chosen])
            scores, truth = 10 * one @ other.T, torch.arange(24)
            loss = functional.cross_entropy(scores, truth)
            loss = loss + functional.cross_entropy(scores.T, truth)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return network.eval()


def share_inside(heat: NDArray[np.float32], corners: NDArray[np.int64]) -> float:
    """Mean share of a map's heat that lies on the symbol."""
    inside = [
        one[y : y + SYMBOL, x : x + SYMBOL].sum() / one.sum()
        for one, (y, x) in zip(heat, corners, strict=True)
    ]
    return float(np.mean(inside))


def peaks_inside(heat: NDArray[np.float32], corners: NDArray[np.int64], margin: int = 4) -> float:
    """Share of maps whose hottest pixel lies on the symbol, or within ``margin`` of it."""
    hits = []
    for one, corner in zip(heat, corners, strict=True):
        peak = np.array(np.unravel_index(one.argmax(), one.shape))
        hits.append(bool(((peak >= corner - margin) & (peak < corner + SYMBOL + margin)).all()))
    return float(np.mean(hits))
