"""Small photos of every kind, and shards of them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sightline.datasets.reading import ShardWriter


def pixels(number: int = 0, height: int = 60, width: int = 80) -> np.ndarray:
    """A smooth picture, so that JPEG keeps it nearly as it is."""
    rows, columns = np.mgrid[:height, :width]
    picture = np.empty((height, width, 3))
    picture[..., 0] = 255 * rows / max(height - 1, 1)
    picture[..., 1] = 255 * columns / max(width - 1, 1)
    picture[..., 2] = number * 20 % 256
    return picture.astype(np.uint8)


def encoded(picture: np.ndarray, kind: str = "JPEG", **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, kind, **options)
    return stream.getvalue()


def jpeg(number: int = 0, height: int = 60, width: int = 80) -> bytes:
    return encoded(pixels(number, height, width), quality=95)


def shards(folder: Path, samples: int = 60, each: int = 10) -> Path:
    """Write shards with the files ``txt`` (the number) and ``bin`` (of odd sizes)."""
    with ShardWriter(folder, samples_per_shard=each) as writer:
        for number in range(samples):
            files = {"txt": str(number), "bin": bytes([number % 256]) * (number * 37 % 1500)}
            writer.write(f"set/{number:05d}", files)
    return folder
