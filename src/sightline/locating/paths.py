"""Files in, located photos out: opening overlaps with encoding, and one bad file stops no other."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, TypeAlias

from sightline.errors import SightlineError
from sightline.geo.distance import geodesic_m
from sightline.imagery.limits import Limits
from sightline.imagery.photo import open_photo
from sightline.imagery.place import ExifPlace
from sightline.locating.estimate import Estimate
from sightline.locating.locator import AnyLocator, LocatedPhoto

NamedBytes: TypeAlias = tuple[str, bytes]
Source: TypeAlias = str | os.PathLike[str] | NamedBytes


@dataclass(frozen=True, slots=True)
class _Opened:
    """A photo cut down to what is still needed: its pixels for the encoder, its words for later."""

    path: str
    query: Any = None
    sha256: str | None = None
    place: ExifPlace | None = None
    place_problem: str | None = None
    error: SightlineError | None = None


def locate_paths(
    sources: Iterable[Source],
    locator: AnyLocator,
    *,
    batch: int = 16,
    workers: int | None = None,
    limits: Limits | None = None,
) -> Iterator[LocatedPhoto]:
    """Open and locate photos, in their order.

    What a file says of its own place is compared with the estimate after the estimate is made.

    Args:
        sources: Paths, or pairs of a name and a file's bytes (a photo from a stream).
        locator: Who answers.
        batch: How many photos are encoded together.
        workers: Threads that open and prepare; by default one for each core, at most 8.
        limits: What a photo may cost; None for the defaults.

    Yields:
        One result for each source; a photo that cannot be located has an ``error``.
    """
    remaining = iter(sources)
    first = list(islice(remaining, 2))
    if len(first) < 2:
        # There is nothing to overlap with, and threads cost half a millisecond.
        yield from _located([_open(one, locator, limits) for one in first], locator)
        return
    remaining = chain(first, remaining)
    with ThreadPoolExecutor(workers or min(8, os.cpu_count() or 1)) as pool:
        pending: deque[Future[_Opened]] = deque()
        while True:
            # One batch is opened while the one before it is encoded; no more are held in memory.
            for source in islice(remaining, 2 * batch - len(pending)):
                pending.append(pool.submit(_open, source, locator, limits))
            if not pending:
                return
            ready = [pending.popleft().result() for _ in range(min(batch, len(pending)))]
            yield from _located(ready, locator)


def _open(source: Source, locator: AnyLocator, limits: Limits | None) -> _Opened:
    name, content = source if isinstance(source, tuple) else (os.fspath(source), source)
    try:
        photo = open_photo(content, at_least=locator.encoder.decode_size, limits=limits, name=name)
        query = locator.prepare(photo)
    except SightlineError as error:
        return _Opened(name, error=error)
    said = photo.metadata
    return _Opened(name, query, photo.sha256, said.place, said.place_problem)


def _located(opened: list[_Opened], locator: AnyLocator) -> Iterator[LocatedPhoto]:
    # Only the queries, which are pixels, go to the locator.
    answers = iter(locator.attempt([photo.query for photo in opened if photo.query is not None]))
    for photo in opened:
        answer = photo.error if photo.query is None else next(answers)
        estimate = answer if isinstance(answer, Estimate) else None
        yield LocatedPhoto(
            path=photo.path,
            sha256=photo.sha256,
            photo_place=photo.place,
            exif_to_estimate_m=_apart_m(photo.place, estimate),
            estimate=estimate,
            error=answer if isinstance(answer, SightlineError) else None,
            place_problem=photo.place_problem,
        )


def _apart_m(place: ExifPlace | None, estimate: Estimate | None) -> float | None:
    if place is None or estimate is None:
        return None
    return float(geodesic_m((place.lat, place.lon), (estimate.lat, estimate.lon)))
