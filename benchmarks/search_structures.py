"""The papers' search structures beside the exact search and the accelerator, as n grows.

    OMP_NUM_THREADS=1 python benchmarks/search_structures.py
    OMP_NUM_THREADS=1 python benchmarks/search_structures.py --sizes 10000 30000 --name trial

For each n the recursive k-means tree (greedy as the PSSR text has it, and with beams), hash tables
(one probe and several), the accelerator of an atlas (FAISS IVF with one-bit codes) and the exact
scan answer the same queries over the same made-up rows: rows moved by noise to several cosines with
themselves, from nearly the same photo to what another view of a place looks like. One number is
comparable across machines: the distances computed per query. The text claims O(log_k n) for greedy
descent; what that costs in recall stands beside it, and how much a beam must widen with n to reach
a recall that an atlas asks for.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from _clustered import DIMENSION, RECIPE, exact, write_rows
from _record import record
from sightline.atlas.accelerator import Accelerator, Effort, train
from sightline.atlas.calibration import calibrate, perturbed_rows
from sightline.atlas.exact import exact_top, rank
from sightline.atlas.hashing import HashSettings, HashTables, fill_tables
from sightline.atlas.segment import Segment
from sightline.atlas.structure import SearchStructure
from sightline.atlas.tree import SearchTree, TreeSettings
from sightline.atlas.tree_growth import grow_tree

SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
QUERIES = 300
SIMILARITIES = (0.97, 0.8, 0.6)
DEPTHS = (1, 10, 100)
LEAF = 256
BRANCHES = (2, 8, 32)
BEAMS = (1, 2, 4, 8, 16, 32, 64)
TARGETS = (0.9, 0.95)


@dataclass(frozen=True)
class _Queries:
    asked: NDArray[np.float32]
    truth: NDArray[np.int64]

    def first(self, count: int) -> _Queries:
        return _Queries(self.asked[:count], self.truth[:count])


Ask = Callable[[NDArray[np.float32]], tuple[NDArray[np.int64], int]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--folder", help="where to put the data; a temporary folder by default")
    parser.add_argument("--name", default="search_structures")
    arguments = parser.parse_args()
    print(RECIPE)
    results = []
    with tempfile.TemporaryDirectory(prefix="structures-", dir=arguments.folder) as folder:
        for count in arguments.sizes:
            begun = time.perf_counter()
            for result in measured(Path(folder) / "rows.npy", count):
                results.append({"rows": count, **result})
                print(json.dumps(results[-1]), flush=True)
            print(f"{count} rows took {time.perf_counter() - begun:.0f} s", flush=True)
    payload = {
        "dimension": DIMENSION,
        "recipe": RECIPE,
        "queries_per_similarity": QUERIES,
        "similarities": SIMILARITIES,
        "load_average": os.getloadavg(),
        "growth": growth(results),
        "results": results,
    }
    print(table(results))
    print(record(arguments.name, payload))


def measured(path: Path, count: int) -> Iterator[dict[str, Any]]:
    write_rows(path, count)
    rows = np.asarray(np.load(path, mmap_mode="r"))
    segment = _segment(rows)
    sets = {}
    for number, similarity in enumerate(SIMILARITIES):
        asked = perturbed_rows(segment, np.random.default_rng(number), (similarity,), QUERIES)
        sets[similarity] = _Queries(asked, exact(rows, asked, max(DEPTHS), None)[0])

    def scan(query: NDArray[np.float32]) -> tuple[NDArray[np.int64], int]:
        return exact_top(segment, query, max(DEPTHS))[0], count

    yield {"structure": "exact", **_all_asked(scan, {s: q.first(60) for s, q in sets.items()})}
    yield from _accelerated(segment, sets)
    for k in BRANCHES:
        tree, built = _timed(lambda k=k: grow_tree(rows, TreeSettings(k=k, leaf=LEAF)))
        shape = {
            "structure": "tree",
            "k": k,
            "leaf": LEAF,
            "build_s": built,
            "levels": tree.levels,
            "leaves": tree.leaves,
            "log_k_n": round(float(np.log(count) / np.log(k)), 2),
        }
        for beam in BEAMS if k == 8 else BEAMS[:1]:
            wide = SearchTree(TreeSettings(k=k, leaf=LEAF, beam=beam), **tree.arrays())
            yield {**shape, "beam": beam, **_all_asked(_by(wide, segment), sets)}
        del tree
    # About 30 rows in a bucket on average, whatever n.
    bits = max(4, round(float(np.log2(count / 30))))
    filled, built = _timed(lambda: fill_tables(rows, HashSettings(tables=16, bits=bits)))
    for probes in (1, 4, 16):
        tables = HashTables(HashSettings(tables=16, bits=bits, probes=probes), **filled.arrays())
        shape = {"structure": "lsh", "tables": 16, "bits": bits, "probes": probes}
        yield {**shape, "build_s": built, **_all_asked(_by(tables, segment), sets)}


def growth(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Per similarity the exponent a of distances ~ n^a: greedy, and of the beams for a recall."""
    found: dict[str, Any] = {}
    for name in (f"cosine_{similarity}" for similarity in SIMILARITIES):
        trees = [{**r, **r[name]} for r in results if r["structure"] == "tree"]
        of: dict[str, Any] = {
            f"greedy_k{k}": _fit([r for r in trees if r["k"] == k and r["beam"] == 1])
            for k in BRANCHES
        }
        for target in TARGETS:
            of[f"beam_for_recall@10_{target}"] = _fit(_cheapest(trees, target))
        found[name] = of
    return found


