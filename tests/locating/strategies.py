"""Matches as Hypothesis draws them: anywhere, or around poles, the antimeridian and one spot."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

CENTRES = st.sampled_from(
    [(0.0, 0.0), (90.0, 0.0), (-90.0, 17.0), (12.0, 180.0), (-63.0, -179.9999), (57.7, 11.97)]
)


@st.composite
def match_rows(draw, most: int = 12, padding: bool = False):
    """One query: coordinates (k, 2) and scores (k,), in no order."""
    k = draw(st.integers(1, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    spread_m = draw(st.sampled_from([0.0, 10.0, 500.0, 3000.0, 3e5]))
    lat, lon = draw(CENTRES)
    if draw(st.booleans()):
        centre = _vector(lat, lon)
        moved = centre + rng.normal(0.0, spread_m / 6_371_008.8, (k, 3))
        moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    else:
        moved = rng.normal(size=(k, 3))
        moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    coordinates = np.stack(
        [
            np.degrees(np.arctan2(moved[:, 2], np.hypot(moved[:, 0], moved[:, 1]))),
            np.degrees(np.arctan2(moved[:, 1], moved[:, 0])),
        ],
        axis=1,
    )
    scores = rng.uniform(draw(st.sampled_from([-1.0, 0.05, 0.6])), 0.95, k)
    if padding and k > 1:
        gone = rng.random(k) < 0.3
        gone[rng.integers(k)] = False
        coordinates[gone] = np.nan
        scores[gone] = np.nan
    return coordinates, scores


def _vector(lat: float, lon: float) -> np.ndarray:
    phi, lam = np.radians(lat), np.radians(lon)
    return np.array([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])
