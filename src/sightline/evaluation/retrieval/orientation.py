"""Scoring photos of unknown heading: turn the overhead features until they fit, then compare.

Shi, Yu, Campbell, Li, *Where am I looking at? Joint Location and Orientation Estimation by
Cross-View Matching* (2020), equations 3 and 4, as the code of *Where in the World is this Image?*
runs it (IQTLabs/WITW, model/cvig_fov.py: ``correlation``, ``crop_overhead``, ``l2_distance``). The
overhead image is unrolled around its centre, so that a turn of the camera is a shift along the
width, with its end joined to its beginning. The shift with the highest correlation is the
orientation; the crop there, brought to length 1, is what the surface features are compared with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import EvaluationError, VectorError

Floats = NDArray[np.float64]

_BLOCK_BYTES = 64 * 2**20
# A correlation by Fourier transform errs by a few log2(width) units of rounding of ‖o‖ ‖s‖.
_ROUNDINGS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Orientations:
    """How every overhead map is best turned to every surface map, and how far apart they then are.

    Attributes:
        shift: int64 (a, b), columns by which overhead map i is turned for surface map j; 360
            degrees are the map's width.
        distance: float64 (a, b), squared Euclidean distance of crop and surface map at length 1.
    """

    shift: NDArray[np.int64]
    distance: Floats


def best_orientations(overhead: ArrayLike, surface: ArrayLike) -> Orientations:
    """Turn every overhead map to every surface map and measure the distance.

    With c(t) the sum over channels, rows and columns w of o[.., (t + w) mod W] s[.., w], the shift
    is the first t with the highest c; correlations that rounding alone tells apart count as equal.
    The distance is 2 - 2 c(t) / (‖crop of o at t‖ ‖s‖).

    Args:
        overhead: Features (a, channels, height, W) of unrolled overhead images.
        surface: Features (b, channels, height, w) of photos with w <= W columns.

    Raises:
        EvaluationError: The shapes do not fit.
        VectorError: A value is not finite, a surface map is all zero, or the best crop of an
            overhead map is; names array and row.
    """
    turning, fixed = _maps(overhead, "overhead"), _maps(surface, "surface")
    if turning.shape[1:3] != fixed.shape[1:3] or fixed.shape[3] > turning.shape[3]:
        raise EvaluationError(
            "overhead and surface must agree in channels and height, and surface must not be wider "
            f"than overhead. Got {turning.shape} and {fixed.shape}.",
            hint="Give feature maps (rows, channels, height, width) of one model.",
        )
    length = np.sqrt(np.square(fixed).sum(axis=(1, 2, 3)))
    if not length.all():
        raise VectorError(
            f"surface row {int(np.argmin(length))} is zero everywhere: it has no direction.",
            hint="Find out what made it; a model with such outputs has no score.",
        )
    crop_length = _crop_lengths(turning, fixed.shape[3])
    shift = np.empty((len(turning), len(fixed)), np.int64)
    distance = np.empty(shift.shape)
    spectrum = np.conj(_spectrum(fixed, turning.shape[3]))
    rows = max(1, _BLOCK_BYTES // (16 * turning.shape[3] * len(fixed)))
    for start in range(0, len(turning), rows):
        part = slice(start, start + rows)
        correlation = _correlations(turning[part], spectrum)
        size = np.sqrt(np.square(turning[part]).sum(axis=(1, 2, 3)))[:, None] * length
        shift[part] = _first_highest(correlation, size)
        highest = np.take_along_axis(correlation, shift[part][..., None], axis=2)[..., 0]
        crops = np.take_along_axis(crop_length[part], shift[part], axis=1)
        _require_crops(crops, start)
        distance[part] = 2.0 - 2.0 * highest / (crops * length)
    return Orientations(shift, distance)


def _maps(value: ArrayLike, name: str) -> Floats:
    maps = np.asarray(value, dtype=np.float64)
    if maps.ndim != 4 or 0 in maps.shape:
        raise EvaluationError(
            f"{name} must have shape (rows, channels, height, width), none of them 0. Got "
            f"{maps.shape}.",
            hint="Give one feature map per image.",
        )
    bad = ~np.isfinite(maps).all(axis=(1, 2, 3))
    if bad.any():
        raise VectorError(
            f"{name} row {int(np.argmax(bad))} holds a value that is not finite.",
            hint="Find out what made it; a model with such outputs has no score.",
        )
    return maps


def _spectrum(maps: Floats, width: int) -> NDArray[np.complex128]:
    """(n, channels, height, w) -> (frequencies, n, channels * height), padded to ``width``."""
    transformed = np.fft.rfft(maps, n=width, axis=3)
    return np.ascontiguousarray(
        transformed.reshape(len(maps), -1, transformed.shape[3]).transpose(2, 0, 1)
    )


def _correlations(overhead: Floats, conjugate: NDArray[np.complex128]) -> Floats:
    """(a, channels, height, W) and the surface's conjugate spectrum -> c, (a, b, W)."""
    width = overhead.shape[3]
    product = _spectrum(overhead, width) @ conjugate.transpose(0, 2, 1)
    return np.fft.irfft(product.transpose(1, 2, 0), n=width, axis=2)


def _first_highest(correlation: Floats, size: Floats) -> NDArray[np.int64]:
    """First shift (a, b) whose c, (a, b, W), is the highest up to rounding; ``size`` is ‖o‖ ‖s‖."""
    width = correlation.shape[2]
    slack = _ROUNDINGS * (1.0 + np.log2(width)) * np.finfo(np.float64).eps * size
    highest = correlation.max(axis=2)
    return np.asarray(np.argmax(correlation >= (highest - slack)[..., None], axis=2))


def _crop_lengths(overhead: Floats, columns: int) -> Floats:
    """Euclidean length (a, W) of the crop of ``columns`` that begins at each column."""
    energy = np.square(overhead).sum(axis=(1, 2))
    wrapped = np.concatenate([energy, energy[:, : columns - 1]], axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(wrapped, columns, axis=1)
    return np.asarray(np.sqrt(windows.sum(axis=2)))


def _require_crops(lengths: Floats, start: int) -> None:
    bad = ~lengths.all(axis=1)
    if bad.any():
        raise VectorError(
            f"overhead row {start + int(np.argmax(bad))} is zero where it fits best: the crop has "
            "no direction.",
            hint="Find out what made it; a model with such outputs has no score.",
        )
