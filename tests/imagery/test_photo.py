from __future__ import annotations

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.errors import PhotoTooLargeError, PhotoUnreadableError
from sightline.imagery import Limits, open_photo, open_picture, read_metadata

from .pictures import (
    encoded,
    exif_block,
    gps_entries,
    gradient,
    png_chunk,
    short,
    with_png_chunk,
    xmp,
)

ORIENT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


def heic(picture: np.ndarray, **options: object) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    stream = io.BytesIO()
    image = Image.fromarray(picture)
    pillow_heif.from_pillow(image).save(stream, quality=-1, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("AVIF", {"quality": 100, "subsampling": "4:4:4"}),
    ],
)
def test_every_format_gives_the_same_pixels(kind, options):
    picture = gradient()
    data = encoded(picture, kind, **options)
    photo = open_photo(data)
    assert photo.pixels.dtype == np.uint8
    assert photo.pixels.shape == (40, 60, 3)
    assert photo.pixels.flags.c_contiguous
    assert photo.pixels.flags.writeable
    assert np.abs(photo.pixels.astype(int) - picture).max() <= 6
    assert photo.size == (40, 60)
    assert photo.bytes_size == len(data)
    assert photo.sha256 == hashlib.sha256(data).hexdigest()
    assert photo.metadata.orientation == 1
    assert photo.views() == [(photo.pixels, None)]


def test_heic():
    picture = gradient(64, 96)
    photo = open_photo(heic(picture), name="phone.heic")
    assert photo.name == "phone.heic"
    assert np.abs(photo.pixels.astype(int) - picture).max() <= 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_orientation_is_applied_once(kind, orientation):
    picture = gradient(48, 72)
    tag = Image.Exif()
    tag[0x0112] = orientation
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}}.get(kind, {})
    if kind == "HEIF":
        data = heic(picture, exif=tag.tobytes())
    else:
        data = encoded(picture, kind, exif=tag, **options)
    photo = open_photo(data)
    expected = ORIENT[orientation](picture)
    assert photo.pixels.shape == expected.shape
    assert photo.size == expected.shape[:2]
    assert np.abs(photo.pixels.astype(int) - expected).mean() < 4


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_means_upright(value):
    photo = open_photo(encoded(gradient(), "JPEG", exif=exif_block([short(0x0112, value)])))
    assert photo.metadata.orientation == 1
    assert photo.size == (40, 60)


def test_sources(tmp_path: Path):
    data = encoded(gradient())
    for name in ["with space.png", "quote'\".png", "new\nline.png", "Москва 東京.png", "*[1]?.png"]:
        file = tmp_path / name
        file.write_bytes(data)
        assert open_photo(file).name == str(file)
        assert open_photo(str(file)).size == (40, 60)
    with file.open("rb") as stream:
        assert open_photo(stream).name == "<stream>"
        assert not stream.closed
    assert open_photo(data).name == "<bytes>"
    behind = io.BytesIO(b"skip" + data)
    behind.read(4)
    assert open_photo(behind).sha256 == open_photo(data).sha256


def test_a_wrong_suffix_does_not_matter(tmp_path: Path):
    file = tmp_path / "really_a_png.jpg"
    file.write_bytes(encoded(gradient()))
    assert np.array_equal(open_photo(file).pixels, gradient())


def test_scaled_decoding_is_never_below_what_is_asked():
    picture = gradient(400, 600)
    tag = Image.Exif()
    for orientation in (1, 6):
        tag[0x0112] = orientation
        data = encoded(picture, "JPEG", exif=tag)
        for at_least in [(100, 100), (50, 51), (99, 150), (101, 101), (400, 600), (5000, 1)]:
            photo = open_photo(data, at_least=at_least)
            assert photo.size == ((400, 600) if orientation == 1 else (600, 400))
            for got, wanted, full in zip(photo.pixels.shape, at_least, photo.size, strict=False):
                assert got >= min(wanted, full)
    assert open_photo(data, at_least=(75, 50)).pixels.shape == (75, 50, 3)
    assert open_photo(encoded(picture), at_least=(75, 50)).pixels.shape == (400, 600, 3)


def test_scaled_decoding_keeps_the_picture():
    photo = open_photo(encoded(gradient(400, 600), "JPEG", quality=95), at_least=(100, 150))
    expected = gradient(400, 600).reshape(100, 4, 150, 4, 3).mean((1, 3))
    assert np.abs(photo.pixels - expected).max() < 6


