"""Mean and covariance of many vectors, gathered block by block in float64."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sightline.errors import VectorError


@dataclass(frozen=True, slots=True, eq=False)
class FeatureStatistics:
    """Mean and covariance of the vectors of ``count`` photos, and how light changes them.

    Args:
        count: n, how many photos (or single vectors).
        mean: float64 (d,).
        covariance: float64 (d, d), divided by n (not n - 1), zero for one vector.
        light_covariance: float64 (d, d), the mean outer product of (re-coloured minus original)
            vectors. It is not centred: a shift that every re-colouring causes is light too.
        light_count: How many differences ``light_covariance`` is the mean of.
    """

    count: int
    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    light_covariance: NDArray[np.float64] | None = None
    light_count: int = 0

    def __post_init__(self) -> None:
        d = len(self.mean)
        light = self.light_covariance
        shapes = {self.covariance.shape} | (set() if light is None else {light.shape})
        if self.mean.ndim != 1 or shapes != {(d, d)}:
            raise VectorError(
                f"Statistics must have a mean (d,) and covariances (d, d). "
                f"Got {self.mean.shape} and {sorted(shapes)}.",
                hint="Gather them with FeatureStatistics.from_vectors.",
            )
        if light is not None and self.light_count == 0:
            object.__setattr__(self, "light_count", self.count)

    @property
    def dimension(self) -> int:
        """Length d of the vectors."""
        return len(self.mean)

    @classmethod
    def empty(cls, dimension: int) -> FeatureStatistics:
        """Statistics of no vectors yet, to merge others into."""
        return cls(0, np.zeros(dimension), np.zeros((dimension, dimension)))

    @classmethod
    def from_vectors(
        cls, vectors: NDArray[np.floating], recoloured: NDArray[np.floating] | None = None
    ) -> FeatureStatistics:
        """Statistics of one block; blocks are joined with :meth:`merge`.

        Args:
            vectors: (n, d) global vectors.
            recoloured: (n, d) vectors of the same photos re-coloured, or (m, n, d) for m
                re-colourings of each.

        Raises:
            VectorError: Not two-dimensional, not finite, or shapes that do not fit.
        """
        rows = _checked(vectors)
        n, d = rows.shape
        if n == 0:
            return cls.empty(d)
        mean = rows.mean(axis=0)
        centred = rows - mean
        covariance = centred.T @ centred / n
        if recoloured is None:
            return cls(n, mean, covariance)
        changed = np.asarray(recoloured, dtype=np.float64)
        if changed.shape[-2:] != rows.shape or changed.ndim not in (2, 3):
            raise VectorError(
                f"Re-coloured vectors must match the originals {rows.shape}. Got {changed.shape}.",
                hint="Encode the same photos in the same order.",
            )
        differences = _checked((changed - rows).reshape(-1, d))
        light = differences.T @ differences / len(differences)
        return cls(n, mean, covariance, light, len(differences))

    @classmethod
    def from_regions(
        cls, cells: NDArray[np.floating], recoloured: NDArray[np.floating] | None = None
    ) -> FeatureStatistics:
        """Statistics of the regional vectors of n photos; ``count`` counts photos, not regions.

        Regions say more than their means do: they are more, and what differs between two parts of
        one photo is not its place. On real photos a whitening fitted on them is the better one for
        the regions and for their mean (benchmarks/whitening.py).

        Args:
            cells: (n, c, d), as an encoder returns them.
            recoloured: (n, c, d) or (m, n, c, d), of the same photos re-coloured.

        Raises:
            VectorError: Not three-dimensional, not finite, or shapes that do not fit.
        """
        if np.ndim(cells) != 3:
            raise VectorError(
                f"Regional vectors must be an array (n, cells, d). Got shape {np.shape(cells)}.",
                hint="Pass what encode_prepared returned.",
            )
        n, c, d = np.shape(cells)
        changed = None
        if recoloured is not None:
            changed = np.asarray(recoloured)
            changed = changed.reshape(*changed.shape[:-3], -1, d)
        flat = cls.from_vectors(np.reshape(cells, (n * c, d)), changed)
        return replace(flat, count=n, light_count=flat.light_count // c)

    def merge(self, other: FeatureStatistics) -> FeatureStatistics:
        """Statistics of both sets of vectors together, as if gathered in one block.

        Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
        variances" (1979), equation 2.1, for matrices.

        Raises:
            VectorError: The dimensions differ.
        """
        if other.dimension != self.dimension:
            raise VectorError(
                f"Statistics of {self.dimension} dimensions cannot be merged with those of "
                f"{other.dimension}.",
                hint="Use vectors of one encoder.",
            )
        count = self.count + other.count
        if count == 0:
            return self
        share = other.count / count
        step = other.mean - self.mean
        covariance = (
            (1.0 - share) * self.covariance
            + share * other.covariance
            + share * (1.0 - share) * np.outer(step, step)
        )
        light, light_count = self._merge_light(other)
        return FeatureStatistics(count, self.mean + share * step, covariance, light, light_count)

    def _merge_light(self, other: FeatureStatistics) -> tuple[NDArray[np.float64] | None, int]:
        if self.light_covariance is None or other.light_covariance is None:
            known = other if self.light_covariance is None else self
            return known.light_covariance, known.light_count
        count = self.light_count + other.light_count
        share = other.light_count / max(count, 1)
        light = (1.0 - share) * self.light_covariance + share * other.light_covariance
        return light, count


def _checked(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    rows = np.asarray(vectors, dtype=np.float64)
    if rows.ndim != 2:
        raise VectorError(
            f"Vectors must be an array (n, d). Got shape {rows.shape}.",
            hint="Stack the global vectors of the photos as rows.",
        )
    if not np.isfinite(rows).all():
        raise VectorError(
            "Vectors must be finite. Got NaN or infinity.",
            hint="Encode the photos again; a damaged row must not enter the statistics.",
        )
    return rows
