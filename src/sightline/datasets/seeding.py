"""Random numbers that hang on an id and a seed, not on the order of a list or the machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from sightline.errors import UsageError
from sightline.geo.coordinates import FloatArray

MOST_SEED = 2**32 - 1
"""The largest seed that every generator in use takes."""


def uniform_of_ids(
    ids: Iterable[str], purpose: str, *, seed: int, epoch: int | None = None, values: int = 1
) -> FloatArray:
    """Return numbers in [0, 1) for each id.

    Args:
        ids: (n,) stable ids.
        purpose: What the numbers decide, so that two decisions about one id are independent.
        seed: Another seed gives other numbers.
        epoch: Another epoch too; None where the numbers must never change.
        values: How many numbers for each id, up to 8.

    Returns:
        The first 53 bits of 8-byte words of BLAKE2b, float64 (n, values).
    """
    key = f"{purpose}\0{seed}\0{'' if epoch is None else epoch}".encode()
    start = hashlib.blake2b(digest_size=8 * values)
    start.update(len(key).to_bytes(4, "little") + key)
    words = bytearray()
    for one in ids:
        digest = start.copy()
        digest.update(one.encode())
        words += digest.digest()
    numbers = np.frombuffer(bytes(words), dtype="<u8").reshape(-1, values)
    return (numbers >> np.uint64(11)).astype(np.float64) * 2.0**-53


def checked_seed(seed: int) -> int:
    """Return a seed as a plain whole number.

    Raises:
        UsageError: It is none, is negative, or is larger than ``MOST_SEED``.
    """
    whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if not whole or not 0 <= seed <= MOST_SEED:
        raise UsageError(
            f"seed must be a whole number from 0 to {MOST_SEED}. Got {seed!r}.",
            hint="Any number will do; the same one gives the same result.",
        )
    return int(seed)
