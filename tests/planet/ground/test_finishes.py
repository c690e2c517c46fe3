from __future__ import annotations

import numpy as np

from sightline.planet.ground.finishes import LEVELS, PERIOD_M, SIDE, Finish, finishes, starts


def test_finishes_keep_the_mean_colour_at_every_distance() -> None:
    table = finishes().reshape(len(Finish), LEVELS, SIDE, SIDE)
    np.testing.assert_allclose(table.mean(axis=(2, 3)), 1, atol=1e-3)
    spread = table.std(axis=(2, 3))
    assert (np.diff(spread, axis=1) <= 1e-6).all()
    assert (spread[:, -1] == 0).all()


def test_columns_repeat_after_the_period() -> None:
    along = np.array([0.3, 0.3 + PERIOD_M, -PERIOD_M + 0.3], np.float32)
    near = starts(np.full(3, Finish.BRICK), np.full(3, 0.01, np.float32), along)
    assert len(set(near.tolist())) == 1
    far = starts(np.full(3, Finish.BRICK), np.full(3, 2.0, np.float32), along)
    assert (far - near == 3 * SIDE * SIDE).all()
