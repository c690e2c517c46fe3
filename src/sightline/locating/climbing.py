"""Climbing a sum of Gaussians on the sphere to its summits, many climbs at once.

With theta_i the angle from x to match i, sigma in radians and K_i = w_i exp(-theta_i²/(2 sigma²)),
the density is f = sum K_i, its gradient sum K_i log_x(x_i) / sigma², and its Hessian
sum K_i (t t' / sigma² - (c I + (1 - c) u u')) / sigma² with t = log_x(x_i), u the direction of t,
and c = theta cot theta (Pennec, *Intrinsic Statistics on Riemannian Manifolds*, 2006).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sightline.geo.coordinates import EARTH_RADIUS_M
from sightline.locating.evidence import Floats, on_threads

Rows = NDArray[np.intp]
Real = TypeVar("Real", np.float32, np.float64)

# Kernels farther away than this (in sigma) are less than rounding wherever a summit can be.
FAR = 13.0
# A climb ends when the next step is shorter than this.
STEP_M = 1e-3
MAX_STEPS = 500
# Chords up to this long (in radians) are turned into angles by a few powers.
NEAR = 0.05
# Where the density is no cap, a flatter bend than this share of it counts as that much.
LEAST_BEND = 0.1
# A climb this near (in sigma) to a known summit is at its end, if it stands on a cap and its next
# step halves the distance at least. There can be another summit as near, of a density that is all
# but flat: the step leads to that.
AT_SUMMIT = 0.4
# Pairs of climbs and kernels that are worked on at once, and climbs that a thread is given.
CLIMBING_PAIRS = 1 << 14
CLIMBS = 4096
# Beside the density a bend of less is rounding.
_FLAT = 1e-12
# Squared chords and sines below this are a point and its antipode.
_TINY = 1e-24


def climb_from(
    starts: tuple[Rows, Rows],
    centres: Floats,
    weights: Floats,
    sigma: float,
    *,
    known: tuple[Floats, Floats] | None = None,
) -> tuple[Floats, Floats]:
    """Climb from the given matches (query, match) of r climbs, on all processors.

    Args:
        starts: Rows and columns of the kernels.
        centres: Unit vectors (n, k, 3).
        weights: (n, k).
        sigma: Radians.
        known: A summit of each density (n, 3) and its height (n,), which need not be climbed to
            once more by those that come near.

    Returns:
        Summits (r, 3) and their densities (r,).
    """
    query, match = starts
    summits, heights = np.empty((len(query), 3)), np.empty(len(query))
    planes = np.ascontiguousarray(centres.transpose(2, 0, 1))

    def climb(part: slice) -> None:
        own = query[part]
        begin = centres[own, match[part]]
        there = None if known is None else (known[0][own], known[1][own])
        summits[part], heights[part] = _climb(planes, weights, own, begin, sigma, there)

    share = -(-len(query) // (os.cpu_count() or 1))
    step = max(CLIMBING_PAIRS // weights.shape[1], min(CLIMBS, share), 1)
    on_threads(climb, [slice(at, at + step) for at in range(0, len(query), step)])
    return summits, heights


def _climb(
    centres: Floats,
    weights: Floats,
    query: Rows,
    starts: Floats,
    sigma: float,
    known: tuple[Floats, Floats] | None = None,
) -> tuple[Floats, Floats]:
    """Climb from every start to its summit, many at once.

    A step that would lead down is cut to a quarter until it does not.

    Args:
        centres: Kernels (3, n, k).
        weights: (n, k).
        query: Which row of the kernels each start belongs to (r,).
        starts: Unit vectors (r, 3).
        sigma: Radians.
        known: A summit of each start's density (r, 3) and its height (r,), see :func:`climb_from`.

    Returns:
        Summits (r, 3) and their densities (r,).
    """
    place = starts.copy()
    height = np.zeros(len(starts))
    step = np.zeros_like(starts)
    taken = np.zeros(len(starts), np.intp)
    # As many at once as fit into the processor's cache. Some climbs are ten times as long as most:
    # others follow those that have arrived.
    together = max(1, CLIMBING_PAIRS // weights.shape[1])
    active, waiting = np.arange(min(together, len(starts))), together
    while len(active):
        trial = _move(place[active], step[active])
        value, proposal, capped = _ascent(trial, centres, weights, query[active], sigma)
        up = value >= height[active]
        risen = active[up]
        place[risen], height[risen], step[risen] = trial[up], value[up], proposal[up]
        step[active[~up]] *= 0.25
        taken[active] += 1
        on = np.linalg.norm(step[active], axis=1) * EARTH_RADIUS_M > STEP_M
        if known is not None:
            away = np.linalg.norm(trial - known[0][active], axis=1)
            near = np.flatnonzero(up & capped & (away <= AT_SUMMIT * sigma))
            after = _move(trial[near], proposal[near]) - known[0][active[near]]
            near = near[np.linalg.norm(after, axis=1) <= away[near] / 2.0]
            arrived = active[near]
            place[arrived], height[arrived] = known[0][arrived], known[1][arrived]
            on[near] = False
        active = active[on & (taken[active] < MAX_STEPS)]
        following = np.arange(waiting, min(waiting + together - len(active), len(starts)))
        active, waiting = np.concatenate([active, following]), waiting + len(following)
    return place, height


def _ascent(
    place: Floats, centres: Floats, weights: Floats, rows: Rows, sigma: float
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return the densities (r,) at unit vectors (r, 3) and the steps uphill (r, 3), tangents.

    And whether the density is a cap there (r,).

    Args:
        place: Where the climbs are.
        centres: Kernels (3, n, k), coordinate by coordinate: three long products are faster than
            many short ones.
        weights: (n, k).
        rows: Which kernels each place belongs to (r,).
        sigma: Radians.
    """
    east, north = _tangents(place)
    offset = [centres[axis].take(rows, axis=0) - place[:, axis, None] for axis in range(3)]
    squared = np.maximum(_along(offset, offset), _TINY)
    squared_angle, stretch, lost = _bent(squared, sigma)
    kernel = weights.take(rows, axis=0)
    kernel *= np.exp(squared_angle * (-0.5 / sigma**2))
    tangent_x = _along(offset, [part[:, None] for part in east.T]) * stretch
    tangent_y = _along(offset, [part[:, None] for part in north.T]) * stretch
    bend = stretch * (1.0 - squared / 2.0)
    pull = kernel * (sigma**-2 - lost)
    height = kernel.sum(axis=1)
    slope_x, slope_y = _sums(kernel, tangent_x), _sums(kernel, tangent_y)
    flat = _sums(kernel, bend)
    # Minus the Hessian, times sigma².
    pull_x = pull * tangent_x
    xx, xy = flat - _sums(pull_x, tangent_x), -_sums(pull_x, tangent_y)
    pull *= tangent_y
    yy = flat - _sums(pull, tangent_y)
    step_x, step_y, capped = _uphill(slope_x, slope_y, (xx, xy, yy), height, sigma)
    return height, step_x[:, None] * east + step_y[:, None] * north, capped


