"""Views for the small network: tiles unrolled as the camera sees them, and random changes of both.

What moves columns moves those of both views, so they stay aligned; the rest is each view's own.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from _planet_places import Images

RADIUS_SHARE = 0.965
"""How much of the tile's half side the polar transform reaches."""
MIDDLE = 115.0


def polar(
    tiles: Images, size: tuple[int, int], fov_degrees: float, centres: NDArray[np.float64]
) -> Tensor:
    """Unroll tiles around their centres: rows from far to near, columns clockwise.

    Args:
        tiles: (n, s, s, 3), north up.
        size: (columns, rows) of the result.
        fov_degrees: Over how much of the circle the columns go: evenly for all of it, and else as
            the columns of a perspective photo do.
        centres: (n,) compass direction of the middle column.

    Returns:
        uint8 (n, 3, rows, columns).
    """
    width, height = size
    column = (torch.arange(width) + 0.5) / width - 0.5
    if fov_degrees < 360.0:
        column = torch.atan(2 * column * math.tan(math.radians(fov_degrees / 2)))
    else:
        column = column * math.radians(fov_degrees)
    row = (1 - (torch.arange(height) + 0.5) / height) * RADIUS_SHARE
    parts = []
    for start in range(0, len(tiles), 250):
        part = shrunk(tiles[start : start + 250], 2).float()
        middle = torch.from_numpy(np.radians(centres[start : start + 250])).float()
        angle = column + middle[:, None]
        grid = torch.stack(
            [
                row[None, :, None] * torch.sin(angle)[:, None],
                -row[None, :, None] * torch.cos(angle)[:, None],
            ],
            dim=-1,
        )
        parts.append(functional.grid_sample(part, grid, align_corners=False).byte())
    return torch.cat(parts)


def shrunk(images: Images, factor: int) -> Tensor:
    """uint8 (n, h, w, 3) to uint8 (n, 3, h / factor, w / factor), by averaging."""
    parts = [
        functional.avg_pool2d(
            torch.from_numpy(images[i : i + 250]).permute(0, 3, 1, 2).float(), factor
        )
        for i in range(0, len(images), 250)
    ]
    return torch.cat(parts).byte()


def augmented(aerial: Tensor, ground: Tensor, *, whole_circle: bool) -> tuple[Tensor, Tensor]:
    """Both views of a batch, float (n, 3, h, w), 0 to 255, changed at random."""
    if whole_circle:
        turn = int(torch.randint(0, 16, (1,))) * (aerial.shape[3] // 16)
        aerial, ground = torch.roll(aerial, turn, 3), torch.roll(ground, turn, 3)
    else:
        by = int(torch.randint(-3, 4, (1,)))
        aerial, ground = _aside(aerial, by), _aside(ground, by)
        aerial = _aside(aerial, int(torch.randint(-1, 2, (1,))))
    mirrored = (torch.rand(len(aerial)) < 0.5)[:, None, None, None]
    aerial = torch.where(mirrored, aerial.flip(3), aerial)
    ground = torch.where(mirrored, ground.flip(3), ground)
    ground = _raised(ground, 1 if whole_circle else 2)
    return _recoloured(_holed(aerial)), _recoloured(_holed(ground))


def _aside(images: Tensor, columns: int) -> Tensor:
    """Moved sideways, the edge repeated."""
    wide = images.shape[3]
    return images[..., (torch.arange(wide) + columns).clamp(0, wide - 1)]


def _raised(images: Tensor, most: int) -> Tensor:
    """Each image moved by up to so many rows, the edge repeated."""
    n, bands, height, width = images.shape
    by = torch.randint(-most, most + 1, (n, 1))
    rows = (torch.arange(height)[None] + by).clamp(0, height - 1)
    return images.gather(2, rows[:, None, :, None].expand(n, bands, height, width))


def _holed(images: Tensor) -> Tensor:
    """A grey rectangle, a quarter high and a sixth wide, in every other image."""
    n, _, height, width = images.shape
    tall, wide = height // 4, width // 6
    for k in range(n):
        if torch.rand(1) < 0.5:
            top = int(torch.randint(0, height - tall, (1,)))
            left = int(torch.randint(0, width - wide, (1,)))
            images[k, :, top : top + tall, left : left + wide] = MIDDLE
    return images


def _recoloured(images: Tensor) -> Tensor:
    """Other light, other colours, paler or richer, and noise."""
    n = len(images)
    gain = 0.8 + 0.4 * torch.rand(n, 1, 1, 1)
    images = (images - MIDDLE) * gain + MIDDLE + 30.0 * torch.randn(n, 3, 1, 1)
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * (0.5 + torch.rand(n, 1, 1, 1))
    return images + 6.0 * torch.rand(n, 1, 1, 1) * torch.randn_like(images)
