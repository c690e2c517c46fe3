"""What there is to see of a scored run: what photos found, both views as vectors, and heat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.evaluation import Ranks
from sightline.models.explain import Explanation, explain, pair_of
from sightline.models.region_shifts import best_shifts
from sightline.training.cross_view.views import Views
from sightline.training.data.pixels import DecodedEachTime
from sightline.training.evaluating import ScoredRun

Rows = NDArray[np.int64]
Vectors = NDArray[np.float32]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What q photos found among m patches.

    Attributes:
        photos: (q,) their files.
        patches: (m,) files of all patches that were searched.
        top: int64 (q, k), rows of ``patches``, best first.
        scores: float32 (q, k), cosines; of turning networks under the turn that fits best.
        truth: Per photo the rows of its true patches.
        ranks: int64 (q,), where the best true patch came; patches as near as it stand before it.
    """

    photos: Sequence[Path]
    patches: Sequence[Path]
    top: Rows
    scores: Vectors
    truth: Sequence[Sequence[int]]
    ranks: Rows


def some_queries(run: ScoredRun, count: int, *, worst: bool = False) -> Rows:
    """Choose queries that have a true patch: evenly among all, or those that find it last.

    Args:
        run: A scored run.
        count: How many at most.
        worst: The worst first, equal ones by their number.
    """
    able = np.flatnonzero(run.found.relevance.positives.lengths > 0)
    if worst:
        return able[np.argsort(-_ranks(run.result.ranks)[able], kind="stable")[:count]]
    if len(able) <= count:
        return able
    return able[np.linspace(0, len(able) - 1, count).round().astype(np.int64)]


def top_matches(run: ScoredRun, queries: Rows, k: int = 5) -> Found:
    """The best k patches of some queries.

    Args:
        run: A scored run.
        queries: (q,) which.
        k: How many, at most all.
    """
    found = run.found
    if found.turning is None:
        scores = _unit(found.queries[queries]) @ found.references.T
        scores /= np.linalg.norm(found.references, axis=1)
    else:
        ground, aerial = found.turning
        scores = best_shifts(ground[torch.from_numpy(queries)], aerial)[0].numpy()
    top = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return Found(
        photos=[run.asked.photos.paths[row] for row in found.photos[queries].tolist()],
        patches=[run.asked.patches.paths[row] for row in found.gallery.tolist()],
        top=top.astype(np.int64),
        scores=np.take_along_axis(scores, top, axis=1),
        truth=[found.relevance.positives.of(int(query)).tolist() for query in queries],
        ranks=_ranks(run.result.ranks)[queries],
    )


def paired_vectors(run: ScoredRun, queries: Rows) -> tuple[Vectors, Vectors]:
    """Vectors (q, d) of some photos, and of the first true patch of each.

    Of turning networks each pair stands in the turn that fits it best: a photo's regions say
    nothing of north, and would lie apart from their patch's for that alone.
    """
    found = run.found
    truth = np.array([found.relevance.positives.of(int(query))[0] for query in queries], np.int64)
    if found.turning is None:
        return found.queries[queries], found.references[truth]
    pairs = []
    for query, patch in zip(queries.tolist(), truth.tolist(), strict=True):
        ground, aerial = found.turning[0][query], found.turning[1][patch]
        # Shift i is a turn by i // p regions and by phase i % p.
        shift, phase = divmod(int(best_shifts(ground[None], aerial[None])[1]), len(aerial))
        pairs.append((ground.roll(shift, dims=0).flatten(), aerial[phase].flatten()))
    sides = [np.stack([pair[side].numpy() for pair in pairs]) for side in (0, 1)]
    return _unit(sides[0]), _unit(sides[1])


def heat_of_pairs(run: ScoredRun, queries: Rows) -> tuple[Pixels, Pixels, Explanation]:
    """Photos and their first true patches as the network saw them, and what it saw in them.

    Returns:
        uint8 (q, h, w, 3), uint8 (q, h', w', 3), and their heat by gradients.

    Raises:
        UsageError: The network cannot be explained so.
    """
    recipe, found, images = run.recipe, run.found, run.asked.photos
    rows = found.photos[queries]
    truth = [found.relevance.positives.of(int(query))[0] for query in queries]
    stored, _ = DecodedEachTime(images.paths, recipe.stored_ground_size).take(rows)
    aerial, _ = DecodedEachTime(run.asked.patches.paths, recipe.aerial_size).take(
        found.gallery[truth]
    )
    views = Views(recipe)
    changes = views.draw([images.ids[row] for row in rows.tolist()], images.headings[rows])
    ground = views.ground(torch.from_numpy(stored), changes).numpy()
    first, second = (np.ascontiguousarray(p.transpose(0, 2, 3, 1)) for p in (ground, aerial))
    phases = None if found.turning is None else recipe.phases
    if changes.headings is None:
        pair = pair_of(run.network, phases=phases)
        return first, second, explain(pair, first, second)
    each = [
        explain(
            pair_of(run.network, heading_degrees=float(heading)),
            first[row : row + 1],
            second[row : row + 1],
        )
        for row, heading in enumerate(changes.headings)
    ]
    joined = replace(
        each[0],
        first=np.concatenate([one.first for one in each]),
        second=np.concatenate([one.second for one in each]),
        similarities=np.concatenate([one.similarities for one in each]),
    )
    return first, second, joined


def _ranks(ranks: Ranks) -> Rows:
    return np.asarray(ranks.better + ranks.tied + 1, np.int64)


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)
