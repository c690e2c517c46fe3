"""Search in one atlas, beside FAISS IVF-Flat, LanceDB's own index and usearch, in one run.

    python benchmarks/atlas.py --rows 1000000
    python benchmarks/atlas.py --rows 5000000 --only ours

LanceDB and usearch are not dependencies of the project: ``pip install lancedb usearch``; engines
that are not installed are left out and named. Needs about 8 GB of disk per million rows.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from _clustered import DIMENSION, FINGERPRINT, RECIPE, exact, queries, write_atlas, write_rows
from _record import record

QUERIES = 300
DEPTH = 100
ENGINES = ("ours", "faiss_ivf_flat", "lancedb", "usearch")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", nargs="*", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--usearch-rows", type=int, default=100_000, help="it adds slowly")
    parser.add_argument("--folder", help="where to put the data; a temporary folder by default")
    parser.add_argument("--note", default="", help="kept with the numbers, e.g. what else ran")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(Path(arguments.serve))
        return
    folder = Path(tempfile.mkdtemp(prefix="atlas-benchmark-", dir=arguments.folder))
    try:
        run(arguments, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(arguments: argparse.Namespace, folder: Path) -> None:
    print(RECIPE)
    coordinates = write_rows(folder / "rows.npy", arguments.rows)
    rows = np.load(folder / "rows.npy", mmap_mode="r")
    asked = queries(rows, QUERIES)
    truth, cosines = exact(rows, asked, DEPTH, None)
    similarity = {str(rank): round(float(cosines[:, rank - 1].mean()), 3) for rank in (1, 10, 100)}
    print("similarity at rank", similarity)
    np.savez(folder / "asked.npz", asked=asked, truth=truth)
    results: dict[str, Any] = {}
    if "ours" in arguments.only:
        results["ours"] = ours(folder, rows, coordinates, asked)
    if "faiss_ivf_flat" in arguments.only:
        results["faiss_ivf_flat"] = faiss_ivf_flat(rows, asked, truth)
    for name, engine in (("lancedb", lancedb_index), ("usearch", usearch_index)):
        if name not in arguments.only:
            continue
        part = rows if name == "lancedb" else rows[: arguments.usearch_rows]
        wanted = truth if len(part) == len(rows) else exact(part, asked, DEPTH, None)[0]
        try:
            results[name] = {"rows": len(part), **engine(folder, part, asked, wanted)}
        except ImportError as error:
            results[name] = {"left_out": str(error)}
        print(name, json.dumps(results[name]))
    payload = {
        "rows": arguments.rows,
        "dimension": DIMENSION,
        "recipe": RECIPE,
        "similarity_at_rank": similarity,
        "queries": QUERIES,
        "load_average": os.getloadavg(),
        "note": arguments.note,
        "results": results,
    }
    print(record(f"atlas-{arguments.rows}", payload))


def ours(
    folder: Path,
    rows: NDArray[np.float16],
    coordinates: NDArray[np.float64],
    asked: NDArray[np.float32],
) -> dict[str, Any]:
    """Build a real atlas, then ask it in a fresh process."""
    from sightline.atlas import build_derived

    started = time.perf_counter()
    write_atlas(folder / "atlas", rows, coordinates)
    stored = time.perf_counter()
    memory = _Peak()
    derived = build_derived(folder / "atlas")
    built = time.perf_counter()
    np.savez(folder / "parts.npz", **_parts(rows, coordinates, asked))
    found = {
        "store_s": round(stored - started, 1),
        "derived_build_s": round(built - stored, 1),
        "derived_build_anonymous_mb": memory.stop(),
        "index_mb": round((derived / "index.faiss").stat().st_size / 1e6, 1)
        if (derived / "index.faiss").exists()
        else 0,
        "manifest": {
            name: value
            for name, value in json.loads((derived / "manifest.json").read_text()).items()
            if name in ("lists", "calibration", "exact_rows", "unrelated")
        },
    }
    environment = dict(os.environ)
    command = [sys.executable, __file__, "--serve", str(folder)]
    answer = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if answer.returncode:
        raise RuntimeError(answer.stderr)
    found.update(json.loads(answer.stdout))
    timing = "import time; t = time.perf_counter(); from sightline.atlas import Atlas; "
    command = [sys.executable, "-c", timing + "print(1e3 * (time.perf_counter() - t))"]
    imported = subprocess.run(command, capture_output=True, text=True, check=True)
    found["import_ms"] = round(float(imported.stdout))
    print("ours", json.dumps(found))
    shutil.rmtree(folder / "atlas")
    return found


def _parts(
    rows: NDArray[np.float16], coordinates: NDArray[np.float64], asked: NDArray[np.float32]
) -> dict[str, NDArray[Any]]:
    """Cells of 51 to 2,102 rows with their exact top 10, and boxes with their exact top 100."""
    from sightline.geo import cells
    from sightline.geo.region import BoundingBox

    rng = np.random.default_rng(3)
    parents = cells.parents(cells.cell_ids(coordinates), 8)
    names, counts = np.unique(parents, return_counts=True)
    fitting = names[(counts >= 51) & (counts <= 2102)]
    chosen = rng.choice(fitting, min(100, len(fitting)), replace=False)
    found: dict[str, NDArray[Any]] = {"cells": chosen}
    for number, cell in enumerate(chosen):
        inside = np.flatnonzero(parents == cell)
        scores = rows[inside].astype(np.float64) @ asked[number].astype(np.float64)
        found[f"cell_{number}"] = inside[np.argsort(-scores, kind="stable")[:10]]
    longitudes = np.sort(coordinates[:, 1])
    for share in (0.001, 0.01, 0.05, 0.2, 0.5, 0.9):
        start = int(rng.uniform(0, 1 - share) * (len(rows) - 1))
        west, east = longitudes[start], longitudes[start + int(share * (len(rows) - 1))]
        box = BoundingBox(-90.0, float(west), 90.0, float(east))
        allowed = box.contains(coordinates)
        found[f"box_{share}"] = np.array([-90.0, west, 90.0, east])
        found[f"box_truth_{share}"] = exact(rows, asked[:60], DEPTH, allowed)[0]
    return found


def serve(folder: Path) -> None:
    """What a server or a command does, in a process of its own; prints JSON."""
    from sightline.atlas import Atlas

    known = np.load(folder / "asked.npz")
    asked, truth = known["asked"][:, None, :], known["truth"]
    before = time.perf_counter()
    atlas = Atlas.open(folder / "atlas")
    opened = time.perf_counter()
    atlas.search(asked[:1], 10, fingerprint=FINGERPRINT)
    answered = time.perf_counter()
    found: dict[str, Any] = {
        "open_ms": round((opened - before) * 1e3, 1),
        "open_to_first_answer_ms": round((answered - before) * 1e3, 1),
    }
    parts = np.load(folder / "parts.npz")
    raw = {"fingerprint": FINGERPRINT, "rerank": 0, "pool_m": 0.0}
    found["top_100"] = _timed(lambda q: atlas.search(q, DEPTH, **raw).ids, asked, truth)
    found["top_10_default"] = _timed(
        lambda q: atlas.search(q, 10, fingerprint=FINGERPRINT).ids, asked, truth[:, :10]
    )
    found["cell_top_10"] = _cells(atlas, parts, asked, raw)
    found["boxes"] = _boxes(atlas, parts, asked, raw)
    found["serving_peak_mb"] = _peak_mb()
    found["exact_top_100"] = _timed(
        lambda q: atlas.search(q, DEPTH, mode="exact", **raw).ids, asked[:10], truth[:10]
    )
    found["peak_with_exact_scans_mb"] = _peak_mb()
    print(json.dumps(found))


def _cells(atlas: Any, parts: Any, asked: NDArray[np.float32], raw: Any) -> dict[str, Any]:
    times, shares = [], []
    for number, cell in enumerate(parts["cells"]):
        begun = time.perf_counter()
        ids = atlas.search(asked[number : number + 1], 10, cell=int(cell), **raw).ids
        times.append(time.perf_counter() - begun)
        wanted = parts[f"cell_{number}"]
        shares.append(np.isin(wanted, ids[0]).mean())
    return _summary(times, shares)


def _boxes(atlas: Any, parts: Any, asked: NDArray[np.float32], raw: Any) -> dict[str, Any]:
    from sightline.geo.region import BoundingBox

    found = {}
    for name in parts.files:
        if name.startswith("box_") and "truth" not in name:
            share = name.removeprefix("box_")
            box, truth = BoundingBox(*parts[name]), parts[f"box_truth_{share}"]
            begun = time.perf_counter()
            first = atlas.search(asked[:1], DEPTH, region=box, **raw)
            first_ms = (time.perf_counter() - begun) * 1e3

            def ask(query: NDArray[np.float32], box: Any = box) -> NDArray[np.int64]:
                return atlas.search(query, DEPTH, region=box, **raw).ids

            found[share] = {
                **_timed(ask, asked[:60], truth),
                "first_ms": round(first_ms, 1),
                "mode": first.mode,
                "recall_estimate": first.recall_estimate,
            }
    return found


def faiss_ivf_flat(
    rows: NDArray[np.float16], asked: NDArray[np.float32], truth: NDArray[np.int64]
) -> dict[str, Any]:
    import faiss

    from sightline.atlas.accelerator import list_count

    lists = list_count(len(rows))
    index = faiss.IndexIVFFlat(
        faiss.IndexFlatIP(DIMENSION), DIMENSION, lists, faiss.METRIC_INNER_PRODUCT
    )
    begun = time.perf_counter()
    sample = np.random.default_rng(0).choice(len(rows), min(len(rows), 40 * lists), replace=False)
    index.train(rows[np.sort(sample)].astype(np.float32))
    for start in range(0, len(rows), 50_000):
        index.add(rows[start : start + 50_000].astype(np.float32))
    built = time.perf_counter() - begun
    for probes in (4, 8, 16, 32, 64, 128, 256):
        index.nprobe = probes
        found = _timed(lambda q: index.search(q, DEPTH)[1], asked, truth)
        if found["recall"] >= 0.95:
            break
    result = {"build_s": round(built, 1), "probes": probes, "top_100": found}
    print("faiss_ivf_flat", json.dumps(result))
    return result


def lancedb_index(
    folder: Path,
    rows: NDArray[np.float16],
    asked: NDArray[np.float32],
    truth: NDArray[np.int64],
) -> dict[str, Any]:
    import lancedb
    import pyarrow as pa
    from lancedb.index import IvfRq

    schema = pa.schema([("id", pa.int64()), ("vector", pa.list_(pa.float32(), DIMENSION))])

    def batches() -> Any:
        for start in range(0, len(rows), 50_000):
            part = rows[start : start + 50_000].astype(np.float32)
            vectors = pa.FixedSizeListArray.from_arrays(pa.array(part.ravel()), DIMENSION)
            numbers = pa.array(np.arange(start, start + len(part)))
            yield pa.RecordBatch.from_arrays([numbers, vectors], schema=schema)

    path = folder / "lancedb"
    table = lancedb.connect(path).create_table("rows", batches(), schema=schema)
    begun = time.perf_counter()
    table.create_index("vector", config=IvfRq(distance_type="dot"))
    built = time.perf_counter() - begun
    for probes, refine in ((20, 4), (20, 10), (50, 10), (100, 10)):

        def ask(query: NDArray[np.float32], probes: int = probes, refine: int = refine) -> Any:
            answer = table.search(query[0]).distance_type("dot").select(["id", "_distance"])
            found = answer.nprobes(probes).refine_factor(refine).limit(DEPTH).to_arrow()
            return found.column("id").to_numpy()[None, :]

        found = _timed(ask, asked[:100], truth[:100])
        if found["recall"] >= 0.95:
            break
    shutil.rmtree(path)
    settings = {"kind": "IVF_RQ", "probes": probes, "refine": refine}
    return {"build_s": round(built, 1), **settings, "top_100": found}


def usearch_index(
    _folder: Path,
    rows: NDArray[np.float16],
    asked: NDArray[np.float32],
    truth: NDArray[np.int64],
) -> dict[str, Any]:
    from usearch.index import Index

    index = Index(ndim=DIMENSION, metric="cos", dtype="i8")
    begun = time.perf_counter()
    index.add(np.arange(len(rows)), np.asarray(rows, np.float32))
    built = time.perf_counter() - begun
    for expansion in (64, 128, 256, 512, 1024):
        index.expansion_search = expansion

        def ask(query: NDArray[np.float32]) -> NDArray[np.int64]:
            keys = np.asarray(index.search(query[0], 2 * DEPTH).keys, np.int64)
            again = rows[keys].astype(np.float32) @ query[0]
            return keys[np.argsort(-again)[:DEPTH]][None, :]

        found = _timed(ask, asked, truth)
        if found["recall"] >= 0.95:
            break
    return {"build_s": round(built, 1), "expansion": expansion, "kind": "i8", "top_100": found}


def _timed(
    ask: Callable[[NDArray[np.float32]], NDArray[np.int64]],
    asked: NDArray[np.float32],
    truth: NDArray[np.int64],
) -> dict[str, Any]:
    for warm in range(min(20, len(asked))):
        ask(asked[warm : warm + 1])
    times, shares = [], []
    for number in range(len(asked)):
        begun = time.perf_counter()
        found = ask(asked[number : number + 1])
        times.append(time.perf_counter() - begun)
        wanted = truth[number][truth[number] >= 0]
        shares.append(np.isin(wanted, found[0]).mean())
    return _summary(times, shares)


def _summary(times: list[float], shares: list[float]) -> dict[str, Any]:
    return {
        "recall": round(float(np.mean(shares)), 4),
        "p50_ms": round(float(np.median(times)) * 1e3, 2),
        "p99_ms": round(float(np.quantile(times, 0.99)) * 1e3, 2),
    }


def _peak_mb() -> int:
    """Most memory of this process so far, mapped files included; ru_maxrss keeps its parent's."""
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(x for x in status if x.startswith("VmHWM")).split()[1]) // 1024


class _Peak:
    """The largest anonymous memory of this process, sampled; mapped files are not counted."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._peak = 0
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        self._stop.set()
        self._thread.join()
        return self._peak // 1024

    def _watch(self) -> None:
        status = Path("/proc/self/status")
        while status.exists() and not self._stop.wait(0.2):
            lines = [x for x in status.read_text().splitlines() if x.startswith("RssAnon")]
            self._peak = max(self._peak, *(int(x.split()[1]) for x in lines))


if __name__ == "__main__":
    main()
