"""The truth of an atlas: durable rows in a Lance dataset, one transaction per change.

A version that was committed once is readable until :meth:`Store.clean` removes it; a writer that
dies leaves the last committed version as it was.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pyarrow as pa
from lance import LanceOperation
from lance.fragment import write_fragments
from numpy.typing import NDArray

from sightline.atlas.card import CARD_NAME, ROWS_NAME, AtlasCard
from sightline.atlas.rows import checked, difference, row_schema
from sightline.atlas.transaction import sync_new, writing
from sightline.durable import make_folder, sync_folder, write_bytes
from sightline.errors import AtlasDamagedError, AtlasError, OutputError

__all__ = ["KEEP_VERSIONS_FOR", "Store", "row_schema"]

_ROWS_PER_FILE = 1 << 20
_TAKEN_AT_ONCE = 16_384
_FOREVER = timedelta(days=36_500)
_IDS_NAME = "next_id"
KEEP_VERSIONS_FOR = timedelta(minutes=10)


class Store:
    """One committed version of an atlas's rows; changing it returns the next version.

    Readers may be many and never wait. Writers must hold
    :func:`sightline.atlas.lock.writer_lock`; this class does not take it.

    Positions are row numbers in **physical order** of the opened version. After
    :meth:`compact` that order is by S2 leaf id as an unsigned number, the order of the curve,
    so that a cell is one run of positions; rows appended since stand behind, in order of time.
    """

    def __init__(
        self, path: Path, card: AtlasCard, dataset: Any, synced: set[str] | None = None
    ) -> None:
        self.path = path
        self.card = card
        self._dataset = dataset
        self._synced: set[str] = set() if synced is None else synced

    @classmethod
    def create(cls, path: str | Path, card: AtlasCard) -> Store:
        """Make an atlas without rows in the folder ``path``, which is created if missing.

        The card is written last: a folder without one is half-built and holds no rows yet.

        Raises:
            OutputError: The folder cannot be written.
            AtlasError: There is an atlas already.
            AtlasDamagedError: There are rows of an unknown encoder.
        """
        folder = Path(path)
        if (folder / CARD_NAME).exists():
            raise AtlasError(
                f"{str(folder)!r} is an atlas already.",
                hint="Use `sightline atlas add`, or choose another folder.",
                path=folder,
            )
        make_folder(folder)
        rows = folder / ROWS_NAME
        _refuse_orphans(folder, _count_rows(rows))
        with writing(rows):
            schema = row_schema(card)
            # A writer that died here left no row, maybe an empty dataset of another encoder.
            shutil.rmtree(rows, ignore_errors=True)
            lance.write_dataset(schema.empty_table(), str(rows), schema=schema, mode="create")
            sync_new(rows / "_versions", set())
            sync_folder(rows)
            sync_folder(folder)
        card.write(folder)
        return cls.open(folder)

    @classmethod
    def open(cls, path: str | Path, version: int | None = None) -> Store:
        """Open the newest committed version, or the named one.

        Raises:
            AtlasNotFoundError: No atlas there.
            AtlasVersionError: Written by a newer Sightline.
            AtlasDamagedError: Half-built, the rows cannot be read, or the version is gone.
        """
        folder = Path(path)
        card = AtlasCard.read(folder)
        if not (folder / ROWS_NAME).is_dir():
            raise AtlasDamagedError(
                f"The atlas {str(folder)!r} is half-built: it holds no {ROWS_NAME}.",
                hint="Run the same `sightline atlas build` again, or restore it from a copy.",
                path=folder,
            )
        try:
            dataset = lance.dataset(str(folder / ROWS_NAME), version=version)
        except (ValueError, OSError, RuntimeError) as error:
            wanted = "" if version is None else f" in version {version}"
            raise AtlasDamagedError(
                f"The rows of the atlas {str(folder)!r} cannot be opened{wanted}: {error}.",
                hint="Open the newest version, restore the folder from a copy, or build it again.",
                path=folder,
            ) from error
        expected = row_schema(card)
        if not dataset.schema.equals(expected):
            raise AtlasDamagedError(
                f"The rows of the atlas {str(folder)!r} do not fit its card: columns "
                f"{difference(dataset.schema, expected)} differ.",
                hint="Restore atlas.json and rows.lance from one copy, or build the atlas again.",
                path=folder,
            )
        return cls(folder, card, dataset)

    def refreshed(self) -> Store:
        """Return the newest committed version."""
        return Store.open(self.path)

    @property
    def version(self) -> int:
        """Number of the opened version; it grows with every change."""
        return int(self._dataset.version)

    @property
    def count(self) -> int:
        """Rows in the opened version."""
        return int(self._dataset.count_rows())

    @property
    def fragments(self) -> int:
        """Files the rows are spread over; compaction makes them few."""
        return len(self._dataset.get_fragments())

    @property
    def schema(self) -> pa.Schema:
        """Columns of the rows, see :func:`row_schema`."""
        return self._dataset.schema

    def batches(
        self, columns: Sequence[str], *, rows: int = 8192, after_id: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the columns in physical order, at most ``rows`` rows at a time.

        Args:
            columns: Names of :func:`row_schema`.
            rows: Upper bound of rows per batch.
            after_id: Only rows with a larger id, which are those added later.
        """
        condition = None if after_id is None else f"id > {int(after_id)}"
        yield from self._dataset.to_batches(
            columns=list(columns), filter=condition, batch_size=rows, scan_in_order=True
        )

    def vectors(
        self, *, rows: int = 8192, after_id: int | None = None
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield ids int64 (b,) and raw vectors float32 (b, regions², d) in physical order."""
        shape = (-1, self.card.regions**2, self.card.dimension)
        for batch in self.batches(["id", "vector"], rows=rows, after_id=after_id):
            flat = batch.column("vector").flatten().to_numpy(zero_copy_only=False)
            yield batch.column("id").to_numpy(), flat.astype(np.float32).reshape(shape)

    def take(self, positions: NDArray[np.int64], columns: Sequence[str]) -> pa.Table:
        """Return the rows at ``positions`` (n,), in that order."""
        return self._dataset.take([int(p) for p in positions], columns=list(columns))

    def find(self, ids: NDArray[np.int64], columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows with these ids in physical order; unknown ids are passed over."""
        held = self.ids()
        positions = np.flatnonzero(np.isin(held, ids))
        return self.take(positions, self.schema.names if columns is None else columns)

    def ids(self) -> NDArray[np.int64]:
        """Return all ids in physical order, int64 (count,)."""
        return self.column("id")

    def column(self, name: str) -> NDArray[Any]:
        """Return one numeric column in physical order, (count,)."""
        column = self._dataset.to_table(columns=[name]).column(name).combine_chunks()
        values: NDArray[Any] = column.to_numpy(zero_copy_only=False)
        return values

    def append(self, rows: pa.Table) -> Store:
        """Add rows in one transaction; when this returns they are on disk.

        Raises:
            VectorError: A vector is not finite or the column has another length.
            OutputError: The disk is full or may not be written; nothing was added.
        """
        return self.replace(np.empty(0, np.int64), rows)

    def delete(self, ids: NDArray[np.int64]) -> Store:
        """Remove rows by id in one transaction; ids that are not there are passed over."""
        return self.replace(ids, self.schema.empty_table())

    def replace(self, ids: NDArray[np.int64], rows: pa.Table) -> Store:
        """Remove rows by id and add others, both or neither, in one transaction.

        Raises:
            VectorError: A vector is not finite or the column has another length.
            OutputError: The disk is full or may not be written; nothing was changed.
        """
        rows = checked(rows, self.schema)
        uri = str(self.path / ROWS_NAME)
        with self._transaction():
            updated, removed = self._without(np.asarray(ids, np.int64))
            added = []
            if rows.num_rows:
                added = write_fragments(rows, uri, schema=self.schema, mode="append")
            if not (updated or removed or added):
                return self
            if updated or removed:
                operation: Any = LanceOperation.Update(
                    removed_fragment_ids=removed, updated_fragments=updated, new_fragments=added
                )
            else:
                operation = LanceOperation.Append(added)
            return self._commit(operation)

    def compact(self) -> Store:
        """Rewrite all rows in the order of their S2 leaf ids, in one transaction.

        The versions before it stay readable until :meth:`clean`.
        """
        order = np.argsort(self.column("s2").view(np.uint64), kind="stable")
        reader = pa.RecordBatchReader.from_batches(self.schema, self._taken(order))
        with self._transaction():
            fragments = write_fragments(
                reader,
                str(self.path / ROWS_NAME),
                schema=self.schema,
                mode="overwrite",
                max_rows_per_file=_ROWS_PER_FILE,
            )
            return self._commit(LanceOperation.Overwrite(self.schema, fragments))

    def clean(self, keep: timedelta = KEEP_VERSIONS_FOR) -> None:
        """Remove versions older than ``keep``, and the files only they or dead writers own.

        The newest version always stays. A reader that keeps an older one open for longer than
        ``keep`` must call :meth:`refreshed`.
        """
        with writing(self.path):
            # The writer lock says that no other process is adding files now.
            self._dataset.cleanup_old_versions(
                older_than=keep, delete_unverified=True, error_if_tagged_old_versions=False
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with writing(self.path):
                yield
        except OutputError:
            # A full disk should not stay full of what nobody will ever read.
            with suppress(OutputError):
                self.clean(keep=_FOREVER)
            raise

    def _taken(self, order: NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
        for start in range(0, len(order), _TAKEN_AT_ONCE):
            part = self.take(order[start : start + _TAKEN_AT_ONCE], self.schema.names)
            yield from part.cast(self.schema).combine_chunks().to_batches()

    def _without(self, ids: NDArray[np.int64]) -> tuple[list[Any], list[int]]:
        """Fragments whose rows get marked as removed, and numbers of those left with none."""
        updated: list[Any] = []
        removed: list[int] = []
        if not len(ids):
            return updated, removed
        self._keep_ids_taken()
        for fragment in self._dataset.get_fragments():
            held = fragment.to_table(columns=["id"]).column("id").to_numpy()
            gone = held[np.isin(held, ids)]
            if not len(gone):
                continue
            left = fragment.delete(f"id IN ({', '.join(map(str, gone.tolist()))})")
            if left is None:
                removed.append(fragment.fragment_id)
            else:
                updated.append(left)
        return updated, removed

    def next_id(self) -> int:
        """Return the smallest id that was never given to a row.

        Raises:
            AtlasDamagedError: The file that remembers the ids of removed rows cannot be read.
        """
        ids = self.ids()
        floor = self.path / _IDS_NAME
        try:
            given = int(floor.read_text()) if floor.exists() else 0
        except (OSError, ValueError) as error:
            raise AtlasDamagedError(
                f"{str(floor)!r} cannot be read: {error}.",
                hint="Restore it from a copy; it holds the smallest id never given to a row.",
                path=floor,
            ) from error
        return max(given, int(ids.max()) + 1 if len(ids) else 0)

    def _keep_ids_taken(self) -> None:
        # Once the newest rows are gone, the rows alone no longer say which ids were given.
        write_bytes(self.path / _IDS_NAME, str(self.next_id()).encode())

    def _commit(self, operation: Any) -> Store:
        rows = self.path / ROWS_NAME
        # Data first, then the manifest that names it: a power cut in between leaves the old one.
        sync_new(rows / "data", self._synced)
        sync_new(rows / "_deletions", self._synced)
        dataset = lance.LanceDataset.commit(
            str(rows), operation, read_version=self.version, max_retries=0
        )
        sync_new(rows / "_versions", self._synced)
        sync_folder(rows)
        return Store(self.path, self.card, dataset, self._synced)


def _count_rows(rows: Path) -> int:
    try:
        return int(lance.dataset(str(rows)).count_rows())
    except (ValueError, OSError, RuntimeError):
        return 0


def _refuse_orphans(folder: Path, count: int) -> None:
    if count:
        raise AtlasDamagedError(
            f"{str(folder)!r} holds {count} rows and no {CARD_NAME}: nothing says which encoder "
            "they are from.",
            hint="Restore atlas.json from a copy, or choose another folder.",
            path=folder,
        )
