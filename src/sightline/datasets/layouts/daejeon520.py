"""Daejeon520: queries and references of one city as coordinates, with positives by distance.

``query.csv`` and ``database.csv`` hold a key, latitude and longitude a line, without a header;
``annotations/<metres>.csv`` a query and the references within so many metres of it. The photos are
not published; uris say where they would lie.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sightline.datasets.dataset import Dataset
from sightline.datasets.layouts.layout import Layout, Recognition
from sightline.datasets.layouts.lists import (
    line_problem,
    lines_of,
    located_problem,
    origin_of,
    recognised,
    require,
)
from sightline.datasets.records import RecordProblem
from sightline.datasets.rows import Photo
from sightline.errors import SightlineError

NAME = "daejeon520"
_SPLITS = ("query", "database")
_CELLS = 3


def recognise(root: Path) -> Recognition | None:
    """Say how much a folder looks like it."""
    lists = [(f"{split}.csv", f"list of {split}") for split in _SPLITS]
    if not (root / "annotations").is_dir():
        return None
    return recognised(root, NAME, "v1", lists, [("annotations", "positives by distance")])


def read(root: Path, variant: str | None = None) -> Dataset:  # noqa: ARG001
    """Read both lists.

    Raises:
        PhotoNotFoundError: One is missing.
    """
    for split in _SPLITS:
        require(root / f"{split}.csv", f"Daejeon520's list of {split} photos")

    def photos() -> Iterator[Photo | RecordProblem]:
        for split in _SPLITS:
            path = root / f"{split}.csv"
            for line, text in lines_of(path):
                cells = [cell.strip() for cell in text.split(",")]
                try:
                    key, lat, lon = cells
                    yield Photo(
                        f"{NAME}/{split}/{key}",
                        f"images/{key}.jpg",
                        float(lat),
                        float(lon),
                        split=split,
                        origin=origin_of(path, line),
                    )
                except SightlineError as error:
                    yield located_problem(path, line, error)
                except ValueError:
                    yield line_problem(path, line, f"must be key,latitude,longitude. Got {text!r}")

    notes = (
        "Coordinates without photos: a real geometry of many right answers to a query.",
        "Its positives within 25 m are a circle in degrees: up to 30 m to the north and south.",
    )
    return Dataset(NAME, "v1", root, photos, notes=notes)


def positives(root: Path, radius_m: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Read which references lie within a radius of each query, as the dataset says it.

    Args:
        root: The dataset's folder.
        radius_m: 10, 20, 25, 30, 40 or 50.

    Yields:
        The query's photo id, and the ids of its references; none where there is none.

    Raises:
        TableError: There is no such list.
    """
    for _, text in lines_of(root / "annotations" / f"{radius_m}.csv"):
        query, *references = [cell.strip() for cell in text.split(",")]
        yield (
            f"{NAME}/query/{query}",
            tuple(f"{NAME}/database/{key}" for key in references if key),
        )


LAYOUT = Layout(
    NAME,
    "Daejeon520",
    "https://github.com/canhld94/Daejeon520",
    recognise,
    read,
    published={"photos": {"query": 500, "database": 32_380}},
)
