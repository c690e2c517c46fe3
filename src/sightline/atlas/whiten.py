"""Fit the whitening of an atlas to its own rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from sightline.atlas.store import Store
from sightline.errors import AtlasDamagedError, BundleError
from sightline.models.sample import statistics_from_bytes
from sightline.models.statistics import FeatureStatistics
from sightline.models.whitening import Whitening, fit_whitening

# Enough for a covariance of a thousand dimensions; more rows change no digit that matters.
_ROWS_FOR_STATISTICS = 262_144


def fit_store_whitening(store: Store, *, without: slice | None = None) -> Whitening:
    """Fit the whitening that the atlas's card asks for.

    Its axes have no special direction. Where the card asks for none, the vectors stay what they
    are, and an index turns them by itself.

    Args:
        store: The rows.
        without: Physical positions that the fit must not see.

    Raises:
        VectorError: There are no rows and no sample.
        AtlasDamagedError: The statistics beside the rows cannot be read.
    """
    card = store.card
    if card.whitening is None:
        d = card.dimension
        return Whitening(np.zeros(d, np.float32), np.eye(d, dtype=np.float32))
    own = store_statistics(store, without=without)
    sample = _read(store.path, card.sample)
    light = _read(store.path, card.light)
    if light is not None and light.light_covariance is not None:
        # How one's own photos change with light says more than the sample's.
        own = replace(own, light_covariance=light.light_covariance, light_count=light.light_count)
        if sample is not None:
            sample = replace(
                sample, light_covariance=light.light_covariance, light_count=light.light_count
            )
    return rotated(fit_whitening(own, sample, card.whitening))


def store_statistics(
    store: Store, rows: int = _ROWS_FOR_STATISTICS, *, without: slice | None = None
) -> FeatureStatistics:
    """Gather mean and covariance of the regional vectors of about ``rows`` rows, spread evenly."""
    step = max(1, store.count // rows)
    found = FeatureStatistics.empty(store.card.dimension)
    seen = 0
    for _, raw in store.vectors():
        positions = np.arange(seen, seen + len(raw))
        seen += len(raw)
        wanted = positions % step == 0
        if without is not None:
            wanted &= (positions < without.start) | (positions >= without.stop)
        chosen = raw[wanted]
        if len(chosen):
            found = found.merge(FeatureStatistics.from_regions(chosen))
    return found


def rotated(whitening: Whitening, seed: int = 0) -> Whitening:
    """Turn the whitened space by a random rotation, which changes no angle.

    Whitened axes are ordered by their variance before whitening; the accelerator's one-bit codes
    assume that no axis is special. Turning the projection once costs a search nothing, where there
    is one.
    """
    k = whitening.dimension
    gaussian = np.random.default_rng(seed).standard_normal((k, k))
    rotation, upper = np.linalg.qr(gaussian)
    rotation = rotation * np.sign(np.diag(upper))
    return Whitening(whitening.mean, (whitening.projection @ rotation).astype(np.float32))


def _read(atlas: Path, name: str | None) -> FeatureStatistics | None:
    if name is None:
        return None
    try:
        return statistics_from_bytes((atlas / name).read_bytes())
    except (OSError, BundleError) as error:
        raise AtlasDamagedError(
            f"The statistics {name!r} of the atlas {str(atlas)!r} cannot be read: {error}.",
            hint="Restore the file from a copy, or build the atlas again.",
            path=atlas / name,
        ) from error
