"""Arrays by name out of .npz archives, folders of .npy files and Matlab files.

Nothing is unpickled, whatever the file says. Arrays that are stored as they are, in a folder or in
an uncompressed .npz, are mapped into memory: only what is looked at is read, so an archive larger
than memory opens at once. (The checksums that a zip keeps are not verified for them: that would
read it all.) Matlab's matrices, which take at most 4 GiB, are loaded: they lie column by column,
and evaluation reads rows.
"""

from __future__ import annotations

import math
import struct
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from sightline.errors import EvaluationError
from sightline.matlab import Matrix, list_matrices, read_matrix

Array = NDArray[Any]

_NPY = b"\x93NUMPY"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_HDF5 = b"\x89HDF\r\n\x1a\n"
_PICKLE = b"\x80"
_ZIP_HEADER_BYTES = 30
_ENCRYPTED = 1

_FORMS = (
    "Give a .npz archive, a folder of .npy files, or a .mat file, with the arrays queries and "
    "references."
)
_NO_PICKLE = (
    "It holds pickled Python objects, and reading those runs code from the file. Save plain arrays "
    "of numbers or text: np.savez(path, queries=..., references=...)."
)


class Container(Protocol):
    """Arrays by name."""

    @property
    def path(self) -> Path:
        """Where they lie."""

    @property
    def names(self) -> Sequence[str]:
        """What the arrays are called."""

    def read(self, name: str) -> Array:
        """Return one array, mapped where that can be.

        Raises:
            EvaluationError: It cannot be read, or is not an array of numbers or text.
        """


def open_container(path: Path) -> Container:
    """Look at what lies at ``path``, whatever its name ends in.

    Raises:
        EvaluationError: Nothing is there, or nothing that can be read.
    """
    try:
        if path.is_dir():
            return _folder(path, sorted(path.iterdir()))
        with path.open("rb") as stream:
            head = stream.read(128)
    except EvaluationError:
        raise
    except (OSError, ValueError) as cause:
        raise EvaluationError(
            f"{str(path)!r} cannot be read: {_reason(cause)}.", hint="Check the path.", path=path
        ) from cause
    if head.startswith(_ZIP):
        return _zip(path)
    if head.startswith((b"MATLAB 7.3", _HDF5)):
        raise EvaluationError(
            f"{str(path)!r} is a MATLAB 7.3 file (HDF5), which is not read.",
            hint="Save it again with save(..., '-v7') in MATLAB, or as .npz from Python.",
            path=path,
        )
    if head.startswith(b"MATLAB") or path.suffix.lower() == ".mat":
        return _matlab(path)
    raise _unknown(path, head)


@dataclass(frozen=True, slots=True)
class _Folder:
    path: Path
    names: tuple[str, ...]

    def read(self, name: str) -> Array:
        file = self.path / f"{name}.npy"
        try:
            with file.open("rb") as stream:
                return _map(file, stream, name, file.stat().st_size)
        except EvaluationError:
            raise
        except Exception as cause:
            raise _unreadable(file, name, cause) from cause


@dataclass(frozen=True, slots=True)
class _Zip:
    path: Path
    names: tuple[str, ...]

    def read(self, name: str) -> Array:
        try:
            with zipfile.ZipFile(self.path) as archive, self.path.open("rb") as stream:
                member = archive.getinfo(f"{name}.npy")
                _refuse_encrypted(self.path, name, member)
                if member.compress_type == zipfile.ZIP_STORED:
                    end = _seek_to_data(stream, member) + member.file_size
                    return _map(self.path, stream, name, end)
                with archive.open(member) as packed:
                    return _load(self.path, packed, name, member.file_size)
        except EvaluationError:
            raise
        except Exception as cause:
            # A damaged zip shows itself as nearly any error of zipfile, zlib, bz2 and lzma.
            raise _unreadable(self.path, name, cause) from cause


@dataclass(frozen=True, slots=True)
class _Matlab:
    path: Path
    matrices: dict[str, Matrix]

    @property
    def names(self) -> Sequence[str]:
        return tuple(self.matrices)

    def read(self, name: str) -> Array:
        matrix = self.matrices[name]
        if matrix.kind != "number":
            raise EvaluationError(
                f"{name!r} of {str(self.path)!r} is of the Matlab kind {matrix.kind}.",
                hint="Save it as a full matrix of real numbers; text goes into an .npz archive.",
                path=self.path,
            )
        try:
            return read_matrix(self.path, matrix)
        except Exception as cause:
            raise _unreadable(self.path, name, cause) from cause


def _folder(path: Path, files: list[Path]) -> Container:
    names = tuple(file.stem for file in files if file.suffix == ".npy")
    if not names:
        others = [file.name for file in files][:10]
        raise EvaluationError(
            f"The folder {str(path)!r} holds no .npy files."
            + (f" It has {', '.join(others)}." if others else ""),
            hint="Name the file itself, or save queries.npy and references.npy there.",
            path=path,
        )
    return _Folder(path, names)


def _zip(path: Path) -> Container:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except Exception as cause:
        raise EvaluationError(
            f"{str(path)!r} is a damaged .npz archive: {_reason(cause)}.",
            hint="It may have been cut off on its way; copy or save it again.",
            path=path,
        ) from cause
    names = tuple(name.removesuffix(".npy") for name in members if name.endswith(".npy"))
    if not names and any(name.endswith(".pkl") for name in members):
        raise EvaluationError(f"{str(path)!r} is a PyTorch file.", hint=_NO_PICKLE, path=path)
    return _Zip(path, names)


