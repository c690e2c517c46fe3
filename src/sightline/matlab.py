"""Matrices of numbers, text and structs of them out of MATLAB 5 files (-v6 and -v7, and scipy's).

The format is that of MathWorks, *MAT-File Format* (level 5): a header of 128 bytes, then one
element for each variable, plain or deflated. ``scipy.io.loadmat`` reads it too, but crashes the
process on some damaged files (a changed byte is enough). Here every length is held against what is
there before it is believed, and cells and objects are not looked into.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

_HEADER_BYTES = 128
_ENDIAN = {b"IM": "<", b"MI": ">"}

_INT32, _UINT32, _MATRIX, _COMPRESSED = 5, 6, 14, 15
_STORED = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
"""Types of data elements that hold numbers."""

_KINDS = {
    1: "cell",
    2: "struct",
    3: "object",
    4: "char",
    5: "sparse",
    16: "function",
    17: "opaque",
}
"""Classes of variables that are no full matrices of numbers."""

_NUMERIC = {
    6: "f8",
    7: "f4",
    8: "i1",
    9: "u1",
    10: "i2",
    11: "u2",
    12: "i4",
    13: "u4",
    14: "i8",
    15: "u8",
}
"""Classes of numbers; integers that MATLAB calls double may be stored in fewer bytes."""

_TEXT = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16"}
"""Types of data elements that hold text, and how it is coded."""

_SUFFIX = {"<": "-le", ">": "-be"}

_MOST_FIELD_LETTERS = 64

_IS_COMPLEX = 0x800

# Flags, dimensions, a name of at most 63 letters and the tag of the data fit many times over.
_INTRODUCTION_BYTES = 4096

# The most that deflate can make of one byte.
_DEFLATE_RATIO = 1032


@dataclass(frozen=True, slots=True)
class Matrix:
    """Where a variable lies in its file, and what it is.

    Attributes:
        name: As MATLAB calls it.
        kind: "number", or what else it is: "cell", "char", "complex", ...
        shape: Rows, columns, ...
        dtype: What the numbers mean.
        stored: What they are stored as; the same, but for integers that are called double.
        offset: Bytes before the numbers (text, fields), from the start of the file or, if
            deflated, of what the element holds.
        deflated: Of a deflated element, start and length in the file and length once inflated, in
            bytes; None for plain ones.
        rest: Of text and structs, how many bytes follow the offset.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    stored: np.dtype[Any]
    offset: int
    deflated: tuple[int, int, int] | None
    rest: int = 0

    @property
    def bytes(self) -> int:
        """How many the numbers take as they are stored."""
        return math.prod(self.shape) * self.stored.itemsize


def list_matrices(path: Path) -> dict[str, Matrix]:
    """Return the variables of a file by name, without reading their numbers.

    Raises:
        ValueError: It is no MATLAB 5 file, or damaged.
    """
    with path.open("rb") as stream:
        header = stream.read(_HEADER_BYTES)
        order = _ENDIAN.get(header[126:])
        if order is None:
            raise ValueError("it lacks the header of MATLAB 5")
        size = stream.seek(0, 2)
        found = {}
        start = _HEADER_BYTES
        while start < size:
            kind, length, start = _tag(_at(stream, start, 8), 0, order, start)
            if start + length > size:
                raise ValueError("it is cut off")
            matrix = None
            if kind == _MATRIX:
                introduction = _at(stream, start, min(length, _INTRODUCTION_BYTES))
                matrix = _matrix(introduction, order, start, length, None)
            elif kind == _COMPRESSED:
                matrix = _deflated_matrix(stream, order, start, length)
            if matrix is not None and matrix.name:
                found[matrix.name] = matrix
            start += length
        return found


def read_matrix(path: Path, matrix: Matrix) -> NDArray[Any]:
    """Load the numbers of a matrix of kind "number", row by row and in the machine's byte order.

    Raises:
        ValueError: The deflated bytes are damaged.
    """
    start, length, inflated = matrix.deflated or (matrix.offset, matrix.bytes, 0)
    with path.open("rb") as stream:
        held = _at(stream, start, length)
    offset = 0
    if matrix.deflated is not None:
        offset = matrix.offset
        held = _inflate_whole(held, inflated)
    return _array(held, matrix, offset)


