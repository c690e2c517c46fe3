"""From pixels to what the trunks of a cross-view network take: both views alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast, get_args

from sightline.errors import BundleError
from sightline.models.cross_view import CrossViewNetwork
from sightline.models.settings import Interpolation, are_numbers
from sightline.models.trunk import Triple, Trunk


@dataclass(frozen=True, slots=True)
class CrossViewPreprocessing:
    """From pixels to a trunk's input; both views alike.

    Args:
        mean: Subtracted from channels in [0, 1]; None for the backbone's own.
        std: Divides them afterwards; None for the backbone's own.
        interpolation: Filter of the (always antialiased) resize.
        resize: ``squeeze``: the whole picture to the input's size, whatever its proportions.
        scaling: What bytes from 0 to 255 are mapped to first.
    """

    mean: Triple | None = None
    std: Triple | None = None
    interpolation: Interpolation = "bicubic"
    resize: str = "squeeze"
    scaling: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        for name, count in (("mean", 3), ("std", 3), ("scaling", 2)):
            value = getattr(self, name)
            if value is None and name != "scaling":
                continue
            require(name, f"hold {count} numbers", value, ok=are_numbers(value, count))
            object.__setattr__(self, name, tuple(float(x) for x in value))
        require("std", "be above 0", self.std, ok=self.std is None or min(self.std) > 0)
        require("scaling", "be from 0 to 1", self.scaling, ok=self.scaling == (0.0, 1.0))
        require("resize", "be squeeze", self.resize, ok=self.resize == "squeeze")
        known = get_args(Interpolation)
        require(
            "interpolation",
            f"be one of {', '.join(known)}",
            self.interpolation,
            ok=self.interpolation in known,
        )


def normalisation_of(network: CrossViewNetwork) -> tuple[Triple, Triple]:
    """Mean and standard deviation that a network's trunks apply.

    Raises:
        BundleError: Its trunks differ.
    """
    found = {
        trunk.normalisation: None for trunk in cast("list[Trunk]", list(network.trunks.values()))
    }
    if len(found) > 1:
        raise BundleError(
            f"Both views must be normalised alike. Got {list(found)}.",
            hint="Start both backbones from the same weights.",
        )
    return next(iter(found))


def normalise_as(network: CrossViewNetwork, preprocessing: CrossViewPreprocessing) -> None:
    """Let a network's trunks apply what is stated; what is left open stays theirs."""
    for trunk in cast("list[Trunk]", list(network.trunks.values())):
        trunk.normalise_as(preprocessing.mean, preprocessing.std)


def require(name: str, rule: str, value: object, *, ok: bool) -> None:
    """Raise a BundleError unless a cross-view setting is ``ok``."""
    if not ok:
        raise BundleError(
            f"The cross-view setting {name!r} must {rule}. Got {value!r}.",
            hint="Correct it and save the bundle again.",
        )
