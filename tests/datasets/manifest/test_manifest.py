from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sightline.datasets.dataset import Dataset
from sightline.datasets.manifest import Manifest, write_manifest
from sightline.datasets.manifest import writing as writing_module
from sightline.datasets.records import RecordProblem
from sightline.datasets.rows import AerialPatch, Pair, Photo
from sightline.errors import (
    OutputError,
    PhotoNotFoundError,
    PhotoTooLargeError,
    PhotoUnreadableError,
    TableError,
    UsageError,
)
from sightline.imagery import Limits


def dataset(root: Path, photos=(), patches=(), pairs=()) -> Dataset:
    return Dataset("t", "1", root, lambda: iter(photos), lambda: iter(patches), lambda: iter(pairs))


def rows(count: int) -> tuple[list[Photo], list[AerialPatch], list[Pair]]:
    photos = [
        Photo(
            f"t/{n}",
            f"a/{n}.jpg",
            float(n % 90),
            float(n % 170),
            split=("train", "test", None)[n % 3],
            labels={"n": n} if n % 2 else {},
            locatable=(True, False, None)[n % 3],
            origin=f"line {n} of 'list.csv'",
        )
        for n in range(count)
    ]
    patches = [AerialPatch(f"t/{n}", f"b/{n}.png", metres_per_pixel=0.5) for n in range(count)]
    pairs = [
        Pair(f"t/{n}", f"t/{n}", f"t/{n}", offset_east_m=0.1 * n, offset_north_m=-1.0)
        for n in range(count)
    ]
    return photos, patches, pairs


def test_what_is_written_is_read(tmp_path):
    photos, patches, pairs = rows(25)
    told: list[int] = []
    report = write_manifest(
        tmp_path / "m", dataset(tmp_path, photos, patches, pairs), progress=told.append
    )
    held = Manifest.open(tmp_path / "m" / "photos.parquet")
    assert (list(held.photos()), list(held.patches()), list(held.pairs())) == (
        photos,
        patches,
        pairs,
    )
    assert next(held.photos()).origin == "line 0 of 'list.csv'"
    assert (held.n_photos, held.n_patches, held.n_pairs, told) == (25, 25, 25, [25, 50, 75])
    assert held.information == report.information
    assert (held.name, held.version, held.information.root) == ("t", "1", "..")
    assert held.resolve("a/1.jpg").resolve() == tmp_path / "a/1.jpg"
    assert held.splits() == {"train": 9, "test": 8, "": 8}
    assert [row.id for row in held.photos(split="test")] == [f"t/{n}" for n in range(1, 25, 3)]
    assert (
        pq.ParquetFile(tmp_path / "m/photos.parquet").metadata.row_group(0).column(0).compression
        == "ZSTD"
    )


def test_columns_batches_and_rows_by_number(tmp_path, monkeypatch):
    monkeypatch.setattr(writing_module, "ROW_GROUP_ROWS", 7)
    photos, patches, pairs = rows(40)
    write_manifest(tmp_path / "m", dataset(tmp_path, photos, patches, pairs))
    held = Manifest.open(tmp_path / "m", root="/elsewhere")
    assert held.resolve("x") == Path("/elsewhere/x")
    assert held.table("photos", columns=["lon", "id"]).column_names == ["lon", "id"]
    batches = list(held.batches("photos", split="train", columns=["id"]))
    assert pa.Table.from_batches(batches).column("id").to_pylist() == [
        row.id for row in photos if row.split == "train"
    ]
    wanted = [39, 0, 13, 13, 7]
    taken = held.take("pairs", wanted, columns=["photo_id"])
    assert taken.column("photo_id").to_pylist() == [f"t/{n}" for n in wanted]
    assert held.take("patches", []).num_rows == 0
    assert held.table("pairs").num_rows == 40
    for table, columns, words in (
        ("photo", None, "table must be one of"),
        ("photos", ["latitude"], "columns must be among"),
    ):
        with pytest.raises(UsageError, match=words):
            held.table(table, columns=columns)
    with pytest.raises(UsageError, match=r"must lie in \[0, 40\). Got 40"):
        held.take("photos", [1, 40])


