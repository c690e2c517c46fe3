"""Places to divide: crowded, equal, on edges, at the poles and the antimeridian."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

_EDGES = [-90.0, -45.0, -22.5, 0.0, 11.25, 45.0, 90.0]

place = st.one_of(
    st.tuples(st.floats(-90, 90), st.floats(-180, 179.999)),
    st.tuples(st.sampled_from(_EDGES), st.sampled_from([-180.0, -90.0, 0.0, 45.0, 90.0, 179.99])),
    # Crowds, so that cells are equally full and equal.
    st.tuples(st.integers(46, 47).map(float), st.integers(6, 9).map(float)),
    st.tuples(
        st.integers(0, 8).map(lambda n: 48.85 + n / 1000),
        st.integers(0, 8).map(lambda n: 2.35 + n / 1000),
    ),
)
several = st.lists(place, min_size=2, max_size=60).map(np.array)


def crowded(count: int, seed: int = 0) -> np.ndarray:
    """Places in a hundred crowds, some of them all over the Earth."""
    rng = np.random.default_rng(seed)
    middles = np.column_stack([rng.uniform(-70, 70, 100), rng.uniform(-180, 180, 100)])
    crowd = rng.zipf(1.5, count) % 100
    found = middles[crowd] + rng.normal(0, 0.3, (count, 2))
    found[::10] = np.column_stack(
        [
            np.degrees(np.arcsin(rng.uniform(-1, 1, len(found[::10])))),
            rng.uniform(-180, 180, len(found[::10])),
        ]
    )
    found[:, 1] = (found[:, 1] + 180.0) % 360.0 - 180.0
    return found
