"""Make the pictures of docs/planet.md: `python tools/planet_gallery.py`, about two minutes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.planet import Planet
from sightline.planet.difficulty import difficulty
from sightline.planet.drone import building_near, drone_shots, street_shots
from sightline.planet.geography import GlobeGeography
from sightline.planet.looks.moment import Season, Weather
from sightline.planet.pairs import CrossViewPairs, PairPlan
from sightline.planet.photographers import Photographers
from sightline.planet.sample import stand
from sightline.planet.unlocatable import Subject, picture

IMAGES = Path(__file__).parent.parent / "docs" / "images"
QUALITY = 78
GAP = 4
Pixels = NDArray[np.uint8]


def main() -> None:
    """Write all sheets and say how large they are."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    planet = Planet(0)
    sheets: dict[str, Callable[[Planet], Pixels]] = {
        "pairs": pairs,
        "panoramas": panoramas,
        "photos": photos,
        "moments": moments,
        "drone": drone,
        "unlocatable": unlocatable,
    }
    total = 0
    for name, make in sheets.items():
        path = IMAGES / f"planet-{name}.jpg"
        Image.fromarray(make(planet)).save(path, quality=QUALITY, optimize=True)
        total += path.stat().st_size
        print(path.name, f"{path.stat().st_size / 1e3:.0f} kB")
    print(f"{total / 1e6:.2f} MB")


def plans(planet: Planet, names: tuple[str, ...], areas: int, each: int = 1) -> list[PairPlan]:
    """The first pairs of some areas."""
    found = CrossViewPairs(planet, difficulty(names))
    return [plan for area in range(areas) for plan in found.area(area)[:each]]


def pairs(planet: Planet) -> Pixels:
    """Places all over the planet: tile and photo side by side."""
    tiles = []
    for plan in plans(planet, ("known-heading", "world"), 16):
        seen = (plan.tile.take(planet, 0.7, 160), plan.shot.take(planet, (160, 160)))
        tiles.append(np.concatenate(seen, axis=1))
    return grid(tiles, 4)


def panoramas(planet: Planet) -> Pixels:
    """Panoramas all over the planet, north in the middle."""
    return grid([p.shot.take(planet, (512, 128)) for p in plans(planet, ("world",), 10)], 2)


def photos(planet: Planet) -> Pixels:
    """The first photos of the collection, as people take them."""
    geography = GlobeGeography(planet.world.globe, planet.world.settlements)
    planned = Photographers(0, geography).photos(0, 40)
    return grid([stand(planet, plan).take(planet, (152, 152)) for plan in planned], 8)


def moments(planet: Planet) -> Pixels:
    """One place in other weather, by night, and in the four seasons from above."""
    found = plans(planet, ("known-heading", "world"), 40)
    plan = next(p for p in found if 42 < abs(p.shot.latlng[0]) < 52)  # where seasons show
    shot, size = plan.shot, (208, 208)
    skies = (Weather.CLEAR, Weather.OVERCAST, Weather.FOG, Weather.RAIN, Weather.SNOWFALL)
    row = [
        planet.photo(shot.latlng, shot.heading_degrees, 90.0, size, shot.when, sky, key=7)
        for sky in skies
    ]
    dark = shot.when + timedelta(hours=10)
    row.append(planet.photo(shot.latlng, shot.heading_degrees, 90.0, size, dark, skies[0], key=7))
    above = [planet.aerial(shot.latlng, 0.6, size, season, key=7) for season in Season]
    older = [planet.aerial(shot.latlng, 0.6, size, "summer", year=y, key=7) for y in (2009, 2025)]
    return grid([*row, *above, *older], 6)


def drone(planet: Planet) -> Pixels:
    """Buildings as University-1652 shows them: from a drone, from the street, from above."""
    tiles = []
    for plan in plans(planet, ("aligned-panorama",), 3):
        target = building_near(planet, plan.shot.latlng)
        if target is None:
            continue
        shots = drone_shots(plan.shot, target)[::2] + street_shots(planet, plan.shot, target, 1)
        tiles += [shot.take(planet, (200, 200)) for shot in shots]
        tiles.append(planet.aerial(target, 0.5, (200, 200), when=plan.tile.when, key=plan.tile.key))
    return grid(tiles, 7)


def unlocatable(_planet: Planet) -> Pixels:
    """Pictures that say nothing about a place: a row of each subject."""
    return grid([picture(s, 0, key, size=(150, 150)) for s in Subject for key in range(8)], 8)


def grid(tiles: list[Pixels], columns: int) -> Pixels:
    """Pictures of one size, row by row on a white sheet."""
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // columns)
    shape = (rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3)
    sheet = np.full(shape, 255, np.uint8)
    for nth, tile in enumerate(tiles):
        top, left = (nth // columns) * (height + GAP), (nth % columns) * (width + GAP)
        sheet[top : top + height, left : left + width] = tile
    return sheet


if __name__ == "__main__":
    main()
