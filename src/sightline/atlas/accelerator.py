"""Approximate candidates: FAISS inverted lists of one-bit codes, mapped from disk.

The codes are RaBitQ's (Gao and Long, "RaBitQ: quantizing high-dimensional vectors with a
theoretical error bound for approximate nearest neighbor search", SIGMOD 2024). They only propose
candidates; the order and the scores come from the exact vectors of the segment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from sightline.atlas.arrays import widen
from sightline.atlas.segment import Segment

INDEX_FROM_ROWS = 32_768
"""Below this, an exact scan takes about ten milliseconds and no index is built."""

_TRAINING_ROWS_PER_LIST = 40
_TRAINING_ROUNDS = 8
_ADDED_AT_ONCE = 16_384
# Bits of the query's own codes; 0 would compare with the full query at ten times the cost.
_QUERY_BITS = 8


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to look for the nearest ``depth`` rows.

    Attributes:
        depth: Rows that are wanted.
        lists: Inverted lists that are read.
        candidates: Rows that are scored again with their exact vectors.
        recall: Measured share of the exact ``depth`` nearest rows that is found.
    """

    depth: int
    lists: int
    candidates: int
    recall: float


def list_count(rows: int) -> int:
    """Return how many inverted lists to cut ``rows`` into: the power of two next to 4 √rows."""
    return int(2 ** round(np.log2(4 * np.sqrt(rows))))


def train(
    segment: Segment,
    *,
    turning: bool = False,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> Any:
    """Build the index of a segment's global vectors; labels are positions.

    Args:
        segment: Rows to index.
        turning: Turn vectors and queries at random first. The one-bit codes assume that no axis is
            special, which :func:`sightline.atlas.whiten.rotated` sees to where there is a
            whitening. Where there is none, only those who ask the index should pay for it: with
            1,792 dimensions a rotation is 13 MB, read for every query.
        seed: Of the sample and the clustering; FAISS's rotation has one of its own.
        progress: Told about rows added.
    """
    rows, k = segment.vectors.shape
    lists = list_count(rows)
    kind = f"{'RR,' if turning else ''}IVF{lists},RaBitQ"
    index: Any = faiss.index_factory(k, kind, faiss.METRIC_INNER_PRODUCT)
    clustering = faiss.extract_index_ivf(index).cp
    clustering.niter = _TRAINING_ROUNDS
    clustering.spherical = True
    clustering.seed = seed
    clustering.min_points_per_centroid = 1
    clustering.max_points_per_centroid = _TRAINING_ROWS_PER_LIST
    chosen = min(rows, lists * _TRAINING_ROWS_PER_LIST)
    sample = np.random.default_rng(seed).choice(rows, chosen, replace=False)
    if progress is not None:
        progress("clustering", 0, rows)
    index.train(widen(segment.vectors[np.sort(sample)]))
    for start in range(0, rows, _ADDED_AT_ONCE):
        index.add(widen(segment.vectors[start : start + _ADDED_AT_ONCE]))
        if progress is not None:
            progress("indexing", min(start + _ADDED_AT_ONCE, rows), rows)
    return index


class Accelerator:
    """An index opened for reading. Threads may share it."""

    def __init__(self, index: Any) -> None:
        self._index = index

    @classmethod
    def open(cls, path: Path) -> Accelerator:
        """Map the index file; raises RuntimeError where FAISS cannot read it."""
        return cls(faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY))

    @property
    def rows(self) -> int:
        """Rows in the index."""
        return int(self._index.ntotal)

    @property
    def lists(self) -> int:
        """Inverted lists in the index."""
        return int(faiss.extract_index_ivf(self._index).nlist)

    def propose(
        self,
        queries: NDArray[np.float32],
        candidates: int,
        *,
        lists: int,
        allowed: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.int64]:
        """Return likely near positions int64 (q, candidates), best first, -1 where there are fewer.

        Args:
            queries: float32 (q, k), whitened, unit length.
            candidates: How many.
            lists: How many inverted lists to read.
            allowed: One bit per position, lowest bit first, of what may be returned; all if None.
        """
        parameters: Any = faiss.IVFRaBitQSearchParameters()
        parameters.nprobe = min(lists, self.lists)
        parameters.qb = _QUERY_BITS
        selector = None
        if allowed is not None:
            from_array: Any = faiss.IDSelectorBitmap
            selector = from_array(allowed)
            parameters.sel = selector
        count = min(candidates, self.rows)
        if isinstance(self._index, faiss.IndexPreTransform):
            turned: Any = faiss.SearchParametersPreTransform
            parameters = turned(index_params=parameters)
        with _one_thread() if len(queries) == 1 else nullcontext():
            _, positions = self._index.search(queries, count, params=parameters)
        return np.asarray(positions, np.int64)


@contextmanager
def _one_thread() -> Iterator[None]:
    """One query is over before a second thread has come, which then spins and slows the encoder."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def bitmap(positions: NDArray[np.int64], rows: int) -> NDArray[np.uint8]:
    """Return one bit per row, lowest bit first, set at ``positions``."""
    mask = np.zeros(rows, np.bool_)
    mask[positions] = True
    return np.packbits(mask, bitorder="little")
