"""Arrays on disk: written and read through memory maps, and halves made floats."""

from __future__ import annotations

import mmap
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

_WRITTEN_AT_ONCE = 256 << 20
# float16 and float32 exponents are biased by 15 and 127.
_BIAS = np.float32(2.0 ** (127 - 15))
_SIGN_EXPONENT_FRACTION = np.int32(0x8FFFE000 - (1 << 32))


def widen(halves: NDArray[np.float16]) -> NDArray[np.float32]:
    """Return finite float16 values as float32, exactly, three times as fast as ``astype``.

    The bits of a half are moved to where a float keeps them, and the product corrects the
    exponent's bias; subnormal halves come out right because the product normalises them.

    Args:
        halves: (..., d), finite.

    Returns:
        float32 of the same shape.
    """
    bits = np.ascontiguousarray(halves).view(np.int16).astype(np.int32)
    bits <<= 13
    bits &= _SIGN_EXPONENT_FRACTION
    wide: NDArray[np.float32] = bits.view(np.float32)
    wide *= _BIAS
    return wide


class ArrayFile:
    """A ``.npy`` file of known shape that is filled in any order with bounded memory.

    Use it as a context manager; ``array`` is the writable view. :meth:`wrote` counts bytes and
    lets go of the pages now and then, or the process would appear to hold the whole file.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        kind = np.dtype(dtype)
        header = {"descr": kind.str, "fortran_order": False, "shape": shape}
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            offset = file.tell()
            file.truncate(offset + int(np.prod(shape)) * kind.itemsize)
        self._file = path.open("r+b")
        self._map = mmap.mmap(self._file.fileno(), 0)
        self.array: NDArray[Any] = np.ndarray(shape, kind, buffer=self._map, offset=offset)
        self._pending = 0

    def wrote(self, size: int) -> None:
        """Say that ``size`` bytes were written to ``array``."""
        self._pending += size
        if self._pending >= _WRITTEN_AT_ONCE:
            self._pending = 0
            self._map.flush()
            if hasattr(mmap, "MADV_DONTNEED"):
                self._map.madvise(mmap.MADV_DONTNEED)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del self.array
        self._map.flush()
        self._map.close()
        self._file.close()


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write one array as ``.npy``, without pickle."""
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)


def load_array(path: Path) -> NDArray[Any]:
    """Map one ``.npy`` file for reading; raises OSError or ValueError."""
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except EOFError as error:
        raise ValueError(f"{path.name} is empty") from error
    # A memmap object costs tens of microseconds per slice; a plain view of it costs none.
    return np.asarray(array)
