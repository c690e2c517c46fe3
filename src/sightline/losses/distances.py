"""Distances between embeddings, with gradients, in float32 or better.

Half-precision rows are raised to float32 first, and whoever calls switches autocast off: eight bits
of mantissa cannot hold the small differences of distances that the losses are made of.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from sightline.errors import UsageError

Distance: TypeAlias = Literal["squared_euclidean", "euclidean", "cosine", "dot"]
"""``squared_euclidean``; ``euclidean``, its root; ``cosine``, 1 - cos (rows are brought to unit
length first, so that the loss does not see lengths); ``dot``, 2 - 2 a·b, which on unit vectors is
the squared Euclidean one, and on others is no distance: published code uses it."""


def check_distance(distance: str) -> Distance:
    """Return the name of a distance.

    Raises:
        UsageError: There is none of this name.
    """
    known: tuple[Distance, ...] = get_args(Distance)
    for name in known:
        if distance == name:
            return name
    raise UsageError(
        f"distance must be one of {', '.join(get_args(Distance))}. Got {distance!r}.",
        hint="The papers use squared_euclidean, their code often cosine.",
    )


def full_precision(rows: Tensor) -> Tensor:
    """Return rows in float32, or in float64 where they are."""
    return rows if rows.dtype == torch.float64 else rows.float()


def unit_rows(rows: Tensor) -> Tensor:
    """Return rows (n, d) at unit length, whatever their magnitude; a row of zeros stays zeros.

    Such a row, as a layer of dead ReLUs makes it, gets the gradient of its unit row as if its
    length were 1, not an infinite one.
    """
    rows = full_precision(rows)
    # Squares of 1e30 overflow in float32 and those of 1e-30 vanish; the unit row does not depend on
    # the scale, so the scale needs no gradient either.
    scale = torch.linalg.vector_norm(rows.detach(), math.inf, dim=1, keepdim=True)
    empty = scale == 0
    rows = rows / scale.masked_fill(empty, 1.0)
    lengths = rows.square().sum(dim=1, keepdim=True).masked_fill(empty, 1.0).sqrt()
    return rows / lengths


def prepare(rows: Tensor, distance: Distance) -> Tensor:
    """Return rows as the functions below take them: at least float32, of unit length for cosine."""
    return unit_rows(rows) if distance == "cosine" else full_precision(rows)


def distance_matrix(rows: Tensor, others: Tensor, distance: Distance) -> Tensor:
    """Return the distances (n, m) of every prepared row (n, d) to every other one (m, d).

    In the wider of their two types.
    """
    wider = torch.promote_types(rows.dtype, others.dtype)
    rows, others = rows.to(wider), others.to(wider)
    if distance == "cosine":
        return 1 - rows @ others.T
    if distance == "dot":
        return 2 - 2 * (rows @ others.T)
    squares = _squared_euclidean(rows, others)
    return squares if distance == "squared_euclidean" else root(squares)


def row_distances(rows: Tensor, others: Tensor, distance: Distance) -> Tensor:
    """Return the distance (n,) of each prepared row to the other one of the same number."""
    if distance == "cosine":
        return 1 - (rows * others).sum(dim=1)
    if distance == "dot":
        return 2 - 2 * (rows * others).sum(dim=1)
    squares = (rows - others).square().sum(dim=1)
    return squares if distance == "squared_euclidean" else root(squares)


def as_euclidean(values: Tensor, distance: Distance) -> Tensor:
    """Return Euclidean distances of unit vectors from their ``distance`` values."""
    if distance == "euclidean":
        return values
    return root(values if distance != "cosine" else 2 * values)


def root(squares: Tensor) -> Tensor:
    """Return the square root, with gradient 0 where it has none (at 0)."""
    none = squares <= 0
    return squares.masked_fill(none, 1.0).sqrt().masked_fill(none, 0.0)


def _squared_euclidean(rows: Tensor, others: Tensor) -> Tensor:
    # |a|² + |b|² - 2 a·b cancels where a ≈ b. Distances do not change when both sets are moved, so
    # what cancels is made as small as the spread of the set, not its distance from the origin.
    centre = others.detach().mean(dim=0)
    rows, others = rows - centre, others - centre
    products = rows @ others.T
    lengths = rows.square().sum(dim=1)[:, None] + others.square().sum(dim=1)
    squares = lengths - 2 * products
    # Rounding may go below zero: the value is put right, and the gradient, 2 (a - b), is kept.
    return squares + squares.detach().clamp(max=0).neg()
