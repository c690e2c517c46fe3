"""A user's own photos: a folder of them, or a CSV or Parquet table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sightline.datasets.dataset import Dataset
from sightline.datasets.folder import scan_folder
from sightline.datasets.layouts.layout import Layout, Recognition
from sightline.datasets.layouts.lists import located_problem, origin_of
from sightline.datasets.records import PhotoRecord, RecordProblem
from sightline.datasets.rows import Photo, Projection
from sightline.datasets.table import numbered_records, read_table
from sightline.errors import SightlineError
from sightline.imagery.formats import PHOTO_SUFFIXES
from sightline.imagery.metadata import read_metadata

_TABLES = (".csv", ".tsv", ".txt", ".parquet", ".pq")
_SPHERICAL = ("spherical", "equirectangular")
_LOOKED_AT = 10_000


def recognise_folder(root: Path) -> Recognition | None:
    """Say whether a folder holds photos, looking at no more than ten thousand names."""
    if not root.is_dir():
        return None
    for looked_at, path in enumerate(root.rglob("*")):
        if looked_at > _LOOKED_AT:
            break
        if path.suffix.lower() in PHOTO_SUFFIXES and path.is_file():
            return Recognition(
                "folder", "photos without a list", 0.1, (f"photos ({path.name}, …)",)
            )
    return None


def recognise_table(root: Path) -> Recognition | None:
    """Say whether a file is a table of photos."""
    table = _table_of(root)
    if table is None or table.suffix.lower() not in _TABLES:
        return None
    confidence = 0.3
    if root.is_dir():
        try:
            next(read_table(table), None)
            confidence = 0.5
        except SightlineError:
            # Of another kind, or damaged: taken if it is nothing else, to say what is wrong.
            confidence = 0.05
    kind = f"{table.suffix.lower()[1:]} table"
    return Recognition("table", kind, confidence, (f"table ({table.name})",))


def read_folder(root: Path, variant: str | None = None) -> Dataset:  # noqa: ARG001
    """Read a folder: places, headings and times from EXIF.

    Raises:
        PhotoNotFoundError: There is no such folder, or (while iterating) no photo in it.
    """
    scan_folder(root)  # refuses a folder that is not there at once
    name = root.resolve().name

    def photos() -> Iterator[Photo | RecordProblem]:
        for item in scan_folder(root):
            if isinstance(item, RecordProblem):
                yield item
                continue
            try:
                yield _from_exif(name, root, item)
            except SightlineError as error:
                yield RecordProblem(uri=item.uri, line=None, error=error)

    return Dataset(name, "folder", root, photos, notes=("Places are those of EXIF, unverified.",))


def read_table_of_photos(root: Path, variant: str | None = None) -> Dataset:  # noqa: ARG001
    """Read a table with the columns path, lat, lon.

    Raises:
        TableError: It is no table, or lacks a column (while iterating).
    """
    table = _table_of(root) or root
    name = root.resolve().name if root.is_dir() else root.stem

    def photos() -> Iterator[Photo | RecordProblem]:
        for line, item in numbered_records(table):
            if isinstance(item, RecordProblem):
                yield item
                continue
            try:
                yield _from_record(name, table, line, item)
            except SightlineError as error:
                yield located_problem(table, line, error)

    return Dataset(name, f"table {table.name}", table.parent, photos)


def _table_of(root: Path) -> Path | None:
    """Return the table itself, or a folder's photos.csv."""
    table = root / "photos.csv" if root.is_dir() else root
    return table if table.is_file() else None


def _from_exif(name: str, root: Path, record: PhotoRecord) -> Photo:
    told = read_metadata(record.uri)
    uri = Path(record.uri).relative_to(root).as_posix()
    place = told.place
    return Photo(
        f"{name}/{uri}",
        uri,
        None if place is None else place.lat,
        None if place is None else place.lon,
        heading_degrees=told.heading_degrees,
        fov_degrees=360.0 if told.panorama else None,
        projection="equirectangular" if told.panorama else "perspective",
        captured_at=None if told.captured_at is None else str(told.captured_at),
    )


def _from_record(name: str, table: Path, line: int, record: PhotoRecord) -> Photo:
    path = Path(record.uri)
    try:
        uri = path.relative_to(table.parent).as_posix()
    except ValueError:
        uri = path.as_posix()
    spherical = (record.projection or "").lower() in _SPHERICAL
    projection: Projection = "equirectangular" if spherical else "perspective"
    return Photo(
        f"{name}/{uri}",
        uri,
        record.lat,
        record.lon,
        heading_degrees=record.heading_degrees,
        fov_degrees=360.0 if spherical else None,
        projection=projection,
        captured_at=record.captured_at,
        source=record.source,
        licence=record.licence,
        origin=origin_of(table, line),
    )


FOLDER = Layout("folder", "a folder of photos", "docs/datasets.md", recognise_folder, read_folder)
TABLE = Layout(
    "table", "a CSV or Parquet table", "docs/datasets.md", recognise_table, read_table_of_photos
)
