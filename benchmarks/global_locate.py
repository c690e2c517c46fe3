"""A whole ``locate`` with a classifier over 32K cells and a million references, and its parts.

EfficientNet-B4 with its Residual Retrieval Module says in which cell a photo was taken, and the
references of that cell where in it. Beside it runs decoding, preparing and the same network's
forward pass alone, photo by photo, in turns. Weights and references are random, see ``RECIPE`` of
``_global_model.py``; cells, atlas, files and photos are real.

    python benchmarks/global_locate.py [--out FOLDER] [--rows 1000000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from _global_model import RECIPE, places, write_model, write_references
from _record import record
from sightline.atlas import Atlas
from sightline.atlas.matches import Matches
from sightline.datasets.places import read_places
from sightline.geo.partition import S2Settings, adaptive_s2_family
from sightline.imagery import open_photo
from sightline.locating import (
    Beliefs,
    CellLocator,
    WithinCellSettings,
    believe,
    density_mode,
    largest_cluster,
    locate_paths,
    search_within_cells,
)
from sightline.locating.cell_estimates import cell_estimates
from sightline.models.bundle import load_model

DATA = Path(os.environ.get("SIGHTLINE_DATA", Path(__file__).parent / "../../shared/data"))
FULLER_CELLS = (3298, 359)
DENSITY_K = 100
Floats = NDArray[np.float64]
WANTED = {"locate_over_decode_and_forward": 1.15, "search_within_cell_ms": 2.0}


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="leave model and atlas there, or find them there")
    given = parser.parse_args()
    work = given.out or Path(tempfile.mkdtemp(prefix="global-locate-"))
    work.mkdir(parents=True, exist_ok=True)
    try:
        results = measured(work, given.rows, given.photos, given.rounds)
    finally:
        if given.out is None:
            shutil.rmtree(work, ignore_errors=True)
    print(results)
    if given.rows >= 1_000_000:
        print(record("global-locate", results))


def measured(work: Path, rows: int, photos: int, rounds: int) -> dict[str, Any]:
    coordinates = places(read_places(DATA / "lists/mp16_100k.csv").coordinates, rows)
    files = sorted((DATA / "photos/osv5m").glob("*.jpg"))[:photos]
    if not (work / "model").exists():
        write_model(work / "model", coordinates, files)
    encoder = load_model(work / "model")
    if not (work / "atlas/derived/CURRENT").exists():
        shutil.rmtree(work / "atlas", ignore_errors=True)
        write_references(work / "atlas", encoder, coordinates)
    atlas = Atlas.open(work / "atlas")
    if atlas.count != rows:
        raise SystemExit(f"{work} holds {atlas.count} rows, and {rows} were asked for")
    locator = CellLocator(atlas, encoder)
    seen = [believe([locator.prepare(open_photo(file))], encoder) for file in files]
    return {
        "recipe": RECIPE,
        "rows": rows,
        "cells": len(encoder.partitions[-1]),
        "dimension": encoder.dimension,
        "photos": len(files),
        "rounds": rounds,
        "threads": torch.get_num_threads(),
        "load_average": os.getloadavg(),
        "computes": encoder.warm_up(),
        "whole": whole(files, locator, rounds),
        "parts_ms": parts(files, seen, locator, rounds),
        "search_by_rows_in_cell": by_rows_in_cell(seen, locator, coordinates, rounds),
        "wanted_at_most": WANTED,
    }


def whole(files: list[Path], locator: CellLocator, rounds: int) -> dict[str, Any]:
    """A whole ``locate`` beside decoding, preparing and the forward pass alone, in turns."""
    sides: tuple[Callable[[Path, CellLocator], object], ...] = (forward_alone, locate_one)
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds + 1):
        for number, file in enumerate(files):
            for side in ((0, 1), (1, 0))[(turn + number) % 2]:
                taken = timed(sides[side], file, locator)
                if turn:  # the first round warms caches and maps
                    seconds[side].append(taken)
    alone, full = seconds
    ratios = [b / a for a, b in zip(alone, full, strict=True)]
    return {
        "decode_and_forward_ms": milliseconds(alone),
        "locate_ms": milliseconds(full),
        "more_ms": milliseconds([b - a for a, b in zip(alone, full, strict=True)]),
        "median_ratio": round(statistics.median(ratios), 3),
        "ratio_of_medians": round(statistics.median(full) / statistics.median(alone), 3),
    }


def forward_alone(file: Path, locator: CellLocator) -> None:
    encoder = locator.encoder
    photo = open_photo(file, at_least=encoder.decode_size)
    encoder.classify_prepared(encoder.prepare(photo.pixels)[None])


def locate_one(file: Path, locator: CellLocator) -> None:
    (found,) = locate_paths([file], locator, workers=1)
    if found.error is not None:
        raise found.error


def parts(
    files: list[Path], seen: list[Beliefs], locator: CellLocator, rounds: int
) -> dict[str, float]:
    """Medians of what a photo goes through; the search comes after a forward pass, as in a run."""
    encoder, rng = locator.encoder, np.random.default_rng(0)
    clock = Clock()
    for turn in range(rounds + 1):
        if turn == 1:
            clock.seconds.clear()
        for file, beliefs in zip(files, seen, strict=True):
            photo = clock("decode", open_photo, file, at_least=encoder.decode_size)
            query = clock("prepare", locator.prepare, photo)
            clock("forward", encoder.classify_prepared, query.views[0][None])
            clock("search_within_cell", search, beliefs, locator)
            # The same again, with all that it reads in the processor's caches.
            clock("search_within_cell_again", search, beliefs, locator)
            matches = clock("of_it_references", references_of_cell, beliefs, locator)
            clock("of_it_cluster", largest_cluster, matches.coordinates, matches.scores)
            clock("classify_instead", cell_estimates, beliefs, "classify", "atlas")
            clock("density_of_100_instead", density_mode, *hundred(beliefs, rng))
    return {name: milliseconds(found) for name, found in clock.seconds.items()}


class Clock:
    """Takes the time of calls by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    def __call__(self, name: str, work: Callable[..., Any], *given: Any, **options: Any) -> Any:
        begun = time.perf_counter()
        found = work(*given, **options)
        self.seconds.setdefault(name, []).append(time.perf_counter() - begun)
        return found


