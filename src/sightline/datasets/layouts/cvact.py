"""CVACT (Liu and Li, CVPR 2019): Canberra, densely; training, validation and a large test set.

The layout is that of OriCNN's input scripts and of Sample4Geo's ``dataset/cvact.py``::

    ACT_data.mat                                            panoIds, utm, trainSet, valSet, …
    ANU_data_small/streetview/<id>_grdView.jpg              panoramas of train and val
    ANU_data_small/satview_polish/<id>_satView_polish.jpg   their tiles
    ANU_data_test/…                                         the same for valSetAll: the test set

``trainSet.trainInd``, ``valSet.valInd`` and ``valSetAll.valInd`` count the rows of ``panoIds`` from
1. ``utm`` is easting and northing in metres, zone 55 south. In the test set every tile within 25 m
of the panorama is right (OriCNN's ``RecallGeo.m``): those are its semi-positive pairs here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.dataset import Dataset
from sightline.datasets.layouts.cvact_writing import CvactWriter
from sightline.datasets.layouts.layout import Layout, Recognition
from sightline.datasets.layouts.lists import COMPLETE_HINT, recognised, require
from sightline.datasets.layouts.utm import from_utm
from sightline.datasets.records import RecordProblem
from sightline.datasets.rows import AerialPatch, Pair, Photo
from sightline.errors import TableError, UsageError
from sightline.matlab import Matrix, list_matrices, read_matrix, read_struct, read_text

NAME = "cvact"
LIST = "ACT_data.mat"
TEST_RADIUS_M = 25.0

# Of Canberra; what Sightline writes for other places says the zone of each row.
_ZONE = -55
_ZONES = 60
_MOST = 2.0**53

_SETS = {
    "train": ("trainSet", "trainInd", "ANU_data_small"),
    "val": ("valSet", "valInd", "ANU_data_small"),
    "test": ("valSetAll", "valInd", "ANU_data_test"),
}

NOTES = (
    "Tiles overlap: in the test set every tile within 25 m of a panorama counts as right.",
    "val and test are of the same town as train; a split by place must be made anew.",
    "ACT_data.mat counts from 1, and names a few panoramas whose images were never published.",
)


@dataclass(frozen=True, slots=True, eq=False)
class _Index:
    """The rows of ``ACT_data.mat``."""

    ids: list[str]
    utm: NDArray[np.float64]
    zones: NDArray[np.int64]
    latlon: NDArray[np.float64]
    rows: dict[str, NDArray[np.int64]]


def recognise(root: Path) -> Recognition | None:
    """Say how much a folder looks like it."""
    return recognised(
        root,
        NAME,
        "train, val and test",
        [(LIST, "list of panoramas and sets"), ("ANU_data_small", "images of train and val")],
        [("ANU_data_test", "images of test")]
        + [(f"ANU_data_small/{folder}", folder) for folder in ("streetview", "satview_polish")],
    )


def read(root: Path, variant: str | None = None) -> Dataset:
    """Read ``ACT_data.mat``; images are not looked for.

    Args:
        root: The dataset's folder.
        variant: ``small`` (train and val), ``test``, or both if None.

    Raises:
        PhotoNotFoundError: There is no ``ACT_data.mat``.
        TableError: It is damaged, or of another kind.
    """
    require(root / LIST, "CVACT's list")
    if variant not in (None, "small", "test"):
        raise UsageError(f"variant must be small or test. Got {variant!r}.", hint="Or leave it.")
    wanted = {"small": ("train", "val"), "test": ("test",), None: ("train", "val", "test")}[variant]

    @cache
    def index() -> _Index:
        return _read_index(root / LIST)

    index()  # so that a damaged list fails here, and not in the middle of a stream

    def photos() -> Iterator[Photo | RecordProblem]:
        for split, row in _each(index(), wanted):
            yield _photo(index(), split, row, root)

    def patches() -> Iterator[AerialPatch | RecordProblem]:
        for split, row in _each(index(), wanted):
            key, folder = index().ids[row], _SETS[split][2]
            lat, lon = index().latlon[row].tolist()
            yield AerialPatch(
                f"{NAME}/{split}/aerial/{key}",
                f"{folder}/satview_polish/{key}_satView_polish.jpg",
                lat,
                lon,
                source="Google Maps",
                split=split,
                origin=_origin(root, row),
            )

    return Dataset(
        NAME,
        ", ".join(wanted),
        root,
        photos,
        patches,
        lambda: _pairs(index, wanted, root),
        NOTES,
    )


def _photo(index: _Index, split: str, row: int, root: Path) -> Photo:
    key, folder = index.ids[row], _SETS[split][2]
    lat, lon = index.latlon[row].tolist()
    return Photo(
        f"{NAME}/{split}/ground/{key}",
        f"{folder}/streetview/{key}_grdView.jpg",
        lat,
        lon,
        heading_degrees=0.0,
        fov_degrees=360.0,
        projection="equirectangular",
        country="AU" if (index.zones == _ZONE).all() else None,
        source="Google Street View",
        split=split,
        origin=_origin(root, row),
    )


def _pairs(
    index: Callable[[], _Index], wanted: tuple[str, ...], root: Path
) -> Iterator[Pair | RecordProblem]:
    held = index()
    for split, row in _each(held, wanted):
        if split != "test":
            yield _pair(held, split, row, row, root)
    if "test" in wanted:
        rows = held.rows["test"]
        for row, near in zip(rows.tolist(), within(held.utm, held.zones, rows), strict=True):
            for other in map(int, near):
                yield _pair(held, "test", row, other, root)


def within(
    utm: NDArray[np.float64], zones: NDArray[np.int64], rows: NDArray[np.int64]
) -> Iterator[NDArray[np.int64]]:
    """Return for each row those that lie within 25 m on the map, itself first.

    Args:
        utm: (n, 2) easting and northing in metres.
        zones: (n,) the zone of each.
        rows: (m,) which rows take part.
    """
    from scipy.spatial import cKDTree

    # Zones are laid side by side, farther apart than any of them is wide.
    chart = utm[rows] + np.column_stack([zones[rows] * 1e8, np.zeros(len(rows))])
    tree = cKDTree(chart)
    found: Any = tree.query_ball_point(chart, TEST_RADIUS_M)
    for at, near in enumerate(found):
        others = sorted(other for other in near if other != at)
        yield rows[[at, *others]]


def _pair(index: _Index, split: str, photo: int, patch: int, root: Path) -> Pair:
    east, north = (index.utm[photo] - index.utm[patch]).tolist()
    keys = index.ids[photo], index.ids[patch]
    return Pair(
        f"{NAME}/{split}/{keys[0]}" + ("" if photo == patch else f"+{keys[1]}"),
        f"{NAME}/{split}/ground/{keys[0]}",
        f"{NAME}/{split}/aerial/{keys[1]}",
        "positive" if photo == patch else "semi-positive",
        offset_east_m=east,
        offset_north_m=north,
        split=split,
        origin=_origin(root, photo),
    )


def _each(index: _Index, wanted: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    for split in wanted:
        for row in index.rows[split].tolist():
            yield split, row


def _origin(root: Path, row: int) -> str:
    return f"row {row + 1} of panoIds in {str(root / LIST)!r}"


def _read_index(path: Path) -> _Index:
    try:
        found = list_matrices(path)
        ids = read_text(path, found["panoIds"])
        utm = _numbers(path, found, "utm")
        rows = {
            split: _whole(read_struct(path, found[name])[field], f"{name}.{field}") - 1
            for split, (name, field, _) in _SETS.items()
        }
        zones: NDArray[Any] = np.full(len(utm), _ZONE)
        if "utmZone" in found:
            zones = _whole(_numbers(path, found, "utmZone"), "utmZone")
    except KeyError as cause:
        raise TableError(
            f"{str(path)!r} has no {cause.args[0]}.", hint=COMPLETE_HINT, path=path
        ) from cause
    except (OSError, ValueError) as cause:
        raise TableError(
            f"{str(path)!r} cannot be read: {cause}.", hint=COMPLETE_HINT, path=path
        ) from cause
    if utm.ndim != 2 or utm.shape[1] != 2:
        raise TableError(
            f"The utm of {str(path)!r} must have two columns. Got the shape {utm.shape}.",
            hint=COMPLETE_HINT,
            path=path,
        )
    _check(path, ids, utm, zones, rows)
    return _Index(ids, utm, zones, from_utm(utm, zones), rows)


def _numbers(path: Path, found: Mapping[str, Matrix], name: str) -> NDArray[np.float64]:
    if found[name].kind != "number":
        raise ValueError(f"{name} must be numbers, and is {found[name].kind}")
    return read_matrix(path, found[name]).astype(np.float64)


def _whole(values: NDArray[Any], name: str) -> NDArray[np.int64]:
    plain = values.reshape(-1).astype(np.float64)
    bad = ~(np.abs(plain) <= _MOST) | (np.round(plain) != plain)
    if bad.any():
        raise ValueError(f"{name} must be whole numbers, and holds {plain[bad][0]:g}")
    return plain.astype(np.int64)


def _check(
    path: Path,
    ids: list[str],
    utm: NDArray[np.float64],
    zones: NDArray[np.int64],
    rows: dict[str, NDArray[np.int64]],
) -> None:
    if not len(ids) == len(utm) == len(zones):
        raise TableError(
            f"{str(path)!r} has {len(ids)} panoIds, {len(utm)} rows of utm and {len(zones)} zones.",
            hint=COMPLETE_HINT,
            path=path,
        )
    lost = ~np.isfinite(utm).all(axis=1)
    if lost.any() or (np.abs(zones) > _ZONES).any() or (zones == 0).any():
        row = int(np.argmax(lost | (np.abs(zones) > _ZONES) | (zones == 0)))
        raise TableError(
            f"Row {row + 1} of {str(path)!r} must have finite utm and a zone from 1 to 60, "
            f"negative in the south. Got {utm[row].tolist()} in {int(zones[row])}.",
            hint=COMPLETE_HINT,
            path=path,
        )
    for split, numbers in rows.items():
        bad = (numbers < 0) | (numbers >= len(ids))
        if bad.any():
            raise TableError(
                f"{_SETS[split][0]} of {str(path)!r} names row {int(numbers[bad][0]) + 1}, and "
                f"there are {len(ids)}.",
                hint=COMPLETE_HINT,
                path=path,
            )


LAYOUT = Layout(
    NAME,
    "CVACT (Liu and Li 2019)",
    "https://github.com/Liumouliu/OriCNN",
    recognise,
    read,
    variants=("small", "test"),
    writer=CvactWriter,
    published={"photos": {"train": 35_532, "val": 8_884, "test": 92_802}},
)
