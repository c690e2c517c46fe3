"""From what a recipe calls its data to a manifest."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from sightline.datasets import Manifest, write_manifest
from sightline.datasets.layouts import read
from sightline.datasets.layouts.writing import PROVENANCE_FILE
from sightline.datasets.planet import SETTINGS_FILE, PlanetReport, PlanetSettings, make
from sightline.datasets.resplit import SplitRule, resplit
from sightline.errors import TrainingDataError
from sightline.planet.difficulty import Difficulty, difficulty
from sightline.training.cross_view.recipe import PLANET, CrossViewRecipe
from sightline.training.loops.watching import Watcher
from sightline.training.photos.recipe import PLANET_PHOTOS, PhotoRecipe
from sightline.training.photos.shards import lies_in_shards, shard_photos

MANIFEST = "manifest"
DATA = "data"
"""In a run's folder."""


AnyRecipe = CrossViewRecipe | PhotoRecipe

_UNSPLIT = "manifest-unsplit"
_SHARES = {"train": 0.7, "val": 0.1, "test": 0.2}


def open_data(recipe: AnyRecipe, root: Path | None, folder: Path, watcher: Watcher) -> Manifest:
    """Open the data of a recipe, making what can be made.

    Args:
        recipe: Names the data.
        root: Where it lies: a manifest or a folder in place of the recipe's, or where the planet's
            data are kept.
        folder: The run's, for a manifest of a public dataset's folder and, without ``root``, for
            the planet's data.
        watcher: Is told how far the making is.

    Raises:
        TrainingDataError: There is nothing at the place, or more rows of it cannot be used than the
            recipe's ``bad_images`` allows.
        SightlineError: What making, reading or recognising raises.
    """
    planet = recipe.data.startswith(PLANET)
    place = root or (folder / DATA if planet else Path(recipe.data))
    if place.suffix == ".parquet" or (place / "pairs.parquet").is_file():
        return Manifest.open(place)
    if isinstance(recipe, PhotoRecipe):
        if recipe.data == PLANET_PHOTOS:
            _refuse_others(recipe, place)
            return _planet_photos(recipe, place, watcher)
    elif planet:
        _refuse_others(recipe, place)
        return _planet_pairs(recipe, place, watcher)
    if not place.exists():
        raise TrainingDataError(
            f"There is no data at {str(place)!r}.",
            hint=f"Give its folder with --data, or data = {type(recipe)().data!r} for the planet.",
            path=place,
        )
    own = folder / MANIFEST
    if (own / "pairs.parquet").is_file():
        return Manifest.open(own, root=place)
    watcher.note(f"Reading the lists of {place}.")
    return _written(own, place, recipe, watcher)


def _written(target: Path, place: Path, recipe: AnyRecipe, watcher: Watcher) -> Manifest:
    """A manifest of a folder or of shards, with hashes if leaks are looked for."""
    hashed = recipe.leak_check != "off"
    if isinstance(recipe, PhotoRecipe) and lies_in_shards(place):
        dataset, files = shard_photos(place, hashed=hashed), False
    else:
        dataset, files = read(place, recipe.layout or None), hashed
    report = write_manifest(target, dataset, on_error="skip", files="read" if files else "trust")
    made = Manifest.open(target, root=place)
    if report.problem_count:
        rows = made.n_photos + made.n_patches + made.n_pairs + report.problem_count
        said = f"{report.problem_count} of {rows} rows of {str(place)!r} cannot be used"
        if report.problem_count > recipe.bad_images * rows:
            shutil.rmtree(target)
            raise TrainingDataError(
                f"{said}, and bad_images = {recipe.bad_images:g} allows "
                f"{int(recipe.bad_images * rows)}. The first: {report.problems[0]}.",
                hint="Give the whole dataset (`sightline dataset doctor` lists what is missing), "
                "or allow more with --set bad_images=0.05.",
                path=place,
            )
        watcher.note(f"{said} and are left out. The first: {report.problems[0]}.")
    return made


