"""Small real photo files: places that look like themselves, with or without a word of where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from sightline.datasets.records import PhotoRecord
from sightline.geo.distance import destination

PLACES = 30
PER_PLACE = 3


def place(number: int) -> np.ndarray:
    """Middle of a place: all over the Earth, hundreds of kilometres apart."""
    generator = np.random.default_rng([3, number])
    return np.array([generator.uniform(-70, 70), -170 + 12.0 * number])


def scene(number: int, variant: int = 0) -> np.ndarray:
    """Pixels of a place, uint8 (48, 64, 3); variants are the same scene in slight noise."""
    blocks = np.random.default_rng([1, number]).integers(20, 236, (6, 8, 3))
    noise = np.random.default_rng([2, number, variant]).normal(0, 6, (48, 64, 3))
    return np.clip(blocks.repeat(8, axis=0).repeat(8, axis=1) + noise, 1, 255).astype(np.uint8)


def write(path: Path, pixels: np.ndarray, where: tuple[float, float] | None = None) -> Path:
    """A PNG, so that the same pixels come back, with an EXIF place if ``where`` is given."""
    exif = Image.Exif()
    if where is not None:
        exif[0x010F] = "Maker"
        gps = exif.get_ifd(0x8825)
        gps[1], gps[2] = "N" if where[0] >= 0 else "S", _degrees(where[0])
        gps[3], gps[4] = "E" if where[1] >= 0 else "W", _degrees(where[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, "PNG", exif=exif)
    return path


def write_references(folder: Path) -> list[PhotoRecord]:
    """Three photos of every place, 30 m from its middle, and their records."""
    records = []
    for number in range(PLACES):
        for variant in range(PER_PLACE):
            path = write(folder / f"{number:02}-{variant}.png", scene(number, variant))
            lat, lon = destination(place(number), 120.0 * variant, 30.0)
            records.append(
                PhotoRecord(
                    uri=str(path),
                    lat=float(lat),
                    lon=float(lon),
                    heading_degrees=None,
                    captured_at=None,
                    source="test",
                    licence=None,
                    projection=None,
                )
            )
    return records


def _degrees(value: float) -> tuple[IFDRational, IFDRational, IFDRational]:
    return IFDRational(round(abs(value) * 1_000_000), 1_000_000), IFDRational(0), IFDRational(0)
