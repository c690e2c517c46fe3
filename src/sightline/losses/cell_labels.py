"""From the places of photos to the classes of a partition, and what losses refuse of them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from sightline.errors import PartitionError, VectorError
from sightline.geo.partition import OUTSIDE, Partition
from sightline.losses.arguments import check_labels, check_rows


class CellLabels(NamedTuple):
    """The classes of training photos.

    Attributes:
        rows: int64 (n,), the row of the cell that each photo lies in, -1 where none holds it.
        outside: How many those are.
        classes: How many cells have a photo.
    """

    rows: Tensor
    outside: int
    classes: int


def label_photos(partition: Partition, coordinates: Tensor) -> CellLabels:
    """Return the class of each training photo, or say before the work that there is none to learn.

    Args:
        partition: Of m cells.
        coordinates: (n, 2) latitude first, in degrees, float64.

    Raises:
        CoordinateError: A place is out of range.
        PartitionError: No photo lies in any cell, or all of them in one.
    """
    rows = torch.from_numpy(partition.assign(coordinates.numpy(force=True)))
    inside = rows[rows != OUTSIDE]
    if not len(inside):
        raise PartitionError(
            f"None of {len(rows):,} training photos lies in a cell of the partition "
            f"{partition.fingerprint[:12]}.",
            hint="Use a partition that was made of these photos, or of photos like them.",
        )
    classes = len(torch.unique(inside))
    if classes < 2:
        name = partition.cells.names()[int(inside[0])]
        raise PartitionError(
            f"All {len(inside):,} training photos that lie in a cell lie in one, {name}: there is "
            "no other class to tell it from.",
            hint="Use a finer partition, or photos from more places.",
        )
    return CellLabels(rows, len(rows) - len(inside), classes)


def check_cell_rows(rows: Tensor, photos: int, classes: int) -> None:
    """Refuse labels that are not one row of a partition, or -1, for each photo.

    Raises:
        VectorError: Another shape, or no whole numbers.
        PartitionError: A row that the partition does not have.
    """
    check_labels("rows", rows, photos)
    bad = (rows < OUTSIDE) | (rows >= classes)
    if bool(bad.any()):
        photo = int(bad.nonzero()[0])
        raise PartitionError(
            f"A photo's cell must be a row from 0 to {classes - 1:,}, or -1 for none. "
            f"Got {int(rows[photo])} for photo {photo}.",
            hint="It may be a row of another partition.",
        )


def check_logits(logits: Tensor, classes: int) -> None:
    """Refuse logits that are not of some photos and of so many classes.

    Raises:
        VectorError: No rows of floating-point numbers, or an empty batch.
        PartitionError: Another number of classes.
    """
    check_rows("logits", logits)
    if not len(logits):
        raise VectorError("A batch must hold at least 1 photo. Got 0.", hint="Drop empty batches.")
    if logits.shape[1] != classes:
        raise PartitionError(
            f"The classifier has {logits.shape[1]:,} classes and the loss {classes:,}.",
            hint="Make both of the same partition.",
        )
