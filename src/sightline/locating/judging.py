"""From matches to estimates: the point, how sure it can be, and whether it is an answer at all."""

from __future__ import annotations

from typing import Literal

import numpy as np

from sightline.atlas.matches import Matches
from sightline.errors import UsageError
from sightline.locating.estimate import Candidate, Estimate
from sightline.locating.evidence import Floats, Placement, require_number
from sightline.locating.methods import Method, MethodSettings, place
from sightline.locating.spread import evidence_radii_m, place_margins

SHARES = (0.5, 0.9)

# Of a softmax in float32.
_ROUNDING = 1e-5

NOT_JUDGED = "Not judged: no threshold for abstaining was given."

AbstainBelow = float | Literal["atlas"] | None


def require_abstain_below(value: AbstainBelow) -> None:
    """Raise a UsageError unless a threshold is a score, ``"atlas"`` or None."""
    if isinstance(value, float | int):
        require_number("abstain_below", value, at_least=-1.0)
    elif value not in (None, "atlas"):
        raise UsageError(
            f"abstain_below must be a score, 'atlas' or None. Got {value!r}.",
            hint="Leave it out to take the threshold that the atlas measured.",
        )


def estimates_of(
    matches: Matches,
    method: Method,
    settings: MethodSettings,
    threshold: float | None,
    no_threshold: str,
) -> list[Estimate | None]:
    """Turn a batch of matches into estimates.

    Args:
        matches: q queries.
        method: How to read them.
        settings: What the method is tuned by.
        threshold: Best score below which an estimate abstains; None to have none.
        no_threshold: What to say in ``reason`` when there is none.

    Returns:
        q estimates, None for a query without matches.
    """
    found = matches.ids >= 0
    scores = np.where(found, matches.scores, np.nan).astype(np.float64)
    placement = place(method, matches.coordinates, scores, settings)
    radii = evidence_radii_m(placement.points, matches.coordinates, placement.weights, SHARES)
    return placed_estimates(matches, placement, radii, method, settings, threshold, no_threshold)


def placed_estimates(
    matches: Matches,
    placement: Placement,
    radii_m: Floats,
    method: str,
    settings: MethodSettings,
    threshold: float | None,
    no_threshold: str,
) -> list[Estimate | None]:
    """Turn matches and what a method read off them into estimates.

    Args:
        matches: q queries.
        placement: Points (q, 2), and the weight of each match.
        radii_m: (q, 2), what holds :data:`SHARES` of the evidence, every match a point.
        method: What the estimates call it.
        settings: As of :func:`estimates_of`.
        threshold: As of :func:`estimates_of`.
        no_threshold: As of :func:`estimates_of`.

    Returns:
        q estimates, None for a query without matches.
    """
    points, weights = placement
    # One match is no point: it shows the same thing from some metres away. That spread, a Gaussian
    # on the ground, adds to the spread of the matches.
    radii = np.hypot(radii_m, settings.reach_m * np.sqrt(-2.0 * np.log1p(-np.array(SHARES))))
    margins = place_margins(points, matches.coordinates, weights, place_m=settings.place_m)
    answers: list[Estimate | None] = []
    for row, count in enumerate(matches.counts):
        if not count:
            answers.append(None)
            continue
        candidates = _candidates(matches, weights, row)
        best = max(candidate.score for candidate in candidates)
        abstained, reason = judge(best, threshold, no_threshold)
        answers.append(
            Estimate(
                lat=float(points[row, 0]),
                lon=float(points[row, 1]),
                radius_50_m=float(radii[row, 0]),
                radius_90_m=float(radii[row, 1]),
                method=method,
                abstained=abstained,
                reason=reason,
                margin=float(margins[row]) if best > 0 else None,
                candidates=candidates,
                threshold=threshold,
            )
        )
    return answers


def _candidates(matches: Matches, weights: Floats, row: int) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(
            lat=float(matches.coordinates[row, column, 0]),
            lon=float(matches.coordinates[row, column, 1]),
            distance=float(matches.distances[row, column]),
            uri=str(matches.uris[row, column]),
            weight=float(weights[row, column]),
            score=float(matches.scores[row, column]),
        )
        for column in np.flatnonzero(matches.ids[row] >= 0)
    )


def judge(best: float, threshold: float | None, no_threshold: str) -> tuple[bool, str | None]:
    """Return whether to abstain, and what to say about it.

    Args:
        best: The best score.
        threshold: The least that is enough; None to have none.
        no_threshold: What to say when there is none.
    """
    if best <= 0:
        return True, (
            f"No reference resembles the photo: the best match scores {best:.3f}, and a score of 0 "
            "is what unrelated photos have on average."
        )
    if threshold is None:
        return False, no_threshold
    if best < threshold:
        return True, (
            f"The best match scores {best:.3f}, below the threshold of {threshold:.3f}: "
            "it may not show the same place."
        )
    return False, None


def judge_cell(
    cell: str, probability: float, threshold: float | None, expected: float | None
) -> tuple[bool, str | None]:
    """Return whether to abstain from a classifier's best cell, and what to say about it.

    Args:
        cell: Its name.
        probability: What the classifier gives it.
        threshold: The least that is enough; None to have none.
        expected: The share of the places that the cells were made of that lies in it, if that is
            what it must exceed: what somebody gives it who has not seen the photo.
    """
    if expected is not None:
        if probability > expected * (1.0 + _ROUNDING):
            return False, None
        return True, (
            f"The classifier sees nothing in the photo that tells its place: the most probable "
            f"cell, {cell}, has a probability of {probability:.3g}, and holds {expected:.3g} of "
            "the places that the cells were made of."
        )
    if threshold is None:
        return False, NOT_JUDGED
    if probability < threshold:
        return True, (
            f"The most probable cell, {cell}, has a probability of {probability:.3g}, below the "
            f"threshold of {threshold:.3g}."
        )
    return False, None
