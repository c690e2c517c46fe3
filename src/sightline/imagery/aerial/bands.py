"""Which bands of a raster are its colours, and how their values become 0 to 255."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import AerialError, AerialUnreadableError, UsageError
from sightline.imagery.aerial.raster import Window
from sightline.imagery.aerial.raster_file import Facts, RasterFile

ValueRange = tuple[float, float]

_COLOURS = ("red", "green", "blue")
_MOST_GUESSED = 4
_DARK, _BRIGHT = 2.0, 98.0
_SAMPLE_PX = 1024
# Also an average that holds a part of the filling.
_FILLING = 1e30
_SAMPLED_WINDOWS, _WINDOW_PX = 8, 64


def choose_bands(
    facts: Facts, declared: Sequence[int] | None, path: str
) -> tuple[tuple[int, ...], str]:
    """Return one band (grey or a palette) or three (red, green, blue), counted from 1.

    Declared bands win. Otherwise what the file says: red, green and blue, a palette, or a single
    grey band. Three or four bands that say nothing are taken for red, green, blue (and infrared),
    as NAIP and most providers order them.

    Returns:
        The bands, and who says so: ``declared``, ``file`` or ``assumed``.

    Raises:
        UsageError: A declared band does not exist.
        AerialError: More than four bands, and nothing says which are the colours.
    """
    if declared is not None:
        return _declared(declared, facts.count, path), "declared"
    if all(colour in facts.colours for colour in _COLOURS):
        return tuple(facts.colours.index(colour) + 1 for colour in _COLOURS), "file"
    if facts.palette is not None:
        return (1,), "file"
    shown = [n + 1 for n, colour in enumerate(facts.colours) if colour != "alpha"]
    if len(shown) == 1 or (len(shown) == 2 and facts.count == 2):
        return (shown[0],), "file"
    if 3 <= len(shown) <= _MOST_GUESSED:
        return tuple(shown[:3]), "assumed"
    raise AerialError(
        f"{path!r} has {facts.count} bands and does not say which are red, green and blue.",
        hint="Say it, such as --bands 3,2,1.",
        path=path,
    )


def _declared(declared: Sequence[int], count: int, path: str) -> tuple[int, ...]:
    bands = tuple(declared)
    if len(bands) not in (1, 3) or not all(band in range(1, count + 1) for band in bands):
        raise UsageError(
            f"bands must be one or three of the {count} bands of {path!r}, counted from 1. "
            f"Got {','.join(map(str, bands)) or 'none'}.",
            hint="Give red, green and blue, such as --bands 1,2,3.",
            path=path,
        )
    return bands


def checked_range(value_range: Sequence[float] | None) -> ValueRange | None:
    """Return the values that become black and white; raises UsageError unless they ascend."""
    if value_range is None:
        return None
    try:
        pair = tuple(float(v) for v in value_range)
    except (TypeError, ValueError):  # no numbers
        pair = ()
    if len(pair) != 2 or not all(map(math.isfinite, pair)) or not pair[0] < pair[1]:
        raise UsageError(
            f"value_range must be two numbers, the darker first. Got {value_range!r}.",
            hint="Give the values that shall be black and white, such as (0, 3000).",
        )
    return pair[0], pair[1]


def measured_range(file: RasterFile, bands: tuple[int, ...]) -> ValueRange | None:
    """Return the :func:`percentiles` of a file; None for 8-bit values, which are taken as they are.

    Raises:
        AerialUnreadableError: The values are no real numbers, or none is valid.
    """
    if file.facts.dtype_of(bands) == np.uint8:
        return None
    found = percentiles(file, bands)
    if found is None:
        raise no_valid_value(file.path)
    return found


def percentiles(file: RasterFile, bands: tuple[int, ...]) -> ValueRange | None:
    """Return the 2nd and 98th percentile of a file's valid values, of all bands together.

    One range for all bands keeps the colours, and one for the whole file keeps neighbouring
    patches alike.

    A file with overviews is read through the smallest that serves, another by 64 small windows
    spread over it, so that no file is read as a whole.

    Returns:
        Both, or None where no value is valid.

    Raises:
        AerialUnreadableError: The values are no real numbers.
    """
    facts = file.facts
    dtype = facts.dtype_of(bands)
    if dtype.kind not in "iuf":
        raise AerialUnreadableError(
            f"The values of {file.path!r} are of the type {dtype}, which is no picture.",
            hint="Convert it to 8 or 16 bits.",
            path=file.path,
        )
    values = np.concatenate([_valid(file, bands, *part) for part in _parts(facts)])
    if not len(values):
        return None
    dark, bright = np.percentile(values, (_DARK, _BRIGHT))
    return float(dark), float(bright if bright > dark else dark + 1.0)


def no_valid_value(path: str) -> AerialUnreadableError:
    """Return the error of imagery whose values nothing can be measured from."""
    return AerialUnreadableError(
        f"No valid value was found in {path!r}.",
        hint="Check its nodata value, or declare the range of its values (--value-range).",
        path=path,
    )


def _parts(facts: Facts) -> list[tuple[Window, int, int]]:
    """Windows to look at, each with its columns and rows."""
    width, height = facts.width, facts.height
    largest = max(width, height)
    if facts.overviews or largest <= _SAMPLE_PX:
        share = min(1.0, _SAMPLE_PX / largest)
        columns, rows = (max(1, round(side * share)) for side in (width, height))
        return [(Window(0, 0, width, height), columns, rows)]
    wide, tall = min(_WINDOW_PX, width), min(_WINDOW_PX, height)
    lefts = np.linspace(0, width - wide, _SAMPLED_WINDOWS).astype(int)
    tops = np.linspace(0, height - tall, _SAMPLED_WINDOWS).astype(int)
    return [
        (Window(int(left), int(top), wide, tall), wide, tall)
        for top in np.unique(tops)
        for left in np.unique(lefts)
    ]


def _valid(
    file: RasterFile, bands: tuple[int, ...], window: Window, columns: int, rows: int
) -> NDArray[np.float64]:
    values = file.values(bands, window, columns, rows).astype(np.float64)
    valid = is_measured(values)
    if file.facts.masked:
        valid &= file.mask(window, columns, rows)
    return values[valid]


def is_measured(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Say which values a sensor may have measured.

    NaN and infinity are none, and neither is the lowest number of a type or the like, with which
    many programs fill what they do not know, and which not all of them declare.
    """
    return np.asarray(np.abs(values) < _FILLING)


def scaled(values: NDArray[Any], value_range: ValueRange) -> NDArray[np.float32]:
    """Return values as float32, black 0 and white 255; what is not finite becomes black."""
    dark, bright = value_range
    if values.dtype.kind == "f":
        # Before anything overflows.
        values = np.clip(values, dark, bright)
    shades = (values.astype(np.float32) - np.float32(dark)) * np.float32(255.0 / (bright - dark))
    return np.asarray(np.clip(np.nan_to_num(shades, nan=0.0), 0.0, 255.0), np.float32)