def test_animations_show_their_first_frame():
    frames = [Image.fromarray(gradient()), Image.new("RGB", (60, 40), "red")]
    for kind, options in [("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {}), ("AVIF", {})]:
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        pixels = open_photo(data).pixels
        assert np.abs(pixels.astype(int) - gradient()).mean() < 4, kind


def test_a_360_photo_is_decoded_large_enough_for_its_views():
    data = encoded(gradient(512, 1024), "JPEG")
    photo = open_photo(data, at_least=(100, 100))
    assert photo.metadata.panorama
    assert photo.pixels.shape == (256, 512, 3)
    views = photo.views()
    assert [heading for _, heading in views] == [0, 90, 180, 270]
    assert all(view.shape == (128, 128, 3) for view, _ in views)
    assert photo.views(fov_degrees=60)[0][0].shape == (85, 85, 3)


def test_a_panorama_without_sky_and_ground_gets_its_horizon_back():
    whole = gradient(512, 1024)
    packet = xmp(
        'GPano:ProjectionType="equirectangular" GPano:FullPanoWidthPixels="1024"'
        ' GPano:FullPanoHeightPixels="512" GPano:CroppedAreaImageWidthPixels="1024"'
        ' GPano:CroppedAreaImageHeightPixels="300" GPano:CroppedAreaTopPixels="112"'
        ' GPano:PoseHeadingDegrees="350"'
    )
    cut = encoded(whole[112:412], "JPEG", xmp=packet, quality=95, subsampling=0)
    photo, full = open_photo(cut), open_photo(encoded(whole, "JPEG", quality=95, subsampling=0))
    assert photo.metadata.heading_degrees == 350
    assert photo.size == (300, 1024)
    for (view, _), (expected, _) in zip(photo.views(40), full.views(40), strict=True):
        assert np.abs(view.astype(int) - expected).max() <= 8
    small = open_photo(cut, at_least=(64, 64))
    assert small.pixels.shape == (75, 256, 3)
    assert small.views()[0][0].shape == (64, 64, 3)


def test_metadata_behind_the_pixels_of_a_png():
    data = with_png_chunk(
        encoded(gradient()), b"eXIf", exif_block(gps=gps_entries())[6:], late=True
    )
    place = read_metadata(data).place
    assert place is not None
    assert place.lat == pytest.approx(48 + 51.5 / 60)
    assert open_photo(data).metadata.place == place


def test_threads_see_the_same_pixels_and_leave_the_warning_filters_alone(shared_data: Path):
    import warnings

    folder = shared_data / "photos" / "metadata-extractor"
    files = sorted(folder.iterdir())[:6]
    corrupt = with_png_chunk(encoded(gradient()), b"acTL", b"\0" * 8)
    before = list(warnings.filters)
    alone = [open_photo(file, at_least=(100, 100)).pixels for file in files]
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(open_photo, file, at_least=(100, 100)) for file in files * 2]
        odd = [pool.submit(open_photo, corrupt) for _ in range(20)]
        for future, expected in zip(futures, alone * 2, strict=True):
            assert np.array_equal(future.result().pixels, expected)
        for future in odd:
            assert np.array_equal(future.result().pixels, gradient())
    assert list(warnings.filters) == before


def test_nothing_global_changes():
    from PIL import ImageFile

    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, set(Image.OPEN)
    open_photo(encoded(gradient(), "JPEG"))
    with pytest.raises(PhotoTooLargeError):
        open_photo(encoded(gradient()), limits=Limits(max_pixels=100))
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, set(Image.OPEN))
    assert png_chunk(b"IEND", b"") == encoded(gradient())[-12:]


def test_a_picture_is_the_photo_without_its_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (400, 800, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=exif)
    whole = open_picture(tmp_path / "turned.jpg")
    np.testing.assert_array_equal(np.array(whole), open_photo(tmp_path / "turned.jpg").pixels)
    assert whole.size == (400, 800)
    assert open_picture(tmp_path / "turned.jpg", at_least=(390, 190)).size == (200, 400)
    with pytest.raises(PhotoUnreadableError, match="is empty"):
        open_picture(b"", name="nothing")


def test_a_picture_of_a_panorama_is_scaled_as_a_flat_one(tmp_path: Path) -> None:
    Image.new("RGB", (1600, 800)).save(tmp_path / "pano.jpg")
    assert open_picture(tmp_path / "pano.jpg", at_least=(200, 400)).size == (400, 200)
    assert open_photo(tmp_path / "pano.jpg", at_least=(200, 400)).pixels.shape == (800, 1600, 3)
