"""How much of a pixel's footprint a line, a dash or a half-plane covers: edges without jaggies.

All functions work on float32 arrays of one shape; a footprint is the width in metres of the square
of ground that a pixel sees, one number or one per point.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Footprint = Floats | np.float32


def inside(depth_m: Floats, footprint_m: Footprint) -> Floats:
    """Return the share covered by what lies ``depth_m`` inside an edge (negative: outside)."""
    share = depth_m / footprint_m
    share += np.float32(0.5)
    np.clip(share, 0, 1, out=share)
    return share


def line(distance_m: Floats, width_m: float, footprint_m: Footprint) -> Floats:
    """Return the share covered by a line of a width, at distances from its middle."""
    width = np.float32(width_m)
    share = np.abs(distance_m)
    np.subtract((width + footprint_m) * np.float32(0.5), share, out=share)
    share /= footprint_m
    np.clip(share, 0, np.minimum(np.float32(1), width / footprint_m), out=share)
    return share


def dashes(along_m: Floats, length_m: float, period_m: float, footprint_m: Footprint) -> Floats:
    """Return the share covered by dashes that begin at every multiple of a period."""
    period, half = np.float32(period_m), np.float32(length_m * 0.5)
    from_middle = along_m - half
    from_middle -= np.rint(from_middle / period) * period
    np.abs(from_middle, out=from_middle)
    share = (half - from_middle) / footprint_m
    share += np.float32(0.5)
    np.clip(share, 0, 1, out=share)
    # Where dashes are finer than the footprint, what is left is their mean.
    mean = np.float32(length_m / period_m)
    share -= mean
    share *= np.clip(period / (footprint_m * np.float32(1.5)) - np.float32(0.5), 0, 1)
    share += mean
    return share


def fade(detail_m: float, footprint_m: Footprint) -> Footprint:
    """Return how much of a detail of a size is left: 1 while the pixel is finer, down to 0."""
    faded: Footprint = np.clip(
        np.float32(1.5) - footprint_m / np.float32(detail_m), np.float32(0), np.float32(1)
    )
    return faded
