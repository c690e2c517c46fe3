"""Many queries at once, where the error of one must not take the others along."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from sightline.errors import SightlineError
from sightline.locating.estimate import Estimate

AnyQuery = TypeVar("AnyQuery")
Answer = Estimate | SightlineError


def attempt_all(
    answers_of: Callable[[Sequence[AnyQuery]], list[Answer]], queries: Sequence[AnyQuery]
) -> list[Answer]:
    """Answer all queries together or, where that raises, one by one.

    Args:
        answers_of: Answers n queries; may raise for the sake of one.
        queries: n of them.

    Returns:
        n estimates or errors.
    """
    try:
        return answers_of(queries)
    except SightlineError as error:
        if len(queries) == 1:
            return [error]
    # Whose error it was shows only one by one.
    return [answer for query in queries for answer in attempt_all(answers_of, [query])]
