"""What a loss refuses before it computes: shapes that do not fit, numbers that are none."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sightline.errors import UsageError, VectorError


def check_rows(name: str, rows: Tensor) -> None:
    """Refuse anything but floating-point rows (n, d), d at least 1.

    Raises:
        VectorError: Naming the tensor and its shape or type.
    """
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise VectorError(
            f"{name} must be rows of shape (n, d). Got shape {tuple(rows.shape)}.",
            hint="Flatten each embedding to one row.",
        )
    if not rows.is_floating_point():
        raise VectorError(
            f"{name} must be floating-point numbers. Got {_type_name(rows)}.",
            hint="Pass the embeddings as the network returns them.",
        )


def check_same_shape(name: str, rows: Tensor, other_name: str, other: Tensor) -> None:
    """Refuse two sets of rows of which row i cannot belong to row i.

    Raises:
        VectorError: Naming both shapes.
    """
    if rows.shape != other.shape:
        raise VectorError(
            f"{name} must have the shape of {other_name}, {tuple(other.shape)}. "
            f"Got {tuple(rows.shape)}.",
            hint="Row i of both must be the same place in the same space.",
        )


def check_labels(name: str, labels: Tensor, rows: int) -> None:
    """Refuse labels that are not one whole number for each row.

    Raises:
        VectorError: Naming shape or type.
    """
    if labels.shape != (rows,):
        raise VectorError(
            f"{name} must be one number for each of {rows} rows. Got shape {tuple(labels.shape)}.",
            hint="Give each row the id of its place or cell.",
        )
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise VectorError(
            f"{name} must be whole numbers. Got {_type_name(labels)}.",
            hint="Number the places or cells with int64.",
        )


def check_mask(name: str, mask: Tensor, shape: tuple[int, int]) -> None:
    """Refuse a mask of another shape, or one that is not of truth values.

    Raises:
        VectorError: Naming shape or type.
    """
    if mask.shape != shape or mask.dtype != torch.bool:
        raise VectorError(
            f"{name} must be truth values of shape {shape}. "
            f"Got {_type_name(mask)} of shape {tuple(mask.shape)}.",
            hint="Compare with an operator such as == to make it.",
        )


def check_finite(**tensors: Tensor) -> None:
    """Refuse NaN and infinity. One read of a device for all tensors together.

    Raises:
        VectorError: Naming the first row that has any, and the value.
    """
    verdicts = [tensor.isfinite().all() for tensor in tensors.values()]
    if bool(torch.stack(verdicts).all()):
        return
    for name, tensor in tensors.items():
        wrong = (~tensor.isfinite()).nonzero()
        if len(wrong):
            place = tuple(wrong[0].tolist())
            raise VectorError(
                f"{name} must be finite. Got {tensor[place].item()} in row {place[0]}, and "
                f"{len(wrong)} such numbers among {tensor.numel()}.",
                hint="Lower the learning rate, or look for a broken image in this batch.",
            )


def positive_number(name: str, value: float) -> float:
    """Return a setting that has to be above zero and finite.

    Raises:
        UsageError: Naming it and its value.
    """
    if not (math.isfinite(value) and value > 0):
        raise UsageError(
            f"{name} must be a finite number above 0. Got {value!r}.",
            hint="The papers' own values are the defaults.",
        )
    return float(value)


def fraction(name: str, value: float) -> float:
    """Return a setting from 0 up to, and without, 1.

    Raises:
        UsageError: Naming it and its value.
    """
    if not 0 <= value < 1:
        raise UsageError(
            f"{name} must be at least 0 and below 1. Got {value!r}.",
            hint="0 turns it off.",
        )
    return float(value)


def positive_count(name: str, value: int) -> int:
    """Return a setting that counts something, at least 1.

    Raises:
        UsageError: Naming it and its value.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(
            f"{name} must be a whole number of at least 1. Got {value!r}.",
            hint="Count rows, not shares of them.",
        )
    return value


def _type_name(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
