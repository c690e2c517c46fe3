"""Integer hashes of places: everything that looks random on the planet comes from here.

Only wrapping 32-bit integer arithmetic is used, so a hash is the same on every machine and with
every library version. The mixing constants are those of C. Wellons' "prospector" search for
low-bias 32-bit hashes (https://nullprogram.com/blog/2018/07/31/).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

KeyArray = NDArray[np.uint32]

_MASK = 0xFFFFFFFF
_I, _J, _K, _SALT = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F
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
        value = (value * _SALT + key * _I + 0x165667B1) & _MASK
        value ^= value >> 16
        value = value * 0x7FEB352D & _MASK
        value ^= value >> 15
        value = value * 0x846CA68B & _MASK
        value ^= value >> 16
    return value


def place_keys(seed: ArrayLike, i: ArrayLike, j: ArrayLike, k: ArrayLike = 0) -> KeyArray:
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
    shape = np.broadcast_shapes(np.shape(seed), np.shape(i), np.shape(j), np.shape(k))
    # Arrays wrap where single numbers would warn.
    wide = _wide(i) * _I + _wide(j) * _J + _wide(k) * _K + _wide(seed)
    return mixed(wide.astype(np.uint32)).reshape(shape)


def _wide(values: ArrayLike) -> NDArray[np.int64]:
    return np.atleast_1d(np.asarray(values, np.int64))


def child_keys(keys: KeyArray, child: ArrayLike) -> KeyArray:
    """Hash parts of things: ``child`` counts the parts of whatever ``keys`` names."""
    salted = keys + (np.asarray(child, np.int64) * _SALT).astype(np.uint32)
    return mixed(salted + np.uint32(0x3C6EF372))


def units(keys: KeyArray, draw: int) -> NDArray[np.float32]:
    """Return one number in [0, 1) per key; ``draw`` tells the several draws of a key apart."""
    salted = mixed(keys + np.uint32((draw * _SALT + 0x165667B1) & _MASK))
    return (salted >> _EIGHT).astype(np.float32) * _UNIT


def many_units(keys: KeyArray, draws: int, first: int = 0) -> NDArray[np.float32]:
    """Return ``draws`` numbers in [0, 1) per key, ``(draws, *keys.shape)``: row n is draw n."""
    salts = (np.arange(first, first + draws, dtype=np.int64) * _SALT + 0x165667B1).astype(np.uint32)
    salted = mixed(keys[None] + salts.reshape(-1, *(1,) * keys.ndim))
    return (salted >> _EIGHT).astype(np.float32) * _UNIT
