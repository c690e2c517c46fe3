"""A whole evaluation of a retrieval model, from its vectors to the JSON of all that is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sightline.errors import EvaluationError
from sightline.evaluation.conventions import (
    PEERS,
    Native,
    published_results,
)
from sightline.evaluation.conventions import conventions as convention_shares
from sightline.evaluation.results.baselines import baselines
from sightline.evaluation.results.context import (
    Context,
    RetrievalSettings,
    group_labels,
    require_context,
)
from sightline.evaluation.results.leaks import leak_warnings, leaks, same_place_m, swap_warnings
from sightline.evaluation.results.peers import wanted_peers
from sightline.evaluation.results.schema import SCHEMA
from sightline.evaluation.retrieval.metrics import (
    metrics_of,
    recall_depths,
)
from sightline.evaluation.retrieval.per_query import TIES, PerQuery, recall
from sightline.evaluation.retrieval.ranks import Ranks, rank
from sightline.evaluation.retrieval.reduction import pssr, search_space_at_recall
from sightline.evaluation.retrieval.relevance import Relevance
from sightline.evaluation.retrieval.scan import Progress
from sightline.evaluation.retrieval.vectors import Chosen, Vectors, VectorsLike, open_vectors
from sightline.evaluation.sanity import (
    Collapse,
    Leak,
    alarm,
    collapse_of,
    collapse_warnings,
    length_warnings,
    tie_warnings,
    unanswerable_warnings,
)
from sightline.evaluation.uncertainty import (
    Interval,
    finite,
    interval,
)
from sightline.version import __version__

_CURVE_POINTS = 60
_HISTOGRAM_BINS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The metrics of one direction.

    Attributes:
        ranks: What they are made of.
        metrics: By name, with intervals.
        policies: By tie policy and name.
    """

    ranks: Ranks
    metrics: Mapping[str, Interval]
    policies: Mapping[str, Mapping[str, float]]

    def to_json(self) -> dict[str, Any]:
        """Return ``metrics`` and ``tie_policies``."""
        best, worst = self.policies["optimistic"], self.policies["pessimistic"]
        return {
            "metrics": {
                name: {**found.to_json(), "ties": finite(abs(best[name] - worst[name]))}
                for name, found in self.metrics.items()
            },
            "tie_policies": {
                policy: {name: finite(value) for name, value in values.items()}
                for policy, values in self.policies.items()
            },
        }


