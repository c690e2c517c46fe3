from __future__ import annotations

import base64
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.report.thumbnails import thumbnail

from .conftest import write_picture


def decoded(data_uri: str) -> bytes:
    return base64.b64decode(data_uri.removeprefix("data:image/jpeg;base64,"), validate=True)


def test_it_is_small_and_says_nothing_of_the_file(tmp_path: Path) -> None:
    source = write_picture(tmp_path / "big.jpg", size=(1600, 1000))
    assert b"SECRETCAMERA" in source.read_bytes()
    small = thumbnail(str(source), 200, 20_000)
    assert (small.width, small.height) == (200, 125)
    data = decoded(small.data_uri)
    assert len(data) <= 20_000
    assert b"SECRETCAMERA" not in data
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.size == (200, 125)
        assert not picture.getexif()


def test_a_small_picture_is_not_blown_up(tmp_path: Path) -> None:
    source = write_picture(tmp_path / "small.jpg", size=(64, 48))
    small = thumbnail(str(source), 200, 20_000)
    assert (small.width, small.height) == (64, 48)


def test_it_is_pressed_below_its_size_or_left_out(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    source = str(tmp_path / "noise.png")
    loose, tight = thumbnail(source, 400, 200_000), thumbnail(source, 400, 50_000)
    assert len(decoded(loose.data_uri)) > 50_000 >= len(decoded(tight.data_uri))
    assert thumbnail(source, 400, 100) is None


@pytest.mark.parametrize(
    "source",
    ["", "missing.jpg", "nul\0.jpg", "https://example.org/x.jpg", "//server/share/x.jpg", "-"],
)
def test_what_is_not_here_is_none(source: str) -> None:
    assert thumbnail(source, 100, 10_000) is None


def test_only_regular_files_that_are_pictures(tmp_path: Path) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("no picture", encoding="utf-8")
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    for source in (text, pipe, tmp_path, Path("/dev/zero")):
        assert thumbnail(str(source), 100, 10_000) is None
