"""What a recipe calls its partition: a file, or how to make one of the training photos' places.

A way of making is written ``METHOD:OPTION=VALUE,…``, with the methods and options of ``sightline
partition build``: ``s2:cells=32768``,
``boxes:max_members=5000,min_members=50``, ``uniform:level=5``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike

from sightline.errors import RecipeError
from sightline.geo.partition import (
    BoxSettings,
    Partition,
    QuadtreeSettings,
    S2Settings,
    adaptive_boxes,
    adaptive_s2,
    quadtree,
    uniform_boxes,
    uniform_s2,
)
from sightline.partition_files import load_partition

_Maker = Callable[[ArrayLike, Mapping[str, Any]], Partition]

_GOALS: Mapping[str, type] = {"cells": int, "max_members": int, "min_members": int}
_LEVELS: Mapping[str, type] = {"min_level": int, "max_level": int}


def _quadtree(places: ArrayLike, options: Mapping[str, Any]) -> Partition:
    depths = {name.replace("level", "depth"): value for name, value in options.items()}
    return quadtree(places, QuadtreeSettings(**depths))


_METHODS: Mapping[str, tuple[Mapping[str, type], _Maker]] = {
    "s2": (
        {**_GOALS, **_LEVELS},
        lambda places, options: adaptive_s2(places, S2Settings(**options)),
    ),
    "boxes": (
        {**_GOALS, "min_area_km2": float, "cut": str, "seed": int},
        lambda places, options: adaptive_boxes(places, BoxSettings(**options)),
    ),
    "quadtree": ({**_GOALS, **_LEVELS, "around_data": bool}, _quadtree),
    "uniform": (
        {"level": int, "min_members": int},
        lambda places, options: uniform_s2(places, **options),
    ),
    "grid": (
        {"level": int, "min_members": int},
        lambda places, options: uniform_boxes(
            places, options["level"], min_members=options.get("min_members", 1)
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class PartitionSpec:
    """A partition that a recipe names.

    Args:
        text: As it stands in the recipe.
        method: How it is made; None for a file.
        options: Of the method.
    """

    text: str
    method: str | None
    options: Mapping[str, Any]

    def partition(self, places: ArrayLike) -> Partition:
        """Read or make it.

        Args:
            places: (n, 2) degrees, of the training photos.

        Raises:
            PartitionError: The options or the places make none.
            TableError: The file is none.
        """
        if self.method is None:
            return load_partition(self.text)
        return _METHODS[self.method][1](places, self.options)


def read_partition_spec(text: str) -> PartitionSpec:
    """Read what a recipe says of a partition.

    Raises:
        RecipeError: No such option, a value of another kind, or a goal that is missing; naming the
            text.
    """
    method, colon, listed = text.partition(":")
    if not colon or method not in _METHODS:
        if not text.strip() or (colon and not any(mark in text for mark in "/\\.")):
            raise _wrong(text, f"There is no method {method!r}", f"{', '.join(_METHODS)}")
        return PartitionSpec(text, None, {})
    known = _METHODS[method][0]
    options: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in listed.split(","))):
        name, equals, raw = (word.strip() for word in part.partition("="))
        if name not in known or not equals or name in options:
            raise _wrong(
                text, f"{part!r} is no option of {method!r}, or stands twice", ", ".join(known)
            )
        options[name] = _value(text, part, known[name], raw)
    if "level" in known and "level" not in options:
        raise _wrong(text, f"{method!r} needs a level", "level=5")
    if "cells" in known and not {"cells", "max_members"} & options.keys():
        raise _wrong(text, f"{method!r} needs a goal", "cells=1000 or max_members=500")
    return PartitionSpec(text, method, options)


def _value(text: str, part: str, kind: type, raw: str) -> Any:
    if kind is bool:
        if raw in ("true", "false"):
            return raw == "true"
        raise _wrong(text, f"{part!r} must be true or false", "around_data=true")
    try:
        return kind(raw)
    except ValueError as cause:
        raise _wrong(text, f"{part!r} must be a number", "cells=1000") from cause


def _wrong(text: str, reason: str, known: str) -> RecipeError:
    return RecipeError(
        f"partitions must be files, or ways of making such as 's2:cells=1000'. Got {text!r}: "
        f"{reason}.",
        hint=f"Known: {known}. docs/partitions.md says what they do.",
    )
