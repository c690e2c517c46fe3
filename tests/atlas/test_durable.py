from __future__ import annotations

from pathlib import Path

import pytest

from sightline.atlas.durable import (
    is_disk_full,
    make_folder,
    output_error,
    remove_leftovers,
    whole_file,
    write_bytes,
    write_json,
)
from sightline.errors import OutputError


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")
    with pytest.raises(RuntimeError), whole_file(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    write_json(path, {"a": "ü"})
    assert path.read_text(encoding="utf-8") == '{\n "a": "ü"\n}\n'
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_leftovers_of_killed_writers_go_away(tmp_path: Path) -> None:
    (tmp_path / ".writing-77-atlas.json").write_bytes(b"half")
    (tmp_path / ".writing-folder").mkdir()
    (tmp_path / "other").touch()
    remove_leftovers(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".writing-folder", "other"]


def test_what_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Cannot write"):
        write_bytes(tmp_path / "none" / "file", b"")
    with pytest.raises(OutputError, match="Cannot write"):
        make_folder(tmp_path / "file" / "folder")
    inner = output_error(tmp_path, OSError(28, "No space left on device"))
    assert "Free some space" in inner.hint
    with pytest.raises(OutputError) as caught, whole_file(tmp_path / "x"):
        raise inner
    assert caught.value is inner


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("LanceError(IO): No space left on device (os error 28)", True),
        ("Disk quota exceeded", True),
        ("Permission denied", False),
    ],
)
def test_full_disks_are_known_by_their_words(text: str, full: bool) -> None:
    assert is_disk_full(RuntimeError(text)) == full
