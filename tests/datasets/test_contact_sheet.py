import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.datasets import AerialPatch, Manifest, Photo, write_manifest
from sightline.datasets.contact_sheet import contact_sheet
from sightline.datasets.layouts import layout_named, read, write
from sightline.datasets.layouts.sample import PhotoSample, Sample
from sightline.errors import TableError, UsageError


def flat(colour, width=64, height=64):
    return np.broadcast_to(np.array(colour, np.uint8), (height, width, 3)).copy()


def written(root: Path, samples: list[Sample]) -> Manifest:
    write(layout_named("plain"), root / "made", samples, provenance={"by": "a test"})
    write_manifest(root / "manifest", read(root / "made"))
    return Manifest.open(root / "manifest")


def pairs(count: int) -> list[Sample]:
    made = []
    for number in range(count):
        photo = Photo(f"p{number}", "-", lat=1.0, lon=number * 0.01, split="train")
        patch = AerialPatch(f"t{number}", "-", 1.0, number * 0.01, 0.5)
        red, blue = flat((250, 10, 10), width=128), flat((10, 10, 250))
        made.append(Sample.of_pair(photo, red, patch, blue))
    return made


def test_a_pair_is_a_photo_beside_its_patch(tmp_path: Path) -> None:
    made = contact_sheet(written(tmp_path, pairs(1)), height_px=64)
    assert made.pixels.shape == (64, 192, 3)
    assert made.ids == ("p0+t0",)
    assert (made.pixels[:, 8:120, 0] > 200).all()
    assert (made.pixels[:, 136:, 2] > 200).all()


def test_what_is_shown_hangs_on_ids_and_seed(tmp_path: Path) -> None:
    held = written(tmp_path / "a", pairs(12))
    backwards = written(tmp_path / "b", pairs(12)[::-1])
    shown = contact_sheet(held, count=5).ids
    assert len(set(shown)) == 5
    assert shown == contact_sheet(backwards, count=5).ids
    assert shown != contact_sheet(held, count=5, seed=1).ids
    assert len(contact_sheet(held, count=50, split="train").ids) == 12


def test_photos_alone_and_a_damaged_one(tmp_path: Path) -> None:
    rows = [Photo(f"p{number}", "-", lat=1.0, lon=2.0) for number in range(3)]
    held = written(tmp_path, [Sample((PhotoSample(row, flat((10, 250, 10))),)) for row in rows])
    broken = held.resolve(next(iter(held.photos())).uri)
    broken.write_bytes(b"no picture")
    made = contact_sheet(held, height_px=32)
    assert [problem.path for problem in made.problems] == [str(broken)]
    greys = (made.pixels == 128).all(axis=2).sum()
    assert greys == 32 * 32
    made.save(tmp_path / "sheet.png")
    with Image.open(io.BytesIO((tmp_path / "sheet.png").read_bytes())) as image:
        np.testing.assert_array_equal(np.array(image), made.pixels)


def test_bad_input(tmp_path: Path) -> None:
    held = written(tmp_path, pairs(1))
    with pytest.raises(UsageError, match=r"count must be from 1 to 1000\. Got 0"):
        contact_sheet(held, count=0)
    with pytest.raises(TableError, match="holds no pairs in the split 'val'"):
        contact_sheet(held, split="val")
    with pytest.raises(UsageError, match=r"Got 'sheet.gif'"):
        contact_sheet(held).save(tmp_path / "sheet.gif")
