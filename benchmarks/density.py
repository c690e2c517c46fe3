"""Time the density mode of many queries beside a plain loop, and check that they agree.

Run: ``python benchmarks/density.py [--queries 10000] [--loop 200]``. The loop is what one would
write first: for each query, mean shift on the sphere from every match (numpy over the kernels),
the highest summit wins. It is timed on the first ``--loop`` queries and its total extrapolated;
the medians and extremes say whether that is fair. Ours is the median of ``--rounds``.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from _record import record
from sightline.geo.coordinates import EARTH_RADIUS_M, from_unit_vectors, unit_vectors
from sightline.geo.distance import great_circle_m
from sightline.locating import density_mode, evidence_weights

K = 100


def world(rng: np.random.Generator, n: int) -> np.ndarray:
    """Half of the matches anywhere, half in three towns (about 2 km wide) of each query."""
    places = rng.normal(size=(n, K, 3))
    towns = rng.normal(size=(n, 3, 3))
    towns /= np.linalg.norm(towns, axis=2, keepdims=True)
    chosen = towns[np.arange(n)[:, None], rng.integers(0, 3, (n, K // 2))]
    places[:, : K // 2] = chosen + rng.normal(scale=1000.0 / EARTH_RADIUS_M, size=chosen.shape)
    order = rng.permuted(np.broadcast_to(np.arange(K), (n, K)), axis=1)
    places = np.take_along_axis(places, order[..., None], axis=1)
    return from_unit_vectors(places / np.linalg.norm(places, axis=2, keepdims=True))


def city(rng: np.random.Generator, n: int) -> np.ndarray:
    """All matches in one city, 5 km of standard deviation: most kernels overlap."""
    centre = unit_vectors(np.array([57.7, 11.97]))
    places = centre + rng.normal(scale=5000.0 / EARTH_RADIUS_M, size=(n, K, 3))
    return from_unit_vectors(places / np.linalg.norm(places, axis=2, keepdims=True))


def plain(coordinates: np.ndarray, weights: np.ndarray, sigma: float) -> tuple[np.ndarray, float]:
    """One query (k, 2): mean shift from every match in turn, to a millimetre."""
    centres = unit_vectors(coordinates)
    best, highest = centres[0], -1.0
    for start in centres[weights > 0]:
        place = start
        for _ in range(500):
            cosine = np.clip(centres @ place, -1.0, 1.0)
            angle = np.arccos(cosine)
            kernel = weights * np.exp(-0.5 * (angle / sigma) ** 2)
            stretch = angle / np.maximum(np.sin(angle), 1e-12)
            tangent = (centres - cosine[:, None] * place) * stretch[:, None]
            shift = kernel @ tangent / kernel.sum()
            length = np.linalg.norm(shift)
            if length * EARTH_RADIUS_M < 1e-3:
                break
            place = place * np.cos(length) + shift / length * np.sin(length)
            place /= np.linalg.norm(place)
        if kernel.sum() > highest:
            best, highest = place, float(kernel.sum())
    return from_unit_vectors(best), highest


def heights(points: np.ndarray, coordinates: np.ndarray, weights: np.ndarray, sigma_m: float):
    apart = great_circle_m(points[:, None], coordinates)
    return (weights * np.exp(-0.5 * (apart / sigma_m) ** 2)).sum(axis=1)


def measure(
    name: str, coordinates: np.ndarray, scores: np.ndarray, sigma_m: float, loop: int, rounds: int
):
    weights = evidence_weights(scores)
    took = []
    for _ in range(rounds):
        started = time.perf_counter()
        found = density_mode(coordinates, scores, sigma_m=sigma_m).points
        took.append(time.perf_counter() - started)
    batched_s = float(np.median(took))
    seconds, points = [], []
    for row in range(loop):
        started = time.perf_counter()
        points.append(plain(coordinates[row], weights[row], sigma_m / EARTH_RADIUS_M)[0])
        seconds.append(time.perf_counter() - started)
    arguments = (coordinates[:loop], weights[:loop], sigma_m)
    ours, theirs = heights(found[:loop], *arguments), heights(np.stack(points), *arguments)
    apart = great_circle_m(found[:loop], np.stack(points))
    n = len(scores)
    result = {
        "case": name,
        "sigma_m": sigma_m,
        "queries": n,
        "batched_s": round(batched_s, 3),
        "batched_s_of_rounds": [round(seconds, 3) for seconds in took],
        "batched_ms_per_query": round(1000 * batched_s / n, 4),
        "loop_queries": loop,
        "loop_ms_per_query_mean": round(1000 * float(np.mean(seconds)), 3),
        "loop_ms_per_query_median": round(1000 * float(np.median(seconds)), 3),
        "loop_ms_per_query_max": round(1000 * float(np.max(seconds)), 3),
        "loop_s_extrapolated": round(float(np.mean(seconds)) * n, 1),
        "times_faster": round(float(np.mean(seconds)) * n / batched_s, 1),
        "batched_lower_than_loop": int((ours < theirs * (1 - 1e-6)).sum()),
        "loop_lower_than_batched": int((theirs < ours * (1 - 1e-6)).sum()),
        "apart_m_median": float(np.median(apart)),
        "apart_m_95": float(np.quantile(apart, 0.95)),
    }
    print(result)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--loop", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.3, 0.9, (arguments.queries, K))
    loop = min(arguments.loop, len(scores))
    results = []
    for make, sigmas in ((world, (1000.0, 444_800.0)), (city, (200.0, 1000.0, 5000.0))):
        coordinates = make(rng, arguments.queries)
        results += [
            measure(make.__name__, coordinates, scores, sigma, loop, arguments.rounds)
            for sigma in sigmas
        ]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    record("density", {"k": K, "seed": 0, "peak_memory_mib": peak, "results": results})


if __name__ == "__main__":
    main()
