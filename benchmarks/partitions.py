"""Partitions: how fast they are made and asked, and the floor that they put under accuracy.

    python benchmarks/partitions.py
    python benchmarks/partitions.py --most 1000000     without the hundred million places

The places are those of 100,000 real photos (MP-16), for larger numbers drawn from them and moved
by about five kilometres. Beside ours runs a plain implementation that people write: one S2 object a
point, and a queue over lists.
"""

from __future__ import annotations

import argparse
import heapq
import os
import resource
import statistics
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import s2geometry as s2

from _record import record
from sightline.datasets.places import read_places
from sightline.geo.partition import (
    BoxSettings,
    Centres,
    Partition,
    S2Settings,
    adaptive_boxes,
    adaptive_s2,
    adaptive_s2_family,
    oracle_report,
)
from sightline.partition_files import load_partition

DATA = Path(os.environ.get("SIGHTLINE_DATA", "../shared/data"))
CELLS = 32_768
BOXES = (10, 80, 359, 1060, 1693, 7011)
# The numbers of cells of Müller-Budack et al. (2018): coarse, middle and fine.
S2_CELLS = (3298, 7202, 12_893, CELLS)
TEST_LISTS = ("im2gps3k", "yfcc4k", "yfcc25k")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=100_000_000, help="places to divide at most")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--s2sphere", action="store_true", help="only that comparison, asked once")
    arguments = parser.parse_args()
    real = read_places(DATA / "lists/mp16_100k.csv").coordinates
    if arguments.s2sphere:
        version = {"s2sphere": metadata.version("s2sphere")}
        print(record("partitions-s2sphere", {**version, **beside_s2sphere(real)}))
        return
    payload = {
        "s2geometry": metadata.version("s2geometry"),
        "places": len(real),
        "floor": floors(real),
        "speed": speed(real, arguments.most, arguments.rounds),
    }
    print(record("partitions", payload))


def floors(real: np.ndarray) -> list[dict[str, Any]]:
    """The oracle's errors of each partition, on its own places and on the test sets'."""
    tests = {name: read_places(DATA / f"lists/{name}.csv").coordinates for name in TEST_LISTS}
    made: dict[str, Partition] = {}
    for cells in BOXES:
        made[f"{cells:,} boxes"] = adaptive_boxes(real, BoxSettings(cells=cells))
    settings = [S2Settings(cells=cells) for cells in S2_CELLS]
    for one in adaptive_s2_family(real, settings):
        made[f"{len(one):,} S2 cells"] = one
    for name in ("osv5m_quadtree_10_1000", "visloc_mvmf_centres"):
        made[f"published: {name}"] = load_partition(DATA / f"partitions/{name}.csv")
    rows = []
    for name, one in made.items():
        row = {"partition": name, "cells": len(one), "kind": one.kind}
        row["own places"] = oracle_report(one, real).to_json()
        for test, places in tests.items():
            row[test] = oracle_report(one, places).to_json()
            # As a classifier is scored: whoever lies in no cell may still be near one.
            sent = oracle_report(one, places, outside="nearest").to_json()
            row[f"{test}, outside to the nearest"] = sent["beyond"]
        rows.append(row)
        shares = " ".join(f"{100 * x:6.2f}" for x in row["own places"]["beyond"].values())
        print(f"{name:>36}: {shares} % farther than 1, 25, 200, 750, 2500 km")
    return rows


def speed(real: np.ndarray, most: int, rounds: int) -> dict[str, Any]:
    found = {**making(real, rounds), **asking(real, rounds), **beside_plain(real, rounds)}
    if most > 1_000_000:
        found |= once_at_large(real, most)
    return found


def making(real: np.ndarray, rounds: int) -> dict[str, Any]:
    places = drawn(real, 1_000_000)
    s2_cells, boxes = S2Settings(cells=CELLS), BoxSettings(cells=CELLS)
    at_random = BoxSettings(cells=CELLS, cut="random")
    return {
        "1M places into 32K S2 cells": timed(lambda: adaptive_s2(places, s2_cells), rounds),
        "1M places into 32K boxes": timed(lambda: adaptive_boxes(places, boxes), rounds),
        "1M places into 32K boxes cut at random": timed(
            lambda: adaptive_boxes(places, at_random), rounds
        ),
    }


def asking(real: np.ndarray, rounds: int) -> dict[str, Any]:
    million, asked = drawn(real, 1_000_000), drawn(real, 10_000_000, seed=1)
    held = adaptive_s2(million, S2Settings(cells=CELLS))
    boxes = adaptive_boxes(million, BoxSettings(cells=CELLS))
    centres = Partition(Centres(held.representatives), held.representatives)
    return {
        "10M places to 32K S2 cells": timed(lambda: held.assign(asked), rounds),
        "10M places to 32K boxes": timed(lambda: boxes.assign(asked), rounds),
        "1M places to the nearest of 32K centres": timed(lambda: centres.assign(million), rounds),
    }


