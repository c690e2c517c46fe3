"""Tables and findings of the planet-scale evidence: intervals over photos, means over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from _global_answers import GUESSES, Scores
from _global_claims import FIVE_KM, Claim, Row
from _global_parts import Part
from sightline.evaluation.uncertainty import PairedResult, holm, interval, paired_test

SIGNIFICANT = 0.05
NOT_LOWER = 0.9
HOW = {
    "intervals": "95 %, of the mean over seeds; whole photographers are drawn with a photo's "
    "values of all seeds (percentile bootstrap, 10,000 resamples), so that they tell of other "
    "photos, not of other seeds; those stand beside them",
    "tests": "b less a, sign flips of whole photographers; p after Holm over all tests of the part",
    "holds": "a claim holds if its tests at all radii are significant (5 %) as expected and every "
    "seed's difference has that sign, does not if one radius is so the other way, else nothing was "
    "shown; 'not lower' tests b against nine tenths of a",
}

Floats = NDArray[np.float64]
OfSystem = Mapping[str, Sequence[Scores]]


def report(part: Part, scores: OfSystem, people: Sequence[str]) -> dict[str, Any]:
    """All numbers of a part as JSON has them.

    Args:
        part: What was asked; claims about systems that were not are left out.
        scores: By system, one for each seed.
        people: (n,) who took each test photo.
    """
    first = next(iter(scores.values()))[:1]
    about = [one.about for several in scores.values() for one in several]
    return {
        **HOW,
        "commits_of_runs": sorted({one["commit"] for one in about}),
        "guesses": {
            row: _row(first, row, people) for row in _rows(first[0]) if row.startswith(GUESSES)
        },
        "systems": {name: _system(several, people) for name, several in scores.items()},
        "findings": _findings(
            [one for one in part.claims if {one.a[0], one.b[0]} <= set(scores)], scores, people
        ),
    }


def _system(several: Sequence[Scores], people: Sequence[str]) -> dict[str, Any]:
    first = several[0].about
    same = ("parameters", "dimension", "steps", "cells", "retriever", "notes", "shares")
    return {
        "seeds": len(several),
        **{key: first[key] for key in same if key in first},
        "validation": [round(one.about["validation"], 4) for one in several],
        "train_cpu_s": _median([one.about["train_cpu_s"] for one in several]),
        "ask_cpu_s": _median([one.about["ask_cpu_s"] for one in several]),
        "rows": {
            row: _row(several, row, people)
            for row in _rows(several[0])
            if not row.startswith(GUESSES)
        },
    }


def _rows(one: Scores) -> list[str]:
    """Rows without the radius of those that name a place for each."""
    return list(dict.fromkeys("|".join(key.split("|")[:2]) for key in one.errors))


def _row(several: Sequence[Scores], row: str, people: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for km in FIVE_KM:
        hits = [_hits(one, row, km) for one in several]
        one = interval(np.mean(hits, axis=0), rng=np.random.default_rng(0), groups=people)
        ends = {key: _short(value) for key, value in one.to_json().items()}
        found[f"accuracy@{km:g}km"] = {**ends, "by_seed": [_short(h.mean()) for h in hits]}
    if row in several[0].errors:
        medians = [float(np.median(one.errors[row])) for one in several]
        found["median_error_km"] = [round(x, 1) if np.isfinite(x) else None for x in medians]
    return found


def _hits(one: Scores, row: str, km: float) -> Floats:
    errors = one.errors.get(f"{row}|{km:g}", one.errors.get(row))
    if errors is None:
        raise KeyError(f"{row!r} was not asked for; there are {', '.join(_rows(one))}.")
    return (errors <= km).astype(np.float64)


def _findings(
    claims: Sequence[Claim], scores: OfSystem, people: Sequence[str]
) -> list[dict[str, Any]]:
    tests = [_tested(claim, km, scores, people) for claim in claims for km in claim.at_km]
    adjusted = iter(holm([float(test.p_value or 0.0) for *_, test in tests]))
    measured = iter(tests)
    found = []
    for claim in claims:
        rows = []
        for km in claim.at_km:
            (values, by_seed, test), p = next(measured), next(adjusted)
            ends = {key: _short(getattr(test, key)) for key in ("difference", "low", "high")}
            shown = {"by_seed": [_short(x) for x in by_seed], "p": float(f"{p:.2g}")}
            holds = _holds(claim.expected, float(test.difference or 0.0), by_seed, p)
            rows.append({"km": km, **values, **ends, **shown, "holds": holds})
        found.append(
            {
                "claim": claim.what,
                "source": claim.source,
                "a": " ".join(claim.a),
                "b": " ".join(claim.b),
                "expected": claim.expected,
                "measured": rows,
                "holds": _together([row["holds"] for row in rows]),
            }
        )
    return found


def _tested(
    claim: Claim, km: float, scores: OfSystem, people: Sequence[str]
) -> tuple[dict[str, float | None], list[float], PairedResult]:
    a, b = (_seeds_hits(scores, row, km) for row in (claim.a, claim.b))
    values = {"value_of_a": _short(a.mean()), "value_of_b": _short(b.mean())}
    beside = NOT_LOWER * a if claim.expected == "not lower" else a
    test = paired_test(
        beside.mean(axis=0), b.mean(axis=0), rng=np.random.default_rng(0), groups=people
    )
    return values, (b - beside).mean(axis=1).tolist(), test


def _seeds_hits(scores: OfSystem, row: Row, km: float) -> Floats:
    """(seeds, n) hits."""
    system, name = row
    return np.array([_hits(one, name, km) for one in scores[system]])


def _holds(expected: str, difference: float, by_seed: Sequence[float], p: float) -> str:
    # A difference that one seed has the other way round may be that of the seeds.
    alike = all(one * difference > 0 for one in by_seed)
    if p >= SIGNIFICANT or not alike:
        return "not shown"
    return "yes" if (difference < 0) == (expected == "lower") else "no"


def _together(several: Sequence[str]) -> str:
    if "no" in several:
        return "no"
    return "yes" if set(several) == {"yes"} else "not shown"


def _median(values: Sequence[float]) -> float:
    return round(float(np.median(values)), 1)


def _short(value: float | None) -> float | None:
    # Not -0.0.
    return None if value is None else round(float(value), 5) + 0.0
