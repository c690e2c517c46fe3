"""Whose conventions are wanted: the names a person gives, checked."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Literal

from sightline.errors import EvaluationError


def wanted_peers(
    peers: Sequence[str] | Literal["all"], known: Iterable[str], kind: str
) -> list[str]:
    """Return the names of the peers that are asked for.

    Args:
        peers: Names, or ``"all"`` for all that are known.
        known: The names there are.
        kind: What they are conventions of, for the message: ``"retrieval"``, ``"localization"``.

    Raises:
        EvaluationError: No such peer; names it and what there is.
    """
    names = list(known)
    if peers == "all":
        return names
    for peer in peers:
        if peer not in names:
            near = difflib.get_close_matches(peer, names, n=1)
            raise EvaluationError(
                f"There is no {kind} convention {peer!r}.",
                hint=(f"Did you mean {near[0]!r}? " if near else "")
                + f"There are {', '.join(names)}.",
            )
    return list(peers)
