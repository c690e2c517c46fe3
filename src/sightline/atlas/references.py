"""All searchable rows of an atlas: those of the derived segment still there, and newer ones."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.atlas.segment import Segment
from sightline.geo import cells
from sightline.geo.distance import geodesic_m, great_circle_m
from sightline.geo.region import Region
from sightline.geo.surroundings import cover_surroundings

_REGIONS_REMEMBERED = 4


@dataclass(frozen=True, slots=True, eq=False)
class References:
    """Segments one after the other. A **place** is a position across them all.

    Attributes:
        segments: At least one.
        removed: Per segment, ascending positions of rows that the store no longer has.
        offsets: Where each segment's places start, and the end, int64 (segments + 1,).
    """

    segments: tuple[Segment, ...]
    removed: tuple[NDArray[np.int64], ...]
    offsets: NDArray[np.int64] = field(init=False)
    _remembered: OrderedDict[int, tuple[Region, tuple[NDArray[np.int64], ...]]] = field(
        default_factory=OrderedDict
    )
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        ends = np.cumsum([0, *(len(segment) for segment in self.segments)])
        object.__setattr__(self, "offsets", ends)

    @property
    def count(self) -> int:
        """Rows that can be found."""
        return sum(map(len, self.segments)) - sum(map(len, self.removed))

    def within(self, region: Region) -> tuple[NDArray[np.int64], ...]:
        """Return per segment the ascending positions of the rows inside ``region``.

        The answer is remembered for a few regions, because telling which of a million points lie
        in a polygon takes longer than the search.
        """
        with self._lock:
            known = self._remembered.get(id(region))
            if known is not None and known[0] is region:
                self._remembered.move_to_end(id(region))
                return known[1]
        cover = region.cover()
        found = tuple(
            self._alive(number, _contained(segment, region, cover))
            for number, segment in enumerate(self.segments)
        )
        with self._lock:
            self._remembered[id(region)] = region, found
            while len(self._remembered) > _REGIONS_REMEMBERED:
                self._remembered.popitem(last=False)
        return found

    def in_cell(self, cell: np.uint64) -> tuple[NDArray[np.int64] | slice, ...]:
        """Return per segment the positions of the rows inside one S2 cell."""
        first, last = cells.leaf_range(int(cell))
        return tuple(
            self._alive_run(number, segment.run(first, last))
            for number, segment in enumerate(self.segments)
        )

    def near(self, point: NDArray[np.float64], radius_m: float) -> list[NDArray[np.int64]]:
        """Return per segment the ascending positions of rows nearer than ``radius_m``."""
        if not radius_m > 0 or not np.isfinite(point).all():
            return [np.empty(0, np.int64) for _ in self.segments]
        # No degree of latitude is shorter than 110 km, and the sphere is never more than 0.6 %
        # wrong: both are passed through before the exact distance, which costs far more.
        band_degrees = radius_m / 110_000.0
        found = []
        for segment in self.segments:
            rows = np.flatnonzero(np.abs(segment.coordinates[:, 0] - point[0]) <= band_degrees)
            rough = great_circle_m(segment.coordinates[rows], point)
            rows = rows[rough <= 1.006 * radius_m]
            found.append(rows[geodesic_m(segment.coordinates[rows], point) < radius_m])
        return found

    def around(self, points: NDArray[np.float64], reach_m: float) -> tuple[NDArray[np.int64], ...]:
        """Return per segment the ascending positions of rows that may lie near any of the points.

        No row nearer than ``reach_m`` is missed; some farther ones come along.

        Args:
            points: float64 (c, 2), degrees.
            reach_m: Metres, small against the Earth.
        """
        cover = cover_surroundings(points, reach_m)
        return tuple(
            self._alive(number, segment.runs(cover)) for number, segment in enumerate(self.segments)
        )

    def of_photo(self, sha256: str | None) -> list[NDArray[np.int64]]:
        """Return per segment the ascending positions of a photo's rows, by its content's hash."""
        if sha256 is None:
            return [np.empty(0, np.int64) for _ in self.segments]
        wanted = np.frombuffer(bytes.fromhex(sha256), np.uint8)
        found = []
        for segment in self.segments:
            # Eight of 32 bytes rule out nearly all rows at an eighth of the reading.
            head = segment.hashes.view(np.uint64)[:, 0]
            rows = np.flatnonzero(head == wanted[:8].view(np.uint64)[0])
            found.append(rows[(segment.hashes[rows] == wanted).all(axis=1)])
        return found

    def column(self, name: str, places: NDArray[np.int64]) -> NDArray[Any]:
        """Return one array of the segments at ``places`` (n,)."""
        first = getattr(self.segments[0], name)
        if len(self.segments) == 1:
            return np.asarray(first[places])
        numbers = self._numbers(places)
        out = np.empty((len(places), *first.shape[1:]), first.dtype)
        for number, segment in enumerate(self.segments):
            chosen = numbers == number
            out[chosen] = getattr(segment, name)[places[chosen] - self.offsets[number]]
        return out

    def uris(self, places: NDArray[np.int64]) -> list[str]:
        """Return the names of the rows at ``places`` (n,)."""
        numbers, offsets = self._numbers(places), self.offsets
        return [
            self.segments[number].uri(int(place - offsets[number]))
            for number, place in zip(numbers, places, strict=True)
        ]

    def _numbers(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.searchsorted(self.offsets, places, side="right") - 1

    def _alive(self, number: int, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        removed = self.removed[number]
        return rows[~np.isin(rows, removed, assume_unique=True)] if len(removed) else rows

    def _alive_run(self, number: int, run: slice) -> NDArray[np.int64] | slice:
        if not len(self.removed[number]):
            return run
        return self._alive(number, np.arange(run.start, run.stop))


def _contained(segment: Segment, region: Region, cover: NDArray[np.uint64]) -> NDArray[np.int64]:
    rows = segment.runs(cover)
    return rows[region.contains(segment.coordinates[rows])] if len(rows) else rows
