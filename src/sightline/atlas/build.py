"""Build an atlas from photos, or add photos to one: resumable, in parallel, nothing twice.

Worker threads read, hash, place and decode while the calling thread encodes and commits. What is
committed is never encoded again; what is not is found again by name, size and time, or by content.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.atlas.card import CARD_NAME, ROWS_NAME, AtlasCard, Kind
from sightline.atlas.intake import Intake
from sightline.atlas.light import LIGHT_NAME, add_light
from sightline.atlas.lock import LOCK_NAME, writer_lock
from sightline.atlas.problems import PROBLEMS_NAME
from sightline.atlas.run import BuildInterrupted, BuildReport, Progress, Run
from sightline.atlas.store import Store
from sightline.durable import remove_leftovers, write_bytes
from sightline.errors import (
    AtlasDamagedError,
    AtlasEmptyError,
    AtlasError,
    AtlasNotFoundError,
    EncoderError,
    FingerprintError,
    OutputError,
)
from sightline.models.sample import statistics_to_bytes
from sightline.version import __version__

if TYPE_CHECKING:
    from sightline.datasets.records import PhotoRecord, RecordProblem
    from sightline.imagery.limits import Limits
    from sightline.models.protocol import Encoder

__all__ = ["BuildInterrupted", "BuildReport", "Progress", "build_atlas"]

SAMPLE_NAME = "sample.safetensors"
_OURS = {CARD_NAME, ROWS_NAME, LOCK_NAME, PROBLEMS_NAME, SAMPLE_NAME, LIGHT_NAME}


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
        EncoderError: The encoder matches photos with aerial patches, and not with each other.
        AtlasEmptyError: No photo could be used; the table of problems says why.
        FingerprintError: The atlas was built with another encoder.
        AtlasError: The folder holds something else, or another process writes to it.
        OutputError: The disk is full or closed; what was committed is kept.
        BuildInterrupted: Ctrl-C; what was finished is committed.
    """
    folder = Path(out)
    if "aerial" in encoder.branches:
        raise EncoderError(
            f"{encoder.name} matches photos with aerial patches, and not with other photos.",
            hint="Give --aerial for an atlas of patches, or for --photos a model of ground photos.",
        )
    check_folder(folder)
    with writer_lock(folder):
        card = partial(
            new_card, folder, encoder, licence=licence, description=description, kind="photos"
        )
        store = open_or_create(folder, encoder, card, "photos")
        run = Run(store, encoder, batch, commit_rows, commit_seconds, progress)
        intake = Intake(encoder, run.catalogue, limits)
        report = run.over(records, intake, workers or os.cpu_count() or 1)
        _refuse_empty(folder, report)
        store = run.writer.store
        if light and report.added:
            store = add_light(store, encoder)
        if compact:
            put_in_order(store, report)
        return report


def put_in_order(store: Store, report: BuildReport) -> None:
    """Order the rows by S2 id, if a run changed any, and drop what is old."""
    if report.added or report.duplicates or report.replaced:
        store.compact().clean()


def check_folder(folder: Path) -> None:
    """Refuse a place where no atlas can be made or grown.

    Raises:
        OutputError: It is a file.
        AtlasError: It holds something else.
    """
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


def open_or_create(
    folder: Path, encoder: Encoder, card: Callable[[], AtlasCard], kind: Kind
) -> Store:
    """Open an atlas for growing, or make it; the caller holds the lock.

    Args:
        folder: Its folder.
        encoder: Whose vectors will be added.
        card: Makes the card of a new atlas.
        kind: What will be added.

    Raises:
        AtlasError: It is an atlas of the other kind.
        FingerprintError: It was built with another encoder.
        AtlasDamagedError: It cannot be opened.
        OutputError: It cannot be written.
    """
    remove_leftovers(folder)
    try:
        store = Store.open(folder)
    except (AtlasNotFoundError, AtlasDamagedError):
        if (folder / CARD_NAME).exists():
            raise
        return Store.create(folder, card())
    if store.card.kind != kind:
        held, wanted = "photos", "aerial patches"
        if kind == "photos":
            held, wanted = wanted, held
        raise AtlasError(
            f"The atlas {str(folder)!r} is of {held}; {wanted} cannot be added to it.",
            hint=f"Build another atlas for {wanted}.",
            path=folder,
        )
    if store.card.fingerprint != encoder.fingerprint:
        raise FingerprintError(
            f"The atlas {str(folder)!r} was built with {store.card.encoder} "
            f"({store.card.fingerprint[:12]}), not with {encoder.name} "
            f"({encoder.fingerprint[:12]}).",
            hint="Use that encoder, or build another atlas.",
            path=folder,
        )
    with suppress(OutputError):
        store.clean()
    return store


def new_card(folder: Path, encoder: Encoder, **facts: Any) -> AtlasCard:
    """Return the card of a new atlas, and write the encoder's sample beside it.

    Raises:
        OutputError: The folder cannot be written.
    """
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
        encoder_details=dict(encoder.describe()),
        **facts,
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
