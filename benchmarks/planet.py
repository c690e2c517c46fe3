"""Is the planet as uneven as real photos, hard where it should be, learnable, fast, and one?

    python benchmarks/planet.py unevenness     against 100,000 places of MP16
    python benchmarks/planet.py difficulty     retrieval without training, 1,000 places of a town
    python benchmarks/planet.py learnability   a small network from scratch, 5 processor minutes
    python benchmarks/planet.py speed          images per second, dense and cold, on one core
    python benchmarks/planet.py windows        the same place in several windows
    python benchmarks/planet.py all

Each writes ``results/planet-NAME.json``. Everything is synthetic; only the list that unevenness is
compared with, and the frozen backbone's weights, are read from ``SIGHTLINE_DATA``.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

import _planet_speed
import _planet_windows
from _planet_places import Pictures, pictures
from _record import record
from sightline.datasets.stats import Occupancy, compare, gini
from sightline.planet import RENDER_VERSION, WORLD_VERSION
from sightline.planet.geography import GlobeGeography
from sightline.planet.photographers import Photographers

DATA = Path(os.environ.get("SIGHTLINE_DATA", Path(__file__).parent / "../../shared/data"))
LEVELS = range(4, 11)
FULLEST = (1, 10, 100, 1000)
VERSIONS = {"world_version": WORLD_VERSION, "render_version": RENDER_VERSION, "seed": 0}


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=[*PARTS, "all"])
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="to make pictures")
    parser.add_argument("--cpu-seconds", type=float, default=300.0, help="of training, each")
    parser.add_argument("--keep", type=Path, help="a folder for the pictures, made once")
    arguments = parser.parse_args()
    for name, part in PARTS.items():
        if arguments.what in (name, "all"):
            begun = time.perf_counter()
            found = part(arguments)
            found |= {"took_s": round(time.perf_counter() - begun)}
            print(record(f"planet-{name}", {**VERSIONS, **found}))


def unevenness(_arguments: argparse.Namespace) -> dict[str, Any]:
    real = np.loadtxt(DATA / "lists" / "mp16_100k.csv", delimiter=",", skiprows=1)
    collection = Photographers(0, GlobeGeography.of_seed(0))
    made = collection.coordinates(len(real))
    rows: dict[str, Any] = {}
    for level in LEVELS:
        ours, theirs = Occupancy.of(made, level), Occupancy.of(real, level)
        rows[str(level)] = {
            "planet": _occupied(ours),
            "mp16": _occupied(theirs),
            "gini_difference": round(gini(ours.counts) - gini(theirs.counts), 4),
            "occupied_ratio": round(ours.occupied / theirs.occupied, 3),
            "curve_gap": round(compare(ours, theirs).curve_gap, 4),
        }
        print(level, rows[str(level)])
    worst = max(abs(row["gini_difference"]) for row in rows.values())
    return {
        "what": "S2 cells that hold 100,000 photos: the planet's first, and MP16's",
        "curve_gap": "largest vertical distance between the two curves of occupancy",
        "levels": rows,
        "largest_gini_difference": worst,
    }


def _occupied(cells: Occupancy) -> dict[str, Any]:
    falling = np.sort(cells.counts)[::-1]
    return {
        "occupied_cells": cells.occupied,
        "gini_of_occupied": round(gini(cells.counts), 4),
        "gini_of_earth": round(gini(cells.counts, cells.possible), 4),
        "cells_with_one_photo": round(float((cells.counts == 1).mean()), 4),
        "share_of_photos_in_fullest_cells": {
            str(k): round(float(falling[:k].sum() / cells.photos), 4) for k in FULLEST
        },
    }


def difficulty(arguments: argparse.Namespace) -> dict[str, Any]:
    import _planet_retrieval as retrieval

    views = ("tiles", "photos", "again")
    made = pictures([], "test", 1000, views, arguments.workers, keep=arguments.keep)
    systems: dict[str, Any] = {}
    for name, describe in retrieval.untrained(DATA / "weights" / "mobilenetv2_100").items():
        tiles, photos, again = (describe(getattr(made, view)) for view in views)
        for what, queries, references in (
            ("ground to aerial", photos, tiles),
            ("ground to ground", again, photos),
        ):
            for how, change in retrieval.CHANGES[name].items():
                row = retrieval.recalls(*change(queries, references))
                systems[f"{what}, {name}{how}"] = row
                print(f"{what}, {name}{how}", row)
    return {
        "what": "1,000 places of one town; chance is 0.1 %",
        "ground_to_ground": "another day, up to 1 m aside, turned by 20 to 40 degrees",
        "systems": systems,
        "targets": {
            "ground to aerial, recall_at_1": "<= 0.01",
            "ground to ground, frozen backbone, recall_at_1": "0.05 to 0.25",
        },
    }


def learnability(arguments: argparse.Namespace) -> dict[str, Any]:
    views, workers, keep = ("tiles", "photos", "panoramas"), arguments.workers, arguments.keep
    sets = {
        "train": pictures([], "train", 3000, views, workers, keep=keep),
        "val": pictures([], "val", 500, views, workers, keep=keep),
        # Networks were tested on the first 500 of either while the planet was made.
        "home": pictures([], "test", 500, views, workers, first=500, keep=keep),
        "abroad": pictures(["unseen-country"], "test", 500, views, workers, 500, keep),
    }
    return {
        "what": "a two-branch network of four convolutions from scratch on 3,000 pairs of a town",
        "tests": "500 places that no training tile overlaps (pairs 500 to 999 of the test split, "
        "never used to choose a network); chance is 0.2 %",
        "selection": "network and augmentation were chosen on the validation areas",
        "targets": {
            "aligned panorama": ">= 0.80",
            "90 degrees, known heading": ">= 0.60",
            "aligned panorama, country never seen": ">= 0.35",
        },
        "systems": learnt(sets, arguments.cpu_seconds),
    }


WHERE = {"val": ", validation areas", "home": "", "abroad": ", country never seen"}


def learnt(sets: dict[str, Pictures], cpu_s: float) -> dict[str, Any]:
    """Train both kinds and test them at home and abroad."""
    from _planet_learning import TwoBranches
    from _planet_retrieval import recalls

    found: dict[str, Any] = {}
    for name, whole in (("aligned panorama", True), ("90 degrees, known heading", False)):
        views = {part: _tensors(made, whole_circle=whole) for part, made in sets.items()}
        net = TwoBranches(*views["train"], whole_circle=whole, cpu_s=cpu_s, report=print)
        for part, where in WHERE.items():
            aerial, ground = net.embed(*views[part])
            found[f"{name}{where}"] = {
                **recalls(ground, aerial),
                "training_cpu_s": round(net.cpu_s, 1),
                "epochs": net.epochs,
            }
            print(f"{name}{where}", found[f"{name}{where}"], flush=True)
    return found


def _tensors(part: Pictures, *, whole_circle: bool) -> tuple[Any, Any]:
    from _planet_augmentation import polar, shrunk

    if whole_circle:
        north = np.zeros(len(part.tiles))
        return polar(part.tiles, (128, 32), 360.0, north), shrunk(part.panoramas, 2)
    return polar(part.tiles, (56, 32), 90.0, part.headings), shrunk(part.photos, 4)


def speed(_arguments: argparse.Namespace) -> dict[str, Any]:
    return _planet_speed.measure()


def windows(_arguments: argparse.Namespace) -> dict[str, Any]:
    return _planet_windows.compared(120)


PARTS = {
    "unevenness": unevenness,
    "difficulty": difficulty,
    "learnability": learnability,
    "speed": speed,
    "windows": windows,
}

if __name__ == "__main__":
    main()
