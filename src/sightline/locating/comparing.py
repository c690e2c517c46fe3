"""One photo, one forward pass, every method: what each of them says, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from sightline.atlas.matches import SearchWay
from sightline.errors import SightlineError, UsageError
from sightline.imagery.photo import Photo
from sightline.locating.attempts import attempt_all
from sightline.locating.cell_beliefs import Beliefs, believe
from sightline.locating.cell_locator import CellLocator
from sightline.locating.estimate import Estimate
from sightline.locating.locator import Locator, check_exclusions
from sightline.locating.queries import Query, encode_queries
from sightline.locating.searchable import Near, SearchableAtlas
from sightline.models.protocol import CellEncoder, Encoder, Vectors

Comparable = Locator | CellLocator


class ComparingLocator:
    """Answers with one method, and says beside it what the others answer to the same vectors.

    Args:
        chosen: Whose answers they are.
        others: With the same encoder; their answers stand in ``alternatives``, in this order. One
            that has none for a photo is left out there.

    Raises:
        UsageError: Nothing to compare, or locators of different encoders.
    """

    def __init__(self, chosen: Comparable, others: Sequence[Comparable]) -> None:
        if not others:
            raise UsageError(
                f"There is no other method to compare {chosen.method!r} with.",
                hint="Give an atlas, or leave the comparison out.",
            )
        if any(other.encoder is not chosen.encoder for other in others):
            raise UsageError(
                "Locators that are compared must share one encoder.",
                hint="Make them with the same loaded model.",
            )
        self.chosen = chosen
        self.others = tuple(others)

    @property
    def atlas(self) -> SearchableAtlas | None:
        """Of the chosen method."""
        return self.chosen.atlas

    @property
    def encoder(self) -> Encoder:
        """Of all of them."""
        return self.chosen.encoder

    @property
    def mode(self) -> SearchWay:
        """Of the chosen method."""
        return self.chosen.mode

    def prepare(self, photo: Photo) -> Query:
        """Make a photo ready; thread-safe."""
        return self.chosen.prepare(photo)

    def attempt(self, queries: Sequence[Query]) -> list[Estimate | SightlineError]:
        """Locate prepared photos; the error of one is its own answer and stops no other."""
        return attempt_all(self._answers, queries)

    def locate_many(
        self,
        photos: Sequence[Photo],
        *,
        exclude_within_m: tuple[ArrayLike, float] | None = None,
        exclude_sha256: Sequence[str | None] | None = None,
    ) -> list[Estimate | SightlineError]:
        """Locate photos together; for measuring methods on the same queries.

        Args:
            photos: n of them.
            exclude_within_m: As of :meth:`Locator.locate_many`.
            exclude_sha256: As of :meth:`Locator.locate_many`.

        Returns:
            n estimates of the chosen method with ``alternatives``, or its errors.
        """
        near = None
        if exclude_within_m is not None:
            near = (np.asarray(exclude_within_m[0], dtype=np.float64), exclude_within_m[1])
        return self._answers([self.prepare(photo) for photo in photos], near, exclude_sha256)

    def _answers(
        self,
        queries: Sequence[Query],
        near: Near | None = None,
        hashes: Sequence[str | None] | None = None,
    ) -> list[Estimate | SightlineError]:
        check_exclusions(near, hashes, len(queries))
        if not queries:
            return []
        beliefs: Beliefs | None = None
        vectors: Vectors
        if isinstance(self.encoder, CellEncoder):
            beliefs = believe(queries, self.encoder)
            vectors, owner = beliefs.vectors, beliefs.owner
        else:
            vectors, owner = encode_queries(queries, self.encoder)

        def said(locator: Comparable) -> Sequence[Estimate | SightlineError]:
            if isinstance(locator, Locator):
                return locator.answers(queries, vectors, owner, near, hashes)
            assert beliefs is not None  # noqa: S101 - a CellLocator has no other encoder
            return locator.estimates(beliefs, near, hashes)

        others = list(zip(*map(said, self.others), strict=True))
        return [
            _beside(answer, alternatives)
            for answer, alternatives in zip(said(self.chosen), others, strict=True)
        ]


def _beside(
    answer: Estimate | SightlineError, others: Sequence[Estimate | SightlineError]
) -> Estimate | SightlineError:
    if isinstance(answer, SightlineError):
        return answer
    found = tuple(other for other in others if isinstance(other, Estimate))
    return replace(answer, alternatives=found)
