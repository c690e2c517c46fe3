"""Answers to report on, and pictures for them, made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.imagery import ExifPlace
from sightline.locating import Candidate, Estimate, LocatedPhoto

from .browsing import chromium

LUND = (55.7040, 13.1920)
MakeEstimate = Callable[..., Estimate]
MakeResult = Callable[..., LocatedPhoto]


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    yield from chromium()


@pytest.fixture
def make_estimate() -> MakeEstimate:
    return estimate


@pytest.fixture
def make_result() -> MakeResult:
    return result


def candidate(lat: float, lon: float, *, uri: str = "match.jpg", weight: float = 0.5) -> Candidate:
    return Candidate(lat=lat, lon=lon, distance=0.5, uri=uri, weight=weight, score=0.75)


def estimate(lat: float = LUND[0], lon: float = LUND[1], **changes) -> Estimate:
    near = (candidate(lat, lon), candidate(max(-90.0, lat - 0.001), lon, uri="other.jpg"))
    values = {
        "lat": lat,
        "lon": lon,
        "radius_50_m": 40.0,
        "radius_90_m": 120.0,
        "method": "nearest",
        "abstained": False,
        "reason": None,
        "margin": 0.25,
        "candidates": near,
        "threshold": 0.3,
    }
    return Estimate(**{**values, **changes})


def result(path: str = "photo.jpg", **changes) -> LocatedPhoto:
    values = {
        "path": path,
        "sha256": "ab" * 32,
        "photo_place": ExifPlace(55.7, 13.19, altitude_m=37.0, heading_degrees=90.0),
        "exif_to_estimate_m": 450.0,
        "estimate": estimate(),
        "error": None,
        "place_problem": None,
    }
    return LocatedPhoto(**{**values, **changes})


def write_picture(path: Path, *, size: tuple[int, int] = (320, 200), seed: int = 0) -> Path:
    """A JPEG that says where it was taken: what must not reach a report."""
    noise = np.random.default_rng(seed).integers(0, 256, (size[1] // 8, size[0] // 8, 3))
    picture = Image.fromarray(noise.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x010F] = "SECRETCAMERA"
    exif[0x8825] = {1: "N", 2: (55.0, 42.0, 0.0), 3: "E", 4: (13.0, 11.0, 0.0)}
    picture.save(path, exif=exif)
    return path
