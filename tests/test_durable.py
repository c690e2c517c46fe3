from __future__ import annotations

import os
from pathlib import Path

import pytest

from sightline.durable import (
    is_disk_full,
    make_folder,
    output_error,
    remove_leftovers,
    whole_file,
    write_bytes,
    write_json,
    write_text,
)
from sightline.errors import OutputError, PhotoNotFoundError


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


def test_the_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    target = tmp_path / "名 'x'\n.html"
    target.write_text("old", encoding="utf-8")
    target.chmod(0o640)
    write_text(target, "neu: ä")
    assert target.read_bytes() == "neu: ä".encode()
    assert target.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [target]


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "new.json", "{}")
    finally:
        os.umask(before)
    assert (tmp_path / "new.json").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["no/such/folder/x.html", "folder", "nul\0byte.html"])
def test_a_text_that_cannot_be_written_is_one_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError) as caught:
        write_text(tmp_path / name, "text")
    assert caught.value.path == str(tmp_path / name)
    assert "Cannot write" in caught.value.message
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_failure_half_way_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "report.html"
    target.write_text("old", encoding="utf-8")

    def full(descriptor: int) -> None:
        # A real "no space left on device", from the device that always has it.
        with Path("/dev/full").open("wb", buffering=0) as stream:
            stream.write(b"x")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        write_text(target, "new")
    assert target.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_error_about_another_file_stays_what_it_is(tmp_path: Path) -> None:
    missing = PhotoNotFoundError("There is no photo.", hint="Look.", path="photo.jpg")
    with pytest.raises(PhotoNotFoundError, match="There is no photo"):  # noqa: SIM117
        with whole_file(tmp_path / "out"):
            raise missing
    assert list(tmp_path.iterdir()) == []


def test_a_folder_cannot_hold_a_null_byte(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="null byte"):
        make_folder(tmp_path / "a\0b")
