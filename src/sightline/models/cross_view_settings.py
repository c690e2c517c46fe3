"""What fixes a cross-view network besides its weights, and how it is read from JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self, cast, get_args

from sightline.errors import UsageError
from sightline.models.architectures import Size, architecture, build_network
from sightline.models.config import read_config
from sightline.models.cross_view import CrossViewNetwork
from sightline.models.cross_view_preprocessing import (
    CrossViewPreprocessing,
    normalise_as,
    require,
)
from sightline.models.feature_recombination import FeatureRecombination
from sightline.models.protocol import Heading
from sightline.models.settings import LARGEST_SIDE, are_numbers, is_number, read_keys
from sightline.models.trunk import Triple
from sightline.models.view_geometry import AerialGeometry, GroundGeometry, read_geometry

MOST_TURNS = 16


@dataclass(frozen=True, slots=True)
class CrossViewSettings:
    """A cross-view network without its weights. :meth:`of` fills in what was published.

    Args:
        architecture: Of :data:`sightline.models.architectures.ARCHITECTURES`.
        ground: What photos show: ``panorama``, ``perspective:FOV`` or ``crop:FOV``.
        backbone: timm's name.
        ground_size: (height, width) of photos in pixels.
        aerial_size: (height, width) of patches in pixels.
        shared_weights: Whether both branches have the same weights.
        model_args: Arguments of timm's constructor.
        options: Every option of the head.
        heading: ``known`` where the network is told where photos look, ``unknown`` where it is not,
            ``aligned`` where the centre column of every photo looks north.
        turns: Rows that a patch is stored as, each turned by that part of a region more: the
            headings told apart are ``regions * turns``. Only for photos of unknown heading.
        patch_m: Side of the patches it was trained with, metres on the ground; None if unknown.
        preprocessing: Normalisation and resize.
        polar_size: (height, width) that the network unrolls patches to, see
            :class:`~sightline.models.polar_view.PolarView`; None: it sees them as they are.

    Raises:
        BundleError: A value cannot be.
    """

    architecture: str
    ground: str
    backbone: str
    ground_size: Size
    aerial_size: Size
    shared_weights: bool
    model_args: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    heading: Heading = "aligned"
    turns: int = 1
    patch_m: float | None = None
    preprocessing: CrossViewPreprocessing = field(default_factory=CrossViewPreprocessing)
    polar_size: Size | None = None

    def __post_init__(self) -> None:
        for name in ("architecture", "ground", "backbone"):
            value = getattr(self, name)
            require(name, "be a name", value, ok=isinstance(value, str) and bool(value))
        for name in ("model_args", "options"):
            value = getattr(self, name)
            require(name, "be a mapping", value, ok=isinstance(value, Mapping))
            object.__setattr__(self, name, {key: _plain(item) for key, item in value.items()})
        for name in ("ground_size", "aerial_size", "polar_size"):
            value = getattr(self, name)
            if name == "polar_size" and value is None:
                continue
            rule = f"be a height and a width from 1 to {LARGEST_SIDE} pixels"
            require(name, rule, value, ok=_is_size(value))
            object.__setattr__(self, name, tuple(value))
        require(
            "shared_weights",
            "be true or false",
            self.shared_weights,
            ok=isinstance(self.shared_weights, bool),
        )
        headings = get_args(Heading)
        require(
            "heading", f"be one of {', '.join(headings)}", self.heading, ok=self.heading in headings
        )
        whole = isinstance(self.turns, int) and not isinstance(self.turns, bool)
        allowed = MOST_TURNS if self.heading == "unknown" else 1
        rule = f"be a whole number from 1 to {allowed} for photos of {self.heading} heading"
        require("turns", rule, self.turns, ok=whole and 1 <= self.turns <= allowed)
        metres = self.patch_m
        positive = metres is None or (is_number(metres) and metres > 0)
        require("patch_m", "be metres above 0, or nothing", metres, ok=positive)

    @classmethod
    def of(
        cls,
        name: str,
        *,
        ground: str,
        backbone: str | None = None,
        ground_size: Size | None = None,
        aerial_size: Size | None = None,
        shared_weights: bool | None = None,
        model_args: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        heading: Heading = "aligned",
        turns: int = 1,
        patch_m: float | None = None,
        preprocessing: CrossViewPreprocessing | None = None,
        polar_size: Size | None = None,
    ) -> Self:
        """An architecture of the table, with the published value of everything that is left out.

        Raises:
            UsageError: No such architecture.
            BundleError: A value cannot be.
        """
        row = architecture(name)
        return cls(
            architecture=name,
            ground=ground,
            backbone=backbone or row.backbone,
            ground_size=ground_size or row.ground_size,
            aerial_size=aerial_size or row.aerial_size,
            shared_weights=row.shared_weights if shared_weights is None else shared_weights,
            model_args=model_args or {},
            options={**row.options, **(options or {})},
            heading=heading,
            turns=turns,
            patch_m=patch_m,
            preprocessing=preprocessing or CrossViewPreprocessing(),
            polar_size=polar_size,
        )

    @property
    def geometry(self) -> GroundGeometry:
        """What photos show; raises UsageError if ``ground`` is no geometry of the ground."""
        geometry = read_geometry(self.ground)
        if isinstance(geometry, AerialGeometry):
            raise UsageError(
                f"The ground branch must see a panorama or a perspective. Got {geometry}.",
                hint="Write panorama, perspective:FOV or crop:FOV.",
            )
        return geometry

    def started_from(self, weights: str | Path) -> Self:
        """The same, as it has to be for a backbone's weights in a local file.

        Args:
            weights: A safetensors file with its ``config.json`` beside it, whose arguments and
                normalisation are taken over.

        Raises:
            BundleError: No such config.
        """
        config = read_config(Path(weights).parent / "config.json")
        return replace(
            self,
            model_args={**config.model_args, **self.model_args},
            preprocessing=replace(
                self.preprocessing,
                mean=cast("Triple", tuple(config.preprocessing.mean)),
                std=cast("Triple", tuple(config.preprocessing.std)),
            ),
        )

    def build(self, weights: str | Path | None = None) -> CrossViewNetwork:
        """The network: random weights, or backbones from a local file.

        Args:
            weights: A safetensors file with its ``config.json`` beside it, for the backbones. The
                settings must be those of :meth:`started_from` to be saved with the network.

        Raises:
            UsageError: No such architecture, geometry or option, branches that cannot share
                weights, or a heading or turns that the head has no use of.
            BundleError: No such backbone, size or weights.
        """
        network = build_network(
            self.architecture,
            ground=self.geometry,
            ground_size=self.ground_size,
            aerial_size=self.aerial_size,
            backbone=self.backbone,
            shared_weights=self.shared_weights,
            model_args=self.model_args,
            weights=weights,
            options=self.options,
            polar_size=self.polar_size,
        )
        if not can_turn(network) and (self.heading == "known" or self.turns > 1):
            what = "a known heading" if self.heading == "known" else f"{self.turns} turns"
            raise UsageError(
                f"The architecture {self.architecture} on {self.ground} has no use of {what}.",
                hint="Use recombination with the option split='area', or photos that are aligned.",
            )
        if weights is None:
            normalise_as(network, self.preprocessing)
        return network

    def to_json(self) -> dict[str, Any]:
        """A mapping of plain values that :meth:`from_json` reads back."""
        values = asdict(self)
        if self.polar_size is None:
            # Bundles from before there was such a thing keep their fingerprints.
            del values["polar_size"]
        return values

    @classmethod
    def from_json(cls, document: object) -> Self:
        """Check and read what :meth:`to_json` wrote.

        Raises:
            BundleError: A key is unknown or missing, or a value cannot be.
        """
        values = read_keys(document, cls, "cross_view")
        if "preprocessing" in values:
            inner = read_keys(
                values["preprocessing"], CrossViewPreprocessing, "cross_view.preprocessing"
            )
            values["preprocessing"] = CrossViewPreprocessing(**inner)
        return cls(**values)


def can_turn(network: CrossViewNetwork) -> bool:
    """Whether the regions of its vectors stand for directions that can be turned."""
    return network.tail is None and all(
        isinstance(head, FeatureRecombination) and head.split == "area"
        for head in network.heads.values()
    )


def _is_size(value: object) -> bool:
    return are_numbers(value, 2) and all(
        isinstance(x, int) and 1 <= x <= LARGEST_SIDE for x in cast("tuple[object, ...]", value)
    )


def _plain(value: object) -> object:
    """Lists as JSON gives them are tuples in the table of architectures."""
    return tuple(_plain(item) for item in value) if isinstance(value, list) else value
