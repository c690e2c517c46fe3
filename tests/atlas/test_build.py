from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sightline.atlas.build import BuildInterrupted, Progress, build_atlas
from sightline.atlas.lock import writer_lock
from sightline.atlas.problems import Problem, read_problems
from sightline.atlas.store import Store
from sightline.datasets.records import PhotoRecord, RecordProblem
from sightline.errors import (
    AtlasDamagedError,
    AtlasEmptyError,
    AtlasError,
    FingerprintError,
    OutputError,
    TableError,
)
from sightline.geo.cells import cell_ids, from_signed
from sightline.imagery.limits import Limits
from sightline.imagery.photo import open_photo

from .encoders import ColourGrid
from .photos import place, record, write_photo, write_photos

ALL = ["id", "uri", "names", "view", "lat", "lon", "heading_degrees", "vector"]


def rows(atlas: Path, columns: list[str] | None = None) -> list[dict[str, object]]:
    store = Store.open(atlas)
    return [row for b in store.batches(columns or store.schema.names) for row in b.to_pylist()]


@pytest.fixture
def encoder() -> ColourGrid:
    return ColourGrid()


def test_every_photo_becomes_one_row_with_its_own_vector_and_place(
    tmp_path: Path, encoder: ColourGrid
) -> None:
    records = write_photos(tmp_path / "photos", 20)
    report = build_atlas(
        tmp_path / "atlas", records, encoder, batch=7, licence="CC0", description="test"
    )
    assert (report.added, report.rows, report.duplicates, report.problems) == (20, 20, 0, ())
    assert report.images_per_s > 0
    store = Store.open(tmp_path / "atlas")
    assert store.fragments == 1
    assert store.card.licence == "CC0"
    assert store.card.encoder_details["licence"] == "Apache-2.0"
    found = rows(tmp_path / "atlas")
    assert [r["s2"] for r in found] == sorted(
        (r["s2"] for r in found),
        key=lambda s: s % 2**64,  # the order of the curve is unsigned
    )
    for row in found:
        number = int(Path(str(row["uri"])).stem)
        pixels = open_photo(str(row["uri"]), at_least=encoder.decode_size).pixels
        expected = encoder.encode_regions([pixels])[0]
        got = np.array(row["vector"]).reshape(4, 8)
        assert np.allclose(got, expected, atol=2e-3)
        assert (row["lat"], row["lon"]) == place(number)
        assert from_signed([row["s2"]])[0] == cell_ids([place(number)])[0]
        assert row["names"] == [row["uri"]]
        assert row["source"] == "test"
        assert row["size_bytes"] == Path(str(row["uri"])).stat().st_size
    assert sorted(r["id"] for r in found) == list(range(20))


def test_building_again_encodes_nothing(tmp_path: Path, encoder: ColourGrid) -> None:
    records = write_photos(tmp_path / "photos", 6)
    build_atlas(tmp_path / "atlas", records, encoder)
    before = rows(tmp_path / "atlas")
    encoder.encoded = 0
    report = build_atlas(tmp_path / "atlas", iter(records), encoder)
    assert (report.added, report.skipped, encoder.encoded) == (0, 6, 0)
    assert rows(tmp_path / "atlas") == before
    touched = Path(records[2].uri)
    os.utime(touched, (5, 5))
    report = build_atlas(tmp_path / "atlas", records, encoder)
    assert (report.skipped, report.duplicates, encoder.encoded) == (6, 0, 0)
    (row,) = [r for r in rows(tmp_path / "atlas") if r["uri"] == str(touched)]
    assert row["mtime_ns"] == [5 * 10**9]


