"""Photos as queries: the pixels an encoder sees, and nothing else of the file.

What leaves this module towards an atlas is vectors. A photo's own place, time and camera have no
way through it, so that an estimate cannot know what it is compared with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sightline.atlas.matches import Matches
from sightline.imagery.photo import Photo
from sightline.models.protocol import Encoder, Pixels, Vectors

Kind = TypeVar("Kind", bound=np.generic)

VIEWS_AT_ONCE = 16


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A photo made ready for an encoder.

    Attributes:
        name: What errors call it.
        views: What :meth:`Encoder.prepare` returned, uint8 (views, h, w, 3), for the photo itself
            or for each view cut from a panorama.
    """

    name: str
    views: tuple[Pixels, ...]


def prepare_query(photo: Photo, encoder: Encoder) -> Query:
    """Take a photo's pixels, as views if it is a panorama, and prepare them; thread-safe."""
    return Query(photo.name, tuple(encoder.prepare(pixels) for pixels, _ in photo.views()))


def encode_queries(queries: Sequence[Query], encoder: Encoder) -> tuple[Vectors, NDArray[np.intp]]:
    """Encode all views of all queries.

    Args:
        queries: At least one.
        encoder: Whose preparation they went through.

    Returns:
        float32 (v, cells, d), and which query each vector belongs to (v,), ascending.

    Raises:
        VectorError: The network returned NaN, infinity or a zero vector.
    """
    views = [view for query in queries for view in query.views]
    owner = np.repeat(np.arange(len(queries)), [len(query.views) for query in queries])
    encoded: dict[int, Vectors] = {}
    # An encoder may keep the aspect ratio; only pictures of one shape go through it together.
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for position, view in enumerate(views):
        by_shape.setdefault(view.shape, []).append(position)
    for positions in by_shape.values():
        for start in range(0, len(positions), VIEWS_AT_ONCE):
            batch = positions[start : start + VIEWS_AT_ONCE]
            vectors = encoder.encode_prepared(np.stack([views[p] for p in batch]), "ground")
            encoded.update(zip(batch, vectors, strict=True))
    return np.stack([encoded[position] for position in range(len(views))]), owner


def merge_views(matches: Matches, owner: NDArray[np.intp], queries: int) -> Matches:
    """Merge the matches of a photo's views: of each reference the best score over the views.

    Args:
        matches: One row for every view, (v, k).
        owner: Which query each row belongs to (v,), ascending.
        queries: How many queries there are, n.

    Returns:
        Matches (n, k), best score first; padded with -1, NaN and None.
    """
    width = matches.ids.shape[1]
    flat = np.flatnonzero(matches.ids.ravel() >= 0)
    ids, scores = matches.ids.ravel()[flat], matches.scores.ravel()[flat]
    query = owner[flat // width]
    by_reference = np.lexsort((flat, -scores, ids, query))
    repeated = np.zeros(len(flat), dtype=bool)
    repeated[1:] = (np.diff(ids[by_reference]) == 0) & (np.diff(query[by_reference]) == 0)
    kept = by_reference[~repeated]
    kept = kept[np.lexsort((flat[kept], -scores[kept], query[kept]))]
    rank = np.arange(len(kept)) - np.searchsorted(query[kept], query[kept])
    kept, rank = kept[rank < width], rank[rank < width]
    source = np.full((queries, width), -1, dtype=np.intp)
    source[query[kept], rank] = flat[kept]
    return Matches(
        ids=_taken(matches.ids, source, -1),
        scores=_taken(matches.scores, source, np.nan),
        coordinates=_taken(matches.coordinates, source, np.nan),
        uris=_taken(matches.uris, source, None),
        views=_taken(matches.views, source, -1),
        headings=_taken(matches.headings, source, np.nan),
        mode=matches.mode,
        recall_estimate=matches.recall_estimate,
    )


def _taken(array: NDArray[Kind], source: NDArray[np.intp], padding: object) -> NDArray[Kind]:
    """Take entries (v, k, …) by flat index (n, k), with ``padding`` where it is -1."""
    taken = array.reshape(-1, *array.shape[2:])[np.maximum(source, 0)]
    taken[source < 0] = np.array(padding, dtype=array.dtype)
    return taken
