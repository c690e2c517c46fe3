"""The JSON document of ``sightline locate --json``: a contract with scripts.

``assets/locate.schema.json`` states it. New keys may be added under the same schema name; a key
that is removed or changes its meaning changes the name.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from sightline.geo.distance import great_circle_m
from sightline.report.places import PlaceName, place_names
from sightline.report.provenance import Provenance

if TYPE_CHECKING:
    from sightline.imagery import ExifPlace
    from sightline.locating.estimate import Candidate, Estimate, LevelAnswer
    from sightline.locating.locator import AnyLocator, LocatedPhoto

SCHEMA = "sightline.locate/1"


def locate_document(
    results: Sequence[LocatedPhoto], locator: AnyLocator | None = None
) -> dict[str, Any]:
    r"""Return results as one document of plain dicts, lists, strings and finite numbers.

    A path that is no UTF-8 keeps its bytes as surrogate escapes, which ``json.dumps`` writes as
    ``\udcXX``: ``os.fsencode(document["photos"][0]["path"])`` gives back the file's name.

    Args:
        results: What a locator said of each photo, in their order.
        locator: The locator that said it, for versions and hashes.

    Raises:
        DependencyError: The table of towns cannot be read.
    """
    estimates = [result.estimate for result in results if result.estimate is not None]
    places = iter(place_names([(estimate.lat, estimate.lon) for estimate in estimates]))
    return {
        "schema": SCHEMA,
        **Provenance.of(locator).to_json(),
        "photos": [
            _photo(result, next(places) if result.estimate is not None else None)
            for result in results
        ],
    }


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the document."""
    return read_schema("locate.schema.json")


def read_schema(name: str) -> dict[str, Any]:
    """Return a schema of ``assets``."""
    text = files("sightline.report").joinpath("assets", name).read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def finite(value: float | None) -> float | None:
    """Return a number that JSON can hold; unknown, NaN and infinity are None."""
    return None if value is None or not math.isfinite(value) else float(value)


def _photo(result: LocatedPhoto, place: PlaceName | None) -> dict[str, Any]:
    estimate = result.estimate
    return {
        "path": str(result.path),
        "sha256": result.sha256,
        "exif": None if result.photo_place is None else _exif(result.photo_place, result),
        "exif_problem": result.place_problem,
        "estimate": None if estimate is None else _estimate(estimate, place),
        "candidates": [] if estimate is None else [_candidate(c) for c in estimate.candidates],
        "error": None if result.error is None else result.error.to_json(),
    }


def _exif(place: ExifPlace, result: LocatedPhoto) -> dict[str, Any]:
    return {
        "lat": float(place.lat),
        "lon": float(place.lon),
        "altitude_m": finite(place.altitude_m),
        "heading_degrees": finite(place.heading_degrees),
        "accuracy_m": finite(place.accuracy_m),
        "to_estimate_m": finite(result.exif_to_estimate_m),
    }


def _estimate(estimate: Estimate, place: PlaceName | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "lat": float(estimate.lat),
        "lon": float(estimate.lon),
        "radius_50_m": finite(estimate.radius_50_m),
        "radius_90_m": finite(estimate.radius_90_m),
        "method": estimate.method,
        "abstained": bool(estimate.abstained),
        "reason": estimate.reason,
        "margin": finite(estimate.margin),
        "threshold": finite(estimate.threshold),
        "place": None if place is None else place_json(place),
    }
    if estimate.patch_m is not None:
        found |= _of_patch(estimate)
    if estimate.cells:
        found["cells"] = [asdict(cell) for cell in estimate.cells]
        found["mass"] = finite(estimate.mass)
    if estimate.levels:
        found["levels"] = _levels(estimate.levels)
    if estimate.alternatives:
        found["alternatives"] = _alternatives(estimate)
    if estimate.notes:
        found["notes"] = list(estimate.notes)
    return found


def _levels(levels: Sequence[LevelAnswer]) -> list[dict[str, Any]]:
    places = place_names([(answer.lat, answer.lon) for answer in levels])
    return [
        {**asdict(answer), "place": place_json(place)}
        for answer, place in zip(levels, places, strict=True)
    ]


def _alternatives(estimate: Estimate) -> list[dict[str, Any]]:
    points = [(other.lat, other.lon) for other in estimate.alternatives]
    apart = great_circle_m((estimate.lat, estimate.lon), points)
    rows = zip(estimate.alternatives, place_names(points), apart.tolist(), strict=True)
    return [
        {
            "method": other.method,
            "lat": float(other.lat),
            "lon": float(other.lon),
            "radius_50_m": finite(other.radius_50_m),
            "radius_90_m": finite(other.radius_90_m),
            "abstained": bool(other.abstained),
            "reason": other.reason,
            "to_estimate_m": apart_m,
            "place": place_json(place),
        }
        for other, place, apart_m in rows
    ]


def _of_patch(said: Estimate | Candidate) -> dict[str, Any]:
    """What only answers from aerial patches hold."""
    return {
        "heading_degrees": finite(said.heading_degrees),
        "patch_m": finite(said.patch_m),
    }


def place_json(place: PlaceName) -> dict[str, Any]:
    """Return a place in words as the document holds it."""
    return {
        "text": str(place),
        "town": place.town,
        "state": place.state,
        "country": place.country,
        "country_code": place.country_code,
        "distance_m": round(place.distance_m, 1),
        "direction": place.direction,
    }


def _candidate(candidate: Candidate) -> dict[str, Any]:
    found = {
        "lat": float(candidate.lat),
        "lon": float(candidate.lon),
        "distance": finite(candidate.distance),
        "uri": str(candidate.uri),
        "weight": finite(candidate.weight),
        "score": finite(candidate.score),
    }
    return found if candidate.patch_m is None else {**found, **_of_patch(candidate)}
