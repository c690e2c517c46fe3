from __future__ import annotations

import os
from pathlib import Path

import pytest

from sightline.datasets import (
    PhotoRecord,
    RecordProblem,
    open_source,
    photos_matching,
    scan_folder,
)
from sightline.errors import PhotoNotFoundError, TableError


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def found(root: Path) -> list[str]:
    return [str(Path(record.uri).relative_to(root)) for record in scan_folder(root)]


def test_photos_are_found_in_order(tmp_path: Path):
    touch(
        tmp_path,
        "b/2.JPG", "b/10.jpeg", "a.png", "c.HeIc", "b/x/deep.tif", "Z.webp",
        "new\nline 'q' 東.avif", "readme.txt", ".hidden.jpg",
        ".git/a.jpg", "b/._2.JPG", "jpg", "folder.jpg/in.jpg",
    )  # fmt: skip
    expected = [
        "Z.webp", "a.png", "b/10.jpeg", "b/2.JPG", "b/x/deep.tif", "c.HeIc", "folder.jpg/in.jpg",
        "new\nline 'q' 東.avif",
    ]  # fmt: skip
    assert found(tmp_path) == expected
    assert found(tmp_path) == expected
    assert next(iter(scan_folder(str(tmp_path)))) == PhotoRecord(str(tmp_path / "Z.webp"))


def test_links_are_followed_once(tmp_path: Path):
    touch(tmp_path, "real/a.jpg", "elsewhere/b.jpg")
    root = tmp_path / "real"
    (root / "loop").symlink_to(root)
    (root / "up").symlink_to(tmp_path)
    (root / "self").symlink_to(root / "self")
    (root / "other").symlink_to(tmp_path / "elsewhere")
    (root / "gone.jpg").symlink_to(tmp_path / "nothing.jpg")
    assert found(root) == ["a.jpg", "gone.jpg", "other/b.jpg"]


def test_no_photos(tmp_path: Path):
    touch(tmp_path, "notes.txt", "sub/list.csv")
    with pytest.raises(PhotoNotFoundError, match="no images") as caught:
        list(scan_folder(tmp_path))
    assert caught.value.path == str(tmp_path)
    assert ".heic" in caught.value.hint
    with pytest.raises(PhotoNotFoundError, match="no folder"):
        scan_folder(tmp_path / "missing")
    with pytest.raises(PhotoNotFoundError, match="no folder"):
        scan_folder(tmp_path / "notes.txt")


def test_names_that_are_not_text_are_problems(tmp_path: Path):
    touch(tmp_path, "a.jpg")
    with open(os.path.join(os.fsencode(tmp_path), b"caf\xe9.jpg"), "wb"):  # noqa: PTH118, PTH123
        pass
    good, bad = scan_folder(tmp_path)
    assert good == PhotoRecord(str(tmp_path / "a.jpg"))
    assert isinstance(bad, RecordProblem)
    assert isinstance(bad.error, TableError)
    assert bad.uri.isascii()


def test_a_folder_that_disappears_is_a_problem(tmp_path: Path):
    touch(tmp_path, "a/1.jpg", "b/2.jpg", "c/3.jpg")
    items = scan_folder(tmp_path)
    assert next(items).uri.endswith("1.jpg")
    (tmp_path / "b" / "2.jpg").unlink()
    (tmp_path / "b").rmdir()
    problem, last = items
    assert isinstance(problem, RecordProblem)
    assert isinstance(problem.error, PhotoNotFoundError)
    assert problem.uri == str(tmp_path / "b")
    assert last.uri.endswith("3.jpg")


def test_arguments_of_the_command_line(tmp_path: Path, monkeypatch):
    touch(tmp_path, "x/b.jpg", "x/a.png", "x/notes.txt", "odd[1].jpg", "odd1.jpg", "s p/'q'.jpg")
    touch(tmp_path, "x/deep/c.webp", "notes.txt", "empty/readme.md")
    monkeypatch.chdir(tmp_path)
    for arguments, expected in [
        (["x/b.jpg"], ["x/b.jpg"]),
        (["notes.txt", "-"], ["notes.txt", "-"]),
        (["x"], ["x/a.png", "x/b.jpg", "x/deep/c.webp"]),
        (["x/*"], ["x/a.png", "x/b.jpg", "x/deep/c.webp"]),
        (["x/*.jpg", "x/b.jpg"], ["x/b.jpg"]),
        (["odd[1].jpg"], ["odd[1].jpg"]),
        (["odd[12].jpg"], ["odd1.jpg"]),
        (["**/c.*"], ["x/deep/c.webp"]),
        (["x/**"], ["x/a.png", "x/b.jpg", "x/deep/c.webp"]),
        (["s p/'q'.jpg"], ["s p/'q'.jpg"]),
        ([tmp_path / "x" / "b.jpg"], [str(tmp_path / "x" / "b.jpg")]),
        ([f"{tmp_path}/odd?.jpg"], [f"{tmp_path}/odd1.jpg"]),
    ]:
        matched = photos_matching(arguments)
        assert matched.errors == []
        assert sorted(matched.paths) == sorted(expected), arguments


def test_arguments_that_name_nothing_do_not_stop_the_others(tmp_path: Path):
    touch(tmp_path, "a.jpg", "empty/readme.md")
    names = ["no.jpg", "*.gif", "empty", "a.jpg", "empty/*"]
    matched = photos_matching([tmp_path / name for name in names])
    assert matched.paths == [str(tmp_path / "a.jpg")]
    assert [error.path for error in matched.errors] == [
        str(tmp_path / name) for name in names if name != "a.jpg"
    ]
    for error, words in zip(
        matched.errors,
        ["no file", "No photo matches", "no images", "No photo matches"],
        strict=True,
    ):
        assert words in str(error)


def test_open_source(tmp_path: Path):
    touch(tmp_path, "photos/a.jpg", "b.JPG", "c.doc")
    (tmp_path / "list.csv").write_text("path,lat,lon\nphotos/a.jpg,1,2\n")
    folder, table, photo = tmp_path / "photos", tmp_path / "list.csv", tmp_path / "b.JPG"
    assert list(open_source(folder)) == [PhotoRecord(str(folder / "a.jpg"))]
    assert list(open_source(str(table))) == [PhotoRecord(str(folder / "a.jpg"), 1.0, 2.0)]
    assert list(open_source(photo)) == [PhotoRecord(str(photo))]
    assert len(list(open_source([folder, table, photo]))) == 3
    with pytest.raises(PhotoNotFoundError, match="no folder, table or photo"):
        open_source(tmp_path / "missing")
    with pytest.raises(TableError, match="neither"):
        open_source(tmp_path / "c.doc")
