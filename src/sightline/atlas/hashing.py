"""Locality-sensitive hashing by random hyperplanes, in several tables, with several probes.

The PSSR text (section 2.5) says that Lin, Cui, Belongie and Hays, *Learning Deep Representations
for Ground-to-Aerial Geolocalization* (CVPR 2015), used locality-sensitive hashing to find the
nearest neighbours of a query faster, and neither which family nor which parameters. Here:

- hyperplanes through the origin (Charikar, *Similarity estimation techniques from rounding
  algorithms*, STOC 2002): two vectors at the angle theta agree in one bit with the probability
  1 - theta / pi;
- L tables of b bits, a query reading its own bucket in each (Gionis, Indyk and Motwani, *Similarity
  search in high dimensions via hashing*, VLDB 1999);
- if asked, also the buckets whose bits differ where the query lies nearest to a hyperplane (Lv,
  Josephson, Wang, Charikar and Li, *Multi-probe LSH*, VLDB 2007, section 4.3).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sightline.atlas.arrays import load_array
from sightline.atlas.segment import Progress
from sightline.atlas.structure import (
    Candidates,
    StructureKind,
    array_path,
    as_float32,
    check_queries,
    check_rows,
    check_whole,
    padded,
)

_MOST_BITS = 30
_ROWS_AT_ONCE = 16_384
# Choosing and reading a bucket takes as long as comparing about so many rows.
_ROWS_A_PROBE = 16


@dataclass(frozen=True, slots=True)
class HashSettings:
    """How rows are hashed and looked up.

    Attributes:
        tables: L; more find more.
        bits: b; more make buckets smaller. About log2(n) leaves one row in a bucket on average.
        probes: Buckets that are read in each table; 1 reads the query's own.
        seed: Of the hyperplanes.

    Raises:
        UsageError: A number out of range.
    """

    kind: ClassVar[StructureKind] = "lsh"

    tables: int = 16
    bits: int = 12
    probes: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("tables", self.tables, 1, 1024)
        check_whole("bits", self.bits, 1, _MOST_BITS)
        check_whole("probes", self.probes, 1, 1 << 16)
        check_whole("seed", self.seed, 0, (1 << 31) - 1)


@dataclass(frozen=True, slots=True, eq=False)
class HashTables:
    """L tables over n rows.

    Attributes:
        settings: How they were filled, and the probes they are asked with.
        hyperplanes: float32 (L, b, d), normals.
        codes: uint32 (L, n), ascending.
        order: int32 or int64 (L, n), the position of each code's row; ascending where codes are
            equal.
    """

    settings: HashSettings
    hyperplanes: NDArray[np.float32]
    codes: NDArray[np.uint32]
    order: NDArray[Any]

    @property
    def kind(self) -> StructureKind:
        """``lsh``."""
        return "lsh"

    @property
    def rows(self) -> int:
        """Rows in every table."""
        return int(self.codes.shape[1])

    @property
    def dimension(self) -> int:
        """Of these rows."""
        return int(self.hyperplanes.shape[2])

    def candidates(self, queries: NDArray[np.float32], depth: int) -> Candidates:
        """Look up buckets and take their rows.

        Where they hold fewer than ``depth`` rows, the number of probes is doubled for that query,
        until looking up buckets costs more than comparing everything: then all rows are taken. The
        products with the hyperplanes are counted as distances; they cost as much.

        Args:
            queries: float32 (q, d).
            depth: Rows that are wanted; every query gets so many, or all there are.

        Raises:
            VectorError: Another dimension, or not finite.
        """
        check_queries(queries, self.hyperplanes.shape[2])
        enough = min(depth, self.rows)
        sides = _products(queries, self.hyperplanes)
        parts = [self._rows_near(of_query, enough) for of_query in sides]
        hashed = self.settings.tables * self.settings.bits
        return Candidates(padded(parts), np.array([hashed + len(part) for part in parts], np.int64))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything but the settings, by name."""
        return {name: getattr(self, name) for name in _ARRAYS}

    def settings_json(self) -> dict[str, int | None]:
        """The settings as plain numbers."""
        return asdict(self.settings)

    @classmethod
    def open(cls, folder: Path, settings: dict[str, Any]) -> HashTables:
        """Map the arrays of a folder; raises OSError, ValueError or TypeError."""
        arrays = {name: load_array(array_path(folder, name)) for name in _ARRAYS}
        chosen = HashSettings(**settings)
        codes, hyperplanes = arrays["codes"], arrays["hyperplanes"]
        if (
            codes.ndim != 2
            or arrays["order"].shape != codes.shape
            or hyperplanes.ndim != 3
            or hyperplanes.shape[:2] != (chosen.tables, chosen.bits)
            or len(codes) != chosen.tables
        ):
            raise ValueError("its arrays do not fit each other and the settings")
        return cls(chosen, **arrays)

    def _rows_near(self, sides: NDArray[np.float32], enough: int) -> NDArray[np.int64]:
        """Distinct positions for the products (L, b) of one query, ascending."""
        own = _packed(sides > 0)
        walks = [_perturbations(np.abs(of_table)) for of_table in sides]
        found = np.empty(0, np.int64)
        wanted = self.settings.probes
        while True:
            runs = [found]
            for table, (code, walk) in enumerate(zip(own, walks, strict=True)):
                flips = list(islice(walk, wanted))
                runs += self._buckets(table, code ^ np.array(flips, np.uint32))
            found = np.unique(np.concatenate(runs))
            if len(found) >= enough:
                return found
            # Almost all of 2^b buckets can be empty.
            if wanted * self.settings.tables * _ROWS_A_PROBE > self.rows:
                return np.arange(self.rows)
            wanted *= 2

    def _buckets(self, table: int, codes: NDArray[np.uint32]) -> list[NDArray[np.int64]]:
        starts = np.searchsorted(self.codes[table], codes, side="left")
        stops = np.searchsorted(self.codes[table], codes, side="right")
        order = self.order[table]
        return [order[a:b].astype(np.int64) for a, b in zip(starts, stops, strict=True)]