@dataclass(frozen=True, slots=True, eq=False)
class RetrievalResult:
    """How a retrieval model scores.

    Attributes:
        name: Of the model.
        settings: How it was measured.
        relevance: What it was judged by.
        context: What else is known.
        group_labels: int64 (n,), the context's groups numbered from 0; None without groups.
        dimension: Numbers in a vector.
        forward: Queries ask.
        backward: References ask, those that are right for a query; None if it was not wanted.
        conventions: What published code would say, by peer and metric; empty if not asked.
        published: The same exactly as published functions return it.
        baselines: ``random``, ``constant``, ``shuffled``.
        collapse: Of queries and of references.
        content: Queries that are among the references, by content or by equal vectors.
        place: Queries that were taken where a reference was.
        warnings: What misleads, in sentences.
    """

    name: str
    settings: RetrievalSettings
    relevance: Relevance
    context: Context
    group_labels: NDArray[np.int64] | None
    dimension: int
    forward: Scores
    backward: Scores | None
    conventions: Mapping[str, Mapping[str, float]]
    published: Mapping[str, Mapping[str, Native]]
    baselines: Mapping[str, Mapping[str, float]]
    collapse: tuple[Collapse, Collapse]
    content: Leak
    place: Leak | None
    warnings: Sequence[str]

    @property
    def ranks(self) -> Ranks:
        """What the metrics are made of."""
        return self.forward.ranks

    def per_query(self) -> dict[str, PerQuery]:
        """Return every metric that is a mean over queries, as values (n,)."""
        return {
            metric.name: metric.per_query(self.ranks, metric.ties)
            for metric in metrics_of(self.ranks, self.relevance)
            if metric.statistic == "mean"
        }

    def to_json(self) -> dict[str, Any]:
        """Return the document of schema ``sightline.evaluation/1``, kind ``retrieval``."""
        queries, references = self.collapse
        reasons = alarm(queries, references)
        return {
            "schema": SCHEMA,
            "kind": "retrieval",
            "name": self.name,
            "sightline_version": __version__,
            "n_queries": self.relevance.queries,
            "n_references": self.relevance.references,
            "dimension": self.dimension,
            "n_without_positive": int((self.relevance.positives.lengths == 0).sum()),
            "settings": self._settings(),
            **self.forward.to_json(),
            "reverse": self._reverse(),
            "conventions": {peer: dict(values) for peer, values in self.conventions.items()},
            "published": {peer: dict(values) for peer, values in self.published.items()},
            "baselines": {
                name: {metric: finite(value) for metric, value in values.items()}
                for name, values in self.baselines.items()
            },
            "collapse": {
                "alarm": bool(reasons),
                "reasons": reasons,
                "queries": queries.to_json(),
                "references": references.to_json(),
            },
            "leakage": self._leakage(),
            "histograms": {"pssr": self._histogram()},
            "curves": {"recall": self._recall_curve(), "search_space": self._space_curve()},
            "warnings": list(self.warnings),
        }

    def _settings(self) -> dict[str, Any]:
        settings, labels = self.settings, self.group_labels
        return {
            "distance": settings.distance,
            "ties": "expected",
            "pssr_ties": "pessimistic",
            "tie_tolerance": self.ranks.tie_tolerance,
            "confidence": settings.confidence,
            "resamples": settings.resamples,
            "seed": settings.seed,
            "grouped_by": None if labels is None else "group",
            "n_groups": None if labels is None else int(labels.max()) + 1,
            "k_of_percent": _k_of_percent(self.relevance.references),
            "radius_m": self.context.radius_m,
            "same_place_m": same_place_m(settings),
        }

    def _reverse(self) -> dict[str, Any] | None:
        if self.backward is None:
            return None
        ranks = self.backward.ranks
        return {
            "n_queries": ranks.queries,
            "n_references": ranks.references,
            "k_of_percent": _k_of_percent(ranks.references),
            **self.backward.to_json(),
        }

    def _leakage(self) -> dict[str, Any]:
        place = self.place
        return {
            "same_content": self.content.queries,
            "by": "hashes" if self.context.hashed else "vectors",
            "same_place": None if place is None else place.queries,
            "radius_m": None if place is None else same_place_m(self.settings),
            "examples": [list(pair) for pair in self.content.examples],
            "same_place_examples": [] if place is None else [list(p) for p in place.examples],
        }

    def _histogram(self) -> dict[str, list[float]]:
        counts, edges = np.histogram(pssr(self.ranks), _HISTOGRAM_BINS, (0.0, 1.0))
        return {"edges": edges.tolist(), "counts": counts.tolist()}

    def _recall_curve(self) -> dict[str, list[float]]:
        points = np.geomspace(1, self.ranks.references, _CURVE_POINTS)
        ks = np.unique(np.round(points).astype(int)).tolist()
        curves: dict[str, list[float]] = {"k": ks}
        for policy in TIES:
            curves[policy] = [float(recall(self.ranks, k, policy).mean()) for k in ks]
        return curves

    def _space_curve(self) -> dict[str, list[float]]:
        required = [*np.linspace(0.01, 0.99, 99).round(2).tolist(), 1.0]
        return {"recall": required, "share": search_space_at_recall(self.ranks, required)}


def _k_of_percent(references: int) -> dict[str, int]:
    """Return which k stands for 1 %, 5 % and 10 %."""
    depths = recall_depths(references)
    return {name.removeprefix("recall@"): k for name, k in depths.items() if name[-1] == "%"}


def evaluate_retrieval(
    queries: VectorsLike,
    references: VectorsLike,
    relevance: Relevance,
    settings: RetrievalSettings | None = None,
    *,
    name: str = "model",
    context: Context | None = None,
    peers: Sequence[str] | Literal["all"] = (),
    progress: Progress | None = None,
    ranks: Ranks | None = None,
) -> RetrievalResult:
    """Score a retrieval model in every way, and look for what would flatter it.

    Args:
        queries: float16, float32 or float64 (n, d), in memory, mapped, or a Lance column.
        references: (m, d).
        relevance: What is right.
        settings: How to measure.
        name: What to call the model.
        context: What else is known: places, hashes, groups.
        peers: Whose conventions to apply too, by name, or ``"all"``.
        progress: Called with references done and all references, for each pass over them.
        ranks: Made otherwise than by distances of vectors, such as under the turn that fits best;
            for the same relevance. Vectors then serve for collapse, leaks and baselines alone, and
            the settings must not ask both ways.

    Raises:
        EvaluationError: Arrays or settings that do not fit, or no such peer; names the array.
        VectorError: A vector that is not finite.
        CoordinateError: A place that is out of range.
    """
    settings, context = settings or RetrievalSettings(), context or Context()
    wanted = wanted_peers(peers, PEERS, "retrieval")
    asked, given = open_vectors(queries, "queries"), open_vectors(references, "references")
    require_context(context, relevance)
    groups = group_labels(context, relevance)
    bootstrapping, looking, shuffling = np.random.default_rng(settings.seed).spawn(3)
    several = bool((relevance.positives.lengths > 1).any())
    if ranks is None:
        ranks = rank(
            asked,
            given,
            relevance,
            distance=settings.distance,
            every_positive=several or "university1652" in wanted,
            device=settings.device,
            progress=progress,
        )
    else:
        _require_ranks_fit(ranks, relevance, settings)
    forward = _scores(ranks, relevance, settings, groups, bootstrapping)
    backward = None
    if settings.both_ways:
        backward = _backward(asked, given, relevance, settings, groups, bootstrapping, progress)
    collapse = (
        collapse_of(asked, rng=looking, name="queries"),
        collapse_of(given, rng=looking, name="references"),
    )
    guesses = baselines(asked, given, relevance, settings, ranks, shuffling)
    content, place = leaks(collapse, context, settings)
    conventions, published = _conventions(wanted, asked, given, relevance, forward, backward)
    return RetrievalResult(
        name=name,
        settings=settings,
        relevance=relevance,
        context=context,
        group_labels=groups,
        dimension=asked.shape[1],
        forward=forward,
        backward=backward,
        conventions=conventions,
        published=published,
        baselines=guesses,
        collapse=collapse,
        content=content,
        place=place,
        warnings=[
            *collapse_warnings(*collapse),
            *tie_warnings(forward.policies, guesses["random"], relevance.queries),
            *unanswerable_warnings(relevance),
            *length_warnings(*ranks.reference_norms, "references", settings.distance),
            *leak_warnings(collapse, content, place, relevance, context, settings),
            *swap_warnings(context),
            *context.notes,
        ],
    )


