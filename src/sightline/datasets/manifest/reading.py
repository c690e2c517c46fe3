"""Reading manifests: streamed, by columns, or by row number."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import ArrayLike

from sightline.datasets.dataset import Dataset
from sightline.datasets.manifest.replacing import current
from sightline.datasets.manifest.schema import (
    INFORMATION_KEY,
    SCHEMA_VERSION,
    SCHEMAS,
    TABLES,
    Information,
    TableName,
    file_of,
    to_rows,
)
from sightline.datasets.rows import AerialPatch, Pair, Photo, Row
from sightline.errors import TableError, UsageError

BATCH_ROWS = 8_192


@dataclass(frozen=True, slots=True)
class Manifest:
    """The photos, patches and pairs of one dataset, as Parquet files say them.

    Make it with :meth:`open`. Rows are read as they are asked for; nothing is kept.

    Args:
        path: Its folder.
        information: What its files say of themselves.
        root: The folder that uris are relative to.
    """

    path: Path
    information: Information
    root: Path

    @staticmethod
    def lies_at(path: str | os.PathLike[str]) -> bool:
        """Whether a folder holds a manifest, or a path is one of its files; opens none."""
        place, first = Path(path), file_of(TABLES[0])
        folder = place.parent if place.name in map(file_of, TABLES) else place
        return current(folder, first).is_file()

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], *, root: str | os.PathLike[str] | None = None
    ) -> Manifest:
        """Open a manifest.

        Args:
            path: Its folder, or one of its files.
            root: Where the images lie now, if they have moved since it was written.

        Raises:
            TableError: Nothing there, a file is missing or damaged, the files are of different
                writings, or a newer Sightline wrote them.
        """
        folder = Path(path)
        if folder.suffix == ".parquet" and not folder.is_dir():
            folder = folder.parent
        found = [_information(current(folder, file_of(table))) for table in TABLES]
        first = found[0]
        if any(other.fingerprint != first.fingerprint for other in found):
            raise TableError(
                f"The files of the manifest {str(folder)!r} are of different writings: their "
                "fingerprints differ.",
                hint="Write the manifest again.",
                path=folder,
            )
        return cls(folder, first, Path(root) if root is not None else folder / first.root)

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self.information.dataset

    @property
    def version(self) -> str:
        """The dataset's release, subset or label revision."""
        return self.information.dataset_version

    @property
    def fingerprint(self) -> str:
        """SHA-256 of name, version and rows, hexadecimal."""
        return self.information.fingerprint

    @property
    def n_photos(self) -> int:
        """How many photos it holds."""
        return self.information.counts["photos"]

    @property
    def n_patches(self) -> int:
        """How many aerial patches it holds."""
        return self.information.counts["patches"]

    @property
    def n_pairs(self) -> int:
        """How many pairs it holds."""
        return self.information.counts["pairs"]

    def photos(self, *, split: str | None = None) -> Iterator[Photo]:
        """Iterate over the photos, those of one split if it is named."""
        return cast(Iterator[Photo], self._rows("photos", split))

    def patches(self, *, split: str | None = None) -> Iterator[AerialPatch]:
        """Iterate over the aerial patches, those of one split if it is named."""
        return cast(Iterator[AerialPatch], self._rows("patches", split))

    def pairs(self, *, split: str | None = None) -> Iterator[Pair]:
        """Iterate over the pairs, those of one split if it is named."""
        return cast(Iterator[Pair], self._rows("pairs", split))

    def batches(
        self,
        table: TableName,
        *,
        split: str | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Iterate over a table as record batches of at most 8,192 rows.

        Args:
            table: ``photos``, ``patches`` or ``pairs``.
            split: Only rows of this split.
            columns: Which columns, in this order; all if None.

        Raises:
            UsageError: No such table or column.
            TableError: The file is damaged.
        """
        wanted = _known_columns(table, columns)
        read = wanted if split is None or "split" in wanted else [*wanted, "split"]
        file = current(self.path, file_of(table))
        try:
            with pq.ParquetFile(file) as parquet:
                for batch in parquet.iter_batches(batch_size=BATCH_ROWS, columns=read):
                    if split is not None:
                        batch = batch.filter(pc.equal(batch.column("split"), split))
                    if batch.num_rows:
                        yield batch.select(wanted)
        except (pa.ArrowException, OSError) as cause:
            raise _damaged(file, cause) from cause

    def table(self, table: TableName, *, columns: Sequence[str] | None = None) -> pa.Table:
        """Load a whole table, or columns of it.

        Raises:
            UsageError: No such table or column.
            TableError: The file is damaged.
        """
        wanted = _known_columns(table, columns)
        schema = pa.schema([SCHEMAS[table].field(name) for name in wanted])
        return pa.Table.from_batches(self.batches(table, columns=wanted), schema=schema)

    def take(
        self, table: TableName, rows: ArrayLike, *, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Load rows by number, in the order asked for; reads only the row groups they lie in.

        Args:
            table: ``photos``, ``patches`` or ``pairs``.
            rows: Row numbers from 0, shape (n,).
            columns: Which columns; all if None.

        Raises:
            UsageError: No such table, column or row.
            TableError: The file is damaged.
        """
        wanted = _known_columns(table, columns)
        numbers = np.atleast_1d(np.asarray(rows, dtype=np.int64))
        count = self.information.counts[table]
        bad = (numbers < 0) | (numbers >= count)
        if bad.any():
            raise UsageError(
                f"A row must lie in [0, {count}). Got {int(numbers[bad][0])}.",
                hint=f"{str(self.path)!r} has {count} {table}.",
            )
        file = current(self.path, file_of(table))
        try:
            with pq.ParquetFile(file) as parquet:
                return _taken(parquet, numbers, wanted)
        except (pa.ArrowException, OSError) as cause:
            raise _damaged(file, cause) from cause

    def resolve(self, uri: str) -> Path:
        """Return where the file of a uri lies."""
        return self.root / uri

    def splits(self) -> dict[str, int]:
        """Return how many photos each split holds; those of none under the empty name."""
        counts: dict[str, int] = {}
        for batch in self.batches("photos", columns=["split"]):
            for entry in pc.value_counts(batch.column(0)).to_pylist():
                name = entry["values"] or ""
                counts[name] = counts.get(name, 0) + entry["counts"]
        return counts

    def dataset(self) -> Dataset:
        """Return its rows as a dataset, to be written again with changes."""
        return Dataset(
            name=self.name,
            version=self.version,
            root=self.root,
            photos=self.photos,
            patches=self.patches,
            pairs=self.pairs,
        )

    def _rows(self, table: TableName, split: str | None) -> Iterator[Row]:
        for batch in self.batches(table, split=split):
            yield from to_rows(table, batch)


def _taken(parquet: pq.ParquetFile, numbers: np.ndarray, columns: list[str]) -> pa.Table:
    metadata = parquet.metadata
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    groups = np.searchsorted(starts, numbers, side="right") - 1
    parts, order = [], []
    for group in np.unique(groups):
        chosen = np.flatnonzero(groups == group)
        parts.append(
            parquet.read_row_group(int(group), columns=columns).take(
                pa.array(numbers[chosen] - starts[group])
            )
        )
        order.append(chosen)
    if not parts:
        return parquet.schema_arrow.empty_table().select(columns)
    back = np.argsort(np.concatenate(order), kind="stable")
    return pa.concat_tables(parts).select(columns).take(pa.array(back))


def _known_columns(table: str, columns: Iterable[str] | None) -> list[str]:
    if table not in SCHEMAS:
        raise UsageError(
            f"table must be one of {', '.join(TABLES)}. Got {table!r}.", hint="Name one of them."
        )
    names = SCHEMAS[cast(TableName, table)].names
    wanted = list(names if columns is None else columns)
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise UsageError(
            f"columns must be among {', '.join(names)}. Got {unknown[0]!r}.",
            hint="Name columns of the table.",
        )
    return wanted


def _information(file: Path) -> Information:
    if not file.is_file():
        raise TableError(
            f"There is no manifest in {str(file.parent)!r}: {file.name} is missing.",
            hint="Make one with `sightline dataset manifest ROOT OUT`.",
            path=file.parent,
        )
    try:
        metadata = pq.read_schema(file).metadata or {}
        if INFORMATION_KEY not in metadata:
            # Written after the rows, it stands in the file's own metadata, not in the schema's.
            metadata = pq.read_metadata(file).metadata or {}
        told = json.loads(metadata[INFORMATION_KEY])
        version = told["schema_version"]
        if version == SCHEMA_VERSION:
            return Information(**told)
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as cause:
        raise _damaged(file, cause) from cause
    raise TableError(
        f"{str(file)!r} is written as {version!r}, and {SCHEMA_VERSION!r} is known here.",
        hint="Read it with the Sightline that wrote it, or write it again.",
        path=file,
    )


def _damaged(file: Path, cause: Exception) -> TableError:
    reason = " ".join(str(cause).split())[:200]
    return TableError(
        f"{str(file)!r} is no table of a manifest, or damaged: {reason}.",
        hint="Write the manifest again.",
        path=file,
    )
