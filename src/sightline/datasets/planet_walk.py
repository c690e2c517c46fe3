"""Photos of a small region of the planet, as somebody with a camera and a GPS brings them home.

They are spread evenly over the region, stand on streets, look along them, and are taken by day, in
the summer months, as the aerial imagery ``planet:SEED`` is. A longer walk begins with a shorter
one, and every file is the same however many there are.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from sightline.datasets.layouts.writing import JPEG_QUALITY, begin, is_whole
from sightline.datasets.photo_exif import exif_block, focal_length_35mm
from sightline.datasets.planet_samples import LICENCE, SOURCE
from sightline.durable import make_folder, write_bytes, write_text
from sightline.errors import UsageError
from sightline.geo.distance import great_circle_m
from sightline.planet.draws import Draws
from sightline.planet.looks.moment import Weather
from sightline.planet.planet import Planet
from sightline.planet.shots import Shot, moved, photo_time
from sightline.planet.version import RENDER_VERSION, WORLD_VERSION
from sightline.planet.world.standpoints import Standpoint

if TYPE_CHECKING:
    from sightline.geo.region import Region

TABLE = "photos.csv"
"""The list of the photos, beside them."""

PHOTO_SIZE, PANORAMA_SIZE = (480, 360), (512, 128)
_COLUMNS = (
    "path", "lat", "lon", "heading_degrees", "captured_at", "projection", "source", "licence",
)  # fmt: skip
_FOV_DEGREES = 90.0
_NEAREST_M = 16.0
_STREET_M = 50.0
_ASIDE_M = 1.6
_MOST_IN_VAIN = 200
_FIRST_YEAR, _YEARS = 2022, 3
_SUMMER_DAY = {True: 172.0, False: 355.0}
_DAYS_AROUND = 40.0
_SKIES = (Weather.CLEAR, Weather.CLEAR, Weather.FAIR, Weather.FAIR, Weather.OVERCAST)
_STREAM = 0x57A1C
# The additive sequence with the least discrepancy in two dimensions known: powers of the plastic
# number (Roberts, "The unreasonable effectiveness of quasirandom sequences", 2018).
_STEPS = (0.7548776662466927, 0.5698402909980532)


@dataclass(frozen=True, slots=True)
class WalkReport:
    """What came of a walk.

    Args:
        photos: The files, in order.
        written: How many this run made; the others were there.
    """

    photos: tuple[Path, ...]
    written: int


def walk(
    root: str | os.PathLike[str],
    region: Region,
    photos: int,
    *,
    seed: int = 0,
    panorama: bool = False,
    size: tuple[int, int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> WalkReport:
    """Write photos of a region as JPEG files with EXIF, and ``photos.csv``.

    Args:
        root: The folder; made if it is not there. Photos of the same walk that are there are kept.
        region: Where the photos stand; a town's quarter rather than a country.
        photos: How many.
        seed: Which planet.
        panorama: 360° strips of the middle 90° of height, four times as wide as high, in place of
            photos of 90°. They carry no panorama's XMP: what reads it would stretch a strip to a
            whole sphere, and models of the planet are trained with strips.
        size: (width, height) in pixels; (480, 360), or (512, 128) for panoramas.
        progress: Is told how many photos there are, and of how many.

    Raises:
        UsageError: ``photos`` is not positive, or the region has too few streets for them.
        OutputError: The folder cannot be written, or holds something else.
    """
    if photos < 1:
        raise UsageError(f"photos must be at least 1. Got {photos!r}.", hint="24 is enough to try.")
    planet = Planet(seed, core_cells=2)
    wanted = size or (PANORAMA_SIZE if panorama else PHOTO_SIZE)
    # Found before anything is written: a region without streets leaves no folder behind.
    shots = plan_walk(planet, region, photos, panorama=panorama)
    folder = Path(root)
    make_folder(folder)
    begin(folder, "table", _provenance(region, planet.seed, panorama, wanted))
    files: list[Path] = []
    written = 0
    for number, shot in enumerate(shots):
        path = folder / f"{number:04d}.jpg"
        if not is_whole(path):
            write_bytes(path, _jpeg(planet, shot, wanted))
            written += 1
        files.append(path)
        if progress is not None:
            progress(len(files), photos)
    write_text(folder / TABLE, _table(files, shots))
    return WalkReport(tuple(files), written)


def plan_walk(planet: Planet, region: Region, photos: int, *, panorama: bool = False) -> list[Shot]:
    """Choose where a walk's photos are taken, and how.

    Args:
        planet: The planet.
        region: Where they stand.
        photos: How many.
        panorama: Whether they are panoramas.

    Raises:
        UsageError: The region has too few streets for them.
    """
    found: list[Shot] = []
    in_vain = 0
    for number, point in enumerate(_points(planet.seed, region)):
        draws = Draws(_STREAM, planet.seed, number)
        stand = _stand(planet, region, point, draws)
        if stand is None or _near(stand.latlng, found):
            in_vain += 1
            if in_vain > _MOST_IN_VAIN:
                raise UsageError(
                    f"Too few streets for {photos} photos were found ({region.describe()}): there "
                    f"is room for {len(found)} that stand {_NEAREST_M:g} m from each other.",
                    hint="Ask for fewer photos, or for a larger region, in a town: "
                    "`sightline planet show` names one.",
                )
            continue
        in_vain = 0
        found.append(_shot(stand, draws, panorama=panorama))
        if len(found) == photos:
            break
    return found


def _points(seed: int, region: Region) -> Iterator[tuple[float, float]]:
    """Points of a region's box without end, the first of them as evenly spread as all."""
    box = region.bounds
    height, width = box.north - box.south, (box.east - box.west) % 360.0 or 360.0
    draws = Draws(_STREAM, seed)
    up, right = draws.unit(), draws.unit()
    while True:
        up, right = (up + _STEPS[0]) % 1.0, (right + _STEPS[1]) % 1.0
        lon = box.west + width * right
        yield box.south + height * up, lon - 360.0 if lon >= 180.0 else lon


