"""A softmax over some of very many classes: those of the batch, and a sample of the others."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from sightline.errors import PartitionError
from sightline.geo.partition import OUTSIDE
from sightline.losses.arguments import check_finite, positive_count
from sightline.losses.cell_cross_entropy import CellLoss, everyones_share
from sightline.losses.cell_labels import check_cell_rows, check_logits
from sightline.losses.distances import full_precision


class SampledClasses(NamedTuple):
    """Classes that a batch is trained with.

    Attributes:
        classes: int64 (c,), ascending: what to ask a head for.
        log_inclusion: float32 (c,), log of the probability with which each came in: 0 for the
            classes of the batch.
        rows: int64 (n,), each photo's class as a position in ``classes``, -1 for none.
    """

    classes: Tensor
    log_inclusion: Tensor
    rows: Tensor


@torch.no_grad()
def sample_classes(
    rows: Tensor, classes: int, negatives: int, *, generator: torch.Generator
) -> SampledClasses:
    """Take the classes of a batch, and some of the others, all equally probable.

    An et al., *Partial FC: Training 10 million identities on a single machine* (2021): positives
    are always in, and all photos share the sample. What it saves are logits and their products, not
    the step of the optimiser over the whole layer.

    Args:
        rows: (n,) the photos' cells, -1 for none.
        classes: m of the partition.
        negatives: How many others, at most; of all there are the softmax is the whole one.
        generator: On the device of ``rows``.

    Raises:
        VectorError: Rows that are not one whole number for each photo.
        PartitionError: A row that the partition does not have, or fewer than two classes.
        UsageError: No negatives.
    """
    positive_count("negatives", negatives)
    if classes < 2:
        raise PartitionError(
            f"A classifier must tell two classes or more apart. Got {classes}.",
            hint="Give the number of the partition's cells.",
        )
    check_cell_rows(rows, len(rows), classes)
    positives = torch.unique(rows[rows != OUTSIDE])
    others = classes - len(positives)
    taken = min(negatives, others)
    order = torch.rand(classes, generator=generator, device=rows.device)
    order[positives] = -1.0  # first of all
    chosen = order.topk(len(positives) + taken, largest=False).indices.sort().values
    given = torch.isin(chosen, positives)
    share = torch.log(torch.tensor(taken / others if others else 1.0))
    log_inclusion = share.to(rows.device).expand(len(chosen)).masked_fill(given, 0.0)
    positions = torch.searchsorted(chosen, rows.clamp(min=0))
    return SampledClasses(chosen, log_inclusion, positions.masked_fill(rows == OUTSIDE, OUTSIDE))


def sampled_cross_entropy(logits: Tensor, sampled: SampledClasses) -> CellLoss:
    """Return the mean loss of a batch over its sampled classes.

    log of each class's probability of coming in is taken from its logit, so that Σ exp of what is
    left is, over samples, on average the whole softmax's denominator: importance sampling, after
    Bengio and Senécal, *Adaptive importance sampling to accelerate training of a neural
    probabilistic language model* (2008). Its log, and with it the loss, is a little low on average;
    the more classes, the less. Partial FC leaves the correction out. Neither label smoothing nor
    distances go with it: most of the cells they speak of are not there.

    Args:
        logits: (n, c) of ``sampled.classes``, uncorrected, any floating type.
        sampled: Of the same batch.

    Raises:
        VectorError: Logits that are none, or not one row for each photo.
        PartitionError: Another number of classes.
    """
    check_logits(logits, len(sampled.classes))
    check_cell_rows(sampled.rows, len(logits), len(sampled.classes))
    check_finite(logits=logits)
    corrected = full_precision(logits) - sampled.log_inclusion.to(logits.device)
    total = functional.cross_entropy(
        corrected, sampled.rows.to(logits.device), ignore_index=OUTSIDE, reduction="sum"
    )
    inside = sampled.rows != OUTSIDE
    return CellLoss(total / everyones_share(inside.sum()), (~inside).sum())
