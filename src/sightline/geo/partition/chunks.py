"""Long arrays of places in pieces, on as many threads as there are processors."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import CoordinateError
from sightline.geo.coordinates import FloatArray, as_coordinates

Result = TypeVar("Result")

ROWS_AT_ONCE = 1 << 18


class Places:
    """Places (n, 2) in degrees, checked as they are read and never copied as a whole.

    Args:
        coordinates: What :func:`~sightline.geo.coordinates.as_coordinates` takes; long arrays may
            be memory-mapped.

    Raises:
        CoordinateError: They are no pairs of numbers.
    """

    def __init__(self, coordinates: ArrayLike) -> None:
        given = np.asarray(coordinates)
        if given.ndim != 2 or given.shape[1] != 2 or given.dtype.kind not in "fiu":
            given = as_coordinates(coordinates)
        self._given: NDArray[np.generic] = given

    def __len__(self) -> int:
        return len(self._given)

    def part(self, some: slice) -> FloatArray:
        """Return a slice of them, checked.

        Raises:
            CoordinateError: A place is out of range; names its row among all.
        """
        try:
            return as_coordinates(self._given[some])
        except CoordinateError:
            # Raises again, with rows counted from the first of all places.
            return as_coordinates(self._given)[some]

    def all(self) -> FloatArray:
        """Return all of them, checked."""
        return as_coordinates(self._given)


def in_chunks(work: Callable[[slice], Result], rows: int) -> Iterator[Result]:
    """Yield ``work`` of slices of ``rows``, in order; numpy lets other threads run meanwhile.

    Args:
        work: Called with slices of at most 262,144 rows, from several threads.
        rows: How many there are.
    """
    slices = (slice(at, min(at + ROWS_AT_ONCE, rows)) for at in range(0, rows, ROWS_AT_ONCE))
    if rows <= ROWS_AT_ONCE:
        yield from map(work, slices)
        return
    threads = _processors()
    with ThreadPoolExecutor(threads) as pool:
        # Few results wait at a time: memory stays bounded however many slices there are.
        while batch := list(islice(slices, 4 * threads)):
            yield from pool.map(work, batch)


def run_in_chunks(work: Callable[[slice], None], rows: int) -> None:
    """Run ``work``, which writes its results itself, on slices of ``rows``."""
    for _ in in_chunks(work, rows):
        pass


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # pragma: no cover - where a process cannot be asked for its own
