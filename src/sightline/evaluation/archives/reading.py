"""From a file or folder to an archive whose arrays fit each other."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import EvaluationError
from sightline.evaluation.archives.archive import Archive
from sightline.evaluation.archives.containers import Container, open_container
from sightline.evaluation.archives.names import MEANINGS, meanings_of

Array = NDArray[Any]
Floats = NDArray[np.floating]

_PER_QUERY = (
    "positives",
    "semi_positives",
    "ignore",
    "positive_then_semi",
    "paired_labels",
    "query_labels",
    "query_latlon",
    "groups",
    "query_hashes",
)
_SINGLE = ("groups", "query_hashes", "reference_hashes")
_PER_REFERENCE = ("reference_labels", "reference_latlon", "reference_hashes")


def read_archive(path: str | os.PathLike[str]) -> Archive:
    """Read a .npz archive, a folder of .npy files or a .mat file.

    Arrays are found by the names in ``archives/names.py``, in any case. Beside ``queries`` and
    ``references`` one thing must say what is right: ``positives`` (with optional
    ``semi_positives`` and ``ignore``), ``query_labels`` and ``reference_labels``, or
    ``query_latlon`` and ``reference_latlon``. Square sets as peers save them hold nothing: row i is
    then taken as the positive of query i, and ``notes`` says so.

    Uncompressed arrays are mapped, not loaded; nothing is ever unpickled.

    Raises:
        EvaluationError: The file cannot be read, or its arrays are missing, contradict each other,
            or have the wrong shape or type. Whether the numbers are finite, in range and name
            references that exist shows when they are used.
    """
    file = Path(path)
    container = open_container(file)
    found, unknown = meanings_of(container.names, file)
    _require_one_kind(file, found)
    reader = _Reader(container, found)
    queries, references = reader.vectors("queries"), reader.vectors("references")
    _require_same_dimension(file, reader, queries, references)
    arrays = {
        meaning: reader.rows(meaning, len(queries), queries.shape[1]) for meaning in _PER_QUERY
    } | {
        meaning: reader.rows(meaning, len(references), references.shape[1])
        for meaning in _PER_REFERENCE
    }
    notes = [*_storage_notes(reader, queries, references), *_unused_note(unknown)]
    _split_vigor_labels(reader, arrays, notes)
    _pair_rows(file, reader, arrays, queries, references, notes)
    name = file.stem if file.is_file() else (file.name or file.resolve().name)
    return Archive(name, file, queries, references, **arrays, notes=tuple(notes))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Arrays by meaning."""

    container: Container
    found: dict[str, str]

    def named(self, meaning: str) -> str:
        """Return how to call an array in a message."""
        return f"{self.found[meaning]!r} of {str(self.container.path)!r}"

    def error(self, meaning: str, what: str, *, hint: str) -> EvaluationError:
        path = self.container.path
        return EvaluationError(f"{self.named(meaning)} {what}", hint=hint, path=path)

    def vectors(self, meaning: str) -> Floats:
        """Return vectors, (rows, dimensions) of floats."""
        array = self.container.read(self.found[meaning])
        if array.ndim != 2:
            raise self.error(
                meaning,
                f"must be {MEANINGS[meaning]}. Got shape {array.shape}.",
                hint="Give one vector per row; pool or flatten feature maps first.",
            )
        if 0 in array.shape:
            raise self.error(
                meaning,
                f"has shape {array.shape}: there is nothing to evaluate.",
                hint="Give at least one vector of at least one number.",
            )
        if array.dtype.kind != "f" or array.dtype.itemsize not in (2, 4, 8):
            raise self.error(
                meaning,
                f"must be float16, float32 or float64. Got {array.dtype.name}.",
                hint="Save the vectors as the model returns them, as real floating point numbers.",
            )
        return array

    def rows(self, meaning: str, count: int, dimension: int) -> Array | None:
        """Return an array with one row for each of ``count`` vectors, or None if there is none."""
        if meaning not in self.found:
            return None
        array = np.array(self.container.read(self.found[meaning]))
        # Matlab files hold a vector of n as a row (1, n), or as a column (n, 1).
        if array.ndim == 2 and len(array) == 1 and array.shape[1] == count > 1:
            array = array[0]
        if array.shape == (count, 1) and meaning in _SINGLE:
            array = array[:, 0]
        side = "queries" if meaning in _PER_QUERY else "references"
        if array.ndim == 0 or len(array) != count:
            turned = array.ndim == 2 and array.shape[1] == count
            hint = f"Give one row for each of the {side}, in the same order."
            if turned:
                hint = f"It looks transposed: save it as {MEANINGS[meaning]}."
            elif array.ndim and len(array) == dimension:
                hint = f"{self.found[side]!r} looks transposed: save one vector per row."
            raise self.error(
                meaning,
                f"has shape {array.shape}, and there are {count} {side} ({self.named(side)}).",
                hint=hint,
            )
        if meaning.endswith("latlon") and array.shape != (count, 2):
            raise self.error(
                meaning,
                f"must be {MEANINGS[meaning]}. Got shape {array.shape}.",
                hint="Give latitude and longitude in two columns.",
            )
        if meaning == "groups" and array.ndim > 1:
            raise self.error(
                meaning,
                f"must have shape ({count},). Got {array.shape}.",
                hint="Give each query one number or one word.",
            )
        return array


