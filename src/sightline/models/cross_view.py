"""Two branches, ground and aerial, into one space of unit vectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, cast, get_args

import torch
from torch import Tensor, nn

from sightline.errors import UsageError
from sightline.models.feature_recombination import FeatureRecombination
from sightline.models.heads import TokenProjection, unit
from sightline.models.netvlad import NetVLAD, sample_local_features
from sightline.models.polar_view import PolarView
from sightline.models.trunk import Trunk
from sightline.models.view_geometry import (
    Aerial,
    AerialGeometry,
    GroundGeometry,
    Polar,
    require_geometry,
)

ViewName = Literal["ground", "aerial"]

BOTH = "both"


class CrossViewNetwork(nn.Module):
    """Trunk, head and (shared) tail for each view, then unit length.

    Weights are shared where a mapping has the one key ``both``, and separate where it has
    ``ground`` and ``aerial``.

    Args:
        ground: What the ground branch sees; the aerial branch sees patches that are north up.
        trunks: Backbones.
        heads: From a map to a vector (or, before a tail, to another map).
        tail: What both views share after their heads.
        input_sizes: (height, width) of each view's images; those of the trunks if None.
        polar: Unrolls patches before the aerial trunk.

    Raises:
        UsageError: A geometry that is none or not of the ground, or other keys.
    """

    def __init__(
        self,
        ground: GroundGeometry,
        trunks: Mapping[str, Trunk],
        heads: Mapping[str, nn.Module],
        tail: nn.Module | None = None,
        *,
        input_sizes: Mapping[str, tuple[int, int]] | None = None,
        polar: PolarView | None = None,
    ) -> None:
        super().__init__()
        if isinstance(require_geometry(ground), AerialGeometry):
            raise UsageError(
                "The ground branch's geometry must be a Panorama or a Perspective. "
                f"Got {ground!r}.",
                hint="Two aerial branches are no cross-view network.",
            )
        for name, modules in (("trunks", trunks), ("heads", heads)):
            if set(modules) not in ({BOTH}, set(get_args(ViewName))):
                raise UsageError(
                    f"The {name} must be given for 'both', or for 'ground' and 'aerial'. "
                    f"Got {', '.join(sorted(modules)) or 'none'}.",
                    hint="One entry 'both' shares its weights.",
                )
        self.ground_geometry = ground
        self.aerial_geometry: AerialGeometry = Aerial() if polar is None else Polar()
        self.trunks = nn.ModuleDict(dict(trunks))
        self.heads = nn.ModuleDict(dict(heads))
        self.tail = tail
        self.polar = polar
        self.input_sizes = dict(input_sizes or {})
        for view in get_args(ViewName):
            trunk = trunks.get(view) or trunks[BOTH]
            self.input_sizes.setdefault(view, trunk.input_size)
        last = next(iter(heads.values())) if tail is None else tail
        self.dimension = _dimension_of(last)

    @property
    def regions(self) -> int:
        """Regions of a vector that can be shifted; 1 if it has none."""
        head = self._of(self.heads, "aerial")
        return head.regions if isinstance(head, FeatureRecombination) else 1

    def forward(
        self, ground: Tensor, aerial: Tensor, heading_degrees: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Encode photos and patches.

        Args:
            ground: (n, 3, height, width), uint8 or floats in [0, 1].
            aerial: (m, 3, height, width), the same.
            heading_degrees: (n,) bearings of the photos' centre columns, or None.

        Returns:
            (n, d) and (m, d), unit length, float32.
        """
        return self.encode_ground(ground, heading_degrees), self.encode_aerial(aerial)

    def encode_ground(self, pixels: Tensor, heading_degrees: Tensor | None = None) -> Tensor:
        """Photos (n, 3, height, width) -> (n, d), unit length.

        Raises:
            UsageError: Headings for a head that has no use of them.
        """
        return self._encode("ground", pixels, heading_degrees)

    def encode_aerial(self, pixels: Tensor) -> Tensor:
        """Patches (m, 3, height, width) -> (m, d), unit length."""
        return self._encode("aerial", pixels, None)

    def encode_aerial_turned(self, pixels: Tensor, phases: int) -> Tensor:
        """Patches as regions under p turns, for photos of unknown heading.

        Args:
            pixels: (m, 3, height, width).
            phases: p turns of less than one region.

        Returns:
            (m, p, r, c) for :func:`sightline.models.region_shifts.best_shifts`.

        Raises:
            UsageError: The network does not recombine by area, or has a tail.
        """
        head = self._of(self.heads, "aerial")
        if not isinstance(head, FeatureRecombination) or self.tail is not None:
            raise UsageError(
                f"Only feature recombination knows turns. Got {type(head).__name__}.",
                hint="Use an architecture such as frgeo with split=area.",
            )
        features, _ = self._of(self.trunks, "aerial")(self._unrolled(pixels))
        return head.turned(features, phases, self.aerial_geometry)

    def regions_of(self, vectors: Tensor) -> Tensor:
        """Vectors (n, d) as regions (n, r, c)."""
        return vectors.reshape(len(vectors), self.regions, -1)

    def _unrolled(self, patches: Tensor) -> Tensor:
        return patches if self.polar is None else cast("Tensor", self.polar(patches))

    def _encode(self, view: ViewName, pixels: Tensor, heading_degrees: Tensor | None) -> Tensor:
        geometry = self.ground_geometry if view == "ground" else self.aerial_geometry
        shown = pixels if view == "ground" else self._unrolled(pixels)
        features, tokens = self._of(self.trunks, view)(shown)
        head = self._of(self.heads, view)
        if isinstance(head, FeatureRecombination):
            vectors = head(features, geometry, heading_degrees)
        elif heading_degrees is not None:
            raise UsageError(
                f"A head of {type(head).__name__} has no use of headings.",
                hint="Use feature recombination, or turn the aerial images before.",
            )
        else:
            vectors = head(tokens if isinstance(head, TokenProjection) else features)
        return unit(vectors if self.tail is None else self.tail(vectors))

    @staticmethod
    def _of(modules: nn.ModuleDict, view: ViewName) -> nn.Module:
        return modules[BOTH if BOTH in modules else view]


