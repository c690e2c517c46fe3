"""How unevenly photos lie over the Earth: counts of cells, Gini coefficients, and comparisons.

Places are counted in S2 cells of one level. A sample of more photos fills more cells, so that the
figures of two samples only compare at the same number of photos; :func:`compare` sees to that.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from sightline.datasets.seeding import checked_seed
from sightline.errors import UsageError
from sightline.geo import cells as s2
from sightline.geo.coordinates import FloatArray

Counts = NDArray[np.int64]

_SHARES = (0.01, 0.05, 0.1, 0.25, 0.5)


@dataclass(frozen=True, slots=True, eq=False)
class Occupancy:
    """How many photos each occupied cell holds.

    Args:
        level: The S2 level of the cells.
        cells: uint64 (k,) ids, ascending.
        counts: int64 (k,) photos in each, 1 or more.
    """

    level: int
    cells: NDArray[np.uint64]
    counts: Counts

    @classmethod
    def of(cls, latlon: ArrayLike, level: int) -> Occupancy:
        """Count places by cell.

        Args:
            latlon: (n, 2) degrees, latitude first.
            level: S2 level, 0 to 30.

        Raises:
            CoordinateError: A place is out of range.
            CellError: There is no such level.
        """
        cells, counts = np.unique(s2.cell_ids(latlon, level), return_counts=True)
        return cls(int(level), cells, counts.astype(np.int64))

    @property
    def photos(self) -> int:
        """How many photos were counted."""
        return int(self.counts.sum())

    @property
    def occupied(self) -> int:
        """How many cells hold a photo."""
        return len(self.cells)

    @property
    def possible(self) -> int:
        """How many cells of this level the Earth has."""
        return int(6 * 4**self.level)

    def to_json(self) -> dict[str, object]:
        """Return the figures that describe the unevenness, without the cells."""
        return {
            "level": self.level,
            "photos": self.photos,
            "occupied_cells": self.occupied,
            "possible_cells": self.possible,
            "gini_of_occupied": gini(self.counts) if self.occupied else None,
            "gini_of_earth": gini(self.counts, self.possible) if self.occupied else None,
            "most_in_a_cell": int(self.counts.max()) if self.occupied else None,
            "share_of_photos_in_fullest": {
                f"{share:g}": float(fullest_share(self.counts, share)) for share in _SHARES
            }
            if self.occupied
            else {},
        }


def gini(counts: ArrayLike, cells: int | None = None) -> float:
    """Return the Gini coefficient of how photos are shared out among cells.

    0 if every cell holds as many, near 1 if one cell holds all. With the counts x₁ ≤ … ≤ xₙ it is
    G = 2 Σ i·xᵢ / (n Σ xᵢ) - (n + 1) / n, half the relative mean difference (Gini 1912; Dorfman
    1979).

    Args:
        counts: (k,) photos in each cell, 0 or more.
        cells: How many cells there are; those that ``counts`` leaves out hold nothing. By default
            only the cells in ``counts``.

    Raises:
        UsageError: There is no photo, a count is negative, or ``cells`` is less than k.
    """
    ordered = np.sort(_checked_counts(counts)).astype(np.float64)
    n = len(ordered) if cells is None else int(cells)
    if n < len(ordered):
        raise UsageError(
            f"cells must be at least the {len(ordered)} cells that were counted. Got {cells!r}.",
            hint="Give the number of all cells of the level, or leave it out.",
        )
    # The cells left out come first in the order and add nothing to the sum.
    place = np.arange(n - len(ordered) + 1, n + 1, dtype=np.float64)
    # (2i - n - 1) instead of a difference of two large terms.
    return float(((2.0 * place - n - 1.0) * ordered).sum() / (n * ordered.sum()))


def occupancy_curve(counts: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return which share of the photos lies in which share of the cells, fullest cells first.

    The Lorenz curve read from its rich end.

    Args:
        counts: (k,) photos in each cell.

    Returns:
        Shares of the cells and of the photos, (k + 1,) each, both from 0 to 1.

    Raises:
        UsageError: There is no photo, or a count is negative.
    """
    falling = np.sort(_checked_counts(counts))[::-1]
    photos = np.concatenate([[0], np.cumsum(falling)]) / falling.sum()
    return np.linspace(0.0, 1.0, len(falling) + 1), photos


def fullest_share(counts: ArrayLike, cell_share: float) -> float:
    """Return which share of the photos lies in the fullest ``cell_share`` of the cells."""
    cells, photos = occupancy_curve(counts)
    return float(np.interp(cell_share, cells, photos))


