from __future__ import annotations

import gc
import hashlib
import itertools
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.datasets.reading import (
    ShardWriter,
    find_shards,
    id_of_key,
    index_shard,
    key_of_id,
    write_shard,
)
from sightline.datasets.reading import shards as shards_module
from sightline.datasets.reading.shard_names import split_name
from sightline.datasets.reading.shards import write_catalogue
from sightline.errors import OutputError, PhotoNotFoundError, TableError, UsageError

from .pictures import jpeg, shards


def members(path: Path) -> dict[str, bytes]:
    """What the standard library reads."""
    with tarfile.open(path) as archive:
        found = {}
        for entry in archive:
            stream = archive.extractfile(entry)
            assert stream is not None
            found[entry.name] = stream.read()
        return found


def test_a_shard_is_a_tar_file_that_others_read(tmp_path: Path):
    picture = jpeg()
    path = tmp_path / "new" / "a.tar"
    summary = write_shard(
        path,
        [
            ("p/1", {"jpg": picture, "json": {"lat": 1.5, "name": "é"}, "cls": 7}),
            ("p/2", {"jpg": b"", "txt": "hello\n", "aerial.png": memoryview(b"xyz")}),
        ],
    )
    assert members(path) == {
        "p/1.jpg": picture,
        "p/1.json": '{"lat": 1.5, "name": "é"}'.encode(),
        "p/1.cls": b"7",
        "p/2.jpg": b"",
        "p/2.txt": b"hello\n",
        "p/2.aerial.png": b"xyz",
    }
    assert (summary.name, summary.samples) == ("a.tar", 2)
    assert summary.bytes_size == path.stat().st_size
    assert summary.bytes_size % 10240 == 0
    assert summary.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert sorted(one.name for one in path.parent.iterdir()) == ["a.idx", "a.tar"]


