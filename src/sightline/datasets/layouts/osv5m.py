"""OpenStreetView-5M (Astruc et al., CVPR 2024): street-level photos of 225 countries.

The layout is that of the published archives, unpacked::

    train.csv, test.csv             id, latitude, longitude, country, sequence, captured_at, …
    images/train/00 … 97/<id>.jpg   which folder an id lies in, no column says
    images/test/00 … 04/<id>.jpg

So the folders are listed, once for each reading, into ids and folder numbers (ten bytes a photo);
a manifest made of it is that index kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.dataset import Dataset
from sightline.datasets.files import entries_of
from sightline.datasets.layouts.layout import Layout, Recognition
from sightline.datasets.layouts.lists import located_problem, origin_of, recognised, require
from sightline.datasets.records import RecordProblem
from sightline.datasets.rows import Label, Photo
from sightline.errors import PhotoNotFoundError, SightlineError, TableError, UsageError
from sightline.tabular import missing_columns, number_of, read_rows, text_of

NAME = "osv5m"
_SPLITS = ("train", "test")
_REQUIRED = ("id", "latitude", "longitude")
_OPTIONAL = (
    "country",
    "sequence",
    "captured_at",
    "creator_id",
    "creator_username",
    "region",
    "city",
)
_LABELS = ("sequence", "region", "city")
_MOST_DIGITS = 18

NOTES = (
    "Photos of one sequence are steps of one drive: split by sequence or by creator, not by photo.",
    "Ids are those of Mapillary; the photos are CC BY-SA 4.0 and want their creators named.",
)


def recognise(root: Path) -> Recognition | None:
    """Say how much a folder looks like it."""
    told = recognised(
        root,
        NAME,
        "train and test",
        [(f"images/{split}", f"images of {split}") for split in _SPLITS],
        [(f"{split}.csv", f"list of {split}") for split in _SPLITS],
    )
    return told if any((root / f"{split}.csv").is_file() for split in _SPLITS) else None


def read(root: Path, variant: str | None = None) -> Dataset:
    """Read the lists that are there; of the images only their names.

    Args:
        root: The dataset's folder.
        variant: ``train`` or ``test`` for one of them.

    Raises:
        PhotoNotFoundError: There is no such list.
        UsageError: There is no such variant.
    """
    if variant not in (None, *_SPLITS):
        raise UsageError(f"variant must be train or test. Got {variant!r}.", hint="Or leave it.")
    wanted = [variant] if variant else [s for s in _SPLITS if (root / f"{s}.csv").is_file()]
    for split in wanted or _SPLITS[:1]:
        require(root / f"{split}.csv", f"OSV-5M's list of {split}")

    @cache
    def folders(split: str) -> _Folders:
        return _Folders(root / "images" / split)

    def photos() -> Iterator[Photo | RecordProblem]:
        for split in wanted:
            path = root / f"{split}.csv"
            rows = read_rows(path, lambda header: _columns(path, header), header="id,latitude")  # noqa: B023
            for line, cells in rows:
                if isinstance(cells, SightlineError):
                    yield located_problem(path, line, cells)
                    continue
                try:
                    yield _photo(path, split, folders(split), line, cells)
                except SightlineError as error:
                    yield located_problem(path, line, error)

    return Dataset(NAME, " and ".join(wanted), root, photos, notes=NOTES)


class _Folders:
    """Which numbered folder each id lies in, listed once."""

    def __init__(self, root: Path) -> None:
        ids: list[NDArray[np.int64]] = []
        numbers: list[NDArray[np.int16]] = []
        self.names = (
            [entry.name for entry in entries_of(root) if entry.is_dir()] if root.is_dir() else []
        )
        for number, name in enumerate(self.names):
            stems = (entry.name.rpartition(".")[0] for entry in entries_of(root / name))
            held = np.array([int(stem) for stem in stems if _is_number(stem)], dtype=np.int64)
            ids.append(held)
            numbers.append(np.full(len(held), number, dtype=np.int16))
        every = np.concatenate(ids) if ids else np.empty(0, dtype=np.int64)
        order = np.argsort(every, kind="stable")
        self.ids = every[order]
        self.numbers = (np.concatenate(numbers) if ids else np.empty(0, dtype=np.int16))[order]

    def of(self, key: str) -> str | None:
        """Return the folder of an id, None if it lies in none."""
        if not _is_number(key) or not len(self.ids):
            return None
        at = int(np.searchsorted(self.ids, int(key)))
        if at == len(self.ids) or self.ids[at] != int(key):
            return None
        return self.names[int(self.numbers[at])]


def _is_number(key: str) -> bool:
    """Whether it may be an id of Mapillary: a whole number of at most 64 bits."""
    return key.isdecimal() and len(key) <= _MOST_DIGITS


def _photo(path: Path, split: str, folders: _Folders, line: int, cells: Mapping[str, Any]) -> Photo:
    key = text_of(cells["id"])
    if key is None:
        raise TableError(f"Line {line} of {str(path)!r} has no id.", hint="Fill it.", path=path)
    folder = folders.of(key)
    if folder is None and folders.names:
        raise PhotoNotFoundError(
            f"Line {line} of {str(path)!r} names the photo {key}, which lies in no folder of "
            f"images/{split}.",
            hint="Unpack all archives of images, or leave out what is missing.",
            path=path,
        )
    labels: dict[str, Label] = {}
    for name in _LABELS:
        text = text_of(cells.get(name))
        if text is not None:
            labels[name] = text
    return Photo(
        f"{NAME}/{key}",
        f"images/{split}/{folder or '00'}/{key}.jpg",
        number_of(cells["latitude"], "latitude", line, path),
        number_of(cells["longitude"], "longitude", line, path),
        captured_at=text_of(cells.get("captured_at")),
        photographer=text_of(cells.get("creator_id")) or text_of(cells.get("creator_username")),
        country=text_of(cells.get("country"), empty={""}),  # NA is Namibia
        source="Mapillary",
        licence="CC BY-SA 4.0",
        split=split,
        labels=labels,
        origin=origin_of(path, line),
    )


def _columns(path: Path, header: Sequence[str]) -> dict[str, int]:
    plain = [cell.strip().lower() for cell in header]
    missing = [name for name in _REQUIRED if name not in plain]
    if missing:
        raise missing_columns(
            path, header, missing, "OSV-5M's columns are id, latitude, longitude."
        )
    return {name: plain.index(name) for name in (*_REQUIRED, *_OPTIONAL) if name in plain}


LAYOUT = Layout(
    NAME,
    "OpenStreetView-5M (Astruc et al. 2024)",
    "https://github.com/gastruc/osv5m",
    recognise,
    read,
    variants=_SPLITS,
    published={"photos": {"train": 4_894_685, "test": 210_122}},
)
