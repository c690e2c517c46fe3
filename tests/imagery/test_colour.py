"""Every pixel layout ends as the same 8-bit RGB."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from sightline.imagery import open_photo
from sightline.imagery.colour import BACKGROUND, to_rgb

from .pictures import encoded, gradient, png_chunk, with_png_chunk

GREY = np.linspace(0, 255, 60).round().astype(np.uint8)[None, :].repeat(40, 0)
GREY_RGB = GREY[..., None].repeat(3, -1)


def pixels(data: bytes) -> np.ndarray:
    return open_photo(data).pixels.astype(int)


def test_grey_and_bilevel():
    assert np.array_equal(pixels(encoded(GREY)), GREY_RGB)
    bits = Image.fromarray(GREY).point(lambda v: 255 * (v > 127)).convert("1")
    expected = np.where(GREY_RGB > 127, 255, 0)
    for kind in ("PNG", "TIFF"):
        assert np.array_equal(pixels(encoded(bits, kind)), expected)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_clipped(kind):
    deep = (GREY.astype(np.uint32) * 257).astype(np.uint16)
    assert np.array_equal(pixels(encoded(Image.fromarray(deep), kind)), GREY_RGB)


def test_16_bit_colour():
    deep = gradient().astype(">u2") * 257
    lines = b"".join(b"\0" + line.tobytes() for line in deep.astype(">u2"))
    import zlib

    data = b"\x89PNG\r\n\x1a\n"
    data += png_chunk(b"IHDR", struct.pack(">IIBBBBB", 60, 40, 16, 2, 0, 0, 0))
    data += png_chunk(b"IDAT", zlib.compress(lines)) + png_chunk(b"IEND", b"")
    assert np.array_equal(pixels(data), gradient())


def tiff(samples: np.ndarray, bits: int, photometric: int, sample_format: int) -> bytes:
    """Write an uncompressed single-strip TIFF of one sample per pixel."""
    height, width = samples.shape
    raw = samples.tobytes()
    entries = [
        (256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, 8),
        (277, 1), (278, height), (279, len(raw)), (339, sample_format),
    ]  # fmt: skip
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    directory = struct.pack("<H", len(entries)) + table + b"\0" * 4
    return b"II*\0" + struct.pack("<I", 8 + len(raw)) + raw + directory


@pytest.mark.parametrize(
    ("dtype", "bits", "sample_format", "scale"),
    [
        ("<u2", 16, 1, 257),
        ("<i2", 16, 2, 32767 / 255),
        ("<u4", 32, 1, 1),
        ("<i4", 32, 2, 257),
        ("<i4", 32, 2, 1_000_000),
        ("<f4", 32, 3, 1 / 255),
        ("<f4", 32, 3, 1.0),
        ("<f4", 32, 3, 257.0),
        ("<f4", 32, 3, 1e9),
    ],
)
def test_deep_tiff_samples(dtype, bits, sample_format, scale):
    samples = (GREY.astype(np.float64) * scale).astype(dtype)
    assert np.abs(pixels(tiff(samples, bits, 1, sample_format)) - GREY_RGB).max() <= 1


def test_white_is_zero_and_broken_floats():
    assert np.array_equal(
        pixels(tiff((GREY.astype("<u2") * 257).astype("<u2"), 16, 0, 1)), 255 - GREY_RGB
    )
    samples = (GREY / 255).astype("<f4")
    samples[0, 0], samples[0, 1], samples[0, 2], samples[1, 0] = np.nan, np.inf, -np.inf, -5
    got = pixels(tiff(samples, 32, 1, 3))
    assert got[0, 0, 0] == 0
    assert got[0, 1, 0] == 255
    assert got[0, 2, 0] == 0
    assert got[1, 0, 0] == 0
    assert np.abs(got[2:] - GREY_RGB[2:]).max() <= 1
    assert not pixels(tiff(np.zeros((40, 60), "<f4"), 32, 1, 3)).any()


def test_alpha_shows_the_stated_background():
    assert BACKGROUND == (255, 255, 255)
    rgba = np.dstack([gradient(), np.full((40, 60), 255, np.uint8)])
    rgba[:20, :, 3] = 0
    rgba[20:30, :, 3] = 128
    got = pixels(encoded(rgba))
    assert (got[:20] == 255).all()
    assert np.abs(got[20:30] - (gradient()[20:30] * (128 / 255) + 255 * (127 / 255))).max() <= 1
    assert np.array_equal(got[30:], gradient()[30:])
    assert np.array_equal(pixels(encoded(rgba, "TIFF")), got)
    assert np.array_equal(pixels(encoded(rgba, "WEBP", lossless=True, exact=True)), got)


def test_grey_with_alpha():
    la = np.dstack([GREY, np.full((40, 60), 255, np.uint8)])
    la[:20, :, 1] = 0
    image = Image.fromarray(la)
    assert image.mode == "LA"
    got = pixels(encoded(image))
    assert (got[:20] == 255).all()
    assert np.array_equal(got[20:], GREY_RGB[20:])
    premultiplied = to_rgb(image.convert("La"), {})
    assert np.abs(np.asarray(premultiplied).astype(int) - got).max() <= 1


def test_palettes():
    image = Image.fromarray(gradient()).quantize(64)
    expected = np.asarray(image.convert("RGB")).astype(int)
    assert np.array_equal(pixels(encoded(image)), expected)
    first = image.getpixel((0, 0))
    one = pixels(encoded(image, transparency=first))
    hidden = np.asarray(image) == first
    assert (one[hidden] == 255).all()
    assert np.array_equal(one[~hidden], expected[~hidden])
    several = pixels(encoded(image, transparency=bytes([0, 128] + [255] * 62)))
    assert (several[np.asarray(image) == 0] == 255).all()


def test_colour_key_transparency():
    for picture in (Image.fromarray(gradient()), Image.fromarray(GREY)):
        key = picture.getpixel((5, 5))
        got = pixels(encoded(picture, transparency=key))
        assert (got[5, 5] == 255).all()
        plain = pixels(encoded(picture))
        others = (np.asarray(picture).reshape(40, 60, -1) != np.atleast_1d(key)).any(-1)
        assert np.array_equal(got[others], plain[others])


def test_cmyk_of_tiff_and_inverted_cmyk_of_jpeg():
    cmyk = Image.fromarray(gradient()).convert("CMYK")
    assert np.abs(pixels(encoded(cmyk, "TIFF")) - gradient()).max() <= 1
    data = encoded(cmyk, "JPEG", quality=95)
    assert b"Adobe" in data
    assert np.abs(pixels(data) - gradient()).mean() < 3


def test_lab():
    lab = ImageCms.profileToProfile(
        Image.fromarray(gradient()),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )
    with_profile = encoded(lab, "TIFF")
    del lab.info["icc_profile"]
    without = encoded(lab, "TIFF")
    assert len(without) < len(with_profile)
    for data in (with_profile, without):
        assert np.abs(pixels(data) - gradient()).mean() < 3


def profile_with_swapped_primaries() -> bytes:
    """An RGB profile whose red and green colorants are exchanged: unmistakably not sRGB."""
    raw = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    at = {raw[p : p + 4].decode(): p for p in range(132, 132 + 12 * raw[131], 12)}
    red, green = (bytes(raw[at[tag] + 4 : at[tag] + 12]) for tag in ("rXYZ", "gXYZ"))
    raw[at["rXYZ"] + 4 : at["rXYZ"] + 12], raw[at["gXYZ"] + 4 : at["gXYZ"] + 12] = green, red
    return bytes(raw).replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))


def test_colour_profiles():
    swapped = profile_with_swapped_primaries()
    expected = gradient()[..., [1, 0, 2]].astype(int)
    for kind in ("PNG", "TIFF"):
        assert np.abs(pixels(encoded(gradient(), kind, icc_profile=swapped)) - expected).max() <= 3
    rgba = np.dstack([gradient(), np.full((40, 60), 255, np.uint8)])
    assert np.abs(pixels(encoded(rgba, icc_profile=swapped)) - expected).max() <= 3


@pytest.mark.parametrize("kind", ["srgb", "damaged", "grey picture", "too large", "cut", "unfit"])
def test_profiles_that_are_ignored(kind):
    swapped = profile_with_swapped_primaries()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = {
        "srgb": srgb,
        "damaged": swapped[:128] + b"\xff" * 200,
        "grey picture": swapped,
        "too large": swapped + b"\0" * (5 << 20),
        "cut": swapped[:10],
        "unfit": swapped[:300],  # opens, but holds no colorants
    }[kind]
    picture = GREY if kind == "grey picture" else gradient()
    expected = GREY_RGB if kind == "grey picture" else gradient()
    image = Image.fromarray(picture)
    image.info["icc_profile"] = profile
    assert np.array_equal(np.asarray(to_rgb(image, {})), expected)


def test_profile_of_a_real_photo_is_srgb_and_costs_nothing(shared_data):
    file = shared_data / "photos" / "metadata-extractor" / "HTC_Desire.jpg"
    with Image.open(file) as image:
        assert "icc_profile" in image.info
        plain = np.asarray(image.convert("RGB"))
    assert np.array_equal(open_photo(file).pixels, plain)


def test_odd_modes_of_pillow():
    image = Image.fromarray(gradient())
    for mode in ("YCbCr", "RGBX", "HSV", "PA", "RGBa"):
        if mode == "PA":
            odd = image.quantize(255).convert("PA")
        else:
            odd = image.convert("RGBA").convert("RGBa") if mode == "RGBa" else image.convert(mode)
        got = np.asarray(to_rgb(odd, {})).astype(int)
        assert np.abs(got - gradient()).mean() < 8, mode
    stream = io.BytesIO(encoded(image.convert("YCbCr"), "TIFF"))
    assert np.abs(pixels(stream.getvalue()) - gradient()).max() <= 3
    assert with_png_chunk(b"x" * 50, b"abCd", b"")[33:45] == png_chunk(b"abCd", b"")