def expected_occupied(counts: ArrayLike, photos: int) -> float:
    """Return how many cells a random part of the photos is expected to occupy.

    Rarefaction: E = Σ 1 - C(N - xᵢ, m) / C(N, m) for m of N photos drawn without replacement
    (Hurlbert 1971, equation 14).

    Args:
        counts: (k,) photos in each cell, N in all.
        photos: m, 0 to N.

    Raises:
        UsageError: There is no photo, a count is negative, or m lies outside 0 to N.
    """
    held = _checked_counts(counts).astype(np.float64)
    total = held.sum()
    if not 0 <= photos <= total:
        raise UsageError(
            f"photos must be between 0 and the {int(total)} that were counted. Got {photos!r}.",
            hint="Draw no more photos than there are.",
        )
    rest = total - held
    room = rest >= photos  # elsewhere the cell is hit for certain
    missed = np.zeros(len(held))
    missed[room] = np.exp(
        gammaln(rest[room] + 1)
        - gammaln(rest[room] - photos + 1)
        - gammaln(total + 1)
        + gammaln(total - photos + 1)
    )
    return float((1.0 - missed).sum())


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two distributions of photos over cells of one level, at the same number of photos.

    Args:
        level: The S2 level.
        photos: m, the size of the smaller sample; the figures of both sides are those of m photos.
        occupied: Expected number of occupied cells on either side.
        gini: Mean Gini coefficient over the occupied cells, on either side.
        curve_gap: The largest vertical distance between the two occupancy curves, 0 to 1.
        divergence_bits: Jensen-Shannon divergence of the two distributions over cells, 0 (the same
            cells, equally full) to 1 (no cell in common). It compares places, the other figures
            only compare unevenness.
        shared_cells: Cells that both occupy, as a share of those that either does.
    """

    level: int
    photos: int
    occupied: tuple[float, float]
    gini: tuple[float, float]
    curve_gap: float
    divergence_bits: float
    shared_cells: float

    def to_json(self) -> dict[str, object]:
        """Return the fields as JSON has them."""
        return asdict(self)


def compare(first: Occupancy, second: Occupancy, *, rounds: int = 20, seed: int = 0) -> Comparison:
    """Compare how two samples of photos lie over cells.

    Args:
        first: One sample.
        second: Another, counted at the same level.
        rounds: How many random parts of the larger sample its Gini and curve are averaged over.
        seed: Draws these parts.

    Raises:
        UsageError: The levels differ, a side is empty, or ``rounds`` is not positive.
    """
    if first.level != second.level:
        raise UsageError(
            f"Both sides must be counted at one level. Got {first.level} and {second.level}.",
            hint="Count both with Occupancy.of(latlon, level).",
        )
    if not first.photos or not second.photos or rounds < 1:
        raise UsageError(
            f"Both sides must hold photos and rounds must be positive. Got {first.photos} and "
            f"{second.photos} photos, rounds {rounds!r}.",
            hint="Leave out samples without photos.",
        )
    photos = min(first.photos, second.photos)
    generator = np.random.default_rng(checked_seed(seed))
    sides = [_at_size(side.counts, photos, rounds, generator) for side in (first, second)]
    share_a, share_b = _aligned_shares(first, second)
    both = (share_a > 0) & (share_b > 0)
    return Comparison(
        level=first.level,
        photos=photos,
        occupied=(
            expected_occupied(first.counts, photos),
            expected_occupied(second.counts, photos),
        ),
        gini=(sides[0][0], sides[1][0]),
        curve_gap=float(np.abs(sides[0][1] - sides[1][1]).max()),
        divergence_bits=_jensen_shannon_bits(share_a, share_b),
        shared_cells=float(both.mean()),
    )


def _at_size(
    counts: Counts, photos: int, rounds: int, generator: np.random.Generator
) -> tuple[float, FloatArray]:
    """Return the mean Gini and the mean curve (1001 points) of ``photos`` of the photos."""
    grid = np.linspace(0.0, 1.0, 1001)
    whole = photos == counts.sum()
    coefficients, curves = [], []
    for _ in range(1 if whole else rounds):
        drawn = counts if whole else _thinned(counts, photos, generator)
        coefficients.append(gini(drawn))
        curves.append(np.interp(grid, *occupancy_curve(drawn)))
    return float(np.mean(coefficients)), np.mean(curves, axis=0)


def _thinned(counts: Counts, photos: int, generator: np.random.Generator) -> Counts:
    owners = np.repeat(np.arange(len(counts)), counts)
    chosen = generator.choice(owners, size=photos, replace=False, shuffle=False)
    drawn = np.bincount(chosen, minlength=len(counts))
    return drawn[drawn > 0]


def _aligned_shares(first: Occupancy, second: Occupancy) -> tuple[FloatArray, FloatArray]:
    cells = np.union1d(first.cells, second.cells)
    shares = []
    for side in (first, second):
        share = np.zeros(len(cells))
        share[np.searchsorted(cells, side.cells)] = side.counts / side.photos
        shares.append(share)
    return shares[0], shares[1]


def _jensen_shannon_bits(p: FloatArray, q: FloatArray) -> float:
    middle = (p + q) / 2
    total = 0.0
    for side in (p, q):
        held = side > 0
        total += float((side[held] * np.log2(side[held] / middle[held])).sum()) / 2
    return min(1.0, max(0.0, total))


def _checked_counts(counts: ArrayLike) -> Counts:
    array = np.asarray(counts)
    if array.ndim != 1 or array.dtype.kind not in "iu" or (array < 0).any() or not array.sum():
        shown = f"{array.dtype} of shape {array.shape}"
        raise UsageError(
            f"counts must be whole numbers of shape (k,), none negative, not all 0. Got {shown}.",
            hint="Count places with Occupancy.of(latlon, level).",
        )
    return array.astype(np.int64)
