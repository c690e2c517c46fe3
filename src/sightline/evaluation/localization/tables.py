"""Tables of predicted and true places: anyone's answers, in CSV or Parquet."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from sightline.errors import CoordinateError, SightlineError, TableError
from sightline.evaluation.localization.predictions import Flags, Predictions, Texts
from sightline.geo.coordinates import FloatArray, as_coordinates
from sightline.tabular import (
    DEGREES_HINT,
    EMPTY,
    METRES_HINT,
    located,
    missing_columns,
    number_of,
    read_rows,
    text_of,
    unusable,
)

HEADER = "id,lat,lon,true_lat,true_lon"

_AXES = {"lat": ("lat", "latitude"), "lon": ("lon", "lng", "long", "longitude")}
_SIDES = {
    "true": ("true", "truth", "gt", "ground_truth", "actual", "real", "target", "label"),
    "pred": (
        "pred",
        "predicted",
        "prediction",
        "estimate",
        "estimated",
        "est",
        "guess",
        "guessed",
        "answer",
    ),
}
_OTHERS = {
    "id": ("id", "image_id", "photo_id", "img_id", "file", "filename", "file_name", "path"),
    "group": ("group", "group_id", "place_id", "sequence_id"),
    "radius_50_m": ("radius_50_m",),
    "radius_90_m": ("radius_90_m",),
    "abstained": ("abstained",),
    "failed": ("failed",),
    "error": ("error",),
}
RADII = {0.5: "radius_50_m", 0.9: "radius_90_m"}
"""Columns that state within how many metres the truth lies with which probability."""

# Photos are scored apart by country too, and NA is Namibia.
_EMPTY_VALUES = EMPTY - {"na"}

_YES = frozenset({"true", "yes", "1", "1.0"})
_NO = frozenset({"false", "no", "0", "0.0"})


def read_predictions(path: str | os.PathLike[str]) -> Predictions:
    """Read predicted and true places.

    The columns are found by their names, in any case and order: ``lat, lon`` beside ``true_lat,
    true_lon``, or ``pred_lat, pred_lon`` beside ``lat, lon``, which then hold the truth; other
    usual words (latitude, lng, gt_lat, predicted_longitude, lat_true, ...) are known too. Optional
    are an id, a group (photos that share a place), ``radius_50_m`` and ``radius_90_m`` (metres),
    ``abstained`` and ``failed`` (true or false) and ``error`` (what went wrong, as text).

    A photo without predicted coordinates, or flagged, has no answer: with an error it has failed,
    otherwise the system has abstained.

    Raises:
        TableError: The file cannot be read, lacks a column, has one twice, or a row has another
            number of cells; names the line.
        CoordinateError: A coordinate is text, out of range, half given, or the true place is
            missing; names line and value.
    """
    table = Path(path)
    columns = _Columns(table)
    lines: list[int] = []
    rows: list[Mapping[str, object]] = []
    for line, cells in read_rows(table, columns.choose, header=HEADER):
        if isinstance(cells, SightlineError):
            raise cells
        lines.append(line)
        rows.append(cells)
    if not rows:
        raise unusable(table, "has a header and no rows", "Add one line for each photo.")
    return _Reader(table, columns.roles, lines, rows).predictions()


class _Columns:
    """Finds out which column means what."""

    def __init__(self, table: Path) -> None:
        self.table = table
        self.roles: dict[str, str] = {}

    def choose(self, names: Sequence[str]) -> dict[str, int]:
        """Return the position of every named column, and keep what the known ones mean."""
        plain = [name.strip() for name in names]
        twice = next((name for name, n in Counter(plain).items() if n > 1 and name), None)
        if twice is not None:
            raise TableError(
                f"{str(self.table)!r} has the column {twice!r} twice.",
                hint="Remove one of them.",
                path=self.table,
            )
        places = {
            (side, axis): self._one(plain, _spellings(side, axis), f"{side}_{axis}")
            for side, axis in product(("true", "pred", ""), _AXES)
        }
        self.roles = self._sides(plain, places)
        for role, spellings in _OTHERS.items():
            found = self._first(plain, spellings)
            if found is not None:
                self.roles[role] = found
        return {name: at for at, name in enumerate(plain) if name}

    def _sides(
        self, names: Sequence[str], places: Mapping[tuple[str, str], str | None]
    ) -> dict[str, str]:
        """Return which columns hold the predicted and the true coordinates."""
        given = {
            side: {axis: places[side, axis] for axis in _AXES if places[side, axis] is not None}
            for side in ("true", "pred", "")
        }
        # Without words, lat and lon are what the other side does not say.
        plain = "true" if given["pred"] and not given["true"] else "pred"
        if not given[plain]:
            given[plain] = given[""]
        named = {"pred": "pred_" if plain == "true" else "", "true": "true_"}
        found = {
            f"{side}_{axis}": name
            for side in ("true", "pred")
            for axis, name in given[side].items()
            if name is not None
        }
        missing = [
            f"{named[side]}{axis}"
            for side, axis in product(named, _AXES)
            if axis not in given[side]
        ]
        if missing:
            hint = f"Name the columns {HEADER} in the first line; the id may be left out."
            raise missing_columns(self.table, names, missing, hint, taken=set(found.values()))
        return found

    def _one(self, names: Sequence[str], spellings: Sequence[str], meaning: str) -> str | None:
        found = [name for name in names if _folded(name) in spellings]
        if len(found) > 1:
            raise TableError(
                f"{str(self.table)!r} has several columns that may be {meaning.strip('_')}: "
                f"{', '.join(found)}.",
                hint=f"Keep one of them, or rename the others; {HEADER} are the plainest names.",
                path=self.table,
            )
        return found[0] if found else None

    @staticmethod
    def _first(names: Sequence[str], spellings: Sequence[str]) -> str | None:
        folded = {_folded(name): name for name in reversed(names)}
        return next((folded[spelling] for spelling in spellings if spelling in folded), None)


@dataclass(frozen=True, slots=True, eq=False)
class _Reader:
    """Turns cells into arrays, and says which line cannot be turned."""

    table: Path
    roles: Mapping[str, str]
    lines: Sequence[int]
    rows: Sequence[Mapping[str, object]]

    def predictions(self) -> Predictions:
        true = self._places("true", "true place")
        if np.isnan(true).any():
            line = self.lines[int(np.argmax(np.isnan(true[:, 0])))]
            raise CoordinateError(
                f"Line {line} of {str(self.table)!r} has no true place.",
                hint="Leave out photos whose place is not known: they cannot be judged.",
                path=self.table,
            )
        warnings: list[str] = []
        failed = self._flags("failed") | self._errors(warnings)
        named = self._texts("id")
        ids = None if named is None else [text or "" for text in named]
        warnings.extend(self._repeated(ids or []))
        # Photos may be grouped by the column that says which share a place.
        meant = set(self.roles.values()) - {self.roles.get("group")}
        found = Predictions.of(
            self._places("pred", "predicted place"),
            true,
            name=str(self.table),
            abstained=self._flags("abstained"),
            failed=failed,
            ids=ids,
            groups=self._texts("group"),
            radii_m={
                share: self._radii(role) for share, role in RADII.items() if role in self.roles
            },
            columns={
                name: tuple(text_of(row[name], empty=_EMPTY_VALUES) for row in self.rows)
                for name in self.rows[0]
                if name not in meant
            },
        )
        return replace(found, warnings=warnings)

    def _cells(self, role: str) -> Iterator[tuple[int, object]]:
        name = self.roles[role]
        return ((line, row[name]) for line, row in zip(self.lines, self.rows, strict=True))

    def _numbers(self, role: str, hint: str = DEGREES_HINT) -> FloatArray:
        name = self.roles[role]
        numbers = (
            number_of(cell, name, line, self.table, hint=hint) for line, cell in self._cells(role)
        )
        return np.array([np.nan if number is None else number for number in numbers])

    def _texts(self, role: str) -> Texts | None:
        if role not in self.roles:
            return None
        return tuple(text_of(cell) for _, cell in self._cells(role))

    def _places(self, side: str, name: str) -> FloatArray:
        """Return (n, 2); rows without both coordinates are NaN."""
        places = np.column_stack([self._numbers(f"{side}_{axis}") for axis in _AXES])
        empty = np.isnan(places)
        half = empty[:, 0] != empty[:, 1]
        if half.any():
            row = int(np.argmax(half))
            given, missing = (self.roles[f"{side}_{axis}"] for axis in _AXES)
            if empty[row, 0]:
                given, missing = missing, given
            raise CoordinateError(
                f"Line {self.lines[row]} of {str(self.table)!r} has {given} and no {missing}.",
                hint="Give both, or neither where there is no answer.",
                path=self.table,
            )
        full = np.flatnonzero(~empty[:, 0])
        outside = np.abs(places[full]) > (90.0, 360.0)
        if outside.any():
            row = int(full[np.argmax(outside.any(axis=1))])
            try:
                as_coordinates(places[row], name=name)
            except CoordinateError as cause:
                # The line says which row it is.
                plain = cause.message.replace(" row 0:", "", 1)
                error = CoordinateError(plain, hint=cause.hint, path=self.table)
                raise located(error, self.lines[row], self.table) from cause
        places[full] = as_coordinates(places[full], name=name)
        return places

    def _flags(self, role: str) -> Flags:
        flags = np.zeros(len(self.rows), bool)
        if role not in self.roles:
            return flags
        for row, (line, cell) in enumerate(self._cells(role)):
            word = (text_of(cell) or "false").lower()
            if word not in _YES | _NO:
                raise TableError(
                    f"{self.roles[role]} must be true or false. Got {cell!r} in line {line} of "
                    f"{str(self.table)!r}.",
                    hint="Leave it empty for false.",
                    path=self.table,
                )
            flags[row] = word in _YES
        return flags

    def _errors(self, warnings: list[str]) -> Flags:
        """Return which photos failed, by what the column ``error`` says."""
        texts = self._texts("error")
        if texts is None:
            return np.zeros(len(self.rows), bool)
        if any(text is not None and _is_number(text) for text in texts):
            warnings.append(
                f"The column {self.roles['error']!r} holds numbers, so it was not read as what "
                "went wrong with a photo; errors are measured from the places."
            )
            return np.zeros(len(self.rows), bool)
        return np.array([text is not None and text.lower() not in _NO for text in texts])

    def _radii(self, role: str) -> FloatArray:
        radii = self._numbers(role, METRES_HINT)
        if (radii < 0.0).any():
            row = int(np.argmax(radii < 0.0))
            raise TableError(
                f"{role} must not be negative. Got {radii[row]} in line {self.lines[row]} of "
                f"{str(self.table)!r}.",
                hint="Give metres, or leave it empty.",
                path=self.table,
            )
        return radii

    def _repeated(self, ids: Sequence[str]) -> Iterator[str]:
        repeated = [name for name, n in Counter(ids).items() if n > 1 and name]
        if repeated:
            more = f" and {len(repeated) - 3} more" if len(repeated) > 3 else ""
            first = self.lines[ids.index(repeated[0])]
            yield (
                f"{len(repeated)} ids stand in more than one line: "
                f"{', '.join(repeated[:3])}{more} (first in line {first}). Every line counts."
            )


def _spellings(side: str, axis: str) -> tuple[str, ...]:
    if not side:
        return _AXES[axis]
    pairs = list(product(_SIDES[side], _AXES[axis]))
    return tuple(f"{a}_{b}" for a, b in pairs) + tuple(f"{b}_{a}" for a, b in pairs)


def _folded(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_").replace(".", "_")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
