"""Writing manifests: all three tables or none, in bounded memory."""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sightline.datasets.dataset import Dataset
from sightline.datasets.files import FileCheck, checked_file
from sightline.datasets.manifest.replacing import replaced
from sightline.datasets.manifest.schema import (
    SCHEMA_VERSION,
    SCHEMAS,
    TABLES,
    Information,
    TableName,
    file_of,
    stored,
    to_batch,
)
from sightline.datasets.records import RecordProblem, RecordProblemKind
from sightline.datasets.rows import Pair, Photo, Row
from sightline.durable import make_folder
from sightline.errors import SightlineError, TableError
from sightline.version import __version__

OnError = Literal["fail", "skip"]

ROW_GROUP_ROWS = 32_768

KEPT_PROBLEMS = 1_000
"""How many of the left out are remembered; all are counted."""

Stream = Callable[[], Iterator[Row | RecordProblem]]


@dataclass(slots=True)
class WrittenManifest:
    """What came of writing a manifest.

    Args:
        path: Its folder.
        information: What its files say of themselves.
        problem_count: How many rows and files were left out.
        problems: The first thousand of them.
    """

    path: Path
    information: Information
    problem_count: int
    problems: list[RecordProblem]


def write_manifest(
    path: str | os.PathLike[str],
    dataset: Dataset,
    *,
    on_error: OnError = "fail",
    files: FileCheck = "trust",
    progress: Callable[[int], None] | None = None,
) -> WrittenManifest:
    """Write a dataset's rows as ``photos.parquet``, ``patches.parquet`` and ``pairs.parquet``.

    Memory holds 32,768 rows and eight bytes for each id, however long the dataset is. The three
    files appear together when all is written: a stop at any moment leaves the manifest that was
    there or the new one.

    Args:
        path: The manifest's folder; made if it is not there.
        dataset: What to write.
        on_error: ``fail`` at the first row or file that cannot be used, or ``skip`` and count it.
            Of an id that stands twice the first row is kept then, and the others are left out.
        files: ``trust`` the lists, looking at no image; ``read`` each, for its hash and size; or
            ``decode`` each as well.
        progress: Told the number of rows so far, now and then.

    Raises:
        SightlineError: What is wrong with a row or file, where ``on_error`` is ``fail``.
        TableError: There is no row at all; or an id stands twice, where ``on_error`` is ``fail``
            (names both lines).
        OutputError: The folder cannot be written.
    """
    folder = Path(path)
    make_folder(folder)
    work = _Work(dataset, on_error, files, progress)
    try:
        information = _written(folder, work)
    except _TwinsFoundError:
        # Seen at the end of a table only, and seldom: once more, leaving them out.
        work = _Work(dataset, on_error, files, progress, work.suspects)
        information = _written(folder, work)
    return WrittenManifest(folder, information, work.problem_count, work.problems)


class _TwinsFoundError(Exception):
    """Ids stand twice, and shall be left out."""


def _written(folder: Path, work: _Work) -> Information:
    with ExitStack() as stack:
        beside = stack.enter_context(replaced(folder, [file_of(table) for table in TABLES]))
        writers = {}
        for table in TABLES:
            writers[table] = stack.enter_context(
                pq.ParquetWriter(beside / file_of(table), SCHEMAS[table], compression="zstd")
            )
        for table in TABLES:
            work.write(table, writers[table])
        work.refuse_nothing()
        if work.suspects != work.left_out_twins:
            raise _TwinsFoundError
        information = work.information(folder)
        for writer in writers.values():
            writer.add_key_value_metadata(information.to_metadata())
            writer.close()
    return information


