"""Data sets made of the planet: any amount, in public layouts, resumable, in parallel.

The same settings give the same bytes, whatever the number of processes, and a smaller data set is
the beginning of a larger one.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sightline.datasets.dataset import Dataset
from sightline.datasets.layouts import Layout, layout_named
from sightline.datasets.layouts.sample import Sample
from sightline.datasets.layouts.writing import (
    begin,
    encoded,
    without_pictures,
    write_files,
    writer_of,
)
from sightline.datasets.planet_samples import CollectionSamples, PairSamples, PictureSizes
from sightline.datasets.reading.shard_index import find_shards
from sightline.datasets.reading.shards import ShardSummary, write_catalogue, write_shard
from sightline.datasets.rows import AerialPatch, Pair, Photo
from sightline.durable import make_folder, write_json
from sightline.errors import UsageError
from sightline.planet.difficulty import difficulty
from sightline.planet.planet import Planet
from sightline.planet.version import RENDER_VERSION, WORLD_VERSION

SAMPLES_PER_SHARD = 512
SETTINGS_FILE = "planet.json"
"""Beside the data: the planet's versions and the settings that made it."""

PAIR_LAYOUTS = {
    "folders": "plain",
    "shards": "shards",
    "cvusa": "cvusa_zhai",
    "cvact": "cvact",
    "vigor": "vigor",
    "university1652": "university1652",
}
PHOTO_LAYOUTS = {
    "folders": "plain",
    "shards": "shards",
    **{name: name for name in ("im2gps", "im2gps3k", "yfcc4k", "yfcc25k")},
}
_PANORAMAS_ONLY = ("cvusa", "cvact", "vigor")
_ONE_TILE = ("cvusa", "cvact", "vigor", "university1652")
_KINDS = {"vigor": "grid", "university1652": "building"}
_PENDING_PER_WORKER = 3


