from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.datasets.reading import (
    PhotoDataset,
    PhotoReader,
    ShardReader,
    decode_photo,
    write_shard,
)
from sightline.datasets.reading import photos as photos_module
from sightline.datasets.reading.in_order import in_order
from sightline.errors import (
    PhotoNotFoundError,
    PhotoTooLargeError,
    PhotoUnreadableError,
    UsageError,
)
from sightline.imagery import Limits

from .pictures import encoded, jpeg, pixels


@pytest.fixture
def folder(tmp_path: Path) -> list[Path]:
    paths = []
    for number in range(12):
        path = tmp_path / f"{number:02d}.jpg"
        path.write_bytes(jpeg(number))
        paths.append(path)
    return paths


def test_crop_takes_the_middle_and_keeps_shapes():
    picture = pixels(3, 300, 400)
    found = decode_photo(encoded(picture, "PNG"), (60, 60))
    # The middle 300 of 400 columns, five to one.
    slow = picture[:, 50:350].reshape(60, 5, 60, 5, 3).mean(axis=(1, 3))
    assert np.abs(found[2:-2, 2:-2].astype(float) - slow[2:-2, 2:-2]).max() <= 1
    assert found.dtype == np.uint8


def test_stretch_takes_everything():
    picture = pixels(3, 300, 400)
    found = decode_photo(encoded(picture, "PNG"), (60, 60), fit="stretch")
    assert found[0, 0, 1] < 5
    assert found[0, -1, 1] > 250
    assert decode_photo(encoded(picture, "PNG"), (60, 60))[0, 0, 1] > 25


@pytest.mark.parametrize("fit", ["crop", "stretch"])
@pytest.mark.parametrize("size", [(50, 70), (224, 64), (600, 700)])
def test_a_jpeg_decoded_small_looks_like_one_decoded_whole(fit, size):
    picture = pixels(5, 400, 500)
    small = decode_photo(encoded(picture, quality=95), size, fit=fit)
    whole = decode_photo(encoded(picture, "PNG"), size, fit=fit)
    assert small.shape == (*size, 3)
    assert np.abs(small.astype(int) - whole).mean() < 2


def test_a_picture_of_the_right_size_is_left_alone():
    picture = pixels(1, 20, 30)
    assert (decode_photo(encoded(picture, "PNG"), (20, 30)) == picture).all()


def test_orientation_is_applied_before_the_size():
    exif = Image.Exif()
    exif[0x0112] = 6
    found = decode_photo(encoded(pixels(0, 40, 80), exif=exif, quality=95), (80, 40))
    upright = np.rot90(pixels(0, 40, 80), -1)
    assert np.abs(found.astype(int) - upright).mean() < 3


def test_in_order_with_numbers_and_names(folder: list[Path]):
    reader = PhotoReader((30, 40), workers=3)
    found = list(reader.read(folder))
    assert [photo.number for photo in found] == list(range(12))
    assert [photo.source for photo in found] == folder
    for number, photo in enumerate(found):
        assert (photo.pixels == decode_photo(folder[number], (30, 40))).all()
        assert abs(int(photo.pixels[15, 20, 2]) - number * 20) < 6
    assert reader.skipped == 0


def test_bad_photos_are_refused_or_counted(folder: list[Path]):
    folder[3].write_bytes(b"not a photo")
    folder[5].unlink()
    folder[7].write_bytes(jpeg(7)[:500])
    with pytest.raises(PhotoUnreadableError, match=r"03\.jpg"):
        list(PhotoReader((30, 40)).read(folder))
    reader = PhotoReader((30, 40), on_error="skip")
    found = list(reader.read(folder))
    assert [photo.number for photo in found] == [0, 1, 2, 4, 6, 8, 9, 10, 11]
    assert [(one.number, type(one.error)) for one in reader.problems] == [
        (3, PhotoUnreadableError),
        (5, PhotoNotFoundError),
        (7, PhotoUnreadableError),
    ]
    assert reader.skipped == 3


