"""PCA whitening of encoder features, fitted on an atlas's own rows.

Whitening belongs to an atlas and not to an encoder: raw vectors are stored, and the whitening is
fitted from their statistics when the accelerator is built. What it does: directions in which all
photos of an atlas vary (and those in which one photo varies with its light) are scaled down, so
that what remains tells places apart. Jégou and Chum, "Negative evidences and co-occurrences in
image retrieval: the benefit of PCA and whitening" (ECCV 2012), is the source of the idea; the
mixture with a shipped sample and the light term are described at :func:`fit_whitening`.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from sightline.durable import write_bytes
from sightline.errors import AtlasDamagedError, UsageError, VectorError
from sightline.models.statistics import FeatureStatistics

SCHEMA = "sightline.whitening/1"

# A direction that float32 rounding alone could have made is no direction.
_ROUNDING = 1e-6
_ROWS_AT_ONCE = 16_384
_FEW_ROWS = 8


@dataclass(frozen=True, slots=True)
class WhiteningSettings:
    """How to whiten.

    Args:
        dimension: Kept dimensions, at most; never more than the features have.
        shrink: Share of the mean eigenvalue added to every eigenvalue.
        sample_weight: w: the sample counts like this many photos of one's own.
        light_weight: Weight of the covariance of (re-coloured minus original) features.
    """

    dimension: int = 512
    shrink: float = 0.03
    sample_weight: float = 50.0
    light_weight: float = 0.5

    def __post_init__(self) -> None:
        if self.dimension < 1:
            raise UsageError(
                f"The whitening dimension must be at least 1. Got {self.dimension}.",
                hint="Use 512, or 0 < dimension <= the encoder's dimension.",
            )
        for name in ("shrink", "sample_weight", "light_weight"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0):
                raise UsageError(
                    f"The whitening's {name} must be a finite number >= 0. Got {value!r}.",
                    hint="Leave it out to use the default.",
                )


@dataclass(frozen=True, slots=True, eq=False)
class Whitening:
    """An affine map to whitened vectors, followed by scaling to unit length.

    Args:
        mean: float32 (d,), subtracted first.
        projection: float32 (d, k), multiplied from the right.

    Attributes:
        name: A hash of both.
        turns_nothing: The projection is the identity, and no time is spent on it.
    """

    mean: NDArray[np.float32]
    projection: NDArray[np.float32]
    name: str = field(init=False)
    turns_nothing: bool = field(init=False)
    _columns: NDArray[np.float32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        mean = np.ascontiguousarray(self.mean, dtype=np.float32)
        projection = np.ascontiguousarray(self.projection, dtype=np.float32)
        if mean.ndim != 1 or projection.ndim != 2 or projection.shape[0] != len(mean):
            raise VectorError(
                f"A whitening must have a mean (d,) and a projection (d, k). "
                f"Got {mean.shape} and {projection.shape}.",
                hint="Fit it anew with fit_whitening.",
            )
        if not (np.isfinite(mean).all() and np.isfinite(projection).all()):
            raise VectorError(
                "A whitening must be finite. Got NaN or infinity.",
                hint="Check the vectors it was fitted on.",
            )
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "projection", projection)
        object.__setattr__(self, "turns_nothing", _is_identity(projection))
        columns = projection if self.turns_nothing else np.ascontiguousarray(projection.T)
        object.__setattr__(self, "_columns", columns)
        object.__setattr__(self, "name", _content_hash(mean, projection))

    @property
    def dimension(self) -> int:
        """Length k of a whitened vector."""
        return int(self.projection.shape[1])

    def apply(self, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
        """Whiten vectors; every result has unit length.

        A vector that lies on the mean has no whitened direction; its direction before centring
        stands in, so that a photo still finds its own copy.

        Args:
            vectors: (..., d), any float type.

        Returns:
            float32 (..., k), unit length along the last axis.

        Raises:
            VectorError: Wrong dimension, NaN or infinity.
        """
        given = np.asarray(vectors)
        if given.ndim == 0 or given.shape[-1] != len(self.mean):
            raise VectorError(
                f"Vectors must have {len(self.mean)} dimensions for this whitening. "
                f"Got shape {given.shape}.",
                hint="Use the encoder that the whitening was fitted for.",
            )
        rows = given.reshape(-1, given.shape[-1])
        whitened = np.empty((len(rows), self.dimension), dtype=np.float32)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            whitened[start : start + _ROWS_AT_ONCE] = self._apply_rows(
                rows[start : start + _ROWS_AT_ONCE].astype(np.float32)
            )
        return whitened.reshape(*given.shape[:-1], self.dimension)

    def _projected(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, d) -> (n, k). One query is not worth waking a second thread, which a product does."""
        if self.turns_nothing:
            return rows.copy()
        if len(rows) > _FEW_ROWS:
            return np.asarray(rows @ self.projection, dtype=np.float32)
        return np.asarray(np.vecdot(self._columns, rows[:, None, :]), dtype=np.float32)

    def _apply_rows(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, d) -> (n, k), n at most a block."""
        if not np.isfinite(rows).all():
            raise VectorError(
                "Vectors to whiten must be finite. Got NaN or infinity.",
                hint="Run `sightline atlas verify` to find the damaged rows.",
            )
        centred = rows - self.mean
        whitened = self._projected(centred)
        scale = np.linalg.norm(rows, axis=1) + np.linalg.norm(self.mean)
        at_mean = np.linalg.norm(centred, axis=1) <= _ROUNDING * scale
        if at_mean.any():
            whitened[at_mean] = self._projected(rows[at_mean])
        lengths = np.asarray(np.linalg.norm(whitened, axis=1, keepdims=True), dtype=np.float32)
        nowhere = lengths[:, 0] <= np.finfo(np.float32).tiny
        if nowhere.any():
            # Outside the kept directions altogether: any fixed unit vector keeps the promise.
            whitened[nowhere] = np.eye(1, self.dimension, dtype=np.float32)
            lengths[nowhere] = 1.0
        whitened /= lengths
        return whitened

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one safetensors file, whole or not at all.

        Raises:
            OutputError: The file cannot be written.
        """
        content = save(
            {"mean": self.mean, "projection": self.projection},
            metadata={"schema": SCHEMA, "name": self.name},
        )
        write_bytes(Path(path), content)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Whitening:
        """Read what :meth:`save` wrote, and check its content against its name.

        Raises:
            AtlasDamagedError: Missing, unreadable, of another schema, or changed since written.
        """
        hint = "Rebuild the atlas's accelerator; the stored rows are not affected."
        try:
            with safe_open(str(path), framework="np") as stored:
                about = stored.metadata() or {}
                if about.get("schema") != SCHEMA:
                    raise AtlasDamagedError(
                        f"The whitening must have the schema {SCHEMA!r}. "
                        f"Got {about.get('schema')!r}.",
                        hint=hint,
                        path=path,
                    )
                found = cls(stored.get_tensor("mean"), stored.get_tensor("projection"))
        except (OSError, SafetensorError, VectorError) as cause:
            raise AtlasDamagedError(
                f"The whitening cannot be read: {cause}.", hint=hint, path=path
            ) from cause
        if about.get("name") != found.name:
            raise AtlasDamagedError(
                f"The whitening does not match its own hash {about.get('name')!r}.",
                hint=hint,
                path=path,
            )
        return found