def _require_ranks_fit(ranks: Ranks, relevance: Relevance, settings: RetrievalSettings) -> None:
    if ranks.queries != relevance.queries or ranks.references != relevance.references:
        raise EvaluationError(
            f"ranks are of {ranks.queries} queries and {ranks.references} references, and the "
            f"positives speak of {relevance.queries} and {relevance.references}.",
            hint="Rank by the same relevance.",
        )
    if settings.both_ways:
        raise EvaluationError(
            "ranks that were made otherwise say nothing of references that ask.",
            hint="Set both_ways=False.",
        )


def _scores(
    ranks: Ranks,
    relevance: Relevance,
    settings: RetrievalSettings,
    groups: NDArray[np.int64] | None,
    rng: np.random.Generator,
) -> Scores:
    metrics = metrics_of(ranks, relevance)
    return Scores(
        ranks,
        {
            metric.name: interval(
                metric.per_query(ranks, metric.ties),
                rng=rng,
                statistic=metric.statistic,
                groups=groups,
                confidence=settings.confidence,
                resamples=settings.resamples,
            )
            for metric in metrics
        },
        {
            policy: {metric.name: metric.value(ranks, policy) for metric in metrics}
            for policy in TIES
        },
    )


def _backward(
    queries: Vectors,
    references: Vectors,
    relevance: Relevance,
    settings: RetrievalSettings,
    groups: NDArray[np.int64] | None,
    rng: np.random.Generator,
    progress: Progress | None,
) -> Scores | None:
    """Let the references ask that are right for some query; None if there are none."""
    turned = relevance.reversed()
    asking = np.flatnonzero(turned.positives.lengths)
    if not len(asking):
        return None
    turned = turned.of_queries(asking)
    ranks = rank(
        references if len(asking) == relevance.references else Chosen(references, asking),
        queries,
        turned,
        distance=settings.distance,
        every_positive=bool((turned.positives.lengths > 1).any()),
        device=settings.device,
        progress=progress,
    )
    # A reference that asks belongs with its own query, or the first of several.
    first = turned.positives.members[turned.positives.starts[:-1]]
    partners = None if groups is None else groups[first]
    return _scores(ranks, turned, settings, partners, rng)


def _one_to_one(relevance: Relevance) -> bool:
    """Whether every query has one reference and every reference one query."""
    positives = relevance.positives
    return (
        relevance.queries == relevance.references
        and bool((positives.lengths == 1).all())
        and len(np.unique(positives.members)) == relevance.references
    )


def _conventions(
    wanted: Sequence[str],
    queries: Vectors,
    references: Vectors,
    relevance: Relevance,
    forward: Scores,
    backward: Scores | None,
) -> tuple[dict[str, Mapping[str, float]], dict[str, Mapping[str, Native]]]:
    if not wanted:
        return {}, {}
    # Published code that asks both ways knows pairs only.
    reverse = backward.ranks if backward is not None and _one_to_one(relevance) else None
    semi = bool(len(relevance.semi_positives.members))
    ours = convention_shares(forward.ranks, reverse, semi_positives=semi)
    theirs = published_results(
        forward.ranks,
        reverse,
        semi_positives=semi,
        pair_distances=None if reverse is None else _pair_distances(queries, references, relevance),
    )
    return (
        {peer: ours[peer] for peer in wanted if peer in ours},
        {peer: theirs[peer] for peer in wanted if peer in theirs},
    )


def _pair_distances(
    queries: Vectors, references: Vectors, relevance: Relevance
) -> NDArray[np.float64]:
    """Euclidean distance (n,) of each query to its one reference."""
    out = np.empty(relevance.queries)
    for start in range(0, relevance.queries, 1024):
        rows = np.arange(start, min(start + 1024, relevance.queries))
        apart = queries.take(rows).astype(np.float64)
        apart -= references.take(relevance.positives.members[rows])
        out[rows] = np.linalg.norm(apart, axis=1)
    return out
