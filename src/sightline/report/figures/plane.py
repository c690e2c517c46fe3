"""From vectors of many dimensions to a plane, by principal components or by UMAP."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh

from sightline.errors import DependencyError, UsageError, VectorError

PlaneMethod = Literal["pca", "umap"]

_LEAST_FOR_UMAP = 4


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """Points on a plane.

    Attributes:
        points: float64 (n, 2).
        method: How they came there.
        explained: Shares of the variance that the axes keep, for ``pca``; None where they are not
            known, and for ``umap``.
    """

    points: NDArray[np.float64]
    method: PlaneMethod
    explained: tuple[float, float] | None


def to_plane(vectors: ArrayLike, method: PlaneMethod = "pca", *, seed: int = 0) -> Plane:
    """Lay vectors on a plane.

    Args:
        vectors: float (n, d).
        method: ``pca``, or ``umap`` (McInnes, Healy and Melville, *UMAP: Uniform manifold
            approximation and projection for dimension reduction*, 2018; needs ``umap-learn``).
        seed: Of ``umap``; ``pca`` is exact, the sign of an axis being that of its largest weight.

    Raises:
        UsageError: No such method, or too few vectors for it.
        VectorError: Not (n, d), or not finite.
        DependencyError: ``umap-learn`` is not installed.
    """
    if method not in get_args(PlaneMethod):
        raise UsageError(
            f"The method must be pca or umap. Got {method!r}.", hint="pca is exact and fast."
        )
    given = np.asarray(vectors, np.float64)
    if given.ndim != 2 or 0 in given.shape:
        raise VectorError(
            f"Vectors must have the shape (n, d). Got {given.shape}.",
            hint="Give one row per picture, and at least one.",
        )
    finite = np.isfinite(given).all(axis=1)
    if not finite.all():
        raise VectorError(
            f"Vectors must be finite. Row {int(np.argmin(finite))} has NaN or infinity.",
            hint="Leave this picture out.",
        )
    return _pca(given) if method == "pca" else _umap(given, seed)


def _pca(vectors: NDArray[np.float64]) -> Plane:
    centred = vectors - vectors.mean(axis=0)
    count, d = centred.shape
    kept = min(2, d)
    if count < d:
        _, lengths, rows = np.linalg.svd(centred, full_matrices=False)
        axes = np.zeros((d, kept))
        axes[:, : min(kept, count)] = rows[:kept].T
        variances = np.zeros(kept)
        variances[: min(kept, count)] = lengths[:kept] ** 2
    else:
        variances, axes = eigh(centred.T @ centred, subset_by_index=(d - kept, d - 1))
        variances, axes = variances[::-1], axes[:, ::-1]
    axes = axes * np.where(axes[np.argmax(np.abs(axes), axis=0), np.arange(kept)] < 0, -1.0, 1.0)
    points = np.zeros((count, 2))
    points[:, :kept] = centred @ axes
    total = max(float((centred**2).sum()), float(np.finfo(np.float64).tiny))
    shares = [*(max(float(v), 0.0) / total for v in variances), 0.0]
    return Plane(points, "pca", (shares[0], shares[1]))


def _umap(vectors: NDArray[np.float64], seed: int) -> Plane:
    try:
        with warnings.catch_warnings():
            # It and its dependencies warn of each other's next versions as they are imported.
            warnings.simplefilter("ignore")
            import umap
    except ImportError as cause:
        raise DependencyError(
            "UMAP plots need the package umap-learn, which is not installed.",
            hint='Install it with: pip install "sightline[umap]", or use the method pca.',
        ) from cause
    if len(vectors) < _LEAST_FOR_UMAP:
        raise UsageError(
            f"UMAP needs at least {_LEAST_FOR_UMAP} vectors. Got {len(vectors)}.",
            hint="Use the method pca.",
        )
    with warnings.catch_warnings():
        # It says that a seed costs it its threads, and that few points have few neighbours.
        warnings.simplefilter("ignore")
        reducer: Any = umap.UMAP(
            n_components=2,
            n_neighbors=min(15, len(vectors) - 1),
            metric="cosine",
            init="spectral" if len(vectors) > 2 * _LEAST_FOR_UMAP else "random",
            random_state=seed,
        )
        points = reducer.fit_transform(vectors)
    return Plane(np.asarray(points, np.float64), "umap", None)
