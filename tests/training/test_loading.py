from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.training.data.loading import BatchLoader, PairPixels
from sightline.training.data.pixels import DecodedEachTime

PAIRS = np.array([(n, n // 2) for n in range(8)])


@pytest.fixture
def pixels(tmp_path: Path) -> PairPixels:
    paths = []
    for number in range(8):
        paths.append(tmp_path / f"{number}.png")
        Image.new("RGB", (8, 8), (number, 2 * number, 0)).save(paths[-1])
    paths[6].write_bytes(b"no image")
    return PairPixels(PAIRS, DecodedEachTime(paths, (4, 8)), DecodedEachTime(paths, (6, 6)))


def test_batches_come_in_order_with_what_is_broken(pixels: PairPixels) -> None:
    loader = BatchLoader(pixels, workers=0, pin=False, note=pytest.fail)
    batches = [np.array([5, 1]), np.array([6, 0, 7])]
    for _ in range(2):  # another pass, other batches
        first, second = loader.load(batches)
        assert first.rows.tolist() == [5, 1]
        assert first.ground.shape == (2, 3, 4, 8)
        assert first.aerial.shape == (2, 3, 6, 6)
        assert first.ground[:, 0, 0, 0].tolist() == [5, 1]
        assert first.aerial[:, 0, 0, 0].tolist() == [2, 0]
        assert second.broken.tolist() == [True, False, False]
        batches = batches[:2]
    assert list(loader.load([])) == []
    assert pixels[3].rows.tolist() == [3]


SCRIPT = Path(__file__).with_name("losing_workers.py")


def test_a_worker_that_dies_is_replaced_and_nothing_is_lost(tmp_path: Path) -> None:
    """In a process of its own, because its workers are killed."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(SCRIPT), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "replaced once" in ran.stdout
    assert "replaced between two passes" in ran.stdout
    assert "told of an error" in ran.stdout
    assert "gave up" in ran.stdout
