"""From what a recipe calls its data to a manifest."""

from __future__ import annotations

import os
from pathlib import Path

from sightline.datasets import Manifest, write_manifest
from sightline.datasets.layouts import read
from sightline.datasets.planet import PlanetSettings, make
from sightline.errors import TrainingDataError
from sightline.training.cross_view_recipe import PLANET, CrossViewRecipe
from sightline.training.watching import Watcher

MANIFEST = "manifest"


def open_data(
    recipe: CrossViewRecipe, root: Path | None, folder: Path, watcher: Watcher
) -> Manifest:
    """Open the data of a recipe, making what can be made.

    Args:
        recipe: Names the data.
        root: Where it lies: a manifest or a folder in place of the recipe's, or where the planet's
            pairs are kept.
        folder: The run's, for a manifest of a public dataset's folder and, without ``root``, for
            the planet's pairs.
        watcher: Is told how far the making is.

    Raises:
        TrainingDataError: There is nothing at the place.
        SightlineError: What making, reading or recognising raises.
    """
    planet = recipe.data.startswith(PLANET)
    place = root or (folder / "data" if planet else Path(recipe.data))
    if place.suffix == ".parquet" or (place / "pairs.parquet").is_file():
        return Manifest.open(place)
    if planet:
        return _planet(recipe, place, watcher)
    if not place.exists():
        raise TrainingDataError(
            f"There is no data at {str(place)!r}.",
            hint="Give its folder with --data, or data = 'planet:aligned-panorama' for the planet.",
            path=place,
        )
    own = folder / MANIFEST
    if (own / "pairs.parquet").is_file():
        return Manifest.open(own, root=place)
    watcher.note(f"Reading the lists of {place}.")
    return _written(own, place, recipe, watcher)


def _written(target: Path, place: Path, recipe: CrossViewRecipe, watcher: Watcher) -> Manifest:
    """A manifest of a folder, with hashes if leaks are looked for."""
    report = write_manifest(
        target,
        read(place, recipe.layout or None),
        on_error="skip",
        files="trust" if recipe.leak_check == "off" else "read",
    )
    if report.problem_count:
        first = report.problems[0]
        watcher.note(f"{report.problem_count} rows of {place} were left out: {first}.")
    return Manifest.open(target, root=place)


def _planet(recipe: CrossViewRecipe, place: Path, watcher: Watcher) -> Manifest:
    settings = PlanetSettings(
        "pairs",
        recipe.planet_pairs,
        "folders",
        recipe.planet_seed,
        recipe.planet_collection,
        tuple(recipe.data.removeprefix(PLANET).split("+")),
        recipe.stored_ground_size[1],
        recipe.stored_ground_size[0],
        recipe.planet_tile_px,
        recipe.planet_metres_per_pixel,
    )
    report = make(
        settings,
        place,
        workers=_workers(recipe.planet_pairs),
        progress=lambda done, total: watcher.preparing("making pairs of the planet", done, total),
    )
    target = place / MANIFEST
    if report.written or not (target / "pairs.parquet").is_file():
        return _written(target, place, recipe, watcher)
    manifest = Manifest.open(target)
    return (
        manifest
        if manifest.n_pairs == recipe.planet_pairs
        else _written(target, place, recipe, watcher)
    )


def _workers(pairs: int) -> int:
    """One process for a few pairs, which are made sooner than processes are begun."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, pairs // 250))
