"""VIGOR's label files: their revisions, their lines, and the rule that they follow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median

from sightline.datasets.layouts.lists import line_problem, lines_of, located_problem, origin_of
from sightline.datasets.records import RecordProblem
from sightline.datasets.rows import Pair, Photo
from sightline.errors import SightlineError
from sightline.geo.coordinates import EARTH_RADIUS_M

NAME = "vigor"
CITIES = ("Chicago", "NewYork", "SanFrancisco", "Seattle")

METRES_PER_PIXEL = {
    "Chicago": 0.111262,
    "NewYork": 0.113248,
    "SanFrancisco": 0.118141,
    "Seattle": 0.100817,
}
"""Of the 640-pixel tiles, as SliceMatch (Lentsch et al., CVPR 2023) measured them."""

NOMINAL = 0.114
"""What the original labels take in all cities."""

GRID_STEP_M = 36.48
"""Tiles lie this far apart, north and east: half of 640 pixels of the nominal 0.114 m."""

_TILES = 4
_LINES_FOR_RESOLUTION = 500
_FEWEST_PIXELS = 100.0


@dataclass(frozen=True, slots=True)
class Revision:
    """One set of label files.

    Args:
        name: ``corrected`` or ``original``.
        folder: Where the cities' folders lie.
        suffix: What the names of label files end in before ``.txt``.
        cities: Those that have a list of tiles, in the order of VIGOR's own, then by name.
    """

    name: str
    folder: Path
    suffix: str
    cities: tuple[str, ...]

    def label_files(self, area: str) -> tuple[str, ...]:
        """Return the names of a protocol's label files."""
        if area == "same-area":
            return tuple(f"same_area_balanced_{s}{self.suffix}.txt" for s in ("train", "test"))
        return (f"pano_label_balanced{self.suffix}.txt",)


def revisions_of(root: Path) -> list[Revision]:
    """Return the label revisions in a dataset's folder, the corrected one first."""
    found = []
    for name, folder, suffix in (
        ("corrected", "splits__corrected", "__corrected"),
        ("original", "splits", ""),
    ):
        splits = root / folder
        if not splits.is_dir():
            continue
        held = {path.parent.name for path in splits.glob("*/satellite_list.txt")}
        ordered = [city for city in CITIES if city in held] + sorted(held - set(CITIES))
        if ordered:
            found.append(Revision(name, splits, suffix, tuple(ordered)))
    return found


@dataclass(frozen=True, slots=True)
class Label:
    """One line of labels.

    Args:
        city: Whose it is.
        panorama: The panorama's file name.
        lat: Its latitude in degrees.
        lon: Its longitude in degrees.
        tiles: Four: the positive and three semi-positives, file name, latitude and longitude.
        pixels: Four: how far each tile's centre lies north and east of it, as the line says.
        origin: File and line.
    """

    city: str
    panorama: str
    lat: float
    lon: float
    tiles: tuple[tuple[str, float, float], ...]
    pixels: tuple[tuple[float, float], ...]
    origin: str

    @property
    def key(self) -> str:
        """The panorama's id."""
        return self.panorama.split(",", 1)[0]

    def photo(self, split: str) -> Photo:
        """Return the panorama's row."""
        return Photo(
            f"{NAME}/{self.city}/{self.key}",
            f"{self.city}/panorama/{self.panorama}",
            self.lat,
            self.lon,
            heading_degrees=0.0,
            fov_degrees=360.0,
            projection="equirectangular",
            source="Google Street View" if self.city in CITIES else None,
            country="US" if self.city in CITIES else None,
            split=split,
            labels={"city": self.city},
            origin=self.origin,
        )

    def pairs(self, split: str) -> list[Pair]:
        """Return the four pairs, with offsets from the coordinates in the names."""
        return [
            Pair(
                f"{NAME}/{self.city}/{self.key}/{rank}",
                f"{NAME}/{self.city}/{self.key}",
                f"{NAME}/{self.city}/{name.rsplit('.', 1)[0]}",
                "semi-positive" if rank else "positive",
                offset_east_m=east,
                offset_north_m=north,
                split=split,
                origin=self.origin,
            )
            for rank, (name, east, north) in enumerate(self.offsets())
        ]

    def offsets(self) -> list[tuple[str, float, float]]:
        """Return each tile, and how far the panorama is east and north of its centre, in metres."""
        metres_per_degree = math.radians(EARTH_RADIUS_M)
        shrink = math.cos(math.radians(self.lat))
        return [
            (
                name,
                (self.lon - lon) * metres_per_degree * shrink,
                (self.lat - lat) * metres_per_degree,
            )
            for name, lat, lon in self.tiles
        ]


def parse_tile(name: str) -> tuple[float, float]:
    """Read latitude and longitude out of ``satellite_<lat>_<lon>.png``; raises ValueError."""
    kind, lat, lon = name.rsplit(".", 1)[0].split("_")
    if kind != "satellite":
        raise ValueError(f"not a tile: {name!r}")
    place = float(lat), float(lon)
    if not (math.isfinite(place[0]) and math.isfinite(place[1])):
        raise ValueError(f"no place: {name!r}")
    return place


def parse_panorama(name: str) -> tuple[float, float]:
    """Read latitude and longitude out of ``<pano>,<lat>,<lon>,.jpg``; raises ValueError."""
    _, lat, lon, _ = name.split(",")
    return float(lat), float(lon)


def parse_label(city: str, text: str, path: Path, line: int) -> Label | RecordProblem:
    """Read one line of labels, or say what is wrong with it."""
    cells = text.split()
    if len(cells) != 1 + 3 * _TILES:
        said = f"must hold a panorama and four tiles with two offsets each. Got {len(cells)} words"
        return line_problem(path, line, said)
    tiles, pixels = [], []
    try:
        lat, lon = parse_panorama(cells[0])
        for at in range(1, 1 + 3 * _TILES, 3):
            tiles.append((cells[at], *parse_tile(cells[at])))
            pixels.append((float(cells[at + 1]), float(cells[at + 2])))
    except ValueError as cause:
        return line_problem(path, line, f"holds a name or number that is none: {cause}")
    label = Label(city, cells[0], lat, lon, tuple(tiles), tuple(pixels), origin_of(path, line))
    if not (-90.0 <= lat <= 90.0 and -180.0 <= lon < 180.0):
        try:
            label.photo("train")
        except SightlineError as error:
            return located_problem(path, line, error)
    return label


def resolution_of(revision: Revision, city: str) -> float | None:
    """Return how many metres a pixel of a city's labels stands for, north to south.

    Returns:
        The median over the first 500 lines; None if there are no labels.
    """
    ratios = []
    for file in (*revision.label_files("same-area"), *revision.label_files("cross-area")):
        path = revision.folder / city / file
        if not path.is_file():
            continue
        for line, text in islice(lines_of(path), _LINES_FOR_RESOLUTION):
            label = parse_label(city, text, path, line)
            if isinstance(label, RecordProblem):
                continue
            for (_, _, metres), (pixels, _) in zip(label.offsets(), label.pixels, strict=True):
                if abs(pixels) >= _FEWEST_PIXELS:
                    ratios.append(abs(metres / pixels))
        break
    return median(ratios) if ratios else None
