"""One run of a build over its records: take, encode, commit, count, tell."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sized
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.atlas.catalogue import Catalogue, content_key
from sightline.atlas.intake import Blank, ReadyPhoto, Refused, SameContent, Taken, Unchanged
from sightline.atlas.problems import Problem, read_problems, write_problems
from sightline.atlas.store import Store
from sightline.atlas.writer import Writer
from sightline.datasets.reading.in_order import in_order
from sightline.errors import OutputError, VectorError

if TYPE_CHECKING:
    from sightline.datasets.records import PhotoRecord, RecordProblem
    from sightline.models.protocol import Encoder, View

_TELL_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a build is: photos looked at, of how many (None: unknown), how fast.

    ``remaining_s`` is None until a rate and a total are known.
    """

    done: int
    total: int | None
    added: int
    problems: int
    images_per_s: float
    remaining_s: float | None


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did.

    Attributes:
        added: Photos that became rows.
        duplicates: Files whose content was there under another name.
        replaced: Added photos whose file held something else before.
        skipped: Files that were stored already and have not changed.
        problems: Photos that were left out, with reasons; the table on disk also keeps those of
            earlier runs that this run did not look at.
        rows: Rows in the atlas afterwards; a 360° photo has one per view.
        seconds: Duration.
        images_per_s: Photos encoded per second.
        blank: Places left out because the aerial imagery shows too little of them.
    """

    added: int
    duplicates: int
    replaced: int
    skipped: int
    problems: tuple[Problem, ...]
    rows: int
    seconds: float
    images_per_s: float
    blank: int = 0


class BuildInterrupted(KeyboardInterrupt):
    """Ctrl-C during a build, after everything finished was committed.

    Attributes:
        report: What was done until then.
        hint: How to go on.
    """

    hint = "Run the same command again to go on; nothing is encoded twice."

    def __init__(self, report: BuildReport) -> None:
        super().__init__(f"Stopped; {report.rows} rows are committed. {self.hint}")
        self.report = report


class Intake(Protocol):
    """Turns records into what a run does with them, in worker threads."""

    def __call__(self, record: PhotoRecord | RecordProblem, *, again: bool = False) -> Taken:
        """Look at one; ``again``: even if its content is thought to be stored."""
        ...


class Run:
    """One run over records: takes, encodes, commits, counts."""

    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        batch: int,
        commit_rows: int,
        commit_seconds: float,
        progress: Callable[[Progress], None] | None,
        view: View = "ground",
    ) -> None:
        self.catalogue = Catalogue(store)
        self.writer = Writer(store, self.catalogue)
        self._encoder = encoder
        self._view: View = view
        self._batch = batch
        self._commit_rows = commit_rows
        self._commit_seconds = commit_seconds
        self._progress = progress
        self._queue: deque[tuple[ReadyPhoto, NDArray[np.uint8]]] = deque()
        self._earlier = {p.path: p for p in read_problems(store.path)}
        self._problems: list[Problem] = []
        self._total: int | None = None
        self._done = self._added = self._duplicates = self._replaced = self._skipped = 0
        self._blank = 0
        self._started = self._committed = self._shown = time.monotonic()

    def over(
        self, records: Iterable[PhotoRecord | RecordProblem], intake: Intake, workers: int
    ) -> BuildReport:
        """Go through all records; see :func:`build_atlas`."""
        self._total = len(records) if isinstance(records, Sized) else None
        try:
            taken = in_order(intake, records, workers=workers, ahead=2 * (workers + self._batch))
            with closing(taken):
                for one in taken:
                    self._receive(one, intake)
                    self._tell()
            while self._queue:
                self._encode(min(self._batch, len(self._queue)))
            self._save()
        except KeyboardInterrupt as interrupt:
            self._save()
            raise BuildInterrupted(self._report()) from interrupt
        except OutputError:
            raise  # Nothing more can be written.
        except BaseException:
            with suppress(OutputError):
                self._save()
            raise
        self._tell(last=True)
        return self._report()

    def _receive(self, one: Taken, intake: Intake) -> None:
        if isinstance(one, SameContent) and not self.catalogue.holds(content_key(one.sha256)):
            # Its twin was replaced after the worker had looked.
            one = intake(one.record, again=True)
        self._done += 1
        uri = one.uri if isinstance(one, Refused) else one.record.uri
        self._earlier.pop(uri, None)
        if isinstance(one, Refused):
            self._problems.append(Problem.of(uri, one.error))
        elif isinstance(one, Unchanged):
            self._skipped += 1
        elif isinstance(one, Blank):
            self._blank += 1
        elif isinstance(one, SameContent):
            self._name(one)
        elif self.catalogue.holds(content_key(one.sha256)):
            self._name(SameContent(one.record, one.files[0], one.sha256))
        else:
            self._replaced += self.writer.accept(one)
            self._queue.extend((one, pixels) for pixels in one.prepared)
        while len(self._queue) >= self._batch:
            self._encode(self._batch)
        self._commit_if_due()

    def _name(self, same: SameContent) -> None:
        file = same.file
        if self.catalogue.unchanged(file.name, file.size_bytes, file.mtime_ns):
            self._skipped += 1
            return
        known = self.catalogue.content_of(file.name) == content_key(same.sha256)
        self._skipped += known
        self._duplicates += not known
        self.writer.add_name(file, same.sha256)

    def _encode(self, count: int) -> None:
        views = [self._queue.popleft() for _ in range(count)]
        pixels = np.stack([p for _, p in views])
        try:
            vectors = self._encoder.encode_prepared(pixels, self._view)
        except VectorError:
            # One picture must not take its neighbours along.
            for photo, one in views:
                self._encode_alone(photo, one)
        else:
            # A picture may become several rows, which follow each other.
            each = np.split(vectors, count)
            for (photo, _), of_picture in zip(views, each, strict=True):
                photo.vectors.extend(of_picture)
                self._finish(photo)
        self._commit_if_due()

    def _encode_alone(self, photo: ReadyPhoto, pixels: NDArray[np.uint8]) -> None:
        try:
            vectors = self._encoder.encode_prepared(pixels[None], self._view)
        except VectorError as error:
            photo.error = error
            vectors = np.zeros((photo.rows_each, 0, 0), np.float32)
        photo.vectors.extend(vectors)
        self._finish(photo)

    def _finish(self, photo: ReadyPhoto) -> None:
        if len(photo.vectors) < photo.rows:
            return
        photo.prepared.clear()
        if photo.error is not None:
            self.writer.withdraw(photo)
            self._problems.append(Problem.of(photo.record.uri, photo.error))
            return
        self.writer.finish(photo)
        self._added += 1

    def _commit_if_due(self) -> None:
        waited = time.monotonic() - self._committed
        if self.writer.waiting >= self._commit_rows or waited >= self._commit_seconds:
            self.writer.commit()
            self._committed = time.monotonic()

    def _save(self) -> None:
        self.writer.commit()
        write_problems(self.writer.store.path, [*self._earlier.values(), *self._problems])

    def _tell(self, *, last: bool = False) -> None:
        now = time.monotonic()
        if self._progress is None or (now - self._shown < _TELL_EVERY_S and not last):
            return
        self._shown = now
        seconds = now - self._started
        rate = self._done / seconds if seconds else 0.0
        left = None if self._total is None or not rate else (self._total - self._done) / rate
        self._progress(
            Progress(self._done, self._total, self._added, len(self._problems), self._rate(), left)
        )

    def _rate(self) -> float:
        seconds = time.monotonic() - self._started
        return self._added / seconds if seconds else 0.0

    def _report(self) -> BuildReport:
        return BuildReport(
            added=self._added,
            duplicates=self._duplicates,
            replaced=self._replaced,
            skipped=self._skipped,
            problems=tuple(self._problems),
            rows=self.writer.store.count,
            seconds=time.monotonic() - self._started,
            images_per_s=self._rate(),
            blank=self._blank,
        )