def test_the_result_does_not_depend_on_workers_batches_or_commits(
    tmp_path: Path, encoder: ColourGrid
) -> None:
    records = write_photos(tmp_path / "photos", 30)
    shutil.copy(records[3].uri, tmp_path / "photos" / "twin.jpg")
    records.insert(17, record(tmp_path / "photos" / "twin.jpg", 3))
    settings = [(1, 1, 1), (2, 16, 4096), (5, 7, 3)]
    results = []
    for number, (workers, batch, commit_rows) in enumerate(settings):
        atlas = tmp_path / f"atlas-{number}"
        build_atlas(atlas, records, encoder, workers=workers, batch=batch, commit_rows=commit_rows)
        results.append(rows(atlas, ALL))
    assert results[0] == results[1] == results[2]


def test_one_content_is_stored_once_with_all_its_names(tmp_path: Path, encoder: ColourGrid) -> None:
    first = write_photo(tmp_path / "a.jpg", 1)
    second = Path(shutil.copy(first, tmp_path / "b.jpg"))
    records = [record(first, 1), record(second, 1), record(write_photo(tmp_path / "c.jpg", 2), 2)]
    report = build_atlas(tmp_path / "atlas", records, encoder)
    assert (report.added, report.duplicates, encoder.encoded) == (2, 1, 2)
    third = Path(shutil.copy(first, tmp_path / "d.jpg"))
    report = build_atlas(tmp_path / "atlas", [record(third, 1)], encoder)
    assert (report.added, report.duplicates, encoder.encoded) == (0, 1, 2)
    (row,) = [r for r in rows(tmp_path / "atlas") if r["uri"] == str(first)]
    assert row["names"] == [str(first), str(second), str(third)]
    assert len(row["mtime_ns"]) == 3
    report = build_atlas(tmp_path / "atlas", [*records, record(third, 1)], encoder)
    assert (report.skipped, report.duplicates) == (4, 0)


def test_a_changed_file_replaces_its_row(tmp_path: Path, encoder: ColourGrid) -> None:
    records = write_photos(tmp_path / "photos", 4)
    build_atlas(tmp_path / "atlas", records, encoder)
    write_photo(Path(records[1].uri), 99)
    os.utime(records[1].uri, (5, 5))
    report = build_atlas(tmp_path / "atlas", records, encoder)
    assert (report.added, report.replaced, report.skipped, report.rows) == (1, 1, 3, 4)
    assert sorted(r["id"] for r in rows(tmp_path / "atlas")) == [0, 2, 3, 4]


def test_contents_that_change_places(tmp_path: Path, encoder: ColourGrid) -> None:
    """Renames, swaps and copies over each other end as if the atlas had been built afresh."""
    records = write_photos(tmp_path / "photos", 6)
    build_atlas(tmp_path / "atlas", records, encoder)
    paths = [Path(r.uri) for r in records]
    contents = [p.read_bytes() for p in paths]
    for target, source in ((0, 1), (1, 0), (2, 3), (4, 5)):
        paths[target].write_bytes(contents[source])
        os.utime(paths[target], (7, 7))
    paths[5].write_bytes(contents[2])
    os.utime(paths[5], (8, 8))
    encoder.encoded = 0
    again = build_atlas(tmp_path / "atlas", records, encoder, commit_rows=1, workers=1)
    assert again.problems == ()
    fresh = tmp_path / "fresh"
    build_atlas(fresh, records, encoder)
    contents_of = [
        sorted((sorted(r["names"]), r["sha256"]) for r in rows(a))
        for a in (tmp_path / "atlas", fresh)
    ]
    assert contents_of[0] == contents_of[1]