@dataclass(frozen=True)
class PlanetSettings:
    """What a data set of the planet is.

    Args:
        kind: ``pairs`` or ``photos``.
        count: How many.
        layout: One of ``PAIR_LAYOUTS`` or ``PHOTO_LAYOUTS``.
        seed: Which planet.
        collection: Which data set of it.
        difficulty: Names of :mod:`sightline.planet.difficulty`, for pairs.
        width: Of the photos; None: 224, panoramas 512.
        height: Of the photos; None: 224, panoramas 128.
        tile_px: Side of the aerial tiles.
        metres_per_pixel: Of the tiles.

    Raises:
        UsageError: A setting is impossible, or two of them together.
    """

    kind: str
    count: int
    layout: str = "folders"
    seed: int = 0
    collection: int = 0
    difficulty: tuple[str, ...] = ()
    width: int | None = None
    height: int | None = None
    tile_px: int = 224
    metres_per_pixel: float = 0.5

    def __post_init__(self) -> None:
        _one_of("kind", self.kind, ("pairs", "photos"))
        layouts = PAIR_LAYOUTS if self.kind == "pairs" else PHOTO_LAYOUTS
        _one_of(f"The layout of {self.kind}", self.layout, tuple(layouts))
        for name in ("count", "tile_px", "metres_per_pixel", "width", "height"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UsageError(
                    f"{name} must be positive. Got {value!r}.", hint="Give a larger one."
                )
        if self.kind == "photos" and self.difficulty:
            raise UsageError(
                f"A difficulty belongs to pairs. Got {', '.join(self.difficulty)!r} for photos.",
                hint="Leave it out, or ask for --pairs.",
            )
        if self.kind == "pairs":
            self._check_pairs()

    def _check_pairs(self) -> None:
        wanted = difficulty(self.difficulty)
        if self.layout in _PANORAMAS_ONLY and not wanted.panorama:
            raise UsageError(
                f"The layout {self.layout!r} holds panoramas. Got the difficulty {wanted.name!r}.",
                hint="Choose the layout folders or shards, or a difficulty with panoramas.",
            )
        if self.layout in _ONE_TILE and wanted.distractors:
            raise UsageError(
                f"The layout {self.layout!r} has no place for tiles without a photo. Got the "
                f"difficulty {wanted.name!r}.",
                hint="Choose the layout folders or shards, or leave out 'large-gallery'.",
            )
        if self.layout == "vigor" and wanted.offset_m:
            raise UsageError(
                "The layout 'vigor' has offsets of its own, from its grid of tiles. Got the "
                "difficulty 'offset'.",
                hint="Leave out 'offset'.",
            )

    @property
    def sizes(self) -> PictureSizes:
        """Sizes of its pictures."""
        panorama = (
            self.kind == "pairs"
            and self.layout != "university1652"
            and difficulty(self.difficulty).panorama
        )
        width, height = (512, 128) if panorama else (224, 224)
        photo = (self.width or width, self.height or height)
        return PictureSizes(photo, self.tile_px, self.metres_per_pixel)

    def provenance(self) -> dict[str, Any]:
        """All that makes this data set and no other, as JSON has it; ``count`` may grow."""
        document = asdict(self)
        del document["count"]
        return {
            "made_of": "sightline planet",
            "world_version": WORLD_VERSION,
            "render_version": RENDER_VERSION,
            **document,
            "difficulty": list(self.difficulty),
        }


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
    layout = _layout(settings)
    begin(folder, layout, settings.provenance())
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
        writer_of(layout).finish(folder, rows)
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
        self._layout = _layout(settings)
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
        writer = writer_of(self._layout)
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
        there = _finished(path, count)
        if there is not None:
            return _Part(count, 0, 1, [], [there])
        blocks = SAMPLES_PER_SHARD // self._source.block
        summary = write_shard(
            path,
            (
                (_key(sample), _members(sample))
                for block in range(number * blocks, (number + 1) * blocks)
                if block * self._source.block < self._settings.count
                for _, sample in self._samples(block)
            ),
        )
        return _Part(count, 1, 0, [], [summary])


def _finished(path: Path, samples: int) -> ShardSummary | None:
    """The summary of a shard that is there and whole, with as many samples as it shall have."""
    from sightline.datasets.reading.shard_index import index_shard

    if not path.exists():
        return None
    index = index_shard(find_shards(path)[0])
    if len(index) != samples:
        return None
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return ShardSummary(path.name, samples, path.stat().st_size, digest.hexdigest())


def _key(sample: Sample) -> str:
    return sample.photos[0].row.id.rsplit("/", 1)[-1]


def _members(sample: Sample) -> dict[str, Any]:
    """The files of a sample in a shard: pictures as JPEG, and one JSON document with the rows."""
    rows: dict[str, Any] = {"photo": _document(sample.photos[0].row)}
    members: dict[str, Any] = {"photo.jpg": _jpeg(sample.photos[0].picture)}
    for nth, patch in enumerate(sample.patches):
        kind = "aerial" if nth == 0 else f"distractor{nth}"
        members[f"{kind}.jpg"] = _jpeg(patch.picture)
        rows[kind] = _document(patch.row)
    if sample.pairs:
        rows["pair"] = _document(sample.pairs[0])
    return {**members, "json": rows}


def _jpeg(picture: Any) -> bytes:
    return encoded(picture() if callable(picture) else picture, ".jpg")


def _document(row: Photo | AerialPatch | Pair) -> dict[str, Any]:
    fields = {name: getattr(row, name) for name in row.__dataclass_fields__}
    kept = {k: v for k, v in fields.items() if v is not None and k not in ("uri", "origin")}
    return {k: dict(v) if k == "labels" else v for k, v in kept.items() if k != "labels" or v}


def _layout(settings: PlanetSettings) -> Layout:
    layouts = PAIR_LAYOUTS if settings.kind == "pairs" else PHOTO_LAYOUTS
    name = layouts[settings.layout]
    if name != "shards":
        return layout_named(name)
    return Layout("shards", "WebDataset shards", "docs/planet.md", lambda _: None, _not_read)


def _not_read(root: Path, variant: str | None) -> Dataset:  # noqa: ARG001
    raise UsageError(
        "Shards are read by sightline.datasets.reading, and are no layout of folders.",
        hint="See docs/planet.md.",
        path=root,
    )


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(
            f"{name} must be one of {', '.join(choices)}. Got {value!r}.",
            hint="Choose one of them.",
        )


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
