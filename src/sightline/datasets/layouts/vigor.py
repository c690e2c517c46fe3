"""VIGOR (Zhu et al., CVPR 2021): four cities, panoramas anywhere within seamless aerial tiles.

The layout is that of the authors' ``data/DATASET.md`` and ``dataloader.py``::

    <City>/panorama/<pano>,<lat>,<lon>,.jpg           2048 × 1024, north in the middle
    <City>/satellite/satellite_<lat>_<lon>.png        640 × 640
    splits/<City>/satellite_list.txt                  one tile a line
    splits/<City>/same_area_balanced_{train,test}.txt
    splits/<City>/pano_label_balanced.txt             all of a city, for cross-area

A line of labels is a panorama, its positive tile, and three semi-positive tiles, each tile with two
numbers of pixels: how far the tile's centre lies north and east of the panorama. In
``splits__corrected`` (SliceMatch, CVPR 2023; names end in ``__corrected``) the pixels are those of
each city's own resolution; the original took 0.114 m for all. Coordinates stand in the names.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sightline.datasets.dataset import Dataset
from sightline.datasets.layouts.layout import Inspected, Layout, Recognition
from sightline.datasets.layouts.lists import COMPLETE_HINT, lines_of, origin_of
from sightline.datasets.layouts.vigor_labels import (
    CITIES,
    METRES_PER_PIXEL,
    NAME,
    NOMINAL,
    Label,
    Revision,
    parse_label,
    parse_tile,
    resolution_of,
    revisions_of,
)
from sightline.datasets.layouts.vigor_writing import VigorWriter
from sightline.datasets.records import RecordProblem
from sightline.datasets.rows import AerialPatch, Pair, Photo
from sightline.errors import SightlineError, TableError, UsageError

_RESOLUTION_TOLERANCE = 0.006
_CROSS_TRAIN = ("NewYork", "Seattle")

NOTES = (
    "The original labels take 0.114 m per pixel in every city; offsets here come from names.",
    "Tiles of Seattle show 64.5 m, not 73: a semi-positive tile may lack the camera's own spot.",
    "Tiles serve train and test of the same area; a split by tile is not VIGOR's protocol.",
)


def recognise(root: Path) -> Recognition | None:
    """Say how much a folder looks like it, and which revision of the labels it has."""
    revisions = revisions_of(root)
    if not revisions:
        return None
    revision = revisions[0]
    found: list[str] = []
    missing: list[str] = []
    for city in revision.cities:
        for file in (*revision.label_files("same-area"), *revision.label_files("cross-area")):
            (found if (revision.folder / city / file).is_file() else missing).append(
                f"labels ({revision.folder.name}/{city}/{file})"
            )
        for folder in ("panorama", "satellite"):
            (found if (root / city / folder).is_dir() else missing).append(
                f"{folder} images ({city}/{folder})"
            )
    told = [f"{one.name} labels ({one.folder.name})" for one in revisions]
    confidence = 0.5 + 0.5 * len(found) / (len(found) + len(missing))
    return Recognition(NAME, f"{revision.name} labels", confidence, (*told, *found), tuple(missing))


def read(root: Path, variant: str | None = None) -> Dataset:
    """Read the labels; images are not looked for.

    Args:
        root: The dataset's folder, with ``splits`` or ``splits__corrected`` (which is taken first).
        variant: ``same-area`` (the default) or ``cross-area`` (train on New York and Seattle, test
            on Chicago and San Francisco); either with ``-original`` or ``-corrected`` to say which
            labels.

    Raises:
        TableError: There are no such labels.
        UsageError: There is no such variant.
    """
    area, revision = _chosen(root, variant)

    def photos() -> Iterator[Photo | RecordProblem]:
        for label, split in _labels(revision, area):
            yield label if isinstance(label, RecordProblem) else label.photo(split)

    def patches() -> Iterator[AerialPatch | RecordProblem]:
        return _tiles(revision)

    def pairs() -> Iterator[Pair | RecordProblem]:
        for label, split in _labels(revision, area):
            if not isinstance(label, RecordProblem):
                yield from label.pairs(split)

    version = f"{area}, {revision.name} labels"
    return Dataset(NAME, version, root, photos, patches, pairs, NOTES)


def inspect(root: Path) -> list[Inspected]:
    """Compare the pixels of the labels with the metres between the names, city by city."""
    told: list[Inspected] = []
    for revision in revisions_of(root):
        for city in filter(CITIES.__contains__, revision.cities):
            found = resolution_of(revision, city)
            wanted = METRES_PER_PIXEL[city] if revision.name == "corrected" else NOMINAL
            if found is not None and abs(found / wanted - 1.0) > _RESOLUTION_TOLERANCE:
                what = (
                    f"The labels of {city} in {revision.folder.name!r} take {found:.4f} m a pixel, "
                    f"and {revision.name} labels take {wanted:.4f}: they are of another revision "
                    "than their names say."
                )
                step = "Take splits from VIGOR and splits__corrected from SliceMatch, each whole."
                told.append(("fault", "revision", what, step))
    return told


def _chosen(root: Path, variant: str | None) -> tuple[str, Revision]:
    area, wanted = variant or "same-area", None
    for name in ("original", "corrected"):
        if area.endswith(f"-{name}"):
            area, wanted = area.removesuffix(f"-{name}"), name
    if area not in ("same-area", "cross-area"):
        raise UsageError(
            f"variant must be same-area or cross-area, with -original or -corrected after it or "
            f"not. Got {variant!r}.",
            hint="Leave it out for same-area with the best labels that are there.",
        )
    for revision in revisions_of(root):
        if wanted in (None, revision.name):
            return area, revision
    raise TableError(
        f"There are no {wanted + ' ' if wanted else ''}VIGOR labels in {str(root)!r}.",
        hint="Unpack splits.zip, or take splits__corrected from the SliceMatch repository.",
        path=root,
    )


def _labels(revision: Revision, area: str) -> Iterator[tuple[Label | RecordProblem, str]]:
    for city in revision.cities:
        for file, split in zip(revision.label_files(area), _splits(area, city), strict=True):
            path = revision.folder / city / file
            if not path.is_file():
                error = TableError(
                    f"{city} has no labels for {area}: there is no {str(path)!r}.",
                    hint=COMPLETE_HINT,
                    path=path,
                )
                yield RecordProblem(uri=str(path), line=None, error=error), split
                continue
            for number, text in lines_of(path):
                yield parse_label(city, text, path, number), split


def _splits(area: str, city: str) -> tuple[str, ...]:
    if area == "same-area":
        return ("train", "test")
    return ("train",) if city in _CROSS_TRAIN else ("test",)


def _tiles(revision: Revision) -> Iterator[AerialPatch | RecordProblem]:
    for city in revision.cities:
        path = revision.folder / city / "satellite_list.txt"
        for number, name in lines_of(path):
            try:
                lat, lon = parse_tile(name)
                yield AerialPatch(
                    f"{NAME}/{city}/{name.rsplit('.', 1)[0]}",
                    f"{city}/satellite/{name}",
                    lat,
                    lon,
                    metres_per_pixel=METRES_PER_PIXEL.get(city),
                    labels={"city": city},
                    origin=origin_of(path, number),
                )
            except (ValueError, SightlineError) as cause:
                error = TableError(
                    f"Line {number} of {str(path)!r} must name a tile satellite_<lat>_<lon>.png. "
                    f"Got {name!r}.",
                    hint=COMPLETE_HINT,
                    path=path,
                )
                error.__cause__ = cause
                yield RecordProblem(uri=str(path), line=number, error=error)


LAYOUT = Layout(
    NAME,
    "VIGOR (Zhu et al. 2021)",
    "https://github.com/Jeff-Zilence/VIGOR",
    recognise,
    read,
    variants=("same-area", "cross-area"),
    writer=VigorWriter,
    inspect=inspect,
    published={"patches": dict(zip(CITIES, (22_308, 23_279, 24_255, 20_776), strict=True))},
)
