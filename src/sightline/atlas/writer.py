"""Finished photos become committed rows: a few transactions, each of them whole photos.

The writer gathers what the encoder has finished, and which names came, went or moved, and puts
both into the store together.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import numpy as np
import pyarrow as pa

from sightline.atlas.card import AtlasCard
from sightline.atlas.catalogue import Catalogue, content_key
from sightline.atlas.intake import FileState, ReadyPhoto
from sightline.atlas.names import NameChanges, renamed
from sightline.atlas.store import Store, row_schema
from sightline.geo.cells import cell_ids, to_signed

Row = dict[str, object]


class Writer:
    """Gathers changes and commits them; used by one thread that holds the writer lock."""

    def __init__(self, store: Store, catalogue: Catalogue) -> None:
        self.store = store
        self._catalogue = catalogue
        self._next_id = store.next_id()
        self._finished: list[tuple[ReadyPhoto, range]] = []
        self._accepted: dict[int, ReadyPhoto] = {}
        self._changes: dict[int, NameChanges] = {}

    @property
    def waiting(self) -> int:
        """Finished photos that are not committed yet."""
        return len(self._finished)

    def accept(self, photo: ReadyPhoto) -> bool:
        """Take note of a photo that will be encoded; returns whether it replaces an older one."""
        content = content_key(photo.sha256)
        ids = range(self._next_id, self._next_id + photo.rows)
        self._next_id = ids.stop
        self._accepted[content] = photo
        self._catalogue.put_content(content, ids)
        return self._put_name(photo.files[0], content)

    def add_name(self, file: FileState, sha256: bytes) -> None:
        """Take note that ``file`` holds a content that is stored or accepted."""
        content = content_key(sha256)
        self._put_name(file, content)
        if content in self._accepted:
            photo = self._accepted[content]
            photo.files = [f for f in photo.files if f.name != file.name] + [file]
        else:
            self._changes_of(content).put[file.name] = file

    def finish(self, photo: ReadyPhoto) -> None:
        """Take over a photo whose vectors are all there."""
        self._finished.append((photo, self._ids(photo)))

    def withdraw(self, photo: ReadyPhoto) -> None:
        """Forget an accepted photo that could not be encoded."""
        content = content_key(photo.sha256)
        self._accepted.pop(content)
        self._catalogue.put_content(content, ())

    def commit(self) -> None:
        """Put everything gathered into the store, in one transaction.

        An interrupt from the keyboard waits until the transaction is complete.

        Raises:
            OutputError: The disk is full or closed; nothing was changed, everything stays
                gathered.
        """
        with _interrupts_wait():
            gone, edited = self._edited()
            # A file that changed while the build ran may have left its first content nameless.
            named = [(photo, ids) for photo, ids in self._finished if photo.files]
            new = [row for photo, ids in named for row in _rows(photo, ids)]
            schema = row_schema(self.store.card)
            table = pa.concat_tables([edited, _table(new, self.store.card)]).cast(schema)
            self.store = self.store.replace(gone, table)
            for photo, _ in self._finished:
                content = content_key(photo.sha256)
                self._accepted.pop(content, None)
                if not photo.files:
                    self._catalogue.put_content(content, ())
            self._finished.clear()
            self._changes.clear()

    def _ids(self, photo: ReadyPhoto) -> range:
        ids = self._catalogue.ids(content_key(photo.sha256))
        return range(ids[0], ids[-1] + 1)

    def _put_name(self, file: FileState, content: int) -> bool:
        before = self._catalogue.content_of(file.name)
        moved = before is not None and before != content
        if before is not None and moved:
            self._take_name_away(file.name, before)
        self._catalogue.put_name(file.name, file.size_bytes, file.mtime_ns, content)
        return moved

    def _take_name_away(self, name: str, content: int) -> None:
        if content in self._accepted:
            photo = self._accepted[content]
            photo.files = [f for f in photo.files if f.name != name]
            return
        changes = self._changes_of(content)
        changes.put.pop(name, None)
        changes.gone.add(name)

    def _changes_of(self, content: int) -> NameChanges:
        return self._changes.setdefault(content, NameChanges())

    def _edited(self) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], pa.Table]:
        """Ids to remove, and those of their rows that come back with other names."""
        schema = row_schema(self.store.card)
        ids = {i: c for c in self._changes for i in self._catalogue.ids(c)}
        if not ids:
            return np.empty(0, np.int64), schema.empty_table()
        found = self.store.find(np.array(list(ids), np.int64))
        kept = []
        for row, number in enumerate(found.column("id").to_pylist()):
            changes = self._changes[ids[number]]
            names = renamed(found.slice(row, 1), changes)
            if names.num_rows:
                kept.append(names)
            else:
                self._catalogue.put_content(ids[number], ())
        return found.column("id").to_numpy(), pa.concat_tables([schema.empty_table(), *kept])


def _rows(photo: ReadyPhoto, ids: range) -> Iterator[Row]:
    leaf = int(to_signed(cell_ids(np.array([[photo.lat, photo.lon]])))[0])
    for view, number in enumerate(ids):
        yield {
            "id": number,
            "uri": photo.files[0].name,
            "names": [f.name for f in photo.files],
            "sha256": photo.sha256,
            "size_bytes": photo.files[0].size_bytes,
            "mtime_ns": [f.mtime_ns for f in photo.files],
            "view": view,
            "lat": photo.lat,
            "lon": photo.lon,
            "s2": leaf,
            "heading_degrees": photo.headings[view],
            "metres_per_pixel": photo.metres_per_pixel,
            "outline": photo.outline,
            "captured_at": photo.captured_at,
            "source": photo.record.source,
            "licence": photo.record.licence,
            "vector": photo.vectors[view].astype(np.float16).ravel(),
        }


def _table(rows: list[Row], card: AtlasCard) -> pa.Table:
    schema = row_schema(card)
    if not rows:
        return schema.empty_table()
    vectors = pa.array(np.concatenate([row.pop("vector") for row in rows]))
    columns = {
        name: pa.array([row[name] for row in rows], schema.field(name).type)
        for name in schema.names
        if name != "vector"
    }
    columns["vector"] = pa.FixedSizeListArray.from_arrays(vectors, card.vector_length)
    return pa.table(columns, schema=schema)


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Hold Ctrl-C back until the block ends, so that a transaction is never left in doubt."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[tuple[int, FrameType | None]] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: held.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if held and callable(before):
        before(*held[0])
