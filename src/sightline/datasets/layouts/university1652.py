"""University-1652 (Zheng et al., ACM MM 2020): buildings from drones, satellites and the street.

The layout is that of University1652-Baseline, one folder a building::

    train/{drone,satellite,street,google}/0839/…                     701 buildings
    test/{query_drone,query_satellite,query_street}/0001/…           701 others
    test/{gallery_drone,gallery_satellite,gallery_street}/0001/…     the same and 250 distractors

It has no lists: the folders are read, once. It says no coordinates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from sightline.datasets.dataset import Dataset
from sightline.datasets.files import entries_of
from sightline.datasets.layouts.layout import Layout, PlannedFile, Recognition
from sightline.datasets.layouts.lists import COMPLETE_HINT, recognised
from sightline.datasets.layouts.sample import Sample
from sightline.datasets.records import RecordProblem
from sightline.datasets.rows import AerialPatch, Pair, Photo
from sightline.errors import PhotoNotFoundError, UsageError
from sightline.imagery.formats import PHOTO_SUFFIXES

NAME = "university1652"
VIEWS = ("drone", "street", "google")

_PARTS = {
    "train": tuple((f"train/{view}", view) for view in (*VIEWS, "satellite")),
    "test": tuple(
        (f"test/{role}_{view}", view)
        for role in ("query", "gallery")
        for view in ("drone", "street", "satellite")
    ),
}

NOTES = (
    "No coordinates: a building is a place, named by its folder (labels place).",
    "Queries of drone and street lie again in the gallery of their own view (labels role).",
    "The google pictures of train come from a search and are noisy.",
)

Part = tuple[str, str, str]
"""Split, folder and view."""

Index = dict[str, list[tuple[str, list[str]]]]
"""Of each part, its buildings in order, and of each the names of its files."""


def recognise(root: Path) -> Recognition | None:
    """Say how much a folder looks like it."""
    telling = [(path, f"{view} images") for path, view in (*_PARTS["train"], *_PARTS["test"])]
    told = recognised(root, NAME, "v1", [pair for pair in telling if pair[0].endswith("drone")])
    return told and recognised(root, NAME, "v1", telling)


def read(root: Path, variant: str | None = None) -> Dataset:
    """Read the folders that are there.

    Args:
        root: The dataset's folder.
        variant: ``train`` or ``test`` for one of them.

    Raises:
        PhotoNotFoundError: None of its folders is there.
        UsageError: There is no such variant.
    """
    if variant not in (None, "train", "test"):
        raise UsageError(f"variant must be train or test. Got {variant!r}.", hint="Or leave it.")
    wanted = [
        (split, path, view)
        for split, parts in _PARTS.items()
        for path, view in parts
        if variant in (None, split) and (root / path).is_dir()
    ]
    if not wanted:
        raise PhotoNotFoundError(
            f"There is no part of University-1652 in {str(root)!r}: no train/drone, no "
            "test/query_drone.",
            hint=COMPLETE_HINT,
            path=root,
        )

    @cache
    def index() -> Index:
        return {path: _listed(root / path) for _, path, _ in wanted}

    found = "train and test" if len({part[0] for part in wanted}) == 2 else wanted[0][0]
    return Dataset(
        NAME,
        f"v1, {found}",
        root,
        photos=lambda: _photos(index(), wanted),
        patches=lambda: _patches(index(), wanted),
        pairs=lambda: _pairs(index(), wanted),
        notes=NOTES,
    )


def _photos(index: Index, parts: list[Part]) -> Iterator[Photo | RecordProblem]:
    for split, path, view in parts:
        if view != "satellite":
            for place, file in _files(index, path):
                yield _photo(split, path, view, place, file)


def _patches(index: Index, parts: list[Part]) -> Iterator[AerialPatch | RecordProblem]:
    for split, path, view in parts:
        if view == "satellite":
            for place, file in _files(index, path):
                yield AerialPatch(
                    _id(path, place, file),
                    f"{path}/{place}/{file}",
                    split=split,
                    source="Google Earth",
                    labels={"place": place, "role": _role(path)},
                )


def _pairs(index: Index, parts: list[Part]) -> Iterator[Pair | RecordProblem]:
    tiles = {
        (split, place): _id(path, place, file)
        for split, path, view in parts
        if view == "satellite" and "query" not in path
        for place, file in _files(index, path)
    }
    for split, path, view in parts:
        for place, file in _files(index, path) if view != "satellite" else ():
            tile = tiles.get((split, place))
            if tile is not None:
                photo = _id(path, place, file)
                yield Pair(f"{photo}+satellite", photo, tile, split=split)


def _photo(split: str, path: str, view: str, place: str, file: str) -> Photo:
    return Photo(
        _id(path, place, file),
        f"{path}/{place}/{file}",
        split=split,
        source="Google Earth" if view == "drone" else "Google",
        labels={"place": place, "role": _role(path), "view": view},
    )


def _id(path: str, place: str, file: str) -> str:
    return f"{NAME}/{path}/{place}/{file.rsplit('.', 1)[0]}"


def _role(path: str) -> str:
    return path.split("/")[1].split("_")[0] if "_" in path else "train"


def _files(index: Index, path: str) -> Iterator[tuple[str, str]]:
    for place, files in index[path]:
        for file in files:
            yield place, file


def _listed(part: Path) -> list[tuple[str, list[str]]]:
    places = [entry.name for entry in entries_of(part) if entry.is_dir()]
    return [
        (
            place,
            [
                entry.name
                for entry in entries_of(part / place)
                if not entry.name.startswith(".")
                and Path(entry.name).suffix.lower() in PHOTO_SUFFIXES
            ],
        )
        for place in places
    ]


class UniversityWriter:
    """Writes places of several views; folders are numbered by the samples, from 1.

    In test every place is query and gallery, as it is for the 701 buildings of the original; a
    sample whose photos are labelled ``role`` = ``gallery`` is a distractor, in the gallery alone.
    """

    def plan(self, number: int, sample: Sample) -> Sequence[PlannedFile]:
        """Say which files a place becomes."""
        split, distractor = _checked(sample)
        place = f"{number + 1:04d}"
        heads = ["train/"] if split == "train" else ["test/query_", "test/gallery_"]
        if distractor:
            heads.remove("test/query_")
        files = []
        for head in heads:
            tile = sample.patches[0]
            uri = f"{head}satellite/{place}/{place}.jpg"
            files.append(PlannedFile(tile.row.id, uri, tile.picture))
            counts: dict[str, int] = defaultdict(int)
            for photo in sample.photos:
                view = str(photo.row.labels["view"])
                counts[view] += 1
                name = f"{counts[view]}.jpg"
                if view == "drone":
                    name = f"image-{counts[view]:02d}.jpeg"
                uri = f"{head}{view}/{place}/{name}"
                files.append(PlannedFile(photo.row.id, uri, photo.picture))
        return files

    def finish(self, root: Path, samples: Iterable[tuple[int, Sample]]) -> None:
        """Do nothing: the folders are the list."""


def _checked(sample: Sample) -> tuple[str, bool]:
    splits = {photo.row.split for photo in sample.photos}
    views = {photo.row.labels.get("view") for photo in sample.photos}
    split = splits.pop() if len(splits) == 1 else None
    if len(sample.patches) != 1 or not views or split not in _PARTS:
        raise _refused("be photos of one split, train or test, with one patch", sample)
    if not views <= set(VIEWS) or (split == "test" and "google" in views):
        raise _refused(
            f'say in labels["view"] which of {", ".join(VIEWS)} (google in train alone)', sample
        )
    distractor = all(photo.row.labels.get("role") == "gallery" for photo in sample.photos)
    return split, distractor and split == "test"


def _refused(must: str, sample: Sample) -> UsageError:
    names = ", ".join(repr(photo.row.id) for photo in sample.photos[:3]) or "no photo"
    return UsageError(
        f"A sample of {NAME} must {must}. Got {names}.",
        hint="Choose the layout plain for other samples.",
    )


LAYOUT = Layout(
    NAME,
    "University-1652 (Zheng et al. 2020)",
    "https://github.com/layumi/University1652-Baseline",
    recognise,
    read,
    variants=("train", "test"),
    writer=UniversityWriter,
    published={
        "photos": {
            "train/drone": 37_854,
            "test/query_drone": 37_855,
            "test/gallery_drone": 51_355,
            "test/query_street": 2_579,
            "test/gallery_street": 2_921,
        },
        "patches": {
            "train/satellite": 701,
            "test/query_satellite": 701,
            "test/gallery_satellite": 951,
        },
    },
)
