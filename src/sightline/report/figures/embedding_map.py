"""Embeddings on a plane: two views in one space, or the clusters of super-batches.

Debnath, *Proportional Search Space Reduction*: figure 10 plots 10,000 embeddings of two networks,
one of them collapsed into a line; figures 4 and 6 the clusters of its super-batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import UsageError
from sightline.report.figures.axes import key
from sightline.report.figures.canvas import EvaluationFigure
from sightline.report.figures.palette import PALETTE, series
from sightline.report.figures.plane import Plane, PlaneMethod, to_plane
from sightline.report.text import count_text

if TYPE_CHECKING:
    from sightline.report.figures.canvas import Artist, Figure

SHOWN_AT_MOST = 10_000
"""Points on one plot, as many as the text shows; more are drawn evenly."""

_SIZE_INCHES = (6.6, 5.4)
_PAIRS_JOINED = 100


def embedding_map_figure(
    embeddings: Sequence[tuple[str, ArrayLike]],
    *,
    method: PlaneMethod = "pca",
    paired: bool = False,
    seed: int = 0,
) -> EvaluationFigure:
    """Sets of vectors of one space in one plot, such as the ground and the aerial view.

    Args:
        embeddings: Name and vectors float (n, d) of each set.
        method: ``pca`` or ``umap``.
        paired: The first two sets are pairs, row by row: some are joined by a line.
        seed: Of ``umap``.

    Raises:
        UsageError: No set, sets of several dimensions, or pairs of which one half is missing.
        VectorError: A set that is not (n, d), or not finite.
        DependencyError: ``umap-learn`` is not installed.
    """
    arrays = [np.asarray(vectors, np.float64) for _, vectors in embeddings]
    names = [name for name, _ in embeddings]
    if not arrays or len({a.shape[1:] for a in arrays}) != 1:
        raise UsageError(
            "Embeddings of one plot must have one dimension. Got "
            f"{', '.join(f'{n} {a.shape}' for n, a in zip(names, arrays, strict=True)) or 'none'}.",
            hint="Plot each model by itself.",
        )
    if paired and (len(arrays) < 2 or len(arrays[0]) != len(arrays[1])):
        raise UsageError(
            f"Pairs must have as many rows in both views. Got {[len(a) for a in arrays]}.",
            hint="Give the two views of the same pairs, row by row.",
        )
    most = max(1, SHOWN_AT_MOST // len(arrays))
    arrays = [array[evenly(len(array), most)] for array in arrays]
    plane = to_plane(np.vstack(arrays), method, seed=seed)
    points = np.split(plane.points, np.cumsum([len(a) for a in arrays])[:-1])
    counts = ", ".join(f"{len(p):,} of {n}" for n, p in zip(names, points, strict=True))
    joined = f" Lines join {_PAIRS_JOINED} of the pairs at most." if paired else ""
    return EvaluationFigure(
        name=f"embeddings-{method}",
        title=f"Embeddings: {' and '.join(names)}",
        caption=f"{_words(plane)}{joined}",
        alt=counts,
        size_inches=_SIZE_INCHES,
        draw=partial(_draw, plane, points, names, paired),
    )


def cluster_plane_figure(
    plane: Plane, clusters: NDArray[np.int64], *, title: str = "Clusters of the super-batches"
) -> EvaluationFigure:
    """Embeddings on a plane, coloured by their cluster: figures 4 and 6 of the text.

    Args:
        plane: From :func:`~sightline.report.figures.plane.to_plane`, n points.
        clusters: int (n,), not negative.
        title: What is shown.

    Raises:
        UsageError: Another number of clusters than of points.
    """
    if clusters.shape != (len(plane.points),):
        raise UsageError(
            f"There must be one cluster for each of {len(plane.points)} points. "
            f"Got {clusters.shape}.",
            hint="Give the clusters of the same rows.",
        )
    chosen = evenly(len(clusters), SHOWN_AT_MOST)
    # A small cluster may have no dot among those that are shown; its colour stays its own.
    numbers = np.unique(clusters)
    points = [plane.points[chosen][clusters[chosen] == number] for number in numbers]
    names = [cluster_name(clusters, int(number)) for number in numbers]
    return EvaluationFigure(
        name="cluster-plane",
        title=title,
        caption=_words(plane),
        alt="; ".join(names),
        size_inches=_SIZE_INCHES,
        draw=partial(_draw, plane, points, names, False),
    )


def cluster_name(clusters: NDArray[np.int64], number: int) -> str:
    """A cluster in words: its number and how many it holds."""
    count = int((clusters == number).sum())
    return f"cluster {number}: {count_text(count, 'pair', 'pairs')}"


def _draw(
    plane: Plane,
    points: Sequence[NDArray[np.float64]],
    names: Sequence[str],
    paired: bool,
    figure: Figure,
) -> None:
    axes = figure.add_subplot()
    if paired:
        rows = evenly(len(points[0]), _PAIRS_JOINED)
        gaps = np.full((len(rows), 2), np.nan)
        lines = np.stack([points[0][rows], points[1][rows], gaps], axis=1).reshape(-1, 2)
        axes.plot(*lines.T, color=PALETTE["quiet"], linewidth=0.5, alpha=0.6)
    entries: list[tuple[Artist, str]] = []
    size = float(np.clip(60 / np.sqrt(max(sum(map(len, points)), 1)), 1.2, 5.0))
    for number, (cloud, name) in enumerate(zip(points, names, strict=True)):
        look = series(number)
        (dots,) = axes.plot(
            *cloud.T,
            color=look.colour,
            marker=look.marker,
            markersize=size,
            markeredgewidth=0,
            alpha=0.6,
            linestyle="",
        )
        entries.append((dots, name))
    axis_name = "UMAP axis" if plane.method == "umap" else "principal component"
    labels = [f"{axis_name} {axis}" for axis in (1, 2)]
    if plane.explained is not None:
        labels = [
            f"{label}, {100 * share:.1f} % of the variance"
            for label, share in zip(labels, plane.explained, strict=True)
        ]
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.set_aspect("equal", adjustable="datalim")
    key(figure, entries)


def _words(plane: Plane) -> str:
    if plane.method == "umap":
        return (
            "A dot is a picture. UMAP keeps neighbours together; how far groups are apart, and how "
            "wide, says little."
        )
    if plane.explained is None:
        return "A dot is a picture, on the plane of the two principal components."
    return (
        f"A dot is a picture. The plane keeps {100 * sum(plane.explained):.1f} % of the variance; "
        "the rest is not seen."
    )


def evenly(count: int, most: int) -> NDArray[np.intp]:
    """Rows of ``count``, all of them or ``most`` that are spread evenly."""
    if count <= most:
        return np.arange(count)
    return np.linspace(0, count - 1, most).round().astype(np.intp)
