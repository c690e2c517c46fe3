"""A small two-branch network from scratch: can the geometry that two views share be learnt?

Four convolutions a branch, InfoNCE with batches of 60, augmentation that keeps the views aligned.
Panoramas meet the tile's polar transform; a 90° photo of known heading meets its 90° sector.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from _planet_places import Images

BATCH = 60
RADIUS_SHARE = 0.965
"""How much of the tile's half side the polar transform reaches."""


def polar(
    tiles: Images, size: tuple[int, int], fov_degrees: float, centres: NDArray[np.float64]
) -> Tensor:
    """Unroll tiles around their centres: rows from far to near, columns clockwise.

    Args:
        tiles: (n, s, s, 3), north up.
        size: (columns, rows) of the result.
        fov_degrees: Over how much of the circle the columns go.
        centres: (n,) compass direction of the middle column.

    Returns:
        uint8 (n, 3, rows, columns).
    """
    width, height = size
    column = (torch.arange(width) + 0.5) / width - 0.5
    row = (1 - (torch.arange(height) + 0.5) / height) * RADIUS_SHARE
    parts = []
    for start in range(0, len(tiles), 250):
        part = shrunk(tiles[start : start + 250], 2).float()
        middle = torch.from_numpy(np.radians(centres[start : start + 250])).float()
        angle = column * math.radians(fov_degrees) + middle[:, None]
        grid = torch.stack(
            [
                row[None, :, None] * torch.sin(angle)[:, None],
                -row[None, :, None] * torch.cos(angle)[:, None],
            ],
            dim=-1,
        )
        parts.append(functional.grid_sample(part, grid, align_corners=False).byte())
    return torch.cat(parts)


class Branch(nn.Module):
    """Pixels (n, 3, h, w) in, unit vectors (n, 256) out."""

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        cells = -(-rows // 8) * -(-columns // 8)
        layers: list[nn.Module] = []
        for wide, wider, stride in ((3, 24, 2), (24, 48, 2), (48, 96, 2), (96, 128, 1)):
            layers += [
                nn.Conv2d(wide, wider, 3, stride, 1, bias=False),
                nn.BatchNorm2d(wider),
                nn.ReLU(inplace=True),
            ]
        self.body = nn.Sequential(
            *layers, nn.Conv2d(128, 16, 1), nn.Flatten(), nn.Linear(16 * cells, 256)
        )
        # A third faster on processors than the usual order.
        self.body.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        ready = ((images.float() / 255 - 0.45) / 0.25).contiguous(memory_format=torch.channels_last)
        return functional.normalize(self.body(ready), dim=1)


class TwoBranches:
    """Trains a ground and an aerial branch against each other.

    Args:
        aerial: uint8 (n, 3, 64, w), polar.
        ground: uint8 (n, 3, h, w).
        whole_circle: The views are 360° and may be turned together.
        cpu_s: Processor seconds of training.
        report: Is told how it goes.
    """

    def __init__(
        self,
        aerial: Tensor,
        ground: Tensor,
        *,
        whole_circle: bool,
        cpu_s: float,
        report: Callable[[str], None],
    ) -> None:
        torch.manual_seed(0)
        torch.set_num_threads(1)
        self.aerial, self.ground = Branch(*aerial.shape[2:]), Branch(*ground.shape[2:])
        self._whole_circle = whole_circle
        scale = nn.Parameter(torch.tensor(2.7))
        weights = [*self.aerial.parameters(), *self.ground.parameters(), scale]
        optimiser = torch.optim.AdamW(weights, lr=1e-3, weight_decay=0.02)
        begun, steps, self.epochs = time.process_time(), 0, 0
        while (spent := time.process_time() - begun) < cpu_s:
            order = torch.randperm(len(aerial))
            losses = []
            for start in range(0, len(order) - BATCH + 1, BATCH):
                spent = time.process_time() - begun
                if spent >= cpu_s:
                    break
                rate = min(1.0, (steps + 1) / 40) * (0.5 + 0.5 * math.cos(math.pi * spent / cpu_s))
                for group in optimiser.param_groups:
                    group["lr"] = 2e-3 * rate + 1e-5
                rows = order[start : start + BATCH]
                x, y = self._augmented(aerial[rows].float(), ground[rows].float())
                scores = self.ground(y) @ self.aerial(x).T * scale.exp().clamp(max=60)
                right = torch.arange(len(rows))
                loss = functional.cross_entropy(scores, right)
                loss = loss + functional.cross_entropy(scores.T, right)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                losses.append(loss.item() / 2)
                steps += 1
            self.epochs += 1
            if losses and self.epochs % 5 == 0:
                report(f"epoch {self.epochs}: loss {np.mean(losses):.2f}, {spent:.0f} s")
        self.cpu_s = time.process_time() - begun

    def _augmented(self, aerial: Tensor, ground: Tensor) -> tuple[Tensor, Tensor]:
        if self._whole_circle:
            turn = int(torch.randint(0, 16, (1,))) * (aerial.shape[3] // 16)
            aerial, ground = torch.roll(aerial, turn, 3), torch.roll(ground, turn, 3)
        if torch.rand(1) < 0.5:
            aerial, ground = aerial.flip(3), ground.flip(3)
        return _recoloured(aerial), _recoloured(ground)

    def embed(self, aerial: Tensor, ground: Tensor) -> tuple[NDArray[np.float32], ...]:
        """Vectors (n, 256) of both views."""
        self.aerial.eval()
        self.ground.eval()
        with torch.inference_mode():
            found = tuple(
                torch.cat([branch(x[i : i + 100]) for i in range(0, len(x), 100)]).numpy()
                for branch, x in ((self.aerial, aerial), (self.ground, ground))
            )
        self.aerial.train()
        self.ground.train()
        return found


def _recoloured(images: Tensor) -> Tensor:
    """Other light and slightly other colours."""
    n = len(images)
    gain = 0.8 + 0.4 * torch.rand(n, 1, 1, 1)
    return (images - 115) * gain + 115 + 30.0 * torch.randn(n, 3, 1, 1)


def shrunk(images: Images, factor: int) -> Tensor:
    """uint8 (n, h, w, 3) to uint8 (n, 3, h / factor, w / factor), by averaging."""
    parts = [
        functional.avg_pool2d(
            torch.from_numpy(images[i : i + 250]).permute(0, 3, 1, 2).float(), factor
        )
        for i in range(0, len(images), 250)
    ]
    return torch.cat(parts).byte()
