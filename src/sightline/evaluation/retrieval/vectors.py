"""Embeddings wherever they lie: arrays, memory-mapped files, columns of a Lance dataset."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import EvaluationError, VectorError

Floats: TypeAlias = NDArray[np.floating]

_BLOCK_BYTES = 64 * 2**20
# What BLAS and torch read; a mapped member of an archive may start at any byte.
_PLAIN: tuple[Literal["C_CONTIGUOUS", "ALIGNED"], ...] = ("C_CONTIGUOUS", "ALIGNED")
_FLOATS = (np.float16, np.float32, np.float64)


class Vectors(Protocol):
    """m vectors of d numbers that can be read in blocks; never all of them at once."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and dimensions, (m, d)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """float16, float32 or float64, in the machine's byte order."""

    def rows(self, start: int, stop: int) -> Floats:
        """Return rows ``start`` to ``stop`` as (stop - start, d)."""

    def take(self, numbers: NDArray[np.int64]) -> Floats:
        """Return the rows of these numbers as (len(numbers), d)."""


VectorsLike: TypeAlias = "Vectors | ArrayLike"


@dataclass(frozen=True, slots=True, eq=False)
class ArrayVectors:
    """Vectors in memory, or in a file that is mapped into it."""

    array: Floats

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and dimensions, (m, d)."""
        rows, dimension = self.array.shape
        return rows, dimension

    @property
    def dtype(self) -> np.dtype[Any]:
        """The array's own."""
        return self.array.dtype.newbyteorder("=")

    def rows(self, start: int, stop: int) -> Floats:
        """Return a block; a view where the array allows it."""
        return np.require(self.array[start:stop], self.dtype, _PLAIN)

    def take(self, numbers: NDArray[np.int64]) -> Floats:
        """Return copies of the rows of these numbers."""
        return np.require(self.array[numbers], self.dtype, _PLAIN)


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """Some rows of other vectors, read from them as they are needed.

    Attributes:
        vectors: (m, d).
        numbers: int64 (c,), which rows.
    """

    vectors: Vectors
    numbers: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int]:
        """Chosen rows and dimensions, (c, d)."""
        return len(self.numbers), self.vectors.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the vectors."""
        return self.vectors.dtype

    def rows(self, start: int, stop: int) -> Floats:
        """Return a block."""
        return self.vectors.take(self.numbers[start:stop])

    def take(self, numbers: NDArray[np.int64]) -> Floats:
        """Return the rows of these numbers, counted among the chosen."""
        return self.vectors.take(self.numbers[numbers])


@dataclass(frozen=True, slots=True, eq=False)
class LanceColumn:
    """A column of fixed-size lists in a Lance dataset, read block by block.

    A list of r x r regional vectors is averaged to the global one, as the atlas does.
    """

    dataset: Any
    column: str
    shape: tuple[int, int]
    dtype: np.dtype[Any]

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], column: str = "vector", *, regions: int = 1
    ) -> LanceColumn:
        """Open a column for reading.

        Args:
            path: The dataset's folder; for an atlas, its ``rows.lance``.
            column: Its name.
            regions: How many regional vectors one list holds, one after the other.

        Raises:
            EvaluationError: No such dataset or column, or none of fixed-size lists.
        """
        import lance

        try:
            dataset = lance.dataset(os.fspath(path))
        except (OSError, ValueError) as cause:
            raise EvaluationError(
                f"{os.fspath(path)!r} is no Lance dataset: {str(cause).splitlines()[0]}.",
                hint="Name its folder; that of an atlas is ATLAS/rows.lance.",
                path=path,
            ) from cause
        if column not in dataset.schema.names:
            raise EvaluationError(
                f"The dataset {os.fspath(path)!r} has no column {column!r}.",
                hint=f"It has {', '.join(dataset.schema.names)}.",
                path=path,
            )
        kind = dataset.schema.field(column).type
        length = getattr(kind, "list_size", 0)
        if not length or length % regions:
            raise EvaluationError(
                f"Column {column!r} of {os.fspath(path)!r} holds {kind}, not {regions} vectors of "
                "one length.",
                hint="Name a column of fixed-size lists of float16, float32 or float64.",
                path=path,
            )
        dtype = np.dtype(np.float32) if regions > 1 else np.dtype(kind.value_type.to_pandas_dtype())
        shape = (dataset.count_rows(), length // regions)
        return cls(dataset, column, shape, dtype)

    def rows(self, start: int, stop: int) -> Floats:
        """Return a block."""
        table = self.dataset.to_table(columns=[self.column], offset=start, limit=stop - start)
        return self._floats(table)

    def take(self, numbers: NDArray[np.int64]) -> Floats:
        """Return the rows of these numbers, in their order."""
        return self._floats(self.dataset.take(numbers.tolist(), columns=[self.column]))

    def _floats(self, table: Any) -> Floats:
        empty = table.column(self.column).null_count
        if empty:
            raise VectorError(
                f"Column {self.column!r} has {empty} rows without a vector.",
                hint="Leave those rows out of the dataset.",
            )
        flat = np.concatenate(
            [chunk.flatten().to_numpy() for chunk in table.column(self.column).chunks]
            or [np.empty(0, self.dtype)]
        )
        rows = flat.reshape(table.num_rows, -1, self.shape[1])
        if rows.shape[1] == 1:
            return np.ascontiguousarray(rows[:, 0], self.dtype)
        return np.asarray(rows.mean(axis=1, dtype=np.float32))


def open_vectors(value: VectorsLike, name: str) -> Vectors:
    """Return ``value`` as vectors that can be read in blocks.

    Args:
        value: (m, d) of float16, float32 or float64, in memory or mapped; or a
            :class:`LanceColumn`, or anything else that follows :class:`Vectors`.
        name: What to call it in an error.

    Raises:
        EvaluationError: It is empty, not two-dimensional, or not of floating point.
    """
    if all(hasattr(value, part) for part in ("rows", "take", "shape", "dtype")):
        vectors: Vectors = value  # type: ignore[assignment]
        _require_floats(vectors.shape, vectors.dtype, name)
        return vectors
    array = np.asarray(value)
    _require_floats(array.shape, array.dtype, name)
    return ArrayVectors(array)


def _require_floats(shape: tuple[int, ...], dtype: np.dtype[Any], name: str) -> None:
    if len(shape) != 2:
        raise EvaluationError(
            f"{name} must have shape (rows, dimensions). Got {shape}.",
            hint="Give one vector per row.",
        )
    if 0 in shape:
        raise EvaluationError(
            f"{name} has shape {shape}: there is nothing to evaluate.",
            hint="Give at least one vector of at least one number.",
        )
    if dtype.newbyteorder("=") not in _FLOATS:
        raise EvaluationError(
            f"{name} must be float16, float32 or float64. Got {dtype}.",
            hint="Save the vectors as the model returns them.",
        )


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What one pass over vectors tells.

    Attributes:
        norms: float64 (m,), Euclidean lengths.
        single: Whether every number is one that float32 holds exactly.
    """

    norms: NDArray[np.float64]
    single: bool