_ARRAYS = ("hyperplanes", "codes", "order")


def fill_tables(
    vectors: NDArray[Any], settings: HashSettings, *, progress: Progress | None = None
) -> HashTables:
    """Hash rows into tables.

    Args:
        vectors: float16 or float32 (n, d), such as a memory map; read once, block by block.
        settings: Tables, bits, seed.
        progress: Told about rows hashed.

    Raises:
        VectorError: No rows, of another kind, or not finite.
    """
    check_rows(vectors)
    count, d = vectors.shape
    tables, bits = settings.tables, settings.bits
    normals = np.random.default_rng(settings.seed).standard_normal((tables, bits, d))
    hyperplanes = normals.astype(np.float32)
    codes = np.empty((tables, count), np.uint32)
    for start in range(0, count, _ROWS_AT_ONCE):
        block = as_float32(vectors[start : start + _ROWS_AT_ONCE])
        codes[:, start : start + len(block)] = _packed(_products(block, hyperplanes) > 0).T
        if progress is not None:
            progress("hashing", start + len(block), count)
    order = np.empty((tables, count), np.int32 if count < 1 << 31 else np.int64)
    for table in range(tables):
        order[table] = np.argsort(codes[table], kind="stable")
        codes[table] = codes[table][order[table]]
    return HashTables(settings, hyperplanes, codes, order)


def _products(
    vectors: NDArray[np.float32], hyperplanes: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Products (n, L, b) of vectors (n, d) and normals (L, b, d)."""
    tables, bits, d = hyperplanes.shape
    return (vectors @ hyperplanes.reshape(-1, d).T).reshape(len(vectors), tables, bits)


def _packed(positive: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Bits (..., b) as numbers (...), the first bit lowest."""
    powers = np.uint32(1) << np.arange(positive.shape[-1], dtype=np.uint32)
    return np.asarray((positive * powers).sum(axis=-1, dtype=np.uint32))


def _perturbations(margins: NDArray[np.float32]) -> Iterator[int]:
    """Sets of bits to flip, as numbers, in ascending order of the squares of their margins' sum.

    Lv et al., section 4.3: a heap of sets of the sorted bits, from each of which the next two are
    made, by moving its last bit on by one (shift) or by adding the one after it (expand). Each set
    is made once.
    """
    yield 0
    order = np.argsort(margins, kind="stable").tolist()
    squares = (margins.astype(np.float64) ** 2)[order].tolist()
    heap: list[tuple[float, tuple[int, ...]]] = [(squares[0], (0,))]
    while heap:
        score, chosen = heapq.heappop(heap)
        yield sum(1 << order[i] for i in chosen)
        last = chosen[-1]
        if last + 1 < len(squares):
            after = squares[last + 1]
            heapq.heappush(heap, (score + after - squares[last], (*chosen[:-1], last + 1)))
            heapq.heappush(heap, (score + after, (*chosen, last + 1)))
