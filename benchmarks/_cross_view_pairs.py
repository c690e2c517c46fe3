"""Pairs of the planet with several test sets at once, as a manifest.

Training and validation: half centred, half offset tiles, of two towns. Tests, each alone a gallery:
other places of these towns (seen) and towns of countries that training never saw (unseen), centred
and offset apart.
"""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from _planet_places import numbers_of
from sightline.datasets import write_manifest
from sightline.datasets.layouts import layout_named, read
from sightline.datasets.layouts.sample import Sample
from sightline.datasets.layouts.writing import begin, without_pictures, write_files, writer_of
from sightline.datasets.planet_samples import PairSamples, PictureSizes
from sightline.planet.pairs import PAIRS_PER_AREA
from sightline.planet.planet import Planet
from sightline.planet.regions import Split

SEED = 0
TESTS = ("seen-centred", "seen-offset", "unseen-centred", "unseen-offset")
SIZES = PictureSizes(photo=(256, 64), tile_px=128, metres_per_pixel=0.875)


@dataclass(frozen=True)
class PairSet:
    """Pairs of one kind.

    Args:
        split: What the manifest calls it.
        names: Difficulty settings.
        collection: Which data set of the planet.
        part: Which areas of it.
        first: How many of the part's pairs to leave out, so that ids differ.
        count: How many pairs.
    """

    split: str
    names: tuple[str, ...]
    collection: int
    part: Split
    first: int
    count: int

    @property
    def areas(self) -> list[int]:
        """The areas that hold them."""
        return numbers_of(self.part, self.first, self.count)


def pair_sets(train: int, validation: int, test: int) -> list[PairSet]:
    """What a manifest holds, from the number of training, validation and, each, test pairs."""
    found = []
    # The next collection's towns lie in the country that is unseen in the first.
    for collection, kind, more in ((0, "centred", ()), (2, "offset", ("offset",))):
        names = ("aligned-panorama", *more)
        found += [
            PairSet("train", names, collection, "train", 0, train // 2),
            PairSet("val", names, collection, "val", 0, validation // 2),
            PairSet(f"seen-{kind}", names, collection, "test", 0, test),
            PairSet(f"unseen-{kind}", (*names, "unseen-country"), collection, "test", test, test),
        ]
    return found


def make_pairs(folder: Path, sets: list[PairSet], workers: int) -> Path:
    """Make the pairs, once; go on where an earlier run was stopped.

    Returns:
        The manifest's folder.

    Raises:
        RuntimeError: A country that is called unseen is trained in.
    """
    target = folder / "manifest"
    if (target / "pairs.parquet").is_file():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    layout = layout_named("plain")
    begin(folder, layout.name, {"sets": [repr(one) for one in sets], "sizes": repr(SIZES)})
    jobs = [(folder, one, area) for one in sets for area in one.areas]
    rows: list[Sample] = []
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for done, part in enumerate(pool.imap(_area, jobs, chunksize=4), start=1):
            rows += part
            if done % 250 == 0 or done == len(jobs):
                print(f"{len(rows)} of {PAIRS_PER_AREA * len(jobs)} pairs", flush=True)
    trained = {s.photos[0].row.country for s in rows if s.photos[0].row.split == "train"}
    unseen = {
        s.photos[0].row.country for s in rows if (s.photos[0].row.split or "").startswith("unseen")
    }
    if trained & unseen:
        raise RuntimeError(f"Countries {trained & unseen} are trained in and called unseen.")
    writer_of(layout).finish(folder, list(enumerate(rows)))
    write_manifest(target, read(folder, "plain"), files="read")
    return target


@lru_cache(1)
def _planet() -> Planet:
    return Planet(SEED)


@lru_cache(2)
def _source(names: tuple[str, ...], collection: int) -> PairSamples:
    return PairSamples(_planet(), names, collection, SIZES)


def _area(job: tuple[Path, PairSet, int]) -> list[Sample]:
    folder, own, area = job
    writer = writer_of(layout_named("plain"))
    made = []
    for nth, sample in enumerate(_source(own.names, own.collection).samples(area)):
        named = _in_split(sample, own.split)
        number = PAIRS_PER_AREA * area + nth
        write_files(folder, writer.plan(number, named))
        made.append(without_pictures(named))
    return made


def _in_split(sample: Sample, split: str) -> Sample:
    return Sample(
        tuple(replace(photo, row=replace(photo.row, split=split)) for photo in sample.photos),
        tuple(replace(patch, row=replace(patch.row, split=split)) for patch in sample.patches),
        tuple(replace(pair, split=split) for pair in sample.pairs),
    )
