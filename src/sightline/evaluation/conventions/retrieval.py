"""Retrieval scores as published code would return them on the same input.

Input are counts (:class:`~sightline.evaluation.retrieval.ranks.Ranks`), never vectors. The
published code compares floating-point distances and leaves near ties to rounding; here the ranks
come with ties decided, so that a number can differ from an old log by the queries whose fate
rounding decided.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from sightline.errors import EvaluationError
from sightline.evaluation.conventions.layouts import LAYOUTS, Native, kept_shares, search_space
from sightline.evaluation.conventions.outcome import Order, count
from sightline.evaluation.conventions.published import PEERS, PUBLISHED
from sightline.evaluation.retrieval.ranks import Ranks


def published(
    name: str,
    ranks: Ranks,
    reverse: Ranks | None = None,
    *,
    order: Order = "descending",
    pair_distances: ArrayLike | None = None,
) -> Native:
    """Return what one published function returns: its structure, units, order and rounding.

    Args:
        name: A function of :data:`~.published.PUBLISHED`.
        ranks: Queries (ground) asking references (satellite), ``every`` included for the
            functions that sort.
        reverse: References asking queries, for the functions that look the other way.
        order: By reference number, how ties stand in the functions that sort. A stable sort leaves
            them ``descending``, because those functions sort upwards and turn the result round;
            numpy's default sort leaves them in an order of its own.
        pair_distances: Euclidean distance of each pair (n,), for the three boundaries that
            image-locate returns beside its shares. They are None without.

    Raises:
        EvaluationError: No such function, or it cannot be run on this input; says why.
    """
    if name not in PUBLISHED:
        raise EvaluationError(
            f"There is no published function {name!r}.",
            hint=f"There are {', '.join(PUBLISHED)}.",
        )
    if order not in ("descending", "ascending"):
        raise EvaluationError(
            f"order must be 'descending' or 'ascending'. Got {order!r}.",
            hint="A stable sort leaves ties in descending order.",
        )
    function = PUBLISHED[name]
    _require_fit(name, ranks, reverse)
    if function.layout == "search space" and reverse is not None:
        return search_space(kept_shares(reverse), pair_distances)
    found = LAYOUTS[function.layout](count(function, ranks, order))
    if function.layout == "both ways" and reverse is not None:
        return [found, LAYOUTS[function.layout](count(function, reverse, order))]
    return found


def published_results(
    ranks: Ranks,
    reverse: Ranks | None = None,
    *,
    semi_positives: bool = False,
    order: Order = "descending",
    pair_distances: ArrayLike | None = None,
) -> dict[str, dict[str, Native]]:
    """Return ``{peer: {function: result}}`` for every published function that fits the input.

    Args:
        ranks: As for :func:`published`.
        reverse: As for :func:`published`.
        semi_positives: Whether the data has semi-positives. The functions that forgive them are
            left out if not.
        order: As for :func:`published`.
        pair_distances: As for :func:`published`.
    """
    return {
        peer: {
            PUBLISHED[name].function: published(
                name, ranks, reverse, order=order, pair_distances=pair_distances
            )
            for name in fitting
        }
        for peer, fitting in _fitting(ranks, reverse, semi_positives).items()
    }


def conventions(
    ranks: Ranks,
    reverse: Ranks | None = None,
    *,
    semi_positives: bool = False,
    order: Order = "descending",
) -> dict[str, dict[str, float]]:
    """Return ``{peer: {metric: share}}``: every peer's verdict on one input, under our names.

    The names are ours, the numbers theirs: ``recall@1`` of image-locate is what it prints as top 1
    although it counts rank 2 as well, and its ``pssr`` is the share of references that is kept. Of
    a peer's functions the first that fits speaks (:data:`~.published.PEERS`); a peer none of whose
    functions fits is left out. Numbers that a function has no place for are left out too: the
    series of SAFA, L2LTR and GeoDTR+ end at 1 %.

    Args:
        ranks: As for :func:`published`.
        reverse: As for :func:`published`.
        semi_positives: As for :func:`published_results`.
        order: As for :func:`published`.

    Returns:
        Shares between 0 and 1; ``mean_rank`` and ``median_rank`` as they are.
    """
    table: dict[str, dict[str, float]] = {}
    for peer, fitting in _fitting(ranks, reverse, semi_positives).items():
        table[peer] = {}
        searches = [name for name in fitting if PUBLISHED[name].layout == "search space"]
        recalls = [name for name in fitting if PUBLISHED[name].layout != "search space"]
        for name in recalls[:1]:
            table[peer] |= count(PUBLISHED[name], ranks, order).shares()
        if searches and reverse is not None:
            table[peer]["pssr"] = float(kept_shares(reverse).mean())
    return table


def _fitting(ranks: Ranks, reverse: Ranks | None, semi_positives: bool) -> dict[str, list[str]]:
    """Names of the functions that fit, by peer."""
    fitting = {
        peer: [
            name
            for name in names
            if _fits(name, ranks, reverse)
            and (semi_positives or not PUBLISHED[name].semi_positives)
        ]
        for peer, names in PEERS.items()
    }
    return {peer: names for peer, names in fitting.items() if names}


def _fits(name: str, ranks: Ranks, reverse: Ranks | None) -> bool:
    try:
        _require_fit(name, ranks, reverse)
    except EvaluationError:
        return False
    return True


def _require_fit(name: str, ranks: Ranks, reverse: Ranks | None) -> None:
    """Raise where the published code could not have been run on this input."""
    function = PUBLISHED[name]
    n, m = ranks.queries, ranks.references
    if n == 0:
        raise EvaluationError(f"{name} needs at least one query.", hint="Give a query.")
    if m < function.least_references:
        raise EvaluationError(
            f"{name} reads place {function.least_references} of a sorted row, and there are {m} "
            "references.",
            hint="Score with Sightline's own metrics, which any number of references suits.",
        )
    if function.comparison != "sorted":
        _require_one_positive(name, ranks)
    elif ranks.every is None:
        raise EvaluationError(
            f"{name} sorts all positives, and their counts are missing.",
            hint="Call rank with every_positive=True.",
        )
    if function.pairs:
        _require_pairs(name, ranks)
    if function.reverse:
        _require_reverse(name, ranks, reverse)


def _require_one_positive(name: str, ranks: Ranks) -> None:
    several = np.flatnonzero(ranks.positives != 1)
    if len(several):
        raise EvaluationError(
            f"{name} knows one positive per query, and query {several[0]} has "
            f"{ranks.positives[several[0]]}.",
            hint="Give one positive each, or take 'university', which knows several.",
        )
    ignored = ranks.references - ranks.candidates
    junk = np.flatnonzero(ignored)
    if len(junk):
        raise EvaluationError(
            f"{name} knows no junk, and query {junk[0]} ignores {ignored[junk[0]]} references.",
            hint="Take 'university', which leaves junk out.",
        )


def _require_pairs(name: str, ranks: Ranks) -> None:
    if ranks.queries != ranks.references:
        raise EvaluationError(
            f"{name} is written for pairs, and there are {ranks.queries} queries and "
            f"{ranks.references} references.",
            hint="Give as many references as queries.",
        )
    if not ranks.distinct:
        raise EvaluationError(
            f"{name} is written for pairs, and some reference is the positive of two queries.",
            hint="Give every query a reference of its own, or take a peer that needs no pairs, as "
            "'transgeo'.",
        )


def _require_reverse(name: str, ranks: Ranks, reverse: Ranks | None) -> None:
    if reverse is None:
        raise EvaluationError(
            f"{name} asks from the references, and reverse is missing.", hint="Rank both ways."
        )
    if (reverse.queries, reverse.references) != (ranks.references, ranks.queries):
        raise EvaluationError(
            f"{name} needs the same {ranks.queries} pairs in reverse, and there {reverse.queries} "
            f"references ask {reverse.references} queries.",
            hint="Rank the same pairs both ways.",
        )
    _require_one_positive(name, reverse)
