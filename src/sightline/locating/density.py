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

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import UsageError
from sightline.geo.coordinates import EARTH_RADIUS_M, from_unit_vectors
from sightline.locating.evidence import (
    PAIRS_AT_ONCE,
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

    def climb(part: slice) -> None:
        own, from_match = query[part], match[part]
        summits[part], heights[part] = _climb(
            centres, weights, own, centres[own, from_match], sigma
        )

    # Many queries climb together, as far as their kernels fit into the processor's cache.
    together = max(1, PAIRS_AT_ONCE // weights.shape[1])
    on_threads(climb, [slice(at, at + together) for at in range(0, len(query), together)])
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
    # An arc sine costs more than the rest, and of small kernels hardly any two touch.
    half = FAR * sigma / 2.0
    near = squared <= (np.inf if half >= np.pi / 2 else (2.0 * np.sin(half)) ** 2)
    distances = np.full(squared.shape, np.inf)
    distances[near] = _angles_of(squared[near]) / sigma
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
        bound = _bound(distances[query, match], weights[query], best[query], rings)
        candidates[query, match] = bound >= enough[query]
    # In one spot the heaviest match speaks for all, so that ties end with the best one.
    rank = np.argsort(np.argsort(-weights, axis=1, kind="stable"), axis=1)
    query, match = np.nonzero(candidates)
    here, own_rank = density[query, match][:, None], rank[query, match][:, None]
    denser = (density[query] > here) | ((density[query] == here) & (rank[query] < own_rank))
    beside = denser & candidates[query] & (distances[query, match] <= SAME_CLIMB)
    starts: NDArray[np.bool_] = np.zeros(weights.shape, np.bool_)
    starts[query, match] = ~beside.any(axis=1)
    return starts


def _bound(distances: Floats, weights: Floats, best: Floats, rings: int) -> Floats:
    """Bound the density of all places that have a given match as their nearest.

    All weights sum to 1, so at a distance r (in sigma) from the nearest match the density is at
    most exp(-r²/2): beyond ``reach`` it is below ``best``. Within a ring from r to r' no kernel is
    nearer than r, and the one at d from the match is not nearer than d - r'.

    Args:
        distances: (r, k), from the match to all matches of its query, in sigma.
        weights: (r, k).
        best: (r,), a density that is reached for certain.
        rings: How finely to look; more bound more tightly.

    Returns:
        (r,)
    """
    reach = _reach(best)
    bound = np.zeros(len(distances))
    for ring in range(rings):
        inner, outer = reach * (ring / rings), reach * ((ring + 1) / rings)
        closest = np.maximum(distances - outer[:, None], inner[:, None])
        kernels = np.exp(-0.5 * np.square(closest))
        np.maximum(bound, np.einsum("rk,rk->r", kernels, weights), out=bound)
    return bound


def _reach(best: Floats) -> Floats:
    """How far (in sigma) a place as dense as ``best`` can be from its nearest match, at most."""
    return np.asarray(np.sqrt(-2.0 * np.log(np.minimum(best, 1.0))))


def _angles_of(squared_chords: Floats) -> Floats:
    """Return angles in radians from squared chords of the unit sphere."""
    return np.asarray(2.0 * np.arcsin(np.minimum(0.5 * np.sqrt(squared_chords), 1.0)))


def _climb(
    centres: Floats, weights: Floats, query: NDArray[np.intp], starts: Floats, sigma: float
) -> tuple[Floats, Floats]:
    """Climb from every start to its summit, all at once.

    Newton steps where the density is concave, mean-shift steps elsewhere; a step that would lead
    down is cut to a quarter until it does not.

    Args:
        centres: Kernels (n, k, 3).
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
    active = np.arange(len(starts))
    for _ in range(MAX_STEPS):
        if not len(active):
            break
        trial = _move(place[active], step[active])
        rows = query[active]
        value, proposal = _ascent(trial, centres[rows], weights[rows], sigma)
        up = value >= height[active]
        risen = active[up]
        place[risen], height[risen], step[risen] = trial[up], value[up], proposal[up]
        step[active[~up]] *= 0.25
        active = active[np.linalg.norm(step[active], axis=1) * EARTH_RADIUS_M > STEP_M]
    return place, height


def _ascent(place: Floats, centres: Floats, weights: Floats, sigma: float) -> tuple[Floats, Floats]:
    """Return the densities (r,) at unit vectors (r, 3) and the steps uphill (r, 3), tangents."""
    east, north = _tangents(place)
    offset = centres - place[:, None]
    squared = np.einsum("rkd,rkd->rk", offset, offset)
    angle = _angles_of(squared)
    kernel = weights * np.exp(-0.5 * np.square(angle / sigma))
    # Projected on the tangent plane an offset has length sin(theta): stretch it to theta. Towards
    # the antipode there is no direction; its kernel stays out of the step.
    sine, cosine = np.sqrt(squared * np.maximum(1.0 - squared / 4.0, 0.0)), 1.0 - squared / 2.0
    stretch = np.divide(angle, sine, out=np.ones_like(angle), where=sine > 1e-12)
    tangent_x = stretch * np.einsum("rkd,rd->rk", offset, east)
    tangent_y = stretch * np.einsum("rkd,rd->rk", offset, north)
    bend = stretch * cosine
    # (1 - theta cot theta) / theta² tends to 1/3.
    away = angle > 1e-4
    lost = np.divide(1.0 - bend, np.square(angle), out=np.full_like(angle, 1 / 3), where=away)
    pull = kernel * (sigma**-2 - lost)
    height = kernel.sum(axis=1)
    slope_x, slope_y = (kernel * tangent_x).sum(axis=1), (kernel * tangent_y).sum(axis=1)
    flat = (kernel * bend).sum(axis=1)
    # Minus the Hessian, times sigma².
    xx = flat - (pull * tangent_x**2).sum(axis=1)
    yy = flat - (pull * tangent_y**2).sum(axis=1)
    xy = -(pull * tangent_x * tangent_y).sum(axis=1)
    determinant = xx * yy - xy * xy
    concave = (determinant > 1e-12 * height**2) & (xx + yy > 0)
    safe = np.where(concave, determinant, 1.0)
    newton_x = (yy * slope_x - xy * slope_y) / safe
    newton_y = (xx * slope_y - xy * slope_x) / safe
    newton = concave & (np.hypot(newton_x, newton_y) <= sigma)
    step_x = np.where(newton, newton_x, slope_x / height)
    step_y = np.where(newton, newton_y, slope_y / height)
    return height, step_x[:, None] * east + step_y[:, None] * north


def _tangents(place: Floats) -> tuple[Floats, Floats]:
    """Return two unit vectors (r, 3) each that span the tangent planes at ``place`` (r, 3)."""
    # Any axis far from the place will do; the poles need another one than the rest.
    polar = np.abs(place[:, 2:]) > 0.9
    axis = np.where(polar, [[1.0, 0.0, 0.0]], [[0.0, 0.0, 1.0]])
    east = np.cross(axis, place)
    east /= np.linalg.norm(east, axis=1, keepdims=True)
    return east, np.cross(place, east)


def _move(place: Floats, step: Floats) -> Floats:
    """Walk from unit vectors (r, 3) along great circles given as tangents (r, 3) in radians."""
    length = np.linalg.norm(step, axis=1, keepdims=True)
    moved = place * np.cos(length) + step * np.sinc(length / np.pi)
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True))
