"""Sets of photos with places: opened, and held against what the model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sightline.benchmark.seen import Floats, Rows
from sightline.datasets import Manifest
from sightline.errors import EvaluationError, SplitLeakError
from sightline.training.cross_view.pair_data import Images
from sightline.training.photos.photo_data import PhotoData

_COLUMNS = ("id", "uri", "lat", "lon", "sha256", "split", "photographer")
_ALL = "test"


@dataclass(frozen=True, slots=True, eq=False)
class PhotoSet:
    """Photos of one set, n of them.

    Attributes:
        name: ``im2gps3k`` or ``im2gps3k:test``.
        data: The manifest's photos; the set is its only split.
        part: Which split of a run's own data it is; None of other data.
    """

    name: str
    data: PhotoData
    part: str | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def rows(self) -> Rows:
        """Their numbers (n,) in ``data``."""
        (rows,) = self.data.splits.values()
        return rows

    @property
    def places(self) -> Floats:
        """Where the photos were taken, (n, 2) degrees."""
        return np.asarray(self.data.photos.latlon[self.rows])

    @property
    def ids(self) -> list[str]:
        """Their ids."""
        return [self.data.photos.ids[row] for row in self.rows.tolist()]

    @property
    def files(self) -> list[str]:
        """What their files are known by: the hash, or the path where there is none."""
        return _files(self.data.photos, self.rows)

    @property
    def unhashed(self) -> int:
        """How many have no hash."""
        return sum(not self.data.photos.sha256[row] for row in self.rows.tolist())

    @property
    def people(self) -> list[str | None]:
        """Who took them; None where nobody knows."""
        return [self.data.photographers[row] or None for row in self.rows.tolist()]


def own_set(data: PhotoData, part: str, name: str) -> PhotoSet:
    """One split of a run's own data.

    Raises:
        EvaluationError: The run has no such split.
    """
    if part not in data.splits:
        raise EvaluationError(
            f"The run names no {part} split.",
            hint="Name photos of other data with --sets MANIFEST:SPLIT.",
        )
    return PhotoSet(name, replace(data, splits={part: data.splits[part]}), part)


def open_set(text: str) -> PhotoSet:
    """Open a set by what it is called on the command line.

    Args:
        text: ``MANIFEST`` or ``MANIFEST:SPLIT``: a manifest's folder, and a split's name.

    Raises:
        TableError: The manifest is damaged.
        EvaluationError: There is no manifest, no such split, or photos have no coordinates.
    """
    path, split = _parts(text)
    if not Manifest.lies_at(path):
        raise EvaluationError(
            f"{str(path)!r} is no manifest of photos.",
            hint="Make one of a dataset's folder with `sightline dataset manifest FOLDER OUT`, and "
            "name a split of it as MANIFEST:SPLIT.",
            path=path,
        )
    manifest = Manifest.open(path)
    table = manifest.table("photos", columns=_COLUMNS).to_pydict()
    chosen = np.array([split is None or one == split for one in table["split"]], bool)
    rows = np.flatnonzero(chosen)
    if not len(rows):
        known = sorted({str(one) for one in table["split"] if one})
        where = "" if split is None else f" in the split {split!r}"
        raise EvaluationError(
            f"The manifest {str(path)!r} holds no photos{where}. Its splits: "
            f"{', '.join(known) or 'none'}.",
            hint="Name one of its splits as MANIFEST:SPLIT, or none for all photos.",
            path=path,
        )
    images = Images(
        [str(one) for one in table["id"]],
        [manifest.resolve(str(uri)) for uri in table["uri"]],
        np.array([table["lat"], table["lon"]], dtype=np.float64).T.reshape(-1, 2),
        np.full(len(table["id"]), np.nan),
        [None if one is None else str(one) for one in table["sha256"]],
    )
    _require_places(images, rows, path)
    data = PhotoData(
        images,
        table["photographer"],
        np.full(len(images), np.nan),
        {_ALL: rows},
        manifest.fingerprint,
    )
    return PhotoSet(manifest.name if split is None else f"{manifest.name}:{split}", data)


def _files(images: Images, rows: Rows) -> list[str]:
    return [images.sha256[row] or str(images.paths[row].resolve()) for row in rows.tolist()]


def _parts(text: str) -> tuple[Path, str | None]:
    # A folder may have a colon in its name.
    head, colon, split = text.rpartition(":")
    if not colon or Path(text).exists():
        return Path(text), None
    return Path(head), split


def _require_places(images: Images, rows: Rows, path: Path) -> None:
    missing = rows[np.isnan(images.latlon[rows]).any(axis=1)]
    if len(missing):
        raise EvaluationError(
            f"{len(missing):,} of {len(rows):,} photos of {str(path)!r} have no coordinates, such "
            f"as {images.ids[int(missing[0])]!r}.",
            hint="Name a split of photos whose places are known as MANIFEST:SPLIT. A place in a "
            "photo's EXIF is never read here.",
            path=path,
        )


def refuse_known(asked: PhotoSet, own: PhotoData) -> None:
    """Refuse photos that a model was trained or selected on, or whose photographers were.

    Vo et al. (2017), section 4: "we make sure that no image from training and test data come from
    the same photographer".

    Args:
        asked: The set.
        own: What the model was trained on.

    Raises:
        SplitLeakError: Naming how many, and the first.
    """
    rows = np.concatenate([own.splits[part] for part in ("train", "validation")])
    people = {own.photographers[row] for row in rows.tolist()}
    known: tuple[tuple[str, Sequence[str | None], set[str | None]], ...] = (
        ("are files", asked.files, set(_files(own.photos, rows))),
        ("are by photographers", asked.people, people),
    )
    for how, given, theirs in known:
        shared = [row for row, one in enumerate(given) if one and one in theirs]
        if shared:
            first = shared[0]
            raise SplitLeakError(
                f"{len(shared):,} of {len(asked):,} photos of {asked.name!r} {how} that the model "
                f"was trained or selected on, such as {asked.ids[first]!r} ({given[first]}).",
                hint="Ask about photos by others (`sightline dataset split --by photographer`), or "
                "train without those photographers (shared_users = 'remove').",
            )


def named_apart(sets: Sequence[PhotoSet]) -> list[PhotoSet]:
    """Sets of one name under different ones."""
    names = [one.name for one in sets]
    return [
        replace(one, name=f"{one.name} ({number})") if names.count(one.name) > 1 else one
        for number, one in enumerate(sets, 1)
    ]
