"""Datasets that are a table of photo ids and coordinates beside a folder of photos.

Im2GPS, Im2GPS3k, YFCC4k, YFCC25k and MP-16 are published in two spellings: ``image_id,lat,lon``
(visloc-estimation) and ``IMG_ID,LAT,LON,…`` (GeoEstimation). The photos are Flickr's own, most
often ``<photo>_<secret>_<server>_<user>.jpg``: there the list's id may be the first part alone, and
the last part says who took it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from sightline.datasets.dataset import Dataset
from sightline.datasets.layouts.layout import Layout, PlannedFile, Recognition
from sightline.datasets.layouts.lists import COMPLETE_HINT, located_problem, origin_of, write_list
from sightline.datasets.layouts.photo_names import FirstParts
from sightline.datasets.layouts.sample import Sample
from sightline.datasets.records import RecordProblem
from sightline.datasets.rows import Photo
from sightline.errors import PhotoNotFoundError, SightlineError, TableError, UsageError
from sightline.imagery.formats import PHOTO_SUFFIXES
from sightline.tabular import known_columns, missing_columns, number_of, read_rows, text_of

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("image_id", "img_id", "id", "filename", "image", "path"),
    "lat": ("lat", "latitude"),
    "lon": ("lon", "lng", "longitude"),
    "author": ("author", "user", "user_nsid", "photographer"),
    "scene": ("s3_label",),
}
_IMAGE_FOLDERS = ("images", "img", "mp16", "photos")
_FLICKR_PARTS = 4


def list_layout(
    name: str, title: str, source: str, published: int, split: str, *, writable: bool = True
) -> Layout:
    """Return the layout of one such dataset.

    Args:
        name: The layout's name; its list is ``<name>.csv`` or ``<name>_places365.csv``.
        title: What people call it.
        source: Where it is published.
        published: How many photos its authors count.
        split: What it is used for: ``test`` or ``train``.
        writable: Whether Sightline writes it.
    """

    def recognise(root: Path) -> Recognition | None:
        return _recognise(root, name)

    def read(root: Path, variant: str | None = None) -> Dataset:  # noqa: ARG001
        return _read(root, name, split)

    def writer() -> ListWriter:
        return ListWriter(name)

    return Layout(
        name,
        title,
        source,
        recognise,
        read,
        writer=writer if writable else None,
        published={"photos": {split: published}},
    )


def list_file(root: Path, name: str) -> Path | None:
    """Return a dataset's list where it is there: the root itself, or a file in it."""
    names = (f"{name}.csv", f"{name}_places365.csv")
    if root.is_file():
        return root if root.name.lower() in names else None
    return next((root / file for file in names if (root / file).is_file()), None)


def _recognise(root: Path, name: str) -> Recognition | None:
    path = list_file(root, name)
    if path is None:
        return None
    spelling = "GeoEstimation" if path.stem.endswith("_places365") else "visloc-estimation"
    folder = _image_folder(path.parent)
    listed = f"list ({path.name})"
    if folder is None:
        missing = f"photos ({' or '.join(_IMAGE_FOLDERS)})"
        return Recognition(name, f"{spelling} list", 0.5, (listed,), (missing,))
    return Recognition(name, f"{spelling} list", 1.0, (listed, f"photos ({folder.name})"))


def _read(root: Path, name: str, split: str) -> Dataset:
    path = list_file(root, name)
    if path is None:
        raise PhotoNotFoundError(
            f"There is no list {name}.csv in {str(root)!r}.", hint=COMPLETE_HINT, path=root
        )
    folder = _image_folder(path.parent) or path.parent / _IMAGE_FOLDERS[0]

    @cache
    def names() -> FirstParts:
        return _names_in(folder)

    def photos() -> Iterator[Photo | RecordProblem]:
        rows = read_rows(path, lambda header: _columns(path, header), header="image_id,lat,lon")
        for line, cells in rows:
            if isinstance(cells, SightlineError):
                yield located_problem(path, line, cells)
                continue
            try:
                yield _photo(name, split, path, folder, names, line, cells)
            except SightlineError as error:
                yield located_problem(path, line, error)

    return Dataset(
        name,
        f"{path.name}",
        path.parent,
        photos,
        notes=(
            "The published lists count fewer photos than the papers where Flickr has lost some.",
            "People photograph a place more than once: to train on these, split by photographer.",
        ),
    )


