"""Running minima and maxima down the columns of a raster."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def run_down(ufunc: np.ufunc, values: NDArray[Any]) -> None:
    """Replace each row, in place, by the minimum or maximum of it and all rows above.

    Each pass doubles how many rows have been seen (W. D. Hillis, G. L. Steele, "Data parallel
    algorithms", 1986). That is more work than `ufunc.accumulate` does, but on whole rows at once,
    and two to four times as fast.

    Args:
        ufunc: `numpy.minimum` or `numpy.maximum`.
        values: (rows, ...).
    """
    step = 1
    while step < len(values):
        ufunc(values[step:], values[:-step], out=values[step:])
        step *= 2
