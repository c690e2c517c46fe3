"""Photos of the planet as people take them, split by photographer, and a second collection.

The main set: ``train``, ``val`` and ``test``, by other photographers each. The other set holds
references by photographers of another collection. Photos that show no place are in no split.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from sightline.datasets import Manifest, write_manifest
from sightline.datasets.layouts import read
from sightline.datasets.planet import PlanetSettings, make
from sightline.datasets.resplit import SplitRule, resplit
from sightline.datasets.rows import Photo
from sightline.geo.coordinates import EARTH_RADIUS_M, unit_vectors

PX = 112
"""Side of a photo."""
SHARES = {"train": 0.55, "val": 0.07, "test": 0.38}
"""Of the photos, about: photographers stay whole."""
OTHERS = 1.25
"""Photos of the other collection for each one that is trained on."""


@dataclass(frozen=True)
class PhotoSets:
    """Where the photos lie.

    Args:
        own: Manifest of those that are split.
        others: Manifest of further references.
    """

    own: Path
    others: Path

    @property
    def counts(self) -> dict[str, int]:
        """Photos in each split, and in the other collection."""
        own = Manifest.open(self.own).splits()
        return {
            **{name: own[name] for name in SHARES},
            "others": Manifest.open(self.others).splits()["references"],
        }


def make_photos(folder: Path, train: int, workers: int) -> PhotoSets:
    """Make the photos, once; go on where an earlier run was stopped.

    Args:
        folder: Where they are kept.
        train: About so many to train on.
        workers: Processes.
    """
    sets = PhotoSets(folder / "own" / "manifest", folder / "others" / "manifest")
    if not Manifest.lies_at(sets.own):
        whole = _made(folder / "own", round(train / SHARES["train"]), 0, workers)
        dealt = folder / "own" / "dealt"
        resplit(whole, dealt, SplitRule("photographer", SHARES))
        _written(sets.own, Manifest.open(dealt), {name: name for name in SHARES})
        shutil.rmtree(dealt)
    if not Manifest.lies_at(sets.others):
        whole = _made(folder / "others", round(train * OTHERS), 1, workers)
        _written(sets.others, whole, {None: "references"})
    return sets


def photographers(photos: PhotoSets) -> list[str]:
    """Who took each test photo, in the order in which they are asked about."""
    rows = Manifest.open(photos.own).photos(split="test")
    return [str(row.photographer) for row in rows]


def ceiling(photos: PhotoSets, at_km: Sequence[float]) -> dict[str, float]:
    """The share of test photos that have a training photo within each radius.

    No nearest reference can do better.
    """
    own = Manifest.open(photos.own)
    places = {
        split: np.array([[row.lat, row.lon] for row in own.photos(split=split)])
        for split in ("train", "test")
    }
    chords, _ = cKDTree(unit_vectors(places["train"])).query(unit_vectors(places["test"]))
    nearest_km = 2.0 * np.arcsin(chords / 2.0) * EARTH_RADIUS_M / 1000.0
    return {f"{km:g}km": round(float((nearest_km <= km).mean()), 4) for km in at_km}


def _made(place: Path, count: int, collection: int, workers: int) -> Manifest:
    settings = PlanetSettings("photos", count, collection=collection, width=PX, height=PX)
    make(settings, place, workers=workers, progress=_told)
    whole = place / "whole"
    write_manifest(whole, read(place, "plain"), files="read")
    return Manifest.open(whole)


def _written(out: Path, manifest: Manifest, names: dict[str | None, str]) -> None:
    """Write the rows under other names of their splits, those that show no place in none."""

    def photos() -> Iterator[Photo]:
        for row in manifest.photos():
            shown = row.locatable is not False
            yield replace(row, split=names[row.split] if shown else None)

    write_manifest(out, replace(manifest.dataset(), photos=photos))


def _told(done: int, total: int) -> None:
    if done == total or done // 64 % 25 == 0:
        print(f"{done} of {total} photos", flush=True)
