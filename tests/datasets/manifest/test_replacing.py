"""A manifest that is replaced while its writer is killed is the old one or the new one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sightline.datasets.dataset import Dataset
from sightline.datasets.manifest import Manifest, write_manifest
from sightline.datasets.manifest.replacing import WAITING, current, replaced
from sightline.datasets.rows import AerialPatch, Pair, Photo
from sightline.errors import OutputError, TableError

pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes are killed by a signal")

_WRITER = """
import os, signal, sys
from pathlib import Path
from tests.datasets.manifest.test_replacing import dataset
from sightline.datasets.manifest import write_manifest

left = int(sys.argv[2])

def dying(event, arguments):
    global left
    if event in ("os.rename", "os.rmdir") and "manifest" in str(arguments[0]):
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

made = dataset("new", 5)
sys.addaudithook(dying)
write_manifest(Path(sys.argv[1]) / "manifest", made)
"""

_STEPS = 5
"""New files together, each of three, and the folder that they waited in."""


def dataset(version: str, count: int) -> Dataset:
    photos = [Photo(f"t/{n}", f"a/{version}-{n}.jpg") for n in range(count)]
    patches = [AerialPatch(f"t/{n}", f"b/{version}-{n}.png") for n in range(count)]
    pairs = [Pair(f"t/{n}", f"t/{n}", f"t/{n}") for n in range(count)]
    return Dataset(
        "t", version, Path("/"), lambda: iter(photos), lambda: iter(patches), lambda: iter(pairs)
    )


def killed_after(root: Path, steps: int) -> bool:
    """Replace a manifest in a process that kills itself before some step; whether it did."""
    process = subprocess.run(
        [sys.executable, "-c", _WRITER, str(root), str(steps)],
        check=False,
        cwd=Path(__file__).parents[3],
        capture_output=True,
    )
    assert process.returncode in (0, -signal.SIGKILL), process.stderr.decode()
    return process.returncode != 0


def read(manifest: Manifest) -> tuple[str, list[str], list[str], int]:
    photos, patches = list(manifest.photos()), list(manifest.patches())
    rows = manifest.take("photos", range(len(photos))).to_pylist()
    assert [row["uri"] for row in rows] == [photo.uri for photo in photos]
    return (
        manifest.version,
        [photo.uri for photo in photos],
        [patch.uri for patch in patches],
        len(list(manifest.pairs())),
    )


def whole(version: str, count: int) -> tuple[str, list[str], list[str], int]:
    return (
        version,
        [f"a/{version}-{n}.jpg" for n in range(count)],
        [f"b/{version}-{n}.png" for n in range(count)],
        count,
    )


@pytest.mark.parametrize("steps", range(_STEPS + 1))
def test_a_writer_killed_between_any_two_steps(tmp_path: Path, steps: int) -> None:
    folder = tmp_path / "manifest"
    write_manifest(folder, dataset("old", 3))
    assert killed_after(tmp_path, steps) == (steps < _STEPS)
    expected = whole("old", 3) if steps == 0 else whole("new", 5)
    assert read(Manifest.open(folder)) == expected
    # Whoever writes next clears up.
    write_manifest(folder, dataset("newest", 2))
    assert read(Manifest.open(folder)) == whole("newest", 2)
    assert not (folder / WAITING).exists()


def test_a_writer_killed_before_there_was_any(tmp_path: Path) -> None:
    assert killed_after(tmp_path, 0)
    with pytest.raises(TableError, match="no manifest in"):
        Manifest.open(tmp_path / "manifest")


@pytest.mark.parametrize(("steps", "there"), [(0, False), (1, True), (2, True)])
def test_a_first_manifest_is_found_once_it_is_whole(
    tmp_path: Path, steps: int, there: bool
) -> None:
    assert killed_after(tmp_path, steps)
    assert Manifest.lies_at(tmp_path / "manifest") is there
    assert Manifest.lies_at(tmp_path / "manifest" / "pairs.parquet") is there
    assert not Manifest.lies_at(tmp_path / "manifest" / "my-photos.parquet")


def test_modes_are_kept_and_files_that_are_not_written_are_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "a").chmod(0o640)
    with replaced(tmp_path, ["a"]) as beside:
        (beside / "a").write_text("new")
    assert current(tmp_path, "a").read_text() == "new"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
    with pytest.raises(OutputError), replaced(tmp_path, ["a", "b"]) as beside:
        (beside / "a").write_text("newer")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "new"