@torch.no_grad()
def initialise_netvlad(
    network: CrossViewNetwork,
    ground: Iterable[Tensor],
    aerial: Iterable[Tensor],
    *,
    per_image: int = 100,
    limit: int = 50_000,
    seed: int = 0,
) -> list[float]:
    """Start every NetVLAD of a network from the local features that reach it.

    Args:
        network: Left in the mode it was in.
        ground: Batches of photos (n, 3, height, width).
        aerial: Batches of patches.
        per_image: Local features of one image, at most.
        limit: Local features of one view, at most.
        seed: Of the draw and of k-means.

    Returns:
        Alpha of every layer, in the order of ``network.modules()``; empty if there is none.

    Raises:
        UsageError: No images, or too few.
    """
    layers = [module for module in network.modules() if isinstance(module, NetVLAD)]
    if not layers:
        return []
    drawn: dict[NetVLAD, list[Tensor]] = {layer: [] for layer in layers}
    training = network.training
    network.eval()
    arrived: dict[NetVLAD, Tensor] = {}
    handles = [
        layer.register_forward_pre_hook(lambda module, given: arrived.update({module: given[0]}))
        for layer in layers
    ]
    try:
        for encode, batches in (
            (network.encode_ground, ground),
            (network.encode_aerial, aerial),
        ):
            count, number = 0, 0
            for number, pixels in enumerate(batches):
                arrived.clear()
                encode(pixels)
                for layer, features in arrived.items():
                    sample = sample_local_features(
                        [features], per_image=per_image, limit=limit - count, seed=seed + number
                    )
                    drawn[layer].append(sample)
                count += max((len(drawn[layer][-1]) for layer in arrived), default=0)
                if count >= limit:
                    break
    finally:
        for handle in handles:
            handle.remove()
        network.train(training)
    empty = [layer for layer in layers if not drawn[layer]]
    if empty:
        raise UsageError(
            "There must be images of both views to start NetVLAD from. Got none of one.",
            hint="Give batches of training photos and patches.",
        )
    return [layer.initialise(torch.cat(drawn[layer]), seed=seed) for layer in layers]


def _dimension_of(module: nn.Module) -> int:
    last = module[-1] if isinstance(module, nn.Sequential) else module
    dimension = getattr(last, "dimension", None)
    if not isinstance(dimension, int):
        raise UsageError(
            f"The last module of a branch must say the dimension of its vectors. "
            f"Got {type(last).__name__}.",
            hint="Use one of the heads of sightline.models.heads.",
        )
    return dimension
