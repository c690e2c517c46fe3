from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.planet.scenes import noon, viewpoint

from sightline.planet.ground import sprites as module
from sightline.planet.ground.camera import Camera
from sightline.planet.ground.sprite_drawing import SECOND, SIDE
from sightline.planet.ground.sprite_shapes import (
    SMALL,
    VARIANTS,
    furniture_number,
    plant_number,
    sprite_set,
)
from sightline.planet.ground.sprites import Sprites, paint_sprites, visible
from sightline.planet.looks.lighting import lighting
from sightline.planet.world.contents import FurnitureKind, Species


def _stand(places: list[tuple[float, float]], colours: list[tuple[float, float, float]]) -> Sprites:
    count = len(places)
    table = np.array(places, np.float32).reshape(count, 2)
    one = np.ones(count, np.float32)
    return Sprites(
        table[:, 0], table[:, 1], -2.2 * one, 6 * one, 2 * one,
        plant_number(np.full(count, Species.CYPRESS), np.zeros(count, np.int32), one < 0),
        one < 0, np.array(colours, np.float32), np.array(colours, np.float32), 0 * one, 0 * one,
    )  # fmt: skip


def _painted(sprites: Sprites, depth: float = 1e9, panorama: bool = False) -> np.ndarray:
    view = viewpoint(Camera(size=(64, 32) if panorama else (64, 64), panorama=panorama))
    height, width = view.projection.height, view.projection.width
    planes = np.zeros((3, height * width), np.float32)
    paint_sprites(
        planes, view, lighting(noon()), sprites, np.full((height, width), depth, np.float32)
    )
    return planes.reshape(3, height, width)


def test_numbers_name_all_pictures_once() -> None:
    plants = [
        int(plant_number(np.array([s]), np.array([v]), np.array([bare]))[0])
        for s in Species
        for v in range(VARIANTS)
        for bare in (False, True)
    ]
    things = [
        int(furniture_number(np.array([kind]), np.array([form]))[0])
        for kind in FurnitureKind
        for form in range(4)
    ]
    pictures = sprite_set().small // SIDE**2
    assert sorted(plants + things) == list(range(pictures))
    assert sprite_set().texels.size == pictures * (SIDE**2 + SMALL**2)


def test_pictures_stand_on_their_foot_and_the_small_ones_resemble_them() -> None:
    texels = sprite_set().texels
    large = texels[: sprite_set().small].reshape(-1, SIDE, SIDE)
    small = texels[sprite_set().small :].reshape(-1, SMALL, SMALL)
    assert ((large[:, :, -10:] > 0).sum(axis=(1, 2)) > 0).all()
    assert ((large > 0).mean(axis=(1, 2)) > 0.02).all()
    share = (large > 0).mean(axis=(1, 2)), (small > 0).mean(axis=(1, 2))
    assert abs(share[0] - share[1]).mean() < 0.08
    leafy = plant_number(np.array([Species.BROADLEAF]), np.array([0]), np.array([False]))[0]
    bare = plant_number(np.array([Species.BROADLEAF]), np.array([0]), np.array([True]))[0]
    assert ((large[leafy] > 0) & (large[leafy] < SECOND)).sum() > 1000
    assert ((large[bare] > 0) & (large[bare] < SECOND)).sum() == 0


def test_the_nearer_sprite_hides_the_farther_one() -> None:
    light = lighting(noon())
    both = _stand([(0, 8), (0, 16)], [(1, 0, 0), (0, 1, 0)])
    picture = _painted(both)
    alone = _painted(_stand([(0, 16)], [(0, 1, 0)]))
    assert picture[0].max() > 0.3
    hidden = (alone[1] > 0.2) & (picture[0] > picture[1])
    assert hidden.mean() > 0.01
    assert light.direct.max() > 0.5


def test_walls_hide_sprites_behind_them() -> None:
    tree = _stand([(0, 10)], [(1, 0, 0)])
    assert _painted(tree, depth=5.0).max() == 0
    assert _painted(tree, depth=20.0).max() > 0


def test_a_sprite_behind_is_seen_in_a_panorama_across_the_seam() -> None:
    picture = _painted(_stand([(0, -6)], [(1, 0, 0)]), panorama=True)
    assert picture[0, :, 0].max() > 0
    assert picture[0, :, -1].max() > 0
    assert picture[0, :, 32].max() == 0


def test_only_what_can_be_seen_is_drawn_nearest_first() -> None:
    view = viewpoint(Camera(size=(64, 64)))
    east = np.array([0, 0, 0, 0, 0.5], np.float32)
    north = np.array([30, -30, 10, 500, 1.0], np.float32)
    size = np.full(5, 4, np.float32)
    assert visible(view, east, north, size, size / 4, 100.0).tolist() == [2, 0]


def test_a_crowd_is_cut_to_what_can_be_paid_for() -> None:
    places = [(x * 0.1, 4.0 + x * 0.01) for x in range(40)]
    crowd = _stand(places, [(1, 0, 0)] * 40)
    whole = _painted(crowd)
    limit = module.MOST_PIXELS
    try:
        module.MOST_PIXELS = 3000
        part = _painted(crowd)
    finally:
        module.MOST_PIXELS = limit
    assert 0 < (part[0] > 0).sum() < (whole[0] > 0).sum()


def test_lamps_shine_and_shade_darkens() -> None:
    tree = _stand([(0, 10)], [(0.5, 0.5, 0.5)])
    plain = _painted(tree).sum()
    assert _painted(replace(tree, glow=np.ones(1, np.float32))).sum() > plain
    assert _painted(replace(tree, shaded=np.ones(1, np.float32))).sum() < plain