def test_bad_photos_are_listed_and_stop_nothing(tmp_path: Path, encoder: ColourGrid) -> None:
    good = write_photo(tmp_path / "good é 'x'\n.jpg", 1)
    (tmp_path / "text.jpg").write_text("no photo")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "folder.jpg").mkdir()
    Image.new("RGB", (40, 40)).save(tmp_path / "black.jpg")
    bad_row = RecordProblem("list.csv", 3, TableError("Line 3 is bad.", hint="Mend it."))
    records = [
        record(tmp_path / "text.jpg", 1),
        record(tmp_path / "empty.jpg", 1),
        record(tmp_path / "missing.jpg", 1),
        record(tmp_path / "folder.jpg", 1),
        record(tmp_path / "black.jpg", 1),
        PhotoRecord(uri=str(write_photo(tmp_path / "no place.jpg", 2))),
        bad_row,
        record(good, 3),
    ]
    report = build_atlas(tmp_path / "atlas", records, encoder)
    assert (report.added, report.rows) == (1, 1)
    codes = {Path(p.path).name: p.code for p in report.problems}
    assert codes == {
        "text.jpg": "photo.unreadable",
        "empty.jpg": "photo.unreadable",
        "missing.jpg": "photo.not_found",
        "folder.jpg": "photo.unreadable",
        "black.jpg": "vectors",
        "no place.jpg": "photo.no_place",
        "list.csv": "table",
    }
    assert sorted(read_problems(tmp_path / "atlas"), key=str) == sorted(report.problems, key=str)
    assert all(p.message and p.hint for p in report.problems)
    # Mended files come in, and the problems this run did not look at stay listed.
    write_photo(tmp_path / "text.jpg", 8)
    report = build_atlas(tmp_path / "atlas", records[:3], encoder)
    assert (report.added, report.rows, len(report.problems)) == (1, 2, 2)
    left = {Path(p.path).name for p in read_problems(tmp_path / "atlas")}
    assert left == set(codes) - {"text.jpg"}


def test_limits_hold_before_a_file_is_read(tmp_path: Path, encoder: ColourGrid) -> None:
    records = write_photos(tmp_path, 2)
    Path(records[1].uri).write_bytes(bytes(100_000))
    report = build_atlas(tmp_path / "atlas", records, encoder, limits=Limits(max_bytes=50_000))
    assert [p.code for p in report.problems] == ["photo.too_large"]


def test_a_file_that_gives_no_bytes(tmp_path: Path, encoder: ColourGrid) -> None:
    # A regular file by its looks; reading its first byte is an I/O error.
    memory = Path("/proc/self/mem")
    if not memory.exists():
        pytest.skip("this system has no /proc")
    records = [record(memory, 1), *write_photos(tmp_path, 1)]
    report = build_atlas(tmp_path / "atlas", records, encoder)
    assert [(p.path, p.code) for p in report.problems] == [(str(memory), "photo.not_found")]


def test_places_and_headings_come_from_exif_unless_the_record_says_otherwise(
    tmp_path: Path, encoder: ColourGrid
) -> None:
    path = tmp_path / "exif.jpg"
    picture = Image.open(write_photo(tmp_path / "plain.jpg", 1))
    exif = Image.Exif()
    gps = {1: "S", 2: (10.0, 30.0, 0.0), 3: "W", 4: (20.0, 0.0, 0.0), 16: "T", 17: 45.0}
    exif[0x8825] = gps
    exif[0x0132] = "2020:01:02 03:04:05"
    picture.save(path, exif=exif)
    build_atlas(tmp_path / "exif", [PhotoRecord(uri=str(path))], encoder)
    (row,) = rows(tmp_path / "exif")
    assert (row["lat"], row["lon"], row["heading_degrees"]) == (-10.5, -20.0, 45.0)
    assert str(row["captured_at"]).startswith("2020-01-02T03:04:05")
    own = PhotoRecord(uri=str(path), lat=1.0, lon=2.0, heading_degrees=7.0, captured_at="today")
    build_atlas(tmp_path / "own", [own], encoder)
    (row,) = rows(tmp_path / "own")
    assert (row["lat"], row["lon"], row["heading_degrees"]) == (1.0, 2.0, 7.0)
    assert row["captured_at"] == "today"


