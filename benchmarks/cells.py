"""How fast S2 leaves are found: our arrays beside the s2geometry package, point by point.

    python benchmarks/cells.py

Both run in turns in one process, on the same places, and must agree; the medians are recorded.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from importlib import metadata
from typing import Any

import numpy as np
import s2geometry as s2

from _record import record
from sightline.geo.cells import cell_ids, centres, parents


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    count = arguments.points
    places = np.column_stack(
        [np.rad2deg(np.arcsin(rng.uniform(-1, 1, count))), rng.uniform(-180, 180, count)]
    )
    pairs = places.tolist()
    leaves = cell_ids(places)
    numbers = leaves.tolist()
    results = {
        "leaf id": compare(
            lambda: cell_ids(places),
            lambda: [s2.S2CellId(s2.S2LatLng.FromDegrees(a, b)).id() for a, b in pairs],
            arguments.rounds,
        ),
        "parent at level 12": compare(
            lambda: parents(leaves, 12),
            lambda: [s2.S2CellId(x).parent(12).id() for x in numbers],
            arguments.rounds,
        ),
        "centre": compare(
            lambda: centres(leaves),
            lambda: [
                (p.lat().degrees(), p.lng().degrees())
                for p in (s2.S2CellId(x).ToLatLng() for x in numbers)
            ],
            arguments.rounds,
        ),
    }
    for name, result in results.items():
        print(f"{name}: {result['times_faster']:.1f} times the point-by-point speed")
    payload = {"s2geometry": metadata.version("s2geometry"), "points": count, "results": results}
    print(record("cells", payload))


def compare(
    ours: Callable[[], np.ndarray], theirs: Callable[[], list[Any]], rounds: int
) -> dict[str, float]:
    """Time both in turns and return the medians in nanoseconds per point."""
    first = ours()
    expected = np.array(theirs(), dtype=first.dtype)
    if first.dtype.kind == "u":
        assert (first == expected).all()
    else:
        assert np.abs(first - expected).max() < 1e-10
    own, other = [], []
    for _ in range(rounds):
        own.append(seconds(ours))
        other.append(seconds(theirs))
    fast, slow = (statistics.median(x) * 1e9 / len(first) for x in (own, other))
    ratios = sorted(b / a for a, b in zip(own, other, strict=True))
    return {
        "ours_ns_per_point": round(fast, 1),
        "s2geometry_loop_ns_per_point": round(slow, 1),
        "times_faster": round(slow / fast, 1),
        "least_times_faster_in_a_round": round(ratios[0], 1),
    }


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