def beside_plain(real: np.ndarray, rounds: int) -> dict[str, Any]:
    places, settings = drawn(real, 100_000), S2Settings(cells=3298)
    ours = adaptive_s2(places, settings)
    assert sorted(ours.cells.ids.tolist()) == sorted(plain(places, 3298))
    assert plain_assign(ours, places) == ours.assign(places).tolist()
    return {
        "100K places into 3,298 S2 cells": timed(lambda: adaptive_s2(places, settings), rounds),
        "the same, plain": timed(lambda: plain(places, 3298), rounds),
        "100K places to 3,298 S2 cells": timed(lambda: ours.assign(places), rounds),
        "the same question, plain": timed(lambda: plain_assign(ours, places), rounds),
    }


def beside_s2sphere(real: np.ndarray) -> dict[str, Any]:
    """The same in pure Python, by the library that most people's scripts use."""
    import s2sphere

    def leaf_of(lat: float, lon: float) -> Any:
        return s2sphere.CellId.from_lat_lng(s2sphere.LatLng.from_degrees(lat, lon))

    places, settings = drawn(real, 1_000_000), S2Settings(cells=CELLS)
    ours, rows = adaptive_s2(places, settings), {}
    rows["1M places into 32K S2 cells"] = timed(lambda: adaptive_s2(places, settings), 5)
    found: list[list[int]] = []
    rows["the same, s2sphere"] = timed(
        lambda: found.append(plain(places, CELLS, leaf_of, s2sphere.CellId)), 1
    )
    assert sorted(ours.cells.ids.tolist()) == sorted(found[0])
    rows["1M places to 32K S2 cells"] = timed(lambda: ours.assign(places), 5)
    rows["the same question, s2sphere"] = timed(
        lambda: found.append(plain_assign(ours, places, leaf_of)), 1
    )
    assert ours.assign(places).tolist() == found[1]
    return rows


def once_at_large(real: np.ndarray, most: int) -> dict[str, Any]:
    places = drawn(real, most)
    before_gib = resident_gib()
    began = time.perf_counter()
    divided = adaptive_s2(places, S2Settings(cells=CELLS))
    seconds = time.perf_counter() - began
    facts = {
        "seconds": round(seconds, 2),
        "cells": len(divided),
        "places_gib": round(places.nbytes / 2**30, 2),
        "resident_before_gib": round(before_gib, 2),
        "peak_resident_gib": round(peak_gib(), 2),
    }
    name = f"{most // 1_000_000}M places into 32K S2 cells"
    print(name, facts)
    return {name: facts}


def drawn(real: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Places like the real ones, in any number; made in pieces, so that memory stays theirs."""
    rng = np.random.default_rng(seed)
    places = np.empty((count, 2))
    for start in range(0, count, 1 << 20):
        part = places[start : start + (1 << 20)]
        part[:] = real[rng.integers(0, len(real), len(part))]
        part += rng.normal(0, 0.05, part.shape)
        np.clip(part[:, 0], -90.0, 90.0, out=part[:, 0])
        part[:, 1] = (part[:, 1] + 180.0) % 360.0 - 180.0
    return places


def geometry_leaf(lat: float, lon: float) -> Any:
    """A place's leaf, by Google's own library."""
    return s2.S2CellId(s2.S2LatLng.FromDegrees(lat, lon))


def plain(
    places: np.ndarray,
    cells: int,
    leaf_of: Callable[[float, float], Any] = geometry_leaf,
    cell_of: Callable[[int], Any] = s2.S2CellId,
) -> list[int]:
    """The queue over lists of points, one S2 object each."""
    lists: dict[int, list[int]] = {}
    for lat, lon in places.tolist():
        leaf = leaf_of(lat, lon)
        lists.setdefault(leaf.parent(0).id(), []).append(leaf.id())
    waiting = [(-len(some), 0, cell) for cell, some in lists.items()]
    heapq.heapify(waiting)
    while len(waiting) < cells:
        _, level, cell = heapq.heappop(waiting)
        parts: dict[int, list[int]] = {}
        for leaf in lists.pop(cell):
            parts.setdefault(cell_of(leaf).parent(level + 1).id(), []).append(leaf)
        for child, some in parts.items():
            lists[child] = some
            heapq.heappush(waiting, (-len(some), level + 1, child))
    return list(lists)


def plain_assign(
    held: Partition,
    places: np.ndarray,
    leaf_of: Callable[[float, float], Any] = geometry_leaf,
) -> list[int]:
    """Climb from every leaf until a cell of the partition is met."""
    rows = {cell: row for row, cell in enumerate(held.cells.ids.tolist())}
    found = []
    for lat, lon in places.tolist():
        cell = leaf_of(lat, lon)
        while cell.id() not in rows and cell.level() > 0:
            cell = cell.parent()
        found.append(rows.get(cell.id(), -1))
    return found


def timed(work: Callable[[], object], rounds: int) -> dict[str, float]:
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    facts = {"seconds": round(statistics.median(seconds), 4), "slowest": round(max(seconds), 4)}
    print(facts)
    return facts


def resident_gib() -> float:
    with Path("/proc/self/statm").open() as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**30


def peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
