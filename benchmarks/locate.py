"""A whole ``locate`` against a million references, beside its own forward pass and decoding alone.

The references are made: real regional vectors of the sample photos, mixed in pairs and moved by
noise, at places spread over the Earth; the encoder, the atlas, its index and the asking photos are
real. Both sides are measured photo by photo, in turns, in one process.

    python benchmarks/locate.py --rows 1000000
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from _clustered import table_of
from _record import record
from sightline.atlas import Atlas, build_derived
from sightline.atlas.card import AtlasCard
from sightline.atlas.store import Store
from sightline.imagery import open_photo
from sightline.locating import Locator, locate_paths
from sightline.models.bundle import load_model
from sightline.models.importing import import_model
from sightline.models.protocol import Encoder, Vectors

DATA = Path(os.environ.get("SIGHTLINE_DATA", Path(__file__).parent / "../../shared/data"))
BLOCK = 50_000


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", help="where to put the atlas; a temporary folder by default")
    arguments = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="locate-benchmark-", dir=arguments.folder))
    try:
        results = measure(work, arguments.rows, arguments.photos, arguments.rounds)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(results)
    if arguments.rows >= 1_000_000:
        print(record("locate", results))


def measure(work: Path, rows: int, photos: int, rounds: int) -> dict[str, Any]:
    weights = DATA / "weights" / "mobilenetv2_100"
    files = sorted((DATA / "photos" / "osv5m").glob("*.jpg"))[:photos]
    import_model(
        work / "m", weights / "config.json", weights / "mobilenetv2_100.imagenet1k.safetensors"
    )
    encoder = load_model(work / "m")
    write_references(work / "a", encoder, files, rows)
    started = time.perf_counter()
    build_derived(work / "a")
    indexed_s = time.perf_counter() - started
    locator = Locator(Atlas.open(work / "a"), encoder)
    alone: list[float] = []
    whole: list[float] = []
    for turn in range(rounds + 1):
        for file in files:
            bare, full = timed(forward_alone, file, encoder), timed(locate_one, file, locator)
            if turn:  # the first round warms caches and maps
                alone.append(bare)
                whole.append(full)
    ratios = [full / bare for full, bare in zip(whole, alone, strict=True)]
    choice = encoder.warm_up()
    return {
        "what": "made references, real encoder and photos",
        "rows": rows,
        "regions": encoder.regions,
        "runtime": f"{choice.runtime} {choice.precision}",
        "index_built_s": round(indexed_s, 1),
        "decode_and_forward_ms": round(1000 * statistics.median(alone), 2),
        "locate_ms": round(1000 * statistics.median(whole), 2),
        "median_ratio": round(statistics.median(ratios), 3),
        "ratio_of_medians": round(statistics.median(whole) / statistics.median(alone), 3),
    }


def timed(function: Any, *arguments: Any) -> float:
    started = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - started


def forward_alone(file: Path, encoder: Encoder) -> Vectors:
    photo = open_photo(file, at_least=encoder.decode_size)
    return encoder.encode_prepared(encoder.prepare(photo.pixels)[None])


def locate_one(file: Path, locator: Locator) -> None:
    (found,) = locate_paths([file], locator, workers=1)
    if found.error is not None:
        raise found.error


def write_references(path: Path, encoder: Encoder, files: list[Path], rows: int) -> None:
    card = AtlasCard(
        encoder.name, encoder.fingerprint, encoder.dimension, encoder.regions, encoder.whitening
    )
    store = Store.create(path, card)
    real = encoder.encode_regions([open_photo(file).pixels for file in files])
    rng = np.random.default_rng(0)
    for start in range(0, rows, BLOCK):
        count = min(BLOCK, rows - start)
        made = mixed(real, count, rng).astype(np.float16).reshape(count, -1)
        lat = np.degrees(np.arcsin(rng.uniform(-1, 1, count)))
        places = np.column_stack([lat, rng.uniform(-180, 180, count)])
        store = store.append(table_of(card, made, places, start))


def mixed(real: Vectors, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Pairs of real photos in random shares, with noise of the real spread, unit means."""
    first, second = rng.integers(0, len(real), (2, count))
    share = rng.uniform(0, 1, (count, 1, 1)).astype(np.float32)
    noise = rng.standard_normal((count, *real.shape[1:]), dtype=np.float32)
    vectors = share * real[first] + (1 - share) * real[second] + noise * real.std(axis=0)
    vectors /= np.linalg.norm(vectors.mean(axis=1), axis=1)[:, None, None]
    return np.asarray(vectors, np.float32)


if __name__ == "__main__":
    main()
