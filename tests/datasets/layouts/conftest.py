"""Samples to write, and a look at what was read: small, but whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from sightline.datasets.dataset import Dataset
from sightline.datasets.layouts.sample import PatchSample, PhotoSample, Sample
from sightline.datasets.records import RecordProblem
from sightline.datasets.rows import AerialPatch, Pair, Photo

METRES_PER_DEGREE = np.radians(6_371_008.8)


def pixels(number: int, height: int = 16, width: int = 24) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (height, width, 3)).astype(np.uint8)


def photo(number: int, **changes: object) -> Photo:
    lat, lon = 48.5 + 0.001 * (number // 10), -0.25 + 0.001 * (number % 10)
    values: dict = {"lat": lat, "lon": lon, "split": "test" if number % 4 == 3 else "train"}
    return Photo(f"planet/7/{number}", "to be said", **{**values, **changes})


def pair_sample(number: int, **changes: object) -> Sample:
    row = photo(number, **changes)
    patch = AerialPatch(f"planet/7/{number}/aerial", "to be said", row.lat, row.lon, 0.25)
    return Sample.of_pair(row, pixels(number), patch, pixels(1000 + number, 20, 20))


def vigor_sample(number: int, city: str = "Seattle", **changes: object) -> Sample:
    """A photo in a grid of tiles 36.48 m apart, its own tile and the three beside it."""
    step = 36.48 / METRES_PER_DEGREE
    place = {"lat": 48.5 + 0.0002 * (number // 10), "lon": -0.25 + 0.0002 * (number % 10)}
    row = photo(number, **{"labels": {"city": city}, **place, **changes})
    shrink = np.cos(np.radians(48.5))
    at = row.lat / step, row.lon / step * shrink
    near = np.round(at).astype(int)
    other = near + np.where(np.array(at) > near, 1, -1)
    corners = [(near[0], near[1]), (other[0], near[1]), (near[0], other[1]), (other[0], other[1])]
    tiles = [
        AerialPatch(f"planet/7/tile-{a}-{b}", "to be said", a * step, b * step / shrink, 0.1)
        for a, b in corners
    ]
    pairs = [
        Pair(f"{row.id}/{rank}", row.id, tile.id, "semi-positive" if rank else "positive")
        for rank, tile in enumerate(tiles)
    ]
    return Sample(
        (PhotoSample(row, pixels(number)),),
        tuple(PatchSample(tile, pixels(crc32(tile.id.encode()) % 997, 20, 20)) for tile in tiles),
        tuple(pairs),
    )


@dataclass
class Read:
    """All rows of a dataset, and its problems."""

    photos: list[Photo] = field(default_factory=list)
    patches: list[AerialPatch] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    problems: list[RecordProblem] = field(default_factory=list)

    @property
    def messages(self) -> list[str]:
        return [problem.error.message for problem in self.problems]


def told(item: object) -> object:
    """A row, or what is said of a problem: errors are equal to nothing else."""
    return (item.line, item.error.message) if isinstance(item, RecordProblem) else item


@pytest.fixture
def read_all() -> Callable[[Dataset], Read]:
    def read(dataset: Dataset) -> Read:
        found = Read()
        for stream, rows in (
            (dataset.photos, found.photos),
            (dataset.patches, found.patches),
            (dataset.pairs, found.pairs),
        ):
            items = list(stream())
            again = list(stream())
            assert list(map(told, items)) == list(map(told, again)), "the same rows again"
            rows += [item for item in items if not isinstance(item, RecordProblem)]
            found.problems += [item for item in items if isinstance(item, RecordProblem)]
        for rows in (found.photos, found.patches, found.pairs):
            assert len({row.id for row in rows}) == len(rows)
        photos, patches = {row.id for row in found.photos}, {row.id for row in found.patches}
        assert all(pair.photo_id in photos and pair.patch_id in patches for pair in found.pairs)
        return found

    return read


def touch_images(root: Path, uris: Iterable[str]) -> Iterator[Path]:
    from PIL import Image

    for number, uri in enumerate(uris):
        path = root / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(number)).save(path)
        yield path
