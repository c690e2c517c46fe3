"""Integer hashes of places: everything that looks random on the planet comes from here.

Only wrapping 32-bit integer arithmetic is used, so a hash is the same on every machine and with
every library version. The mixing constants are those of C. Wellons' "prospector" search for
low-bias 32-bit hashes (https://nullprogram.com/blog/2018/07/31/).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

KeyArray = NDArray[np.uint32]

_MASK = 0xFFFFFFFF
_I, _J, _K, _SALT = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F
_DRAW, _CHILD = 0x165667B1, 0x3C6EF372
_FIRST, _SECOND = np.uint32(0x7FEB352D), np.uint32(0x846CA68B)
_SIXTEEN, _FIFTEEN, _EIGHT = np.uint32(16), np.uint32(15), np.uint32(8)
_UNIT = np.float32(2.0**-24)


def mixed(values: KeyArray) -> KeyArray:
    """Scramble 32-bit values in place: each output bit depends on every input bit."""
    values ^= values >> _SIXTEEN
    values *= _FIRST
    values ^= values >> _FIFTEEN
    values *= _SECOND
    values ^= values >> _SIXTEEN
    return values


def number(*keys: int) -> int:
    """Hash a few whole numbers of any size and sign to one of 32 bits, without numpy."""
    value = 0x2545F491
    for key in keys:
        value = (value * _SALT + key * _I + _DRAW) & _MASK
        value ^= value >> 16
        value = value * 0x7FEB352D & _MASK
        value ^= value >> 15
        value = value * 0x846CA68B & _MASK
        value ^= value >> 16
    return value


def place_keys(
    seed: ArrayLike | int, i: ArrayLike | int, j: ArrayLike | int, k: ArrayLike | int = 0
) -> KeyArray:
    """Hash whole-number places.

    Args:
        seed: What they are hashed for: the planet's seed with the layer's number
            (:func:`number`); or one per place.
        i: Integers, any shape.
        j: Integers, broadcast with ``i``.
        k: Integers, broadcast with them.

    Returns:
        uint32 of the common shape.
    """
    shape: tuple[int, ...] = ()
    plain, total = 0, np.zeros(1, np.uint32)
    for values, factor in ((i, _I), (j, _J), (k, _K), (seed, 1)):
        if isinstance(values, int):
            plain += values * factor
            continue
        array = np.asarray(values)
        shape = np.broadcast_shapes(shape, array.shape)
        # Arrays wrap where single numbers would warn.
        total = total + np.atleast_1d(array).astype(np.uint32) * np.uint32(factor)
    return mixed(total + np.uint32(plain & _MASK)).reshape(shape)


def child_keys(keys: KeyArray, child: ArrayLike | int) -> KeyArray:
    """Hash parts of things: ``child`` counts the parts of whatever ``keys`` names."""
    if isinstance(child, int):
        return mixed(keys + np.uint32((child * _SALT + _CHILD) & _MASK))
    salted = np.asarray(child).astype(np.uint32) * np.uint32(_SALT)
    return mixed(keys + salted + np.uint32(_CHILD))


def units(keys: KeyArray, draw: int) -> NDArray[np.float32]:
    """Return one number in [0, 1) per key; ``draw`` tells the several draws of a key apart."""
    return _units(mixed(keys + np.uint32((draw * _SALT + _DRAW) & _MASK)))


def many_units(keys: KeyArray, draws: int, first: int = 0) -> NDArray[np.float32]:
    """Return ``draws`` numbers in [0, 1) per key, ``(draws, *keys.shape)``: row n is draw n."""
    return _units(mixed(keys + _salts(draws, first, keys.ndim)))


@lru_cache(maxsize=256)
def _salts(draws: int, first: int, dimensions: int) -> KeyArray:
    salts = [(draw * _SALT + _DRAW) & _MASK for draw in range(first, first + draws)]
    return np.array(salts, np.uint32).reshape(-1, *(1,) * dimensions)


def _units(keys: KeyArray) -> NDArray[np.float32]:
    """Turn scrambled keys, which are overwritten, into numbers in [0, 1)."""
    keys >>= _EIGHT
    numbers = keys.astype(np.float32)
    numbers *= _UNIT
    return numbers
