"""How a retrieval is measured, and what is known of it beside the vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import EvaluationError
from sightline.evaluation.retrieval.relevance import Relevance
from sightline.evaluation.retrieval.space import Distance
from sightline.evaluation.uncertainty import CONFIDENCE, RESAMPLES, group_numbers


@dataclass(frozen=True, slots=True)
class RetrievalSettings:
    """How retrieval is measured.

    Args:
        distance: ``"euclidean"`` (squared), ``"cosine"`` or ``"dot"``; the same among unit vectors.
        both_ways: Let the references ask too that are right for some query.
        confidence: Of intervals, in (0, 1).
        resamples: Of the bootstrap.
        seed: Of all that is drawn.
        device: Torch device where scores are computed.
        same_place_m: Queries nearer than this to a reference are counted as leaked. None counts
            them within 5 m, and warns of nothing: aerial references are supposed to be there.
    """

    distance: Distance = "euclidean"
    both_ways: bool = True
    confidence: float = CONFIDENCE
    resamples: int = RESAMPLES
    seed: int = 0
    device: str = "cpu"
    same_place_m: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """What is known of queries and references beside their vectors; all of it optional.

    Attributes:
        groups: (n,), what a query shares with others, such as a place: whole groups are resampled.
        query_latlon: (n, 2) degrees.
        reference_latlon: (m, 2) degrees.
        query_hashes: (n,), hashes of the content.
        reference_hashes: (m,).
        radius_m: The radius that made the positives, for the record.
        notes: Sentences to pass on.
    """

    groups: Sequence[object] | NDArray[Any] | None = None
    query_latlon: ArrayLike | None = None
    reference_latlon: ArrayLike | None = None
    query_hashes: ArrayLike | None = None
    reference_hashes: ArrayLike | None = None
    radius_m: float | None = None
    notes: Sequence[str] = ()

    @property
    def hashed(self) -> bool:
        """Whether the content of both sides has hashes."""
        return self.query_hashes is not None and self.reference_hashes is not None


def require_context(context: Context, relevance: Relevance) -> None:
    """One row for each query or reference: a single hash would otherwise be every query's."""
    for side, count, names in (
        ("queries", relevance.queries, ("groups", "query_latlon", "query_hashes")),
        ("references", relevance.references, ("reference_latlon", "reference_hashes")),
    ):
        for name in names:
            value = getattr(context, name)
            rows = count if value is None else _rows(name, value)
            if rows != count:
                raise EvaluationError(
                    f"{name} has {rows} rows, and there are {count} {side}.",
                    hint=f"Give one row for each of the {side}, in the same order.",
                )


def _rows(name: str, value: Any) -> int:
    # Groups may be anything that can be counted; of tuples numpy would make columns.
    if name != "groups":
        value = np.asarray(value)
        if value.ndim < (2 if name.endswith("latlon") else 1):
            return 1
    return len(value)


def group_labels(context: Context, relevance: Relevance) -> NDArray[np.int64] | None:
    """Number the queries' groups from 0, int64 (n,); None if each query stands for itself."""
    if context.groups is None:
        return None
    shape = np.shape(context.groups) if isinstance(context.groups, np.ndarray) else (0,)
    if len(shape) != 1:
        raise EvaluationError(
            f"groups must have shape ({relevance.queries},). Got {shape}.",
            hint="Give each query one number or one word.",
        )
    return group_numbers(context.groups, relevance.queries)