def read_text(path: Path, matrix: Matrix) -> list[str]:
    """Load a variable of kind "char": one text for each row, without the blanks that fill it.

    Raises:
        ValueError: It is not text, or damaged.
    """
    if matrix.kind != "char" or len(matrix.shape) != 2:
        raise ValueError(f"{matrix.name!r} is {matrix.kind} of shape {matrix.shape}, not text")
    order, held = _contents(path, matrix)
    stored, length, begin = _tag(held, 0, order, 0)
    if stored not in _TEXT or begin + length > len(held):
        raise ValueError(f"the text {matrix.name!r} is damaged")
    coding = _TEXT[stored]
    coding += _SUFFIX[order] if coding == "utf-16" else ""
    try:
        text = held[begin : begin + length].decode(coding)
    except UnicodeDecodeError as cause:
        raise ValueError(f"the text {matrix.name!r} is damaged ({cause.reason})") from cause
    rows, columns = matrix.shape
    if len(text) != rows * columns:
        raise ValueError(
            f"the text {matrix.name!r} of shape {matrix.shape} has {len(text)} letters"
        )
    return [text[row::rows].rstrip(" \0") for row in range(rows)]


def read_struct(path: Path, matrix: Matrix) -> dict[str, NDArray[Any]]:
    """Load the fields of a single struct that are full matrices of numbers, by name.

    Raises:
        ValueError: It is no single struct, or damaged.
    """
    if matrix.kind != "struct" or math.prod(matrix.shape) != 1:
        raise ValueError(f"{matrix.name!r} is {matrix.kind} of shape {matrix.shape}, not a struct")
    order, held = _contents(path, matrix)
    widths, at = _numbers(held, 0, order, _INT32)
    width = int(widths[0])
    _, length, begin = _tag(held, at, order, at)
    if not 0 < width <= _MOST_FIELD_LETTERS or begin + length > len(held):
        raise ValueError(f"the struct {matrix.name!r} is damaged")
    names = [
        held[start : start + width].split(b"\0")[0].decode("ascii", "replace")
        for start in range(begin, begin + length, width)
    ]
    at = _after(at, begin, length)
    fields = {}
    for name in names:
        kind, length, begin = _tag(held, at, order, at)
        if kind != _MATRIX or begin + length > len(held):
            raise ValueError(f"the field {name!r} of {matrix.name!r} is damaged")
        if length:
            inside = held[begin : begin + length]
            field = _matrix(inside, order, 0, length, None)
            if field.kind == "number":
                fields[name] = _array(inside, field, field.offset)
        at = begin + length
    return fields


def _contents(path: Path, matrix: Matrix) -> tuple[str, bytes]:
    """Return the byte order of a file, and what follows the name of a variable."""
    with path.open("rb") as stream:
        order = _ENDIAN[stream.read(_HEADER_BYTES)[126:]]
        if matrix.deflated is None:
            return order, _at(stream, matrix.offset, matrix.rest)
        start, length, inflated = matrix.deflated
        whole = _inflate_whole(_at(stream, start, length), inflated)
    return order, whole[matrix.offset : matrix.offset + matrix.rest]


def _array(held: bytes, matrix: Matrix, offset: int) -> NDArray[Any]:
    numbers = np.frombuffer(held, matrix.stored, math.prod(matrix.shape), offset)
    return np.array(
        numbers.reshape(matrix.shape, order="F"), matrix.dtype.newbyteorder("="), order="C"
    )


def _deflated_matrix(stream: IO[bytes], order: str, start: int, length: int) -> Matrix | None:
    introduction = _inflate(
        _at(stream, start, min(length, _INTRODUCTION_BYTES)), _INTRODUCTION_BYTES
    )
    kind, inside, offset = _tag(introduction, 0, order, 0)
    if kind != _MATRIX:
        return None
    if inside > _DEFLATE_RATIO * length:
        raise ValueError("an element promises more than it can hold")
    return _matrix(introduction[offset:], order, offset, inside, (start, length, offset + inside))


