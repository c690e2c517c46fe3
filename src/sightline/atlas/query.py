"""What may be asked: vectors, numbers, regions, cells and exclusions, checked at the door."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.atlas.exact import Rows, positions, size
from sightline.atlas.matches import SearchWay
from sightline.atlas.references import References
from sightline.errors import AtlasEmptyError, CellError, UsageError, VectorError
from sightline.geo import cells
from sightline.geo.region import Region

_ENCODE_AGAIN = "Encode the photo again with the model that the atlas was built with."


def checked_vectors(vectors: ArrayLike, regions: int, dimension: int) -> NDArray[np.float32]:
    """Return queries as float32 (q, regions, dimension).

    Args:
        vectors: (q, regions, dimension).
        regions: r², vectors per photo.
        dimension: Of one vector.

    Raises:
        VectorError: Another shape, NaN, infinity, or a global vector of length zero.
    """
    try:
        given = np.asarray(vectors, np.float32)
    except (TypeError, ValueError) as error:
        raise VectorError(
            f"Query vectors must be an array of numbers: {error}.", hint=_ENCODE_AGAIN
        ) from error
    if given.ndim != 3 or given.shape[1:] != (regions, dimension):
        raise VectorError(
            f"Query vectors must have the shape (q, {regions}, {dimension}). Got {given.shape}.",
            hint=_ENCODE_AGAIN,
        )
    finite = np.isfinite(given).all(axis=(1, 2))
    if not finite.all():
        raise VectorError(
            f"Query vectors must be finite. Row {int(np.argmin(finite))} has NaN or infinity.",
            hint=_ENCODE_AGAIN,
        )
    somewhere = np.any(given.mean(axis=1) != 0, axis=1)
    if not somewhere.all():
        raise VectorError(
            f"Query vectors must not be zero. Row {int(np.argmin(somewhere))} is.",
            hint=_ENCODE_AGAIN,
        )
    return given


def checked_count(k: object, rerank: object, pool_m: float, mode: str) -> None:
    """Refuse numbers that cannot be used; raises UsageError."""
    for name, value, least in (("k", k, 1), ("rerank", rerank, 0)):
        if _whole(value) < least:
            raise UsageError(
                f"{name} must be a whole number of at least {least}. Got {value!r}.",
                hint=f"Give {name} as {least} or more.",
            )
    if not (np.isfinite(pool_m) and pool_m >= 0):
        raise UsageError(
            f"pool_m must be a finite number of metres, at least 0. Got {pool_m!r}.",
            hint="Use 15, or 0 for no pooling.",
        )
    if mode not in get_args(SearchWay):
        raise UsageError(
            f"mode must be one of {', '.join(get_args(SearchWay))}. Got {mode!r}.",
            hint="Leave it out to use 'auto'.",
        )


def rows_of_region(references: References, region: Region) -> tuple[Rows, ...]:
    """Return per segment the positions inside a region; raises AtlasEmptyError."""
    rows = references.within(region)
    if not sum(map(size, rows)):
        raise AtlasEmptyError(
            f"The atlas has no references inside {region.describe()}.",
            hint="Choose a larger region, or add references from there.",
        )
    return rows


def rows_of_cell(
    references: References, cell: int, within: tuple[Rows, ...] | None
) -> tuple[Rows, ...]:
    """Return per segment the positions inside an S2 cell, and inside ``within`` if given.

    Raises:
        CellError: No such cell.
        AtlasEmptyError: No references there.
    """
    number = _whole(cell)
    identifier = np.array([number % (1 << 64)], np.uint64)
    if not -(1 << 63) <= number < 1 << 64 or not cells.is_valid(identifier)[0]:
        raise CellError(
            f"{cell!r} is no S2 cell id.",
            hint="Use an id of sightline.geo.cells, signed or unsigned.",
        )
    rows: tuple[Rows, ...] = references.in_cell(identifier[0])
    if within is not None:
        rows = tuple(_both(run, inside) for run, inside in zip(rows, within, strict=True))
    if not sum(map(size, rows)):
        raise AtlasEmptyError(
            f"The atlas has no references inside the S2 cell {cells.tokens(identifier)[0]}.",
            hint="Choose a larger cell, or add references from there.",
        )
    return rows


def exclusions(
    references: References,
    queries: int,
    within_m: tuple[ArrayLike, float] | None,
    sha256: Sequence[str | None] | None,
) -> list[list[NDArray[np.int64]]] | None:
    """Return per query, per segment, the ascending positions that must not be returned.

    Raises:
        UsageError: Not one point or hash per query, metres that are negative or not finite, or
            text that is no hash.
    """
    if within_m is None and sha256 is None:
        return None
    empty = [np.empty(0, np.int64) for _ in references.segments]
    found = [list(empty) for _ in range(queries)]
    if within_m is not None:
        points, metres = np.asarray(within_m[0], np.float64), float(within_m[1])
        if points.shape != (queries, 2) or not (np.isfinite(metres) and metres >= 0):
            raise UsageError(
                f"exclude_within_m must be coordinates ({queries}, 2) and metres >= 0. "
                f"Got {points.shape} and {metres}.",
                hint="Give one (lat, lon) per query, NaN where a query has none.",
            )
        for row, point in enumerate(points):
            found[row] = references.near(point, metres)
    if sha256 is not None:
        if len(sha256) != queries or not all(h is None or _is_hash(h) for h in sha256):
            raise UsageError(
                f"exclude_sha256 must hold {queries} hashes of 64 hexadecimal digits, or None. "
                f"Got {list(sha256)!r}.",
                hint="Give one per query, as Photo.sha256 says it.",
            )
        for row, text in enumerate(sha256):
            own = references.of_photo(text)
            found[row] = [np.union1d(a, b) for a, b in zip(found[row], own, strict=True)]
    return found


def _both(a: Rows, b: Rows) -> NDArray[np.int64]:
    return np.asarray(np.intersect1d(positions(a), positions(b), assume_unique=True), np.int64)


def _whole(value: object) -> int:
    """The value as a whole number; -1, which nothing here allows, for anything else."""
    if isinstance(value, bool):
        return -1
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return -1


def _is_hash(text: str) -> bool:
    return len(text) == 64 and all(c in "0123456789abcdefABCDEF" for c in text)
