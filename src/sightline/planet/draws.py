"""Random draws that come out the same on every machine and with every numpy.

Everything is integer arithmetic modulo 2^64 (SplitMix64: Steele, Lea and Flood, "Fast splittable
pseudorandom number generators", 2014) and IEEE multiplication; numpy promises to keep neither its
distributions nor the order in which they consume random bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import UsageError

T = TypeVar("T")

_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB
_UNIT = 2.0**-53


def _mixed(word: int) -> int:
    word = ((word ^ (word >> 30)) * _FIRST) & _MASK
    word = ((word ^ (word >> 27)) * _SECOND) & _MASK
    return word ^ (word >> 31)


def _mixed_all(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    words = (words ^ (words >> np.uint64(30))) * np.uint64(_FIRST)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(_SECOND)
    return words ^ (words >> np.uint64(31))


def mixed_keys(*keys: ArrayLike) -> NDArray[np.uint64]:
    """Mix arrays of integer keys, broadcast against each other, into one word each.

    Args:
        keys: Integers or integer arrays of any sign; at least one.

    Returns:
        uint64, of the broadcast shape; the word that ``Draws(*keys)`` starts from.
    """
    arrays = [np.asarray(key).astype(np.int64).view(np.uint64) for key in keys]
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    # At least one dimension: numpy warns of the wrapping that is meant, but only for scalars.
    state = np.zeros(shape or (1,), np.uint64)
    for array in arrays:
        state = _mixed_all((state ^ array) + np.uint64(_STEP))
    return state.reshape(shape)


def units_of(words: NDArray[np.uint64], count: int) -> NDArray[np.float64]:
    """The first ``count`` numbers in [0, 1) of each stream, shape (n, count).

    Args:
        words: uint64 (n,), from :func:`mixed_keys`.
        count: How many of each.
    """
    steps = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_STEP)
    raw = _mixed_all(words[:, None] + steps)
    numbers: NDArray[np.float64] = (raw >> np.uint64(11)).astype(np.float64) * _UNIT
    return numbers


class Draws:
    """A stream of draws that depends on its keys alone.

    Args:
        keys: Integers of any sign, below 2^63, that name the stream: for example a seed, what is
            drawn, and its number.
    """

    def __init__(self, *keys: int) -> None:
        state = 0
        for key in keys:
            state = _mixed(((state ^ (int(key) & _MASK)) + _STEP) & _MASK)
        self._state = state

    def _words(self, count: int) -> NDArray[np.uint64]:
        steps = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_STEP)
        words = _mixed_all(steps + np.uint64(self._state))
        self._state = (self._state + count * _STEP) & _MASK
        return words

    def unit(self) -> float:
        """One number in [0, 1)."""
        self._state = (self._state + _STEP) & _MASK
        return (_mixed(self._state) >> 11) * _UNIT

    def units(self, count: int) -> NDArray[np.float64]:
        """``count`` numbers in [0, 1)."""
        numbers: NDArray[np.float64] = (self._words(count) >> np.uint64(11)).astype(
            np.float64
        ) * _UNIT
        return numbers

    def octets(self, count: int) -> NDArray[np.uint8]:
        """``count`` bytes."""
        return self._words(-(-count // 8)).astype("<u8").view(np.uint8)[:count]

    def between(self, low: float, high: float) -> float:
        """One number in [low, high)."""
        return low + (high - low) * self.unit()

    def chance(self, probability: float) -> bool:
        """Whether something happens that happens with this probability."""
        return self.unit() < probability

    def index(self, count: int) -> int:
        """One of 0 ... count - 1."""
        return min(int(self.unit() * count), count - 1)

    def pick(self, choices: Sequence[T]) -> T:
        """One of ``choices``."""
        return choices[self.index(len(choices))]

    def normal(self) -> float:
        """A number with mean 0 and standard deviation 1, nearly normal and within ±6.

        The sum of twelve uniform numbers less six (Irwin–Hall): no transcendental function, which
        machines round differently.
        """
        total = -6.0
        for _ in range(12):
            total += self.unit()
        return total

    def weighted(self, weights: ArrayLike) -> int:
        """One index, with probability in proportion to its weight.

        Raises:
            UsageError: The weights are negative, not finite, or all zero.
        """
        given = np.asarray(weights, dtype=np.float64)
        if not np.isfinite(given).all() or (given < 0).any() or not (given > 0).any():
            raise UsageError(
                f"Weights must be finite, at least 0 and not all 0. Got {given.tolist()!r}.",
                hint="Give one positive weight at least.",
            )
        sums = np.cumsum(given)
        found = int(np.searchsorted(sums, self.unit() * sums[-1], side="right"))
        return min(found, int(np.flatnonzero(given)[-1]))


def exponential(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """e^x within 2.5 % for ``|x| <= 7``, by multiplications alone: the same on every machine."""
    power = 1.0 + x / 1024.0
    for _ in range(10):
        power = power * power
    return power


def normals_of(words: NDArray[np.uint64]) -> NDArray[np.float64]:
    """One nearly normal number (see :meth:`Draws.normal`) of each stream, shape (n,)."""
    units = units_of(words, 12)
    total = np.full(len(units), -6.0)
    for column in units.T:
        total = total + column
    return total
