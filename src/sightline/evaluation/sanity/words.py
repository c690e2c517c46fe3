"""The warnings of an evaluation, in words: one sentence for each thing that misleads."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from sightline.evaluation.retrieval.relevance import Relevance
from sightline.evaluation.sanity.collapse import Collapse, alarm
from sightline.evaluation.sanity.leakage import Leak

# Half a point of recall: less is not worth a sentence.
_WORTH_SAYING = 0.005

# Standard errors within which a score counts as chance.
_STANDARD_ERRORS = 2.0

# From this share on, copies are worth a warning.
_SOME_COPIES = 0.01

# Lengths that float16 rounding leaves equal differ by less.
_LENGTH_SLACK = 1e-3


def percent(share: float) -> str:
    """Write a share with three digits: 0.475 is "47.5 %"; only what is 1 is "100 %"."""
    if 0.9995 <= share < 1.0:
        return "over 99.9 %"
    if 0.0 < share < 1e-6:
        return "under 0.0001 %"
    return f"{100.0 * share:.3g} %"


def tie_warnings(
    policies: Mapping[str, Mapping[str, float]], chance: Mapping[str, float], queries: int
) -> list[str]:
    """Call out recall that the order of ties makes.

    Args:
        policies: Scores under "expected", "optimistic" and "pessimistic", each by metric.
        chance: Scores of a random order, by metric.
        queries: How many queries there are.

    Returns:
        A sentence about scores that beat chance only if ties are broken in the model's favour, and
        one about the score that the order of ties moves most among the others.
    """
    expected, optimistic = policies["expected"], policies["optimistic"]
    pessimistic = policies["pessimistic"]
    by_ties: list[str] = []
    moved: list[str] = []
    for metric in expected:
        if not (metric.startswith("recall@") or metric == "hit_rate") or metric not in chance:
            continue
        if optimistic[metric] - pessimistic[metric] < _WORTH_SAYING:
            continue
        level = chance[metric]
        reached = level + _STANDARD_ERRORS * math.sqrt(level * (1.0 - level) / max(queries, 1))
        # Both are exact means: they differ by rounding where they are equal.
        wins_by_ties = expected[metric] <= reached + 1e-9 < optimistic[metric]
        (by_ties if wins_by_ties else moved).append(metric)
    sentences = []
    if by_ties:
        first, *others = by_ties
        sentence = (
            f"{_named(first)} is {percent(optimistic[first])} only if every tie is broken in the "
            f"model's favour; under a random order of ties it is {percent(expected[first])}, no "
            f"better than chance ({percent(chance[first])})."
        )
        if others:
            sentence += f" The same holds for {', '.join(map(_named, others))}."
        sentences.append(_capital(sentence))
    if moved:
        most = max(moved, key=lambda metric: optimistic[metric] - pessimistic[metric])
        sentences.append(
            f"The order of ties alone moves {_named(most)} between {percent(pessimistic[most])} "
            f"and {percent(optimistic[most])}; under a random order it is "
            f"{percent(expected[most])}."
        )
    return sentences


def collapse_warnings(queries: Collapse, references: Collapse) -> list[str]:
    """Say that the model is collapsed and why; or else, that many vectors are copies."""
    reasons = alarm(queries, references)
    if reasons:
        return [f"The model has collapsed. {' '.join(reasons)}"]
    sentences = []
    for name, side in (("queries", queries), ("references", references)):
        if side.duplicates >= _SOME_COPIES:
            sentences.append(
                f"{percent(side.duplicates)} of the {name} are copies of an earlier one: among "
                "equal vectors no model can choose."
            )
        elif side.near_duplicates >= _SOME_COPIES and side.told_by_directions:
            sentences.append(
                f"About {percent(side.near_duplicates)} of the {name} differ from an earlier "
                "one by hardly more than rounding."
            )
    return sentences


def leakage_warnings(
    queries: int,
    *,
    content: Leak | None = None,
    vectors: Leak | None = None,
    place: Leak | None = None,
    radius_m: float | None = None,
) -> list[str]:
    """Say what queries and references share.

    Args:
        queries: How many queries there are.
        content: By hashes of content.
        vectors: By equal vectors; said only where there are no hashes of content.
        place: By places within ``radius_m``.
        radius_m: Metres.
    """
    sentences = []
    if content is not None and content.queries:
        sentences.append(
            f"{content.queries} of {queries} queries are themselves among the references "
            f"({_examples(content)}): finding them says nothing about places."
        )
    if content is None and vectors is not None and vectors.queries:
        sentences.append(
            f"{vectors.queries} of {queries} queries have the very vector of a reference "
            f"({_examples(vectors)}): they may be the same photos."
        )
    if place is not None and place.queries:
        sentences.append(
            f"{place.queries} of {queries} queries were taken within {radius_m:g} m of a reference "
            f"({_examples(place)}): between photos from the ground that flatters."
        )
    return sentences


def unanswerable_warnings(relevance: Relevance) -> list[str]:
    """Say how many queries have nothing to find."""
    without = np.flatnonzero(relevance.positives.lengths == 0)
    if not len(without):
        return []
    sentence = (
        f"{len(without)} of {relevance.queries} queries have no positive (the first is row "
        f"{without[0]}): they count as misses."
    )
    return [sentence]


def length_warnings(shortest: float, longest: float, name: str, distance: str) -> list[str]:
    """Say that what is ranked differs in length, so that the choice of distance changes the order.

    Args:
        shortest: The least length of the vectors that are ranked: those of the references. (The
            length of a query changes no order where references are equally long.)
        longest: The greatest.
        name: What they are.
        distance: The one that was used.
    """
    if longest - shortest <= _LENGTH_SLACK * longest:
        return []
    sentence = (
        f"The {name} differ in length ({shortest:.3g} to {longest:.3g}), so that dot product, "
        f"cosine and Euclidean distance rank them differently; {distance} was used."
    )
    return [sentence]


def swapped_warnings(swapped: bool) -> list[str]:
    """Say that coordinates look exchanged."""
    sentence = (
        "Latitude and longitude of the queries or of the references look exchanged: the queries "
        "lie far from every reference as given, and near them the other way round."
    )
    return [sentence] if swapped else []


def _named(metric: str) -> str:
    return "the hit rate" if metric == "hit_rate" else metric.replace("recall", "Recall")


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _examples(leak: Leak) -> str:
    shown = ", ".join(f"query {query} and reference {other}" for query, other in leak.examples[:2])
    return f"{shown}, ..." if leak.queries > 2 else shown
