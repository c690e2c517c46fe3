"""What an encoder that holds a classifier sees in photos: vectors and beliefs of one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.geo.partition import Partition
from sightline.locating.classification import classify
from sightline.locating.evidence import Floats
from sightline.locating.queries import VIEWS_AT_ONCE, Query
from sightline.models.protocol import CellEncoder, Vectors


@dataclass(frozen=True, slots=True, eq=False)
class Beliefs:
    """What was seen in n photos, of which panoramas have several views.

    Attributes:
        partition: The finest that the classifier answers in, of m cells.
        vectors: float32 (v, 1, d), one for each view.
        owner: Which photo each view is of, (v,), ascending.
        log_probabilities: float32 (n, m). Of several views the mean probability.
        points: float64 (n, 2), degrees: where the classifier alone places them, which is the
            representative of the most probable cell, or the densest place of a mixture.
    """

    partition: Partition
    vectors: Vectors
    owner: NDArray[np.intp]
    log_probabilities: NDArray[np.float32]
    points: Floats

    def of(self, photos: Sequence[int]) -> Beliefs:
        """Return what was seen in some of the photos, named by their ascending numbers."""
        chosen = np.asarray(photos, np.intp)
        views = np.isin(self.owner, chosen)
        return Beliefs(
            partition=self.partition,
            vectors=self.vectors[views],
            owner=np.searchsorted(chosen, self.owner[views]),
            log_probabilities=self.log_probabilities[chosen],
            points=self.points[chosen],
        )


def believe(queries: Sequence[Query], encoder: CellEncoder) -> Beliefs:
    """Encode and classify all views of all queries, each in one forward pass.

    Args:
        queries: At least one.
        encoder: Whose preparation they went through.

    Raises:
        VectorError: The network returned NaN, infinity or a zero vector.
        UsageError: What the classifier returned are no log-probabilities.
    """
    views = [view for query in queries for view in query.views]
    counts = np.array([len(query.views) for query in queries])
    answers = [
        encoder.classify_prepared(np.stack(views[start : start + VIEWS_AT_ONCE]), "ground")
        for start in range(0, len(views), VIEWS_AT_ONCE)
    ]
    beliefs = np.concatenate([answer.log_probabilities[-1] for answer in answers])
    if len(views) != len(queries):
        starts = np.cumsum(counts) - counts
        beliefs = np.logaddexp.reduceat(beliefs, starts, axis=0)
        beliefs -= np.log(counts, dtype=np.float32)[:, None]
    partition = encoder.answering[-1]
    representatives = classify(beliefs, partition)
    modes = encoder.modes(beliefs)
    return Beliefs(
        partition=partition,
        vectors=np.concatenate([answer.vectors for answer in answers]),
        owner=np.repeat(np.arange(len(queries)), counts),
        log_probabilities=beliefs,
        points=representatives if modes is None else modes,
    )