def _stand(
    planet: Planet, region: Region, point: tuple[float, float], draws: Draws
) -> Standpoint | None:
    """A point on a street near a point, if there is one in the region."""
    key, aside = int(draws.unit() * 2**31), draws.between(-_ASIDE_M, _ASIDE_M)
    if not region.contains(np.array([point]))[0]:
        return None
    street = planet.street_near(point, key, _STREET_M)
    if street is None:
        return None
    turn = np.radians(street.heading_degrees)
    place = moved(street.latlng, aside * float(np.cos(turn)), -aside * float(np.sin(turn)))
    if not region.contains(np.array([place]))[0]:
        return None
    return Standpoint(place, street.heading_degrees)


def _near(place: tuple[float, float], others: list[Shot]) -> bool:
    if not others:
        return False
    taken = np.array([shot.latlng for shot in others])
    return bool((great_circle_m(np.array([place]), taken) < _NEAREST_M).any())


def _shot(stand: Standpoint, draws: Draws, *, panorama: bool) -> Shot:
    back = 180.0 if draws.chance(0.5) else 0.0
    heading = (stand.heading_degrees + back + draws.between(-35.0, 35.0)) % 360.0
    year = _FIRST_YEAR + draws.index(_YEARS)
    day = _SUMMER_DAY[stand.latlng[0] >= 0] + draws.between(-_DAYS_AROUND, _DAYS_AROUND)
    return Shot(
        stand.latlng,
        round(heading, 2) % 360.0,
        360.0 if panorama else _FOV_DEGREES,
        photo_time(stand.latlng, year, day, draws),
        draws.pick(_SKIES),
        int(draws.unit() * 2**31),
        camera_height_m=round(2.2 + 0.3 * draws.normal(), 2) if panorama else 1.7,
        tilt_degrees=0.0 if panorama else round(1.5 * draws.normal(), 2),
        panorama=panorama,
    )


def _jpeg(planet: Planet, shot: Shot, size: tuple[int, int]) -> bytes:
    block = exif_block(
        shot.latlng,
        shot.heading_degrees,
        shot.when,
        make="Sightline",
        model=f"Planet {planet.seed}",
        licence=LICENCE,
        focal_length_35mm=None if shot.panorama else focal_length_35mm(shot.fov_degrees, size),
    )
    stream = io.BytesIO()
    pixels = shot.take(planet, size)
    Image.fromarray(pixels).save(stream, "JPEG", quality=JPEG_QUALITY, exif=block)
    return stream.getvalue()


def _table(files: list[Path], shots: list[Shot]) -> str:
    stream = io.StringIO(newline="")
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(_COLUMNS)
    for path, shot in zip(files, shots, strict=True):
        lat, lon = (f"{degrees:.7f}" for degrees in shot.latlng)
        when = shot.when.isoformat(timespec="seconds")
        kind = "equirectangular" if shot.panorama else "perspective"
        rows.writerow([path.name, lat, lon, shot.heading_degrees, when, kind, SOURCE, LICENCE])
    return stream.getvalue()


def _provenance(region: Region, seed: int, panorama: bool, size: tuple[int, int]) -> dict[str, Any]:
    return {
        "made_of": "a walk on the sightline planet",
        "world_version": WORLD_VERSION,
        "render_version": RENDER_VERSION,
        "seed": seed,
        "region": region.describe(),
        "panorama": panorama,
        "size": list(size),
    }


__all__ = ["TABLE", "WalkReport", "plan_walk", "walk"]