def _require_one_kind(path: Path, found: dict[str, str]) -> None:
    """Whatever says what is right must be whole, and there must be only one such thing."""
    for one, other in (
        ("query_labels", "reference_labels"),
        ("query_latlon", "reference_latlon"),
        ("query_hashes", "reference_hashes"),
    ):
        for present, absent in ((one, other), (other, one)):
            if present in found and absent not in found:
                raise EvaluationError(
                    f"{str(path)!r} has {found[present]!r} and no {absent}.",
                    hint=f"Save {absent}: {MEANINGS[absent]}."
                    + _POSITIVES_HINT * (present == "query_labels"),
                    path=path,
                )
    kinds = [
        meaning
        for meaning in ("positives", "positive_then_semi", "paired_labels", "query_labels")
        if meaning in found
    ]
    if len(kinds) > 1:
        raise EvaluationError(
            f"{str(path)!r} says more than once what is right: by "
            f"{' and by '.join(repr(found[kind]) for kind in kinds)}.",
            hint="Keep one of them.",
            path=path,
        )
    for extra in ("semi_positives", "ignore"):
        if extra in found and "positives" not in found:
            raise EvaluationError(
                f"{str(path)!r} has {found[extra]!r} and no positives.",
                hint=f"Save positives: {MEANINGS['positives']}.",
                path=path,
            )


_POSITIVES_HINT = " If it holds the number of each query's reference, call it positives."


def _require_same_dimension(
    path: Path, reader: _Reader, queries: Floats, references: Floats
) -> None:
    if queries.shape[1] == references.shape[1]:
        return
    hint = "Both must come from one model, with one vector per row."
    # Vectors stand in columns on one side or on both, as Matlab users are wont to save them.
    if len(queries) == len(references):
        hint = f"If vectors have {len(queries)} numbers, both are transposed: save their .T."
    elif len(queries) == references.shape[1]:
        hint = f"{reader.found['queries']!r} looks transposed: save its .T."
    elif queries.shape[1] == len(references):
        hint = f"{reader.found['references']!r} looks transposed: save its .T."
    raise EvaluationError(
        f"Queries and references of {str(path)!r} differ in dimension: "
        f"{reader.found['queries']!r} has shape {queries.shape} and "
        f"{reader.found['references']!r} has shape {references.shape}.",
        hint=hint,
        path=path,
    )


def _split_vigor_labels(reader: _Reader, arrays: dict[str, Array | None], notes: list[str]) -> None:
    labels = arrays.pop("positive_then_semi")
    if labels is None:
        return
    matrix = labels[:, None] if labels.ndim == 1 else labels
    arrays["positives"], arrays["semi_positives"] = matrix[:, :1], matrix[:, 1:]
    notes.append(
        f"The first column of {reader.found['positive_then_semi']!r} is taken as each query's "
        "reference and the others as neither right nor wrong, as in VIGOR."
    )


def _pair_rows(
    path: Path,
    reader: _Reader,
    arrays: dict[str, Array | None],
    queries: Floats,
    references: Floats,
    notes: list[str],
) -> None:
    """Where nothing says what is right, a square set pairs row i with row i."""
    labels = arrays.pop("paired_labels")
    # Read as numbers of references or as classes of both sides, 0, 1, 2, ... says the same; any
    # other labels say one thing or another.
    if labels is not None and not np.array_equal(labels, np.arange(len(labels))):
        raise reader.error(
            "paired_labels",
            "may number references or places, and which of them changes the score.",
            hint="Call it positives if it numbers each query's reference from 0, or save "
            "query_labels and reference_labels.",
        )
    if labels is not None:
        arrays["positives"] = labels
    if any(arrays[kind] is not None for kind in ("positives", "query_labels", "query_latlon")):
        return
    if len(queries) != len(references):
        raise EvaluationError(
            f"{str(path)!r} does not say which references are right: it has {len(queries)} queries "
            f"and {len(references)} references, and no positives, labels or places.",
            hint=f"Save positives: {MEANINGS['positives']}.",
            path=path,
        )
    arrays["positives"] = np.arange(len(queries))
    notes.append(
        "The archive does not say which references are right, and there are as many as queries: "
        "row i is taken as the positive of query i, as in CVUSA and CVACT."
    )


def _storage_notes(reader: _Reader, queries: Floats, references: Floats) -> list[str]:
    return [
        f"{reader.found[meaning]!r} is stored column by column, which makes reading rows slow; "
        "save np.ascontiguousarray of it."
        for meaning, array in (("queries", queries), ("references", references))
        if isinstance(array, np.memmap) and not array.flags.c_contiguous
    ]


def _unused_note(unknown: list[str]) -> list[str]:
    if not unknown:
        return []
    shown = ", ".join(repr(name) for name in unknown[:10]) + ", ..." * (len(unknown) > 10)
    return [f"Not used: {shown}."]
