"""Data sets made of the planet: any amount, in public layouts, resumable, in parallel.

The same settings give the same bytes, whatever the number of processes, and a smaller data set is
the beginning of a larger one.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from sightline.datasets.layouts import layout_named
from sightline.datasets.layouts.layout import Writer
from sightline.datasets.layouts.sample import Sample
from sightline.datasets.layouts.writing import (
    begin,
    without_pictures,
    write_files,
    writer_of,
)
from sightline.datasets.planet_samples import CollectionSamples, PairSamples
from sightline.datasets.planet_settings import PAIR_LAYOUTS, PHOTO_LAYOUTS, PlanetSettings
from sightline.datasets.planet_shards import finished_shard, key_of, members_of
from sightline.datasets.reading.shards import ShardSummary, write_catalogue, write_shard
from sightline.durable import make_folder, write_json
from sightline.errors import UsageError
from sightline.planet.planet import Planet

SAMPLES_PER_SHARD = 512
SETTINGS_FILE = "planet.json"
"""Beside the data: the planet's versions and the settings that made it."""

_KINDS = {"vigor": "grid", "university1652": "building"}
_PENDING_PER_WORKER = 3


@dataclass(frozen=True)
class PlanetReport:
    """What came of making a data set.

    Args:
        samples: How many it has.
        written: Files made by this run.
        kept: Files that were there.
    """

    samples: int
    written: int
    kept: int

    def to_json(self) -> dict[str, int]:
        """Return the fields as JSON has them."""
        return asdict(self)


def make(
    settings: PlanetSettings,
    root: str | os.PathLike[str],
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> PlanetReport:
    """Make a data set; go on where an earlier run was stopped, or make more of the same.

    Args:
        settings: What it is.
        root: Its folder; made if it is not there.
        workers: Processes.
        progress: Is told how many samples there are, and of how many.

    Raises:
        UsageError: ``workers`` is not positive, or the planet has no land for so many.
        OutputError: The folder cannot be written, or holds another data set.
    """
    if workers < 1:
        raise UsageError(f"workers must be at least 1. Got {workers!r}.", hint="Leave it out.")
    folder = Path(root)
    make_folder(folder)
    begin(folder, settings.layout_name, settings.provenance())
    write_json(folder / SETTINGS_FILE, {**settings.provenance(), "count": settings.count})
    rows: list[tuple[int, Sample]] = []
    shards: list[ShardSummary] = []
    done = written = kept = 0
    for part in _parts(settings, folder, workers):
        rows += part.rows
        shards += part.shards
        done += part.samples
        written += part.written
        kept += part.kept
        if progress is not None:
            progress(done, settings.count)
    if settings.layout == "shards":
        write_catalogue(folder, shards)
    else:
        _writer(settings).finish(folder, rows)
    return PlanetReport(done, written, kept)


@dataclass(frozen=True)
class _Part:
    """What one job made."""

    samples: int
    written: int
    kept: int
    rows: list[tuple[int, Sample]]
    shards: list[ShardSummary]


class _Maker:
    """Makes parts of one data set, in whichever process."""

    def __init__(self, settings: PlanetSettings, root: Path) -> None:
        self._settings, self._root = settings, root
        planet = Planet(settings.seed)
        self._source: PairSamples | CollectionSamples
        if settings.kind == "pairs":
            kind = _KINDS.get(settings.layout, "pair")
            self._source = PairSamples(
                planet, settings.difficulty, settings.collection, settings.sizes, kind
            )
        else:
            self._source = CollectionSamples(planet, settings.collection, settings.sizes)

    def part(self, number: int) -> _Part:
        if self._settings.layout == "shards":
            return self._shard(number)
        writer = _writer(self._settings)
        written = kept = 0
        rows = []
        for nth, sample in self._samples(number):
            made, there = write_files(self._root, writer.plan(nth, sample))
            written, kept = written + made, kept + there
            rows.append((nth, without_pictures(sample)))
        return _Part(len(rows), written, kept, rows, [])

    def _samples(self, block: int) -> Iterator[tuple[int, Sample]]:
        first = block * self._source.block
        for nth, sample in enumerate(self._source.samples(block), start=first):
            if nth < self._settings.count:
                yield nth, sample

    def _shard(self, number: int) -> _Part:
        path = self._root / f"planet-{number:06d}.tar"
        count = min(SAMPLES_PER_SHARD, self._settings.count - number * SAMPLES_PER_SHARD)
        there = finished_shard(path, count)
        if there is not None:
            return _Part(count, 0, 1, [], [there])
        blocks = SAMPLES_PER_SHARD // self._source.block
        summary = write_shard(
            path,
            (
                (key_of(sample), members_of(sample))
                for block in range(number * blocks, (number + 1) * blocks)
                if block * self._source.block < self._settings.count
                for _, sample in self._samples(block)
            ),
        )
        return _Part(count, 1, 0, [], [summary])


def _writer(settings: PlanetSettings) -> Writer:
    return writer_of(layout_named(settings.layout_name))


def _jobs(settings: PlanetSettings) -> int:
    if settings.layout == "shards":
        return -(-settings.count // SAMPLES_PER_SHARD)
    block = PairSamples.block if settings.kind == "pairs" else CollectionSamples.block
    return -(-settings.count // block)


def _parts(settings: PlanetSettings, root: Path, workers: int) -> Iterator[_Part]:
    """The parts in order; with several workers a few are made ahead."""
    jobs = _jobs(settings)
    if workers == 1 or jobs == 1:
        maker = _Maker(settings, root)
        for number in range(jobs):
            yield maker.part(number)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        min(workers, jobs), context, initializer=_start, initargs=(settings, root)
    ) as pool:
        waiting: list[Future[_Part]] = []
        try:
            for number in range(jobs):
                waiting.append(pool.submit(_work, number))
                if len(waiting) >= _PENDING_PER_WORKER * workers:
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        finally:
            for future in waiting:
                future.cancel()


_maker: _Maker | None = None


def _start(settings: PlanetSettings, root: Path) -> None:
    global _maker
    _maker = _Maker(settings, root)


def _work(number: int) -> _Part:
    assert _maker is not None  # noqa: S101 - the pool has started it
    return _maker.part(number)


__all__ = ["PAIR_LAYOUTS", "PHOTO_LAYOUTS", "PlanetReport", "PlanetSettings", "make"]
