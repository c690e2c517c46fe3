"""Build an atlas from photos, or add photos to one: resumable, in parallel, nothing twice.

Worker threads read, hash, place and decode while the calling thread encodes and commits. What is
committed is never encoded again; what is not is found again by name, size and time, or by content.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Sized
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline import __version__
from sightline.atlas.card import CARD_NAME, ROWS_NAME, AtlasCard
from sightline.atlas.catalogue import Catalogue, content_key
from sightline.atlas.durable import remove_leftovers, write_bytes
from sightline.atlas.intake import Intake, ReadyPhoto, Refused, SameContent, Taken, Unchanged
from sightline.atlas.light import LIGHT_NAME, add_light
from sightline.atlas.lock import LOCK_NAME, writer_lock
from sightline.atlas.pipeline import in_order
from sightline.atlas.problems import PROBLEMS_NAME, Problem, read_problems, write_problems
from sightline.atlas.store import Store
from sightline.atlas.writer import Writer
from sightline.errors import (
    AtlasDamagedError,
    AtlasEmptyError,
    AtlasError,
    AtlasNotFoundError,
    FingerprintError,
    OutputError,
    VectorError,
)
from sightline.models.sample import statistics_to_bytes

if TYPE_CHECKING:
    from sightline.datasets.records import PhotoRecord, RecordProblem
    from sightline.imagery.limits import Limits
    from sightline.models.protocol import Encoder

_TELL_EVERY_S = 0.1
SAMPLE_NAME = "sample.safetensors"
_OURS = {CARD_NAME, ROWS_NAME, LOCK_NAME, PROBLEMS_NAME, SAMPLE_NAME, LIGHT_NAME}


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
    """

    added: int
    duplicates: int
    replaced: int
    skipped: int
    problems: tuple[Problem, ...]
    rows: int
    seconds: float
    images_per_s: float


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


def build_atlas(
    out: str | Path,
    records: Iterable[PhotoRecord | RecordProblem],
    encoder: Encoder,
    *,
    workers: int | None = None,
    batch: int = 16,
    progress: Callable[[Progress], None] | None = None,
    limits: Limits | None = None,
    light: bool = True,
    compact: bool = True,
    commit_rows: int = 4096,
    commit_seconds: float = 5.0,
    licence: str | None = None,
    description: str | None = None,
) -> BuildReport:
    """Build the atlas ``out``, go on with a stopped build, or add to a finished one.

    Args:
        out: Folder of the atlas; new, empty, half-built, or an atlas of the same encoder.
        records: The photos; problems among them go to the table of problems. A record's own
            place wins over the one in its file.
        encoder: Turns pixels into vectors.
        workers: Threads that decode; by default one per processor.
        batch: Pictures per forward pass.
        progress: Called from time to time, in the calling thread.
        limits: How large a photo may be.
        light: If the encoder brings no light statistics, encode up to 64 photos a second time
            re-coloured, so that the whitening can disregard light.
        compact: Order the rows by S2 id at the end.
        commit_rows: Commit at the latest after so many rows.
        commit_seconds: Commit at the latest after so many seconds.
        licence: Licence of the whole collection; written when the atlas is created.
        description: Free text; written when the atlas is created.

    Raises:
        AtlasEmptyError: No photo could be used; the table of problems says why.
        FingerprintError: The atlas was built with another encoder.
        AtlasError: The folder holds something else, or another process writes to it.
        OutputError: The disk is full or closed; what was committed is kept.
        BuildInterrupted: Ctrl-C; what was finished is committed.
    """
    folder = Path(out)
    _check_folder(folder)
    with writer_lock(folder):
        remove_leftovers(folder)
        store = _opened(folder, encoder, licence, description)
        with suppress(OutputError):
            store.clean()
        run = _Run(store, encoder, batch, commit_rows, commit_seconds, progress)
        intake = Intake(encoder, run.catalogue, limits)
        report = run.over(records, intake, workers or os.cpu_count() or 1)
        _refuse_empty(folder, report)
        store = run.writer.store
        if light and report.added:
            store = add_light(store, encoder)
        if compact and (report.added or report.duplicates or report.replaced):
            store = store.compact()
            store.clean()
        return report