def measure(vectors: Vectors, name: str) -> Measured:
    """Read all vectors once: their lengths, and that every number is finite.

    Raises:
        VectorError: NaN or infinity; names array, row, column and value.
    """
    count, dimension = vectors.shape
    norms = np.empty(count)
    single = True
    for start, stop in blocks(count, dimension * 8):
        block = vectors.rows(start, stop)
        wide = block if block.dtype == np.float64 else block.astype(np.float32, copy=False)
        squares = np.einsum("ij,ij->i", wide, wide)
        # Sums of float32 squares overflow early: those rows and the sick ones are read again.
        odd = np.flatnonzero(~np.isfinite(squares) | (squares < _SMALLEST_SQUARE))
        norms[start:stop] = np.sqrt(squares)
        if len(odd):
            _require_finite(block, odd, start, name)
            doubles = block[odd].astype(np.float64)
            largest = np.abs(doubles).max(axis=1, keepdims=True)
            safe = np.where(largest > 0.0, largest, 1.0)
            norms[start + odd] = np.linalg.norm(doubles / safe, axis=1) * safe[:, 0]
        if single and block.dtype == np.float64:
            with np.errstate(over="ignore"):
                single = bool((block == block.astype(np.float32)).all())
    return Measured(norms, single)


_SMALLEST_SQUARE = 1e-30


def blocks(count: int, row_bytes: int, block_bytes: int = _BLOCK_BYTES) -> list[tuple[int, int]]:
    """Cut ``count`` rows into runs of about ``block_bytes``."""
    step = max(1, block_bytes // max(row_bytes, 1))
    return [(start, min(start + step, count)) for start in range(0, count, step)]


def _require_finite(block: Floats, rows: NDArray[np.int64], start: int, name: str) -> None:
    bad = ~np.isfinite(block[rows])
    if bad.any():
        place, column = (int(i) for i in np.argwhere(bad)[0])
        row = int(rows[place])
        raise VectorError(
            f"{name} row {start + row} is not finite: {block[row, column]} in column {column}.",
            hint="Find out what made it; a model with such outputs has no score.",
        )
