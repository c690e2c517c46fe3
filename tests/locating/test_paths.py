from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sightline.atlas import Atlas
from sightline.errors import (
    PhotoNotFoundError,
    PhotoTooLargeError,
    PhotoUnreadableError,
    VectorError,
)
from sightline.geo.distance import geodesic_m
from sightline.imagery import Limits, open_photo
from sightline.locating import Locator, locate_paths

from .encoders import MeanColours
from .photos import place, scene, write


def test_good_and_bad_files_in_their_order(
    atlas: Atlas, encoder: MeanColours, tmp_path: Path
) -> None:
    said = (51.5, -0.125)
    good = write(tmp_path / "good one.png", scene(3, 99), said)
    plain = write(tmp_path / "plain.png", scene(5, 99))
    grey = write(tmp_path / "grey.png", np.full((40, 40, 3), 128, np.uint8), said)
    text = tmp_path / "text.jpg"
    text.write_text("no photo")
    sources = [good, str(tmp_path / "none.jpg"), plain, text, grey, ("-", plain.read_bytes())]
    locator = Locator(atlas, encoder)
    found = list(locate_paths(sources, locator, batch=2, workers=2))
    assert [result.path for result in found] == [
        str(good),
        str(tmp_path / "none.jpg"),
        str(plain),
        str(text),
        str(grey),
        "-",
    ]
    kinds = [type(result.error) for result in found]
    none = type(None)
    assert kinds == [none, PhotoNotFoundError, none, PhotoUnreadableError, VectorError, none]
    for result in found:
        assert (result.estimate is None) == (result.error is not None)
    first = found[0]
    assert first.estimate == locator.locate(open_photo(good))
    assert first.sha256 == open_photo(good).sha256
    assert first.photo_place.lat == pytest.approx(51.5)
    apart = geodesic_m(said, (first.estimate.lat, first.estimate.lon))
    assert first.exif_to_estimate_m == pytest.approx(apart, rel=1e-6)
    assert found[1].sha256 is None
    assert found[2].photo_place is None
    assert found[2].exif_to_estimate_m is None
    # What is known of a photo that has no estimate is still said.
    assert found[4].photo_place is not None
    assert found[4].sha256 is not None
    assert found[4].exif_to_estimate_m is None
    assert found[5].estimate == found[2].estimate


def test_a_place_that_means_unknown_is_said_to_be_refused(
    atlas: Atlas, encoder: MeanColours, tmp_path: Path
) -> None:
    path = write(tmp_path / "zero.png", scene(3, 99), (0.0, 0.0))
    [result] = locate_paths([path], Locator(atlas, encoder))
    assert result.photo_place is None
    assert result.place_problem
    assert result.estimate is not None


def test_batches_do_not_change_answers(atlas: Atlas, encoder: MeanColours, tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.png", scene(n, 99), tuple(place(n))) for n in range(7)]
    locator = Locator(atlas, encoder, method="clusters")
    together = list(locate_paths(paths, locator))
    single = list(locate_paths(iter(paths), locator, batch=1, workers=1))
    for one, other in zip(together, single, strict=True):
        assert one.path == other.path
        assert one.estimate.lat == pytest.approx(other.estimate.lat, abs=1e-9)
        assert one.exif_to_estimate_m < 40
    assert list(locate_paths([], locator)) == []


def test_answers_come_before_the_last_file_is_asked_for(
    atlas: Atlas, encoder: MeanColours, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.png", scene(3, 99))
    asked = []

    def endless():
        while True:
            asked.append(path)
            yield path

    results = locate_paths(endless(), Locator(atlas, encoder), batch=2)
    assert next(results).estimate is not None
    assert len(asked) <= 4
    results.close()


def test_limits_hold(atlas: Atlas, encoder: MeanColours, tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", scene(3, 99))
    [result] = locate_paths([path], Locator(atlas, encoder), limits=Limits(max_pixels=100))
    assert isinstance(result.error, PhotoTooLargeError)
