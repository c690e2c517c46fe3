"""What an evaluation of a model of places found, and the JSON of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sightline.benchmark.seen import Queries, References
from sightline.benchmark.tables import AccuracyTable
from sightline.evaluation.localization import LocalizationSettings
from sightline.evaluation.results.schema import SCHEMA
from sightline.evaluation.uncertainty import Interval
from sightline.geo.coordinates import LatLng
from sightline.version import __version__


@dataclass(frozen=True, slots=True)
class SetShare:
    """How often neighbours are of one set of references.

    Attributes:
        name: Of the set.
        of_all: Its share of all references.
        among: Its mean share among the k nearest, by k.
    """

    name: str
    of_all: float
    among: Mapping[int, Interval]

    def to_json(self) -> dict[str, Any]:
        """Return the share as the document holds it."""
        return {
            "name": self.name,
            "of_all": self.of_all,
            "among": {str(k): found.to_json() for k, found in self.among.items()},
        }


@dataclass(frozen=True, slots=True, eq=False)
class EvaluatedSet:
    """What became of one set of photos.

    Attributes:
        queries: The photos.
        references: What they were compared with.
        tables: The methods first, then what was asked for besides.
        shares: Of each set of references among the neighbours; empty where not asked.
        guesses: Places that are always answered.
    """

    queries: Queries
    references: Sequence[References]
    tables: Sequence[AccuracyTable]
    shares: Sequence[SetShare]
    guesses: Mapping[str, LatLng]

    def to_json(self) -> dict[str, Any]:
        """Return the set as the document holds it."""
        groups = self.queries.groups
        return {
            "name": self.queries.name,
            "n_photos": len(self.queries),
            "n_failed": int(self.queries.broken.sum()),
            "n_photographers": None if groups is None else len(set(groups)),
            "references": [
                {
                    "name": one.name,
                    "n_references": len(one),
                    "n_background": None if one.placed is None else int(one.placed.sum()),
                    "left_out": dict(one.left_out),
                }
                for one in self.references
            ],
            "guesses": {
                name: {"lat": place.lat, "lon": place.lon} for name, place in self.guesses.items()
            },
            "tables": [table.to_json() for table in self.tables],
            "shares": [share.to_json() for share in self.shares],
        }


@dataclass(frozen=True, slots=True, eq=False)
class GlobalEvaluation:
    """The whole evaluation of one model.

    Attributes:
        name: Of the model.
        sets: One for each set of photos.
        settings: How it was measured.
        warnings: What looks wrong, in sentences.
    """

    name: str
    sets: Sequence[EvaluatedSet]
    settings: LocalizationSettings
    warnings: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """Return the document of schema ``sightline.evaluation/1``, kind ``global``."""
        settings = self.settings.to_json()
        settings.pop("thresholds_km")
        return {
            "schema": SCHEMA,
            "kind": "global",
            "name": self.name,
            "sightline_version": __version__,
            "settings": settings,
            "sets": [one.to_json() for one in self.sets],
            "warnings": list(self.warnings),
        }
