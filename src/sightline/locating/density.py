"""The densest place among the matches.

Vo, Jacobs, Hays, *Revisiting IM2GPS in the Deep Learning Era* (2017), equation 1: every one of the
k nearest matches is a Gaussian kernel of weight ``s ** m``, and the place of the highest density is
the answer. The paper finds it on a grid of degrees; here the kernels lie on the sphere, so that
longitude wraps and a degree is as long at 60° north as anywhere, and the mode is climbed to.

With theta_i the angle from x to match i, sigma in radians and K_i = w_i exp(-theta_i²/(2 sigma²)),
the density is f = sum K_i, its gradient sum K_i log_x(x_i) / sigma², and its Hessian
sum K_i (t t' / sigma² - (c I + (1 - c) u u')) / sigma² with t = log_x(x_i), u the direction of t,
and c = theta cot theta (Pennec, *Intrinsic Statistics on Riemannian Manifolds*, 2006).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import UsageError
from sightline.geo.coordinates import EARTH_RADIUS_M, from_unit_vectors
from sightline.locating.evidence import (
    Floats,
    Placement,
    as_evidence,
    evidence_weights,
    in_chunks,
    on_threads,
    require_number,
    squared_chords,
)
from sightline.locating.im2gps_grid import im2gps_grid

Convention = Literal["im2gps"]

# A climb ends when the next step is shorter than this.
STEP_M = 1e-3
# Two Gaussians of one sigma have two modes only when more than 2 sigma apart, so a candidate this
# near (in sigma) to a denser one climbs to the same mode.
SAME_CLIMB = 0.75
# Kernels farther away than this (in sigma) are less than rounding wherever a summit can be.
FAR = 13.0
# Rings around a candidate in which the density is bounded, one after another.
RINGS = 4
MAX_STEPS = 500
# Pairs of climbs and kernels that are worked on at once, and climbs that a thread is given.
CLIMBING_PAIRS = 1 << 14
CLIMBS = 4096
# Squared chords and sines below this are a point and its antipode.
_TINY = 1e-24


def density_mode(
    coordinates: ArrayLike,
    scores: ArrayLike,
    *,
    sigma_m: float = 1000.0,
    exponent: float = 10.0,
    convention: Convention | None = None,
) -> Placement:
    """Answer with the mode of a kernel density over the matches, found to the metre.

    The climbs start from every match that could lead to the highest density; of equal modes the
    one reached from the better match wins.

    Args:
        coordinates: Degrees (n, k, 2), NaN for padding; the paper takes k = 100.
        scores: (n, k), higher is better.
        sigma_m: Standard deviation of a kernel in metres. The default of 1 km joins the photos of
            one place and leaves the streets of a city apart; the paper's sigma of 1, 4 and 16
            degrees are 111 200, 444 800 and 1 779 100.
        exponent: m of the weights ``max(s, 0) ** m``.
        convention: ``"im2gps"`` runs the authors' own grid procedure instead
            (:func:`~.im2gps_grid.im2gps_grid`, its sigma is fixed) on distances ``2 - 2 s``.

    Returns:
        Points (n, 2) and weights (n, k).

    Raises:
        UsageError: The shapes do not fit, or a setting cannot be.
        CoordinateError: A coordinate is out of range.
    """
    require_number("sigma_m", sigma_m, at_least=1.0)
    evidence = as_evidence(coordinates, scores)
    weights = evidence_weights(evidence.scores, exponent)
    if convention == "im2gps":
        grid = im2gps_grid(evidence.coordinates, 2.0 - 2.0 * np.clip(evidence.scores, -1.0, 1.0))
        return Placement(grid.points, weights)
    if convention is not None:
        raise UsageError(
            f"convention must be None or 'im2gps'. Got {convention!r}.",
            hint="Leave the convention out for the density on the sphere.",
        )
    points = _modes(evidence.unit_vectors(), weights, evidence.scores, sigma_m / EARTH_RADIUS_M)
    return Placement(points, weights)


def _modes(centres: Floats, weights: Floats, scores: Floats, sigma: float) -> Floats:
    """Return the modes (n, 2) of densities with centres (n, k, 3), weights (n, k), sigma in rad."""
    starts = np.zeros(weights.shape, dtype=bool)

    def choose(part: slice) -> None:
        starts[part] = _starts(_distances(centres[part], sigma), weights[part])

    on_threads(choose, list(in_chunks(*weights.shape)))
    query, match = np.nonzero(starts)
    summits, heights = np.empty((len(query), 3)), np.empty(len(query))
    planes = np.ascontiguousarray(centres.transpose(2, 0, 1))

    def climb(part: slice) -> None:
        own, from_match = query[part], match[part]
        summits[part], heights[part] = _climb(planes, weights, own, centres[own, from_match], sigma)

    share = -(-len(query) // (os.cpu_count() or 1))
    part = max(CLIMBING_PAIRS // weights.shape[1], min(CLIMBS, share), 1)
    on_threads(climb, [slice(at, at + part) for at in range(0, len(query), part)])
    highest = np.zeros(len(centres))
    np.maximum.at(highest, query, heights)
    # Climbs to one summit agree to rounding; the better match speaks for it.
    reached = heights >= highest[query] * (1.0 - 1e-9)
    order = np.lexsort((match, -scores[query, match], ~reached, query))
    answered, first = np.unique(query[order], return_index=True)
    points = np.full((len(centres), 2), np.nan)
    points[answered] = from_unit_vectors(summits[order[first]])
    return points


def _distances(centres: Floats, sigma: float) -> Floats:
    """Return angles (n, k, k) between the matches of each query in sigma, inf beyond ``FAR``."""
    squared = squared_chords(centres)
    half = FAR * sigma / 2.0
    far = None if half >= np.pi / 2 else squared > (2.0 * np.sin(half)) ** 2
    distances = _angles_of(squared)
    distances *= 1.0 / sigma
    if far is not None:
        np.copyto(distances, np.inf, where=far)
    return distances


def _starts(distances: Floats, weights: Floats) -> NDArray[np.bool_]:
    """Return bool (n, k): the matches to climb from.

    A match is left out when it weighs nothing, when no place nearer to it than to any other match
    can be denser than the densest match, or when a denser candidate stands beside it.

    Args:
        distances: (n, k, k) between the matches, in sigma.
        weights: (n, k).
    """
    density = np.einsum("nij,nj->ni", np.exp(-0.5 * np.square(distances)), weights)
    # Of a query without matches nothing is a candidate, whatever the best is.
    best = np.where(weights > 0, density, 0.0).max(axis=1)
    best[best == 0.0] = 1.0
    enough = best * (1.0 - 1e-9)
    # Kernels nearer than 3 sigma to wherever the density may be that high count whole, for a start:
    # an exponential for every pair would cost more than for those that are then left.
    within = (_reach(best) + 3.0)[:, None, None]
    around = np.einsum("nij,nj->ni", distances <= within, weights)
    candidates = (weights > 0) & (around + np.exp(-4.5) >= enough[:, None])
    for rings in (1, RINGS):
        query, match = np.nonzero(candidates)
        candidates[query, match] = _may_reach(
            distances[query, match], weights[query], best[query], enough[query], rings
        )
    # In one spot the heaviest match speaks for all, so that ties end with the best one.
    rank = np.argsort(np.argsort(-weights, axis=1, kind="stable"), axis=1)
    query, match = np.nonzero(candidates)
    here, own_rank = density[query, match][:, None], rank[query, match][:, None]
    denser = (density[query] > here) | ((density[query] == here) & (rank[query] < own_rank))
    beside = denser & candidates[query] & (distances[query, match] <= SAME_CLIMB)
    starts: NDArray[np.bool_] = np.zeros(weights.shape, np.bool_)
    starts[query, match] = ~beside.any(axis=1)
    return starts


def _may_reach(
    distances: Floats, weights: Floats, best: Floats, enough: Floats, rings: int
) -> NDArray[np.bool_]:
    """Say where a place that has a given match as its nearest may be as dense as asked.

    All weights sum to 1, so at a distance r (in sigma) from the nearest match the density is at
    most exp(-r²/2): beyond ``reach`` it is below ``best``. Within a ring from r to r' no kernel is
    nearer than r, and the one at d from the match is not nearer than d - r'.

    Args:
        distances: (r, k), from the match to all matches of its query, in sigma.
        weights: (r, k).
        best: (r,), a density that is reached for certain.
        enough: (r,), the density that is asked for.
        rings: How finely to look; more bound more tightly.

    Returns:
        (r,)
    """
    reach = _reach(best) / rings
    may = np.zeros(len(distances), np.bool_)
    left = np.arange(len(distances))
    for ring in range(rings):
        step = reach[left, None]
        kernels = distances[left] - step * (ring + 1)
        np.maximum(kernels, step * ring, out=kernels)
        np.square(kernels, out=kernels)
        kernels *= -0.5
        np.exp(kernels, out=kernels)
        # One ring is enough, and the others are not looked at.
        reached = _sums(kernels, weights[left]) >= enough[left]
        may[left[reached]] = True
        left = left[~reached]
    return may


def _reach(best: Floats) -> Floats:
    """How far (in sigma) a place as dense as ``best`` can be from its nearest match, at most."""
    return np.asarray(np.sqrt(-2.0 * np.log(np.minimum(best, 1.0))))


def _angles_of(squared_chords: Floats) -> Floats:
    """Return angles in radians from squared chords of the unit sphere."""
    angles = np.sqrt(squared_chords)
    angles *= 0.5
    np.minimum(angles, 1.0, out=angles)
    np.arcsin(angles, out=angles)
    angles *= 2.0
    return angles


def _climb(
    centres: Floats, weights: Floats, query: NDArray[np.intp], starts: Floats, sigma: float
) -> tuple[Floats, Floats]:
    """Climb from every start to its summit, many at once.

    Newton steps where the density is concave, mean-shift steps elsewhere; a step that would lead
    down is cut to a quarter until it does not.

    Args:
        centres: Kernels (3, n, k).
        weights: (n, k).
        query: Which row of the kernels each start belongs to (r,).
        starts: Unit vectors (r, 3).
        sigma: Radians.

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
        value, proposal = _ascent(trial, centres, weights, query[active], sigma)
        up = value >= height[active]
        risen = active[up]
        place[risen], height[risen], step[risen] = trial[up], value[up], proposal[up]
        step[active[~up]] *= 0.25
        taken[active] += 1
        on = np.linalg.norm(step[active], axis=1) * EARTH_RADIUS_M > STEP_M
        active = active[on & (taken[active] < MAX_STEPS)]
        following = np.arange(waiting, min(waiting + together - len(active), len(starts)))
        active, waiting = np.concatenate([active, following]), waiting + len(following)
    return place, height


