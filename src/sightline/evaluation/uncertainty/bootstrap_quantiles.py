"""Quantiles of bootstrap resamples, without drawing every query of every resample.

A quantile sees only which of the values near it were drawn, and how many on either side. Only that
is drawn here, from its exact distribution: the results are those of the plain bootstrap.

Reference: B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993), chapters 6 and 13.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from sightline.evaluation.uncertainty.bootstrap_means import Floats, Labels

_NUMBERS_AT_ONCE = 2_000_000
# A sum strays this many standard deviations from its mean about once in 10^15 draws.
_BAND_DEVIATIONS = 8.0
_LEAST_BAND = 50


def resampled_quantiles(
    values: Floats,
    labels: Labels | None,
    share: Fraction,
    resamples: int,
    rng: np.random.Generator,
    *,
    median: bool = False,
) -> Floats:
    """Return a quantile of each bootstrap resample: its ceil(share · size)-th smallest value.

    The order statistics of n draws are those of n uniform numbers, read off along the sorted
    values, and these follow beta distributions. For groups see :func:`_grouped_places`.

    Args:
        values: (n,), no NaN, n > 0; infinity is a value like others.
        labels: (n,), group numbers from 0 without gaps: whole groups are drawn, as many as there
            are, and the quantile is that of all drawn values. None to draw single values.
        share: In (0, 1].
        resamples: How many.
        rng: What to draw with.
        median: Return the mean of the two values in the middle where their number is even;
            ``share`` is then one half.

    Returns:
        float64 (resamples,).
    """
    order = np.argsort(values, kind="stable")
    if labels is None:
        lower, upper = _single_places(len(values), share, resamples, rng)
    else:
        lower, upper = _grouped_places(labels[order], share, resamples, rng)
    ranked = values[order]
    return (ranked[lower] + ranked[upper]) / 2.0 if median else ranked[lower]


def _single_places(
    count: int, share: Fraction, resamples: int, rng: np.random.Generator
) -> tuple[Labels, Labels]:
    """Draw where, from 0, the quantile's value stands and its partner in the middle.

    The r-th smallest of n uniform numbers follows Beta(r, n + 1 - r), and what lies between it and
    the next one, as a share of the rest, Beta(1, n - r).
    """
    rank = -(-share.numerator * count // share.denominator)
    lower = rng.beta(rank, count + 1 - rank, resamples)
    upper = lower
    # A rank that is not rounded up has a partner.
    if rank < count and rank * share.denominator == share.numerator * count:
        upper = lower + (1.0 - lower) * rng.beta(1, count - rank, resamples)
    places = [np.minimum((u * count).astype(np.int64), count - 1) for u in (lower, upper)]
    return places[0], places[1]


def _grouped_places(
    owners: Labels, share: Fraction, resamples: int, rng: np.random.Generator
) -> tuple[Labels, Labels]:
    """Draw whole groups; return where, from 0, the quantile's value stands and its partner.

    With a(r) the number of drawn values among the first r in order and N that of all drawn values,
    the quantile is the first r where a(r) >= share · N, and its partner the first where a(r) is
    greater. So of a group without values in a band around the quantile only its *excess* matters,
    its number of values below the band less share · its size; that takes few distinct numbers,
    which a multinomial draws. Only groups with values in the band are drawn one by one. The band is
    wide enough for every resample: if one left it, all would be drawn again in a wider one.

    Args:
        owners: (n,), the group of each value, in ascending order of the values.
        share: In (0, 1].
        resamples: How many.
        rng: What to draw with.
    """
    sizes = np.bincount(owners)
    middle = -(-share.numerator * len(owners) // share.denominator)
    excess = _excess(owners[:middle], sizes, share)
    deviation = float(np.sqrt(len(sizes)) * excess.std()) / share.denominator
    width = int(_BAND_DEVIATIONS * deviation) + _LEAST_BAND
    places = None
    while places is None:
        band = slice(max(0, middle - width), min(len(owners), middle + width))
        places = _places_in_band(owners, band, share, resamples, rng)
        width *= 2
    return places


def _excess(owners: Labels, sizes: Labels, share: Fraction) -> Labels:
    """Return (values among ``owners`` - share · size) · denominator of each group."""
    below = np.bincount(owners, minlength=len(sizes))
    return np.asarray(share.denominator * below - share.numerator * sizes)


def _places_in_band(
    owners: Labels, band: slice, share: Fraction, resamples: int, rng: np.random.Generator
) -> tuple[Labels, Labels] | None:
    """Draw resamples and find their places; None if one lies outside the band."""
    sizes = np.bincount(owners)
    excess = _excess(owners[: band.start], sizes, share)
    inside, local = np.unique(owners[band], return_inverse=True)
    levels, frequencies = np.unique(np.delete(excess, inside), return_counts=True)
    shares = np.append(frequencies, len(inside)) / len(sizes)
    search = _Search.of(local, len(inside))
    lower, upper = np.empty(resamples, np.int64), np.empty(resamples, np.int64)
    step = max(1, _NUMBERS_AT_ONCE // max(len(shares), len(inside), search.width))
    for start in range(0, resamples, step):
        rows = slice(start, min(start + step, resamples))
        drawn = rng.multinomial(len(sizes), shares, size=rows.stop - rows.start)
        counts = _uniform_counts(drawn[:, -1], len(inside), rng)
        reached = drawn[:, :-1] @ levels + counts @ excess[inside]
        # Whole numbers below 2^53: the quotient is exact where it is whole.
        missing = -reached / share.denominator
        held = counts @ search.sizes
        least, more = np.ceil(missing), np.floor(missing) + 1.0
        if band.stop == len(owners):
            # Beyond the last value there is no partner.
            more = np.minimum(more, held)
        if (least < 1.0).any() or (more > held).any():
            return None
        lower[rows] = band.start + search.places(counts, least)
        upper[rows] = band.start + search.places(counts, more)
    return lower, upper


def _uniform_counts(draws: Labels, groups: int, rng: np.random.Generator) -> Floats:
    """Draw ``draws[i]`` groups for resample i; return how often each was drawn, (len, groups)."""
    drawn = rng.integers(groups, size=int(draws.sum()))
    cells = np.repeat(np.arange(len(draws)) * groups, draws) + drawn
    counts = np.bincount(cells, minlength=len(draws) * groups)
    return counts.reshape(len(draws), groups).astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """Finds where a running count of drawn values in the band reaches a number, in two steps.

    Attributes:
        local: (b,), the group of each value in the band, counted among those inside.
        width: Values in one stretch of the band, about the root of b.
        stretches: (groups, ceil(b / width)), values of each group in each stretch.
    """

    local: Labels
    width: int
    stretches: Floats

    @classmethod
    def of(cls, local: Labels, groups: int) -> _Search:
        width = int(np.ceil(np.sqrt(len(local))))
        stretches = np.zeros((groups, -(-len(local) // width)))
        np.add.at(stretches, (local, np.arange(len(local)) // width), 1.0)
        return cls(local, width, stretches)

    @property
    def sizes(self) -> Floats:
        """(groups,), values of each group in the band."""
        return np.asarray(self.stretches.sum(axis=1))

    def places(self, counts: Floats, wanted: Floats) -> Labels:
        """Return the first place of the band, from 0, up to which ``wanted`` values were drawn.

        Args:
            counts: (r, groups), how often each group was drawn.
            wanted: (r,), between 1 and what was drawn.
        """
        rows = np.arange(len(counts))
        running = np.cumsum(counts @ self.stretches, axis=1)
        stretch = (running < wanted[:, None]).sum(axis=1)
        before = np.where(stretch > 0, running[rows, stretch - 1], 0.0)
        # The last stretch may be short; what is repeated there comes after the place.
        near = np.minimum(
            stretch[:, None] * self.width + np.arange(self.width), len(self.local) - 1
        )
        single = np.cumsum(counts[rows[:, None], self.local[near]], axis=1)
        offset = (before[:, None] + single < wanted[:, None]).sum(axis=1)
        return np.asarray(stretch * self.width + offset)
