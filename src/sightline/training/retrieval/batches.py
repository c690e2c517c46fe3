"""Which pairs of photos make a batch: two of a cell, or a photo and one near it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from sightline.datasets.samplers import ResumableBatches
from sightline.errors import TrainingDataError
from sightline.geo.coordinates import EARTH_RADIUS_M, as_coordinates, unit_vectors
from sightline.geo.partition import OUTSIDE
from sightline.training.cross_view.pair_data import Floats, Rows
from sightline.training.retrieval.recipe import RetrievalRecipe

_ROWS_AT_ONCE = 1 << 16


class PairsOfCells(ResumableBatches):
    """One pair of different photos of each cell and epoch, in random order.

    Kordopatis-Zilos et al. (2021), section 3.3.2: "to eliminate the bias from the cells that
    contain many images, in each training epoch, we sample one image pair from each cell".

    Args:
        cells: (n,) cell of each photo; photos in none, -1, take no part, nor do cells with a
            single photo.
        batch_size: Pairs in a batch.
        seed: Decides pairs and order.

    Raises:
        TrainingDataError: Too few cells with two photos for a batch.
    """

    def __init__(self, cells: Rows, batch_size: int, *, seed: int = 0) -> None:
        super().__init__(len(cells), batch_size, seed=seed)
        self._inside = np.flatnonzero(cells != OUTSIDE)
        self._cells = cells[self._inside]
        _, counts = np.unique(self._cells, return_counts=True)
        starts = np.cumsum(counts) - counts
        self._starts = starts[counts > 1]
        _require_batch(len(self._starts), batch_size, "cells with two training photos or more")

    def identity(self) -> bytes:
        """The cells."""
        return self._cells.tobytes()

    def batches_of(self, epoch: int) -> Sequence[Rows]:
        """All batches of an epoch, each (b, 2) rows."""
        generator = np.random.default_rng([self.seed, epoch])
        order = self._inside[np.lexsort((generator.random(len(self._cells)), self._cells))]
        pairs = np.stack([order[self._starts], order[self._starts + 1]], axis=1)
        return _cut(generator.permutation(pairs), self.batch_size)


class PairsByPlace(ResumableBatches):
    """Each photo once in an epoch, with a positive that was taken near it.

    Args:
        neighbours: (n, k) rows near each photo, -1 for none; of :func:`near_rows`. Photos without
            any take no part.
        batch_size: Pairs in a batch.
        chosen: (n,) the positive of each photo; None to draw one of its neighbours.
        seed: Decides pairs and order.

    Raises:
        TrainingDataError: Too few photos with others near them for a batch.
    """

    def __init__(
        self,
        neighbours: NDArray[np.int32],
        batch_size: int,
        *,
        chosen: NDArray[np.int32] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(len(neighbours), batch_size, seed=seed)
        self._neighbours, self._chosen = neighbours, chosen
        self._counts = (neighbours >= 0).sum(axis=1)
        self._anchors = np.flatnonzero(self._counts)
        _require_batch(len(self._anchors), batch_size, "training photos with others near them")

    def identity(self) -> bytes:
        """The neighbours, and what was chosen of them."""
        chosen = b"" if self._chosen is None else self._chosen.tobytes()
        return self._neighbours.tobytes() + chosen

    def batches_of(self, epoch: int) -> Sequence[Rows]:
        """All batches of an epoch, each (b, 2) rows."""
        generator = np.random.default_rng([self.seed, epoch])
        anchors = generator.permutation(self._anchors)
        if self._chosen is None:
            place = (generator.random(len(anchors)) * self._counts[anchors]).astype(np.int64)
            positives = self._neighbours[anchors, place]
        else:
            positives = self._chosen[anchors]
        return _cut(np.stack([anchors, positives], axis=1).astype(np.int64), self.batch_size)


def near_rows(latlon: ArrayLike, radius_km: float, count: int) -> NDArray[np.int32]:
    """The nearest photos of each within a radius.

    Args:
        latlon: (n, 2) degrees.
        radius_km: Of great circles.
        count: k.

    Returns:
        int32 (n, k), the nearest first, itself left out; -1 where there are fewer.

    Raises:
        CoordinateError: A place is out of range.
    """
    vectors = unit_vectors(as_coordinates(latlon))
    tree = cKDTree(vectors, balanced_tree=False)
    angle = min(radius_km * 1000.0 / EARTH_RADIUS_M, np.pi)
    found = np.full((len(vectors), count), -1, np.int32)
    wanted = list(range(1, min(count + 1, len(vectors)) + 1))
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        part = np.arange(start, min(start + _ROWS_AT_ONCE, len(vectors)))
        _, near = tree.query(
            vectors[part], k=wanted, distance_upper_bound=np.nextafter(2 * np.sin(angle / 2), 3)
        )
        # A row is its own nearest, unless others stand on its very spot.
        near = np.where((near == part[:, None]) | (near == len(vectors)), -1, near)
        order = np.argsort(near < 0, axis=1, kind="stable")[:, :count]
        found[part, : order.shape[1]] = np.take_along_axis(near, order, axis=1)
    return found


def most_alike(vectors: NDArray[np.float32], neighbours: NDArray[np.int32]) -> NDArray[np.int32]:
    """Of each row's neighbours the one whose vector is nearest; -1 where there are none.

    Args:
        vectors: (n, d) of unit length.
        neighbours: (n, k) rows, -1 for none.
    """
    chosen = np.full(len(vectors), -1, np.int32)
    for start in range(0, len(vectors), _ROWS_AT_ONCE >> 4):
        part = slice(start, start + (_ROWS_AT_ONCE >> 4))
        near = neighbours[part]
        scores = np.einsum("nd,nkd->nk", vectors[part], vectors[near])
        scores[near < 0] = -np.inf
        chosen[part] = np.take_along_axis(near, scores.argmax(axis=1)[:, None], axis=1)[:, 0]
    return chosen


def apart_km(first: Floats, second: Floats) -> Floats:
    """Great-circle distances (n, m) in kilometres between places (n, 2) and (m, 2) in degrees."""
    cosines = unit_vectors(first) @ unit_vectors(second).T
    # Near 1 a cosine says nothing of metres; what is asked here is tens of kilometres.
    return np.asarray(np.arccos(np.clip(cosines, -1.0, 1.0)) * (EARTH_RADIUS_M / 1000.0))


def pair_batches(
    recipe: RetrievalRecipe,
    cells: Rows,
    neighbours: NDArray[np.int32] | None,
    chosen: NDArray[np.int32] | None = None,
) -> ResumableBatches:
    """What draws the pairs of an epoch.

    Args:
        recipe: How.
        cells: (n,) cell of each training photo.
        neighbours: (n, k) of :func:`neighbours_of`.
        chosen: (n,) the positive of each photo, where vectors choose it.

    Raises:
        TrainingDataError: Too few pairs for a batch.
    """
    if neighbours is None:
        return PairsOfCells(cells, recipe.batch_size, seed=recipe.seed)
    return PairsByPlace(neighbours, recipe.batch_size, chosen=chosen, seed=recipe.seed)


def neighbours_of(recipe: RetrievalRecipe, places: Floats) -> NDArray[np.int32] | None:
    """Rows near each training photo (n, k), where positives are by place; None where by cell."""
    if recipe.positives == "cell":
        return None
    return near_rows(places, recipe.positive_km, recipe.place_neighbours)


def _cut(pairs: Rows, batch_size: int) -> list[Rows]:
    """Full batches of pairs (n, 2); the rest is left out."""
    count = len(pairs) // batch_size
    return [pairs[number * batch_size : (number + 1) * batch_size] for number in range(count)]


def _require_batch(count: int, size: int, what: str) -> None:
    if count < size:
        raise TrainingDataError(
            f"{count} {what} make no batch of {size} pairs.",
            hint=f"Run again with --set batch_size={max(2, count // 2)}, with larger cells or a "
            "larger radius, or with more photos.",
        )