def _matrix(
    introduction: bytes, order: str, base: int, length: int, deflated: tuple[int, int, int] | None
) -> Matrix:
    """Read what stands before the numbers of a matrix.

    Args:
        introduction: The first bytes of what the element holds.
        order: "<" or ">".
        base: Offset of those bytes.
        length: How many bytes the element holds in all.
        deflated: See :class:`Matrix`.
    """
    flags, at = _numbers(introduction, 0, order, _UINT32)
    code = int(flags[0]) & 0xFF
    name_at = at
    kind = _KINDS.get(code, "number")
    shape: tuple[int, ...] = ()
    if kind != "opaque":  # which has no dimensions
        dimensions, name_at = _numbers(introduction, at, order, _INT32)
        shape = tuple(int(side) for side in dimensions)
    _, name_bytes, begin = _tag(introduction, name_at, order, name_at)
    name = introduction[begin : begin + name_bytes].decode("ascii", "replace")
    nothing = np.dtype(np.uint8)
    if kind != "number":
        after = _after(name_at, begin, name_bytes)
        return Matrix(
            name, kind, shape, nothing, nothing, base + after, deflated, max(length - after, 0)
        )
    if int(flags[0]) & _IS_COMPLEX:
        return Matrix(name, "complex", shape, nothing, nothing, 0, deflated)
    after = _after(name_at, begin, name_bytes)
    stored, data_bytes, begin = _tag(introduction, after, order, after)
    if code not in _NUMERIC or stored not in _STORED or min(shape, default=-1) < 0:
        raise ValueError(f"the matrix {name!r} is damaged")
    matrix = Matrix(
        name,
        kind,
        shape,
        np.dtype(order + _NUMERIC[code]),
        np.dtype(order + _STORED[stored]),
        base + begin,
        deflated,
    )
    if matrix.bytes > data_bytes or begin + data_bytes > length:
        raise ValueError(
            f"the matrix {name!r} of shape {shape} takes {matrix.bytes} bytes, and "
            f"{min(data_bytes, length - begin)} are there"
        )
    return matrix


def _tag(held: bytes, at: int, order: str, base: int) -> tuple[int, int, int]:
    """Read the tag of an element at ``at``.

    Returns:
        Its type, how many bytes its data takes, and where the data begins, counted from ``base``.
    """
    if len(held) < at + 8:
        raise ValueError("it is cut off")
    first, second = (int(word) for word in np.frombuffer(held, order + "u4", 2, at))
    if first >> 16:  # a small element: type, length and data in eight bytes
        if first >> 16 > 4:
            raise ValueError("an element is damaged")
        return first & 0xFFFF, first >> 16, base + 4
    return first, second, base + 8


def _numbers(held: bytes, at: int, order: str, kind: int) -> tuple[NDArray[Any], int]:
    """Read an element of whole numbers, and return where the next one begins."""
    found, length, begin = _tag(held, at, order, at)
    # Some writers call signed numbers unsigned.
    if found not in (kind, _UINT32) or length < 4 or begin + length > len(held):
        raise ValueError("an element is damaged")
    return np.frombuffer(held, order + _STORED[kind], length // 4, begin), _after(at, begin, length)


def _after(at: int, begin: int, length: int) -> int:
    """Elements begin at multiples of eight bytes; a small one takes just eight."""
    return at + 8 if begin == at + 4 else begin + -(-length // 8) * 8


def _inflate(deflated: bytes, most: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(deflated, most)
    except zlib.error as cause:
        raise ValueError(f"deflated bytes are damaged ({cause})") from cause


def _inflate_whole(deflated: bytes, length: int) -> bytes:
    """Inflate to the end, where the checksum is compared."""
    stream = zlib.decompressobj()
    try:
        inflated = stream.decompress(deflated, length + 1)
    except zlib.error as cause:
        raise ValueError(f"deflated bytes are damaged ({cause})") from cause
    if not stream.eof or len(inflated) != length:
        raise ValueError(f"deflated bytes make {len(inflated)}, and {length} are promised")
    return inflated


def _at(stream: IO[bytes], start: int, length: int) -> bytes:
    stream.seek(start)
    return stream.read(length)