def _photo(
    name: str,
    split: str,
    path: Path,
    folder: Path,
    names: Callable[[], FirstParts],
    line: int,
    cells: Mapping[str, Any],
) -> Photo:
    key = text_of(cells.get("id"))
    if key is None:
        raise TableError(
            f"Line {line} of {str(path)!r} names no photo.", hint="Fill its id.", path=path
        )
    # An id with a suffix is a path, and believed; a bare one needs one look into the folder.
    whole = Path(key).suffix.lower() in PHOTO_SUFFIXES
    file = key if whole else names().get(key) or f"{key}.jpg"
    parts = Path(file).stem.split("_")
    author = text_of(cells.get("author"))
    if author is None and len(parts) == _FLICKR_PARTS:
        author = parts[-1]
    scene = text_of(cells.get("scene"))
    return Photo(
        f"{name}/{key.rsplit('.', 1)[0] if whole else key}",
        f"{folder.name}/{file}",
        number_of(cells.get("lat"), "lat", line, path),
        number_of(cells.get("lon"), "lon", line, path),
        photographer=author,
        source="Flickr",
        split=split,
        labels={} if scene is None else {"scene": scene},
        origin=origin_of(path, line),
    )


def _columns(path: Path, header: Sequence[str]) -> dict[str, int]:
    found = known_columns(header, _COLUMNS)
    missing = [column for column in ("id", "lat", "lon") if column not in found]
    if missing:
        raise missing_columns(path, header, missing, "The list's columns are image_id, lat, lon.")
    return found


def _image_folder(root: Path) -> Path | None:
    return next((root / name for name in _IMAGE_FOLDERS if (root / name).is_dir()), None)


def _names_in(folder: Path) -> FirstParts:
    """List a folder once."""
    if not folder.is_dir():
        return FirstParts(())
    with os.scandir(folder) as entries:
        return FirstParts(
            entry.name for entry in entries if Path(entry.name).suffix.lower() in PHOTO_SUFFIXES
        )


class ListWriter:
    """Writes photos as ``images/<key>.jpg`` and a list of their places.

    Args:
        name: The dataset whose list it is.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def plan(self, number: int, sample: Sample) -> Sequence[PlannedFile]:  # noqa: ARG002
        """Say which file a photo becomes."""
        photo = self._checked(sample)
        return (PlannedFile(photo.id, f"images/{_file(photo)}", sample.photos[0].picture),)

    def finish(self, root: Path, samples: Iterable[tuple[int, Sample]]) -> None:
        """Write the list."""
        rows = [self._checked(sample) for _, sample in samples]
        lines = [f"{_file(photo)},{photo.lat:.6f},{photo.lon:.6f}" for photo in rows]
        write_list(root / f"{self._name}.csv", ["image_id,lat,lon", *lines])

    def _checked(self, sample: Sample) -> Photo:
        if len(sample.photos) != 1 or sample.photos[0].row.lat is None:
            raise UsageError(
                f"A sample of {self._name} must be one photo with a place. Got "
                f"{[photo.row.id for photo in sample.photos[:3]]}.",
                hint="Leave out photos without coordinates, or choose the layout plain.",
            )
        return sample.photos[0].row


def _file(photo: Photo) -> str:
    """Name a file the way Flickr does where the photographer is known."""
    key = _plain(photo.id.rsplit("/", 1)[-1])
    who = _plain(photo.photographer or "")
    return f"{key}_0_0_{who}.jpg" if who else f"{key}.jpg"


def _plain(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "@-" else "-" for letter in text)


_VISLOC = "https://github.com/mever-team/visloc-estimation"
IM2GPS = list_layout("im2gps", "Im2GPS (Hays and Efros 2008)", _VISLOC, 237, "test")
IM2GPS3K = list_layout("im2gps3k", "Im2GPS3k (Vo et al. 2017)", _VISLOC, 2_997, "test")
YFCC4K = list_layout("yfcc4k", "YFCC4k (Vo et al. 2017)", _VISLOC, 4_536, "test")
YFCC25K = list_layout("yfcc25k", "YFCC25600 (Müller-Budack et al. 2018)", _VISLOC, 23_035, "test")
MP16 = list_layout(
    "mp16",
    "MP-16 (Larson et al. 2017)",
    "https://github.com/TIBHannover/GeoEstimation",
    4_723_695,
    "train",
    writable=False,
)