@pytest.mark.skipif(shutil.which("tar") is None, reason="there is no tar program here")
def test_the_tar_program_lists_it(tmp_path: Path):
    write_shard(tmp_path / "a.tar", [("x" * 150, {"txt": "long"}), ("y", {"txt": "short"})])
    done = subprocess.run(
        ["tar", "-tf", str(tmp_path / "a.tar")], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [f"{'x' * 150}.txt", "y.txt"]


# webdataset leaves the files it reads open.
@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_webdataset_reads_it(tmp_path: Path):
    webdataset = pytest.importorskip("webdataset")
    folder = shards(tmp_path, 25)
    found = [
        (sample["__key__"], sample["txt"], sample["bin"])
        for path in find_shards(folder)
        for sample in webdataset.WebDataset(str(path), shardshuffle=False)
    ]
    assert found == [
        (f"set/{n:05d}", str(n).encode(), bytes([n]) * (n * 37 % 1500)) for n in range(25)
    ]
    gc.collect()


def test_the_same_samples_give_the_same_bytes(tmp_path: Path):
    samples = [("p/1", {"json": {"b": 1, "a": 2}}), ("p/2", {"txt": "x"})]
    assert write_shard(tmp_path / "a.tar", samples).sha256 == (
        write_shard(tmp_path / "b.tar", samples).sha256
    )


def test_the_index_is_that_of_dali_and_says_where_the_bytes_are(tmp_path: Path):
    path = tmp_path / "a.tar"
    write_shard(path, [("p/1", {"jpg": b"abc", "txt": "t" * 600}), ("p/2", {"jpg": b"d"})])
    lines = (tmp_path / "a.idx").read_text().splitlines()
    assert lines[0] == "v1.2 2"
    assert lines[1] == "jpg 512 3 p/1.jpg txt 1536 600 p/1.txt"
    assert lines[2] == "jpg 3072 1 p/2.jpg"
    data = path.read_bytes()
    index = index_shard(path)
    assert index.keys == ("p/1", "p/2")
    for key, files in zip(index.keys, index.members, strict=True):
        for kind, offset, size in files:
            assert data[offset : offset + size] == members(path)[f"{key}.{kind}"]


def test_without_an_index_the_tar_file_is_scanned(tmp_path: Path):
    folder = shards(tmp_path, 10)
    path = folder / "shard-000000.tar"
    stored = index_shard(path)
    index_file = folder / "shard-000000.idx"
    good = index_file.read_text()
    index_file.unlink()
    for content in (None, "", "v9 10\n", "v1.2 x\n", good.replace("v1.2 10", "v1.2 11"), "\xff"):
        if content is not None:
            index_file.write_bytes(content.encode("latin-1"))
        scanned = index_shard(path)
        assert (scanned.keys, scanned.members) == (stored.keys, stored.members)


def test_an_index_of_an_older_shard_is_not_believed(tmp_path: Path):
    path = tmp_path / "a.tar"
    write_shard(path, [("old", {"txt": "x"})])
    stale = (tmp_path / "a.idx").read_bytes()
    write_shard(path, [(f"new{n}", {"txt": "y" * 5000}) for n in range(9)])
    (tmp_path / "a.idx").write_bytes(stale)
    assert index_shard(path).keys == tuple(f"new{n}" for n in range(9))


def test_shards_of_others(tmp_path: Path):
    path = tmp_path / "theirs.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for name in ("folder", ".hidden.txt", "README", "a b.JPG", "a b.seg.png", "c.jpg"):
            file = tmp_path / "file"
            file.write_bytes(name.encode())
            if name == "folder":
                (tmp_path / name).mkdir()
                archive.add(tmp_path / name, name)
            else:
                archive.add(file, name)
    index = index_shard(path)
    assert index.keys == ("a b", "c")
    assert [[one.kind for one in files] for files in index.members] == [["jpg", "seg.png"], ["jpg"]]


def test_damaged_shards(tmp_path: Path):
    folder = shards(tmp_path, 10)
    path = folder / "shard-000000.tar"
    whole = path.read_bytes()
    # In a file, in a header, behind a header, behind a file, and within the end itself.
    for length in (6000, 5300, 1536, 3584, index_shard(path).end + 100):
        (tmp_path / "bad.tar").write_bytes(whole[:length])
        with pytest.raises(TableError, match=r"cut off or damaged after 'set/0000\d"):
            index_shard(tmp_path / "bad.tar")
    # With the old index beside it, the missing end shows as well.
    path.write_bytes(whole[:6000])
    with pytest.raises(TableError, match="cut off or damaged"):
        index_shard(path)
    (tmp_path / "bad.tar").write_bytes(b"This is no tar file at all. " * 100)
    with pytest.raises(TableError, match="is no tar file"):
        index_shard(tmp_path / "bad.tar")
    (tmp_path / "bad.tar").write_bytes(b"\0" * 10240)
    with pytest.raises(TableError, match="holds no sample"):
        index_shard(tmp_path / "bad.tar")
    with pytest.raises(PhotoNotFoundError, match="cannot be read"):
        index_shard(tmp_path / "none.tar")
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        for _ in range(2):
            archive.add(folder / "shard-000000.idx", "same.txt")
    with pytest.raises(TableError, match=r"holds 'same.txt' twice"):
        index_shard(tmp_path / "bad.tar")


def test_a_writer_fills_shards_and_lists_them(tmp_path: Path):
    folder = shards(tmp_path / "set", 25)
    assert [one.name for one in find_shards(folder)] == [f"shard-00000{n}.tar" for n in range(3)]
    catalogue = json.loads((folder / "shards.json").read_text())
    assert catalogue["samples"] == 25
    assert [one["samples"] for one in catalogue["shards"]] == [10, 10, 5]
    with ShardWriter(folder, prefix="more", bytes_per_shard=3000, first=7) as writer:
        for number in range(4):
            writer.write(f"m{number}", {"txt": "x" * 1200})
    assert [one.name for one in writer.summaries] == ["more-000007.tar", "more-000008.tar"]
    listed = json.loads((folder / "shards.json").read_text())["shards"]
    assert [one["name"] for one in listed][:2] == ["more-000007.tar", "more-000008.tar"]
    assert len(listed) == 5
    (folder / "more-000007.tar").unlink()
    (folder / "shards.json").write_text("{broken")
    write_catalogue(folder, writer.summaries)
    listed = json.loads((folder / "shards.json").read_text())["shards"]
    assert [one["name"] for one in listed] == ["more-000008.tar"]


def test_nothing_is_written_half(tmp_path: Path):
    def failing():
        yield "a", {"txt": "x"}
        raise RuntimeError("the camera broke")

    with pytest.raises(RuntimeError, match="camera"):
        write_shard(tmp_path / "a.tar", failing())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RuntimeError), ShardWriter(tmp_path, samples_per_shard=2) as writer:
        for number in range(3):
            writer.write(f"s{number}", {"txt": "x"})
        raise RuntimeError
    # The full shard stays, the one in progress is dropped.
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "shard-000000.idx",
        "shard-000000.tar",
    ]
    with pytest.raises(RuntimeError), ShardWriter(tmp_path):
        raise RuntimeError


def test_an_older_shard_survives_a_failure(tmp_path: Path):
    write_shard(tmp_path / "a.tar", [("a", {"txt": "old"})])
    before = (tmp_path / "a.tar").read_bytes()
    with pytest.raises(UsageError, match="There is no sample"):
        write_shard(tmp_path / "a.tar", [])
    assert (tmp_path / "a.tar").read_bytes() == before
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.idx", "a.tar"]


