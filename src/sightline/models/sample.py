"""Statistics of a bundle's sample of photos, as a file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from sightline.errors import BundleError, VectorError
from sightline.models.statistics import FeatureStatistics


def statistics_to_bytes(statistics: FeatureStatistics) -> bytes:
    """Statistics as safetensors: means and the upper triangles of covariances, in float32."""
    upper = np.triu_indices(statistics.dimension)
    arrays: dict[str, NDArray[Any]] = {
        "count": np.array([statistics.count, statistics.light_count], dtype=np.int64),
        "mean": statistics.mean.astype(np.float32),
        "covariance": statistics.covariance[upper].astype(np.float32),
    }
    if statistics.light_covariance is not None:
        arrays["light_covariance"] = statistics.light_covariance[upper].astype(np.float32)
    return bytes(save_arrays(arrays))


def statistics_from_bytes(content: bytes) -> FeatureStatistics:
    """Read what :func:`statistics_to_bytes` wrote.

    Raises:
        BundleError: It is something else.
    """
    try:
        arrays = load_arrays(content)
        mean = arrays["mean"].astype(np.float64)
        count, light_count = (int(x) for x in arrays["count"])
        light = arrays.get("light_covariance")
        return FeatureStatistics(
            count,
            mean,
            _unpacked(arrays["covariance"], len(mean)),
            None if light is None else _unpacked(light, len(mean)),
            light_count,
        )
    except (SafetensorError, KeyError, ValueError, IndexError, VectorError) as cause:
        raise BundleError(
            f"The bundle's sample holds no statistics: {cause}.",
            hint="Import the model again with --whiten PHOTOS.",
        ) from cause


def _unpacked(packed: NDArray[np.floating], dimension: int) -> NDArray[np.float64]:
    full = np.zeros((dimension, dimension))
    full[np.triu_indices(dimension)] = packed
    return full + np.triu(full, 1).T
