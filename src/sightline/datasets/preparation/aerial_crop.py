"""Random crops of aerial pictures, so that a model cannot rely on the photo being at the centre.

As Debnath et al. (PSSR, section 4) have it: to no less than 70 % of the size in both height and
width, anew in every epoch of training, and once, saved to a file, for testing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sightline.datasets.seeding import uniform_of_ids
from sightline.durable import make_folder, whole_file
from sightline.errors import TableError, UsageError
from sightline.geo.coordinates import FloatArray

_PURPOSE = "aerial crop"
_SCHEMA = b"sightline.crops/1"
_COLUMNS = ("id", "top", "left", "height", "width")


class Crop(NamedTuple):
    """A part of a picture, in shares of its height and width, so that it fits every resolution.

    Args:
        top: Where it begins, 0 to 1.
        left: Where it begins, 0 to 1.
        height: How high it is, more than 0 up to 1.
        width: How wide it is.
    """

    top: float
    left: float
    height: float
    width: float


def draw_crops(
    ids: Sequence[str],
    *,
    seed: int = 0,
    epoch: int | None = None,
    smallest: float = 0.7,
    square: bool = True,
) -> FloatArray:
    """Draw one crop for each picture.

    The side is uniform between ``smallest`` and 1, the position uniform over what remains. A crop
    depends on its id, the seed and the epoch alone.

    Args:
        ids: (n,) pictures.
        seed: Decides the crops.
        epoch: The epoch, in training. None in testing: there they are drawn once and saved
            (:class:`CropTable`).
        smallest: The smallest side, as a share of the picture's.
        square: Height and width shrink alike, so that metres per pixel stay the same in both
            directions; else each on its own.

    Returns:
        float64 (n, 4): rows of :class:`Crop`.

    Raises:
        UsageError: ``smallest`` is not more than 0 and at most 1.
    """
    if not 0 < smallest <= 1:
        raise UsageError(
            f"smallest must be more than 0 and at most 1. Got {smallest!r}.",
            hint="0.7 is the papers' value.",
        )
    drawn = uniform_of_ids(ids, _PURPOSE, seed=seed, epoch=epoch, values=4)
    sides = smallest + (1.0 - smallest) * drawn[:, [0, 0] if square else [0, 1]]
    return np.concatenate([(1.0 - sides) * drawn[:, 2:], sides], axis=1)


def crop_pixels(pixels: NDArray[np.uint8], crop: Crop | Sequence[float]) -> NDArray[np.uint8]:
    """Cut a crop out of a picture, rounded to whole pixels.

    Args:
        pixels: uint8 (h, w, 3).
        crop: The part to take.

    Returns:
        A view of ``pixels``, one pixel at least on either side.

    Raises:
        UsageError: The crop does not lie in the picture.
    """
    rows, columns = pixels.shape[:2]
    top, left, height, width = crop
    if _outside(np.array([crop], np.float64)).any():
        raise UsageError(
            f"A crop must lie in the picture, in shares of 0 to 1. Got {tuple(crop)!r}.",
            hint="Draw crops with draw_crops, or take them from a saved table.",
        )
    tall, wide = max(1, round(height * rows)), max(1, round(width * columns))
    above = min(round(top * rows), rows - tall)
    before = min(round(left * columns), columns - wide)
    return pixels[above : above + tall, before : before + wide]


@dataclass(frozen=True, slots=True, eq=False)
class CropTable:
    """The crops of a test set, drawn once.

    Args:
        crops: A crop for each id.
        seed: The seed they were drawn with.
        smallest: The smallest side that was allowed.
    """

    crops: Mapping[str, Crop]
    seed: int
    smallest: float

    @classmethod
    def drawn(
        cls, ids: Sequence[str], *, seed: int = 0, smallest: float = 0.7, square: bool = True
    ) -> CropTable:
        """Draw the crops of a test set.

        Raises:
            UsageError: An id comes twice, or ``smallest`` is impossible.
        """
        if len(set(ids)) != len(ids):
            seen: set[str] = set()
            twice = next(one for one in ids if one in seen or seen.add(one))  # type: ignore[func-returns-value]
            raise UsageError(f"The id {twice!r} comes twice.", hint="Give each picture its own id.")
        drawn = draw_crops(ids, seed=seed, smallest=smallest, square=square)
        rows = (Crop(*row) for row in drawn.tolist())
        return cls(dict(zip(ids, rows, strict=True)), seed, smallest)

    def __getitem__(self, picture_id: str) -> Crop:
        """Return the crop of a picture; raises UsageError if the table has none."""
        try:
            return self.crops[picture_id]
        except KeyError:
            raise UsageError(
                f"There is no crop for {picture_id!r} among the {len(self.crops)} saved ones.",
                hint="Draw and save the crops of this test set.",
            ) from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the table as Parquet, whole or not at all; raises OutputError."""
        columns: dict[str, list[str] | list[float]] = {"id": list(self.crops)}
        for axis, name in enumerate(_COLUMNS[1:]):
            columns[name] = [crop[axis] for crop in self.crops.values()]
        table = pa.table(columns).replace_schema_metadata(
            {
                b"schema": _SCHEMA,
                b"seed": str(self.seed).encode(),
                b"smallest": repr(self.smallest).encode(),
            }
        )
        target = Path(path)
        make_folder(target.parent)
        with whole_file(target) as temporary:
            pq.write_table(table, temporary, compression="zstd")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> CropTable:
        """Read a saved table.

        Raises:
            TableError: It is missing, no table of crops, or holds a crop that cannot be.
        """
        try:
            table = pq.read_table(path)
            facts = table.schema.metadata or {}
            if facts.get(b"schema") != _SCHEMA:
                raise _unusable(path, "is no table of crops")
            ids = table.column("id").to_pylist()
            sides = np.column_stack([table.column(name).to_numpy() for name in _COLUMNS[1:]])
            seed, smallest = int(facts[b"seed"]), float(facts[b"smallest"])
        except (OSError, pa.ArrowException, KeyError, ValueError) as cause:
            if isinstance(cause, TableError):
                raise
            raise _unusable(path, f"cannot be read as a table of crops ({cause})") from cause
        outside = _outside(sides)
        if outside.any() or len(set(ids)) != len(ids):
            row = int(np.argmax(outside)) if outside.any() else None
            what = "an id twice" if row is None else f"an impossible crop in row {row + 1}"
            raise _unusable(path, f"holds {what}")
        return cls(
            dict(zip(ids, (Crop(*row) for row in sides.tolist()), strict=True)), seed, smallest
        )


def _outside(crops: FloatArray) -> NDArray[np.bool_]:
    """Say which crops (n, 4) do not lie in their picture; NaN does not."""
    begin, size = crops[:, :2], crops[:, 2:]
    within = (begin >= 0) & (size > 0) & (begin + size <= 1 + 1e-9)
    return np.asarray(~within.all(axis=1))


def _unusable(path: str | os.PathLike[str], what: str) -> TableError:
    return TableError(
        f"{os.fspath(path)!r} {what}.", hint="Draw and save the crops again.", path=path
    )
