"""What was asked for last, kept; it changes speed only, never an answer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """Values by key, of which the least recently asked for goes first.

    Args:
        most: How many are kept, at least 1.
        size: How many a key counts for, positive; None for 1. The one asked for last is kept
            however large it is.
    """

    def __init__(self, most: int, size: Callable[[Key], float] | None = None) -> None:
        self._most = most
        self._size = size
        self._kept: OrderedDict[Key, Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """Return the key's value, which is made where it is not kept."""
        try:
            self._kept.move_to_end(key)
            return self._kept[key]
        except KeyError:
            value = self._kept[key] = make()
            while len(self._kept) > 1 and self._held() > self._most:
                self._kept.popitem(last=False)
            return value

    def _held(self) -> float:
        if self._size is None:
            return len(self._kept)
        return sum(map(self._size, list(self._kept)))
