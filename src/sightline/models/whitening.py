"""PCA whitening of encoder features, fitted on an atlas's own rows (types; see below)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class WhiteningSettings:
    """How to whiten: kept dimensions, shrinkage, and the weights of sample and light change."""

    dimension: int = 512
    shrink: float = 0.03
    sample_weight: float = 50.0
    light_weight: float = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class FeatureStatistics:
    """Mean and covariance of ``count`` global vectors of dimension d, and of their change by light."""

    count: int
    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    light_covariance: NDArray[np.float64] | None = None