def _bent(squared: Floats, sigma: float) -> tuple[Floats, Floats, Floats | float]:
    """What the Earth's curvature makes of squared chords, shape (r, k) each.

    Returns:
        theta², theta / sin(theta), and (1 - theta cot theta) / theta².
    """
    if FAR * sigma <= NEAR:
        # Powers of the chord, exact to rounding wherever a kernel counts (FAR).
        series = squared * (1 / 560)
        for term in (1 / 90, 1 / 12, 1.0):
            series += term
            series *= squared
        stretch = squared * (1 / 140)
        for term in (1 / 30, 1 / 6):
            stretch += term
            stretch *= squared
        stretch += 1.0
        return series, stretch, 1 / 3
    angle = angles_of(squared)
    # Projected on the tangent plane an offset has length sin(theta): stretch it to theta. Towards
    # the antipode there is no direction; its kernel stays out of the step.
    sine = np.sqrt(np.maximum(squared * (1.0 - squared / 4.0), _TINY))
    stretch = angle / sine
    stretch[sine <= 2e-12] = 1.0
    turned = np.square(angle)
    # It tends to 1/3.
    lost = np.where(angle > 1e-4, (1.0 - stretch * (1.0 - squared / 2.0)) / turned, 1 / 3)
    return turned, stretch, lost


