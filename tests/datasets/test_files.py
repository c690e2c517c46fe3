import os
from pathlib import Path

import pytest

from sightline.datasets.files import entries_of
from sightline.errors import PhotoNotFoundError


def test_entries_come_by_name(tmp_path: Path) -> None:
    for name in ("b", "a", "ä", "c"):
        (tmp_path / name).touch()
    assert [entry.name for entry in entries_of(tmp_path)] == ["a", "b", "c", "ä"]


def test_a_folder_that_cannot_be_read_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(PhotoNotFoundError, match="No such file"):
        entries_of(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(PhotoNotFoundError, match="Not a directory"):
        entries_of(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_rights(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(PhotoNotFoundError, match="Permission denied"):
        entries_of(tmp_path / "closed")
