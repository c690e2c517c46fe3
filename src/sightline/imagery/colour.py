"""Any decoded picture as 8-bit sRGB: palettes, alpha, CMYK, 16 bits, floats, colour profiles."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from sightline.imagery import exif

BACKGROUND = (255, 255, 255)
"""What shows through transparent parts: white, as in browsers."""

_MOST_PROFILE_BYTES = 4 << 20
_PROFILE_SPACES = {"RGB": b"RGB ", "L": b"GRAY", "CMYK": b"CMYK", "LAB": b"Lab "}


def to_rgb(image: Image.Image, tags: exif.Tags) -> Image.Image:
    """Return a decoded picture in mode RGB, 8 bits, sRGB.

    Integers of more than 8 bits are scaled, not clipped. Floats and 32-bit integers carry no white
    point: their white is 1, 255 or 65535, the first that is not below the brightest pixel, and the
    brightest pixel itself beyond that; floats are taken as display values (no tone mapping).

    Args:
        image: Loaded; any mode that the allowed formats decode to.
        tags: Its TIFF tags, which hold the depth and the polarity of the samples.
    """
    profile = image.info.get("icc_profile")
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _from_deep_samples(image, tags)
    if image.mode in ("P", "PA", "La", "RGBa", "LA") or "transparency" in image.info:
        image = _with_alpha(image)
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    if image.mode in ("RGBA", "RGBX", "YCbCr", "HSV"):
        image = image.convert("RGB")
    elif image.mode == "1":
        image = image.convert("L")
    image = _in_srgb(image, profile)
    if alpha is None:
        return image
    page = Image.new("RGB", image.size, BACKGROUND)
    page.paste(image, mask=alpha)
    return page


def _with_alpha(image: Image.Image) -> Image.Image:
    if image.mode == "La":
        image = image.convert("LA")
    return image.convert("RGBA")


def _from_deep_samples(image: Image.Image, tags: exif.Tags) -> Image.Image:
    samples = np.asarray(image).astype(np.float32)
    bits = int(exif.number(tags, exif.BITS_PER_SAMPLE) or 16)
    signed = exif.number(tags, exif.SAMPLE_FORMAT) == 2
    white: float
    if image.mode.startswith("I;16") or (image.mode == "I" and bits == 16):
        white = 2.0 ** (bits - 1 if signed else bits) - 1
    else:
        white = _white_point(samples)
    shares = np.clip(np.nan_to_num(samples, copy=False), 0, white) / np.float32(white)
    if exif.number(tags, exif.PHOTOMETRIC) == 0:  # white is zero; not undone for deep samples
        shares = 1 - shares
    return Image.fromarray((shares * 255 + np.float32(0.5)).astype(np.uint8))


def _white_point(samples: NDArray[np.float32]) -> float:
    finite = samples[np.isfinite(samples)]
    peak = float(finite.max(initial=0.0))
    return next((white for white in (1.0, 255.0, 65535.0) if peak <= white), peak)


def _in_srgb(image: Image.Image, profile: object) -> Image.Image:
    transform = None
    if isinstance(profile, bytes) and len(profile) <= _MOST_PROFILE_BYTES:
        transform = _profile_transform(profile, image.mode)
    if transform is None and image.mode == "LAB":
        transform = _lab_transform()
    if transform is None:
        return image.convert("RGB")
    converted = transform.apply(image)
    return converted if isinstance(converted, Image.Image) else image.convert("RGB")


@lru_cache(maxsize=32)
def _profile_transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the way from an embedded profile to sRGB; None if it is sRGB, unfit or damaged."""
    if _PROFILE_SPACES.get(mode) != profile[16:20]:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return None
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


@lru_cache(maxsize=1)
def _lab_transform() -> ImageCms.ImageCmsTransform:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(lab), ImageCms.ImageCmsProfile(srgb), "LAB", "RGB"
    )
