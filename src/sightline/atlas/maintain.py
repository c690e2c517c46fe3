"""What is done to a finished atlas: add, remove, compact, and what can be said of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sightline.atlas.build import BuildReport, build_atlas
from sightline.atlas.card import AtlasCard
from sightline.atlas.lock import writer_lock
from sightline.atlas.names import NameChanges, renamed
from sightline.atlas.problems import read_problems
from sightline.atlas.store import KEEP_VERSIONS_FOR, Store
from sightline.durable import remove_leftovers
from sightline.errors import AtlasEmptyError, UsageError

if TYPE_CHECKING:
    from sightline.datasets.records import PhotoRecord, RecordProblem
    from sightline.geo.region import Region
    from sightline.models.protocol import Encoder


@dataclass(frozen=True, slots=True)
class RemoveReport:
    """What was removed: rows, names, and the arguments that nothing matched."""

    rows: int
    names: int
    unmatched: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CompactReport:
    """Rows in the atlas, and over how many files they were and are spread."""

    rows: int
    files_before: int
    files_after: int


@dataclass(frozen=True, slots=True)
class AtlasInfo:
    """What can be said of an atlas without searching it.

    Attributes:
        path: Its folder.
        card: Its fixed facts.
        version: Number of the newest committed version.
        rows: Rows; a 360° photo has one per view.
        photos: Different contents.
        names: Files that hold them.
        files: Data files the rows are spread over.
        ordered: Whether all rows lie in the order of their S2 ids, as compaction leaves them.
        problems: Photos that were left out.
        size_bytes: Size of the folder, old versions and derived files included.
        bounds: South, west, north, east in degrees, or None without rows; boxes over the
            antimeridian are not looked for.
        sources: Rows per source, the most frequent first.
    """

    path: Path
    card: AtlasCard
    version: int
    rows: int
    photos: int
    names: int
    files: int
    ordered: bool
    problems: int
    size_bytes: int
    bounds: tuple[float, float, float, float] | None
    sources: dict[str, int]


def add(
    atlas: str | Path,
    records: Iterable[PhotoRecord | RecordProblem],
    encoder: Encoder,
    **options: Any,
) -> BuildReport:
    """Add photos to an atlas that exists; takes the options of :func:`build_atlas`.

    Raises:
        AtlasNotFoundError: There is no atlas.
        FingerprintError: It was built with another encoder.
        SightlineError: As :func:`build_atlas`.
    """
    AtlasCard.read(Path(atlas))
    return build_atlas(atlas, records, encoder, **options)


def remove(
    atlas: str | Path,
    *,
    names: Sequence[str] = (),
    ids: Sequence[int] = (),
    region: Region | None = None,
) -> RemoveReport:
    """Remove what any of the arguments matches, in one transaction.

    Args:
        atlas: The atlas.
        names: Paths as they were given to the build, or patterns with ``*``, ``?`` and ``[]``
            (``*`` also matches ``/``). A row that was seen under other names too stays with those.
        ids: Rows by id.
        region: All rows in it.

    Raises:
        UsageError: No argument was given.
        AtlasEmptyError: Nothing matches; nothing was changed.
        OutputError: The disk is full or closed; nothing was changed.
    """
    if not names and not len(ids) and region is None:
        raise UsageError(
            "Nothing was named that should be removed.",
            hint="Give names, patterns, ids or a region.",
        )
    folder = Path(atlas)
    store = Store.open(folder)
    with writer_lock(folder):
        remove_leftovers(folder)
        store = store.refreshed()
        chosen = _choose(store, names, ids, region)
        if not chosen.rows and not chosen.names:
            raise AtlasEmptyError(
                f"No row of {str(folder)!r} matches what should be removed.",
                hint="See the names with `sightline atlas export`.",
                path=folder,
            )
        found = store.find(np.array(list(chosen.names), np.int64))
        kept = [
            renamed(found.slice(row, 1), NameChanges(gone=chosen.names[number]))
            for row, number in enumerate(found.column("id").to_pylist())
        ]
        gone = np.array([*chosen.rows, *chosen.names], np.int64)
        store.replace(gone, pa.concat_tables([store.schema.empty_table(), *kept]))
    return RemoveReport(len(chosen.rows), chosen.name_count, tuple(chosen.unmatched))


def compact(atlas: str | Path, *, keep: timedelta = KEEP_VERSIONS_FOR) -> CompactReport:
    """Rewrite the rows in few files, in the order of their S2 ids, and drop old versions.

    Needs room for a second copy of the rows. Readers are not disturbed: versions younger than
    ``keep`` stay, so a reader has that long to open the new one; a reader that holds an older
    version for longer must open the atlas again.

    Raises:
        OutputError: The disk is full or closed; the atlas is as it was.
    """
    folder = Path(atlas)
    Store.open(folder)
    with writer_lock(folder):
        remove_leftovers(folder)
        before = Store.open(folder)
        after = before
        if before.fragments > 1 or not is_ordered(before):
            after = before.compact()
        after.clean(keep)
    return CompactReport(after.count, before.fragments, after.fragments)


def info(atlas: str | Path) -> AtlasInfo:
    """Say what an atlas holds; raises as :meth:`Store.open`."""
    store = Store.open(atlas)
    lat, lon = store.column("lat"), store.column("lon")
    names = sum(len(n) for b in store.batches(["names", "view"]) for n in _first_views(b))
    sources: dict[str, int] = {}
    for batch in store.batches(["source"]):
        for source in batch.column("source").to_pylist():
            sources[source or "unknown"] = sources.get(source or "unknown", 0) + 1
    corners = None
    if store.count:
        corners = (float(lat.min()), float(lon.min()), float(lat.max()), float(lon.max()))
    return AtlasInfo(
        path=store.path,
        card=store.card,
        version=store.version,
        rows=store.count,
        photos=int((store.column("view") == 0).sum()),
        names=names,
        files=store.fragments,
        ordered=is_ordered(store),
        problems=len(read_problems(store.path)),
        size_bytes=sum(p.stat().st_size for p in store.path.rglob("*") if p.is_file()),
        bounds=corners,
        sources=dict(sorted(sources.items(), key=lambda pair: (-pair[1], pair[0]))),
    )


def is_ordered(store: Store) -> bool:
    """Whether all rows lie in the order of their S2 ids as unsigned numbers."""
    leaves = store.column("s2").view(np.uint64)
    return bool((leaves[1:] >= leaves[:-1]).all())


def _first_views(batch: pa.RecordBatch) -> Iterator[list[str]]:
    for names, view in zip(*(c.to_pylist() for c in batch.columns), strict=True):
        if view == 0:
            yield names


@dataclass(slots=True)
class _Chosen:
    rows: set[int] = field(default_factory=set)
    names: dict[int, set[str]] = field(default_factory=dict)
    name_count: int = 0
    unmatched: list[str] = field(default_factory=list)


def _choose(
    store: Store, patterns: Sequence[str], ids: Sequence[int], region: Region | None
) -> _Chosen:
    """Rows to remove whole, and names to take from rows that keep others."""
    chosen = _Chosen()
    wanted, matched, taken = set(ids), set(), set()
    for batch in store.batches(["id", "names", "lat", "lon"]):
        inside = np.zeros(batch.num_rows, np.bool_)
        if region is not None:
            places = np.stack([batch.column(c).to_numpy() for c in ("lat", "lon")], axis=1)
            inside = region.contains(places)
        numbers, of_rows = batch.column("id").to_pylist(), batch.column("names").to_pylist()
        for number, names, within in zip(numbers, of_rows, inside.tolist(), strict=True):
            gone = set()
            for name in names:
                hits = [p for p in patterns if name == p or fnmatchcase(name, p)]
                matched.update(hits)
                if hits:
                    gone.add(name)
            taken |= gone
            if within or number in wanted or len(gone) == len(names):
                chosen.rows.add(number)
            elif gone:
                chosen.names[number] = gone
    known = set(chosen.rows)
    chosen.name_count = len(taken)
    chosen.unmatched = [p for p in patterns if p not in matched]
    chosen.unmatched += [str(i) for i in ids if i not in known]
    return chosen
