"""From a photo to what the trunk of a classifier of places takes, in training and in use alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from sightline.errors import BundleError
from sightline.imagery import Limits, PhotoSource, open_picture
from sightline.models import preprocess
from sightline.models.settings import (
    Interpolation,
    Preprocessing,
    ResizeMode,
    are_numbers,
    is_number,
)
from sightline.models.trunk import Triple

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class PhotoPreprocessing:
    """From a photo to a trunk's input.

    Args:
        mean: Subtracted from channels in [0, 1]; None for the backbone's own.
        std: Divides them afterwards; None for the backbone's own.
        interpolation: Filter of the (always antialiased) resize.
        resize: ``squeeze`` the whole photo to the input's size, whatever its proportions, or
            ``crop`` its centre: the shorter side becomes the input's divided by ``crop_fraction``.
        crop_fraction: Share of the shorter side that ``crop`` keeps.

    Raises:
        BundleError: A value cannot be.
    """

    mean: Triple | None = None
    std: Triple | None = None
    interpolation: Interpolation = "bicubic"
    resize: ResizeMode = "squeeze"
    crop_fraction: float = 0.875

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            value = getattr(self, name)
            if value is not None:
                require(name, "hold 3 numbers", value, ok=are_numbers(value, 3))
                object.__setattr__(self, name, tuple(float(x) for x in value))
        require("std", "be above 0", self.std, ok=self.std is None or min(self.std) > 0)
        for name, choices in (("interpolation", Interpolation), ("resize", ResizeMode)):
            known = get_args(choices)
            value = getattr(self, name)
            require(name, f"be one of {', '.join(known)}", value, ok=value in known)
        fraction = self.crop_fraction
        rule = "be above 0 and at most 1"
        require("crop_fraction", rule, fraction, ok=is_number(fraction) and 0 < fraction <= 1)

    def at(self, size: Size) -> Preprocessing:
        """The same for an input of (height, width) pixels; the trunk normalises by itself."""
        return Preprocessing(
            size=size,
            interpolation=self.interpolation,
            resize=self.resize,
            crop_fraction=self.crop_fraction,
        )

    def read(
        self,
        source: PhotoSource,
        size: Size,
        *,
        limits: Limits | None = None,
        name: str | None = None,
    ) -> NDArray[np.uint8]:
        """Open a photo and make it a trunk's input.

        The one way: training reads its photos with it, and an encoder's ``prepare`` of an opened
        photo gives the same bytes. A panorama is a flat picture here, as it is in training.

        Args:
            source: A path, the file's bytes, or a binary stream.
            size: (height, width) of the input in pixels.
            limits: What the photo may cost.
            name: What errors call it.

        Returns:
            uint8 RGB (height, width, 3).

        Raises:
            PhotoError: The photo cannot be used; the subclass says why.
        """
        how = self.at(size)
        needed = preprocess.decode_size(how, "whole")
        picture = open_picture(source, at_least=needed, limits=limits, name=name)
        return np.asarray(preprocess.prepare(np.asarray(picture), how, "whole")[0])


def require(name: str, rule: str, value: object, *, ok: bool) -> None:
    """Raise a BundleError unless a setting of a classifier of places is ``ok``."""
    if not ok:
        raise BundleError(
            f"The classifier's setting {name!r} must {rule}. Got {value!r}.",
            hint="Correct it and save the bundle again.",
        )
