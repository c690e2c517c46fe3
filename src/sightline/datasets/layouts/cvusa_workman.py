"""CVUSA as Workman et al. (ICCV 2015) published it: Flickr and Street View photos, Bing tiles.

The layout is that of the package's ``example.py``::

    flickr_images.txt       one path a line: flickr/…/<user>_<photo>_<lat>_<lon>.jpg
    streetview_images.txt   one path a line: streetview/…/<lat>_<lon>_<heading>.jpg
    flickr_aerial/<zoom>/<int(lat)>/<int(lon)>/<lat>_<lon>.jpg       zoom 14, 16 and 18
    streetview_aerial/…     the same

Coordinates are those in the names, as they are spelt there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sightline.datasets.dataset import Dataset
from sightline.datasets.layouts.layout import Layout, Recognition
from sightline.datasets.layouts.lists import (
    line_problem,
    lines_of,
    located_problem,
    once,
    origin_of,
    recognised,
    require,
    unfold,
)
from sightline.datasets.records import RecordProblem
from sightline.datasets.rows import AerialPatch, Pair, Photo
from sightline.errors import SightlineError, UsageError

NAME = "cvusa_workman"
_LISTS = {"flickr": "flickr_images.txt", "streetview": "streetview_images.txt"}
ZOOMS = (18, 16, 14)

# Web Mercator, 256 pixels round the Earth at zoom 0.
_METRES_PER_PIXEL = 2 * math.pi * 6_378_137.0 / 256

NOTES = (
    "It has no split of its own; the 35,532 / 8,884 of Zhai et al. are another selection.",
    "Photos of one spot share their aerial images; a split by photo leaks them. Split by place.",
    "The aerial folders are named after int(latitude) and int(longitude), cut towards zero.",
)


@dataclass(frozen=True, slots=True)
class _Line:
    kind: str
    path: str
    lat: str
    lon: str
    who: str | None
    heading: float | None
    key: str
    origin: str

    def tile(self, zoom: int) -> str:
        lat_bin, lon_bin = int(float(self.lat)), int(float(self.lon))
        return f"{self.kind}_aerial/{zoom}/{lat_bin}/{lon_bin}/{self.lat}_{self.lon}.jpg"

    def tile_id(self, zoom: int) -> str:
        return f"{NAME}/{self.kind}_aerial/{zoom}/{self.lat}_{self.lon}"


def recognise(root: Path) -> Recognition | None:
    """Say how much a folder looks like it."""
    return recognised(
        root,
        NAME,
        "original, zooms 14, 16 and 18",
        [(path, f"list of {kind} photos") for kind, path in _LISTS.items()],
        [
            (folder, f"{kind} images")
            for kind in _LISTS
            for folder in (kind, f"{kind}_aerial/18", f"{kind}_aerial/16", f"{kind}_aerial/14")
        ],
    )


def read(root: Path, variant: str | None = None) -> Dataset:
    """Read the lists that are there; images are not looked for.

    Args:
        root: The dataset's folder.
        variant: ``flickr`` or ``streetview`` for one half of it.

    Raises:
        UsageError: There is no such variant.
        PhotoNotFoundError: The list that was asked for, or either, is missing.
    """
    if variant not in (None, *_LISTS):
        raise UsageError(
            f"variant must be flickr or streetview. Got {variant!r}.", hint="Or leave it out."
        )
    there = [kind for kind, path in _LISTS.items() if (root / path).is_file()]
    wanted = [variant] if variant else there or ["flickr"]
    lists = {
        kind: require(root / _LISTS[kind], f"CVUSA's list of {kind} photos") for kind in wanted
    }

    def spots() -> Iterator[_Line]:
        sound = (line for line in _lines(lists) if not isinstance(line, RecordProblem))
        return once(sound, lambda line: (line.kind, line.lat, line.lon))

    return Dataset(
        NAME,
        "original, " + " and ".join(wanted),
        root,
        photos=lambda: unfold(_lines(lists), lambda line: (_photo(line),), problems=True),
        patches=lambda: unfold(spots(), _patches),
        pairs=lambda: unfold(_lines(lists), _pairs),
        notes=NOTES,
    )


def _photo(line: _Line) -> Photo:
    return Photo(
        f"{NAME}/{line.key}",
        line.path,
        float(line.lat),
        float(line.lon),
        heading_degrees=line.heading,
        photographer=line.who,
        source="Flickr" if line.kind == "flickr" else "Google Street View",
        origin=line.origin,
    )


def _patches(line: _Line) -> Iterator[AerialPatch]:
    lat = float(line.lat)
    for zoom in ZOOMS:
        yield AerialPatch(
            line.tile_id(zoom),
            line.tile(zoom),
            lat,
            float(line.lon),
            metres_per_pixel=_METRES_PER_PIXEL * math.cos(math.radians(lat)) / 2**zoom,
            source="Bing Maps",
            labels={"zoom": zoom},
            origin=line.origin,
        )


def _pairs(line: _Line) -> Iterator[Pair]:
    photo_id = f"{NAME}/{line.key}"
    for zoom in ZOOMS:
        yield Pair(
            f"{photo_id}@{zoom}",
            photo_id,
            line.tile_id(zoom),
            offset_east_m=0.0,
            offset_north_m=0.0,
            origin=line.origin,
        )


def _lines(lists: dict[str, Path]) -> Iterator[_Line | RecordProblem]:
    for kind, path in lists.items():
        for number, text in lines_of(path):
            parsed = _parsed(kind, text, origin_of(path, number))
            if parsed is None:
                form = "<user>_<photo>_<lat>_<lon>" if kind == "flickr" else "<lat>_<lon>_<heading>"
                yield line_problem(path, number, f"must name a photo {form}.jpg. Got {text!r}")
                continue
            try:
                _photo(parsed)
            except SightlineError as error:
                yield located_problem(path, number, error)
                continue
            yield parsed


def _parsed(kind: str, text: str, origin: str) -> _Line | None:
    stem = text.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    parts = stem.rsplit("_", 3) if kind == "flickr" else stem.split("_")
    try:
        if kind == "flickr":
            who, photo, lat, lon = parts
            found = _Line(kind, text, lat, lon, who, None, f"flickr/{who}_{photo}", origin)
        else:
            lat, lon, heading = parts
            found = _Line(kind, text, lat, lon, None, float(heading), f"streetview/{stem}", origin)
        float(found.lat), float(found.lon)
    except ValueError:
        return None
    return found


LAYOUT = Layout(
    NAME,
    "CVUSA (Workman et al. 2015, original)",
    "https://mvrl.cse.wustl.edu/datasets/cvusa/",
    recognise,
    read,
    variants=tuple(_LISTS),
    published={"photos": {"flickr": 551_851, "streetview": 1_036_804}},
)
