"""The world's countries by ISO 3166 code: names, and outlines that need no network.

The outlines are Natural Earth's at 1:10 million (public domain), on a grid of about 400 m, so a
photo taken on a pier or a small islet can fall outside. ``data/README.md`` says where they come
from, what was changed, and why no package from PyPI was fit.
"""

from __future__ import annotations

import difflib
import io
import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon as Outline

from sightline.errors import RegionError
from sightline.geo.coordinates import FloatArray

_FILE = "countries.npz.xz"
_HINT = "Use an ISO 3166-1 code of two or three letters, such as CH or CHE."


@dataclass(frozen=True, slots=True)
class CountryOutline:
    """One country on the map.

    Args:
        alpha2: ISO 3166-1 alpha-2 code (XK stands for Kosovo).
        alpha3: ISO 3166-1 alpha-3 code (XKX stands for Kosovo).
        name: English short name.
        geometry: A shapely MultiPolygon, **longitude first**, within [-180, 180].
    """

    alpha2: str
    alpha3: str
    name: str
    geometry: Outline


def codes() -> tuple[str, ...]:
    """Return the alpha-2 codes that have an outline, in alphabetical order."""
    return tuple(_file()["alpha2"].tolist())


def is_code(text: str) -> bool:
    """Say whether a text is a known alpha-2 or alpha-3 code; case does not matter."""
    return text.strip().upper() in _rows()


def country_outline(code: str) -> CountryOutline:
    """Return a country by its alpha-2 or alpha-3 code; case does not matter.

    Raises:
        RegionError: If no country has the code; suggests the nearest.
    """
    row = _rows().get(code.strip().upper())
    if row is None:
        raise unknown_code(code)
    return _outline(row)


def outlines(tolerance_degrees: float = 0.0) -> Iterator[CountryOutline]:
    """Yield all countries in the order of their alpha-2 codes, to draw a map of the world.

    Args:
        tolerance_degrees: Simplify to this tolerance, and leave out countries and islands that
            then vanish; 0.1 makes about a tenth of the points. 0 keeps everything.
    """
    for row in range(len(codes())):
        country = _outline(row)
        if tolerance_degrees > 0.0:
            simple = country.geometry.simplify(tolerance_degrees, preserve_topology=False)
            parts = [part for part in shapely.get_parts(simple) if not part.is_empty]
            if not parts:
                continue
            kept = Outline(parts)
            country = CountryOutline(country.alpha2, country.alpha3, country.name, kept)
        yield country


def unknown_code(text: str) -> RegionError:
    """Return the error for a code that no country has, with the nearest by code or by name."""
    wanted = text.strip()
    table = _file()
    names = dict(zip(table["name"].tolist(), table["alpha2"].tolist(), strict=True))
    by_name = difflib.get_close_matches(wanted.title(), names, n=1, cutoff=0.75)
    by_code = difflib.get_close_matches(wanted.upper(), list(_rows()), n=3, cutoff=0.5)
    message = f"No country has the ISO 3166 code {wanted!r}."
    if by_name:
        return RegionError(message, hint=f"Did you mean {names[by_name[0]]} ({by_name[0]})?")
    if by_code:
        return RegionError(message, hint=f"Did you mean {', '.join(by_code)}? {_HINT}")
    return RegionError(message, hint=_HINT)


@cache
def _file() -> dict[str, NDArray[np.generic]]:
    packed = resources.files("sightline.geo").joinpath("data", _FILE).read_bytes()
    with np.load(io.BytesIO(lzma.decompress(packed)), allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


@cache
def _rows() -> dict[str, int]:
    table = _file()
    return {code: row for column in ("alpha2", "alpha3") for row, code in enumerate(table[column])}


@cache
def _ends() -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return where each country's polygons, polygon's rings and ring's points end."""
    table = _file()
    return tuple(  # type: ignore[return-value]
        np.concatenate([[0], np.cumsum(table[key], dtype=np.int64)])
        for key in ("polygons", "rings", "points")
    )


@cache
def _outline(row: int) -> CountryOutline:
    table = _file()
    polygon_ends, ring_ends, _ = _ends()
    parts = []
    for polygon in range(polygon_ends[row], polygon_ends[row + 1]):
        shell, *holes = (_ring(ring) for ring in range(ring_ends[polygon], ring_ends[polygon + 1]))
        parts.append(shapely.Polygon(shell, holes))
    alpha2, alpha3, name = (str(table[key][row]) for key in ("alpha2", "alpha3", "name"))
    return CountryOutline(alpha2, alpha3, name, Outline(parts))


def _ring(ring: int) -> FloatArray:
    """Return the points of one ring: the file keeps steps on its grid, the first from zero."""
    table, ends = _file(), _ends()[2]
    steps = table["steps"][:, ends[ring] : ends[ring + 1]]
    return np.asarray(np.cumsum(steps, axis=1).T / table["steps_per_degree"])
