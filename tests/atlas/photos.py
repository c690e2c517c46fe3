"""Small real photo files with known places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from sightline.datasets.records import PhotoRecord


def place(number: int) -> tuple[float, float]:
    """A place per number, spread over the Earth."""
    generator = np.random.default_rng([7, number])
    return float(generator.uniform(-80, 80)), float(generator.uniform(-180, 180))


def write_photo(path: Path, number: int, *, width: int = 40, height: int = 32) -> Path:
    """A JPEG of random colours that depend on the number alone."""
    generator = np.random.default_rng(number)
    small = generator.integers(0, 256, size=(4, 5, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(small).resize((width, height), Image.Resampling.NEAREST).save(path, "JPEG")
    return path


def record(path: Path, number: int, **more: object) -> PhotoRecord:
    lat, lon = place(number)
    values: dict[str, object] = {"lat": lat, "lon": lon, "heading_degrees": None}
    values |= {"captured_at": None, "source": "test", "licence": None, "projection": None}
    return PhotoRecord(uri=str(path), **(values | more))


def write_photos(folder: Path, count: int) -> list[PhotoRecord]:
    """``count`` photos and their records."""
    return [record(write_photo(folder / f"{n:04}.jpg", n), n) for n in range(count)]
