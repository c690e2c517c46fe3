from __future__ import annotations

import os
from pathlib import Path

import pytest

from sightline.errors import OutputError
from sightline.report.writing import write_whole


def test_the_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    target = tmp_path / "名 'x'\n.html"
    target.write_text("old", encoding="utf-8")
    target.chmod(0o640)
    write_whole(target, "neu: ä")
    assert target.read_bytes() == "neu: ä".encode()
    assert target.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [target]


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "new.json", "{}")
    finally:
        os.umask(before)
    assert (tmp_path / "new.json").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["no/such/folder/x.html", "folder", "nul\0byte.html"])
def test_what_cannot_be_written_is_one_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError) as caught:
        write_whole(tmp_path / name, "text")
    assert caught.value.path == str(tmp_path / name)
    assert "cannot be written" in caught.value.message
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
        write_whole(target, "new")
    assert target.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [target]
