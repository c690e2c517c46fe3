"""The polar transform of aerial pictures, an option that peers of ours need.

Shi et al. (2019), *Spatial-Aware Feature Aggregation for Image based Cross-View Geo-Localization*
(SAFA), equations 1 and 2. Azimuth runs to the right, from south over west, north and east back to
south, so that north stands in the middle, as in the panoramas of CVUSA and CVACT; the lowest row is
the place itself, the highest the picture's rim.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.reading.decoding import checked_size
from sightline.errors import UsageError


class PolarTransform:
    """Aerial pictures of one size into polar ones of one size.

    Row i and column j of a picture of height H and width W are read, of a square picture with
    side S, at

        row    S/2 + S/2 · (H - 1 - i) / H · cos(2π j / W)
        column S/2 - S/2 · (H - 1 - i) / H · sin(2π j / W)

    (i counts from the rim, as in the authors' code: its last value, H - 1, is the centre.) Values
    are interpolated bilinearly, and rounded, where the authors' code cuts the fraction off; outside
    the picture they are 0.

    Args:
        aerial_size: S, in pixels.
        size: (H, W); the paper's 122 by 671 for a 750 pixel picture of CVUSA.
        first_degrees: Azimuth of column 0, clockwise from north. The paper's 180 puts north in the
            middle; 0 puts it at the left edge.

    Raises:
        UsageError: A size is impossible.
    """

    def __init__(
        self,
        aerial_size: int,
        size: tuple[int, int] = (122, 671),
        *,
        first_degrees: float = 180.0,
    ) -> None:
        height, width = checked_size(size)
        if aerial_size < 2 or not np.isfinite(first_degrees):
            raise UsageError(
                "aerial_size must be 2 pixels or more, and first_degrees a finite number. Got "
                f"{aerial_size!r} and {first_degrees!r}.",
                hint="Give the side of the square aerial pictures.",
            )
        self.aerial_size = aerial_size
        self.size = (height, width)
        radius = aerial_size / 2 * (height - 1 - np.arange(height)[:, None]) / height
        angle = 2 * np.pi * np.arange(width) / width + np.deg2rad(first_degrees)
        rows = aerial_size / 2 - radius * np.cos(angle)
        columns = aerial_size / 2 + radius * np.sin(angle)
        self._corners, self._weights = _bilinear(rows, columns, aerial_size)

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Transform one picture.

        Args:
            pixels: uint8 (S, S, 3), north up, the place at the centre.

        Returns:
            uint8 (H, W, 3).

        Raises:
            UsageError: The picture has another size.
        """
        side = self.aerial_size
        if pixels.shape != (side, side, 3) or pixels.dtype != np.uint8:
            raise UsageError(
                f"pixels must be uint8 of shape ({side}, {side}, 3). Got {pixels.dtype} of "
                f"{pixels.shape}.",
                hint="Make a PolarTransform for this size, or resize the picture.",
            )
        flat = pixels.reshape(-1, 3)
        total = np.full((*self.size, 3), 0.5, np.float32)
        for corner, weight in zip(self._corners, self._weights, strict=True):
            total += flat.take(corner, axis=0) * weight[..., None]
        return total.astype(np.uint8)


def _bilinear(
    rows: NDArray[np.float64], columns: NDArray[np.float64], side: int
) -> tuple[list[NDArray[np.intp]], list[NDArray[np.float32]]]:
    """Return flat indices and weights of the four pixels about each position."""
    above, before = np.floor(rows), np.floor(columns)
    down, across = rows - above, columns - before
    corners, weights = [], []
    for step_down, step_across in ((0, 0), (0, 1), (1, 0), (1, 1)):
        row, column = above + step_down, before + step_across
        inside = (row >= 0) & (row < side) & (column >= 0) & (column < side)
        weight = (down if step_down else 1 - down) * (across if step_across else 1 - across)
        corners.append(np.where(inside, row * side + column, 0).astype(np.intp))
        weights.append(np.where(inside, weight, 0).astype(np.float32))
    return corners, weights
