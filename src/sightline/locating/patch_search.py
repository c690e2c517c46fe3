"""Photos to query vectors, and those to the distinct patches of an aerial atlas that fit best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.atlas.matches import Matches, SearchWay
from sightline.locating.aerial_queries import AerialQuery
from sightline.locating.patches import Patches, distinct_patches
from sightline.locating.searchable import AerialAtlas
from sightline.models.protocol import CrossViewEncoder, GroundQueries

if TYPE_CHECKING:
    from sightline.geo.region import Region


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """One photo's query vectors, and where its views look."""

    queries: GroundQueries
    turns: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a search found for one photo.

    Attributes:
        patches: Best first.
        all_of_them: Whether these are all patches that there are to compare with.
    """

    patches: Patches
    all_of_them: bool


class PatchSearch:
    """Asks an atlas for patches.

    Args:
        atlas: Of aerial patches.
        encoder: The one that built it.
        mode: How to search.
    """

    def __init__(self, atlas: AerialAtlas, encoder: CrossViewEncoder, mode: SearchWay) -> None:
        self._atlas = atlas
        self._encoder = encoder
        self._mode: SearchWay = mode

    def asked(self, queries: Sequence[AerialQuery]) -> list[Asked]:
        """Encode all views of n photos, those of known heading apart from the others."""
        found: dict[int, Asked] = {}
        for known in (False, True):
            chosen = [n for n, q in enumerate(queries) if (q.heading_degrees is not None) == known]
            if not chosen:
                continue
            batch = np.stack([view for n in chosen for view in queries[n].views])
            turns = [np.array(queries[n].turns) for n in chosen]
            headings = None
            if known:
                headings = np.concatenate(
                    [queries[n].heading_degrees + t for n, t in zip(chosen, turns, strict=True)]
                )
            made = self._encoder.ground_queries(batch, headings)
            ends = np.cumsum([len(t) for t in turns])
            for n, turn, end in zip(chosen, turns, ends, strict=True):
                rows = slice(int(end) - len(turn), int(end))
                part = replace(
                    made,
                    vectors=made.vectors[rows],
                    headings=made.headings[rows],
                    scales=made.scales[rows],
                )
                found[n] = Asked(part, turn)
        return [found[n] for n in range(len(queries))]

    def best(self, asked: Sequence[Asked], count: int, region: Region | None) -> list[Found]:
        """Find the patches that fit best; rows of all turns are asked for.

        Args:
            asked: n photos.
            count: Patches wanted for each, or a few more.
            region: Only patches inside it.

        Returns:
            n answers; those to several headings of a photo may together hold more than ``count``.
        """
        vectors = np.concatenate(
            [one.queries.vectors.reshape(-1, 1, self._encoder.dimension) for one in asked]
        )
        matches = self._atlas.search(
            vectors,
            count * self._encoder.aerial_turns,
            mode=self._mode,
            region=region,
            # What re-ranks and pools photos would mix patches of different places.
            rerank=0,
            pool_m=0.0,
            fingerprint=self._encoder.fingerprint,
        )
        answers, start = [], 0
        for one in asked:
            stop = start + one.queries.headings.size
            own = _rows(matches, slice(start, stop))
            # Only a scan that runs short has seen everything.
            short = matches.mode == "exact" and bool((own.ids < 0).any())
            answers.append(Found(distinct_patches(own, one.queries, one.turns), short))
            start = stop
        return answers


def _rows(matches: Matches, rows: slice) -> Matches:
    return replace(
        matches,
        ids=matches.ids[rows],
        scores=matches.scores[rows],
        coordinates=matches.coordinates[rows],
        uris=matches.uris[rows],
        views=matches.views[rows],
        headings=matches.headings[rows],
    )
