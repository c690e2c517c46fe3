"""From a bundle to what it says of stored vectors: beliefs, and vectors for retrieval.

The backbone's pooled vectors are computed once and kept
(:mod:`sightline.training.photos.features`). Heads and residual modules take them, in batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from sightline.benchmark.seen import Beliefs, Floats, Rows
from sightline.errors import VectorError
from sightline.geo.partition import Partition
from sightline.locating import answers_by_level, choose_cells, classify
from sightline.models.cell_heads import HierarchicalHead
from sightline.models.global_bundle import GlobalBundle
from sightline.models.mixture_head import MixtureHead

Pooled = NDArray[np.float16]
Form = TypeVar("Form", np.float16, np.float32)

_AT_ONCE = 256


def retrieval_vectors(
    pooled: Pooled, residual: nn.Module | None, device: torch.device, form: type[Form]
) -> NDArray[Form]:
    """Vectors for retrieval of pooled ones, (n, d), unit length.

    Args:
        pooled: float16 (n, d).
        residual: Refines them; None to take them as they are.
        device: Where to compute.
        form: ``float32`` for queries, ``float16`` for references, as an atlas has them.

    Returns:
        (n, d); all zero where the pooled vector is, as that of a broken photo.

    Raises:
        VectorError: One is not finite.
    """
    made = np.empty(pooled.shape, form)
    for rows, vectors in _batches(pooled, residual, device):
        refined = vectors if residual is None else residual(vectors)
        unit = functional.normalize(refined.float(), dim=1)
        unit[(vectors == 0).all(dim=1)] = 0
        made[rows] = unit.cpu().numpy()
    if not np.isfinite(made).all():
        raise VectorError(
            "Vectors of photos must be finite. Got NaN or infinity.",
            hint="The network has diverged: train it with a lower learning_rate.",
        )
    return made


def beliefs_of(
    pooled: Pooled,
    bundle: GlobalBundle,
    device: torch.device,
    *,
    radii_km: Sequence[float] = (),
) -> tuple[Beliefs, ...]:
    """What a bundle's classifier believes, one for each of its partitions from coarse to fine.

    Of a hierarchy the finest answers with the product, and the others each by itself.

    Args:
        pooled: float16 (n, d).
        bundle: The model.
        device: Where to compute.
        radii_km: Radii for which the finest names a place each.
    """
    head, partitions = bundle.classifier.head.to(device), bundle.partitions
    cells = [np.empty((len(pooled), 1), np.int64) for _ in partitions]
    points = [np.empty((len(pooled), 2)) for _ in partitions]
    by_radius = {x: np.empty((len(pooled), 2)) for x in radii_km}
    levels = {f"{x:g}": x for x in radii_km}
    for rows, vectors in _batches(pooled, head, device):
        for number, (partition, belief) in enumerate(
            zip(partitions, _log_probabilities(head, vectors), strict=True)
        ):
            values = belief.float().cpu().numpy()
            cells[number][rows] = choose_cells(values, partition).rows
            points[number][rows] = _points(head, vectors, values, partition)
            if levels and number == len(partitions) - 1:
                answers = answers_by_level(values, partition, levels_km=levels)
                for level, radius in enumerate(levels.values()):
                    by_radius[radius][rows] = answers.points[:, level]
    return tuple(
        Beliefs(
            partition,
            cells[number],
            points[number],
            by_radius if number == len(partitions) - 1 else {},
        )
        for number, partition in enumerate(partitions)
    )


def predicted_cells(pooled: Pooled, bundle: GlobalBundle, device: torch.device) -> Rows:
    """The most probable cell (n,) of the finest partition of many photos.

    Args:
        pooled: float16 (n, d).
        bundle: The model.
        device: Where to compute.
    """
    head = bundle.classifier.head.to(device)
    found = np.empty(len(pooled), np.int64)
    for rows, vectors in _batches(pooled, head, device):
        found[rows] = _log_probabilities(head, vectors)[-1].argmax(dim=1).cpu().numpy()
    return found


def _batches(
    pooled: Pooled, module: nn.Module | None, device: torch.device
) -> Iterator[tuple[slice, Tensor]]:
    if module is not None:
        module.to(device).eval()
    with torch.inference_mode():
        for start in range(0, len(pooled), _AT_ONCE):
            rows = slice(start, start + _AT_ONCE)
            yield rows, torch.from_numpy(pooled[rows].astype(np.float32)).to(device)


def _log_probabilities(head: nn.Module, vectors: Tensor) -> tuple[Tensor, ...]:
    """One (n, m) for each partition, from coarse to fine."""
    found = cast("Tensor | tuple[Tensor, ...]", head.log_probabilities(vectors))  # type: ignore[operator]
    if isinstance(head, HierarchicalHead):
        coarse = [head[number].log_probabilities(vectors) for number in range(len(head) - 1)]
        return (*coarse, cast("Tensor", found))
    return found if isinstance(found, tuple) else (found,)


def _points(
    head: nn.Module, vectors: Tensor, values: NDArray[np.float32], partition: Partition
) -> Floats:
    """Where the classifier places photos: as ``sightline locate --method classify`` does."""
    if isinstance(head, MixtureHead):
        return np.asarray(head.modes(vectors).points.cpu().numpy(), np.float64)
    return classify(values, partition)
