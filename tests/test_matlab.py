from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.io import loadmat, savemat

from sightline.matlab import list_matrices, read_matrix, read_struct, read_text

in_tmp_path = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80
)
NUMBERS = ["f4", "f8", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]
CLASS = dict(zip(NUMBERS, [7, 6, 8, 9, 10, 11, 12, 13, 14, 15], strict=True))
STORED = dict(zip(NUMBERS, [7, 9, 1, 2, 3, 4, 5, 6, 12, 13], strict=True))


def element(order: str, kind: int, data: bytes) -> bytes:
    return struct.pack(order + "II", kind, len(data)) + data + bytes(-len(data) % 8)


def small(order: str, kind: int, data: bytes) -> bytes:
    return struct.pack(order + "I", len(data) << 16 | kind) + data.ljust(4, b"\0")


def written(
    array: np.ndarray,
    *,
    order: str = "<",
    stored: str | None = None,
    dimensions: int = 5,
    deflated: bool = False,
) -> bytes:
    """A MATLAB 5 file of one matrix M, written from the format's description."""
    meant = array.dtype.str[1:]
    stored = stored or meant
    body = element(order, 6, struct.pack(order + "II", CLASS[meant], 0))
    body += element(order, dimensions, np.array(array.shape, order + "i4").tobytes())
    body += small(order, 1, b"M")
    body += element(order, STORED[stored], array.astype(order + stored).tobytes("F"))
    content = element(order, 14, body)
    if deflated:
        packed = zlib.compress(content)
        content = struct.pack(order + "II", 15, len(packed)) + packed
    header = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(order + "H", 0x100)
    return header + (b"IM" if order == "<" else b"MI") + content


@in_tmp_path
@given(
    array=st.sampled_from(NUMBERS).flatmap(
        lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=1, max_dims=3, max_side=5))
    ),
    deflated=st.booleans(),
)
def test_matrices_are_those_that_scipy_reads(tmp_path, array, deflated) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"first": np.ones(3), "M": array}, do_compression=deflated)
    matrices = list_matrices(path)
    assert list(matrices) == ["first", "M"]
    found, expected = read_matrix(path, matrices["M"]), loadmat(path)["M"]
    assert found.dtype == expected.dtype
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", NUMBERS)
def test_either_byte_order_and_every_type_of_number_is_read(
    tmp_path, kind, order, deflated
) -> None:
    array = np.arange(30).reshape(5, 6).astype(kind)
    (tmp_path / "a.mat").write_bytes(written(array, order=order, deflated=deflated))
    found = read_matrix(tmp_path / "a.mat", list_matrices(tmp_path / "a.mat")["M"])
    assert found.dtype == array.dtype
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, array)


def test_whole_doubles_that_matlab_stores_in_one_byte_are_doubles(tmp_path) -> None:
    array = np.arange(12.0).reshape(4, 3)
    (tmp_path / "a.mat").write_bytes(written(array, stored="u1"))
    found = read_matrix(tmp_path / "a.mat", list_matrices(tmp_path / "a.mat")["M"])
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, array)


def test_dimensions_that_are_called_unsigned_are_read(tmp_path) -> None:
    array = np.arange(6.0).reshape(2, 3)
    (tmp_path / "a.mat").write_bytes(written(array, dimensions=6))
    found = read_matrix(tmp_path / "a.mat", list_matrices(tmp_path / "a.mat")["M"])
    np.testing.assert_array_equal(found, array)


def test_elements_that_are_no_matrices_are_passed_over(tmp_path) -> None:
    content = written(np.eye(2))
    header, rest = content[:128], content[128:]
    packed = zlib.compress(element("<", 2, b"12345678"))
    other = element("<", 2, bytes(16)) + struct.pack("<II", 15, len(packed)) + packed
    (tmp_path / "a.mat").write_bytes(header + other + rest)
    assert list(list_matrices(tmp_path / "a.mat")) == ["M"]


def with_word(content: bytes, at: int, value: int) -> bytes:
    return content[:at] + struct.pack("<I", value) + content[at + 4 :]


PLAIN = written(np.eye(2))
# Offsets: header 128, tag 8, flags 16, dimensions 16, name 8, then the tag of the numbers.
DATA_TAG = 128 + 8 + 16 + 16 + 8


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "lacks the header"),
        (b"MATLAB 4".ljust(200), "lacks the header"),
        (PLAIN[:-1], "cut off"),
        (PLAIN[:132], "cut off"),
        (with_word(PLAIN, 132, 8), "damaged|cut off"),
        (with_word(PLAIN, 136, 9), "element is damaged"),  # the type of the flags
        (with_word(PLAIN, 140, 2), "element is damaged"),  # and their length
        (with_word(PLAIN, 144, 99), "'M' is damaged"),  # the class
        (with_word(PLAIN, 160, 0xFFFFFFFF), "'M' is damaged"),  # two rows become minus one
        (with_word(PLAIN, 160, 3), r"shape \(3, 2\) takes 48 bytes, and 32 are there"),
        (with_word(PLAIN, 160, 0x7FFFFFFF), "takes 34359738352 bytes"),
        (with_word(PLAIN, DATA_TAG, 8), "'M' is damaged"),
        (with_word(PLAIN, DATA_TAG, 9 << 16 | 9), "element is damaged"),
        (with_word(PLAIN, DATA_TAG + 4, 400), "32 are there|takes 32 bytes"),
        (with_word(PLAIN, 128, 15), "deflated bytes are damaged"),
    ],
)
def test_damaged_files_are_refused(tmp_path, content, says) -> None:
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(ValueError, match=says):
        list_matrices(tmp_path / "a.mat")


