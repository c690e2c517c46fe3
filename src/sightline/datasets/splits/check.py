"""Does anything cross the splits: the same content, the same photographer, the same place?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.datasets.splits.neighbours import nearest_within
from sightline.errors import UsageError
from sightline.geo.coordinates import as_coordinates

Kind = Literal["content", "photographer", "place"]

_WORDS = {
    "content": "have the content (SHA-256) of a row in another split",
    "photographer": "are by a photographer who is in another split too",
    "place": "lie nearer than {radius:g} m to a row of another split",
}


@dataclass(frozen=True, slots=True)
class Offender:
    """One row and the row of another split that it must not share something with.

    Args:
        first: Id of the row (its number as text, if no ids were given).
        second: Id of the other.
        first_split: Split of the row.
        second_split: Split of the other.
        shared: What they share: the hash, the name, or the metres between them.
    """

    first: str
    second: str
    first_split: str
    second_split: str
    shared: str | float


@dataclass(frozen=True, slots=True)
class Crossing:
    """Everything of one kind that crosses the splits.

    Args:
        kind: What is shared.
        rows: How many rows share it with a row of another split.
        offenders: Some of them, in the order of the rows.
    """

    kind: Kind
    rows: int
    offenders: tuple[Offender, ...]


@dataclass(frozen=True, slots=True)
class SplitReport:
    """What crosses the splits, and what could be checked.

    Args:
        counts: Rows in each split, in the order of their names.
        unassigned: Rows in no split.
        checked: The kinds that were checked.
        crossings: One for each kind that crosses.
        radius_m: How near two places must not be.
    """

    counts: dict[str, int]
    unassigned: int
    checked: tuple[Kind, ...]
    crossings: tuple[Crossing, ...]
    radius_m: float

    @property
    def clean(self) -> bool:
        """Whether nothing crosses."""
        return not self.crossings

    def lines(self) -> list[str]:
        """Say in words what crosses, one line for each kind and each offender."""
        said = []
        for crossing in self.crossings:
            words = _WORDS[crossing.kind].format(radius=self.radius_m)
            said.append(f"{crossing.rows} rows {words}:")
            for found in crossing.offenders:
                shared = found.shared
                if isinstance(shared, float):
                    shared = f"{shared:.1f} m"
                said.append(
                    f"  {found.first} ({found.first_split}) and {found.second} "
                    f"({found.second_split}): {shared}"
                )
        return said

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        return {
            "clean": self.clean,
            "counts": self.counts,
            "unassigned": self.unassigned,
            "checked": list(self.checked),
            "radius_m": self.radius_m,
            "crossings": [
                {
                    "kind": crossing.kind,
                    "rows": crossing.rows,
                    "offenders": [
                        {
                            "first": found.first,
                            "second": found.second,
                            "first_split": found.first_split,
                            "second_split": found.second_split,
                            "shared": found.shared,
                        }
                        for found in crossing.offenders
                    ],
                }
                for crossing in self.crossings
            ],
        }


def check(
    split: Sequence[str | None],
    *,
    ids: Sequence[str] | None = None,
    latlon: ArrayLike | None = None,
    photographers: Sequence[str | None] | None = None,
    sha256: Sequence[str | None] | None = None,
    radius_m: float = 0.0,
    expected: Sequence[str] = (),
    examples: int = 10,
) -> SplitReport:
    """Check that no content, no photographer and no place nearer than a radius crosses the splits.

    What is not given is not checked. Rows without a split, and values that are None or empty, are
    passed over; so are places that are NaN.

    Args:
        split: (n,) name of each row's split; None or empty for none.
        ids: (n,) what to call the rows.
        latlon: (n, 2) degrees, latitude first; both NaN where a row has no place.
        photographers: (n,) who took each.
        sha256: (n,) hash of each file's bytes.
        radius_m: No two rows of different splits may be nearer than this; 0 checks no places.
        expected: Splits that must not be empty.
        examples: How many offenders of each kind to name.

    Raises:
        CoordinateError: A place is out of range.
        UsageError: The lengths differ, the radius is impossible, or an expected split (or all of
            them) is empty.
    """
    _check_lengths(len(split), ids=ids, photographers=photographers, sha256=sha256)
    if not (math.isfinite(radius_m) and radius_m >= 0):
        raise UsageError(
            f"radius_m must be a number of metres, 0 or more. Got {radius_m!r}.",
            hint="Take the width of an aerial tile, or 25 m for photos of one spot.",
        )
    names, code = _coded(split)
    counts = _counts(names, code, expected)
    called = [str(row) for row in range(len(split))] if ids is None else list(map(str, ids))
    found: dict[Kind, list[tuple[int, int, str | float]]] = {}
    if sha256 is not None:
        found["content"] = _shared(code, sha256)
    if photographers is not None:
        found["photographer"] = _shared(code, photographers)
    if latlon is not None and radius_m > 0:
        found["place"] = _near(code, len(names), latlon, radius_m)
    crossings = tuple(
        Crossing(
            kind,
            len(pairs),
            tuple(
                Offender(called[a], called[b], names[code[a]], names[code[b]], shared)
                for a, b, shared in pairs[:examples]
            ),
        )
        for kind, pairs in found.items()
        if pairs
    )
    return SplitReport(counts, int((code < 0).sum()), tuple(found), crossings, float(radius_m))


def _coded(split: Sequence[str | None]) -> tuple[list[str], NDArray[np.int64]]:
    names = sorted({name for name in split if name})
    number = {name: code for code, name in enumerate(names)}
    return names, np.array([number[name] if name else -1 for name in split], dtype=np.int64)


def _counts(names: list[str], code: NDArray[np.int64], expected: Sequence[str]) -> dict[str, int]:
    missing = [name for name in expected if name not in names]
    if missing or not names:
        which = ", ".join(map(repr, missing)) or "every split"
        raise UsageError(
            f"There is no row in {which}: an empty split cannot be checked.",
            hint=f"The rows are in {', '.join(names)}." if names else "Split the rows first.",
        )
    held = np.bincount(code[code >= 0], minlength=len(names))
    return dict(zip(names, held.tolist(), strict=True))


def _shared(
    code: NDArray[np.int64], values: Sequence[str | None]
) -> list[tuple[int, int, str | float]]:
    """Return each row whose value a row of another split has, with the first such row."""
    # For each value: the first row of it, and the first one in a split other than that row's.
    first: dict[str, int] = {}
    other: dict[str, int] = {}
    rows = [row for row, value in enumerate(values) if value and code[row] >= 0]
    for row in rows:
        value = str(values[row])
        known = first.setdefault(value, row)
        if code[known] != code[row]:
            other.setdefault(value, row)
    pairs: list[tuple[int, int, str | float]] = []
    for row in rows:
        value = str(values[row])
        if value in other:
            partner = first[value] if code[first[value]] != code[row] else other[value]
            pairs.append((row, partner, value))
    return pairs


def _near(
    code: NDArray[np.int64], splits: int, latlon: ArrayLike, radius_m: float
) -> list[tuple[int, int, str | float]]:
    """Return each row that has a row of another split nearer than the radius, with the nearest."""
    given = np.asarray(latlon, dtype=np.float64)
    if given.shape != (len(code), 2):
        raise UsageError(
            f"latlon must have shape ({len(code)}, 2), a place for each row. Got {given.shape}.",
            hint="Give NaN for both coordinates where a row has no place.",
        )
    located = np.flatnonzero((code >= 0) & ~np.isnan(given).all(axis=1))
    places, code = as_coordinates(given[located], name="latlon"), code[located]
    pairs: list[tuple[int, int, str | float]] = []
    for split in range(splits):
        here, elsewhere = np.flatnonzero(code == split), np.flatnonzero(code != split)
        number, metres = nearest_within(places[here], places[elsewhere], radius_m)
        for position in np.flatnonzero(number >= 0).tolist():
            partner = located[elsewhere[number[position]]]
            pairs.append((int(located[here[position]]), int(partner), float(metres[position])))
    return sorted(pairs, key=lambda pair: pair[0])


def _check_lengths(rows: int, **columns: Sequence[Any] | None) -> None:
    for name, column in columns.items():
        if column is not None and len(column) != rows:
            raise UsageError(
                f"{name} must have one value for each of the {rows} rows. Got {len(column)}.",
                hint="Give split and the other columns of the same rows.",
            )
