"""What fixes an encoder's vectors besides its weights, and how it is read from JSON."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from typing import Any, Literal, Self, cast, get_args

from sightline.errors import BundleError

Layout = Literal["NCHW", "NHWC", "NLC", "NC"]
PoolingMethod = Literal["average", "max", "gem", "class"]
ResizeMode = Literal["squeeze", "crop"]
Interpolation = Literal["bicubic", "bilinear", "lanczos", "nearest", "box", "hamming"]
Views = Literal["whole", "four", "five"]

LARGEST_SIDE = 4096
LARGEST_REGIONS = 16


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """From a photo to the network's input.

    Args:
        size: (height, width) of the input in pixels.
        mean: Subtracted from channels in [0, 1].
        std: Divides them afterwards.
        interpolation: Filter of the (always antialiased) resize.
        resize: ``squeeze`` the whole photo to ``size``, ignoring its aspect ratio, or ``crop`` its
            centre: the shorter side becomes ``size / crop_fraction``.
        crop_fraction: Share of the shorter side that ``crop`` keeps.
    """

    size: tuple[int, int] = (224, 224)
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    interpolation: Interpolation = "bicubic"
    resize: ResizeMode = "squeeze"
    crop_fraction: float = 0.875

    def __post_init__(self) -> None:
        for name, length in (("size", 2), ("mean", 3), ("std", 3)):
            value = getattr(self, name)
            if not isinstance(value, (list, tuple)) or len(value) != length:
                raise refusal(name, f"hold {length} numbers", value)
            if not all(is_number(x) for x in value):
                raise refusal(name, "hold finite numbers", value)
            object.__setattr__(self, name, tuple(value))
        if not all(isinstance(x, int) and 1 <= x <= LARGEST_SIDE for x in self.size):
            raise refusal("size", f"be whole pixels from 1 to {LARGEST_SIDE}", self.size)
        if min(self.std) <= 0:
            raise refusal("std", "be above 0", self.std)
        one_of("interpolation", self.interpolation, get_args(Interpolation))
        one_of("resize", self.resize, get_args(ResizeMode))
        if not is_number(self.crop_fraction) or not 0 < self.crop_fraction <= 1:
            raise refusal("crop_fraction", "be above 0 and at most 1", self.crop_fraction)


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """An encoder without its weights.

    Args:
        architecture: timm's name of the backbone.
        model_args: Arguments of its constructor, such as ``{"pad_type": "same"}``.
        feature: Module path of the feature map; the network is cut after it.
        layout: Order of the map's axes: ``NCHW``, ``NHWC``, ``NLC`` (tokens), ``NC`` (pooled).
        pooling: How a cell of the map becomes one vector.
        exponent: p of ``gem`` pooling; unused otherwise.
        regions: r of the r x r cells.
        views: Which parts of the photo are encoded and averaged.
        preprocessing: From a photo to the network's input.
    """

    architecture: str
    feature: str
    layout: Layout
    model_args: Mapping[str, Any] = field(default_factory=dict)
    pooling: PoolingMethod = "average"
    exponent: float = 3.0
    regions: int = 1
    views: Views = "whole"
    preprocessing: Preprocessing = field(default_factory=Preprocessing)

    def __post_init__(self) -> None:
        for name in ("architecture", "feature"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value:
                raise refusal(name, "be a name", value)
        if not isinstance(self.model_args, Mapping):
            raise refusal("model_args", "be a mapping", self.model_args)
        one_of("layout", self.layout, get_args(Layout))
        one_of("pooling", self.pooling, get_args(PoolingMethod))
        one_of("views", self.views, get_args(Views))
        if not is_number(self.exponent) or not 1 <= self.exponent <= 100:
            raise refusal("exponent", "be from 1 to 100", self.exponent)
        if (
            not isinstance(self.regions, int)
            or isinstance(self.regions, bool)
            or not 1 <= self.regions <= LARGEST_REGIONS
        ):
            raise refusal("regions", f"be a whole number from 1 to {LARGEST_REGIONS}", self.regions)
        if self.regions > 1 and (self.pooling == "class" or self.layout == "NC"):
            raise refusal("regions", "be 1 where one vector stands for the photo", self.regions)

    def to_json(self) -> dict[str, Any]:
        """A mapping of plain values that :meth:`from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: object) -> Self:
        """Check and read what :meth:`to_json` wrote.

        Raises:
            BundleError: A key is unknown or missing, or a value cannot be.
        """
        values = read_keys(document, cls, "encoder")
        if "preprocessing" in values:
            inner = read_keys(values["preprocessing"], Preprocessing, "encoder.preprocessing")
            values["preprocessing"] = Preprocessing(**inner)
        return cls(**values)


def read_keys(document: object, kind: type, where: str) -> dict[str, Any]:
    """The fields of a dataclass from a JSON object; unknown and missing keys are named.

    Raises:
        BundleError: Not an object, or its keys do not fit the fields of ``kind``.
    """
    known = [f for f in fields(kind) if f.init]
    required = [f.name for f in known if _is_required(f)]
    return check_keys(document, [f.name for f in known], required, where)


def check_keys(
    document: object, known: Collection[str], required: Collection[str], where: str
) -> dict[str, Any]:
    """A JSON object as a dictionary whose keys are all known and none missing.

    Raises:
        BundleError: Naming the unknown key and the nearest known one, or the missing key.
    """
    if not isinstance(document, dict):
        raise refusal(where, "be a JSON object", document)
    for key in document:
        if key not in known:
            nearest = difflib.get_close_matches(str(key), list(known), n=1, cutoff=0.0)
            raise BundleError(
                f"Unknown key {key!r} in {where}.",
                hint=f"Did you mean {nearest[0]!r}? A newer Sightline may know it.",
            )
    for key in required:
        if key not in document:
            raise BundleError(
                f"The key {key!r} is missing in {where}.",
                hint="Import the model again with `sightline model import`.",
            )
    return cast("dict[str, Any]", dict(document))


def refusal(name: str, rule: str, value: object) -> BundleError:
    """The one wording for a setting that cannot be."""
    return BundleError(
        f"The setting {name!r} must {rule}. Got {value!r}.",
        hint="Correct it and import the model again with `sightline model import`.",
    )


def one_of(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuse a value outside ``choices``."""
    if value not in choices:
        raise refusal(name, f"be one of {', '.join(choices)}", value)


def is_number(value: object) -> bool:
    """Whether it is a finite number (True and False are none)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def are_numbers(value: object, count: int) -> bool:
    """Whether a value is a list or tuple of so many numbers."""
    right = isinstance(value, (list, tuple)) and len(value) == count
    return right and all(is_number(x) for x in cast("tuple[object, ...]", value))


def _is_required(f: Field[Any]) -> bool:
    return f.default is MISSING and f.default_factory is MISSING