def test_deflated_elements_that_promise_too_much_are_refused(tmp_path) -> None:
    packed = zlib.compress(struct.pack("<II", 14, 0xFFFF0000) + PLAIN[136:])
    content = PLAIN[:128] + struct.pack("<II", 15, len(packed)) + packed
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(ValueError, match="more than it can hold"):
        list_matrices(tmp_path / "a.mat")


@pytest.mark.parametrize("cut", ["numbers", "checksum"])
def test_deflated_numbers_are_held_against_their_checksum(tmp_path, cut) -> None:
    content = written(np.random.default_rng(0).standard_normal((300, 10)), deflated=True)
    path = tmp_path / "a.mat"
    path.write_bytes(content)
    matrix = list_matrices(path)["M"]
    if cut == "numbers":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ValueError, match="deflated bytes"):
        read_matrix(path, matrix)


@in_tmp_path
@given(data=st.data(), deflated=st.booleans())
def test_changed_bytes_are_read_or_refused_but_never_crash(tmp_path, data, deflated) -> None:
    content = bytearray(written(np.arange(40.0).reshape(8, 5), deflated=deflated))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(124, len(content) - 1))] = data.draw(st.integers(0, 255))
    path: Path = tmp_path / "a.mat"
    path.write_bytes(content)
    try:
        matrices = list_matrices(path)
        for matrix in matrices.values():
            if matrix.kind == "number":
                assert read_matrix(path, matrix).nbytes <= 8 * len(content) * 1032
    except ValueError:
        pass


def saved(tmp_path: Path, compress: bool) -> Path:
    path = tmp_path / "labels.mat"
    document = {
        "panoIds": np.array(["abcDEF-_1", "xyz", "éß"]),
        "trainSet": {"utm": np.arange(6.0).reshape(3, 2), "trainInd": np.array([[1], [3]])},
        "note": "plain",
    }
    savemat(path, document, do_compression=compress)
    return path


@pytest.mark.parametrize("compress", [False, True])
def test_text_and_structs(tmp_path, compress):
    path = saved(tmp_path, compress)
    found = list_matrices(path)
    assert read_text(path, found["panoIds"]) == ["abcDEF-_1", "xyz", "éß"]
    assert read_text(path, found["note"]) == ["plain"]
    fields = read_struct(path, found["trainSet"])
    oracle = loadmat(path)["trainSet"]
    assert set(fields) == {"utm", "trainInd"}
    for name, values in fields.items():
        np.testing.assert_array_equal(values, oracle[name][0][0])


def test_text_and_structs_are_asked_for_by_kind(tmp_path):
    path = saved(tmp_path, False)
    found = list_matrices(path)
    with pytest.raises(ValueError, match="not text"):
        read_text(path, found["trainSet"])
    with pytest.raises(ValueError, match="not a struct"):
        read_struct(path, found["panoIds"])


@in_tmp_path
@given(data=st.data(), compress=st.booleans())
def test_damaged_text_and_structs_are_values_or_errors(tmp_path, data, compress):
    path = saved(tmp_path, compress)
    held = bytearray(path.read_bytes())
    at = data.draw(st.integers(128, len(held) - 1))
    held[at] = data.draw(st.integers(0, 255))
    path.write_bytes(held[: data.draw(st.integers(at, len(held)))])
    try:
        for matrix in list_matrices(path).values():
            if matrix.kind == "char":
                read_text(path, matrix)
            elif matrix.kind == "struct":
                read_struct(path, matrix)
    except ValueError:
        pass


def variable(code: int, shape: tuple[int, int], *contents: bytes) -> bytes:
    """A MATLAB 5 file of one variable M that is no matrix of numbers."""
    body = element("<", 6, struct.pack("<II", code, 0))
    body += element("<", 5, struct.pack("<ii", *shape))
    return PLAIN[:128] + element("<", 14, body + small("<", 1, b"M") + b"".join(contents))


@pytest.mark.parametrize(
    ("shape", "content", "says"),
    [
        ((1, 3), element("<", 99, b"abc"), "'M' is damaged"),
        ((1, 3), struct.pack("<II", 16, 400) + b"abc".ljust(8), "'M' is damaged"),
        ((1, 3), element("<", 16, b"a\xffc"), r"'M' is damaged \(invalid start byte\)"),
        ((2, 3), element("<", 16, b"abc"), r"'M' of shape \(2, 3\) has 3 letters"),
    ],
)
def test_damaged_text_is_refused(tmp_path, shape, content, says):
    path = tmp_path / "a.mat"
    path.write_bytes(variable(4, shape, content))
    with pytest.raises(ValueError, match=says):
        read_text(path, list_matrices(path)["M"])


FIELD = element("<", 1, b"utm".ljust(32, b"\0"))


@pytest.mark.parametrize(
    ("width", "contents", "says"),
    [
        (0, [FIELD], "struct 'M' is damaged"),
        (65, [FIELD], "struct 'M' is damaged"),
        (32, [struct.pack("<II", 1, 400), FIELD], "struct 'M' is damaged"),
        (32, [FIELD, element("<", 9, bytes(8))], "field 'utm' of 'M' is damaged"),
        (32, [FIELD, struct.pack("<II", 14, 400), bytes(8)], "field 'utm' of 'M' is damaged"),
    ],
)
def test_damaged_structs_are_refused(tmp_path, width, contents, says):
    path = tmp_path / "a.mat"
    path.write_bytes(variable(2, (1, 1), small("<", 5, struct.pack("<i", width)), *contents))
    with pytest.raises(ValueError, match=says):
        read_struct(path, list_matrices(path)["M"])