def _check_folder(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(
            f"{str(folder)!r} is a file, not a folder.", hint="Choose another name.", path=folder
        )
    if (folder / CARD_NAME).exists() or (folder / ROWS_NAME).exists():
        return
    others = sorted(p.name for p in folder.iterdir() if p.name not in _OURS)
    if others:
        raise AtlasError(
            f"{str(folder)!r} is not empty and no atlas: it holds {others[0]!r}.",
            hint="Choose a new folder for the atlas.",
            path=folder,
        )


def _opened(folder: Path, encoder: Encoder, licence: str | None, description: str | None) -> Store:
    try:
        store = Store.open(folder)
    except (AtlasNotFoundError, AtlasDamagedError):
        if (folder / CARD_NAME).exists():
            raise
        return Store.create(folder, _new_card(folder, encoder, licence, description))
    if store.card.fingerprint != encoder.fingerprint:
        raise FingerprintError(
            f"The atlas {str(folder)!r} was built with {store.card.encoder} "
            f"({store.card.fingerprint[:12]}), not with {encoder.name} "
            f"({encoder.fingerprint[:12]}).",
            hint="Use that encoder, or build another atlas.",
            path=folder,
        )
    return store


def _new_card(
    folder: Path, encoder: Encoder, licence: str | None, description: str | None
) -> AtlasCard:
    if encoder.sample is not None:
        write_bytes(folder / SAMPLE_NAME, statistics_to_bytes(encoder.sample))
    return AtlasCard(
        encoder=encoder.name,
        fingerprint=encoder.fingerprint,
        dimension=encoder.dimension,
        regions=encoder.regions,
        whitening=encoder.whitening,
        sample=None if encoder.sample is None else SAMPLE_NAME,
        created_with=__version__,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        licence=licence,
        description=description,
        encoder_details=dict(encoder.describe()),
    )


def _refuse_empty(folder: Path, report: BuildReport) -> None:
    if report.rows:
        return
    if not report.problems:
        raise AtlasEmptyError(
            "There was no photo to build an atlas from.",
            hint="Check the folder or table of photos.",
            path=folder,
        )
    first = report.problems[0]
    raise AtlasEmptyError(
        f"None of {len(report.problems)} photos could be used; the first: {first.message}",
        hint=f"{str(folder / PROBLEMS_NAME)!r} lists the reason for each.",
        path=folder,
    )


class _Run:
    """One run over records: takes, encodes, commits, counts."""

    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        batch: int,
        commit_rows: int,
        commit_seconds: float,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.catalogue = Catalogue(store)
        self.writer = Writer(store, self.catalogue)
        self._encoder = encoder
        self._batch = batch
        self._commit_rows = commit_rows
        self._commit_seconds = commit_seconds
        self._progress = progress
        self._queue: deque[tuple[ReadyPhoto, NDArray[np.uint8]]] = deque()
        self._earlier = {p.path: p for p in read_problems(store.path)}
        self._problems: list[Problem] = []
        self._total: int | None = None
        self._done = self._added = self._duplicates = self._replaced = self._skipped = 0
        self._started = self._committed = self._shown = time.monotonic()

    def over(
        self, records: Iterable[PhotoRecord | RecordProblem], intake: Intake, workers: int
    ) -> BuildReport:
        """Go through all records; see :func:`build_atlas`."""
        self._total = len(records) if isinstance(records, Sized) else None
        try:
            taken = in_order(intake, records, workers=workers, ahead=2 * (workers + self._batch))
            for one in taken:
                self._receive(one, intake)
                self._tell()
            while self._queue:
                self._encode(min(self._batch, len(self._queue)))
        except KeyboardInterrupt as interrupt:
            self._save()
            raise BuildInterrupted(self._report()) from interrupt
        except OutputError:
            raise  # Nothing more can be written.
        except BaseException:
            with suppress(OutputError):
                self._save()
            raise
        self._save()
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
            vectors = self._encoder.encode_prepared(pixels)
        except VectorError:
            # One picture must not take its neighbours along.
            for photo, one in views:
                self._encode_alone(photo, one)
        else:
            for (photo, _), vector in zip(views, vectors, strict=True):
                photo.vectors.append(vector)
                self._finish(photo)
        self._commit_if_due()

    def _encode_alone(self, photo: ReadyPhoto, pixels: NDArray[np.uint8]) -> None:
        try:
            vectors = self._encoder.encode_prepared(pixels[None])
        except VectorError as error:
            photo.error = error
            vectors = np.zeros((1, 0, 0), np.float32)
        photo.vectors.append(vectors[0])
        self._finish(photo)

    def _finish(self, photo: ReadyPhoto) -> None:
        if len(photo.vectors) < len(photo.prepared):
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
        )
