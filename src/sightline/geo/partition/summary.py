"""What a partition is like: its cells, and how well a perfect classifier could do with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sightline.errors import PartitionError
from sightline.geo.coordinates import FloatArray
from sightline.geo.distance import great_circle_m
from sightline.geo.partition.cells import OUTSIDE
from sightline.geo.partition.chunks import Places, run_in_chunks
from sightline.geo.partition.partition import Outside, Partition

LEVELS_KM = {"street": 1.0, "city": 25.0, "region": 200.0, "country": 750.0, "continent": 2500.0}
"""What the papers call the radii of their thresholds (Kordopatis-Zilos et al., section 4.3)."""

THRESHOLDS_KM = tuple(LEVELS_KM.values())


@dataclass(frozen=True, slots=True)
class OracleReport:
    """What a classifier reaches that always names the right cell: the floor under the error.

    Attributes:
        places: How many were asked about.
        outside: How many of them no cell holds; they count as missed at every threshold.
        beyond: By threshold in km, the share of all places farther than that from the
            representative of their cell: no classifier does better with these cells.
        median_km: Of the errors of all places; infinite where half lie outside.
        mean_km: Of the errors of the places inside; None if there are none.
    """

    places: int
    outside: int
    beyond: dict[float, float]
    median_km: float
    mean_km: float | None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values; an infinite median as None."""
        return {
            "places": self.places,
            "outside": self.outside,
            "beyond": {f"{km:g}": share for km, share in self.beyond.items()},
            "median_km": self.median_km if np.isfinite(self.median_km) else None,
            "mean_km": self.mean_km,
        }


def oracle_errors_m(
    partition: Partition, coordinates: ArrayLike, *, outside: Outside = "report"
) -> FloatArray:
    """Return how far each place lies from the representative of its cell.

    Args:
        partition: The cells.
        coordinates: (n, 2) degrees.
        outside: As of :meth:`Partition.assign`.

    Returns:
        Metres of great circle, float64 (n,); infinite for a place in no cell.

    Raises:
        CoordinateError: A place is out of range.
    """
    places = Places(coordinates)
    rows = partition.assign(coordinates, outside=outside)
    errors = np.empty(len(places))

    def fill(some: slice) -> None:
        answers = partition.representatives[np.maximum(rows[some], 0)]
        apart = great_circle_m(places.part(some), answers)
        errors[some] = np.where(rows[some] == OUTSIDE, np.inf, apart)

    run_in_chunks(fill, len(places))
    return errors


def oracle_report(
    partition: Partition,
    coordinates: ArrayLike,
    thresholds_km: Sequence[float] = THRESHOLDS_KM,
    *,
    outside: Outside = "report",
) -> OracleReport:
    """Return how a classifier would do that always names the right cell.

    Args:
        partition: The cells.
        coordinates: (n, 2) degrees, n > 0.
        thresholds_km: The thresholds of accuracy.
        outside: With ``nearest`` a place in no cell goes to the nearest, and is not outside.

    Raises:
        CoordinateError: A place is out of range.
        PartitionError: There is no place.
    """
    errors_km = oracle_errors_m(partition, coordinates, outside=outside) / 1000.0
    if not len(errors_km):
        raise PartitionError(
            "An oracle needs places to be right about. Got none.", hint="Give at least one."
        )
    inside = np.isfinite(errors_km)
    return OracleReport(
        places=len(errors_km),
        outside=int((~inside).sum()),
        beyond={float(km): float((errors_km > km).mean()) for km in thresholds_km},
        median_km=float(np.median(errors_km)),
        mean_km=float(errors_km[inside].mean()) if inside.any() else None,
    )


def summary(partition: Partition) -> dict[str, Any]:
    """Return the facts of a partition as plain values: cells, members, areas, settings."""
    facts: dict[str, Any] = {
        "kind": partition.kind,
        "cells": len(partition),
        "fingerprint": partition.fingerprint,
        "settings": dict(partition.settings),
        "members": None if partition.members is None else _spread(partition.members),
        "area_km2": None if partition.areas_km2 is None else _spread(partition.areas_km2),
    }
    return facts


def _spread(values: FloatArray | np.ndarray[Any, np.dtype[np.int64]]) -> dict[str, float]:
    return {
        "total": float(values.sum()),
        "least": float(values.min()),
        "median": float(np.median(values)),
        "mean": float(values.mean()),
        "most": float(values.max()),
    }
