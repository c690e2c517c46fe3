"""Traces of an unpacking that did not end: archives, empty and partial files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sightline.datasets.doctor.finding import Finding
from sightline.datasets.files import entries_of
from sightline.datasets.reading.shards import CATALOGUE

_ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar", ".zst", ".z01", ".001")
_PARTIAL = (".part", ".partial", ".crdownload", ".aria2", ".download", ".incomplete")
_DEPTH = 3
_MOST_ENTRIES = 20_000


def leftovers(root: Path) -> Iterator[Finding]:
    """Look for archives and partial downloads in the upper folders of a dataset.

    Args:
        root: The dataset's folder; three levels and 20,000 names are looked at, no more, so that
            folders of a million images cost little.
    """
    archives, partial, empty = [], [], []
    for path, size in _entries(root):
        suffix = path.suffix.lower()
        if suffix in _PARTIAL or path.name.startswith(".writing-"):
            partial.append(path)
        elif size == 0 and suffix:
            empty.append(path)
        elif suffix in _ARCHIVES and not (path.parent / CATALOGUE).exists():
            archives.append(path)
    if archives:
        yield Finding(
            "warning",
            "archive",
            f"Archives lie in the dataset, {_some(archives, root)}: they may not be unpacked, or "
            "not to the end.",
            "Unpack each (7z t or tar tf say whether it is whole), then move it elsewhere.",
            len(archives),
        )
    if partial:
        yield Finding(
            "fault",
            "archive",
            f"Downloads or writes that did not end: {_some(partial, root)}.",
            "Finish them and unpack again, or remove them.",
            len(partial),
        )
    if empty:
        yield Finding(
            "fault",
            "file",
            f"Empty files: {_some(empty, root)}.",
            "Unpack or copy them again; the disk may have been full.",
            len(empty),
        )


def _entries(root: Path) -> Iterator[tuple[Path, int]]:
    """Yield files and their sizes, level by level."""
    level, seen = [root], 0
    for _ in range(_DEPTH):
        below = []
        for folder in level:
            for entry in entries_of(folder):
                seen += 1
                if seen > _MOST_ENTRIES:
                    return
                if entry.is_dir(follow_symlinks=False):
                    below.append(Path(entry.path))
                elif entry.is_file():
                    yield Path(entry.path), entry.stat().st_size
        level = below


def _some(paths: list[Path], root: Path) -> str:
    names = [str(path.relative_to(root)) for path in sorted(paths)[:3]]
    more = len(paths) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
