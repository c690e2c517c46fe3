"""Ranks of every query: ours beside the bare product, and beside the ways published code takes.

The bound is the blocked matrix product alone, at the fastest of several block shapes. The peers'
ways hold the whole matrix: a loop over queries that counts closer references (CVM-Net and its
heirs), and a sort of every row (University-1652, image-locate). All on the same arrays in one
process, in turns; memory is the peak of the process while ours runs, less what it held before.

    python benchmarks/ranks.py              # 8,884 x 1,024 and 20,000 x 3,072
    python benchmarks/ranks.py --sizes 92802x3072 --rounds 1 --no-peers --name ranks-92802
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from _record import record
from sightline.evaluation.retrieval.ranks import Ranks, rank
from sightline.evaluation.retrieval.relevance import Relevance

Vectors = NDArray[np.float32]
BLOCKS = ((1024, 4096), (2048, 4096), (4096, 4096))
RECIPE = (
    "references are random directions, a query is its reference plus 1.2 times its own noise, all "
    "of unit length, float32, seed 0: the true reference is among the first ones, often not first"
)


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="8884x1024,20000x3072", help="n x d, comma-separated")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--name", default="ranks", help="of the file in results/")
    arguments = parser.parse_args()
    rows = []
    for text in arguments.sizes.split(","):
        n, d = size_of(text)
        rows.append(measured(n, d, arguments.rounds, arguments.device, not arguments.no_peers))
        print(json.dumps(rows[-1], indent=1))
    print(record(arguments.name, {"recipe": RECIPE, "device": arguments.device, "sizes": rows}))


def size_of(text: str) -> tuple[int, int]:
    n, d = text.split("x")
    return int(n), int(d)


def made(n: int, d: int) -> tuple[Vectors, Vectors]:
    rng = np.random.default_rng(0)
    references = np.empty((n, d), np.float32)
    queries = np.empty((n, d), np.float32)
    for start in range(0, n, 4096):
        part = slice(start, min(start + 4096, n))
        references[part] = unit(rng.standard_normal((part.stop - start, d), np.float32))
        noise = unit(rng.standard_normal((part.stop - start, d), np.float32))
        # A cosine of about 4.5 standard deviations of what others have.
        queries[part] = unit(references[part] * 4.5 / d**0.5 + noise)
    return queries, references


def unit(vectors: Vectors) -> Vectors:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def measured(n: int, d: int, rounds: int, device: str, peers: bool) -> dict[str, Any]:
    queries, references = made(n, d)
    shapes = [fastest_shape(queries[:8192], references[:8192], device)]
    bare = {f"{a}x{b}": product_alone(queries, references, a, b, device) for a, b in shapes}
    found: list[Ranks] = []
    beyond: list[int] = []

    def ours() -> None:
        before = status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        found.append(rank(queries, references, Relevance.paired(n), device=device))
        beyond.append(status("VmHWM") - before)

    # The first product makes BLAS take its buffers, and the first tensor torch's.
    rank(queries[:64], references[:64], Relevance.paired(64), device=device)
    ways: dict[str, Callable[[], object]] = {**bare, "ours": ours}
    if peers:
        ways |= {
            "full matrix, a loop over queries": lambda: by_loop(queries, references),
            "full matrix, every row sorted": lambda: by_sorting(queries, references),
        }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, run in ways.items():
            gc.collect()
            times[way].append(timed(run))
    seconds = {way: statistics.median(taken) for way, taken in times.items()}
    (best,) = bare
    ratios = [a / b for a, b in zip(times["ours"], times[best], strict=True)]
    return {
        "n": n,
        "m": n,
        "d": d,
        "recall_at_1": float((found[0].better == 0).mean()),
        "rounds": rounds,
        "bare_product_s": round(seconds[best], 3),
        "bare_product_block": best,
        "ours_s": round(seconds["ours"], 3),
        "ours_over_bare_product": round(statistics.median(ratios), 3),
        "peers_s": {way: round(s, 3) for way, s in seconds.items() if way.startswith("full")},
        "peers_matrix_gib": round(4 * n * n / 2**30, 2),
        "inputs_gib": round(8 * n * d / 2**30, 2),
        "ours_beyond_inputs_gib": round(max(beyond) / 2**30, 3),
    }


def fastest_shape(queries: Vectors, references: Vectors, device: str) -> tuple[int, int]:
    """The block shape that multiplies a part of the arrays fastest, of three looks each."""
    taken = {}
    for tall, wide in BLOCKS:
        run = product_alone(queries, references, tall, wide, device)
        taken[tall, wide] = min(timed(run) for _ in range(3))
    return min(taken, key=lambda shape: taken[shape])


def timed(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def product_alone(
    queries: Vectors, references: Vectors, tall: int, wide: int, device: str
) -> Callable[[], None]:
    if device != "cpu":
        return lambda: product_on_device(queries, references, 16384, device)
    out = np.empty((tall, wide), np.float32)

    def run() -> None:
        for first in range(0, len(references), wide):
            block = references[first : first + wide]
            for start in range(0, len(queries), tall):
                part = queries[start : start + tall]
                np.matmul(part, block.T, out=out[: len(part), : len(block)])

    return run


def product_on_device(queries: Vectors, references: Vectors, size: int, device: str) -> None:
    asked = torch.from_numpy(queries).to(device)
    for first in range(0, len(references), size):
        block = torch.from_numpy(references[first : first + size]).to(device)
        for start in range(0, len(asked), size):
            torch.mm(asked[start : start + size], block.T)
    torch.cuda.synchronize()


def by_loop(queries: Vectors, references: Vectors) -> float:
    """CVM-Net's validate: the distance matrix, then a loop."""
    distance = 2.0 - 2.0 * np.matmul(references, queries.T)
    hits = 0
    k = int(len(references) * 0.01) + 1
    for i in range(len(queries)):
        hits += np.sum(distance[:, i] < distance[i, i]) < k
    return hits / len(queries)


def by_sorting(queries: Vectors, references: Vectors) -> float:
    """University-1652's evaluate, one row at a time, and where the true one stands."""
    hits = 0
    similarity = np.matmul(queries, references.T)
    for i in range(len(queries)):
        order = np.argsort(similarity[i])[::-1]
        hits += int(np.flatnonzero(order == i)[0] < 1)
    return hits / len(queries)


def status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


if __name__ == "__main__":
    main()
