from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.datasets.reading import decode_photo
from sightline.errors import OutputError
from sightline.training.data.pixels import DecodedEachTime, KeptOnDisk

SIZE = (10, 16)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    made = []
    for number in range(6):
        pixels = np.random.default_rng(number).integers(0, 256, (20, 24, 3), np.uint8)
        made.append(tmp_path / f"{number}.png")
        Image.fromarray(pixels).save(made[-1])
    made[3].write_bytes(b"no image")
    return made


def test_images_are_brought_to_a_size_channels_first(paths: list[Path]) -> None:
    pixels, broken = DecodedEachTime(paths, SIZE).take(np.array([1, 3, 0]))
    assert pixels.shape == (3, 3, *SIZE)
    assert broken.tolist() == [False, True, False]
    assert np.array_equal(pixels[2].transpose(1, 2, 0), decode_photo(paths[0], SIZE, fit="stretch"))
    assert not pixels[1].any()


def test_images_are_decoded_once_and_kept(paths: list[Path], tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    kept = KeptOnDisk(tmp_path / "kept", "ground", paths, SIZE, "f" * 64)
    kept.fill(np.array([0, 1, 3]), workers=2, progress=lambda *x: told.append(x))
    assert told == [(3, 3)]
    wanted, _ = DecodedEachTime(paths, SIZE).take(np.arange(6))
    for path in paths:
        path.unlink()
    again = KeptOnDisk(tmp_path / "kept", "ground", paths, SIZE, "f" * 64)
    again.fill(np.array([0, 1, 3]))
    pixels, broken = again.take(np.array([1, 3, 0]))
    assert np.array_equal(pixels, wanted[[1, 3, 0]])
    assert broken.tolist() == [False, True, False]
    assert again.broken(np.array([3, 0])).tolist() == [True, False]
    # What was not decoded before is now, and its file is gone.
    assert again.take(np.array([4]))[1].tolist() == [True]


def test_an_image_that_was_repaired_is_decoded_again(paths: list[Path], tmp_path: Path) -> None:
    first = KeptOnDisk(tmp_path / "kept", "ground", paths, SIZE, "f" * 64)
    first.fill(np.arange(6))
    assert first.broken(np.arange(6)).tolist() == [False] * 3 + [True] + [False] * 2
    paths[0].unlink()
    Image.new("RGB", (30, 20), (9, 9, 9)).save(paths[3])
    second = KeptOnDisk(tmp_path / "kept", "ground", paths, SIZE, "f" * 64)
    second.fill(np.arange(6))
    assert not second.broken(np.arange(6)).any()
    assert (second.take(np.array([3]))[0] == 9).all()


def test_a_process_that_reads_images_maps_the_files_again(
    paths: list[Path], tmp_path: Path
) -> None:
    kept = KeptOnDisk(tmp_path / "kept", "ground", paths, (200, 300), "f" * 64)
    kept.fill(np.arange(6))
    sent = pickle.dumps(kept)
    assert len(sent) < 10_000
    again = pickle.loads(sent)
    for mine, its in zip(kept.take(np.arange(6)), again.take(np.arange(6)), strict=True):
        assert np.array_equal(mine, its)


def test_another_set_or_size_has_a_file_of_its_own(paths: list[Path], tmp_path: Path) -> None:
    for size, fingerprint in ((SIZE, "a" * 64), ((8, 8), "a" * 64), (SIZE, "b" * 64)):
        KeptOnDisk(tmp_path / "kept", "ground", paths, size, fingerprint).fill(np.array([0]))
    assert len(list((tmp_path / "kept").iterdir())) == 6


def test_a_file_that_does_not_fit_is_made_anew(paths: list[Path], tmp_path: Path) -> None:
    KeptOnDisk(tmp_path, "ground", paths[:2], SIZE, "a" * 64).fill(np.array([0]))
    longer = KeptOnDisk(tmp_path, "ground", paths, SIZE, "a" * 64)
    assert not longer.take(np.array([5]))[1].any()


@pytest.mark.parametrize("left", [0, 64, 300, None], ids=["empty", "header", "pixels", "gone"])
def test_pixels_that_were_cut_short_or_lost_are_decoded_again(
    paths: list[Path], tmp_path: Path, left: int | None
) -> None:
    """As a kill, a crash of the machine, or someone who makes room, leaves them."""
    before = KeptOnDisk(tmp_path, "ground", paths, SIZE, "a" * 64)
    wanted, _ = before.take(np.arange(3))
    assert wanted.any()
    file = next(p for p in tmp_path.iterdir() if p.name.endswith("a.npy"))
    if left is None:
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:left])
    again, _ = KeptOnDisk(tmp_path, "ground", paths, SIZE, "a" * 64).take(np.arange(3))
    assert np.array_equal(again, wanted)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_disk_that_fills_up_is_told_and_nothing_half_made_is_left(
    paths: list[Path], tmp_path: Path
) -> None:
    file = tmp_path / f"ground-{SIZE[0]}x{SIZE[1]}-{16 * 'a'}.npy"
    file.symlink_to("/dev/full")
    with pytest.raises(OutputError, match="No space left") as error:
        KeptOnDisk(tmp_path, "ground", paths, SIZE, "a" * 64)
    assert error.value.path == str(file)
    assert not file.is_symlink()


def test_a_folder_in_the_place_of_the_file_is_told_and_kept(
    paths: list[Path], tmp_path: Path
) -> None:
    file = tmp_path / f"ground-{SIZE[0]}x{SIZE[1]}-{16 * 'a'}.npy"
    file.mkdir()
    with pytest.raises(OutputError, match="Is a directory"):
        KeptOnDisk(tmp_path, "ground", paths, SIZE, "a" * 64)
    assert file.is_dir()


def test_a_disk_with_too_little_room_is_told_before(tmp_path: Path) -> None:
    paths = [tmp_path / "0.png"] * 10**6
    with pytest.raises(OutputError, match="MiB do not fit into") as error:
        KeptOnDisk(tmp_path, "ground", paths, (4096, 4096), "a" * 64)
    assert "pixels=read" in error.value.hint