def test_fingerprints_tell_rows_and_not_places(tmp_path):
    photos, patches, pairs = rows(5)
    one = write_manifest(tmp_path / "a", dataset(tmp_path, photos, patches, pairs))
    moved = [Photo(row.id, row.uri, row.lat, row.lon, split=row.split, labels=row.labels,
                   locatable=row.locatable) for row in photos]  # fmt: skip
    other = Path(tmp_path / "other")
    same = write_manifest(other / "m", dataset(other, moved, patches, pairs))
    assert same.information.fingerprint == one.information.fingerprint
    again = write_manifest(tmp_path / "b", Manifest.open(tmp_path / "a").dataset())
    assert again.information.fingerprint == one.information.fingerprint
    changed = write_manifest(tmp_path / "c", dataset(tmp_path, photos[:4], patches, pairs[:4]))
    assert changed.information.fingerprint != one.information.fingerprint


def test_roots_are_relative_only_around_the_manifest(tmp_path):
    inside = write_manifest(tmp_path / "data/m", dataset(tmp_path / "data", *rows(1)))
    beside = write_manifest(tmp_path / "m", dataset(tmp_path / "data", *rows(1)))
    same = write_manifest(tmp_path / "data", dataset(tmp_path / "data", *rows(1)))
    told = [report.information.root for report in (inside, beside, same)]
    assert told == ["..", (tmp_path / "data").as_posix(), "."]
    assert Manifest.open(tmp_path / "m").resolve("x") == tmp_path / "data/x"


@pytest.mark.parametrize("table", ["photos", "patches", "pairs"])
def test_ids_that_stand_twice_name_both_lines(tmp_path, table):
    photos, patches, pairs = rows(4)
    streams = {"photos": photos, "patches": patches, "pairs": pairs}
    twin = streams[table][1]
    streams[table].append(type(twin)(**{**asdict(twin), "origin": "line 9 of 'list.csv'"}))
    first = "line 1 of 'list.csv'" if table == "photos" else "the row of"
    with pytest.raises(TableError, match=f"'t/1' of a .* stands twice: in {first}.*line 9 of"):
        write_manifest(tmp_path / "m", dataset(tmp_path, **streams))
    assert not list((tmp_path / "m").iterdir())
    report = write_manifest(tmp_path / "m", dataset(tmp_path, **streams), on_error="skip")
    assert report.problem_count == 1
    assert "stands twice" in report.problems[0].error.message
    assert "line 9 of" in report.problems[0].error.message
    kept = Manifest.open(tmp_path / "m")
    assert (kept.n_photos, kept.n_patches, kept.n_pairs) == (4, 4, 4)


def test_a_missing_file_is_no_fault_of_the_manifest(tmp_path):
    """A missing photo is an OSError; it must not be told as one of writing."""
    with pytest.raises(PhotoNotFoundError, match=r"cannot be read: No such file.*\(named in line"):
        write_manifest(tmp_path / "m", dataset(tmp_path, *rows(3)), files="read")
    assert not list((tmp_path / "m").iterdir())


def test_a_folder_may_be_called_parquet(tmp_path):
    write_manifest(tmp_path / "m.parquet", dataset(tmp_path, *rows(3)))
    assert Manifest.open(tmp_path / "m.parquet").n_photos == 3


def asdict(row) -> dict:
    return {name: getattr(row, name) for name in row.__dataclass_fields__}


def test_a_shared_hash_is_no_twin(tmp_path, monkeypatch):
    monkeypatch.setattr(writing_module, "hash", lambda name: 7, raising=False)
    photos, _, _ = rows(3)
    assert write_manifest(tmp_path / "m", dataset(tmp_path, photos)).information.counts == {
        "photos": 3,
        "patches": 0,
        "pairs": 0,
    }


def test_problems_fail_or_are_counted(tmp_path):
    photos, patches, pairs = rows(4)
    bad = RecordProblem("x", 3, TableError("Line 3 of 'x' is odd.", hint="Mend it."))
    stray = Pair("t/9", "t/9", "t/1", origin="line 4 of 'pairs'")
    lost = Pair("t/8", "t/1", "t/77")
    held = dataset(tmp_path, [*photos, bad], patches, [*pairs, stray, lost])
    with pytest.raises(TableError, match="Line 3 of 'x' is odd"):
        write_manifest(tmp_path / "m", held)
    report = write_manifest(tmp_path / "m", held, on_error="skip")
    assert report.problem_count == report.information.problems == 3
    assert [problem.kind.value for problem in report.problems] == ["row", "pair", "pair"]
    messages = [problem.error.message for problem in report.problems]
    assert "pair 't/9' in line 4 of 'pairs' names the photo 't/9'" in messages[1]
    assert "names the patch 't/77', which is not among the patches" in messages[2]
    assert report.information.counts == {"photos": 4, "patches": 4, "pairs": 4}


