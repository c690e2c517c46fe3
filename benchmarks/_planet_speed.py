"""Images per second on one core: a dense town with warm caches, and random places, cold."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from sightline.planet import Planet
from sightline.planet.difficulty import difficulty
from sightline.planet.pairs import CrossViewPairs, PairPlan

ROUNDS = 5
WARM_PLACES = 40
COLD_PLACES = 120
PHOTO, PANORAMA, TILE_PX = (224, 224), (512, 128), 224


def measure() -> dict[str, Any]:
    """Measure all; every figure is a median over rounds or a percentile over places."""
    town = Planet(0, cached=2 * WARM_PLACES)
    panoramas = _plans(town, "aligned-panorama", WARM_PLACES)
    photos = _plans(town, "known-heading", WARM_PLACES)
    warm = {
        "photo_224x224_90_degrees": _warm([lambda p=p: p.shot.take(town, PHOTO) for p in photos]),
        "panorama_512x128": _warm([lambda p=p: p.shot.take(town, PANORAMA) for p in panoramas]),
        "aerial_224x224": _warm([lambda p=p: p.tile.take(town, 0.5, TILE_PX) for p in photos]),
    }
    return {
        "what": "one core, plain numpy; a dense town with warm caches, random places without",
        "dense_town_warm": warm,
        "random_places_cold": _cold(),
        "targets_per_s": {
            "photo_224x224_90_degrees": 120,
            "panorama_512x128": 75,
            "aerial_224x224": 130,
            "cold_photo_and_aerial_pairs": 35,
            "photo_p95_over_median": "<= 2",
        },
    }


def _plans(planet: Planet, name: str, places: int) -> list[PairPlan]:
    pairs = CrossViewPairs(planet, difficulty(name))
    return [plan for area in range(places // 4) for plan in pairs.area(area)]


def _warm(takes: list[Callable[[], object]]) -> dict[str, float]:
    for take in takes:  # neighbourhoods, tables of the camera, noise tiles
        take()
    spent = np.array([[_seconds(take) for take in takes] for _ in range(ROUNDS)])
    each = np.median(spent, axis=0)
    found = {
        "per_s": round(float(len(takes) / np.median(spent.sum(axis=1))), 1),
        "median_ms": round(1e3 * float(np.median(each)), 2),
        "p95_ms": round(1e3 * float(np.percentile(each, 95)), 2),
    }
    found["p95_over_median"] = round(found["p95_ms"] / found["median_ms"], 2)
    print(found)
    return found


def _cold() -> dict[str, float]:
    """World, photo and tile of places all over the planet, none of them seen before."""
    plans = _plans(Planet(0), ("known-heading", "world"), COLD_PLACES)  # type: ignore[arg-type]
    planet = Planet(0, cached=2)
    _pair(planet, plans[0])  # code, tables and noise tiles; its place is not asked for again
    spent = np.array([_seconds(lambda p=p: _pair(planet, p)) for p in plans[4:]])
    found = {
        "pairs_per_s": round(float(len(spent) / spent.sum()), 1),
        "median_ms": round(1e3 * float(np.median(spent)), 2),
        "p95_ms": round(1e3 * float(np.percentile(spent, 95)), 2),
    }
    print(found)
    return found


def _pair(planet: Planet, plan: PairPlan) -> None:
    plan.shot.take(planet, PHOTO)
    plan.tile.take(planet, 0.5, TILE_PX)


def _seconds(take: Callable[[], object]) -> float:
    begun = time.perf_counter()
    take()
    return time.perf_counter() - begun
