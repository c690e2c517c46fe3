"""A small two-branch network from scratch: can the geometry that two views share be learnt?

Four convolutions a branch, InfoNCE with batches of 60, augmentation that keeps the views aligned.
Panoramas meet the tile's polar transform; a 90° photo of known heading meets its 90° sector. All
columns share one head, so that the descriptor keeps the order of what is seen and cannot learn the
training places by heart, column by column. All of it was chosen on validation areas.
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

from _planet_augmentation import augmented

BATCH = 60
DROPOUT = 0.1
COLUMN_DIMENSION = 24


class Branch(nn.Module):
    """Pixels (n, 3, h, w) in, unit vectors (n, 24 w / 8) out: 24 numbers a column."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for wide, wider, stride in ((3, 24, 2), (24, 48, 2), (48, 96, 2), (96, 128, 1)):
            layers += [
                nn.Conv2d(wide, wider, 3, stride, 1, bias=False),
                nn.BatchNorm2d(wider),
                nn.ReLU(inplace=True),
            ]
        self.body = nn.Sequential(*layers, nn.Dropout2d(DROPOUT))
        self.columns = nn.Conv2d(128, COLUMN_DIMENSION, (-(-rows // 8), 1))
        # A third faster on processors than the usual order.
        self.body.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        ready = ((images.float() / 255 - 0.45) / 0.25).contiguous(memory_format=torch.channels_last)
        return functional.normalize(self.columns(self.body(ready)).flatten(1), dim=1)


class TwoBranches:
    """Trains a ground and an aerial branch against each other.

    Args:
        aerial: uint8 (n, 3, h, w), polar.
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
        self.aerial, self.ground = Branch(aerial.shape[2]), Branch(ground.shape[2])
        scale = nn.Parameter(torch.tensor(2.7))
        weights = [*self.aerial.parameters(), *self.ground.parameters(), scale]
        optimiser = torch.optim.AdamW(weights, lr=1e-3, weight_decay=0.05)
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
                x, y = augmented(
                    aerial[rows].float(), ground[rows].float(), whole_circle=whole_circle
                )
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

    def embed(self, aerial: Tensor, ground: Tensor) -> tuple[NDArray[np.float32], ...]:
        """Vectors (n, d) of both views."""
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
