"""What the planet's plans are as rows of a data set, with pictures made when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.layouts.sample import PatchSample, PhotoSample, Sample
from sightline.datasets.rows import AerialPatch, Label, Pair, Photo
from sightline.planet.difficulty import Difficulty, difficulty
from sightline.planet.drone import building_near, drone_shots, street_shots
from sightline.planet.geography import GlobeGeography
from sightline.planet.pairs import PAIRS_PER_AREA, CrossViewPairs, PairPlan
from sightline.planet.photographers import Photographers
from sightline.planet.planet import Planet
from sightline.planet.sample import Taken, stand
from sightline.planet.shots import Shot, Tile

Image = NDArray[np.uint8]

SOURCE = "Sightline's synthetic planet"
LICENCE = "CC0-1.0"
PHOTOS_PER_BLOCK = 64


@dataclass(frozen=True)
class PictureSizes:
    """How large pictures are.

    Args:
        photo: (width, height) of photos in pixels.
        tile_px: Side of the aerial tiles in pixels.
        metres_per_pixel: Of the tiles.
    """

    photo: tuple[int, int]
    tile_px: int
    metres_per_pixel: float


class PairSamples:
    """Samples of cross-view pairs, in blocks of an area.

    Args:
        planet: The planet.
        wanted: The difficulty's names.
        collection: Seed of the data set.
        sizes: Of its pictures.
        kind: ``pair``: a photo and its tile; ``grid``: a photo and four tiles of a grid, as VIGOR
            has them; ``building``: drone and street photos of a building and its tile, as
            University-1652 has them.
    """

    block = PAIRS_PER_AREA

    def __init__(
        self,
        planet: Planet,
        wanted: tuple[str, ...],
        collection: int,
        sizes: PictureSizes,
        kind: str = "pair",
    ) -> None:
        self._planet, self._sizes, self._kind = planet, sizes, kind
        self._difficulty: Difficulty = difficulty(wanted)
        self._prefix = f"planet/{planet.seed}-{collection}"
        tile_m = sizes.tile_px * sizes.metres_per_pixel
        # A building may stand 70 m from the place that the area is planned for.
        reach_m = tile_m + (140.0 if kind == "building" else 0.0)
        self._pairs = CrossViewPairs(
            planet,
            self._difficulty,
            collection,
            tile_m=tile_m if kind == "grid" else reach_m,
            gridded=kind == "grid",
        )

    def samples(self, block: int) -> list[Sample]:
        """The samples of the block with a number; pictures are made when they are asked for."""
        make = {"pair": self._pair, "grid": self._grid, "building": self._building}[self._kind]
        return [make(plan) for plan in self._pairs.area(block)]

    def _pair(self, plan: PairPlan) -> Sample:
        photo = self._photo(plan)
        patch = self._patch(plan.tile, plan.split)
        pair = self._relation(photo, patch, plan.east_m, plan.north_m)
        more = [self._patch(tile, plan.split) for tile in plan.distractors]
        return Sample((photo,), (patch, *more), (pair,))

    def _grid(self, plan: PairPlan) -> Sample:
        photo = self._photo(plan)
        patches = [self._patch(tile, None) for tile in (plan.tile, *plan.neighbours)]
        pairs = [self._relation(photo, patches[0], plan.east_m, plan.north_m)]
        step = self._sizes.tile_px * self._sizes.metres_per_pixel / 2.0
        right, up = (1.0 if x >= 0 else -1.0 for x in (plan.east_m, plan.north_m))
        for patch, (across, along) in zip(patches[1:], ((1, 0), (0, 1), (1, 1)), strict=True):
            east = plan.east_m - across * right * step
            north = plan.north_m - along * up * step
            pairs.append(self._relation(photo, patch, east, north, semi=True))
        return Sample((photo,), tuple(patches), tuple(pairs))

    def _building(self, plan: PairPlan) -> Sample:
        target = building_near(self._planet, plan.shot.latlng) or plan.tile.latlng
        tile = replace(plan.tile, latlng=target)
        split = "train" if plan.split == "train" else "test"
        patch = self._patch(tile, split)
        shots = [("drone", shot) for shot in drone_shots(plan.shot, target)]
        shots += [("street", shot) for shot in street_shots(self._planet, plan.shot, target)]
        photos = []
        for nth, (view, shot) in enumerate(shots):
            key = f"{self._prefix}-{plan.number:07d}-{nth:02d}"
            # Upright frames, as everywhere else in the set.
            photo = self._shot_row(key, shot, split, plan.country, {"view": view})
            photos.append(PhotoSample(photo, self._taker(shot)))
        pairs = [self._relation(photo, patch, None, None) for photo in photos]
        return Sample(tuple(photos), (patch,), tuple(pairs))

    def _photo(self, plan: PairPlan) -> PhotoSample:
        labels: dict[str, Label] = {"city": f"C{plan.country:08x}"}
        shot = plan.shot
        key = f"{self._prefix}-{plan.number:07d}"
        row = self._shot_row(key, shot, plan.split, plan.country, labels)
        if not plan.heading_known:
            labels = {**labels, "hidden_heading_degrees": shot.heading_degrees}
            row = replace(row, heading_degrees=None, labels=labels)
        return PhotoSample(row, self._taker(shot))

    def _shot_row(
        self, key: str, shot: Shot, split: str, country: int, labels: dict[str, Label]
    ) -> Photo:
        return _row(
            key, shot, self._sizes.photo, country=f"{country:08x}", split=split, labels=labels
        )

    def _taker(self, shot: Shot) -> Callable[[], Image]:
        return lambda: shot.take(self._planet, self._sizes.photo)

    def _patch(self, tile: Tile, split: str | None) -> PatchSample:
        sizes = self._sizes
        row = AerialPatch(
            f"{self._prefix}-tile-{tile.name}",
            "-",
            tile.latlng[0],
            tile.latlng[1],
            metres_per_pixel=sizes.metres_per_pixel,
            size_px=sizes.tile_px,
            captured_at=tile.when.isoformat(),
            source=SOURCE,
            licence=LICENCE,
            split=split,
        )
        return PatchSample(
            row, lambda: tile.take(self._planet, sizes.metres_per_pixel, sizes.tile_px)
        )

    def _relation(
        self,
        photo: PhotoSample,
        patch: PatchSample,
        east_m: float | None,
        north_m: float | None,
        *,
        semi: bool = False,
    ) -> Pair:
        return Pair(
            f"{photo.row.id}+{patch.row.id.rsplit('/', 1)[-1]}",
            photo.row.id,
            patch.row.id,
            "semi-positive" if semi else "positive",
            None if east_m is None else round(east_m, 2),
            None if north_m is None else round(north_m, 2),
            photo.row.split,
        )


class CollectionSamples:
    """Samples of a photo collection, as people take them, in blocks of 64 photos.

    Args:
        planet: The planet.
        collection: Seed of the data set: another one has other photographers.
        sizes: Of its pictures.
    """

    block = PHOTOS_PER_BLOCK

    def __init__(self, planet: Planet, collection: int, sizes: PictureSizes) -> None:
        self._planet, self._sizes = planet, sizes
        self._prefix = f"planet/{planet.seed}-{collection}"
        geography = GlobeGeography(planet.world.globe, planet.world.settlements)
        self._photographers = Photographers(planet.seed, geography, collection)

    def samples(self, block: int) -> Iterator[Sample]:
        """The samples of the block with a number; pictures are made when they are asked for.

        One after the other: the planet remembers fewer neighbourhoods than a block has, and a
        picture that is made at once finds that of its own place.
        """
        plans = self._photographers.photos(block * self.block, self.block)
        return (self._sample(stand(self._planet, plan)) for plan in plans)

    def _sample(self, taken: Taken) -> Sample:
        plan, key = taken.plan, f"{self._prefix}-{taken.plan.number:08d}"
        size = self._sizes.photo
        who = f"{self._prefix.rsplit('/', 1)[-1]}-{plan.photographer}"
        if taken.shot is not None:
            labels: dict[str, Label] = {"sight": plan.sight is not None}
            row = _row(key, taken.shot, size, labels=labels, photographer=who)
        else:
            row = Photo(
                key,
                "-",
                *taken.latlng,
                captured_at=plan.when.isoformat(),
                photographer=who,
                source=SOURCE,
                licence=LICENCE,
                width=size[0],
                height=size[1],
                locatable=False,
                labels={"subject": str(taken.subject)},
            )
        return Sample((PhotoSample(row, lambda: taken.take(self._planet, size)),))


def _row(
    key: str,
    shot: Shot,
    size: tuple[int, int],
    *,
    labels: dict[str, Label],
    country: str | None = None,
    split: str | None = None,
    photographer: str | None = None,
) -> Photo:
    return Photo(
        key,
        "-",
        shot.latlng[0],
        shot.latlng[1],
        heading_degrees=shot.heading_degrees,
        fov_degrees=360.0 if shot.panorama else shot.fov_degrees,
        projection="equirectangular" if shot.panorama else "perspective",
        captured_at=shot.when.isoformat(),
        photographer=photographer,
        country=country,
        source=SOURCE,
        licence=LICENCE,
        split=split,
        width=size[0],
        height=size[1],
        locatable=True,
        labels=labels,
    )
