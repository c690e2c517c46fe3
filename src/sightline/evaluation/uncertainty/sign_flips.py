"""The sign-flip test: how often chance alone makes a sum of differences this large.

Reference: R. A. Fisher, The Design of Experiments (1935), section 21; the count of one added to
either side is that of B. Phipson and G. Smyth, Statistical Applications in Genetics and Molecular
Biology 9 (2010), equation 2.
"""

from __future__ import annotations

import numpy as np
from scipy.special import bdtr

from sightline.evaluation.uncertainty.bootstrap_means import Floats

MOST_COUNTED = 16
"""Up to this many differences other than 0, all their flips are counted."""

# A sum taken in another order differs by rounding; it is the same sum.
_SAME_SUM = 1e-12
_BYTES_AT_ONCE = 512
_SIGNS_OF_BYTE = 2.0 * ((np.arange(256)[:, None] >> np.arange(8)) & 1) - 1.0


def sign_flip_p_value(
    differences: Floats, resamples: int, rng: np.random.Generator
) -> tuple[float, bool]:
    """Return the two-sided p-value of the sum of differences, and whether it is exact.

    Args:
        differences: (n,), finite; each sign is as likely as its opposite if the systems are alike.
        resamples: How many flips are drawn where not all can be counted.
        rng: What to draw with.

    Returns:
        The p-value. It is exact where at most :data:`MOST_COUNTED` differences are not 0 (all flips
        are counted), or where these are all of one size (a binomial distribution: the sign test,
        which McNemar's exact test is).
    """
    sizes = np.sort(np.abs(differences[differences != 0.0]))
    if len(sizes) == 0:
        return 1.0, True
    seen = abs(float(np.sort(differences).sum())) - _SAME_SUM * float(sizes.sum())
    if sizes[0] == sizes[-1]:
        fewer = min(int((differences > 0.0).sum()), int((differences < 0.0).sum()))
        return min(1.0, 2.0 * float(bdtr(fewer, len(sizes), 0.5))), True
    if len(sizes) <= MOST_COUNTED:
        sums = np.zeros(1)
        for size in sizes:
            sums = np.concatenate([sums - size, sums + size])
        return float((np.abs(sums) >= seen).mean()), True
    extreme = int((np.abs(_flipped_sums(sizes, resamples, rng)) >= seen).sum())
    return (1 + extreme) / (1 + resamples), False


def _flipped_sums(sizes: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """Return sums of ``sizes`` under random signs, float64 (resamples,).

    A random byte flips eight signs at once, through a table of the 256 sums that they can have.
    """
    eights = np.pad(sizes, (0, -len(sizes) % 8)).reshape(-1, 8)
    sums = np.zeros(resamples)
    for start in range(0, len(eights), _BYTES_AT_ONCE):
        tables = eights[start : start + _BYTES_AT_ONCE] @ _SIGNS_OF_BYTE.T
        bits = rng.integers(256, size=(len(tables), resamples), dtype=np.uint8)
        for table, drawn in zip(tables, bits, strict=True):
            sums += table[drawn]
    return sums
