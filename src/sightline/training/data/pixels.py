"""Pixels at network size: decoded anew each time, or once and kept on disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.reading import decode_photo
from sightline.datasets.reading.in_order import in_order
from sightline.durable import is_disk_full, make_folder, output_error
from sightline.errors import OutputError, PhotoError
from sightline.imagery import Limits

Pixels = NDArray[np.uint8]
Rows = NDArray[np.int64]
Read = Callable[[Path, tuple[int, int]], Pixels]

# Tiles of datasets are smaller than photos that someone took.
_LIMITS = Limits(min_side=1)

_ABSENT, _THERE, _BROKEN = 0, 1, 2


class PixelSource(Protocol):
    """Gives the pixels of images by number."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        ...

    def take(self, rows: Rows) -> tuple[Pixels, NDArray[np.bool_]]:
        """Pixels uint8 (n, 3, height, width), and which images (n,) cannot be used."""
        ...


class VectorSource(Protocol):
    """Gives what a backbone made of images, by number."""

    def take(self, rows: Rows) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Pooled vectors float32 (n, d), and which images (n,) could not be used."""
        ...


def stretched(path: Path, size: tuple[int, int]) -> Pixels:
    """One image as uint8 RGB (height, width, 3), brought to a size whatever its proportions."""
    return decode_photo(path, size, fit="stretch", limits=_LIMITS)


class DecodedEachTime:
    """Decodes images whenever they are asked for.

    Args:
        paths: The images.
        size: (height, width) they are brought to.
        read: How one of them is; raises a PhotoError where it is broken. Worker processes must be
            able to unpickle it.
    """

    def __init__(
        self, paths: Sequence[Path], size: tuple[int, int], read: Read = stretched
    ) -> None:
        self.paths, self.size, self.read = paths, size, read

    def take(self, rows: Rows) -> tuple[Pixels, NDArray[np.bool_]]:
        """Pixels uint8 (n, 3, height, width), and which images (n,) cannot be used."""
        pixels = np.zeros((len(rows), 3, *self.size), np.uint8)
        broken = np.zeros(len(rows), bool)
        for number, row in enumerate(rows.tolist()):
            try:
                decoded = self.read(self.paths[row], self.size)
            except PhotoError:
                broken[number] = True
            else:
                pixels[number] = decoded.transpose(2, 0, 1)
        return pixels, broken


class KeptOnDisk:
    """Decodes every image once, into one file that is mapped into memory.

    A file that was begun is gone on with; what is in it is not decoded again.

    Args:
        folder: Where the file is kept.
        name: Begins its name; with the size and the fingerprint, so that no other set's is taken.
        paths: The images.
        size: (height, width).
        fingerprint: Of the data set, and of ``read`` where there are several ways.
        read: As of :class:`DecodedEachTime`.

    Raises:
        OutputError: The folder cannot be written, or its disk has too little room.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        paths: Sequence[Path],
        size: tuple[int, int],
        fingerprint: str,
        read: Read = stretched,
    ) -> None:
        self.size = size
        self._decoder = DecodedEachTime(paths, size, read)
        make_folder(folder)
        stem = f"{name}-{size[0]}x{size[1]}-{fingerprint[:16]}"
        self._pixels_file = folder / f"{stem}.npy"
        self._state_file = folder / f"{stem}.state.npy"
        shape = (len(paths), 3, *size)
        if not (self._pixels_file.is_file() and self._state_file.is_file()):
            _require_room(folder, int(np.prod(shape, dtype=np.int64)))
        self._map()

    def __getstate__(self) -> dict[str, Any]:
        """Without the pixels: a process that reads images maps the files again."""
        return {k: v for k, v in vars(self).items() if k not in ("_pixels", "_state")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._map()

    def _map(self) -> None:
        count = len(self._decoder.paths)
        shape = count, 3, *self.size
        if _kept(self._pixels_file, shape) is None:
            # Marks of pixels that are gone would pass black images for decoded ones.
            self._state_file.unlink(missing_ok=True)
        self._pixels = _mapped(self._pixels_file, shape)
        self._state = _mapped(self._state_file, (count,))

    def fill(
        self,
        rows: Rows,
        *,
        workers: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Decode the images that are not there yet, in threads; broken ones are tried again.

        Args:
            rows: Which of them will be asked for.
            workers: How many threads; as many as there are cores if None.
            progress: Is told how many are there, and of how many.

        Raises:
            OutputError: The disk is full.
        """
        missing = rows[self._state[rows] != _THERE]
        count = len(rows) - len(missing)
        threads = workers or os.cpu_count() or 1
        decoded = in_order(
            lambda row: self._decoder.take(np.array([row])),
            missing.tolist(),
            workers=threads,
            ahead=4 * threads,
        )
        for row, (pixels, broken) in zip(missing.tolist(), decoded, strict=True):
            self._pixels[row] = pixels[0]
            # After the pixels: what is marked as there is there, whenever the process dies.
            self._state[row] = _BROKEN if broken[0] else _THERE
            count += 1
            if progress is not None and (count % 64 == 0 or count == len(rows)):
                progress(count, len(rows))

    def take(self, rows: Rows) -> tuple[Pixels, NDArray[np.bool_]]:
        """Pixels uint8 (n, 3, height, width), and which images (n,) cannot be used."""
        absent = rows[self._state[rows] == _ABSENT]
        if len(absent):
            self.fill(np.unique(absent))
        return self._pixels[rows], self._state[rows] == _BROKEN

    def broken(self, rows: Rows) -> NDArray[np.bool_]:
        """Which of the images (n,) cannot be used, of those that were decoded."""
        return np.asarray(self._state[rows] == _BROKEN)


def _require_room(folder: Path, wanted: int) -> None:
    free = shutil.disk_usage(folder).free
    if wanted > free:
        raise OutputError(
            f"Pixels of {wanted / 2**20:,.0f} MiB do not fit into {str(folder)!r}, which has "
            f"{free / 2**20:,.0f} MiB free.",
            hint="Free some space, choose another --out, or train with --set pixels=read.",
            path=folder,
        )


def _take_room(file: Path) -> None:
    # A mapped page that finds no room kills the process; a file that is too large does not.
    if hasattr(os, "posix_fallocate"):
        with file.open("r+b") as opened:
            os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)


def _mapped(file: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The array of a file, made anew, of zeros, where there is none of the shape."""
    try:
        found = _kept(file, shape)
        if found is None:
            found = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape)
        _take_room(file)
    except OSError as error:
        if is_disk_full(error):
            file.unlink(missing_ok=True)
        raise output_error(file, error) from error
    return found


def _kept(file: Path, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """The array of a file; None if there is none, or another, or one that was cut short."""
    if not file.is_file():
        return None
    size = file.stat().st_size
    try:
        found: np.memmap[Any, Any] = np.lib.format.open_memmap(file, mode="r+")
    except ValueError:
        return None
    # Mapped to be written, a file that was cut short grows, by zeros.
    whole = size >= found.offset + found.nbytes
    return found if whole and found.shape == shape and found.dtype == np.uint8 else None
