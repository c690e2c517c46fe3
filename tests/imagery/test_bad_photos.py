"""Every kind of bad input ends in one error that names the file, the reason and the next step."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import (
    DependencyError,
    PhotoError,
    PhotoNotFoundError,
    PhotoTooLargeError,
    PhotoTooSmallError,
    PhotoUnreadableError,
    UsageError,
)
from sightline.imagery import Limits, Photo, open_photo, read_metadata
from sightline.imagery.header import decoding

from .pictures import (
    encoded,
    exif_block,
    gps_entries,
    gradient,
    png_claiming,
    rationals,
    short,
    text,
    with_png_chunk,
    xmp,
)


def refused(source, kind, *words, **options):
    for reader in (open_photo, read_metadata):
        with pytest.raises(kind) as caught:
            reader(source, **options)
        error = caught.value
        assert type(error) is kind
        assert error.hint
        for word in words:
            assert word in str(error)
        assert "\n" not in str(error)
    return error


def test_missing(tmp_path: Path):
    error = refused(tmp_path / "no\nsuch.jpg", PhotoNotFoundError, "no\\nsuch.jpg", "no file")
    assert error.path == str(tmp_path / "no\nsuch.jpg")
    refused(tmp_path / "a.jpg" / "b.jpg", PhotoNotFoundError)
    refused(tmp_path, PhotoNotFoundError, "is a folder")
    refused("nul\0.jpg", PhotoNotFoundError, "cannot be read")
    refused("x" * 5000, PhotoNotFoundError, "cannot be read")


def test_not_a_file(tmp_path: Path):
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    refused(pipe, PhotoUnreadableError, "pipe")
    loop = tmp_path / "loop.jpg"
    loop.symlink_to(loop)
    refused(loop, PhotoNotFoundError, "cannot be read")


def test_empty(tmp_path: Path):
    (tmp_path / "empty.jpg").touch()
    refused(tmp_path / "empty.jpg", PhotoUnreadableError, "empty.jpg", "0 bytes")
    refused(b"", PhotoUnreadableError, "0 bytes")
    refused(io.BytesIO(b""), PhotoUnreadableError, "0 bytes")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"This is not a photo.\n", "is text"),
        ("Straße\n".encode(), "is text"),
        (b"GIF89a" + b"\0" * 20, "a GIF"),
        (b"%PDF-1.7", "PDF"),
        (b"\0" * 100, "zeros"),
        (b"\x01\x02\x03\x00\xfe", "not an image"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "a video"),
        (b"\x89PN\x01", "not an image"),
    ],
)
def test_mislabelled(data, words):
    refused(data, PhotoUnreadableError, words, "'holiday.jpg'", name="holiday.jpg")


def test_sizes():
    refused(encoded(gradient(1, 1)), PhotoTooSmallError, "1 x 1")
    refused(encoded(gradient(15, 40)), PhotoTooSmallError, "40 x 15")
    refused(encoded(gradient(10, 30000)), PhotoTooLargeError, "30000 x 10")
    refused(png_claiming(50_000, 50_000), PhotoTooLargeError, "50000 x 50000")
    refused(encoded(gradient()), PhotoTooLargeError, "bytes", limits=Limits(max_bytes=50))
    with pytest.raises(UsageError, match="max_aspect"):
        Limits(max_aspect=0)


def test_file_size_is_checked_before_reading(tmp_path: Path):
    sparse = tmp_path / "huge.jpg"
    with sparse.open("wb") as stream:
        stream.truncate(3 << 30)
    refused(sparse, PhotoTooLargeError, "bytes")


def test_an_endless_stream_is_read_no_further_than_allowed():
    class Endless(io.RawIOBase):
        taken = 0

        def read(self, size: int = -1) -> bytes:
            assert size >= 0
            self.taken += size
            return bytes(size)

    stream = Endless()
    with pytest.raises(PhotoTooLargeError):
        open_photo(stream, limits=Limits(max_bytes=1000))
    assert stream.taken == 1001


def claiming(kind: str, side: int) -> bytes:
    """A tiny file of each kind that states side x side pixels."""
    data = bytearray(encoded(gradient(32, 32), kind))
    if kind == "JPEG":
        at = data.index(b"\xff\xc0")
        data[at + 5 : at + 9] = struct.pack(">HH", side, side)
    elif kind == "WEBP":
        at = data.index(b"VP8 ")
        data[at + 14 : at + 18] = struct.pack("<HH", side & 0x3FFF, side & 0x3FFF)
    elif kind == "TIFF":
        entries = struct.unpack_from("<I", data, 4)[0] + 2
        for at in range(entries, len(data) - 12, 12):
            if struct.unpack_from("<H", data, at)[0] in (256, 257):
                data[at + 2 : at + 12] = struct.pack("<HII", 4, 1, side)
    elif kind == "AVIF":
        at = data.index(b"ispe")
        data[at + 8 : at + 16] = struct.pack(">II", side, side)
    return bytes(data) if kind != "PNG" else png_claiming(side, side)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_bombs_take_no_memory(kind):
    data = claiming(kind, 16_000)
    assert len(data) < 10_000
    refused(data, PhotoTooLargeError, "16000 x 16000")
    code = (
        "import resource, sys; from sightline.imagery import open_photo\n"
        "from sightline.errors import PhotoTooLargeError\n"
        "data = sys.stdin.buffer.read()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: open_photo(data)\n"
        "except PhotoTooLargeError: pass\n"
        "else: sys.exit('opened')\n"
        "sys.exit(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before > 50_000)"
    )
    result = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True)
    assert result.returncode == 0, result.stderr


def test_avif_that_claims_too_much():
    with pytest.raises(PhotoError):
        open_photo(claiming("AVIF", 16_000))


@pytest.mark.parametrize("kind", ["VP8X", "VP8L", "VP8 "])
def test_every_webp_header_states_its_canvas(kind):
    from sightline.imagery.formats import webp_canvas

    picture = gradient(33, 47)
    options = {"VP8X": {"exif": exif_block()}, "VP8L": {"lossless": True}, "VP8 ": {}}[kind]
    data = encoded(picture, "WEBP", **options)
    assert data[12:16] == kind.encode()
    assert webp_canvas(data) == (47, 33)
    refused(data, PhotoTooLargeError, "47 x 33", limits=Limits(max_pixels=1000))
    assert webp_canvas(data[:20]) is None
    assert webp_canvas(data[:12] + b"ZZZZ" + data[16:]) is None
    refused(data[:20], PhotoUnreadableError, "damaged")


def test_tiff_tiles_that_claim_too_much():
    data = bytearray(encoded(gradient(64, 64), "TIFF", compression="tiff_lzw"))
    # A tile of 60000 x 60000 inside a small picture: Pillow checks it while it decodes.
    entries = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, entries)[0]
    table = bytearray(data[entries + 2 : entries + 2 + 12 * count])
    extra = b"".join(struct.pack("<HHII", tag, 4, 1, 60_000) for tag in (322, 323))
    extra += struct.pack("<HHII", 324, 4, 1, 8) + struct.pack("<HHII", 325, 4, 1, 8)
    strips = (273, 278, 279)
    kept = [
        bytes(table[at : at + 12])
        for at in range(0, len(table), 12)
        if struct.unpack_from("<H", table, at)[0] not in strips
    ]
    directory = struct.pack("<H", len(kept) + 4) + b"".join(kept) + extra + b"\0" * 4
    at = len(data)
    data[4:8] = struct.pack("<I", at)
    with pytest.raises(PhotoError):
        open_photo(bytes(data) + directory)


def test_running_out_of_memory_is_said():
    with pytest.raises(PhotoTooLargeError, match="memory"), decoding("a.jpg"):
        raise MemoryError


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9])
def test_truncated(kind, share):
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(noise, kind)
    with pytest.raises(PhotoUnreadableError):
        open_photo(data[: int(len(data) * share)])


def test_truncated_heic():
    from .test_photo import heic

    data = heic(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    for share in (0.05, 0.5):
        with pytest.raises(PhotoUnreadableError):
            open_photo(data[: int(len(data) * share)])


def test_heic_without_its_package(monkeypatch):
    from .test_photo import heic

    data = heic(gradient(64, 64))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    error = refused(data, DependencyError, 'pip install "sightline[heif]"', name="phone.heic")
    assert error.path == "phone.heic"


def test_png_text_bomb():
    bomb = b"Comment\0\0" + zlib.compress(b"\0" * (200 << 20), 9)
    data = with_png_chunk(encoded(gradient()), b"zTXt", bomb)
    tracemalloc.start()
    try:
        refused(data, PhotoUnreadableError, "too large")
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


def test_hostile_exif_is_left_out():
    loop = bytearray(exif_block([short(0x0112, 1)], photo=[], gps=gps_entries()))
    # The directories point at each other and at themselves.
    for at in range(14, len(loop) - 12):
        if struct.unpack_from("<H", loop, at)[0] == 0x8769:
            loop[at + 8 : at + 12] = struct.pack("<I", 8)
    huge = exif_block([(0x0110, 2, 0xFFFFFFF0, struct.pack("<I", 8)), (0x8769, 4, 0, b"")])
    wide = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x10\x01\x02\x00\x04\x00\x00\x00abc\0" * 4000
    far = b"Exif\0\0II*\0\xff\xff\xff\xff"
    for block in (
        bytes(loop),
        huge,
        wide,
        far,
        b"Exif\0\0",
        b"Exif\0\0XX",
        b"II",
        np.random.default_rng(3).bytes(64),
    ):
        data = encoded(gradient(), "JPEG", exif=block)
        photo = open_photo(data)
        assert photo.size == (40, 60)
    looped = encoded(gradient(), "JPEG", exif=bytes(loop))
    assert read_metadata(looped).place is not None


def test_oversized_exif_of_a_png_is_left_out():
    data = with_png_chunk(encoded(gradient()), b"eXIf", exif_block(gps=gps_entries())[6:] * 1)
    assert read_metadata(data).place is not None
    padded = exif_block(gps=gps_entries())[6:] + b"\0" * (17 << 20)
    assert read_metadata(with_png_chunk(encoded(gradient()), b"eXIf", padded)).place is None


def test_tiff_with_tags_larger_than_the_file():
    data = bytearray(encoded(gradient(), "TIFF", tiffinfo={270: "description " * 8}))
    entries = struct.unpack_from("<I", data, 4)[0] + 2
    for at in range(entries, len(data) - 12, 12):
        if struct.unpack_from("<H", data, at)[0] == 270:
            data[at + 4 : at + 8] = struct.pack("<I", 0x7FFFFFFF)
    assert np.array_equal(open_photo(bytes(data)).pixels, gradient())


SMALL = {
    kind: encoded(
        gradient(24, 32),
        kind,
        exif=exif_block(
            [text(0x010F, "Maker"), short(0x0112, 6)],
            [text(0x9003, "2020:01:02 03:04:05")],
            gps_entries(more=[rationals(17, (90, 1))]),
        ),
        **({} if kind == "TIFF" else {"xmp": xmp('GPano:ProjectionType="equirectangular"')}),
        **({"tile_cols_log2": 0} if kind == "AVIF" else {}),
    )
    for kind in ("JPEG", "WEBP", "AVIF")
}
SMALL["PNG"] = with_png_chunk(
    encoded(gradient(24, 32)), b"eXIf", exif_block([short(0x0112, 6)], gps=gps_entries())[6:]
)
SMALL["TIFF"] = encoded(gradient(24, 32), "TIFF", compression="tiff_lzw")
SMALL["TIFF raw"] = encoded(gradient(24, 32), "TIFF")


@settings(max_examples=250, deadline=None)
@given(
    kind=st.sampled_from(sorted(SMALL)),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    header=st.booleans(),
    kept=st.just(1.0) | st.floats(0, 1),
)
def test_damage_ends_in_a_photo_or_a_photo_error(kind, changes, header, kept):
    data = bytearray(SMALL[kind])
    for position, value in changes:
        data[int(position * min(len(data), 400 if header else len(data)))] = value
    damaged = bytes(data[: max(1, int(len(data) * kept))])
    limits = Limits(max_pixels=1_000_000)
    outcome = None
    try:
        outcome = open_photo(damaged, limits=limits, at_least=(8, 8))
    except PhotoError as error:
        outcome = error
    assert isinstance(outcome, Photo) or outcome.hint