def _ascent(
    place: Floats, centres: Floats, weights: Floats, rows: NDArray[np.intp], sigma: float
) -> tuple[Floats, Floats]:
    """Return the densities (r,) at unit vectors (r, 3) and the steps uphill (r, 3), tangents.

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
    angle = _angles_of(squared)
    kernel = weights.take(rows, axis=0)
    kernel *= np.exp(np.square(angle / sigma) * -0.5)
    # Projected on the tangent plane an offset has length sin(theta): stretch it to theta. Towards
    # the antipode there is no direction; its kernel stays out of the step.
    sine = np.sqrt(np.maximum(squared * (1.0 - squared / 4.0), _TINY))
    stretch = angle / sine
    stretch[sine <= 2e-12] = 1.0
    tangent_x = _along(offset, [part[:, None] for part in east.T]) * stretch
    tangent_y = _along(offset, [part[:, None] for part in north.T]) * stretch
    bend = stretch * (1.0 - squared / 2.0)
    # (1 - theta cot theta) / theta² tends to 1/3.
    turned = np.square(angle)
    lost = np.where(angle > 1e-4, (1.0 - bend) / turned, 1 / 3)
    pull = kernel * (sigma**-2 - lost)
    height = kernel.sum(axis=1)
    slope_x, slope_y = _sums(kernel, tangent_x), _sums(kernel, tangent_y)
    flat = _sums(kernel, bend)
    # Minus the Hessian, times sigma².
    pull_x = pull * tangent_x
    xx, xy = flat - _sums(pull_x, tangent_x), -_sums(pull_x, tangent_y)
    pull *= tangent_y
    yy = flat - _sums(pull, tangent_y)
    determinant = xx * yy - xy * xy
    concave = (determinant > 1e-12 * height**2) & (xx + yy > 0)
    safe = np.where(concave, determinant, 1.0)
    newton_x = (yy * slope_x - xy * slope_y) / safe
    newton_y = (xx * slope_y - xy * slope_x) / safe
    newton = concave & (np.hypot(newton_x, newton_y) <= sigma)
    step_x = np.where(newton, newton_x, slope_x / height)
    step_y = np.where(newton, newton_y, slope_y / height)
    return height, step_x[:, None] * east + step_y[:, None] * north


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