def _uphill(
    slope_x: Floats,
    slope_y: Floats,
    bends: tuple[Floats, Floats, Floats],
    height: Floats,
    sigma: float,
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return Newton steps (r,) and (r,), which lead uphill where the density is no cap as well.

    And whether the density is a cap (r,).

    Along each axis of the Hessian the slope is divided by the size of the bend, whatever its sign
    (Dauphin and others, *Identifying and attacking the saddle point problem*, 2014): mean shift
    crawls over a saddle, and Newton's own step leads back to it.

    Args:
        slope_x: Gradient times sigma² (r,).
        slope_y: The same.
        bends: Minus the Hessian times sigma²: xx, xy, yy.
        height: The density.
        sigma: Radians; no step is longer, and none of a saddle longer than half of it.
    """
    xx, xy, yy = bends
    middle, half = (xx + yy) / 2.0, (xx - yy) / 2.0
    apart = np.hypot(half, xy)
    turn = np.arctan2(xy, half) / 2.0
    cosine, sine = np.cos(turn), np.sin(turn)
    most, least = middle + apart, middle - apart
    along = (cosine * slope_x + sine * slope_y) / _size_of(most, height)
    across = (cosine * slope_y - sine * slope_x) / _size_of(least, height)
    length = np.hypot(along, across)
    longest = np.where(least > 0.0, sigma, sigma / 2.0)
    shorter = np.minimum(1.0, longest / np.maximum(length, _TINY))
    along *= shorter
    across *= shorter
    capped = least > _FLAT * height
    return cosine * along - sine * across, sine * along + cosine * across, capped


def angles_of(squared_chords: NDArray[Real]) -> NDArray[Real]:
    """Return angles in radians from squared chords of the unit sphere, as precise as they are."""
    angles = np.sqrt(squared_chords)
    angles *= 0.5
    np.minimum(angles, 1.0, out=angles)
    np.arcsin(angles, out=angles)
    angles *= 2.0
    return angles


def _size_of(bend: Floats, height: Floats) -> Floats:
    """What a slope is divided by: of a cap its bend, however flat, or it would be crept up."""
    capped = bend > _FLAT * height
    return np.where(capped, bend, np.maximum(np.abs(bend), LEAST_BEND * height))


def _along(vectors: Sequence[Floats], others: Sequence[Floats]) -> Floats:
    """Return the dot products of vectors given coordinate by coordinate."""
    total = vectors[0] * others[0]
    for one, other in zip(vectors[1:], others[1:], strict=True):
        total += one * other
    return total


def _sums(one: Floats, other: Floats) -> Floats:
    """Return the sums (r,) of the products of two arrays (r, k)."""
    return np.asarray(np.einsum("rk,rk->r", one, other))


def _tangents(place: Floats) -> tuple[Floats, Floats]:
    """Return two unit vectors (r, 3) each that span the tangent planes at ``place`` (r, 3)."""
    x, y, z = place.T
    # Across the Earth's axis, or at the poles, across another one.
    polar = np.abs(z) > 0.9
    zero = np.zeros_like(x)
    across = [np.where(polar, zero, -y), np.where(polar, -z, x), np.where(polar, y, zero)]
    length = np.sqrt(_along(across, across))
    a, b, c = (part / length for part in across)
    north = [y * c - z * b, z * a - x * c, x * b - y * a]
    return np.stack([a, b, c], axis=1), np.stack(north, axis=1)


def _move(place: Floats, step: Floats) -> Floats:
    """Walk from unit vectors (r, 3) along great circles given as tangents (r, 3) in radians."""
    length = np.linalg.norm(step, axis=1, keepdims=True)
    moved = place * np.cos(length) + step * np.sinc(length / np.pi)
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True))