def test_limits_hold(folder: list[Path]):
    reader = PhotoReader((30, 40), limits=Limits(max_bytes=10))
    with pytest.raises(PhotoTooLargeError):
        list(reader.read(folder))


def test_memory_is_bounded_for_a_slow_consumer(folder: list[Path]):
    drawn = []

    def sources():
        for number in range(40):
            drawn.append(number)
            yield folder[number % 12]

    reader = PhotoReader((8, 8), workers=2, ahead=5)
    for taken, _ in enumerate(reader.read(sources()), 1):
        assert len(drawn) - taken <= 5
        time.sleep(0.001)
    assert len(drawn) == 40


def test_breaking_off_stops_the_workers(folder: list[Path]):
    stream = PhotoReader((8, 8), workers=2).read(folder)
    next(stream)
    stream.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("sightline-reading")]


def test_workers_work_at_the_same_time():
    barrier = threading.Barrier(3, timeout=20)

    def work(number: int) -> int:
        barrier.wait()
        return number

    assert list(in_order(work, range(6), workers=3, ahead=3)) == list(range(6))


def test_samples_of_shards(tmp_path: Path):
    write_shard(
        tmp_path / "a.tar",
        [
            (f"p/{n}", {"json": {"n": n}, "jpg": jpeg(n), "aerial.png": encoded(pixels(9), "PNG")})
            for n in range(4)
        ],
    )
    shards = ShardReader(tmp_path)
    found = list(PhotoReader((30, 40)).read(shards))
    assert [photo.source.key for photo in found] == [f"p/{n}" for n in range(4)]  # type: ignore[union-attr]
    assert (found[2].pixels == decode_photo(jpeg(2), (30, 40))).all()
    aerial = list(PhotoReader((60, 80), kind="aerial.png").read(shards))
    assert (aerial[0].pixels == pixels(9)).all()
    with pytest.raises(PhotoNotFoundError, match=r"a.tar:p/0' holds no png, only json, jpg"):
        list(PhotoReader((30, 40), kind="png").read(shards))


def test_a_sample_without_a_picture(tmp_path: Path):
    write_shard(tmp_path / "a.tar", [("p", {"json": {}}), ("q", {"jpg": b"junk"})])
    reader = PhotoReader((30, 40), on_error="skip")
    assert list(reader.read(ShardReader(tmp_path))) == []
    assert "holds no picture" in str(reader.problems[0].error)
    assert "a.tar:q.jpg" in str(reader.problems[1].error)


def test_photos_by_number(folder: list[Path]):
    dataset = PhotoDataset(folder, (30, 40), fit="stretch")
    assert len(dataset) == 12
    assert (dataset[4] == decode_photo(folder[4], (30, 40), fit="stretch")).all()
    named = PhotoDataset(
        folder, (30, 40), transform=lambda number, picture: (number, picture.shape)
    )
    assert named[4] == (4, (30, 40, 3))
    data = pytest.importorskip("torch.utils.data")
    batches = list(data.DataLoader(dataset, batch_sampler=[[3, 1], [2, 0]]))
    assert (batches[0][1].numpy() == dataset[1]).all()


def test_bad_arguments(folder: list[Path]):
    for size in ((0, 5), (5,), (5, -1), (2.5, 5)):
        with pytest.raises(UsageError, match="size must be a positive height and width"):
            decode_photo(folder[0], size)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"fit must be crop or stretch. Got 'pad'"):
        decode_photo(folder[0], (5, 5), fit="pad")  # type: ignore[arg-type]
    for arguments in ({"workers": 0}, {"ahead": 0}, {"on_error": "ignore"}):
        with pytest.raises(UsageError, match="workers and ahead must be positive"):
            PhotoReader((5, 5), **arguments)
    assert "jpg" in photos_module.PICTURE_KINDS
