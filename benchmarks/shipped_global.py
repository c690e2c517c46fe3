"""How well the shipped classifier of places locates photos of the planet that it has never seen.

    python benchmarks/shipped_global.py

A collection of other photographers than those it was trained on. Every fourth photographer's photos
are asked about, those of the others are the references: the papers' table of methods, beside the
busiest place, intervals drawn by photographer. Once for all photos that show a place, and once for
those taken far from every photo of the training collection and from every reference.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from _record import record
from sightline.benchmark import evaluate_global
from sightline.datasets import Dataset, Manifest, write_manifest
from sightline.datasets.layouts import read
from sightline.datasets.planet import PlanetSettings, make
from sightline.datasets.rows import Photo
from sightline.geo.distance import great_circle_m
from sightline.models.bundle import load_model
from sightline.models.shipped import find_bundle
from sightline.planet import RENDER_VERSION, WORLD_VERSION
from sightline.planet.geography import GlobeGeography
from sightline.planet.photographers import Photographers
from sightline.training import RetrievalRecipe, find_recipe, read_recipe

MODEL = "planet-global"
COLLECTION = 1
ASKED_EVERY = 4
FAR_KM = 100.0
THRESHOLDS_KM = (25.0, 200.0, 750.0, 2500.0)
REFERENCES, ASKED, FAR = "references", "asked", "far"

Places = NDArray[np.float64]


def trained_places(recipe: RetrievalRecipe) -> Places:
    """About where the whole training collection was taken, its own tests included, (n, 2)."""
    geography = GlobeGeography.of_seed(recipe.planet_seed)
    people = Photographers(recipe.planet_seed, geography, recipe.planet_collection)
    return people.coordinates(recipe.planet_photos)


def nearest_km(places: Places, others: Places) -> NDArray[np.float64]:
    """How far the nearest of others is from each place, (n,)."""
    return np.array([great_circle_m(place, others).min() / 1000.0 for place in places])


def split(folder: Path, trained: Places) -> dict[str, Manifest]:
    """Manifests of all photos that show a place: asked by photographer, and of those the far ones.

    Args:
        folder: Of the photos; manifests are written beside them.
        trained: (n, 2) degrees.
    """
    whole = read(folder)
    photos = [row for row in whole.photos() if isinstance(row, Photo) and row.locatable]
    people = sorted({row.photographer or "" for row in photos})
    chosen = set(people[::ASKED_EVERY])
    asked = np.array([row.photographer in chosen for row in photos])
    places = np.array([(row.lat, row.lon) for row in photos])
    away = np.zeros(len(photos))
    known = np.concatenate([trained, places[~asked]])
    away[asked] = nearest_km(places[asked], known)
    parts = {
        ASKED: [ASKED if one else REFERENCES for one in asked],
        FAR: [
            (FAR if km > FAR_KM else None) if one else REFERENCES
            for one, km in zip(asked, away, strict=True)
        ],
    }
    return {name: _manifest(whole, photos, labels, name) for name, labels in parts.items()}


def _manifest(whole: Dataset, photos: list[Photo], labels: list[str | None], name: str) -> Manifest:
    def labelled() -> Iterator[Photo]:
        for row, label in zip(photos, labels, strict=True):
            yield replace(row, split=label)

    target = whole.root / f"manifest-{name}"
    write_manifest(target, Dataset(whole.name, whole.version, whole.root, labelled))
    return Manifest.open(target)


def guesses(manifest: Manifest, part: str) -> dict[str, float]:
    """What a guess without a look reaches at most: for each radius the busiest place among the
    references, which is harder to beat than one place for all of them.
    """
    places = {
        name: np.array([(row.lat, row.lon) for row in manifest.photos(split=name)])
        for name in (REFERENCES, part)
    }
    around = [
        [int((apart_km <= km).sum()) for km in THRESHOLDS_KM]
        for place in places[REFERENCES]
        for apart_km in (great_circle_m(place, places[REFERENCES]) / 1000.0,)
    ]
    busiest = np.array(around).argmax(axis=0)
    found = {}
    for km, row in zip(THRESHOLDS_KM, busiest, strict=True):
        apart_km = great_circle_m(places[REFERENCES][row], places[part]) / 1000.0
        found[f"accuracy@{km:g}km"] = round(float((apart_km <= km).mean()), 4)
    return found


def measured(model: Path, manifest: Manifest, part: str, features: Path) -> dict[str, Any]:
    """The table of methods for one part of a manifest."""
    found = evaluate_global(
        model,
        sets=[f"{manifest.path}:{part}"],
        references=[f"{manifest.path}:{REFERENCES}"],
        thresholds_km=THRESHOLDS_KM,
        features=features,
        device="cpu",
    )
    document: dict[str, Any] = found.to_json()["sets"][0]
    document["guess_of_each_radius"] = guesses(manifest, part)
    print(f"{part:8} {'busiest place of each radius':44} ", end="")
    print(" ".join(f"{share:7.1%}" for share in document["guess_of_each_radius"].values()))
    for row in document["tables"][0]["rows"]:
        shares = " ".join(
            f"{row['metrics'][f'accuracy@{km:g}km']['value']:7.1%}" for km in THRESHOLDS_KM
        )
        print(f"{part:8} {row['name'][:44]:44} {shares}", flush=True)
    return document


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=4000)
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--keep", type=Path, help="a folder for the photos, to go on with")
    options = parser.parse_args()
    recipe = read_recipe(RetrievalRecipe, find_recipe(MODEL))
    model = find_bundle(options.model)
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch) / "photos"
        side = recipe.planet_px
        settings = PlanetSettings(
            "photos", options.photos, "folders", recipe.planet_seed, COLLECTION, (), side, side
        )
        make(settings, folder, workers=2)
        manifests = split(folder, trained_places(recipe))
        sets = {
            name: measured(model, manifest, name, Path(scratch) / name)
            for name, manifest in manifests.items()
        }
    encoder = load_model(model, precision="float32", runtime="torch")
    record(
        "shipped_global",
        {
            "data": "synthetic: Sightline's planet",
            "world_version": WORLD_VERSION,
            "render_version": RENDER_VERSION,
            "model": encoder.name,
            "fingerprint": encoder.fingerprint,
            "photos": options.photos,
            "collection": COLLECTION,
            "far_km": FAR_KM,
            "seconds": round(time.perf_counter() - begun, 1),
            "sets": sets,
        },
    )


if __name__ == "__main__":
    main()