@pytest.mark.parametrize("twin_first", [False, True])
def test_whether_a_photo_has_a_place_does_not_depend_on_its_twin(
    tmp_path: Path, encoder: ColourGrid, twin_first: bool
) -> None:
    path = write_photo(tmp_path / "a.jpg", 1)
    twin = PhotoRecord(uri=str(shutil.copy(path, tmp_path / "b.jpg")))
    records = [twin, record(path, 1)] if twin_first else [record(path, 1), twin]
    for some in ([records[0]], [records[1]], records):
        try:
            report = build_atlas(tmp_path / "atlas", some, encoder)
        except AtlasEmptyError:
            continue
    assert [p.code for p in report.problems] == ["photo.no_place"]
    (row,) = rows(tmp_path / "atlas")
    assert row["names"] == [str(path)]


def test_a_panorama_gives_one_row_per_view(tmp_path: Path, encoder: ColourGrid) -> None:
    path = write_photo(tmp_path / "sphere.jpg", 1, width=256, height=128)
    more = {"projection": "spherical", "heading_degrees": 300.0}
    flat = write_photo(tmp_path / "flat.jpg", 2, width=256, height=128)
    records = [record(path, 1, **more), record(flat, 2, projection="perspective")]
    report = build_atlas(tmp_path / "atlas", records, encoder, batch=3, commit_rows=1)
    assert (report.added, report.rows) == (2, 5)
    found = sorted(rows(tmp_path / "atlas"), key=lambda r: r["id"])
    assert [r["view"] for r in found] == [0, 1, 2, 3, 0]
    assert [r["heading_degrees"] for r in found] == [300.0, 30.0, 120.0, 210.0, None]
    assert len({r["sha256"] for r in found}) == 2
    shutil.copy(path, tmp_path / "copy.jpg")
    build_atlas(tmp_path / "atlas", [record(tmp_path / "copy.jpg", 1, **more)], encoder)
    assert [len(r["names"]) for r in sorted(rows(tmp_path / "atlas"), key=lambda r: r["id"])] == [
        2, 2, 2, 2, 1,
    ]  # fmt: skip


def test_an_atlas_without_rows_keeps_its_problems(tmp_path: Path, encoder: ColourGrid) -> None:
    with pytest.raises(AtlasEmptyError, match="no photo"):
        build_atlas(tmp_path / "none", [], encoder)
    missing = record(tmp_path / "missing.jpg", 1)
    with pytest.raises(AtlasEmptyError, match=r"None of 1 photos.*missing\.jpg"):
        build_atlas(tmp_path / "atlas", [missing], encoder)
    (problem,) = read_problems(tmp_path / "atlas")
    assert problem.path == missing.uri
    write_photo(Path(missing.uri), 1)
    assert build_atlas(tmp_path / "atlas", [missing], encoder).rows == 1
    assert read_problems(tmp_path / "atlas") == []


def test_an_atlas_of_another_encoder_is_refused(tmp_path: Path, encoder: ColourGrid) -> None:
    records = write_photos(tmp_path / "photos", 2)
    build_atlas(tmp_path / "atlas", records, encoder)
    with pytest.raises(FingerprintError, match="built with colour-grid"):
        build_atlas(tmp_path / "atlas", records, ColourGrid(seed=2))


def test_folders_that_hold_something_else_are_left_alone(
    tmp_path: Path, encoder: ColourGrid
) -> None:
    records = write_photos(tmp_path / "photos", 2)
    with pytest.raises(AtlasError, match="not empty and no atlas"):
        build_atlas(tmp_path / "photos", records, encoder)
    assert not (tmp_path / "photos" / "lock").exists()
    with pytest.raises(OutputError, match="is a file"):
        build_atlas(records[0].uri, records, encoder)
    build_atlas(tmp_path / "atlas", records, encoder)
    (tmp_path / "atlas" / "atlas.json").write_text("{")
    with pytest.raises(AtlasDamagedError, match="cannot be read"):
        build_atlas(tmp_path / "atlas", records, encoder)


def test_a_half_built_folder_goes_on_only_if_its_rows_are_known(
    tmp_path: Path, encoder: ColourGrid
) -> None:
    records = write_photos(tmp_path / "photos", 2)
    (tmp_path / "begun" / "rows.lance" / "data").mkdir(parents=True)
    assert build_atlas(tmp_path / "begun", records, encoder).rows == 2
    (tmp_path / "begun" / "atlas.json").unlink()
    with pytest.raises(AtlasDamagedError, match="2 rows and no atlas"):
        build_atlas(tmp_path / "begun", records, encoder)


