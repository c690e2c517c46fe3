"""The densest place among the matches.

Vo, Jacobs, Hays, *Revisiting IM2GPS in the Deep Learning Era* (2017), equation 1: every one of the
k nearest matches is a Gaussian kernel of weight ``s ** m``, and the place of the highest density is
the answer. The paper finds it on a grid of degrees; here the kernels lie on the sphere, so that
longitude wraps and a degree is as long at 60° north as anywhere, and the mode is climbed to.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import UsageError
from sightline.geo.coordinates import EARTH_RADIUS_M, from_unit_vectors
from sightline.locating.climbing import FAR, Rows, angles_of, climb_from
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
Bounds = NDArray[np.float32]

# Two Gaussians of one sigma have two modes only when more than 2 sigma apart, so a candidate this
# near (in sigma) to a denser one climbs to the same mode.
SAME_CLIMB = 0.75
# Bounds are reckoned in float32, in half the time, and so much lower is as high to them: a hundred
# times what its rounding makes of a density.
ROUNDED = 1e-4
# Rings around a candidate in which the density is bounded, one after another; more of them where a
# summit is known already.
RINGS = 4
MORE_RINGS = 8


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
            degrees are 111 200, 444 800 and 1 779 100. Beyond some 6 000 km, where a kernel is as
            wide as the Earth, about one answer in ten thousand is not the highest summit.
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
    densest = np.zeros(len(weights), np.intp)

    def choose(part: slice) -> None:
        distances = _distances(squared_chords(centres[part]), sigma)
        starts[part], densest[part] = _starts(distances, weights[part])

    on_threads(choose, list(in_chunks(*weights.shape)))
    queries = np.flatnonzero(starts.any(axis=1))
    first = queries, densest[queries]
    summits, heights = climb_from(first, centres, weights, sigma)
    peaks, highest = np.zeros((len(centres), 3)), np.zeros(len(centres))
    peaks[queries], highest[queries] = summits, heights
    # A summit is higher than its matches: from fewer of the others can a higher one be reached.
    starts[first] = False
    queries, matches = np.nonzero(starts)
    others = _still_hopeful((queries, matches), centres, weights, sigma, highest)
    more_summits, more_heights = climb_from(others, centres, weights, sigma, known=(peaks, highest))
    query, match = (np.concatenate(pair) for pair in zip(first, others, strict=True))
    summits = np.concatenate([summits, more_summits])
    heights = np.concatenate([heights, more_heights])
    np.maximum.at(highest, query, heights)
    # Climbs to one summit agree to rounding; the better match speaks for it.
    reached = heights >= highest[query] * (1.0 - 1e-9)
    order = np.lexsort((match, -scores[query, match], ~reached, query))
    answered, best = np.unique(query[order], return_index=True)
    points = np.full((len(centres), 2), np.nan)
    points[answered] = from_unit_vectors(summits[order[best]])
    return points


def _still_hopeful(
    starts: tuple[Rows, Rows], centres: Floats, weights: Floats, sigma: float, highest: Floats
) -> tuple[Rows, Rows]:
    """Return those of the starts (query, match) near which it can be higher than ``highest``.

    Near is nearer than to any other match. A start that stands for neighbours left out beside it
    (:data:`SAME_CLIMB`) is judged by its own surroundings alone; a summit that was lost by that was
    looked for and not found.
    """
    query, match = starts
    may = np.zeros(len(query), np.bool_)

    def look(part: slice) -> None:
        own = query[part]
        offset = centres[own] - centres[own, match[part]][:, None]
        distances = _distances(np.einsum("rki,rki->rk", offset, offset), sigma)
        best = highest[own].astype(np.float32)
        heavy = weights[own].astype(np.float32)
        may[part] = _may_reach(distances, heavy, best, best * (1.0 - ROUNDED), MORE_RINGS)

    step = max(1, PAIRS_AT_ONCE // weights.shape[1])
    on_threads(look, [slice(at, at + step) for at in range(0, len(query), step)])
    return query[may], match[may]


def _distances(squared: Floats, sigma: float) -> Bounds:
    """Return the angles that belong to squared chords, in sigma, inf beyond ``FAR``."""
    half = FAR * sigma / 2.0
    rounded = squared.astype(np.float32)
    far = None if half >= np.pi / 2 else rounded > float(2.0 * np.sin(half)) ** 2
    distances = angles_of(rounded)
    distances *= float(1.0 / sigma)
    if far is not None:
        np.copyto(distances, np.inf, where=far)
    return distances


def _starts(distances: Bounds, weights: Floats) -> tuple[NDArray[np.bool_], Rows]:
    """Return bool (n, k): the matches to climb from; and which of them is the densest (n,).

    A match is left out when it weighs nothing, when no place nearer to it than to any other match
    can be denser than the densest match, or when a denser candidate stands beside it.

    Args:
        distances: (n, k, k) between the matches, in sigma.
        weights: (n, k).
    """
    rounded = weights.astype(np.float32)
    density = np.einsum("nij,nj->ni", np.exp(-0.5 * np.square(distances)), rounded)
    # Of a query without matches nothing is a candidate, whatever the best is.
    best = np.where(weights > 0, density, 0.0).max(axis=1)
    best[best == 0.0] = 1.0
    enough = best * (1.0 - ROUNDED)
    # Kernels nearer than 3 sigma to wherever the density may be that high count whole, for a start:
    # an exponential for every pair would cost more than for those that are then left.
    within = (_reach(best) + 3.0)[:, None, None]
    around = np.einsum("nij,nj->ni", distances <= within, rounded)
    candidates = (weights > 0) & (around + math.exp(-4.5) >= enough[:, None])
    for rings in (1, RINGS):
        query, match = np.nonzero(candidates)
        candidates[query, match] = _may_reach(
            distances[query, match], rounded[query], best[query], enough[query], rings
        )
    # In one spot the heaviest match speaks for all, so that ties end with the best one.
    rank = np.argsort(np.argsort(-weights, axis=1, kind="stable"), axis=1)
    query, match = np.nonzero(candidates)
    here, own_rank = density[query, match][:, None], rank[query, match][:, None]
    denser = (density[query] > here) | ((density[query] == here) & (rank[query] < own_rank))
    beside = denser & candidates[query] & (distances[query, match] <= SAME_CLIMB)
    starts: NDArray[np.bool_] = np.zeros(weights.shape, np.bool_)
    starts[query, match] = ~beside.any(axis=1)
    return starts, np.where(starts, density, 0.0).argmax(axis=1)


def _may_reach(
    distances: Bounds, weights: Bounds, best: Bounds, enough: Bounds, rings: int
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
        reached = np.vecdot(kernels, weights[left]) >= enough[left]
        may[left[reached]] = True
        left = left[~reached]
    return may


def _reach(best: Bounds) -> Bounds:
    """How far (in sigma) a place as dense as ``best`` can be from its nearest match, at most."""
    return np.asarray(np.sqrt(-2.0 * np.log(np.minimum(best, 1.0))))
