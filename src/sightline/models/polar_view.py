"""Patches unrolled around the camera's place, inside a network.

Shi, Liu, Yu and Li, *Spatial-Aware Feature Aggregation for Image based Cross-View Geo-Localization*
(SAFA, NeurIPS 2019), equations 1 and 2, with pixels read at their centres. A camera that turns
shifts an unrolled patch along its columns, and a convolution does the same to all of them: what a
network learns of one direction it knows of every other. That is worth most where headings are
unknown.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.errors import UsageError

_NARROWEST = 8


class PolarView(nn.Module):
    """Square patches to pictures whose columns are bearings and whose rows are distances.

    Columns run from south over west, north and east back to south, as those of a panorama that
    looks north; the lowest row is nearest to the centre, the highest lies at the patch's edge, so
    that its corners are left out.

    Args:
        size: (height, width) in pixels of what comes out.

    Raises:
        UsageError: Sides below 8 pixels.
    """

    grid: Tensor

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        height, width = size
        if min(height, width) < _NARROWEST:
            raise UsageError(
                f"The polar size must be a height and a width of {_NARROWEST} pixels or more. "
                f"Got {size!r}.",
                hint="Use about the size of the photos, for example (64, 256).",
            )
        self.size = (height, width)
        away = 1.0 - (torch.arange(height, dtype=torch.float64) + 0.5) / height
        angle = math.pi + 2.0 * math.pi * (torch.arange(width, dtype=torch.float64) + 0.5) / width
        # Of grid_sample: x grows to the east and y to the south, 1 at the edge.
        grid = torch.stack([away[:, None] * angle.sin(), -away[:, None] * angle.cos()], dim=-1)
        self.register_buffer("grid", grid.float()[None], persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Unroll.

        Args:
            pixels: (n, c, h, w), uint8, or floats of any range.

        Returns:
            (n, c, height, width), floats; of bytes those from 0 to 1.
        """
        given = pixels / 255.0 if pixels.dtype == torch.uint8 else pixels
        grid = self.grid.to(given.dtype).expand(len(given), -1, -1, -1)
        unrolled = functional.grid_sample(given, grid, padding_mode="border", align_corners=False)
        if given.is_contiguous(memory_format=torch.channels_last):
            unrolled = unrolled.contiguous(memory_format=torch.channels_last)
        return unrolled


def rolled_up(unrolled: Tensor, size: tuple[int, int]) -> Tensor:
    """Lay an unrolled map back over its patch, for looking at.

    Args:
        unrolled: (n, a, b), a map of what :class:`PolarView` gives.
        size: (height, width) of the patch's map.

    Returns:
        (n, height, width), interpolated linearly around the circle too; 0 in the corners, which
        the unrolled patch does not show.
    """
    columns = unrolled.shape[2]
    south = (torch.arange(size[0]) + 0.5) * 2 / size[0] - 1
    east = (torch.arange(size[1]) + 0.5) * 2 / size[1] - 1
    away = torch.hypot(south[:, None], east[None, :])
    turn = torch.remainder(torch.atan2(east[None, :], -south[:, None]) + math.pi, 2 * math.pi)
    # One column more on either side, so that the first and the last are neighbours.
    around = torch.cat([unrolled[..., -1:], unrolled, unrolled[..., :1]], dim=-1)
    x = 2 * (turn / (2 * math.pi) * columns + 1) / (columns + 2) - 1
    y = (1 - away) * 2 - 1
    grid = torch.stack([x, y], dim=-1)[None].to(unrolled)
    found = functional.grid_sample(
        around[:, None],
        grid.expand(len(unrolled), -1, -1, -1),
        padding_mode="border",
        align_corners=False,
    )[:, 0]
    return found * (away <= 1).to(found)
