from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.datasets.preparation import (
    FIELDS_OF_VIEW_DEGREES,
    ViewSettings,
    cut_columns,
    four_views,
    view_headings,
    view_of,
)
from sightline.errors import UsageError
from sightline.imagery import perspective_views


def panorama(height: int = 64, width: int = 360) -> np.ndarray:
    """Column x has the red value x / 2, so that a cut shows where it came from."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.arange(width) // 2 % 256
    pixels[..., 1] = np.arange(height)[:, None]
    return pixels


def test_four_views_look_to_the_four_sides():
    pixels = panorama(180)
    views = four_views("cvusa/7", pixels, heading_degrees=300.0, size=32)
    assert [view.id for view in views] == [
        f"cvusa/7#{turn}" for turn in ("000", "090", "180", "270")
    ]
    assert [view.heading_degrees for view in views] == [300.0, 30.0, 120.0, 210.0]
    cuts = perspective_views(pixels, size=32)
    for view, cut in zip(views, cuts, strict=True):
        assert (view.pixels == cut).all()
        assert view.fov_degrees == 90
    # The middle of a view is the panorama's column at its heading, right of the centre column 180.
    assert views[1].pixels[16, 16, 0] == pytest.approx(270 // 2, abs=2)
    assert four_views("x", pixels)[0].heading_degrees is None


def test_four_views_of_a_band_take_all_its_columns():
    pixels = panorama(30, 360)
    views = four_views("cvusa/7", pixels, cut="columns", heading_degrees=0)
    assert [view.heading_degrees for view in views] == [0, 90, 180, 270]
    assert all(view.pixels.shape == (30, 90, 3) for view in views)
    west_to_south = np.concatenate([views[n].pixels for n in (3, 0, 1, 2)], axis=1)
    assert (west_to_south == np.roll(pixels, -45, axis=1)).all()
    with pytest.raises(UsageError, match=r"columns without a size. Got 'columns' and 32"):
        four_views("x", pixels, cut="columns", size=32)
    with pytest.raises(UsageError, match="cut must be perspective"):
        four_views("x", pixels, cut="cube")  # type: ignore[arg-type]


@given(
    st.sampled_from(FIELDS_OF_VIEW_DEGREES),
    st.floats(-720, 720),
    st.integers(1, 400),
)
def test_columns_are_those_about_the_heading(fov, turn, width):
    pixels = panorama(2, width)
    pixels[0, :, 2] = np.arange(width) % 256
    taken = max(1, round(width * fov / 360))
    cut = cut_columns(pixels, fov, turn)
    assert cut.shape == (2, taken, 3)
    shift = round(width * turn / 360)
    slow = [pixels[:, (shift + (width - taken) // 2 + x) % width] for x in range(taken)]
    assert (cut == np.stack(slow, axis=1)).all()


def test_the_whole_circle_is_turned_and_nothing_lost():
    pixels = panorama()
    assert (cut_columns(pixels, 360) == pixels).all()
    assert (cut_columns(pixels, 360, 90) == np.roll(pixels, -90, axis=1)).all()
    assert (cut_columns(pixels, 90)[0, 45] == pixels[0, 180]).all()


def test_a_random_heading_belongs_to_the_id():
    ids = [f"p/{number}" for number in range(2000)]
    settings = ViewSettings(90, "unknown", seed=3)
    turns = view_headings(ids, settings)
    assert turns.min() >= 0
    assert turns.max() < 360
    assert np.histogram(turns, 8, (0, 360))[0].min() > 190
    assert (view_headings(ids[::-1], settings)[::-1] == turns).all()
    assert (view_headings(ids[5:9], settings) == turns[5:9]).all()
    for other in (
        view_headings(ids, ViewSettings(90, "unknown", seed=4)),
        view_headings(ids, settings, epoch=0),
        view_headings(ids, settings, epoch=1),
    ):
        assert (other != turns).mean() > 0.99
    # The field of view takes nothing from the draw: the test of 70° looks where that of 180° does.
    assert (view_headings(ids, ViewSettings(180, "unknown", seed=3)) == turns).all()
    assert not view_headings(ids, ViewSettings(90)).any()


def test_view_of_a_panorama():
    pixels = panorama()
    settings = ViewSettings(70, "unknown", seed=1)
    view = view_of("p/1", pixels, settings, heading_degrees=100.0)
    turn = float(view_headings(["p/1"], settings)[0])
    assert view.turn_degrees == turn
    assert view.heading_degrees == pytest.approx((100 + turn) % 360)
    assert view.id == f"p/1#{int(turn):03d}"
    assert (view.pixels == cut_columns(pixels, 70, turn)).all()
    known = view_of("p/1", pixels, ViewSettings(180))
    assert (known.pixels == pixels[:, 90:270]).all()
    assert known.heading_degrees is None
    assert view_of("p/1", pixels, settings, epoch=2).turn_degrees != turn


@pytest.mark.parametrize("fov", [0, -90, 361, float("nan")])
def test_impossible_angles(fov):
    with pytest.raises(UsageError, match=r"fov_degrees must be more than 0 and at most 360. Got"):
        ViewSettings(fov)
    with pytest.raises(UsageError, match="fov_degrees must"):
        cut_columns(panorama(), fov)


def test_bad_arguments():
    with pytest.raises(UsageError, match=r"known or unknown. Got 'north'"):
        ViewSettings(90, "north")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="turn_degrees must be a finite number"):
        cut_columns(panorama(), 90, float("inf"))
    with pytest.raises(UsageError, match=r"shape \(h, w, 3\). Got \(4, 4\)"):
        cut_columns(np.zeros((4, 4), np.uint8), 90)