def _planet_pairs(recipe: CrossViewRecipe, place: Path, watcher: Watcher) -> Manifest:
    names = tuple(recipe.data.removeprefix(PLANET).split("+"))
    _refuse_other_photos(recipe, difficulty(names))
    settings = PlanetSettings(
        "pairs",
        recipe.planet_pairs,
        "folders",
        recipe.planet_seed,
        recipe.planet_collection,
        names,
        recipe.stored_ground_size[1],
        recipe.stored_ground_size[0],
        recipe.planet_tile_px,
        recipe.planet_metres_per_pixel,
    )
    report = _made(settings, place, watcher)
    target = place / MANIFEST
    if report.written or not (target / "pairs.parquet").is_file():
        return _written(target, place, recipe, watcher)
    manifest = Manifest.open(target)
    return (
        manifest
        if manifest.n_pairs == recipe.planet_pairs
        else _written(target, place, recipe, watcher)
    )


def _planet_photos(recipe: PhotoRecipe, place: Path, watcher: Watcher) -> Manifest:
    """Photos as people take them, split by photographer: seven tenths, one and two."""
    settings = PlanetSettings(
        "photos",
        recipe.planet_photos,
        "folders",
        recipe.planet_seed,
        recipe.planet_collection,
        (),
        recipe.planet_px,
        recipe.planet_px,
    )
    target = place / MANIFEST
    # The manifest is written last. To find out where all the photos were taken takes minutes.
    if (target / "pairs.parquet").is_file() and _is_made(settings, place):
        manifest = Manifest.open(target)
        if manifest.n_photos == recipe.planet_photos:
            return manifest
    _made(settings, place, watcher)
    whole = _written(place / _UNSPLIT, place, recipe, watcher)
    resplit(whole, target, SplitRule("photographer", _SHARES, seed=recipe.planet_seed))
    shutil.rmtree(place / _UNSPLIT)
    return Manifest.open(target)


def _is_made(settings: PlanetSettings, place: Path) -> bool:
    """Whether a folder was last made as these settings say."""
    try:
        known = json.loads((place / SETTINGS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    wanted = {**settings.provenance(), "count": settings.count}
    return bool(known == json.loads(json.dumps(wanted)))


def _refuse_others(recipe: AnyRecipe, place: Path) -> None:
    """Refuse somebody's own data where those of the planet are to be kept."""
    if not place.is_dir() or (place / PROVENANCE_FILE).exists():
        return
    there = next((one.name for one in place.iterdir() if not one.name.startswith(".")), None)
    if there is not None:
        raise TrainingDataError(
            f"The recipe trains on data = {recipe.data!r}, which are made and kept where --data "
            f"says, and {str(place)!r} holds others ({there!r}).",
            hint=f"To train on those write --set data={place} in place of --data, or else give "
            "--data an empty folder.",
            path=place,
        )


def _made(settings: PlanetSettings, place: Path, watcher: Watcher) -> PlanetReport:
    what = f"making {settings.kind} of the planet"
    return make(
        settings,
        place,
        workers=_workers(settings.count),
        progress=lambda done, total: watcher.preparing(what, done, total),
    )


def _refuse_other_photos(recipe: CrossViewRecipe, wanted: Difficulty) -> None:
    """Refuse photos that do not fit the recipe, before they are made."""
    fits = recipe.from_panoramas == wanted.panorama and (
        wanted.panorama or abs(recipe.geometry.fov_degrees - wanted.fov_degrees) <= 1
    )
    if not fits:
        shown = "panorama" if wanted.panorama else f"perspective:{wanted.fov_degrees:g}"
        raise TrainingDataError(
            f"ground = {recipe.ground!r} does not fit data = {recipe.data!r}, whose photos are "
            f"{shown}.",
            hint=f"Write ground = '{shown}'"
            + (", or crop:FOV to cut photos from panoramas." if wanted.panorama else "."),
        )
    if recipe.needs_headings and wanted.heading == "unknown":
        raise TrainingDataError(
            f"heading = {recipe.heading!r} with architecture = {recipe.architecture!r} needs "
            f"headings in training, and the photos of data = {recipe.data!r} have none.",
            hint="Take data of known heading: with heading = 'unknown' they are turned, and in "
            "tests nobody is told.",
        )


def _workers(samples: int) -> int:
    """One process for a few samples, which are made sooner than processes are begun."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, samples // 250))