def references_of_cell(beliefs: Beliefs, locator: CellLocator) -> Matches:
    """Search the most probable cell, without choosing it and without a cluster."""
    assert locator.atlas is not None
    row = int(beliefs.log_probabilities[0].argmax())
    cell = int(beliefs.partition.cells.ids[row])
    return locator.atlas.search(
        beliefs.vectors, 10, mode="exact", cell=cell, fingerprint=locator.encoder.fingerprint
    )


def hundred(beliefs: Beliefs, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Matches (1, 100, 2) within some kilometres of where the classifier says, and scores."""
    near = beliefs.points[:, None] + rng.normal(0, 0.05, (1, DENSITY_K, 2))
    near[..., 0] = np.clip(near[..., 0], -90.0, 90.0)
    return near, rng.uniform(0.3, 0.9, (1, DENSITY_K))


def search(beliefs: Beliefs, locator: CellLocator) -> Any:
    """Search within cell as ``locate`` does it."""
    assert locator.atlas is not None
    return search_within_cells(
        beliefs.log_probabilities,
        beliefs.partition,
        locator.atlas,
        beliefs.vectors,
        fingerprint=locator.encoder.fingerprint,
        settings=WithinCellSettings(),
        owner=beliefs.owner,
    )


def by_rows_in_cell(
    seen: list[Beliefs], locator: CellLocator, coordinates: Floats, rounds: int
) -> list[dict[str, Any]]:
    """Search within cells that hold more and more references: the model's own, and fewer."""
    fewer = adaptive_s2_family(coordinates, [S2Settings(cells=cells) for cells in FULLER_CELLS])
    rng = np.random.default_rng(1)
    found = []
    for partition in (seen[0].partition, *fewer):
        assert partition.members is not None
        share = partition.members / partition.members.sum()
        chosen = rng.choice(len(partition), len(seen), p=share)
        seconds = []
        for turn in range(rounds + 1):
            for beliefs, row in zip(seen, chosen.tolist(), strict=True):
                sure = np.full((1, len(partition)), -np.inf, np.float32)
                sure[0, row] = 0.0
                asked = Beliefs(partition, beliefs.vectors, beliefs.owner, sure, beliefs.points)
                taken = timed(search, asked, locator)
                if turn:
                    seconds.append(taken)
        held = partition.members[chosen]
        found.append(
            {
                "cells": len(partition),
                "median_rows_in_cell": int(np.median(held)),
                "most_rows_in_cell": int(held.max()),
                "ms": milliseconds(seconds),
            }
        )
    return found


def timed(work: Callable[..., object], *given: Any) -> float:
    started = time.perf_counter()
    work(*given)
    return time.perf_counter() - started


def milliseconds(seconds: list[float]) -> float:
    """Median."""
    return round(1000 * statistics.median(seconds), 3)


if __name__ == "__main__":
    main()
