"""CVUSA as Zhai et al. (CVPR 2017) cropped it: panoramas, Bing tiles, and two CSV splits.

The layout is that of the subset as every later method reads it (for one, Sample4Geo's
``dataset/cvusa.py``)::

    bingmap/19/0041073.jpg          750 × 750 aerial tiles, zoom 19 (18 and 20 lie beside it)
    streetview/panos/0041073.jpg    1232 × 224 panoramas, north in the middle, cut above and below
    splits/train-19zl.csv           35,532 lines: tile, panorama, annotation
    splits/val-19zl.csv             8,884 lines; every paper tests on them

The subset says no coordinates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sightline.datasets.dataset import Dataset
from sightline.datasets.layouts.layout import Layout, PlannedFile, Recognition
from sightline.datasets.layouts.lists import (
    line_problem,
    lines_of,
    one_of_each,
    origin_of,
    recognised,
    require,
    unfold,
    write_list,
)
from sightline.datasets.layouts.sample import Sample
from sightline.datasets.records import RecordProblem
from sightline.datasets.rows import AerialPatch, Pair, Photo
from sightline.errors import UsageError

NAME = "cvusa_zhai"
_LISTS = {"train": "splits/train-19zl.csv", "val": "splits/val-19zl.csv"}
_SPLIT_OF = {"train": "train", "val": "val", "test": "val"}
_TILES, _PANORAMAS, _ANNOTATIONS = "bingmap/19", "streetview/panos", "streetview/annotations"

NOTES = (
    "No coordinates: splits by place or cell cannot be made from it.",
    "The 8,884 of val are what papers call the test set; there is no third split.",
)


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a split: where it stands, its key and its two paths."""

    key: str
    tile: str
    panorama: str
    split: str
    origin: str


def recognise(root: Path) -> Recognition | None:
    """Say how much a folder looks like it."""
    return recognised(
        root,
        NAME,
        "CVPR subset, zoom 19",
        [(path, f"list of {split}") for split, path in _LISTS.items()],
        [(_TILES, "tiles"), (_PANORAMAS, "panoramas")],
    )


def read(root: Path, variant: str | None = None) -> Dataset:  # noqa: ARG001
    """Read the lists that are there; images are not looked for.

    Raises:
        PhotoNotFoundError: There is neither list.
    """
    lists = {split: root / path for split, path in _LISTS.items() if (root / path).is_file()}
    if not lists:
        require(root / _LISTS["train"], "CVUSA's list of training pairs")

    return Dataset(
        NAME,
        "CVPR subset, zoom 19",
        root,
        photos=lambda: unfold(_lines(lists), _photo, problems=True),
        patches=lambda: unfold(_lines(lists), _patch),
        pairs=lambda: unfold(_lines(lists), _pair),
        notes=NOTES,
    )


def _photo(line: _Line) -> tuple[Photo]:
    row = Photo(
        f"{NAME}/ground/{line.key}",
        line.panorama,
        heading_degrees=0.0,
        fov_degrees=360.0,
        projection="equirectangular",
        country="US",
        split=line.split,
        origin=line.origin,
    )
    return (row,)


def _patch(line: _Line) -> tuple[AerialPatch]:
    row = AerialPatch(f"{NAME}/aerial/{line.key}", line.tile, split=line.split, origin=line.origin)
    return (row,)


def _pair(line: _Line) -> tuple[Pair]:
    row = Pair(
        f"{NAME}/{line.key}",
        f"{NAME}/ground/{line.key}",
        f"{NAME}/aerial/{line.key}",
        split=line.split,
        origin=line.origin,
    )
    return (row,)


def _lines(lists: dict[str, Path]) -> Iterator[_Line | RecordProblem]:
    for split, path in lists.items():
        for number, text in lines_of(path):
            cells = [cell.strip() for cell in text.split(",")]
            if len(cells) not in (2, 3) or not (cells[0] and cells[1]):
                yield line_problem(path, number, f"must be tile,panorama,annotation. Got {text!r}")
                continue
            tile, panorama = PurePosixPath(cells[0]), PurePosixPath(cells[1])
            if tile.stem != panorama.stem:
                said = f"pairs the tile {tile.name!r} with the panorama {panorama.name!r}"
                yield line_problem(path, number, said)
                continue
            yield _Line(tile.stem, cells[0], cells[1], split, origin_of(path, number))


class CvusaWriter:
    """Writes pairs as the subset has them; numbers are the positions of the samples, from 1."""

    def plan(self, number: int, sample: Sample) -> Sequence[PlannedFile]:
        """Say which two files a pair becomes."""
        one_of_each(NAME, len(sample.photos), len(sample.patches))
        photo, patch = sample.photos[0], sample.patches[0]
        _split(photo.row)
        name = f"{number + 1:07d}.jpg"
        return (
            PlannedFile(patch.row.id, f"{_TILES}/{name}", patch.picture),
            PlannedFile(photo.row.id, f"{_PANORAMAS}/{name}", photo.picture),
        )

    def finish(self, root: Path, samples: Iterable[tuple[int, Sample]]) -> None:
        """Write the two splits. Annotations are named, as in the original, and not written."""
        lines: dict[str, list[str]] = {split: [] for split in _LISTS}
        for number, sample in samples:
            name = f"{number + 1:07d}"
            lines[_split(sample.photos[0].row)].append(
                f"{_TILES}/{name}.jpg,{_PANORAMAS}/{name}.jpg,{_ANNOTATIONS}/{name}.png"
            )
        for split, path in _LISTS.items():
            write_list(root / path, lines[split])


def _split(photo: Photo) -> str:
    split = _SPLIT_OF.get(photo.split or "")
    if split is None:
        raise UsageError(
            f"The split of a photo in {NAME} must be train or val. Got {photo.split!r} for "
            f"{photo.id!r}.",
            hint="Split the samples before writing them.",
        )
    return split


LAYOUT = Layout(
    NAME,
    "CVUSA (Zhai et al. 2017, CVPR subset)",
    "https://mvrl.cse.wustl.edu/datasets/cvusa/",
    recognise,
    read,
    writer=CvusaWriter,
    published={"pairs": {"train": 35_532, "val": 8_884}},
)