def fit_whitening(
    own: FeatureStatistics,
    sample: FeatureStatistics | None,
    settings: WhiteningSettings | None = None,
) -> Whitening:
    """Fit a whitening to an atlas's own photos, steadied by a sample.

    With n photos of one's own and the sample's weight w, mean and covariance are
    ``n/(n+w) * own + w/(n+w) * sample``: the sample rules a small atlas and vanishes from a large
    one. ``light_weight`` times the light covariance is added, then ``shrink`` times the mean
    eigenvalue to every eigenvalue. The leading eigenvectors, divided by the root of their
    eigenvalues, are the projection; each is signed so that its largest component is positive.

    Without any variation (one photo, no sample) there is nothing to whiten: the identity about
    the origin is returned, so that search works as it would on raw vectors.

    Args:
        own: Statistics of the atlas's global vectors; a count of 0 leaves all to the sample.
        sample: Statistics of the bundle's sample, or None.
        settings: How to whiten; the defaults if None.

    Returns:
        A whitening to min(dimension, d) dimensions, fewer only where the shrunk covariance still
        has no variation.

    Raises:
        VectorError: No photos at all, or the two statistics differ in dimension.
    """
    settings = WhiteningSettings() if settings is None else settings
    mean, covariance = _mix(own, sample, settings)
    values, directions = np.linalg.eigh(covariance)
    values, directions = values[::-1].clip(min=0.0), directions[:, ::-1]
    if values[0] <= np.finfo(np.float64).eps * max(float(mean @ mean), np.finfo(np.float64).tiny):
        d = len(mean)
        return Whitening(np.zeros(d, dtype=np.float32), np.eye(d, dtype=np.float32))
    values = values + settings.shrink * values.mean()
    rank = int((values > values[0] * len(mean) * np.finfo(np.float64).eps).sum())
    kept = min(settings.dimension, rank)
    directions = directions[:, :kept]
    largest = np.abs(directions).argmax(axis=0)
    signs = np.where(directions[largest, np.arange(kept)] < 0, -1.0, 1.0)
    projection = directions * signs / np.sqrt(values[:kept])
    return Whitening(mean.astype(np.float32), projection.astype(np.float32))


def _mix(
    own: FeatureStatistics, sample: FeatureStatistics | None, settings: WhiteningSettings
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (d,) and covariance (d, d) of own photos and sample, with the light term."""
    weight = 0.0 if sample is None or sample.count == 0 else settings.sample_weight
    if own.count == 0 and weight == 0.0:
        raise VectorError(
            "A whitening cannot be fitted to no photos.",
            hint="Add photos to the atlas, or import the model with --whiten PHOTOS.",
        )
    if sample is None:
        light = own.light_covariance
        mean, covariance = own.mean, own.covariance
    else:
        if sample.dimension != own.dimension:
            raise VectorError(
                f"The sample must have the dimension of the atlas's vectors, {own.dimension}. "
                f"Got {sample.dimension}.",
                hint="Use the bundle that the atlas was built with.",
            )
        share = own.count / (own.count + weight)
        mean = share * own.mean + (1.0 - share) * sample.mean
        covariance = share * own.covariance + (1.0 - share) * sample.covariance
        light = sample.light_covariance
    if light is not None:
        covariance = covariance + settings.light_weight * light
    return mean, (covariance + covariance.T) / 2


def _is_identity(projection: NDArray[np.float32]) -> bool:
    d, k = projection.shape
    ones = np.count_nonzero(projection.diagonal() == 1)
    return bool(d == k == ones == np.count_nonzero(projection))


def _content_hash(mean: NDArray[np.float32], projection: NDArray[np.float32]) -> str:
    digest = hashlib.sha256(f"{SCHEMA} {projection.shape}".encode())
    digest.update(mean.astype("<f4").tobytes())
    digest.update(projection.astype("<f4").tobytes())
    return digest.hexdigest()[:16]


__all__ = ["SCHEMA", "FeatureStatistics", "Whitening", "WhiteningSettings", "fit_whitening"]
