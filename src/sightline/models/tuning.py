"""Find the feature map, input size and pooling that suit a backbone, on photos at hand.

With labelled places, a photo asks and the others answer, as on the measured sets. Without labels a
photo must find itself: its right part, strongly re-coloured, asks, and the left parts of all
photos answer. The two overlap by a third, as two photos of one place do that look aside.
"""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import nn

from sightline.errors import BundleError, UsageError
from sightline.models.backbone import CutBackbone, set_input_size
from sightline.models.config import TimmConfig, read_config, read_network
from sightline.models.encoder import TorchEncoder
from sightline.models.families import candidate_features, default_feature, family_of
from sightline.models.protocol import Pixels
from sightline.models.recolour import recolour
from sightline.models.settings import EncoderSettings, PoolingMethod
from sightline.models.statistics import FeatureStatistics
from sightline.models.whitening import WhiteningSettings, fit_whitening

_SEED = 20_240_501
_BATCH = 16
# Query and reference each keep this share of the width, from opposite ends.
_PART = 2 / 3


@dataclass(frozen=True, slots=True)
class TuningResult:
    """How one combination did.

    Args:
        feature: Module path.
        size: (height, width) of the input.
        pooling: How the map became a vector.
        recall: Share of the queries whose first answer is right.
        margin: Mean of (best right score - best wrong score), in cosine of whitened vectors.
        dimension: d of the raw vectors.
        seconds_per_photo: Of the forward pass here.
    """

    feature: str
    size: tuple[int, int]
    pooling: PoolingMethod
    recall: float
    margin: float
    dimension: int
    seconds_per_photo: float


def tune_model(
    config: str | os.PathLike[str],
    weights: str | os.PathLike[str],
    photos: Sequence[Pixels],
    *,
    places: Sequence[Hashable] | None = None,
    features: Sequence[str] | None = None,
    sizes: Sequence[int] | None = None,
    poolings: Sequence[PoolingMethod] = ("average",),
    whitening: WhiteningSettings | None = None,
) -> list[TuningResult]:
    """Rank combinations of feature map, size and pooling, best first.

    Args:
        config: timm's ``config.json``.
        weights: A safetensors file.
        photos: uint8 RGB (h, w, 3), at least four.
        places: A label per photo; photos of one place share it. None: self-supervised.
        features: Module paths to try; a few of each stride if None.
        sizes: Sides of the input to try; the trained one and, for networks that take any, its
            double if None.
        poolings: Ways of pooling to try.
        whitening: How the vectors are whitened; the family's settings if None.

    Returns:
        Ordered by recall, then by margin.

    Raises:
        UsageError: Too few photos, or labels that do not fit them.
        BundleError: The config, the weights or a setting cannot be, or do not fit each other.
    """
    _check_photos(photos, places)
    described = read_config(config)
    network, _ = read_network(described, weights)
    family = family_of(described.architecture)
    chosen = whitening or family.whitening
    queries, references = _split(photos) if places is None else (photos, photos)
    results = [
        _judge(encoder, queries, references, places, chosen)
        for encoder in _candidates(described, network, features, sizes, poolings)
    ]
    return sorted(results, key=lambda r: (-r.recall, -r.margin))


def _check_photos(photos: Sequence[Pixels], places: Sequence[Hashable] | None) -> None:
    if len(photos) < 4:
        raise UsageError(
            f"Tuning needs at least 4 photos. Got {len(photos)}.",
            hint="Give a hundred or more for a ranking that means something.",
        )
    if places is None:
        return
    if len(places) != len(photos):
        raise UsageError(
            f"There must be one place per photo. Got {len(places)} for {len(photos)} photos.",
            hint="Give the labels in the order of the photos.",
        )
    if len(set(places)) in (1, len(places)):
        raise UsageError(
            f"Labels must tell places apart and join photos. Got {len(set(places))} places for "
            f"{len(places)} photos.",
            hint="Leave the labels out to tune without them.",
        )


