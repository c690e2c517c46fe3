"""How well a cross-view network finds the patches of photos: for selection, and for the record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.errors import TrainingDataError
from sightline.evaluation import (
    Context,
    Ranks,
    Relevance,
    RetrievalResult,
    RetrievalSettings,
    evaluate_retrieval,
    rank,
)
from sightline.evaluation.retrieval import metrics_of
from sightline.evaluation.sanity import alarm, collapse_of, collapse_warnings
from sightline.models.cross_view import CrossViewNetwork
from sightline.models.cross_view_settings import can_turn
from sightline.training.cross_view.embedding import Embedder
from sightline.training.cross_view.pair_data import PairData, SplitPairs
from sightline.training.cross_view.recipe import CrossViewRecipe
from sightline.training.cross_view.shift_ranks import as_regions, relevance_of, shift_ranks
from sightline.training.loops.task import Validation

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]

_KEPT = ("recall@1", "recall@5", "recall@10", "recall@1%", "hit_rate", "mrr", "pssr")


@dataclass(frozen=True, slots=True, eq=False)
class Retrieval:
    """What photos of a split asked and got.

    Attributes:
        queries: float32 (n, d).
        references: float32 (m, d); of turns the first.
        relevance: What is right.
        ranks: Under the best turn; None where distances of vectors rank.
        photos: (n,) numbers of the photos.
        gallery: (m,) numbers of the patches.
        broken: Images that could not be used and are left out.
        turning: Regions of the photos (n, r, c), and of the patches under p turns (m, p, r, c),
            where the best turn ranks; None where vectors do.
    """

    queries: Vectors
    references: Vectors
    relevance: Relevance
    ranks: Ranks | None
    photos: Rows
    gallery: Rows
    broken: int
    turning: tuple[Tensor, Tensor] | None = None


def retrieve(
    network: CrossViewNetwork,
    embedder: Embedder,
    data: PairData,
    split: SplitPairs,
    recipe: CrossViewRecipe,
) -> Retrieval:
    """Embed a split and say what is right.

    Raises:
        TrainingDataError: More images are broken than the recipe allows.
    """
    photos, gallery = np.unique(split.pairs[:, 0]), split.gallery
    ids = [data.photos.ids[row] for row in photos.tolist()]
    turns = recipe.phases if recipe.heading == "unknown" and can_turn(network) else 0
    asked = embedder.photos(network, photos, ids, data.photos.headings[photos])
    given = embedder.patches(network, gallery, phases=turns)
    broken = refuse_broken(data, photos, gallery, asked.broken, given.broken, recipe)
    photos, gallery = photos[~asked.broken], gallery[~given.broken]
    relevance = relevance_of(split.pairs, split.semi, photos, gallery)
    vectors = given.vectors[torch.from_numpy(~given.broken)]
    queries = asked.vectors[torch.from_numpy(~asked.broken)]
    ranks, turning = None, None
    if turns:
        turning = as_regions(queries, network.regions), vectors
        ranks = shift_ranks(*turning, relevance)
        vectors = _first_turn(vectors)
    return Retrieval(
        queries.numpy(), vectors.numpy(), relevance, ranks, photos, gallery, broken, turning
    )


def refuse_broken(
    data: PairData,
    photos: Rows,
    gallery: Rows,
    broken_photos: NDArray[np.bool_],
    broken_patches: NDArray[np.bool_],
    recipe: CrossViewRecipe,
) -> int:
    """Count the images of a split that cannot be read.

    Raises:
        TrainingDataError: They are more than the recipe allows.
    """
    paths = [data.photos.paths[row] for row in photos[broken_photos].tolist()]
    paths += [data.patches.paths[row] for row in gallery[broken_patches].tolist()]
    count = len(photos) + len(gallery)
    if len(paths) > recipe.bad_images * count:
        raise TrainingDataError(
            f"{len(paths)} images of {count} in this split cannot be read, and bad_images = "
            f"{recipe.bad_images:g} allows a smaller share. The first is {str(paths[0])!r}.",
            hint="Repair or leave out the files (`sightline dataset doctor` lists them).",
            path=paths[0],
        )
    return len(paths)


def validation_of(found: Retrieval, select_by: str) -> Validation:
    """The numbers of a retrieval, without intervals, and whether the model has collapsed."""
    ranks = found.ranks or rank(found.queries, found.references, found.relevance)
    known = {metric.name: metric.value(ranks) for metric in metrics_of(ranks, found.relevance)}
    values = {name: known[name] for name in _KEPT if name in known}
    sides = (
        collapse_of(found.queries, rng=np.random.default_rng(0), name="queries"),
        collapse_of(found.references, rng=np.random.default_rng(0), name="references"),
    )
    values["collapse_alarm"] = float(bool(alarm(*sides)))
    rank_of_photos = sides[0].effective_rank
    values["effective_rank"] = 0.0 if rank_of_photos is None else rank_of_photos
    return Validation(known[select_by], values, tuple(collapse_warnings(*sides)))


def evaluation_of(found: Retrieval, data: PairData, name: str, **settings: Any) -> RetrievalResult:
    """The whole evaluation of a retrieval, as ``sightline evaluate`` makes it.

    Args:
        found: What was asked and got.
        data: Where images lie and what they hold.
        name: Of the model.
        settings: Of :class:`sightline.evaluation.RetrievalSettings`.
    """
    both_ways = found.ranks is None
    notes = []
    if not both_ways:
        notes.append(
            "Patches are ranked under the turn that fits best; baselines of shuffled labels and "
            "collapse are those of vectors in their first turn."
        )
    if found.broken:
        notes.append(f"{found.broken} images could not be read and are left out.")
    latlon = data.photos.latlon[found.photos], data.patches.latlon[found.gallery]
    located = not any(np.isnan(part).any() for part in latlon)
    return evaluate_retrieval(
        found.queries,
        found.references,
        found.relevance,
        RetrievalSettings(both_ways=both_ways, **settings),
        name=name,
        context=Context(
            query_latlon=latlon[0] if located else None,
            reference_latlon=latlon[1] if located else None,
            notes=notes,
        ),
        ranks=found.ranks,
    )


def _first_turn(regions: Tensor) -> Tensor:
    """Patches (m, p, r, c) as unit vectors (m, r * c)."""
    return torch.nn.functional.normalize(regions[:, 0].flatten(1), dim=1)