def test_a_missing_file_of_no_list_is_told_by_its_path_alone(tmp_path):
    held = dataset(tmp_path, [Photo("t/1", "a/1.jpg")])
    with pytest.raises(PhotoNotFoundError, match=r"a/1\.jpg' cannot be read") as caught:
        write_manifest(tmp_path / "m", held, files="read")
    assert "named in" not in caught.value.message


def test_pairs_of_photos_that_are_all_left_out_are_left_out(tmp_path):
    photos, patches, pairs = rows(2)
    held = dataset(tmp_path, photos, patches, pairs)
    for row in patches:
        image(tmp_path / row.uri)
    report = write_manifest(tmp_path / "m", held, on_error="skip", files="read")
    assert report.information.counts == {"photos": 0, "patches": 2, "pairs": 0}
    assert [problem.kind.value for problem in report.problems[2:]] == ["pair", "pair"]
    assert "names the photo 't/0', which is not among" in report.problems[2].error.message
    assert list(Manifest.open(tmp_path / "m").pairs()) == []


def image(path: Path, size: tuple[int, int] = (64, 48)) -> bytes:
    stream = io.BytesIO()
    noise = np.random.default_rng(3).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    Image.fromarray(noise).save(stream, "JPEG")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(stream.getvalue())
    return stream.getvalue()


def test_files_are_hashed_measured_and_found_out(tmp_path):
    photos, patches, _ = rows(4)
    data = [image(tmp_path / row.uri) for row in photos[:3]]
    image(tmp_path / "b/0.png", (5, 5))
    (tmp_path / "a/1.jpg").write_bytes(data[1][:-1500])
    (tmp_path / "a/2.jpg").write_bytes(b"<html>")
    held = dataset(tmp_path, photos, patches[:1])
    with pytest.raises(PhotoUnreadableError, match=r"a/1.jpg.*\(named in line 1 of 'list.csv'\)"):
        write_manifest(tmp_path / "m", held, files="decode")
    report = write_manifest(tmp_path / "m", held, files="decode", on_error="skip")
    kinds = [type(problem.error) for problem in report.problems]
    assert kinds == [PhotoUnreadableError, PhotoUnreadableError, PhotoNotFoundError]
    row = next(Manifest.open(tmp_path / "m").photos())
    assert (row.sha256, row.width, row.height) == (hashlib.sha256(data[0]).hexdigest(), 64, 48)
    assert next(Manifest.open(tmp_path / "m").patches()).size_px == 5
    # A header alone does not show that the end is missing.
    assert write_manifest(tmp_path / "m", held, files="read", on_error="skip").problem_count == 2
    image(tmp_path / "a/0.jpg", (9, 9))
    again = Manifest.open(tmp_path / "m").dataset()
    with pytest.raises(PhotoUnreadableError, match="another content than its list says"):
        write_manifest(tmp_path / "n", again, files="read")


def test_a_stop_leaves_what_was_there(tmp_path):
    photos, patches, pairs = rows(3)
    write_manifest(tmp_path / "m", dataset(tmp_path, photos, patches, pairs))
    before = {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir()}

    def breaking():
        yield from pairs
        raise KeyboardInterrupt

    held = Dataset("t", "2", tmp_path, lambda: iter(photos), lambda: iter(patches), breaking)
    with pytest.raises(KeyboardInterrupt):
        write_manifest(tmp_path / "m", held)
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir()}


def test_manifests_that_are_none(tmp_path):
    with pytest.raises(TableError, match="no manifest in"):
        Manifest.open(tmp_path)
    photos, patches, pairs = rows(3)
    write_manifest(tmp_path / "a", dataset(tmp_path, photos, patches, pairs))
    write_manifest(tmp_path / "b", dataset(tmp_path, photos[:2], patches, pairs[:2]))
    (tmp_path / "b/pairs.parquet").replace(tmp_path / "a/pairs.parquet")
    with pytest.raises(TableError, match="of different writings"):
        Manifest.open(tmp_path / "a")
    (tmp_path / "a/pairs.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(TableError, match="no table of a manifest, or damaged"):
        Manifest.open(tmp_path / "a")
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "a/pairs.parquet")
    with pytest.raises(TableError, match="no table of a manifest"):
        Manifest.open(tmp_path / "a")
    newer = {b"sightline.manifest": b'{"schema_version": "sightline.manifest/2"}'}
    schema = pa.schema([("id", pa.string())], metadata=newer)
    pq.write_table(pa.table({"id": ["a"]}, schema=schema), tmp_path / "a/photos.parquet")
    with pytest.raises(TableError, match=r"written as 'sightline\.manifest/2'"):
        Manifest.open(tmp_path / "a")


