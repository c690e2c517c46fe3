"""From pixels to what the trunks of a cross-view network take: both views alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast, get_args

import torch
from torch import Tensor, nn

from sightline.errors import BundleError
from sightline.models.cross_view import CrossViewNetwork
from sightline.models.settings import Interpolation, is_number
from sightline.models.trunk import Trunk

Triple = tuple[float, float, float]


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
        (_triple(trunk.mean), _triple(trunk.std)): None
        for trunk in cast("list[Trunk]", list(network.trunks.values()))
    }
    if len(found) > 1:
        raise BundleError(
            f"Both views must be normalised alike. Got {list(found)}.",
            hint="Start both backbones from the same weights.",
        )
    return next(iter(found))


def _triple(values: Tensor) -> Triple:
    # Through the shortest text of a float32: 0.485, not 0.48500001430511475.
    return cast("Triple", tuple(float(str(x)) for x in values.detach().cpu().numpy().ravel()))


def normalise_as(network: CrossViewNetwork, preprocessing: CrossViewPreprocessing) -> None:
    """Let a network's trunks apply what is stated; what is left open stays theirs."""
    for trunk in network.trunks.values():
        for name in ("mean", "std"):
            wanted = getattr(preprocessing, name)
            if wanted is not None:
                _buffer(trunk, name).copy_(torch.tensor(wanted).view(1, 3, 1, 1))


def _buffer(module: nn.Module, name: str) -> Tensor:
    return module.get_buffer(name)


def require(name: str, rule: str, value: object, *, ok: bool) -> None:
    """Raise a BundleError unless a cross-view setting is ``ok``."""
    if not ok:
        raise BundleError(
            f"The cross-view setting {name!r} must {rule}. Got {value!r}.",
            hint="Correct it and save the bundle again.",
        )


def are_numbers(value: object, count: int) -> bool:
    """Whether a value is a list or tuple of so many numbers."""
    right = isinstance(value, (list, tuple)) and len(value) == count
    return right and all(is_number(x) for x in cast("tuple[object, ...]", value))
