"""A disk that is really full: a small file system in memory."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sightline.atlas.build import build_atlas
from sightline.atlas.export import export
from sightline.atlas.maintain import compact
from sightline.atlas.store import Store
from sightline.atlas.verify import verify
from sightline.errors import OutputError

from .encoders import ColourGrid
from .photos import write_photos


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def grow(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


def test_a_full_disk_loses_nothing(small_disk: Path, tmp_path: Path) -> None:
    records = write_photos(tmp_path / "photos", 200)
    encoder = ColourGrid(dimension=512)  # 4 KiB per row
    atlas = small_disk / "atlas"
    with pytest.raises(OutputError, match="No space left") as full:
        build_atlas(atlas, records, encoder, batch=8, commit_rows=8)
    assert "run the same command again" in full.value.hint
    committed = Store.open(atlas)
    assert 0 < committed.count < 200
    assert verify(atlas).sound
    ids = set(committed.ids().tolist())
    data = atlas / "rows.lance" / "data"
    files = sorted(data.iterdir())
    with pytest.raises(OutputError, match="No space left"):
        compact(atlas)
    assert sorted(data.iterdir()) == files
    with pytest.raises(OutputError, match="No space left"):
        export(atlas, small_disk / "out.parquet")
    assert sorted(p.name for p in small_disk.iterdir()) == ["atlas"]
    assert set(Store.open(atlas).ids().tolist()) == ids
    assert verify(atlas).sound
    grow(small_disk, "16m")
    encoder.encoded = 0
    report = build_atlas(atlas, records, encoder)
    assert (report.rows, encoder.encoded) == (200, 200 - len(ids))
    assert ids < set(Store.open(atlas).ids().tolist())
    assert verify(atlas).sound
