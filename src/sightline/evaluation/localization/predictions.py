"""What a system answered for a list of photos, beside where they were taken."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import EvaluationError
from sightline.geo.coordinates import FloatArray, as_coordinates

Texts = Sequence[str | None]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Answers for n photos, checked; made by :meth:`of` or read from a table.

    Attributes:
        name: What to call it: the table's path.
        predicted: Degrees (n, 2), latitude first; NaN where there is no answer.
        true: Degrees (n, 2).
        abstained: bool (n,): the system gave no answer.
        failed: bool (n,): the photo could not be read, or the system broke off. Never both.
        ids: What each photo is called; None if they have no names.
        groups: What each photo shares a place with, None for a photo by itself; None if unknown.
        radii_m: Stated radii, metres (n,) by the probability they are stated for; NaN where none.
        columns: Whatever else is known of each photo, by name, to group by.
        warnings: Sentences about what looks odd.
    """

    name: str
    predicted: FloatArray
    true: FloatArray
    abstained: Flags
    failed: Flags
    ids: Sequence[str] | None = None
    groups: Texts | None = None
    radii_m: Mapping[float, FloatArray] = field(default_factory=dict)
    columns: Mapping[str, Texts] = field(default_factory=dict)
    warnings: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.true)

    @classmethod
    def of(
        cls,
        predicted: ArrayLike,
        true: ArrayLike,
        *,
        name: str = "predictions",
        abstained: ArrayLike | None = None,
        failed: ArrayLike | None = None,
        ids: Sequence[str] | None = None,
        groups: Texts | None = None,
        radii_m: Mapping[float, ArrayLike] | None = None,
        columns: Mapping[str, Texts] | None = None,
    ) -> Predictions:
        """Check arrays and put them together.

        Args:
            predicted: Degrees (n, 2), latitude first; NaN in both where there is no answer.
            true: Degrees (n, 2).
            name: What to call it.
            abstained: bool (n,): answers that do not count as such. No answer is always one.
            failed: bool (n,): photos that failed; they have not abstained.
            ids: (n,).
            groups: (n,), None for a photo by itself.
            radii_m: Metres (n,), not negative, by probability in (0, 1); NaN where none is stated.
            columns: (n,) each.

        Raises:
            CoordinateError: A place is out of range, half given, or a true one is missing; names
                array, row and value.
            EvaluationError: Something has not n rows, or a radius is negative.
        """
        places = as_coordinates(true, name="true")
        answers = as_answers(predicted, len(places))
        broken = _flags(failed, len(places), "failed")
        silent = (_flags(abstained, len(places), "abstained") | np.isnan(answers[:, 0])) & ~broken
        answers[broken | silent] = np.nan
        found = cls(
            name=name,
            predicted=answers,
            true=places,
            abstained=silent,
            failed=broken,
            ids=ids,
            groups=groups,
            radii_m={
                share: _radii(radii, len(places), share) for share, radii in (radii_m or {}).items()
            },
            columns=columns or {},
        )
        lists = {"ids": ids, "groups": groups, **found.columns}
        for what, cells in lists.items():
            if cells is not None and len(cells) != len(places):
                raise EvaluationError(
                    f"{what} has {len(cells)} entries for {len(places)} photos.",
                    hint="Give one for each photo.",
                )
        return found

    @property
    def answered(self) -> Flags:
        """Which photos have an answer, bool (n,)."""
        return ~(self.abstained | self.failed)

    @property
    def clusters(self) -> list[object] | None:
        """A label (n,) for each photo, a photo without a group having its own; None if unknown."""
        if self.groups is None:
            return None
        return [(row,) if group is None else group for row, group in enumerate(self.groups)]

    def column(self, name: str) -> Texts:
        """Return a column by its name, in any case.

        Raises:
            EvaluationError: There is none; says which there are.
        """
        folded = {known.strip().lower(): known for known in self.columns}
        if name.strip().lower() in folded:
            return self.columns[folded[name.strip().lower()]]
        near = difflib.get_close_matches(name, list(self.columns), n=1, cutoff=0.4)
        raise EvaluationError(
            f"{self.name!r} has no column {name!r} to group by.",
            hint=(f"Did you mean {near[0]!r}? " if near else "")
            + f"There are: {', '.join(self.columns)[:500] or 'none'}.",
        )


def as_answers(predicted: ArrayLike, count: int) -> FloatArray:
    """Check predicted places and return them as a fresh float64 (count, 2) array.

    Args:
        predicted: Degrees (count, 2), latitude first; NaN in both where there is no answer.
        count: How many there must be.

    Raises:
        CoordinateError: A place is out of range, or half of it is NaN; names row and value.
        EvaluationError: Another number of places.
    """
    given = np.array(predicted, dtype=np.float64)
    if given.size == 0:
        given = given.reshape(-1, 2)
    if given.shape != (count, 2):
        raise EvaluationError(
            f"predicted must have shape ({count}, 2), like true. Got {given.shape}.",
            hint="Give one prediction per photo, NaN in both columns where there is none.",
        )
    silent = np.isnan(given[:, 0]) & np.isnan(given[:, 1])
    # A half that is missing stays NaN, and is refused.
    checked = as_coordinates(np.where(silent[:, None], 0.0, given), name="predicted")
    checked[silent] = np.nan
    return checked


def _flags(value: ArrayLike | None, count: int, name: str) -> Flags:
    flags: NDArray[np.bool_] = np.zeros(count, bool) if value is None else np.array(value)
    if flags.dtype != np.bool_ or flags.shape != (count,):
        raise EvaluationError(
            f"{name} must be booleans of shape ({count},). Got {flags.dtype} of {flags.shape}.",
            hint="Give True or False for each photo.",
        )
    return flags


def _radii(value: ArrayLike, count: int, share: float) -> FloatArray:
    radii = np.array(value, dtype=np.float64)
    if not 0.0 < share < 1.0 or radii.shape != (count,):
        raise EvaluationError(
            f"radii_m must hold {count} radii by a probability between 0 and 1. Got {radii.shape} "
            f"for {share}.",
            hint="Give one radius per photo, NaN where none is stated.",
        )
    if np.nanmin(radii, initial=0.0) < 0.0:
        row = int(np.nanargmin(radii))
        raise EvaluationError(
            f"The radius for {share:g} row {row} is {radii[row]}, and no radius is negative.",
            hint="Give metres, or NaN where none is stated.",
        )
    return radii