def _candidates(
    described: TimmConfig,
    network: nn.Module,
    features: Sequence[str] | None,
    sizes: Sequence[int] | None,
    poolings: Sequence[PoolingMethod],
) -> Iterator[TorchEncoder]:
    trained = described.preprocessing.size[0]
    free = not hasattr(network, "set_input_size")
    for side in sizes or ((trained, 2 * trained) if free else (trained,)):
        sized = copy.deepcopy(network)
        size = (side, side)
        set_input_size(sized, size)
        named = family_of(described.architecture).feature or default_feature(sized, size)
        for feature in features or dict.fromkeys([named, *candidate_features(sized, size)]):
            for pooling in poolings:
                backbone = CutBackbone(copy.deepcopy(sized), feature, size)
                if pooling == "class" and backbone.prefix_tokens < 1:
                    raise BundleError(
                        f"The feature {feature!r} has no class token.",
                        hint="Leave the pooling 'class' out.",
                    )
                settings = EncoderSettings(
                    architecture=described.architecture,
                    feature=feature,
                    layout=backbone.layout,
                    model_args=dict(described.model_args),
                    pooling=pooling,
                    preprocessing=replace(described.preprocessing, size=size),
                )
                yield TorchEncoder(
                    backbone, settings, name=feature, precision="float32", runtime="torch"
                )


def _split(photos: Sequence[Pixels]) -> tuple[list[Pixels], list[Pixels]]:
    """Queries (right parts, re-coloured) and references (left parts)."""
    generator = np.random.default_rng(_SEED)
    queries, references = [], []
    for photo in photos:
        kept = max(1, round(photo.shape[1] * _PART))
        references.append(photo[:, :kept])
        queries.append(recolour(photo[:, -kept:], generator))
    return queries, references


def _judge(
    encoder: TorchEncoder,
    queries: Sequence[Pixels],
    references: Sequence[Pixels],
    places: Sequence[Hashable] | None,
    whitening: WhiteningSettings,
) -> TuningResult:
    answers, seconds = _encode(encoder, references)
    questions = answers if queries is references else _encode(encoder, queries)[0]
    fitted = fit_whitening(FeatureStatistics.from_vectors(answers), None, whitening)
    scores = (fitted.apply(questions) @ fitted.apply(answers).T).astype(np.float64)
    if places is None:
        right = np.eye(len(scores), dtype=bool)
    else:
        numbers = {place: number for number, place in enumerate(dict.fromkeys(places))}
        labels = np.array([numbers[place] for place in places])
        right = labels[:, None] == labels[None, :]
        np.fill_diagonal(right, val=False)
        # A photo never answers itself.
        np.fill_diagonal(scores, -np.inf)
    asked = right.any(axis=1)
    best_right = np.where(right, scores, -np.inf).max(axis=1)[asked]
    best_wrong = np.where(right, -np.inf, scores).max(axis=1)[asked]
    return TuningResult(
        feature=encoder.settings.feature,
        size=encoder.settings.preprocessing.size,
        pooling=encoder.settings.pooling,
        # A tie is not a find: constant vectors must score nothing.
        recall=float((best_right > best_wrong).mean()),
        margin=float((best_right - best_wrong).mean()),
        dimension=encoder.dimension,
        seconds_per_photo=seconds,
    )


def _encode(encoder: TorchEncoder, photos: Sequence[Pixels]) -> tuple[NDArray[np.float32], float]:
    """Global vectors (n, d), and the seconds of one forward pass."""
    encoder.warm_up()
    vectors = []
    seconds = 0.0
    for start in range(0, len(photos), _BATCH):
        prepared = np.stack([encoder.prepare(p) for p in photos[start : start + _BATCH]])
        begun = time.perf_counter()
        vectors.append(encoder.encode_prepared(prepared).mean(axis=1))
        seconds += time.perf_counter() - begun
    return np.concatenate(vectors), seconds / len(photos)
