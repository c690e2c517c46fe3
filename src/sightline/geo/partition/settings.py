"""How places are to be divided, checked before the work."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sightline.errors import PartitionError
from sightline.geo.cube import MAX_LEVEL
from sightline.geo.partition.grid import BITS_PER_AXIS

Cut = Literal["even", "random"]


@dataclass(frozen=True, slots=True)
class S2Settings:
    """How places are divided into S2 cells.

    Attributes:
        cells: Split until there are so many: at least so many, at most two more, before any are
            dropped.
        max_members: Split until no cell has more.
        min_members: Drop cells with fewer.
        min_level: The level to start from.
        max_level: Cells of this level are not split.
    """

    cells: int | None = None
    max_members: int | None = None
    min_members: int = 1
    min_level: int = 0
    max_level: int = MAX_LEVEL

    def __post_init__(self) -> None:
        _check_goal(self.cells, self.max_members, self.min_members)
        _check_depths("level", self.min_level, self.max_level, MAX_LEVEL)


@dataclass(frozen=True, slots=True)
class BoxSettings:
    """How places are divided into boxes of latitude and longitude.

    Attributes:
        cells: Split until there are so many.
        max_members: t_img: split until no box has more.
        min_area_km2: t_area: boxes smaller than this are not split.
        min_members: Drop boxes with fewer.
        cut: In the middle, or at a random share of the side between a quarter and three.
        seed: Of the random cuts.
    """

    cells: int | None = None
    max_members: int | None = None
    min_area_km2: float = 0.0
    min_members: int = 1
    cut: Cut = "even"
    seed: int = 0

    def __post_init__(self) -> None:
        _check_goal(self.cells, self.max_members, self.min_members)
        area = self.min_area_km2
        if not (_is_number(area) and math.isfinite(area) and area >= 0):
            raise PartitionError(
                f"min_area_km2 must be finite and at least 0. Got {area!r}.",
                hint="Leave it out to split boxes however small they are.",
            )
        if self.cut not in ("even", "random"):
            raise PartitionError(
                f"cut must be 'even' or 'random'. Got {self.cut!r}.", hint="Take even."
            )
        if not (_is_whole(self.seed) and self.seed >= 0):
            raise PartitionError(
                f"seed must be a whole number of at least 0. Got {self.seed!r}.",
                hint="Leave it out for 0.",
            )


@dataclass(frozen=True, slots=True)
class QuadtreeSettings:
    """How places are divided into quarters of boxes.

    Attributes:
        cells: Split until there are so many: at least so many, at most two more.
        max_members: Split until no box has more.
        min_members: Drop boxes with fewer.
        min_depth: How often every box is quartered in any case.
        max_depth: How often at most.
        around_data: Start from the smallest box that holds the places, as OSV-5M does, and not
            from the world.
    """

    cells: int | None = None
    max_members: int | None = None
    min_members: int = 1
    min_depth: int = 0
    max_depth: int = BITS_PER_AXIS
    around_data: bool = False

    def __post_init__(self) -> None:
        _check_goal(self.cells, self.max_members, self.min_members)
        _check_depths("depth", self.min_depth, self.max_depth, BITS_PER_AXIS)


Settings = S2Settings | BoxSettings | QuadtreeSettings


def _check_goal(cells: int | None, max_members: int | None, min_members: int) -> None:
    if cells is None and max_members is None:
        raise PartitionError(
            "A partition needs a goal. Got neither cells nor max_members.",
            hint="Say how many cells there shall be, or how many places a cell may hold.",
        )
    for name, value, least in (
        ("cells", cells, 2),
        ("max_members", max_members, 1),
        ("min_members", min_members, 1),
    ):
        if value is not None and not (_is_whole(value) and value >= least):
            raise PartitionError(
                f"{name} must be a whole number of at least {least}. Got {value!r}.",
                hint=f"Choose another {name}.",
            )
    if max_members is not None and min_members > max_members:
        raise PartitionError(
            f"min_members must not exceed max_members. Got {min_members:,} and {max_members:,}.",
            hint="A cell that is full enough would be split.",
        )


def _check_depths(name: str, least: int, most: int, deepest: int) -> None:
    if not (_is_whole(least) and _is_whole(most) and 0 <= least <= most <= deepest):
        raise PartitionError(
            f"min_{name} and max_{name} must lie between 0 and {deepest}, the first not above the "
            f"second. Got {least!r} and {most!r}.",
            hint=f"Leave them out to allow every {name}.",
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating)


def _is_whole(value: object) -> bool:
    """Say whether a value is a whole number, and no truth value."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
