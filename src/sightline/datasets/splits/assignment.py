"""Groups that must stay together, dealt out to splits of wanted sizes."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.seeding import checked_seed
from sightline.errors import UsageError

DEFAULT_SHARES: Mapping[str, float] = {"train": 0.8, "val": 0.1, "test": 0.1}
"""What a split is made of if nothing else is asked for."""

Codes = NDArray[np.int64]

_HINT = "Name each split with its share, such as train=0.8, val=0.1, test=0.1."


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """Which split each row is in.

    Args:
        names: The splits, in the order they were asked for.
        codes: int64 (n,) position in ``names``; -1 for a row that was left out (it lay in the
            buffer between two splits).
        groups: How many groups were dealt out whole.
    """

    names: tuple[str, ...]
    codes: Codes
    groups: int

    @property
    def labels(self) -> list[str | None]:
        """The name of each row's split, None for a row that was left out."""
        table = [*self.names, None]
        return [table[code] for code in self.codes.tolist()]

    @property
    def counts(self) -> dict[str, int]:
        """How many rows each split holds."""
        held = np.bincount(self.codes[self.codes >= 0], minlength=len(self.names))
        return dict(zip(self.names, held.tolist(), strict=True))

    @property
    def left_out(self) -> int:
        """How many rows are in no split."""
        return int((self.codes < 0).sum())

    def rows(self, name: str) -> Codes:
        """Return the rows of a split, ascending.

        Raises:
            UsageError: There is no such split.
        """
        if name not in self.names:
            raise UsageError(
                f"There is no split {name!r}.", hint=f"There are {', '.join(self.names)}."
            )
        return np.flatnonzero(self.codes == self.names.index(name))


def checked_shares(shares: Mapping[str, float]) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Return the names and the shares, scaled to a sum of 1.

    Raises:
        UsageError: Fewer than two splits, a share that is not positive, or an empty name.
    """
    names = tuple(shares)
    if len(names) < 2 or not all(isinstance(name, str) and name for name in names):
        raise UsageError(f"shares must name two splits or more. Got {dict(shares)!r}.", hint=_HINT)
    for name, share in shares.items():
        if not (isinstance(share, int | float) and math.isfinite(share) and share > 0):
            raise UsageError(
                f"The share of {name!r} must be a positive number. Got {share!r}.", hint=_HINT
            )
    values = np.array([float(shares[name]) for name in names])
    return names, values / values.sum()


def deal(group_of_row: Codes, shares: Mapping[str, float], *, seed: int, what: str) -> Assignment:
    """Deal whole groups out to splits so that their sizes come near the shares.

    Groups come in a seeded random order. Each goes to a split drawn in proportion to the rows that
    the splits still lack, so that no split gets all the large groups; one that is larger than any
    gap goes to the widest gap.

    Args:
        group_of_row: int64 (n,) group of each row, 0 to g - 1, each used; numbered the same way
            whatever the order of the rows, or the split depends on that order.
        shares: Names and relative sizes.
        seed: Decides the order and the draws.
        what: What a group is, for the error ("photographers").

    Raises:
        UsageError: The shares or the seed are impossible, or a split would be empty.
    """
    names, share = checked_shares(shares)
    sizes = np.bincount(group_of_row) if len(group_of_row) else np.zeros(0, np.int64)
    generator = np.random.default_rng(checked_seed(seed))
    order = generator.permutation(len(sizes)).tolist()
    draws = generator.random(len(sizes)).tolist()
    gaps = (share * len(group_of_row)).tolist()
    split_of_group = np.full(len(sizes), -1, np.int64)
    for group, draw in zip(order, draws, strict=True):
        size = int(sizes[group])
        chosen = _split_for(size, gaps, draw)
        split_of_group[group] = chosen
        gaps[chosen] -= size
    codes = split_of_group[group_of_row] if len(sizes) else np.zeros(0, np.int64)
    assignment = Assignment(names, codes, len(sizes))
    refuse_empty(
        assignment,
        f"{len(group_of_row)} rows in {len(sizes)} {what} are too few, or in groups too large, to "
        "fill it",
    )
    return assignment


def _split_for(size: int, gaps: list[float], draw: float) -> int:
    fitting = [gap if gap >= size else 0.0 for gap in gaps]
    reached = list(accumulate(fitting))
    if reached[-1] <= 0.0:
        return max(range(len(gaps)), key=gaps.__getitem__)
    # A draw is less than 1, so that the last one is beyond it.
    return bisect_right(reached, draw * reached[-1])


def refuse_empty(assignment: Assignment, why: str) -> None:
    """Raise if a split holds no row.

    Raises:
        UsageError: It names the empty splits and says why they are.
    """
    empty = [name for name, count in assignment.counts.items() if not count]
    if empty:
        raise UsageError(
            f"The split {', '.join(map(repr, empty))} would be empty: {why}.",
            hint="Ask for a larger share, smaller groups, a narrower buffer, or fewer splits.",
        )
