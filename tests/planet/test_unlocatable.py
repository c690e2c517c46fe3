"""Pictures without a place: the same for a key, different between keys, of every subject."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.errors import UsageError
from sightline.planet.draws import Draws
from sightline.planet.unlocatable import SHARES, Subject, picture, subject_of
from sightline.planet.unlocatable.canvas import Sketch


@pytest.mark.parametrize("subject", list(Subject))
def test_every_subject_in_any_size(subject: Subject) -> None:
    for number, size in enumerate([(16, 16), (48, 96), (97, 41)]):
        for key in range(6):
            drawn = picture(subject, number, key, size=size)
            assert drawn.shape == (*size, 3)
            assert drawn.dtype == np.uint8
            assert drawn.std() > 2, (subject, number, key)


@pytest.mark.parametrize("subject", list(Subject))
def test_a_key_is_one_picture(subject: Subject) -> None:
    drawn = [picture(subject.value, 5, key, size=(64, 64)) for key in range(12)]
    again = picture(subject, 5, 3, size=(64, 64))
    np.testing.assert_array_equal(drawn[3], again)
    differences = [
        np.abs(a.astype(int) - b.astype(int)).mean() for i, a in enumerate(drawn) for b in drawn[:i]
    ]
    assert min(differences) > 4


def test_subjects_look_different_on_average() -> None:
    """A colour histogram tells most subjects apart, so a filter can be learnt from them."""

    def histogram(image: np.ndarray) -> np.ndarray:
        bins = (image // 64).astype(int)
        return np.bincount(
            (bins[..., 0] * 16 + bins[..., 1] * 4 + bins[..., 2]).ravel(), minlength=64
        )

    known, asked = [], []
    for row, subject in enumerate(Subject):
        for key in range(24):
            found = histogram(picture(subject, 1, key, size=(48, 48))) ** 0.5
            (known if key < 16 else asked).append((row, found / np.linalg.norm(found)))
    right = sum(max(known, key=lambda k: k[1] @ mine)[0] == row for row, mine in asked)
    assert right / len(asked) > 0.5  # chance: 0.25


def test_shares() -> None:
    drawn = [subject_of(3, key) for key in range(2000)]
    for subject, share in zip(Subject, SHARES, strict=True):
        assert drawn.count(subject) / 2000 == pytest.approx(share, abs=0.04)


def test_what_is_refused() -> None:
    with pytest.raises(UsageError, match=r"must be one of indoor, close-up, food, sky\. Got 'cat'"):
        picture("cat", 0)
    with pytest.raises(UsageError, match="16 pixels or more a side"):
        picture(Subject.SKY, 0, size=(15, 224))


def test_canvas_blends_by_cover() -> None:
    canvas = Sketch((32, 64))
    canvas.blend(canvas.edge(abs(canvas.x) - 0.5), (1.0, 0.5, 0.0))
    assert canvas.pixels[16, 32].tolist() == [1.0, 0.5, 0.0]
    assert canvas.pixels[16, 2].tolist() == [0.0, 0.0, 0.0]
    noise = canvas.noise(Draws(1), 4)
    assert noise.shape == (32, 64)
    assert 0 <= noise.min() < 0.4 < 0.6 < noise.max() <= 1
