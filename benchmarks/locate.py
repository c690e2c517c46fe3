"""A whole ``locate`` against a million references, beside its own forward pass and decoding alone.

The references are made, with the covariance of real photos and the clusters that places make (see
``RECIPE``); the encoder, the atlas, its index and the asking photos are real. Both sides are
measured photo by photo, in turns, in one process.

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
ROWS_PER_PLACE = 50
RECIPE = (
    "a place is drawn from a normal distribution with mean and covariance of the sample photos' "
    "regional vectors, all regions together; a reference is its place plus half a draw with the "
    "covariance of single regions, each region for itself; 50 references a place on average, "
    "within about 100 m of it; places anywhere on the Earth; unit global vectors; seed 0"
)


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="a folder to leave the atlas in, or to find it")
    arguments = parser.parse_args()
    work = arguments.keep or Path(tempfile.mkdtemp(prefix="locate-benchmark-"))
    work.mkdir(parents=True, exist_ok=True)
    try:
        results = measure(work, arguments.rows, arguments.photos, arguments.rounds)
    finally:
        if arguments.keep is None:
            shutil.rmtree(work, ignore_errors=True)
    print(results)
    if arguments.rows >= 1_000_000:
        print(record("locate", results))


def measure(work: Path, rows: int, photos: int, rounds: int) -> dict[str, Any]:
    files = sorted((DATA / "photos" / "osv5m").glob("*.jpg"))[:photos]
    if not (work / "a" / "derived" / "CURRENT").exists():
        make_atlas(work, rows)
    atlas = Atlas.open(work / "a")
    if atlas.count != rows:
        raise SystemExit(f"{work} holds {atlas.count} rows, and {rows} were asked for")
    # `sightline locate` computes with torch where it is asked about a few photos, because finding
    # out what is fastest takes longer than they do; for many it computes with what is fastest.
    few = load_model(work / "m", precision="float32", runtime="torch")
    many = load_model(work / "m")
    return {
        "what": "made references, real encoder and photos",
        "recipe": RECIPE,
        "rows": rows,
        "regions": many.regions,
        "a_few_photos": beside_the_forward_pass(files, Locator(atlas, few), rounds),
        "many_photos": beside_the_forward_pass(files, Locator(atlas, many), rounds),
    }


def make_atlas(work: Path, rows: int) -> None:
    weights = DATA / "weights" / "mobilenetv2_100"
    import_model(
        work / "m", weights / "config.json", weights / "mobilenetv2_100.imagenet1k.safetensors"
    )
    sample = sorted((DATA / "photos").rglob("*.jpg"))
    write_references(work / "a", load_model(work / "m"), sample, rows)
    build_derived(work / "a")


def beside_the_forward_pass(files: list[Path], locator: Locator, rounds: int) -> dict[str, Any]:
    alone: list[float] = []
    whole: list[float] = []
    for turn in range(rounds + 1):
        for file in files:
            bare = timed(forward_alone, file, locator.encoder)
            full = timed(locate_one, file, locator)
            if turn:  # the first round warms caches and maps
                alone.append(bare)
                whole.append(full)
    ratios = [full / bare for full, bare in zip(whole, alone, strict=True)]
    choice = locator.encoder.warm_up()
    return {
        "runtime": f"{choice.runtime} {choice.precision}",
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
    homes = places_of(rows // ROWS_PER_PLACE, rng)
    for start in range(0, rows, BLOCK):
        count = min(BLOCK, rows - start)
        place = rng.integers(0, len(homes), count)
        made = references_of(real, place, rng).astype(np.float16).reshape(count, -1)
        coordinates = np.clip(
            homes[place] + rng.normal(0, 0.0005, (count, 2)), (-90, -180), (90, 180)
        )
        store = store.append(table_of(card, made, coordinates, start))


def places_of(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    lat = np.degrees(np.arcsin(rng.uniform(-1, 1, count)))
    return np.column_stack([lat, rng.uniform(-180, 180, count)])


def references_of(
    real: Vectors, place: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float32]:
    """References (count, r², d) of numbered places: the same number is the same place."""
    photos, regions, dimension = real.shape
    mean = real.mean(axis=0)
    whole = (real - mean).reshape(photos, -1) / np.sqrt(photos)
    single = (real - mean).reshape(-1, dimension) / np.sqrt(photos * regions)
    numbers, owner = np.unique(place, return_inverse=True)
    draws = np.stack([np.random.default_rng(n).standard_normal(photos) for n in numbers])
    centres = mean + (draws.astype(np.float32) @ whole).reshape(-1, regions, dimension)
    noise = rng.standard_normal((len(place) * regions, len(single)), dtype=np.float32) @ single
    vectors = centres[owner] + 0.5 * noise.reshape(-1, regions, dimension)
    vectors /= np.linalg.norm(vectors.mean(axis=1), axis=1)[:, None, None]
    return np.asarray(vectors, np.float32)


if __name__ == "__main__":
    main()
