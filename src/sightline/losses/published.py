"""The losses of published code as that code runs, for comparison only.

What differs between them stands in :data:`PUBLISHED` and nowhere else. Their mistakes are kept:

- the diagonal is counted as if each pair were its own negative (the CVM-Net family, L2LTR, WITW):
  a constant log 2 / (B - 1) without gradient, and one of the hardest where only those count;
- the number of pairs is a setting, wrong for a short batch (CVM-Net, L2LTR);
- log(1 + exp(x)) as written overflows in float32 on raw distances;
- lengths are divided by without a guard, so that a row of zeros is NaN (WITW, TransGeo, FRGeo);
- image-locate's distances to negatives pass through scipy and carry no gradient: only the pull to
  the positive is trained, and equal embeddings are its optimum.

To train, take the losses of :mod:`sightline.losses`, which equal these where these are right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from sightline.errors import UsageError
from sightline.losses.arguments import check_rows, check_same_shape

Kind: TypeAlias = Literal["triplets", "tuples", "classes", "pairs", "separate negatives"]
PublishedDistance: TypeAlias = Literal["2 - 2 dot", "-cosine", "squared euclidean"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedLoss:
    """One row of the table.

    Attributes:
        peer: The name that users know it by.
        source: Repository, file and function.
        kind: ``triplets``, a term for each anchor and negative; ``tuples``, log(1 + Σ exp) for each
            anchor; ``classes``, cross-entropy; ``pairs``, the pairs themselves; ``separate
            negatives``, triplets with rows of their own for negatives, that get no gradient.
        alpha: What d_pos - d_neg is multiplied by; for a hinge the margin; for classes 1/τ.
        distance: Between embeddings.
        own_norm: Whether it brings the rows to unit length itself.
        diagonal: Whether pairs are counted among the negatives.
        hinge: Whether the terms are max(0, x + margin) and not log(1 + exp(x)).
        hardest: Take each anchor's k largest terms only, 0 all (``batch_hard_count``).
        share: Take this share of a direction's largest terms only (``hard_topk_ratio``).
        smoothing: Label smoothing.
        normaliser: ``own``, the number of terms there are; ``setting``, B (B - 1) with B as the
            code was told.
    """

    peer: str
    source: str
    kind: Kind = "triplets"
    alpha: float = 10.0
    distance: PublishedDistance = "2 - 2 dot"
    own_norm: bool = False
    diagonal: bool = False
    hinge: bool = False
    hardest: int = 0
    share: float = 1.0
    smoothing: float = 0.0
    normaliser: Literal["own", "setting"] = "own"


def _cvm_net(peer: str, source: str) -> PublishedLoss:
    return PublishedLoss(peer=peer, source=source, diagonal=True, normaliser="setting")


def _image_locate(function: str, alpha: float, *, hinge: bool) -> PublishedLoss:
    return PublishedLoss(
        peer="image-locate",
        source=f"S010MON/image-locate:src/losses.py:{function}",
        kind="separate negatives",
        alpha=alpha,
        distance="squared euclidean",
        diagonal=True,
        hinge=hinge,
    )


_WITW = "IQTLabs/WITW:model"
_CVM_NET = "david-husx/crossview_localisation:src/CVM-Net/train.py:compute_loss"
_SAFA = "shiyujiao/cross_view_localization_SAFA:script/train_cvusa.py:compute_loss"
_L2LTR = "yanghongji2007/cross_view_localization_L2LTR:train.py:triplet_loss"

PUBLISHED: dict[str, PublishedLoss] = {
    "cvmnet_compute_loss": _cvm_net("CVM-Net", _CVM_NET),
    "safa_compute_loss": _cvm_net("SAFA", _SAFA),
    "vigor_compute_loss": _cvm_net("VIGOR", "Jeff-Zilence/VIGOR:train_overall.py:compute_loss"),
    "l2ltr_triplet": _cvm_net("L2LTR", _L2LTR),
    "witw_fov_triplet": PublishedLoss(
        peer="WITW",
        source=f"{_WITW}/cvig_fov.py:correlation, l2_distance, triplet_loss",
        own_norm=True,
        diagonal=True,
    ),
    "witw_fov_triplet_rawdist": PublishedLoss(
        peer="WITW", source=f"{_WITW}/cvig_fov.py:triplet_loss", diagonal=True
    ),
    "witw_baseline_soft": PublishedLoss(
        peer="WITW",
        source=f"{_WITW}/cvig_baseline.py:exhaustive_minibatch_triplet_loss, soft_margin",
        distance="squared euclidean",
    ),
    "witw_baseline_hard": PublishedLoss(
        peer="WITW",
        source=f"{_WITW}/cvig_baseline.py:exhaustive_minibatch_triplet_loss",
        distance="squared euclidean",
        hinge=True,
        alpha=1.0,
    ),
    "transgeo_softtriplet": PublishedLoss(
        peer="TransGeo",
        source="Jeff-Zilence/TransGeo2022:criterion/soft_triplet.py:SoftTripletBiLoss",
        alpha=20.0,
        distance="-cosine",
        own_norm=True,
    ),
    "geodtr_softmargin": PublishedLoss(
        peer="GeoDTR+", source="zxh009123/GeoDTR_plus:utils/utils.py:softMarginTripletLoss"
    ),
    "geodtr_cfloss": PublishedLoss(
        peer="GeoDTR+",
        source="zxh009123/GeoDTR_plus:utils/utils.py:CFLoss",
        kind="pairs",
        alpha=5.0,
        diagonal=True,
    ),
    "frgeo_wbloss": PublishedLoss(
        peer="FRGeo",
        source="zqwlearning/FRGeo-Code:criterion/wbloss.py:WBLoss",
        kind="tuples",
        distance="-cosine",
        own_norm=True,
    ),
    "sample4geo_infonce": PublishedLoss(
        peer="Sample4Geo",
        source="Skyy93/Sample4Geo:sample4geo/loss.py:InfoNCE",
        kind="classes",
        alpha=1 / 0.07,
        distance="-cosine",
        own_norm=True,
        diagonal=True,
        smoothing=0.1,
    ),
    "imagelocate_max_margin": _image_locate("max_margin_triplet_loss", 0.5, hinge=True),
    "imagelocate_soft_margin": _image_locate("soft_margin_triplet_loss", 10.0, hinge=False),
}


def published_loss(
    function: str,
    ground: Tensor,
    aerial: Tensor,
    *,
    negatives: Tensor | None = None,
    batch_size: int | None = None,
    **settings: object,
) -> Tensor:
    """Return what a published function returns.

    Args:
        function: A key of :data:`PUBLISHED`.
        ground: (n, d) float32 or float64: what the peer passes for the ground view.
        aerial: (n, d), row i the same place.
        negatives: (n, d), for image-locate's functions only.
        batch_size: B as the code was told, where it does not count it; the batch's own by default.
        settings: Fields of :class:`PublishedLoss` that the function can be called with.

    Returns:
        A scalar of the rows' type, with the peer's gradients: infinite or NaN where the peer's is.

    Raises:
        UsageError: An unknown function, or negatives missing or given to one that takes none.
        VectorError: Shapes that do not fit.
    """
    if function not in PUBLISHED:
        raise UsageError(
            f"function must be one of {', '.join(PUBLISHED)}. Got {function!r}.",
            hint="The table names each loss by its peer and its own name.",
        )
    row = replace(PUBLISHED[function], **settings)  # type: ignore[arg-type]
    check_rows("ground", ground)
    check_same_shape("aerial", aerial, "ground", ground)
    separate = row.kind == "separate negatives"
    if separate != (negatives is not None):
        raise UsageError(
            f"negatives must be given to image-locate's functions and to no other. "
            f"Got {'none' if negatives is None else 'some'} for {function}.",
            hint="All others take negatives from the batch.",
        )
    if negatives is not None:
        check_same_shape("negatives", negatives, "ground", ground)
        return _separate_negatives(row, ground, aerial, negatives)
    if row.own_norm:
        ground, aerial = (rows / rows.norm(dim=1, keepdim=True) for rows in (ground, aerial))
    distances = _distances(row.distance, aerial, ground)
    return _OF_KIND[row.kind](row, distances, batch_size or len(ground))


def _distances(distance: PublishedDistance, rows: Tensor, others: Tensor) -> Tensor:
    if distance == "squared euclidean":
        return (rows[:, None] - others[None]).square().sum(dim=2)
    products = rows @ others.T
    return -products if distance == "-cosine" else 2 - 2 * products


def _terms(row: PublishedLoss, violation: Tensor) -> Tensor:
    if row.hinge:
        return (violation + row.alpha).clamp(min=0)
    return torch.log(1 + torch.exp(row.alpha * violation))


def _directions(distances: Tensor) -> tuple[Tensor, Tensor]:
    """Return d_pos - d_neg (n, n), anchors in rows, of both directions."""
    positive = distances.diagonal()[:, None]
    return positive - distances, positive - distances.T


def _triplets(row: PublishedLoss, distances: Tensor, batch_size: int) -> Tensor:
    rows = len(distances)
    count = rows * (rows - 1) if row.normaliser == "own" else batch_size * (batch_size - 1)
    means = []
    for violation in _directions(distances):
        terms = _terms(row, violation)
        if not row.diagonal:
            terms = terms.masked_fill(torch.eye(rows, dtype=torch.bool, device=terms.device), 0.0)
        if row.hardest:
            means.append(terms.topk(row.hardest, dim=1).values.mean())
        elif row.share < 1:
            means.append(terms.flatten().topk(int(row.share * count)).values.mean())
        else:
            means.append(terms.sum() / count)
    return (means[0] + means[1]) / 2


def _tuples(row: PublishedLoss, distances: Tensor, _: int) -> Tensor:
    own = torch.eye(len(distances), dtype=torch.bool, device=distances.device)
    sides = [
        torch.log(1 + torch.exp(row.alpha * violation).masked_fill(own, 0.0).sum(dim=1)).mean()
        for violation in _directions(distances)
    ]
    return (sides[0] + sides[1]) / 2


def _classes(row: PublishedLoss, distances: Tensor, _: int) -> Tensor:
    target = torch.arange(len(distances), device=distances.device)
    sides = [
        torch.nn.functional.cross_entropy(logits, target, label_smoothing=row.smoothing)
        for logits in (-row.alpha * distances, -row.alpha * distances.T)
    ]
    return (sides[0] + sides[1]) / 2


def _pairs(row: PublishedLoss, distances: Tensor, _: int) -> Tensor:
    return _terms(row, -distances.diagonal()).mean()


def _separate_negatives(
    row: PublishedLoss, ground: Tensor, aerial: Tensor, negatives: Tensor
) -> Tensor:
    positive = (ground - aerial).square().sum(dim=1)
    negative = _distances(row.distance, ground, negatives).detach()
    rows = len(ground)
    if row.hinge:
        farthest = torch.finfo(negative.dtype).max
        behind = negative.masked_fill(negative <= positive.detach()[:, None], farthest)
        return _terms(row, positive - behind.amin(dim=1)).mean()
    # Broadcasting pairs each negative with the positive of its row, and then of its column.
    sides = [_terms(row, positive[:, None] - table).sum() for table in (negative, negative.T)]
    return (sides[0] + sides[1]) / (2 * rows * (rows - 1))


_OF_KIND: dict[Kind, Callable[[PublishedLoss, Tensor, int], Tensor]] = {
    "triplets": _triplets,
    "tuples": _tuples,
    "classes": _classes,
    "pairs": _pairs,
}
