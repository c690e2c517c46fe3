"""Pictures of places of the planet, as arrays, made in processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.planet import Planet
from sightline.planet.difficulty import difficulty
from sightline.planet.draws import Draws
from sightline.planet.pairs import PAIRS_PER_AREA, CrossViewPairs, PairPlan
from sightline.planet.regions import Split, split_of_area
from sightline.planet.shots import Shot, moved

Images = NDArray[np.uint8]
PANORAMA = (256, 64)
PHOTO = (224, 224)
TILE_PX = 224
METRES_PER_PIXEL = 0.5


@dataclass
class Pictures:
    """n places: what is seen of each.

    Args:
        latlng: (n, 2).
        headings: (n,) degrees, of ``photos``.
        tiles: (n, 224, 224, 3).
        photos: (n, 224, 224, 3), 90°, along the street ±35°; or empty.
        panoramas: (n, 64, 256, 3), north in the middle; or empty.
        again: (n, 224, 224, 3): the place once more, 20 to 40° turned, 1 m aside, another day.
    """

    latlng: NDArray[np.float64]
    headings: NDArray[np.float64]
    tiles: Images
    photos: Images
    panoramas: Images
    again: Images


def numbers_of(split: Split, first: int, pairs: int) -> list[int]:
    """The areas of a split that hold its pairs ``first`` to ``first + pairs - 1``."""
    areas: list[int] = []
    number = 0
    while len(areas) * PAIRS_PER_AREA < first + pairs:
        if split_of_area(number)[0] == split:
            areas.append(number)
        number += 1
    return areas[first // PAIRS_PER_AREA :]


def pictures(
    names: Sequence[str],
    split: Split,
    pairs: int,
    views: Sequence[str],
    workers: int,
    first: int = 0,
    keep: Path | None = None,
) -> Pictures:
    """Make pairs of a split.

    Args:
        names: Difficulty settings, in which the photos are panoramas (the default) or not.
        split: Which split.
        pairs: How many.
        views: Of ``tiles``, ``photos``, ``panoramas`` and ``again``: what is wanted.
        workers: Processes.
        first: How many of the split's pairs to leave out.
        keep: A folder: what an earlier run left there is not made again.
    """
    kept = keep and keep / f"{'-'.join([*names, split, *views])}-{first}-{pairs}.npz"
    if kept and kept.exists():
        with np.load(kept) as arrays:
            return Pictures(**arrays)
    made = _made(names, numbers_of(split, first, pairs), views, workers)
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, **vars(made))
    return made


def _made(
    names: Sequence[str], areas: Sequence[int], views: Sequence[str], workers: int
) -> Pictures:
    jobs = [(tuple(names), area, tuple(views)) for area in areas]
    if workers == 1:
        parts = [_area(job) for job in jobs]
    else:
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            parts = pool.map(_area, jobs, chunksize=4)
    return Pictures(*(np.concatenate([part[k] for part in parts]) for k in range(6)))


@lru_cache(1)
def planet() -> Planet:
    return Planet(0)


@lru_cache(4)
def planned(names: tuple[str, ...]) -> CrossViewPairs:
    return CrossViewPairs(planet(), difficulty(names))


def _area(job: tuple[tuple[str, ...], int, tuple[str, ...]]) -> list[NDArray[np.generic]]:
    names, area, views = job
    plans = planned(names).area(area)
    photos = planned((*names, "known-heading")).area(area)
    shots = [plan.shot for plan in photos]
    here = planet()
    return [
        np.array([plan.shot.latlng for plan in plans]),
        np.array([shot.heading_degrees for shot in shots]),
        _stack([_tile(plan) for plan in plans] if "tiles" in views else []),
        _stack([shot.take(here, PHOTO) for shot in shots] if "photos" in views else []),
        _stack([p.shot.take(here, PANORAMA) for p in plans] if "panoramas" in views else []),
        _stack([_again(shot).take(here, PHOTO) for shot in shots] if "again" in views else []),
    ]


def _tile(plan: PairPlan) -> Images:
    return plan.tile.take(planet(), METRES_PER_PIXEL, TILE_PX)


def _again(shot: Shot) -> Shot:
    """The same place on another day, half a metre or a metre aside, turned by 20 to 40°."""
    draws = Draws(0xA6A1, shot.key)
    turn = draws.between(20.0, 40.0) * (1 if draws.chance(0.5) else -1)
    return replace(
        shot,
        latlng=moved(shot.latlng, draws.between(-1.0, 1.0), draws.between(-1.0, 1.0)),
        heading_degrees=(shot.heading_degrees + turn) % 360.0,
        when=shot.when + timedelta(days=draws.between(-40, 40), hours=draws.between(-3, 3)),
        key=int(draws.unit() * 2**31),
    )


def _stack(images: list[Images]) -> Images:
    return np.stack(images) if images else np.zeros((0, 1, 1, 3), np.uint8)