def test_a_second_writer_is_told_who_the_first_is(tmp_path: Path, encoder: ColourGrid) -> None:
    records = write_photos(tmp_path / "photos", 2)
    with writer_lock(tmp_path / "atlas"), pytest.raises(AtlasError, match=f"pid {os.getpid()}"):
        build_atlas(tmp_path / "atlas", records, encoder)
    assert build_atlas(tmp_path / "atlas", records, encoder).rows == 2


def test_a_lock_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(OutputError), writer_lock(tmp_path):
        pass


def test_progress_counts_up_to_the_total(tmp_path: Path, encoder: ColourGrid) -> None:
    seen: list[Progress] = []
    records = write_photos(tmp_path / "photos", 5)
    build_atlas(tmp_path / "atlas", records, encoder, progress=seen.append)
    last = seen[-1]
    assert (last.done, last.total, last.added, last.problems) == (5, 5, 5, 0)
    assert last.remaining_s == 0
    assert last.images_per_s > 0
    build_atlas(tmp_path / "other", iter(records), encoder, progress=seen.append)
    assert seen[-1].total is None
    assert seen[-1].remaining_s is None


def _interrupting(records: list[PhotoRecord], after: int) -> Iterator[PhotoRecord]:
    yield from records[:after]
    raise KeyboardInterrupt


def test_an_interrupt_commits_what_is_finished(tmp_path: Path, encoder: ColourGrid) -> None:
    records = write_photos(tmp_path / "photos", 60)
    with pytest.raises(BuildInterrupted, match="Run the same command again") as stopped:
        build_atlas(tmp_path / "atlas", _interrupting(records, 50), encoder, batch=4, workers=1)
    assert stopped.value.report.rows == stopped.value.report.added > 0
    committed = rows(tmp_path / "atlas")
    assert len(committed) == stopped.value.report.rows
    encoder.encoded = 0
    report = build_atlas(tmp_path / "atlas", records, encoder)
    assert report.rows == 60
    assert encoder.encoded == 60 - len(committed)


INTERRUPTED_IN_A_COMMIT = """
import signal, sys, threading
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from atlas.encoders import ColourGrid
from atlas.photos import write_photos
from sightline.atlas.build import BuildInterrupted, build_atlas
from sightline.atlas.store import Store

replace = Store.replace
sent = []

def interrupted(store, *change):
    if not sent:
        sent.append(True)
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
    return replace(store, *change)

Store.replace = interrupted
signal.signal(signal.SIGINT, signal.default_int_handler)
folder = Path(sys.argv[2])
try:
    build_atlas(
        folder / "atlas", write_photos(folder / "photos", 8), ColourGrid(), batch=2, commit_rows=1
    )
except BuildInterrupted as stop:
    print("stopped", stop.report.rows)
"""


def test_an_interrupt_during_a_commit_waits_for_its_end(
    tmp_path: Path, encoder: ColourGrid
) -> None:
    # In a process of its own: a signal here would be the test runner's, too.
    tests = Path(__file__).parent.parent
    ran = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IN_A_COMMIT, str(tests), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    word, _, rows = ran.stdout.strip().partition(" ")
    assert (ran.returncode, word) == (0, "stopped"), ran.stderr
    assert Store.open(tmp_path / "atlas").count == int(rows) >= 1
    records = write_photos(tmp_path / "photos", 8)
    assert build_atlas(tmp_path / "atlas", records, encoder).rows == 8