def _matlab(path: Path) -> Container:
    try:
        return _Matlab(path, list_matrices(path))
    except Exception as cause:
        raise EvaluationError(
            f"{str(path)!r} is not a readable Matlab file: {_reason(cause)}.",
            hint="Save it again with save(..., '-v7') in MATLAB, or as .npz from Python.",
            path=path,
        ) from cause


def _refuse_encrypted(path: Path, name: str, member: zipfile.ZipInfo) -> None:
    if member.flag_bits & _ENCRYPTED:
        raise EvaluationError(
            f"{name!r} of {str(path)!r} is encrypted.",
            hint="Save the archive without a password.",
            path=path,
        )


def _seek_to_data(stream: IO[bytes], member: zipfile.ZipInfo) -> int:
    """Go to where a stored member's bytes begin, and return that offset."""
    stream.seek(member.header_offset)
    header = stream.read(_ZIP_HEADER_BYTES)
    if len(header) < _ZIP_HEADER_BYTES or not header.startswith(_ZIP[0]):
        raise zipfile.BadZipFile("a member is not where the directory says")
    # The name and the extra field stand again before the data, not always as in the directory.
    name_bytes, extra_bytes = struct.unpack("<HH", header[26:30])
    return stream.seek(name_bytes + extra_bytes, 1)


@dataclass(frozen=True, slots=True)
class _Header:
    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]
    bytes: int


def _header(path: Path, stream: IO[bytes], name: str) -> _Header:
    """Read the header of a .npy file, and refuse what is no plain array."""
    where = f"{name!r} of {str(path)!r}"
    start = stream.read(len(_NPY) + 2)
    if not start.startswith(_NPY):
        if start.startswith(_PICKLE):
            raise EvaluationError(f"{where} is a pickle.", hint=_NO_PICKLE, path=path)
        raise EvaluationError(
            f"{where} is not in the .npy format.", hint="Save it with np.save.", path=path
        )
    version = (start[-2], start[-1])
    try:
        if version == (1, 0):
            shape, fortran_order, dtype = npy.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, fortran_order, dtype = npy.read_array_header_2_0(stream)
        else:
            # 3.0 exists for tables whose columns have names beyond Latin-1.
            raise ValueError(f"version {version[0]}.{version[1]}")  # noqa: TRY301
        if min(shape, default=0) < 0:
            raise ValueError(f"shape {shape}")  # noqa: TRY301
    except Exception as cause:
        raise _unreadable(path, name, cause) from cause
    if dtype.hasobject:
        raise EvaluationError(f"{where} is an array of objects.", hint=_NO_PICKLE, path=path)
    if dtype.names is not None:
        raise EvaluationError(
            f"{where} is a table with the columns {', '.join(dtype.names)}.",
            hint="Save one plain array for each.",
            path=path,
        )
    return _Header(shape, fortran_order, dtype, math.prod(shape) * dtype.itemsize)


def _map(path: Path, stream: IO[bytes], name: str, end: int) -> Array:
    """Map the .npy file that begins where the stream stands and ends before ``end``."""
    header = _header(path, stream, name)
    offset = stream.tell()
    stream.seek(0, 2)
    _require_bytes(path, name, header, min(end, stream.tell()) - offset)
    order: Any = "F" if header.fortran_order else "C"
    if header.bytes == 0:
        return np.empty(header.shape, header.dtype, order)
    return np.memmap(path, header.dtype, "r", offset, header.shape, order)


def _load(path: Path, stream: IO[bytes], name: str, size: int) -> Array:
    header = _header(path, stream, name)
    _require_bytes(path, name, header, size - stream.tell())
    stream.seek(0)
    return _native(npy.read_array(stream, allow_pickle=False))


def _require_bytes(path: Path, name: str, header: _Header, available: int) -> None:
    """A header that promises more than the file holds must not take the memory it promises."""
    if header.bytes > available:
        raise EvaluationError(
            f"{name!r} of {str(path)!r} is cut off: {header.dtype} of shape {header.shape} takes "
            f"{header.bytes} bytes, and {max(available, 0)} are there.",
            hint="Copy or save it again.",
            path=path,
        )


def _native(array: Array) -> Array:
    """Bring an array of our own into the machine's byte order, in place."""
    if array.dtype.isnative or array.dtype.kind not in "iufc":
        return array
    return array.byteswap(inplace=True).view(array.dtype.newbyteorder("="))


def _unknown(path: Path, head: bytes) -> EvaluationError:
    where = repr(str(path))
    if not head:
        return EvaluationError(f"{where} is empty.", hint=_FORMS, path=path)
    if head.startswith(_NPY):
        return EvaluationError(
            f"{where} holds one array, and queries and references are needed.",
            hint="Put queries.npy and references.npy into a folder and name the folder.",
            path=path,
        )
    if head.startswith(_PICKLE):
        return EvaluationError(f"{where} is a pickle.", hint=_NO_PICKLE, path=path)
    return EvaluationError(f"{where} is of a form that is not read.", hint=_FORMS, path=path)


def _unreadable(path: Path, name: str, cause: BaseException) -> EvaluationError:
    if isinstance(cause, MemoryError):
        return EvaluationError(
            f"{name!r} of {str(path)!r} does not fit into memory.",
            hint="Save it uncompressed, with np.savez or np.save: then it is read in place.",
            path=path,
        )
    return EvaluationError(
        f"{name!r} of {str(path)!r} cannot be read: {_reason(cause)}.",
        hint="It is damaged or was cut off; copy or save it again.",
        path=path,
    )


def _reason(cause: BaseException) -> str:
    said = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
    return " ".join(said.split()).rstrip(".")[:200] or type(cause).__name__
