"""Look at every row of an atlas and say what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sightline.atlas.catalogue import content_key, name_key
from sightline.atlas.derived import check as check_derived
from sightline.atlas.maintain import is_ordered
from sightline.atlas.store import Store
from sightline.errors import BundleError
from sightline.geo.cells import cell_ids, from_signed
from sightline.geo.distance import great_circle_m
from sightline.models.sample import statistics_from_bytes

Faults = list[str]


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a check found.

    Attributes:
        rows: Rows looked at.
        faults: What is wrong; empty if the atlas is sound.
        notes: What is right and could be better.
    """

    rows: int
    faults: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def verify(atlas: str | Path) -> VerifyReport:
    """Check card, rows, statistics and derived files; changes nothing.

    Raises:
        AtlasNotFoundError: There is no atlas.
        AtlasVersionError: It was written by a newer Sightline.
        AtlasDamagedError: It cannot even be opened.
    """
    store = Store.open(atlas)
    faults: Faults = []
    notes: list[str] = []
    try:
        for check in (_check_ids, _check_places, _check_names, _check_vectors, _check_outlines):
            faults += check(store)
        if not is_ordered(store):
            notes.append("The rows are not all in S2 order; `sightline atlas compact` orders them.")
    except (OSError, RuntimeError, ValueError, pa.ArrowException) as error:
        faults.append(f"The rows cannot be read: {error}.")
    faults += _check_statistics(store)
    faults += check_derived(store.path)
    return VerifyReport(store.count, tuple(faults), tuple(notes))


def _check_ids(store: Store) -> Faults:
    ids = store.ids()
    faults = _listed("ids stand in more than one row", _repeated(ids))
    if len(ids) and int(ids.min()) < 0:
        faults.append(f"An id is negative: {int(ids.min())}.")
    return faults


def _check_places(store: Store) -> Faults:
    ids, lat, lon = store.ids(), store.column("lat"), store.column("lon")
    # NaN fails every comparison.
    right = (np.abs(lat) <= 90) & (lon >= -180) & (lon < 180)
    faults = _listed("rows (by id) have no valid place", ids[~right])
    leaves = from_signed(store.column("s2"))
    expected = cell_ids(np.stack([lat[right], lon[right]], axis=1))
    wrong = leaves[right] != expected
    return faults + _listed("rows (by id) have an S2 id of another place", ids[right][wrong])


def _check_names(store: Store) -> Faults:
    """Every name belongs to one content, and every view of a content is there once."""
    names: list[tuple[int, int]] = []
    views: list[tuple[int, int]] = []
    odd: list[int] = []
    for batch in store.batches(["id", "uri", "names", "mtime_ns", "sha256", "view"]):
        for row in batch.to_pylist():
            content = content_key(row["sha256"])
            views.append((content, row["view"]))
            if row["view"] == 0:
                names += [(name_key(n), content) for n in row["names"]]
            if row["names"][:1] != [row["uri"]] or len(row["names"]) != len(row["mtime_ns"]):
                odd.append(row["id"])
    contents = np.array(views, np.uint64).reshape(-1, 2)
    _, counts = np.unique(contents, axis=0, return_counts=True)
    faults = _listed("rows (by id) have names that do not fit their uri", np.array(odd, np.int64))
    if (counts > 1).any():
        faults.append(f"{int((counts > 1).sum())} contents are stored more than once.")
    keys = np.array([key for key, _ in names], np.uint64)
    repeated = len(_repeated(keys))
    if repeated:
        faults.append(f"{repeated} names stand for more than one content.")
    return faults


def _check_vectors(store: Store) -> Faults:
    infinite: list[int] = []
    long: list[int] = []
    for ids, cells in store.vectors():
        finite = np.isfinite(cells).all(axis=(1, 2))
        infinite += ids[~finite].tolist()
        some = cells[finite]
        length = np.linalg.norm(some.mean(axis=1), axis=1)
        # Rounding to float16 moves each number by at most 2^-11 of itself.
        slack = 1e-3 + 2.0**-10 * np.linalg.norm(some, axis=2).mean(axis=1)
        long += ids[finite][np.abs(length - 1) > slack].tolist()
    return _listed("rows (by id) hold NaN or infinity", np.array(infinite, np.int64)) + _listed(
        "rows (by id) have a global vector that is not of unit length", np.array(long, np.int64)
    )


def _check_outlines(store: Store) -> Faults:
    """The corners of an aerial patch are half its diagonal from its middle."""
    side_m = store.card.patch_m
    if side_m is None:
        return []
    wrong: list[int] = []
    for batch in store.batches(["id", "lat", "lon", "outline"]):
        flat = batch.column("outline").flatten().to_numpy(zero_copy_only=False)
        middles = np.stack([batch.column(c).to_numpy() for c in ("lat", "lon")], axis=1)
        reach = great_circle_m(middles[:, None], flat.reshape(-1, 4, 2)) / (side_m / np.sqrt(2))
        # The sphere's metres are those of the ellipsoid to within half a percent; NaN is not near.
        near = (np.abs(reach - 1.0) <= 0.01).all(axis=1)
        wrong += batch.column("id").to_numpy()[~near].tolist()
    what = f"rows (by id) have an outline that is no square of {side_m:g} m around their place"
    return _listed(what, np.array(wrong, np.int64))


def _check_statistics(store: Store) -> Faults:
    faults = []
    for name in (store.card.sample, store.card.light):
        if name is None:
            continue
        try:
            found = statistics_from_bytes((store.path / name).read_bytes())
        except (OSError, BundleError) as error:
            faults.append(f"{name} cannot be read: {error}.")
            continue
        if found.dimension != store.card.dimension:
            faults.append(
                f"{name} has {found.dimension} dimensions, the atlas {store.card.dimension}."
            )
    return faults


def _repeated(values: NDArray[np.int64] | NDArray[np.uint64]) -> NDArray[np.int64]:
    distinct, counts = np.unique(values, return_counts=True)
    return distinct[counts > 1].astype(np.int64)


def _listed(what: str, ids: NDArray[np.int64]) -> Faults:
    if not len(ids):
        return []
    more = ", …" if len(ids) > 5 else ""
    return [f"{len(ids)} {what}: {', '.join(map(str, ids[:5].tolist()))}{more}."]