@dataclass(slots=True)
class _Work:
    """One writing: its digest, the ids so far, and what was left out.

    Of the ids whose hashes are in ``left_out_twins``, only the first row is written.
    """

    dataset: Dataset
    on_error: OnError
    files: FileCheck
    progress: Callable[[int], None] | None
    left_out_twins: dict[TableName, set[int]] = field(default_factory=dict)
    suspects: dict[TableName, set[int]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    ids: dict[TableName, NDArray[np.int64]] = field(default_factory=dict)
    problem_count: int = 0
    problems: list[RecordProblem] = field(default_factory=list)
    digest: Any = field(default_factory=hashlib.sha256)
    done: int = 0

    def __post_init__(self) -> None:
        start = (SCHEMA_VERSION, self.dataset.name, self.dataset.version)
        self.digest.update(repr(start).encode())
        self.suspects = dict(self.left_out_twins)

    def write(self, table: TableName, writer: pq.ParquetWriter) -> None:
        """Write one table and remember its ids."""
        ids = array("q")
        self.counts[table] = 0
        self.digest.update(f"\n{table}\n".encode())
        rows_of_table = self._without_twins(table, self._usable(table))
        for rows in _blocks(rows_of_table, ROW_GROUP_ROWS):
            kept = self._related(rows) if table == "pairs" else rows
            if not kept:
                continue
            values = [stored(table, row) for row in kept]
            # The last column is the origin: it depends on how a list is laid out, not on its rows.
            self.digest.update("\n".join(repr(value[:-1]) for value in values).encode())
            writer.write_batch(to_batch(table, values))
            ids.extend(hash(row.id) for row in kept)
            self.counts[table] += len(kept)
            self.done += len(kept)
            if self.progress is not None:
                self.progress(self.done)
        self.ids[table] = np.sort(np.frombuffer(ids, dtype=np.int64))
        self._look_for_twins(table)

    def refuse_nothing(self) -> None:
        """Raise if there is not one row, and nothing was left out that would say why."""
        if not any(self.counts.values()) and not self.problem_count:
            raise TableError(
                f"{str(self.dataset.root)!r} ({self.dataset.name}, {self.dataset.version}) lists "
                "no photo: its lists are empty.",
                hint="Unpack the lists again; `sightline dataset doctor` says what is missing.",
                path=self.dataset.root,
            )

    def information(self, folder: Path) -> Information:
        """Return what the files shall say of themselves."""
        return Information(
            schema_version=SCHEMA_VERSION,
            dataset=self.dataset.name,
            dataset_version=self.dataset.version,
            root=stored_root(folder, self.dataset.root),
            tool_version=__version__,
            counts=self.counts,
            problems=self.problem_count,
            fingerprint=self.digest.hexdigest(),
        )

    def _stream(self, table: TableName) -> Stream:
        streams: dict[TableName, Any] = {
            "photos": self.dataset.photos,
            "patches": self.dataset.patches,
            "pairs": self.dataset.pairs,
        }
        stream: Stream = streams[table]
        return stream

    def _usable(self, table: TableName) -> Iterator[Row]:
        for item in self._stream(table)():
            if isinstance(item, RecordProblem):
                self._leave_out(item)
                continue
            if self.files == "trust" or isinstance(item, Pair):
                yield item
                continue
            try:
                yield checked_file(self.dataset.root, item, decode=self.files == "decode")
            except SightlineError as error:
                self._leave_out(RecordProblem(uri=item.uri, line=None, error=error))

    def _related(self, pairs: list[Any]) -> list[Pair]:
        """Return the pairs whose photo and patch are in the manifest."""
        kept = []
        photos = self._known("photos", [pair.photo_id for pair in pairs])
        patches = self._known("patches", [pair.patch_id for pair in pairs])
        for pair, photo, patch in zip(pairs, photos, patches, strict=True):
            if photo and patch:
                kept.append(pair)
                continue
            missing = f"photo {pair.photo_id!r}" if not photo else f"patch {pair.patch_id!r}"
            where = "" if pair.origin is None else f" in {pair.origin}"
            error = TableError(
                f"The pair {pair.id!r}{where} names the {missing}, which is not among the "
                f"{'photos' if not photo else 'patches'} of {self.dataset.name}.",
                hint="Check that labels and images are of the same release, and all unpacked.",
                path=self.dataset.root,
            )
            self._leave_out(RecordProblem(pair.id, None, error, RecordProblemKind.PAIR))
        return kept

    def _known(self, table: TableName, ids: list[str]) -> NDArray[np.bool_]:
        known = self.ids[table]
        wanted = np.fromiter((hash(name) for name in ids), dtype=np.int64, count=len(ids))
        if not len(known):
            return np.zeros(len(wanted), dtype=bool)
        at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        found: NDArray[np.bool_] = known[at] == wanted
        return found

    def _leave_out(self, problem: RecordProblem) -> None:
        if self.on_error == "fail":
            raise problem.error
        self.problem_count += 1
        if len(self.problems) < KEPT_PROBLEMS:
            self.problems.append(problem)

    def _look_for_twins(self, table: TableName) -> None:
        hashes = self.ids[table]
        suspects = set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
        if not suspects or table in self.left_out_twins:  # different ids may share a hash
            return
        if self.on_error == "skip":
            self.suspects[table] = suspects
            return
        seen: dict[str, Row] = {}
        for row in self._stream(table)():
            if isinstance(row, RecordProblem) or hash(row.id) not in suspects:
                continue
            if row.id in seen:
                raise _twins(table, seen[row.id], row, self.dataset)
            seen[row.id] = row

    def _without_twins(self, table: TableName, rows: Iterator[Row]) -> Iterator[Row]:
        suspects = self.left_out_twins.get(table)
        if suspects is None:
            yield from rows
            return
        seen: dict[str, Row] = {}
        for row in rows:
            if hash(row.id) in suspects:
                if row.id in seen:
                    error = _twins(table, seen[row.id], row, self.dataset)
                    self._leave_out(RecordProblem(row.id, None, error, RecordProblemKind.DUPLICATE))
                    continue
                seen[row.id] = row
            yield row


def _blocks(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    block: list[Row] = []
    for row in rows:
        block.append(row)
        if len(block) == size:
            yield block
            block = []
    if block:
        yield block


def _twins(table: TableName, first: Row, second: Row, dataset: Dataset) -> TableError:
    def place(row: Row) -> str:
        name = row.uri if not isinstance(row, Pair) else row.photo_id
        return row.origin or f"the row of {name!r}"

    kind = "photo" if isinstance(first, Photo) else table.rstrip("s").replace("patche", "patch")
    return TableError(
        f"The id {first.id!r} of a {kind} stands twice: in {place(first)} and in {place(second)}.",
        hint="Remove one of the two, or give each a name of its own.",
        path=dataset.root,
    )


def stored_root(folder: Path, root: Path) -> str:
    """Return ``root`` as a manifest in ``folder`` keeps it: relative where it lies around it."""
    here, there = folder.resolve(), root.resolve()
    if here == there or there in here.parents:
        return Path(os.path.relpath(there, here)).as_posix()
    return there.as_posix()