def table(results: list[dict[str, Any]]) -> str:
    """Everything in one table for the documentation; each cell is recall@1 and distances."""
    lines = [
        "| rows | structure | " + " | ".join(f"cosine {s}" for s in SIMILARITIES) + " | ms |",
        "| --- | --- |" + " --- |" * (len(SIMILARITIES) + 1),
    ]
    for result in results:
        words = [result["structure"]]
        words += [f"{n}={result[n]}" for n in ("k", "beam", "bits", "probes") if n in result]
        asked = [result[f"cosine_{s}"] for s in SIMILARITIES]
        cells = [f"{a['recall@1']:.1%} · {a['comparisons']:,.0f}" for a in asked]
        lines.append(
            f"| {result['rows']:,} | {', '.join(words)} | {' | '.join(cells)} "
            f"| {asked[0]['p50_ms']:.2f} |"
        )
    return "\n".join(lines)


def _cheapest(trees: list[dict[str, Any]], target: float) -> list[dict[str, Any]]:
    """Per size the cheapest beam of the tree of 8 branches that reaches a recall@10."""
    enough: dict[int, list[dict[str, Any]]] = {}
    for result in trees:
        if result["k"] == 8 and result["recall@10"] >= target:
            enough.setdefault(result["rows"], []).append(result)
    return [min(of, key=lambda r: r["comparisons"]) for _, of in sorted(enough.items())]


def _fit(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What each size took, and the slope of its logarithm over that of n."""
    exponent = None
    if len(rows) > 1:
        sizes = np.log([r["rows"] for r in rows])
        exponent = float(np.polyfit(sizes, np.log([r["comparisons"] for r in rows]), 1)[0])
    names = ("rows", "beam", "comparisons", "recall@1", "recall@10")
    return {
        "exponent": None if exponent is None else round(exponent, 3),
        "sizes": [{name: r[name] for name in names} for r in rows],
    }


def _accelerated(segment: Segment, sets: dict[float, _Queries]) -> Iterator[dict[str, Any]]:
    index, built = _timed(lambda: train(segment))
    accelerator = Accelerator(index)
    efforts = calibrate(segment, accelerator, exact_rows=len(segment)).everywhere
    for effort in efforts[:2]:
        yield {
            "structure": "accelerator",
            "for_depth": effort.depth,
            "lists": accelerator.lists,
            "probes": effort.lists,
            "build_s": built,
            "comparisons_are": "list centres, one-bit codes, and exact rows together",
            **_all_asked(_by_accelerator(accelerator, segment, effort), sets),
        }


def _by_accelerator(accelerator: Accelerator, segment: Segment, effort: Effort) -> Ask:
    def ask(query: NDArray[np.float32]) -> tuple[NDArray[np.int64], int]:
        faiss.cvar.indexIVF_stats.reset()
        proposed = accelerator.propose(query, effort.candidates, lists=effort.lists)
        codes = int(faiss.cvar.indexIVF_stats.ndis)
        found, _ = rank(segment, query, proposed, max(DEPTHS))
        return found, accelerator.lists + codes + effort.candidates

    return ask


def _by(structure: SearchStructure, segment: Segment) -> Ask:
    """As an atlas asks: candidates for the rows that are wanted, then their exact order."""

    def ask(query: NDArray[np.float32]) -> tuple[NDArray[np.int64], int]:
        chosen = structure.candidates(query, 1)
        found, _ = rank(segment, query, chosen.positions, max(DEPTHS))
        return found, int(chosen.comparisons[0])

    return ask


def _all_asked(ask: Ask, sets: dict[float, _Queries]) -> dict[str, Any]:
    return {f"cosine_{s}": _asked(ask, q.asked, q.truth) for s, q in sets.items()}


def _asked(ask: Ask, asked: NDArray[np.float32], truth: NDArray[np.int64]) -> dict[str, Any]:
    """Recall at several depths, milliseconds of one query, distances per query."""
    for warm in range(10):
        ask(asked[warm : warm + 1])
    times, costs, found = [], [], []
    for number in range(len(asked)):
        begun = time.perf_counter()
        places, cost = ask(asked[number : number + 1])
        times.append(time.perf_counter() - begun)
        costs.append(cost)
        found.append(places[0])
    shares = {
        f"recall@{depth}": round(
            float(
                np.mean(
                    [
                        np.isin(t[:depth], f[:depth]).mean()
                        for t, f in zip(truth, found, strict=True)
                    ]
                )
            ),
            4,
        )
        for depth in DEPTHS
    }
    return {
        **shares,
        "comparisons": round(float(np.mean(costs)), 1),
        "p50_ms": round(float(np.median(times)) * 1e3, 3),
        "p99_ms": round(float(np.quantile(times, 0.99)) * 1e3, 3),
    }


def _timed(build: Callable[[], Any]) -> tuple[Any, float]:
    begun = time.perf_counter()
    built = build()
    return built, round(time.perf_counter() - begun, 1)


def _segment(rows: NDArray[np.float16]) -> Segment:
    """The rows as what an atlas searches, with places and names that are never read."""
    count = len(rows)
    return Segment(
        vectors=rows,
        regions=None,
        ids=np.arange(count),
        s2=np.arange(count, dtype=np.uint64),
        coordinates=np.zeros((count, 2)),
        views=np.zeros(count, np.int16),
        headings=np.zeros(count, np.float32),
        hashes=np.zeros((count, 32), np.uint8),
        uri_ends=np.zeros(count + 1, np.int64),
        uri_bytes=np.zeros(0, np.uint8),
    )


if __name__ == "__main__":
    main()
