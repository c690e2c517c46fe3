"""How much of a model's belief lies around its answer: visloc's prediction density.

From the code of Kordopatis-Zilos, Galopoulos, Papadopoulos, Kompatsiaris, *Leveraging EfficientNet
and Contrastive Learning for Accurate Global-scale Location Estimation* (2021),
mever-team/visloc-estimation, ``prediction_density`` in src/utils.py (the paper does not describe
it): the sum of the probabilities of the cells around the predicted one. Their evaluation calls a
photo localizable where more than 0.2 lies within 25 km.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import EvaluationError
from sightline.evaluation.localization.metrics import PUBLISHED_EARTH_RADIUS_M
from sightline.geo.coordinates import as_coordinates
from sightline.geo.distance import great_circle_m

SCALES_KM = (1.0, 25.0, 200.0, 750.0, 2500.0)


def prediction_density(
    probabilities: ArrayLike,
    centres: ArrayLike,
    cell: int | None = None,
    *,
    scales_km: Sequence[float] = SCALES_KM,
) -> NDArray[np.float64]:
    """Sum the probabilities of the cells whose centre is near that of one cell.

    Distances are great circles on the authors' sphere of 6371 km, inclusive, so that the cell
    itself always counts.

    Args:
        probabilities: (c,), not negative.
        centres: (c, 2) degrees, the cells' centres.
        cell: The cell that is asked about; by default the most probable one, the first of several.
        scales_km: s distances, not negative.

    Returns:
        float64 (s,), one sum per scale.

    Raises:
        EvaluationError: The shapes do not fit, a probability or scale is negative or not finite, or
            there is no such cell; names array, row and value.
        CoordinateError: A centre is out of range; names its row.
    """
    shares = _not_negative(probabilities, "probabilities")
    scales = _not_negative(scales_km, "scales_km")
    places = as_coordinates(centres, name="centres")
    if len(shares) != len(places) or len(shares) == 0:
        raise EvaluationError(
            f"There must be one probability for each cell. Got {len(shares)} and {len(places)} "
            "centres.",
            hint="Give probabilities (c,) and centres (c, 2) of the same cells.",
        )
    chosen = int(shares.argmax()) if cell is None else cell
    if not 0 <= chosen < len(shares):
        raise EvaluationError(
            f"cell must be between 0 and {len(shares) - 1}. Got {chosen}.",
            hint="Name a cell by its row in centres.",
        )
    distance_km = great_circle_m(places[chosen], places, radius_m=PUBLISHED_EARTH_RADIUS_M) / 1000.0
    return np.asarray((distance_km <= scales[:, None]) @ shares)


def _not_negative(values: ArrayLike, name: str) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise EvaluationError(
            f"{name} must have one dimension. Got shape {array.shape}.", hint="Give a plain list."
        )
    bad = np.flatnonzero(~((array >= 0.0) & (array < np.inf)))
    if len(bad):
        raise EvaluationError(
            f"{name} row {bad[0]} must be finite and not negative. Got {array[bad[0]]}.",
            hint="Give probabilities, not logits, and scales in kilometres.",
        )
    return array
