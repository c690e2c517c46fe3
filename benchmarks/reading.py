"""How fast photos are read for training: beside torchvision's ImageFolder, in one run.

    python benchmarks/reading.py [--photos N] [--originals N] [--rounds N] [--workers N]

All bring photos to 224 x 224 (shorter side to 224, middle cut out) as uint8, in batches of 32, from
files in the page cache. ImageFolder with Resize, CenterCrop and PILToTensor in a DataLoader is what
one would write first. Ours reads the same files in threads, the same in that very DataLoader, and
WebDataset shards of them, in threads and in a DataLoader. Two sets: real photos as they were
published, and the same with a longer side of 512, as training sets ship them. Ways take turns,
round by round; workers are warm, and the median round counts.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from _record import record
from sightline.datasets.reading import (
    PhotoDataset,
    PhotoReader,
    ShardReader,
    ShardWriter,
    decode_photo,
    shard_dataset,
)

SHARED = Path(os.environ.get("SIGHTLINE_DATA", Path(__file__).parents[2] / "shared" / "data"))
SIZE = 224
BATCH = 32
LONG_SIDE = 512


def usable(folder: Path) -> list[Path]:
    """The JPEGs that are neither panoramas nor tiny."""
    found = []
    for path in sorted(folder.rglob("*.jp*g")):
        with Image.open(path) as image:
            width, height = image.size
        if min(width, height) >= SIZE and max(width, height) < 2 * min(width, height):
            found.append(path)
    return found


def shrunk(path: Path) -> bytes:
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    image.thumbnail((LONG_SIDE, LONG_SIDE))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=90)
    return stream.getvalue()


def lay_out(sources: Iterable[bytes], count: int, folder: Path) -> list[Path]:
    """Write ``count`` photos as a folder of one class, and as shards."""
    (folder / "files" / "all").mkdir(parents=True)
    paths = []
    with ShardWriter(folder / "shards", samples_per_shard=max(1, count // 8)) as writer:
        for number, data in enumerate(islice(cycle(sources), count)):
            path = folder / "files" / "all" / f"{number:06d}.jpg"
            path.write_bytes(data)
            paths.append(path)
            writer.write(f"{number:06d}", {"jpg": data})
    return paths


def in_batches(pictures: Iterable[np.ndarray]) -> Iterator[torch.Tensor]:
    stream = iter(pictures)
    while some := list(islice(stream, BATCH)):
        yield torch.from_numpy(np.stack(some))


def ways(folder: Path, paths: list[Path], workers: int) -> dict[str, Callable[[], Iterable[Any]]]:
    """Each way as a function that begins a pass over all photos in batches."""
    plain = transforms.Compose(
        [transforms.Resize(SIZE), transforms.CenterCrop(SIZE), transforms.PILToTensor()]
    )
    options = {"batch_size": BATCH, "num_workers": workers, "persistent_workers": workers > 0}
    size = (SIZE, SIZE)
    by_torchvision = DataLoader(ImageFolder(str(folder / "files"), plain), **options)
    by_number = DataLoader(PhotoDataset(paths, size), **options)
    shards = ShardReader(folder / "shards")
    streamed = DataLoader(
        shard_dataset(shards, lambda sample: decode_photo(sample.files["jpg"], size)), **options
    )

    def threads(sources: Callable[[], Iterable[Any]]) -> Iterator[torch.Tensor]:
        reader = PhotoReader(size, workers=workers)
        return in_batches(photo.pixels for photo in reader.read(sources()))

    return {
        "torchvision ImageFolder, DataLoader": lambda: by_torchvision,
        "PhotoDataset, the same DataLoader": lambda: by_number,
        "PhotoReader, threads, files": lambda: threads(lambda: paths),
        "PhotoReader, threads, shards": lambda: threads(lambda: shards),
        "shard_dataset, DataLoader": lambda: streamed,
    }


def one_pass(begin: Callable[[], Iterable[Any]], expected: int) -> float:
    start = time.perf_counter()
    seen = 0
    for batch in begin():
        seen += len(batch[0] if isinstance(batch, list) else batch)
    assert seen == expected, (seen, expected)
    return time.perf_counter() - start


def measure(sources: list[bytes], count: int, rounds: int, workers: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        paths = lay_out(sources, count, Path(name))
        begin = ways(Path(name), paths, workers)
        seconds: dict[str, list[float]] = {way: [] for way in begin}
        for turn in range(rounds + 1):
            for way, start in begin.items():
                taken = one_pass(start, count)
                if turn:  # the first pass starts workers and fills the page cache
                    seconds[way].append(taken)
        difference = against_torchvision(paths[: len(sources)])
    rates = {way: count / statistics.median(times) for way, times in seconds.items()}
    base = rates["torchvision ImageFolder, DataLoader"]
    return {
        "photos": count,
        "different_photos": len(sources[:count]),
        "mean_megapixels": float(np.mean([megapixels(one) for one in sources[:count]])),
        "images_per_second": {way: round(rate, 1) for way, rate in rates.items()},
        "times_torchvision": {way: round(rate / base, 2) for way, rate in rates.items()},
        "seconds": {way: [round(one, 3) for one in times] for way, times in seconds.items()},
        "mean_difference_to_torchvision_levels": round(difference, 2),
    }


def megapixels(data: bytes) -> float:
    with Image.open(io.BytesIO(data)) as image:
        return image.width * image.height / 1e6


def against_torchvision(paths: list[Path]) -> float:
    """Mean absolute difference of the pixels, 0 to 255, on photos stored upright."""
    resize = transforms.Compose([transforms.Resize(SIZE), transforms.CenterCrop(SIZE)])
    found = []
    for path in paths:
        with Image.open(path) as image:
            if image.getexif().get(0x0112, 1) != 1:
                continue
            theirs = np.array(resize(image.convert("RGB")), np.int16)
        found.append(np.abs(theirs - decode_photo(path, (SIZE, SIZE))).mean())
    return float(np.mean(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=320, help="photos of the small set")
    parser.add_argument("--originals", type=int, default=64, help="photos as published")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = usable(SHARED / "photos")
    originals = [path.read_bytes() for path in found]
    small = [shrunk(path) for path in found]
    results = {
        "as_published": measure(originals, options.originals, options.rounds, options.workers),
        "longer_side_512": measure(small, options.photos, options.rounds, options.workers),
    }
    path = record(
        "reading",
        {
            "what": "photos to 224 x 224 uint8 in batches of 32, from the page cache",
            "workers": options.workers,
            "rounds": options.rounds,
            "results": results,
        },
    )
    for name, result in results.items():
        print(name, result["mean_megapixels"], "megapixels on average")
        for way, rate in result["images_per_second"].items():
            print(f"  {rate:8.1f} images/s  {result['times_torchvision'][way]:5.2f}x  {way}")
    print(path)


if __name__ == "__main__":
    main()
