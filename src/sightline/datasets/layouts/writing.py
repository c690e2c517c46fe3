"""Writing a dataset in a published layout: resumable, in parallel where asked, nothing half."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sightline.datasets.layouts.layout import Layout, PlannedFile, Writer
from sightline.datasets.layouts.sample import Picture, Sample
from sightline.durable import make_folder, output_error, write_json
from sightline.errors import OutputError, UsageError

JPEG_QUALITY = 95
PROVENANCE_FILE = "sightline.json"
"""Beside the dataset's own files: what it was made from, so that a resumed run is the same run."""

_JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"


@dataclass(frozen=True, slots=True)
class WriteReport:
    """What came of writing.

    Args:
        samples: How many samples the dataset has now.
        written: Files made by this run.
        kept: Files that were there and whole.
    """

    samples: int
    written: int
    kept: int


def write(
    layout: Layout,
    root: str | os.PathLike[str],
    samples: Iterable[Sample],
    *,
    provenance: Mapping[str, Any] | None = None,
    workers: int = 1,
) -> WriteReport:
    """Write samples in a layout; go on where an earlier run was stopped.

    Pictures that are there and whole are kept and not rendered again; lists are written last, each
    whole or not at all. All rows, without their pictures, are held until then.

    Args:
        layout: One that can be written.
        root: The dataset's folder; made if it is not there.
        samples: In the order that numbers them; the same order on every run.
        provenance: What makes this dataset and no other (seed, version, counts). A folder that was
            begun with another is refused.
        workers: Threads that render and encode. Processes share the work by writing
            :func:`write_files` of different samples and finishing once.

    Raises:
        UsageError: The layout is only read, or a sample cannot be said in it.
        OutputError: The folder cannot be written, or holds another dataset.
    """
    writer = writer_of(layout)
    folder = Path(root)
    make_folder(folder)
    begin(folder, layout.name, provenance or {})
    rows: list[tuple[int, Sample]] = []
    written = kept = 0

    def one(numbered: tuple[int, Sample]) -> tuple[int, int]:
        return write_files(folder, writer.plan(*numbered))

    def remembered() -> Iterator[tuple[int, Sample]]:
        for number, sample in enumerate(samples):
            rows.append((number, without_pictures(sample)))
            yield number, sample

    for made, there in _mapped(one, remembered(), workers):
        written += made
        kept += there
    writer.finish(folder, rows)
    return WriteReport(len(rows), written, kept)


def writer_of(layout: Layout) -> Writer:
    """Return a writer of a layout.

    Raises:
        UsageError: The layout is only read.
    """
    if layout.writer is None:
        raise UsageError(
            f"The layout {layout.name!r} is read, and not written.",
            hint="Choose one that can be written: sightline.datasets.layouts.WRITABLE.",
        )
    return layout.writer()


def begin(root: Path, layout: str, provenance: Mapping[str, Any]) -> None:
    """Note what a folder's dataset is made from, or check that it is the same as before.

    Args:
        root: The folder; it must exist.
        layout: The name of its layout.
        provenance: What the dataset is made from, as JSON can hold it.

    Raises:
        OutputError: The folder was begun with another layout or provenance (names the difference),
            or holds what was not written here.
    """
    document = {"layout": layout, **json.loads(json.dumps(dict(provenance)))}
    file = root / PROVENANCE_FILE
    if not file.exists():
        # The lists of a real dataset would be written over.
        there = next((path for path in root.iterdir() if not path.name.startswith(".")), None)
        if there is not None:
            raise OutputError(
                f"{str(root)!r} holds {there.name!r} and no {PROVENANCE_FILE}: it is no dataset "
                "that was begun here.",
                hint="Write to an empty folder, or to a new one.",
                path=root,
            )
        write_json(file, document)
        return
    try:
        before = json.loads(file.read_bytes())
    except (OSError, ValueError) as cause:
        raise OutputError(
            f"{str(file)!r} cannot be read: {cause}.",
            hint="Remove the folder, or write to another.",
            path=file,
        ) from cause
    if before == document:
        return
    names = sorted(set(before) | set(document))
    name = next(name for name in names if before.get(name) != document.get(name))
    raise OutputError(
        f"{str(root)!r} was begun with {name} = {before.get(name)!r}, and now it shall be "
        f"{document.get(name)!r}.",
        hint="Write to another folder, or ask for the same dataset again.",
        path=root,
    )


