"""Writing samples in VIGOR's layout."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

from sightline.datasets.layouts.layout import PlannedFile
from sightline.datasets.layouts.lists import panorama_key, write_list
from sightline.datasets.layouts.sample import Sample
from sightline.datasets.rows import AerialPatch, Pair, Photo
from sightline.errors import UsageError
from sightline.geo.coordinates import EARTH_RADIUS_M

_METRES_PER_DEGREE = math.radians(EARTH_RADIUS_M)
_SPLITS = {"train": "train", "val": "test", "test": "test"}


class VigorWriter:
    """Writes samples of one panorama and four tiles, the positive and three semi-positives."""

    def plan(self, number: int, sample: Sample) -> Sequence[PlannedFile]:  # noqa: ARG002
        """Say which five files a sample becomes; tiles may be those of other samples too."""
        photo, city, _ = _checked(sample)
        files = [
            PlannedFile(patch.row.id, f"{city}/satellite/{tile_name(patch.row)}", patch.picture)
            for patch in sample.patches
        ]
        uri = f"{city}/panorama/{panorama_name(photo)}"
        return (*files, PlannedFile(photo.id, uri, sample.photos[0].picture))

    def finish(self, root: Path, samples: Iterable[tuple[int, Sample]]) -> None:
        """Write tile lists and labels of both protocols for each city."""
        tiles: dict[str, dict[str, None]] = defaultdict(dict)
        labels: dict[tuple[str, str], list[str]] = defaultdict(list)
        for _, sample in samples:
            photo, city, pairs = _checked(sample)
            patches = {patch.row.id: patch.row for patch in sample.patches}
            tiles[city].update((tile_name(patch), None) for patch in patches.values())
            words = [panorama_name(photo)]
            for pair in pairs:
                words += _tile_words(photo, patches[pair.patch_id])
            labels[city, _SPLITS[photo.split or ""]].append(" ".join(words))
        for city, names in tiles.items():
            folder = root / "splits" / city
            write_list(folder / "satellite_list.txt", sorted(names))
            for split in ("train", "test"):
                lines = labels[city, split]
                write_list(folder / f"same_area_balanced_{split}.txt", lines)
            both = labels[city, "train"] + labels[city, "test"]
            write_list(folder / "pano_label_balanced.txt", both)


def panorama_name(photo: Photo) -> str:
    """Return a panorama's file name, its place in it."""
    return f"{panorama_key(photo.id)},{photo.lat:.6f},{photo.lon:.6f},.jpg"


def tile_name(patch: AerialPatch) -> str:
    """Return a tile's file name, its place in it."""
    return f"satellite_{patch.lat!r}_{patch.lon!r}.png"


def _tile_words(photo: Photo, patch: AerialPatch) -> list[str]:
    # _checked has seen that places and resolution are there.
    lat, lon = cast(float, photo.lat), cast(float, photo.lon)
    scale = _METRES_PER_DEGREE / cast(float, patch.metres_per_pixel)
    north = (cast(float, patch.lat) - lat) * scale
    east = (cast(float, patch.lon) - lon) * scale * math.cos(math.radians(lat))
    return [tile_name(patch), f"{north:.1f}", f"{east:.1f}"]


def _checked(sample: Sample) -> tuple[Photo, str, list[Pair]]:
    """Return a sample's panorama, its city and its pairs, the positive first."""
    photo = sample.photos[0].row if len(sample.photos) == 1 else None
    pairs = sorted(sample.pairs, key=lambda pair: pair.relation != "positive")
    relations = [pair.relation for pair in pairs]
    patches = [patch.row for patch in sample.patches]
    if (
        photo is None
        or relations != ["positive"] + 3 * ["semi-positive"]
        or {pair.patch_id for pair in pairs} != {patch.id for patch in patches}
    ):
        raise _refused("be one photo with one positive and three semi-positive patches", sample)
    city = photo.labels.get("city")
    if not isinstance(city, str) or not city.isalnum() or not city.isascii():
        raise _refused('name its city in labels["city"], in letters', sample)
    if photo.split not in _SPLITS:
        raise _refused(f"be of train or test, and not {photo.split!r}", sample)
    rows: list[Photo | AerialPatch] = [photo, *patches]
    if any(row.lat is None for row in rows) or any(p.metres_per_pixel is None for p in patches):
        raise _refused("have places, and metres per pixel of its patches", sample)
    return photo, city, pairs


def _refused(must: str, sample: Sample) -> UsageError:
    names = ", ".join(repr(photo.row.id) for photo in sample.photos) or "no photo"
    return UsageError(
        f"A sample of vigor must {must}. Got {names}.",
        hint="Choose the layout plain for other samples.",
    )
