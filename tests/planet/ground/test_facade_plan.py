from __future__ import annotations

import numpy as np
from tests.planet.scenes import town

from sightline.planet.ground.facade_plan import facade_plan
from sightline.planet.ground.facade_tiles import tile_set
from sightline.planet.world.contents import BoxKind


def test_a_town_gets_a_plan() -> None:
    buildings, styles = town().buildings, town().styles
    plan = facade_plan(buildings, styles)
    count = len(buildings.house)
    assert count > 50
    for name in ("upper", "other", "ground", "special", "end", "top", "gable"):
        numbers = getattr(plan, name)
        assert numbers.shape == (count,)
        assert numbers.min() >= 0
        assert numbers.max() < tile_set().count
    assert plan.floors.min() >= 1
    assert (plan.hedge == (buildings.kind == BoxKind.HEDGE)).all()
    assert plan.plain[plan.hedge].all()
    assert (plan.paints >= 0).all()
    assert (plan.paints <= 1).all()
    # Floors fill the walls.
    houses = np.flatnonzero(~plan.plain)
    left = buildings.eave_m[houses] - plan.floors[houses] * plan.floor_m[houses]
    assert (left < plan.floor_m[houses] + 1e-3).all()


def test_parts_of_a_house_look_alike_in_any_order() -> None:
    buildings, styles = town().buildings, town().styles
    plan = facade_plan(buildings, styles)
    order = np.random.default_rng(3).permutation(len(buildings.house))
    again = facade_plan(buildings.rows(order), styles)
    assert (again.ground == plan.ground[order]).all()
    assert (again.seed == plan.seed[order]).all()
    assert (again.paints == plan.paints[order]).all()
