"""Tables of things: arrays of one length, of which rows are selected and joined together."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray


class Rows:
    """Base of frozen dataclasses whose fields are arrays of one length."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __len__(self) -> int:
        return len(getattr(self, next(iter(self.__dataclass_fields__))))

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """Return the chosen rows (a mask or indices) of every array."""
        index: NDArray[Any] = chosen.nonzero()[0] if chosen.dtype == np.bool_ else chosen
        names = self.__dataclass_fields__
        return type(self)(*(getattr(self, name).take(index, axis=0) for name in names))

    @classmethod
    def join(cls, parts: list[Self]) -> Self:
        """Return the rows of several, one after the other.

        Args:
            parts: At least one.
        """
        if len(parts) == 1:
            return parts[0]
        names = cls.__dataclass_fields__
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
