"""What the rows as a whole say: counts, coordinates, and what crosses the splits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from sightline.datasets.doctor.finding import Finding
from sightline.datasets.layouts.layout import Layout
from sightline.datasets.manifest import Manifest
from sightline.datasets.manifest.schema import TableName
from sightline.datasets.splits import SplitReport, check

_LAND_SAMPLE = 400
_LAND_TOLERANCE_DEGREES = 0.02

# Of real lists, nine places of ten lie on land as they are spelt, and few do when swapped.
_SWAPPED_ON_LAND, _GIVEN_ON_LAND = 0.8, 0.5

_ROLES = {"query", "database", "gallery", "reference"}
"""Splits that shall show the same places."""

_HINTS = {
    "content": "Remove the copies of one side, or split anew: sightline dataset split.",
    "photographer": "Split by photographer: sightline dataset split --by photographer.",
    "place": "Split by place with a buffer: sightline dataset split --by place.",
}


def places_of(manifest: Manifest) -> NDArray[np.float64]:
    """Return the photos' places, (n, 2) degrees, NaN where unknown."""
    table = manifest.table("photos", columns=["lat", "lon"])
    columns = [
        np.asarray(table.column(name).to_numpy(), dtype=np.float64) for name in ("lat", "lon")
    ]
    return np.column_stack(columns).reshape(-1, 2)


def judged_counts(manifest: Manifest, layout: Layout, *, whole: bool = True) -> Iterator[Finding]:
    """Compare how many rows there are with what the authors state.

    Args:
        manifest: The rows.
        layout: Whose statement.
        whole: Every split was asked for, so that an empty one is told.
    """
    for table, stated in layout.published.items():
        found = _found(manifest, table, tuple(stated))
        for name, count in stated.items():
            if found[name] == 0 and whole and any(found.values()):
                yield Finding(
                    "warning",
                    "count",
                    f"{name} is empty: it has no {table}, and {count:,} are published.",
                    "Unpack the lists and images of this part, or take the others alone.",
                )
            elif found[name] not in (0, count):
                yield Finding(
                    "warning",
                    "count",
                    f"{name} has {found[name]:,} {table}, and {count:,} are published.",
                    "Results on another number of rows do not compare with the papers'.",
                )


def _found(manifest: Manifest, table: TableName, names: tuple[str, ...]) -> dict[str, int]:
    """Count rows by split, or by the start of their uri where the names are folders."""
    columns = ["split"] if table == "pairs" else ["split", "uri"]
    counts = dict.fromkeys(names, 0)
    for batch in manifest.batches(table, columns=columns):
        rows = batch.to_pydict()
        for split, uri in zip(rows["split"], rows.get("uri", [""] * batch.num_rows), strict=True):
            for name in names:
                counts[name] += split == name or uri.startswith(f"{name}/")
    return counts


def judged_places(places: NDArray[np.float64], *, real: bool) -> Iterator[Finding]:
    """Look for coordinates that cannot be meant.

    Args:
        places: (n, 2) degrees, NaN where unknown.
        real: Whether they are on the real Earth, whose land is known.
    """
    known = places[~np.isnan(places).any(axis=1)]
    null = int((np.abs(known) < 1e-9).all(axis=1).sum())
    if null:
        yield Finding(
            "warning",
            "coordinates",
            f"{null} photos lie at exactly 0, 0.",
            "Most often that stands for no place: leave the coordinates empty.",
            null,
        )
    if real and len(known) >= 20:
        yield from _swapped(known)


def _swapped(places: NDArray[np.float64]) -> Iterator[Finding]:
    fits = np.abs(places[:, 1]) <= 90.0
    sample = places[fits][:: max(1, int(fits.sum()) // _LAND_SAMPLE)]
    if len(sample) < 0.9 * min(len(places), _LAND_SAMPLE):
        return
    given, turned = on_land(sample), on_land(sample[:, ::-1])
    if given is None or turned is None:
        return
    if turned > _SWAPPED_ON_LAND and given < _GIVEN_ON_LAND:
        yield Finding(
            "fault",
            "coordinates",
            f"Latitude and longitude look swapped: {given:.0%} of the places lie on land as they "
            f"are, and {turned:.0%} with the two exchanged; the first is "
            f"({places[0, 0]:g}, {places[0, 1]:g}).",
            "Exchange the two columns of the list: latitude comes first.",
            len(places),
        )


def on_land(places: NDArray[np.float64]) -> float | None:
    """Return the share of places that lie in a country's outline; None without shapely."""
    try:
        from sightline.geo.countries import outlines
        from sightline.geo.planar import contains
    except ImportError:  # a box for training alone has no shapely
        return None
    inside = np.zeros(len(places), dtype=bool)
    for country in outlines(_LAND_TOLERANCE_DEGREES):
        if country.alpha2 == "AQ":  # where much of America lies when swapped
            continue
        inside |= contains(country.geometry, places)
    return float(inside.mean())


def judged_pairs(manifest: Manifest) -> Iterator[Finding]:
    """Look for pairs that are in another split than their photo or patch.

    A photo that two lists name is one photo, of the split that names it first.
    """
    pairs = manifest.table("pairs", columns=["id", "photo_id", "patch_id", "split"])
    tables: tuple[TableName, ...] = ("photos", "patches")
    for table, column in zip(tables, ("photo_id", "patch_id"), strict=True):
        rows = manifest.table(table, columns=["id", "split"])
        at = pc.index_in(pairs.column(column), value_set=rows.column("id"))
        theirs = pc.take(rows.column("split"), at)
        # Null where either is in no split.
        crossing = pairs.filter(pc.not_equal(pairs.column("split"), theirs))
        if crossing.num_rows:
            first = crossing.slice(0, 1).to_pylist()[0]
            yield Finding(
                "warning",
                "leak",
                f"{crossing.num_rows} pairs are in another split than their "
                f"{'photo' if table == 'photos' else 'patch'}, such as {first['id']!r} "
                f"({first['split']}) with {first[column]!r}: it is seen in both.",
                "Take it out of one of the lists, or split anew: sightline dataset split.",
                crossing.num_rows,
            )


def judged_leaks(manifest: Manifest, radius_m: float) -> tuple[SplitReport | None, list[Finding]]:
    """Check what crosses the splits: contents, photographers and places, where known."""
    splits = {name for name in manifest.splits() if name}
    if len(splits) < 2 or splits <= _ROLES:
        return None, []
    names = ["id", "split", "photographer", "sha256"]
    columns = manifest.table("photos", columns=names).to_pydict()
    places = places_of(manifest)
    hashed = any(columns["sha256"])
    report = check(
        columns["split"],
        ids=columns["id"],
        latlon=None if np.isnan(places).all() else places,
        photographers=columns["photographer"] if any(columns["photographer"]) else None,
        sha256=columns["sha256"] if hashed else None,
        radius_m=radius_m,
        examples=3,
    )
    lines = report.lines()
    findings = []
    for crossing in report.crossings:
        start = next(at for at, line in enumerate(lines) if line.startswith(f"{crossing.rows} "))
        what = "; ".join(line.strip(": ") for line in lines[start : start + 2])
        findings.append(
            Finding("warning", "leak", f"{what}.", _HINTS[crossing.kind], crossing.rows)
        )
        del lines[: start + 1]
    return report, findings
