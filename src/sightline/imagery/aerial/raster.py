"""What every grid of pixels on the Earth offers to a source of patches."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.geo.coordinates import FloatArray
from sightline.geo.region import MultiPolygon


class Window(NamedTuple):
    """A part of a raster, in its whole pixels."""

    left: int
    top: int
    width: int
    height: int


class Piece(NamedTuple):
    """What was read of a window.

    Attributes:
        colours: (h, w, 3), uint8, or float32 from 0 to 255.
        valid: bool (h, w), or None where all is valid.
    """

    colours: NDArray[np.uint8] | NDArray[np.float32]
    valid: NDArray[np.bool_] | None


class Raster(Protocol):
    """A grid of pixels on the Earth; safe to use from many threads."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        ...

    @property
    def middle(self) -> FloatArray:
        """A place in the middle of the imagery ``(2,)``."""
        ...

    @property
    def full_turn_px(self) -> float | None:
        """Columns once around the Earth, for maps on which a meridian is a column."""
        ...

    @property
    def outline(self) -> MultiPolygon:
        """The frame, or the parts of it that hold imagery."""
        ...

    def to_pixels(self, latlng: FloatArray) -> FloatArray:
        """Return column and row ``(n, 2)`` of places; not finite where the map shows none.

        Whole numbers are the borders between pixels; (0, 0) is the outer corner of the first.
        """
        ...

    def read(self, window: Window, columns: int, rows: int) -> Piece:
        """Read a window that lies in the raster, averaged down to ``rows`` × ``columns``."""
        ...

    def close(self) -> None:
        """Let go of open files."""
        ...
