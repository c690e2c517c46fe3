from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.planet.ground.roofs import Chords, OutlineChords
from sightline.planet.ground.vehicle_shapes import Shape
from sightline.planet.world.contents import RoofKind


def _chord(kind: type[Chords], turn: float, away: float, roof: int, aside: float) -> Chords | None:
    """A ray from (-away, aside), turned, over a box of 5 by 3."""
    rate = np.array([math.cos(turn), math.sin(turn)])
    eye = np.array([-away * rate[0] - aside * rate[1], -away * rate[1] + aside * rate[0]])
    rate = np.where(np.abs(rate) < 1e-4, 1e-4, rate)
    near = np.maximum.reduce((-eye / rate) - np.array([5, 3]) / np.abs(rate))
    far = np.minimum.reduce((-eye / rate) + np.array([5, 3]) / np.abs(rate))
    if not 0.5 < near < far - 0.05:
        return None
    numbers = [eye[0], eye[1], rate[0], rate[1], near, far, 5, 3, 1.5, 2.5]
    return kind(*(np.array([n], np.float32) for n in numbers), np.array([roof], np.int8))


@settings(max_examples=150, deadline=None)
@given(
    turn=st.floats(0, 6.28),
    away=st.floats(7, 40),
    aside=st.floats(-4, 4),
    roof=st.sampled_from([RoofKind.GABLE, RoofKind.HIP, RoofKind.SHED]),
)
def test_the_silhouette_is_the_highest_slope_over_the_chord(
    turn: float, away: float, aside: float, roof: RoofKind
) -> None:
    _check(_chord(Chords, turn, away, roof, aside), 1e-3)


@settings(max_examples=80, deadline=None)
@given(
    turn=st.floats(0, 6.28),
    away=st.floats(7, 40),
    aside=st.floats(-4, 4),
    shape=st.sampled_from(list(Shape)),
)
def test_the_outline_of_a_vehicle_is_its_silhouette(
    turn: float, away: float, aside: float, shape: Shape
) -> None:
    # The outline is tabulated in 64 steps: at a corner between two it is up to 5 cm off.
    _check(_chord(OutlineChords, turn, away, shape, aside), 9e-2)


def _check(chord: Chords | None, tolerance: float) -> None:
    if chord is None:
        return
    wall, top, peak = (float(part[0]) for part in chord.silhouette())
    distances = np.linspace(float(chord.enter[0]), float(chord.leave[0]), 400)
    slopes = [
        float(chord.heights(np.array([distance], np.float32))[0]) / distance
        for distance in distances
    ]
    assert abs(wall - slopes[0]) < 1e-4
    # Between two samples a ridge rises by up to a hundredth of its distance.
    assert max(slopes) - tolerance <= top <= max(slopes) + tolerance + 1e-2
    assert float(chord.enter[0]) - 1e-3 <= peak <= float(chord.leave[0]) + 1e-3


def test_roofs_have_the_heights_of_their_kind() -> None:
    def height(roof: int, along: float, across: float) -> float:
        numbers = [along, across, 1, 1, 0, 0, 6, 2, 3, 1]
        chord = Chords(*(np.array([n], np.float32) for n in numbers), np.array([roof], np.int8))
        return float(chord.heights(np.zeros(1, np.float32))[0])

    assert height(RoofKind.GABLE, 5.9, 0) == 4
    assert height(RoofKind.GABLE, 0, 1) == 3.5
    assert height(RoofKind.HIP, 0, 0) == 4
    assert height(RoofKind.HIP, 5, 0) == 3.5
    assert height(RoofKind.SHED, 0, 2) == 4
    assert height(RoofKind.SHED, 0, -2) == 3


def test_normals_stand_on_the_slopes() -> None:
    def normal(roof: int, along: float, across: float) -> tuple[float, float, float]:
        numbers = [along, across, 1, 1, 0, 0, 6, 2, 3, 1]
        chord = Chords(*(np.array([n], np.float32) for n in numbers), np.array([roof], np.int8))
        return tuple(float(part[0]) for part in chord.normals(np.zeros(1, np.float32)))  # type: ignore[return-value]

    for roof, along, across, sign in (
        (RoofKind.GABLE, 0, 1.0, (0, 1)),
        (RoofKind.GABLE, 0, -1.0, (0, -1)),
        (RoofKind.HIP, 5.9, 0.1, (1, 0)),
        (RoofKind.HIP, 0, 1.0, (0, 1)),
        (RoofKind.SHED, 0, 0.5, (0, -1)),
    ):
        n = normal(roof, along, across)
        assert abs(sum(part * part for part in n) - 1) < 1e-5
        assert (np.sign(n[0]), np.sign(n[1])) == sign
        assert n[2] > 0.5
