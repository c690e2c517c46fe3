"""Pairs of limited field of view in a bare CSV, as *Where in the World* (IQT, 2021) reads them.

``train.csv``, ``val.csv`` and ``test.csv`` name a ground photo and an aerial image a line, without
a header; paths are relative to the list. The photos are perspective views of unknown heading.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sightline.datasets.dataset import Dataset
from sightline.datasets.layouts.layout import Layout, Recognition
from sightline.datasets.layouts.lists import (
    line_problem,
    lines_of,
    once,
    origin_of,
    require,
    unfold,
)
from sightline.datasets.records import RecordProblem
from sightline.datasets.rows import AerialPatch, Pair, Photo
from sightline.errors import UsageError
from sightline.imagery.formats import PHOTO_SUFFIXES

NAME = "witw"
_SPLITS = ("train", "val", "test")
_LOOKED_AT_BYTES = 4096

NOTES = (
    "No coordinates and no headings: this is the hardest setting of cross-view retrieval.",
    "A path that comes twice is one photo or tile in several pairs.",
)


@dataclass(frozen=True, slots=True)
class _Line:
    surface: str
    overhead: str
    split: str
    origin: str


def recognise(root: Path) -> Recognition | None:
    """Say how much a folder looks like it: its lists name two images a line."""
    found = [split for split in _SPLITS if _first_is_pair(root / f"{split}.csv")]
    if not found:
        return None
    missing = tuple(f"list of {split} ({split}.csv)" for split in _SPLITS if split not in found)
    evidence = tuple(f"list of {split}, two images a line ({split}.csv)" for split in found)
    return Recognition(NAME, " and ".join(found), 0.6, evidence, missing)


def read(root: Path, variant: str | None = None) -> Dataset:
    """Read the lists that are there; images are not looked for.

    Args:
        root: The folder of the lists.
        variant: ``train``, ``val`` or ``test`` for one of them.

    Raises:
        PhotoNotFoundError: There is no such list.
        UsageError: There is no such variant.
    """
    if variant not in (None, *_SPLITS):
        raise UsageError(
            f"variant must be train, val or test. Got {variant!r}.", hint="Or leave it out."
        )
    there = [split for split in _SPLITS if (root / f"{split}.csv").is_file()]
    wanted = [variant] if variant else there or ["train"]
    for split in wanted:
        require(root / f"{split}.csv", f"The list of {split} pairs")

    def lines() -> Iterator[_Line | RecordProblem]:
        return _lines(root, wanted)

    def first(column: str) -> Iterator[_Line]:
        sound = (line for line in lines() if not isinstance(line, RecordProblem))
        return once(sound, lambda line: getattr(line, column))

    def photos() -> Iterator[Photo | RecordProblem]:
        yield from (line for line in lines() if isinstance(line, RecordProblem))
        yield from unfold(first("surface"), _photo)

    return Dataset(
        NAME,
        " and ".join(wanted),
        root,
        photos=photos,
        patches=lambda: unfold(first("overhead"), _patch),
        pairs=lambda: unfold(lines(), _pair),
        notes=NOTES,
    )


def _photo(line: _Line) -> tuple[Photo]:
    row = Photo(f"{NAME}/{line.surface}", line.surface, split=line.split, origin=line.origin)
    return (row,)


def _patch(line: _Line) -> tuple[AerialPatch]:
    row = AerialPatch(
        f"{NAME}/{line.overhead}", line.overhead, split=line.split, origin=line.origin
    )
    return (row,)


def _pair(line: _Line) -> tuple[Pair]:
    row = Pair(
        f"{NAME}/{line.surface}+{line.overhead}",
        f"{NAME}/{line.surface}",
        f"{NAME}/{line.overhead}",
        split=line.split,
        origin=line.origin,
    )
    return (row,)


def _lines(root: Path, splits: list[str]) -> Iterator[_Line | RecordProblem]:
    for split in splits:
        path = root / f"{split}.csv"
        for number, text in lines_of(path):
            cells = [cell.strip().strip('"') for cell in text.split(",")]
            if len(cells) != 2 or not all(_is_image(cell) for cell in cells):
                yield line_problem(path, number, f"must be photo,tile: two images. Got {text!r}")
                continue
            yield _Line(cells[0], cells[1], split, origin_of(path, number))


def _first_is_pair(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with path.open("rb") as stream:
            start = stream.read(_LOOKED_AT_BYTES)
    except OSError:
        return False
    # Whether it is UTF-8 throughout is said by who reads it.
    lines = start.decode("utf-8-sig", "replace").splitlines()
    cells = next((line for line in lines if line.strip()), "").split(",")
    return len(cells) == 2 and all(_is_image(cell) for cell in cells)


def _is_image(cell: str) -> bool:
    return Path(cell.strip().strip('"')).suffix.lower() in PHOTO_SUFFIXES


LAYOUT = Layout(
    NAME,
    "Where in the World (IQT 2021), and pairs in a bare CSV",
    "https://github.com/IQTLabs/WITW",
    recognise,
    read,
    variants=_SPLITS,
)
