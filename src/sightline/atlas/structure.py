"""What the structures of the papers share: they choose rows, and say what the choice cost.

A structure proposes candidates among n rows; whoever asked compares all of them exactly. Its cost
is counted in **distance computations**: products of a query with a vector of its dimension, be that
the mean of a node, a hyperplane or a row. Counted so, structures compare across machines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.atlas.arrays import widen
from sightline.errors import UsageError, VectorError

StructureKind = Literal["tree", "lsh"]

QUERIES_AT_ONCE = 64
_ROWS_AT_ONCE = 16_384


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Rows to compare with each of q queries.

    Attributes:
        positions: int64 (q, c), in no order, each once; -1 where a query has fewer.
        comparisons: int64 (q,), distances computed for the choice **and** one for each candidate.
    """

    positions: NDArray[np.int64]
    comparisons: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """The best k rows that a structure led to, best first.

    Attributes:
        positions: int64 (q, k), -1 where there are fewer.
        scores: float32 (q, k), inner products; -inf where there are fewer.
        comparisons: int64 (q,), distances computed.
    """

    positions: NDArray[np.int64]
    scores: NDArray[np.float32]
    comparisons: NDArray[np.int64]


class SearchStructure(Protocol):
    """A way to choose few of many rows. Threads may share one."""

    @property
    def kind(self) -> StructureKind:
        """What it is called as a mode of search."""

    @property
    def rows(self) -> int:
        """Rows it was built of."""

    @property
    def dimension(self) -> int:
        """Of these rows."""

    def candidates(self, queries: NDArray[np.float32], depth: int) -> Candidates:
        """Choose rows for queries float32 (q, d), at least min(``depth``, rows) for each."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What has to be kept of it, by name."""

    def settings_json(self) -> dict[str, int | None]:
        """Its settings as plain numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredStructure:
    """A structure, and what was measured of it when it was made.

    Attributes:
        structure: The tree or the tables.
        recalls: Per depth the share of the exact nearest rows that are found, the mean over
            queries of the similarity for which it is lowest.
        comparisons: Per depth the mean number of distances computed.
    """

    structure: SearchStructure
    recalls: Mapping[int, float]
    comparisons: Mapping[int, float]

    def recall(self, depth: int) -> float | None:
        """Recall measured for ``depth`` rows or the next more; None beyond what was measured."""
        known = [d for d in sorted(self.recalls) if d >= depth]
        return self.recalls[known[0]] if known else None


def nearest(
    structure: SearchStructure, vectors: NDArray[Any], queries: NDArray[np.float32], k: int
) -> Nearest:
    """Ask a structure, and order its candidates by their exact inner product.

    Args:
        structure: Built of ``vectors``.
        vectors: float16 or float32 (n, d), such as a memory map.
        queries: float32 (q, d).
        k: How many rows, at least 1. Equal scores are ordered by position.

    Raises:
        UsageError: k below 1, or the structure was built of another number of rows.
        VectorError: Queries of another dimension, or not finite.
    """
    if k < 1:
        raise UsageError(f"k must be at least 1. Got {k}.", hint="Give k as 1 or more.")
    if structure.rows != len(vectors):
        raise UsageError(
            f"The structure was built of {structure.rows} rows. Got {len(vectors)}.",
            hint="Ask it with the rows it was built of, or build it again.",
        )
    check_queries(queries, vectors.shape[1])
    found = Nearest(
        np.full((len(queries), k), -1, np.int64),
        np.full((len(queries), k), -np.inf, np.float32),
        np.zeros(len(queries), np.int64),
    )
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        part = slice(start, start + QUERIES_AT_ONCE)
        chosen = structure.candidates(queries[part], k)
        found.comparisons[part] = chosen.comparisons
        for row, places in enumerate(chosen.positions, start):
            real = np.sort(places[places >= 0])
            scores = as_float32(vectors[real]) @ queries[row]
            order = np.lexsort((real, -scores))[:k]
            found.positions[row, : len(order)] = real[order]
            found.scores[row, : len(order)] = scores[order]
    return found


def check_queries(queries: NDArray[np.float32], dimension: int) -> None:
    """Refuse queries that are not finite (q, dimension); raises VectorError."""
    if queries.ndim != 2 or queries.shape[1] != dimension:
        raise VectorError(
            f"Queries must have the shape (q, {dimension}). Got {queries.shape}.",
            hint="Encode and whiten them as the rows were.",
        )
    finite = np.isfinite(queries).all(axis=1)
    if not finite.all():
        raise VectorError(
            f"Queries must be finite. Row {int(np.argmin(finite))} has NaN or infinity.",
            hint="Leave this query out.",
        )


def check_rows(vectors: NDArray[Any]) -> None:
    """Refuse what no structure can be built of, reading all of it; raises VectorError."""
    if vectors.ndim != 2 or 0 in vectors.shape or vectors.dtype not in (np.float16, np.float32):
        raise VectorError(
            "Rows must be float16 or float32 (n, d), at least one of at least one dimension. "
            f"Got {vectors.dtype} {vectors.shape}.",
            hint="Give the vectors of an atlas's segment, or rows of your own.",
        )
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        finite = np.isfinite(vectors[start : start + _ROWS_AT_ONCE]).all(axis=1)
        if not finite.all():
            raise VectorError(
                f"Rows must be finite. Row {start + int(np.argmin(finite))} has NaN or infinity.",
                hint="Leave this row out.",
            )


def as_float32(rows: NDArray[Any]) -> NDArray[np.float32]:
    """Return rows as float32; halves fast."""
    return widen(rows) if rows.dtype == np.float16 else np.asarray(rows, np.float32)


def padded(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return lists of positions as one array (q, longest), -1 where a list has ended."""
    out = np.full((len(parts), max(map(len, parts), default=0)), -1, np.int64)
    for row, part in zip(out, parts, strict=True):
        row[: len(part)] = part
    return out


def check_whole(name: str, value: object, least: int, most: int) -> None:
    """Refuse a setting that is no whole number in a range; raises UsageError."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise UsageError(
            f"{name} must be a whole number from {least} to {most}. Got {value!r}.",
            hint=f"Give {name} within that range.",
        )


def array_path(folder: Path, name: str) -> Path:
    """Where one array of a structure is kept."""
    return folder / f"{name}.npy"
