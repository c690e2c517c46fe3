"""Photos of unknown heading: turn the regions of the aerial view until they fit.

A camera that turns by one region shifts the regions of :mod:`.feature_recombination` by one, the
last becoming the first. So a photo of unknown heading is compared under every shift, and the best
one counts and tells the heading. Shi, Yu, Campbell and Li, *Where am I looking at?* (CVPR 2020)
do the same with the columns of a polar map; here each region is compared by its cosine.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from sightline.errors import UsageError, VectorError
from sightline.models.precision import wide, without_autocast
from sightline.models.view_geometry import CIRCLE_DEGREES, FIRST_REGION_DEGREES, GroundGeometry

_SCORES_AT_ONCE = 2**24


def shift_scores(ground: Tensor, aerial: Tensor) -> Tensor:
    """How well every photo fits every aerial image under every shift; differentiable.

    With q the photo's regions and a those of the aerial image at unit length, the score of a shift
    by s regions is the sum over k of q[k] · a[(k + s) mod r], divided by the sum of the lengths of
    q: the mean cosine, each region weighted by its length, which is the share of it in view.

    Args:
        ground: (b, r, c), from ``FeatureRecombination.forward`` without headings.
        aerial: (m, p, r, c), from ``FeatureRecombination.turned``; or (m, r, c) for one phase.

    Returns:
        (b, m, r * p) in [-1, 1]; shift i stands for a turn by i / p regions.

    Raises:
        UsageError: The shapes do not fit.
    """
    turning = aerial[:, None] if aerial.ndim == 3 else aerial
    if ground.ndim != 3 or turning.ndim != 4 or ground.shape[1:] != turning.shape[2:]:
        raise UsageError(
            "Regions must have shapes (b, regions, channels) and (m, phases, regions, channels). "
            f"Got {tuple(ground.shape)} and {tuple(aerial.shape)}.",
            hint="Unflatten the vectors of one network: vectors.unflatten(1, (regions, -1)).",
        )
    with without_autocast(ground):
        return _scores(wide(ground), wide(turning))


def _scores(ground: Tensor, turning: Tensor) -> Tensor:
    """(b, r, c) and (m, p, r, c) -> (b, m, r * p)."""
    tiny = torch.finfo(ground.dtype).tiny
    query = ground / ground.norm(dim=2).sum(dim=1).clamp(min=tiny)[:, None, None]
    turning = functional.normalize(turning, dim=-1)
    # Turning the photo back is the same as turning the aerial image, and it is smaller.
    turned = turned_queries(query)
    scores = torch.einsum("bsd,mpd->bmsp", turned, turning.flatten(2))
    return scores.flatten(2)


def best_shifts(ground: Tensor, aerial: Tensor) -> tuple[Tensor, Tensor]:
    """The best shift of every photo against every aerial image, in bounded memory.

    Args:
        ground: (b, r, c).
        aerial: (m, p, r, c) or (m, r, c).

    Returns:
        Scores (b, m) as :func:`shift_scores` defines them, and int64 shifts (b, m), the first of
        equals.

    Raises:
        UsageError: The shapes do not fit.
        VectorError: A value is not finite.
    """
    for name, regions in (("ground", ground), ("aerial", aerial)):
        bad = ~torch.isfinite(regions).flatten(1).all(dim=1)
        if bool(bad.any()):
            raise VectorError(
                f"{name} row {int(bad.int().argmax())} holds a value that is not finite.",
                hint="Find out what made it; a model with such outputs has no score.",
            )
    scores, shifts = [], []
    phases = aerial.shape[1] if aerial.ndim == 4 else 1
    rows = max(1, _SCORES_AT_ONCE // max(1, len(ground) * ground.shape[1] * phases))
    for part in torch.split(aerial, rows):
        best = shift_scores(ground, part).max(dim=2)
        scores.append(best.values)
        shifts.append(best.indices)
    return torch.cat(scores, dim=1), torch.cat(shifts, dim=1)


def turned_queries(ground: Tensor) -> Tensor:
    """A photo as one query per shift, so that any index of inner products can be asked.

    The highest inner product over the shifts, with aerial vectors of unit regions, orders
    references as :func:`best_shifts` does.

    Args:
        ground: (b, r, c).

    Returns:
        (b, r, r * c), where query s holds region k at the place of region (k + s) mod r.
    """
    count = ground.shape[1]
    return torch.stack([ground.roll(s, dims=1) for s in range(count)], dim=1).flatten(2)


def headings_of_shifts(
    shifts: Tensor, geometry: GroundGeometry, *, regions: int, phases: int = 1
) -> Tensor:
    """The bearing of a view's centre column, from the shift that fits it best.

    Args:
        shifts: Of :func:`best_shifts`, any shape.
        geometry: Of the view.
        regions: r.
        phases: p of the aerial images.

    Returns:
        float64 degrees in [0, 360), of the same shape.
    """
    turn = shifts.double() * (CIRCLE_DEGREES / (regions * phases))
    ahead = turn + FIRST_REGION_DEGREES + geometry.fov_degrees / 2
    return torch.remainder(ahead, CIRCLE_DEGREES)
