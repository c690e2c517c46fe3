"""How well the shipped model locates photos of towns it was not trained on.

    python benchmarks/shipped_model.py

For the middles of the largest towns of the country that it was trained in, away from all training
places, and of the largest towns of other countries: what ``make demo`` does for one of them. No
town is left out but those with a training place within a kilometre, or too few streets.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from sightline.atlas import Atlas
from sightline.atlas.aerial import build_aerial_atlas, open_aerial
from sightline.datasets.planet_walk import walk
from sightline.errors import UsageError
from sightline.geo.distance import great_circle_m
from sightline.geo.region import BoundingBox
from sightline.locating import locate_paths, locator_for
from sightline.locating.patches import moved
from sightline.models.bundle import load_model
from sightline.planet.difficulty import difficulty
from sightline.planet.pairs import PAIRS_PER_AREA
from sightline.planet.regions import PairRegion, split_of_area
from sightline.planet.world.countries import Countries
from sightline.planet.world.globe import Globe
from sightline.planet.world.lattice import latlng_of, latlng_of_vectors
from sightline.planet.world.settlements import Settlements, Towns
from sightline.training import CrossViewRecipe, find_recipe, read_recipe

RESULTS = Path(__file__).parent / "results"
MODEL, SEED = "planet-360", 0
NEAREST_TRAINED_M, HALF_SIDE_M = 1000.0, 250.0
PATCH_M, STRIDE_M = 112.0, 28.0
WITHIN_M = (14.0, 25.0, 50.0)


def trained_places() -> np.ndarray:
    """Middles of the areas that training pairs came from, float64 (n, 2)."""
    recipe = read_recipe(CrossViewRecipe, find_recipe(MODEL))
    names = recipe.data.removeprefix("planet:").split("+")
    region = PairRegion(SEED, difficulty(names), recipe.planet_collection, PATCH_M)
    last = -(-recipe.planet_pairs // PAIRS_PER_AREA)
    areas = sum(split_of_area(number)[0] == "train" for number in range(last))
    found = [region.area("train", row) for row in range(areas * 8 // 7 + 16)]
    return np.concatenate(
        [latlng_of(a.face, np.array([a.i + 2.0]), np.array([a.j + 2.0])) for a in found]
    )


def towns(trained: np.ndarray, each: int) -> list[tuple[str, tuple[float, float], float]]:
    """``each`` towns of the country trained in and of others: kind, middle, metres to training."""
    settlements = Settlements(SEED, Globe(SEED))
    all_towns = Towns.join([settlements.metropolises, settlements.towns])
    countries, _ = Countries(SEED).pairs(all_towns.centre)
    middles = latlng_of_vectors(all_towns.centre)
    order = np.argsort(-all_towns.population, kind="stable")
    home = countries[np.argmin(great_circle_m(trained[:1], middles))]
    found: dict[str, list[tuple[str, tuple[float, float], float]]] = {"same": [], "other": []}
    for row in order:
        kind = "same" if countries[row] == home else "other"
        away = float(great_circle_m(middles[row : row + 1], trained).min())
        if len(found[kind]) < each and away > NEAREST_TRAINED_M:
            place = (float(middles[row, 0]), float(middles[row, 1]))
            found[kind].append((kind, place, away))
    return [*found["same"], *found["other"]]


def of_town(place: tuple[float, float], photos: int, folder: Path, encoder) -> dict:
    """Locate the photos of one town's middle."""
    south, west = moved(np.array(place), -HALF_SIDE_M, -HALF_SIDE_M)
    north, east = moved(np.array(place), HALF_SIDE_M, HALF_SIDE_M)
    box = BoundingBox(*(round(edge, 5) for edge in (south, west, north, east)))
    taken = walk(folder / "photos", box, photos, seed=SEED, panorama=True)
    source = open_aerial(f"planet:{SEED}")
    built = build_aerial_atlas(
        folder / "atlas", source, encoder, patch_m=PATCH_M, stride_m=STRIDE_M, within=box
    )
    locator = locator_for(Atlas.open(folder / "atlas"), encoder, as_declared=True)
    results = list(locate_paths([str(path) for path in taken.photos], locator))
    away = np.array([result.exif_to_estimate_m for result in results])
    answered = np.array([not result.estimate.abstained for result in results])
    return {
        "box": [box.south, box.west, box.north, box.east],
        "patches": built.rows,
        "photos": len(results),
        "within_m": {f"{most:g}": int((away <= most).sum()) for most in WITHIN_M},
        "median_m": round(float(np.median(away)), 1),
        "answered": int(answered.sum()),
        "answered_within_50_m": int((away[answered] <= 50.0).sum()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--towns", type=int, default=8, help="of each kind")
    parser.add_argument("--photos", type=int, default=24, help="of each town")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--out", type=Path, default=RESULTS / "shipped_model.json")
    options = parser.parse_args()
    encoder = load_model(options.model, precision="float32", runtime="torch")
    begun, rows = time.perf_counter(), []
    for kind, place, away_m in towns(trained_places(), options.towns):
        with tempfile.TemporaryDirectory() as folder:
            try:
                found = of_town(place, options.photos, Path(folder), encoder)
            except UsageError as error:
                print(f"{kind} {place}: left out, {error.message}")
                continue
        rows.append({"country": kind, "km_to_training": round(away_m / 1000, 1), **found})
        print(json.dumps(rows[-1]), flush=True)
    total = {}
    for kind in ("same", "other"):
        mine = [row for row in rows if row["country"] == kind]
        photos = sum(row["photos"] for row in mine)
        total[kind] = {
            "towns": len(mine),
            "photos": photos,
            "share_within_m": {
                f"{most:g}": round(sum(r["within_m"][f"{most:g}"] for r in mine) / photos, 4)
                for most in WITHIN_M
            },
            "answered": sum(row["answered"] for row in mine),
            "answered_within_50_m": sum(row["answered_within_50_m"] for row in mine),
        }
        print(kind, json.dumps(total[kind]))
    document = {
        "command": "python benchmarks/shipped_model.py",
        "data": "synthetic: Sightline's planet",
        "model": encoder.name,
        "fingerprint": encoder.fingerprint,
        "patch_m": PATCH_M,
        "stride_m": STRIDE_M,
        "seconds": round(time.perf_counter() - begun, 1),
        "total": total,
        "towns": rows,
    }
    options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