def test_a_list_that_breaks_off_loses_nothing(tmp_path: Path, encoder: ColourGrid) -> None:
    records = write_photos(tmp_path / "photos", 60)

    def broken() -> Iterator[PhotoRecord]:
        yield from records[:50]
        raise TableError("The table breaks off.", hint="Mend it.")

    with pytest.raises(TableError):
        build_atlas(tmp_path / "atlas", broken(), encoder, batch=4, workers=1)
    assert Store.open(tmp_path / "atlas").count > 0
    assert build_atlas(tmp_path / "atlas", records, encoder).rows == 60


def test_building_outside_the_main_thread(tmp_path: Path, encoder: ColourGrid) -> None:
    records = write_photos(tmp_path / "photos", 2)
    thread = threading.Thread(target=build_atlas, args=(tmp_path / "atlas", records, encoder))
    thread.start()
    thread.join()
    assert Store.open(tmp_path / "atlas").count == 2


def test_problems_survive_the_disk(tmp_path: Path) -> None:
    from sightline.atlas.problems import write_problems

    odd = [
        Problem('a "b",\n\udcff.jpg', "code", "because, 'so'", "do\r\nthat"),
        Problem("", "", "", ""),
    ]
    write_problems(tmp_path, odd)
    assert read_problems(tmp_path) == odd
    assert read_problems(tmp_path / "elsewhere") == []


class WaitingGrid(ColourGrid):
    """Encodes nothing before ``look_at`` photos were prepared, and may act in between."""

    def __init__(self, look_at: int, before: Callable[[int], None] = lambda number: None) -> None:
        super().__init__()
        self._left = threading.Semaphore(0)
        self._seen, self._look_at, self._before = 0, look_at, before

    def prepare(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        self._seen += 1
        self._before(self._seen)
        if self._seen == self._look_at:
            self._left.release()
        return super().prepare(pixels)

    def encode_prepared(
        self, batch: NDArray[np.uint8], view: str = "ground"
    ) -> NDArray[np.float32]:
        assert self._left.acquire(timeout=60)
        self._left.release()
        return super().encode_prepared(batch)


def test_a_content_that_leaves_while_its_twin_waits(tmp_path: Path) -> None:
    """The worker saw b's content under a's old name; then a's new content took the row away."""
    a, b = write_photo(tmp_path / "a.jpg", 1), tmp_path / "b.jpg"
    build_atlas(tmp_path / "atlas", [record(a, 1)], ColourGrid())
    shutil.copy(a, b)
    write_photo(a, 2)
    os.utime(a, (5, 5))
    last = write_photo(tmp_path / "c.jpg", 3)
    records = [record(a, 1), record(b, 1), record(last, 3)]
    report = build_atlas(
        tmp_path / "atlas", records, WaitingGrid(2), workers=1, batch=1, commit_rows=1
    )
    assert (report.rows, report.problems) == (3, ())
    names = sorted(name for row in rows(tmp_path / "atlas") for name in row["names"])
    assert names == [str(a), str(b), str(last)]


def test_a_path_that_is_listed_twice(tmp_path: Path) -> None:
    records = write_photos(tmp_path / "photos", 3)
    twice = [records[0], records[1], records[1], records[2]]
    report = build_atlas(tmp_path / "atlas", twice, WaitingGrid(4), workers=1, batch=1)
    assert (report.added, report.skipped, report.duplicates, report.rows) == (3, 1, 0, 3)


def test_a_path_that_is_listed_twice_and_changes_in_between(tmp_path: Path) -> None:
    records = write_photos(tmp_path / "photos", 4)
    changing = Path(records[1].uri)

    def change(number: int) -> None:
        if number == 3:
            write_photo(changing, 50)
            os.utime(changing, (5, 5))

    listed = [records[0], records[1], records[2], records[1], records[3]]
    encoder = WaitingGrid(5, change)
    report = build_atlas(tmp_path / "atlas", listed, encoder, workers=1, batch=2)
    assert report.rows == 4
    build_atlas(tmp_path / "fresh", records, ColourGrid())
    got, fresh = (
        sorted((r["names"], r["sha256"]) for r in rows(a))
        for a in (tmp_path / "atlas", tmp_path / "fresh")
    )
    assert got == fresh