def write_files(root: Path, files: Iterable[PlannedFile]) -> tuple[int, int]:
    """Write the pictures of a sample that are not there yet.

    Returns:
        How many were written, and how many were there and whole.

    Raises:
        OutputError: A file cannot be written.
        UsageError: A picture is neither pixels nor an encoded image.
    """
    written = kept = 0
    for file in files:
        path = root / file.uri
        if is_whole(path):
            kept += 1
            continue
        picture = file.picture() if callable(file.picture) else file.picture
        _put(path, encoded(picture, path.suffix))
        written += 1
    return written, kept


def encoded(picture: Picture, suffix: str) -> bytes:
    """Return a picture as the bytes of a file.

    Args:
        picture: uint8 (h, w, 3), encoded as JPEG of quality 95 or as PNG; or the bytes of such a
            file, which are kept as they are.
        suffix: ``.jpg``, ``.jpeg`` or ``.png``.

    Raises:
        UsageError: Another suffix, other pixels, or bytes of another format.
    """
    jpeg = suffix.lower() in (".jpg", ".jpeg")
    if not jpeg and suffix.lower() != ".png":
        raise UsageError(
            f"suffix must be .jpg, .jpeg or .png. Got {suffix!r}.", hint="Choose one of them."
        )
    if isinstance(picture, bytes):
        if not picture.startswith(_JPEG_START if jpeg else _PNG_START):
            raise UsageError(
                f"An encoded picture must be {'JPEG' if jpeg else 'PNG'} for a file that ends in "
                f"{suffix}. Got bytes that begin with {picture[:8]!r}.",
                hint="Give pixels, and let the layout encode them.",
            )
        return picture
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise UsageError(
            "A picture must be uint8 of shape (h, w, 3). Got "
            f"{picture.dtype} of shape {picture.shape}.",
            hint="Render RGB in 8 bits.",
        )
    stream = io.BytesIO()
    image = Image.fromarray(picture)
    if jpeg:
        image.save(stream, "JPEG", quality=JPEG_QUALITY)
    else:
        image.save(stream, "PNG", compress_level=4)
    return stream.getvalue()


def is_whole(path: Path) -> bool:
    """Whether an image file is there from its first to its last bytes; decodes nothing."""
    jpeg = path.suffix.lower() in (".jpg", ".jpeg")
    start, end = (_JPEG_START, _JPEG_END) if jpeg else (_PNG_START, _PNG_END)
    try:
        with path.open("rb") as stream:
            if stream.read(len(start)) != start:
                return False
            stream.seek(-len(end), os.SEEK_END)
            return stream.read() == end
    except OSError:
        return False


def without_pictures(sample: Sample) -> Sample:
    """Return a sample with its rows and nothing of its pixels."""
    return Sample(
        tuple(type(photo)(photo.row, b"") for photo in sample.photos),
        tuple(type(patch)(patch.row, b"") for patch in sample.patches),
        sample.pairs,
    )


def _put(path: Path, data: bytes) -> None:
    # Renamed into place, but not flushed one by one: a flush for each of a million small files
    # takes hours, and a file that a power cut has left short is found by is_whole and made again.
    temporary = path.with_name(f".writing-{os.getpid()}-{threading.get_ident()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise output_error(path, error) from error


def _mapped(
    function: Any, items: Iterator[tuple[int, Sample]], workers: int
) -> Iterator[tuple[int, int]]:
    """Apply a function in threads, keeping the order and at most two items a worker waiting."""
    if workers < 1:
        raise UsageError(f"workers must be at least 1. Got {workers}.", hint="Leave it out.")
    if workers == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting = []
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= 2 * workers:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()