def test_no_shard_without_samples_and_an_empty_catalogue(tmp_path: Path):
    with ShardWriter(tmp_path):
        pass
    assert json.loads((tmp_path / "shards.json").read_text())["shards"] == []
    with pytest.raises(PhotoNotFoundError, match="no shard"):
        find_shards(tmp_path)


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "a.b", "a b", "a\tb", "a\\b", "a\0"])
def test_impossible_keys(tmp_path: Path, key):
    with pytest.raises(UsageError, match="key of a sample must be text without dots"):
        write_shard(tmp_path / "a.tar", [(key, {"txt": "x"})])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["", "JPG", ".jpg", "jpg.", "a..b", "j g", "é"])
def test_impossible_kinds(tmp_path: Path, kind):
    with pytest.raises(UsageError, match=r"kind of a file must be small letters.* Got "):
        write_shard(tmp_path / "a.tar", [("a", {kind: "x"})])


def test_impossible_samples(tmp_path: Path):
    with pytest.raises(UsageError, match=r"'a' comes twice .*: as sample 0 and as 2"):
        write_shard(
            tmp_path / "a.tar", [("a", {"txt": "x"}), ("b", {"txt": "x"}), ("a", {"txt": ""})]
        )
    with pytest.raises(UsageError, match="'a' has no file"):
        write_shard(tmp_path / "a.tar", [("a", {})])
    with pytest.raises(UsageError, match=r"bytes, text or what JSON can hold. Got object"):
        write_shard(tmp_path / "a.tar", [("a", {"json": object()})])
    with pytest.raises(UsageError, match="JSON can hold"):
        write_shard(tmp_path / "a.tar", [("a", {"json": float("nan")})])
    for arguments in ({"samples_per_shard": 0}, {"bytes_per_shard": 0}, {"first": -1}):
        with pytest.raises(UsageError, match="must be positive"):
            ShardWriter(tmp_path, **arguments)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError):
        write_shard(tmp_path / "file" / "a.tar", [("a", {"txt": "x"})])


@given(st.text(min_size=1, max_size=20))
def test_ids_as_keys(one):
    if not all(one.split("/")):
        with pytest.raises(UsageError):
            key_of_id(one)
        return
    key = key_of_id(one)
    assert id_of_key(key) == one
    assert split_name(f"{key}.jpg") == (key, "jpg")


def test_a_key_that_needs_nothing_stays_as_it_is():
    assert key_of_id("planet-1/000123") == "planet-1/000123"
    assert key_of_id("im2gps/12.jpg") == "im2gps/12%2E;jpg"
    assert id_of_key("50%off") == "50%off"
    assert len({key_of_id(a + b) for a, b in itertools.product("ab.% ", repeat=2)}) == 25


def test_lists_of_shards(tmp_path: Path):
    first, second = shards(tmp_path / "a", 10), shards(tmp_path / "b", 20)
    found = find_shards([first, second / "shard-000001.tar"])
    assert [str(one.relative_to(tmp_path)) for one in found] == [
        "a/shard-000000.tar",
        "b/shard-000001.tar",
    ]
    with pytest.raises(PhotoNotFoundError, match="no shard"):
        find_shards([first, tmp_path / "c"])


def test_a_missing_photo_is_no_fault_of_the_shard(tmp_path: Path):
    with (
        pytest.raises(PhotoNotFoundError, match="no photo"),
        ShardWriter(tmp_path) as writer,
    ):
        writer.write("a", {"txt": "x"})
        raise PhotoNotFoundError("no photo", hint="Look.")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told(tmp_path: Path):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(OutputError, match="No space left"), ShardWriter(tmp_path) as writer:
        writer.write("a", {"txt": "x"})
        assert writer._open is not None
        writer._open._stream.close()
        writer._open._stream = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115
        try:
            writer.write("b", {"txt": "x"})
        finally:
            writer._open._stream.close()


def test_a_sample_that_stands_in_two_places(tmp_path: Path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name in ("a.jpg", "b.jpg", "a.json"):
            archive.addfile(tarfile.TarInfo(name))
    with pytest.raises(TableError, match="holds the sample 'a' twice"):
        index_shard(path)


def test_the_index_of_an_older_shard_does_not_outlive_it(tmp_path: Path, monkeypatch):
    write_shard(tmp_path / "a.tar", [("a", {"txt": "1234"})])

    def stopped(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shards_module, "write_index", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_shard(tmp_path / "a.tar", [("b", {"txt": "12", "cls": 3})])
    assert index_shard(tmp_path / "a.tar").keys == ("b",)