def test_a_table_that_breaks_while_it_is_read(tmp_path):
    photos, patches, pairs = rows(3000)
    write_manifest(tmp_path / "m", dataset(tmp_path, photos, patches, pairs))
    held = Manifest.open(tmp_path / "m")
    path = tmp_path / "m/photos.parquet"
    data = bytearray(path.read_bytes())
    data[4:2000] = bytes(1996)
    path.write_bytes(data)
    with pytest.raises(TableError, match="damaged"):
        list(held.photos())
    with pytest.raises(TableError, match="damaged"):
        held.take("photos", [1])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folders_that_may_not_be_written(tmp_path):  # pragma: no cover
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError):
        write_manifest(tmp_path / "m", dataset(tmp_path))


def test_a_file_where_the_folder_shall_be(tmp_path):
    (tmp_path / "m").write_text("")
    with pytest.raises(OutputError):
        write_manifest(tmp_path / "m", dataset(tmp_path))


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.builds(
            Photo,
            texts,
            texts,
            lat=st.floats(-90, 90),
            lon=st.floats(-180, 180, exclude_max=True),
            heading_degrees=st.none() | st.floats(-720, 720),
            labels=st.dictionaries(texts, texts | st.integers(-9, 9) | st.booleans(), max_size=2),
        ),
        min_size=1,
        max_size=5,
        unique_by=lambda row: row.id,
    )
)
def test_any_rows_come_back(tmp_path_factory, photos):
    path = tmp_path_factory.mktemp("m")
    write_manifest(path, dataset(path, photos))
    assert list(Manifest.open(path).photos()) == photos


def test_long_datasets_stream(tmp_path):
    """Ten times the rows take about the same memory, in a process of their own."""
    code = """
        import resource, sys
        from pathlib import Path
        from sightline.datasets.dataset import Dataset
        from sightline.datasets.manifest import Manifest, write_manifest, writing
        from sightline.datasets.rows import Photo

        writing.ROW_GROUP_ROWS = 1000

        def photos():
            for n in range(int(sys.argv[1])):
                yield Photo(f"long/{n}", f"a/{n}.jpg", labels={"text": "x" * 400 + str(n)})

        write_manifest(sys.argv[2], Dataset("long", "1", Path("."), photos))
        assert sum(1 for _ in Manifest.open(sys.argv[2]).photos()) == int(sys.argv[1])
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    """

    def peak(count: int) -> int:
        command = [sys.executable, "-c", textwrap.dedent(code), str(count), str(tmp_path / "m")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return int(done.stdout)

    small, large = peak(5_000), peak(50_000)
    # 45,000 rows more hold 20 MB of text alone, and twice that as Python keeps them.
    assert large - small < 16_000


def test_files_that_are_none(tmp_path, monkeypatch):
    photos = [Photo("t/0", "a.jpg", origin="line 2 of 'list.csv'")]
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(PhotoUnreadableError, match=r"a.jpg' is no regular file \(named in line 2"):
        write_manifest(tmp_path / "m", dataset(tmp_path, photos), files="read")
    (tmp_path / "a.jpg").unlink()
    (tmp_path / "a.jpg").write_bytes(b"12345")
    monkeypatch.setattr("sightline.datasets.files._LIMITS", Limits(max_bytes=4))
    with pytest.raises(PhotoTooLargeError, match="more than 4 bytes"):
        write_manifest(tmp_path / "m", dataset(tmp_path, photos), files="read")


def test_empty_lists_make_no_manifest(tmp_path):
    with pytest.raises(TableError, match=r"\(t, 1\) lists no photo: its lists are empty"):
        write_manifest(tmp_path / "m", dataset(tmp_path))
    assert not list((tmp_path / "m").iterdir())
