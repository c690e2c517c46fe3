"""The named cross-view architectures: published ones as their source describes them, and baselines.

Every one takes any backbone of timm, shared or separate weights, any declared ground geometry and
any size of images; what is left out is the published choice.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import nn

from sightline.errors import UsageError
from sightline.models.cross_view import BOTH, CrossViewNetwork
from sightline.models.feature_recombination import FeatureRecombination
from sightline.models.heads import (
    FullyConnected,
    GlobalPooling,
    LocalTransform,
    Projection,
    TokenProjection,
)
from sightline.models.netvlad import NetVLAD
from sightline.models.polar_view import PolarView
from sightline.models.spatial_attention import SpatialAttention
from sightline.models.trunk import Trunk
from sightline.models.view_geometry import (
    AerialGeometry,
    GroundGeometry,
    Panorama,
    read_geometry,
)

Options = Mapping[str, Any]
Size = tuple[int, int]

_CVM_NET = "Hu, Feng, Nguyen and Lee, CVM-Net (CVPR 2018); sizes of their code"
_FRGEO = "Zhang and Zhu, FRGeo (AAAI 2024), equations 2 to 11; sizes of their code"
_PSSR = "Debnath, Briassouli and Popa, Proportional Search Space Reduction, section 3.3"
_TRANSGEO = "Zhu, Shah and Chen, TransGeo (CVPR 2022), stage one; sizes of their code"
_LAST_POOLING = ("features.30",)


@dataclass(frozen=True, slots=True)
class Architecture:
    """A row of the table.

    Args:
        name: What recipes call it.
        backbone: timm's name of the published backbone.
        head: From a trunk, the ground geometry and the options to one branch's head.
        source: Who published it, and where its numbers stand.
        options: Every option of the head with its published value.
        tail: From the head's output and the options to what both views share after it.
        shared_weights: Whether the published branches share their weights.
        without: Modules of the published backbone that are left out.
        ground_size: (height, width) of published photos.
        aerial_size: (height, width) of published patches.
    """

    name: str
    backbone: str
    head: Callable[[Trunk, GroundGeometry, Options], nn.Module]
    source: str
    options: Options = field(default_factory=lambda: MappingProxyType({}))
    tail: Callable[[Trunk, Options], nn.Module | None] | None = None
    shared_weights: bool = False
    without: tuple[str, ...] = ()
    ground_size: Size = (224, 224)
    aerial_size: Size = (224, 224)


def _fully_connected(trunk: Trunk, _ground: GroundGeometry, options: Options) -> nn.Module:
    return FullyConnected(
        trunk.channels, trunk.grid, options["widths"], last_relu=options["last_relu"]
    )


def _netvlad(trunk: Trunk, _ground: GroundGeometry, options: Options) -> nn.Module:
    return NetVLAD(trunk.channels, options["clusters"])


def _shared_projection(trunk: Trunk, options: Options) -> nn.Module | None:
    if not options["projection"]:
        return None
    return Projection(trunk.channels * options["clusters"], options["projection"])


def _first_transform(trunk: Trunk, _ground: GroundGeometry, options: Options) -> nn.Module:
    return LocalTransform(trunk.channels, (1,), options["dropout"])


def _transform_and_netvlad(trunk: Trunk, options: Options) -> nn.Module:
    transform = LocalTransform(trunk.channels, (3, 1), options["dropout"])
    last = _shared_projection(trunk, options)
    layers = [transform, NetVLAD(trunk.channels, options["clusters"])]
    return nn.Sequential(*layers, *([] if last is None else [last]))


def _recombination(trunk: Trunk, ground: GroundGeometry, options: Options) -> nn.Module:
    whole = isinstance(ground, Panorama)
    split, unit_regions = options["split"], options["unit_regions"]
    published = whole and options["regions"] == 4
    return FeatureRecombination(
        trunk.channels,
        regions=options["regions"],
        split=("published" if published else "area") if split == "auto" else split,
        unit_regions=not whole if unit_regions == "auto" else unit_regions,
        rings=options["rings"],
        region_channels=options["region_channels"],
    )


def _tokens(trunk: Trunk, _ground: GroundGeometry, options: Options) -> nn.Module:
    return TokenProjection(trunk.channels, trunk.prefix_tokens, options["dimension"])


def _attention(trunk: Trunk, _ground: GroundGeometry, options: Options) -> nn.Module:
    return SpatialAttention(trunk.channels, trunk.grid, options["masks"])


def _pooling(trunk: Trunk, _ground: GroundGeometry, options: Options) -> nn.Module:
    return GlobalPooling(trunk.channels, options["method"], normalise=options["normalise"])


_FC = MappingProxyType({"widths": (512, 256, 256), "last_relu": True})
# Both as in the code of CVM-Net. The CVM-Net-I of the PSSR text ends with the NetVLAD: for that,
# set the projection to 0.
_VLAD = MappingProxyType({"clusters": 64, "projection": 4096})
# Where the view is the whole circle and regions are four: as published. Otherwise by area, and of
# unit length, so that a plain index ranks photos of part of the circle rightly.
# Rings are ours.
_REGIONS = MappingProxyType(
    {"regions": 4, "split": "auto", "unit_regions": "auto", "rings": 1, "region_channels": 0}
)


def _baseline(method: str) -> Architecture:
    return Architecture(
        method,
        "resnet50",
        _pooling,
        "a baseline: global pooling",
        MappingProxyType({"method": method, "normalise": False}),
    )


ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        row.name: row
        for row in (
            Architecture("vgg16-fc", "vgg16", _fully_connected, _PSSR, _FC),
            Architecture(
                "resnet50-fc",
                "resnet50",
                _fully_connected,
                _PSSR,
                _FC,
                ground_size=(200, 200),
                aerial_size=(200, 200),
            ),
            Architecture(
                "cvm-net-i",
                "vgg16",
                _netvlad,
                _CVM_NET,
                _VLAD,
                _shared_projection,
                without=_LAST_POOLING,
                ground_size=(224, 1232),
                aerial_size=(512, 512),
            ),
            Architecture(
                "cvm-net-ii",
                "vgg16",
                _first_transform,
                _CVM_NET,
                # They keep 0.8.
                MappingProxyType({**_VLAD, "dropout": 0.2}),
                _transform_and_netvlad,
                without=_LAST_POOLING,
                ground_size=(224, 1232),
                aerial_size=(512, 512),
            ),
            Architecture(
                "frgeo",
                "convnext_tiny",
                _recombination,
                _FRGEO,
                _REGIONS,
                ground_size=(128, 512),
                aerial_size=(256, 256),
            ),
            Architecture(
                "frgeo-baseline",
                "convnext_tiny",
                _pooling,
                f"{_FRGEO}; their table 4, Baseline",
                MappingProxyType({"method": "average", "normalise": True}),
                ground_size=(128, 512),
                aerial_size=(256, 256),
            ),
            Architecture(
                "transgeo",
                "deit_small_distilled_patch16_224",
                _tokens,
                _TRANSGEO,
                MappingProxyType({"dimension": 1000}),
                ground_size=(112, 616),
                aerial_size=(256, 256),
            ),
            Architecture(
                "transgeo-frm",
                "deit_small_distilled_patch16_224",
                _recombination,
                f"{_TRANSGEO}; recombination as FRGeo's table 1, Ours♣",
                _REGIONS,
                ground_size=(112, 616),
                aerial_size=(256, 256),
            ),
            Architecture(
                "safa",
                "vgg16",
                _attention,
                "Shi, Liu, Yu and Li, SAFA (NeurIPS 2019), section 3.2, without polar transform",
                MappingProxyType({"masks": 8}),
                ground_size=(112, 616),
                aerial_size=(256, 256),
            ),
            _baseline("average"),
            _baseline("max"),
            _baseline("gem"),
        )
    }
)


def architecture(name: str) -> Architecture:
    """A row of the table.

    Raises:
        UsageError: No such name; the nearest one is named.
    """
    if name not in ARCHITECTURES:
        raise UsageError(
            f"There is no cross-view architecture {name!r}.",
            hint=f"Did you mean {_nearest(name, ARCHITECTURES)!r}? There are "
            f"{', '.join(ARCHITECTURES)}.",
        )
    return ARCHITECTURES[name]


def build_network(
    name: str,
    *,
    ground: GroundGeometry | str,
    ground_size: Size | None = None,
    aerial_size: Size | None = None,
    backbone: str | None = None,
    shared_weights: bool | None = None,
    model_args: Mapping[str, Any] | None = None,
    weights: str | Path | None = None,
    options: Options | None = None,
    polar_size: Size | None = None,
) -> CrossViewNetwork:
    """Build a cross-view network.

    Args:
        name: Of :data:`ARCHITECTURES`.
        ground: What the ground branch sees, or its name (``panorama``, ``perspective:90``).
        ground_size: (height, width) of photos; the published one if None.
        aerial_size: (height, width) of patches; the published one if None.
        backbone: timm's name of another backbone.
        shared_weights: Whether both branches have the same weights; the published choice if None.
        model_args: Arguments of timm's constructor.
        weights: Local safetensors file for the backbones; random weights without.
        options: Of the head, in place of published values.
        polar_size: (height, width) that patches are unrolled to before the aerial backbone, see
            :class:`~sightline.models.polar_view.PolarView`; not at all if None.

    Raises:
        UsageError: No such name, geometry or option, or branches that cannot share weights.
        BundleError: No such backbone, size or weights.
    """
    row = architecture(name)
    geometry = read_geometry(ground) if isinstance(ground, str) else ground
    if isinstance(geometry, AerialGeometry):
        raise UsageError(
            f"The ground branch must see a panorama or a perspective. Got {geometry}.",
            hint="Write panorama, perspective:FOV or crop:FOV.",
        )
    chosen = {**row.options, **_known_options(row, options or {})}
    shared = row.shared_weights if shared_weights is None else shared_weights
    sizes = {"ground": ground_size or row.ground_size, "aerial": aerial_size or row.aerial_size}
    seen = {**sizes, "aerial": polar_size or sizes["aerial"]}
    trunks = _trunks(row, seen, backbone or row.backbone, model_args or {}, weights, shared=shared)
    heads = {view: row.head(trunk, geometry, chosen) for view, trunk in trunks.items()}
    tail = None if row.tail is None else row.tail(next(iter(trunks.values())), chosen)
    polar = None if polar_size is None else PolarView(polar_size)
    return CrossViewNetwork(geometry, trunks, heads, tail, input_sizes=sizes, polar=polar)


def _trunks(
    row: Architecture,
    sizes: Mapping[str, Size],
    backbone: str,
    model_args: Mapping[str, Any],
    weights: str | Path | None,
    *,
    shared: bool,
) -> dict[str, Trunk]:
    without = row.without if backbone == row.backbone else ()
    if not shared:
        return {
            view: Trunk(backbone, size, model_args=model_args, weights=weights, without=without)
            for view, size in sizes.items()
        }
    trunk = Trunk(
        backbone, sizes["aerial"], model_args=model_args, weights=weights, without=without
    )
    fixed = hasattr(trunk.network, "set_input_size") and not model_args.get("dynamic_img_size")
    needs_one_size = fixed or row.head in (_fully_connected, _attention)
    if needs_one_size and sizes["ground"] != sizes["aerial"]:
        raise UsageError(
            f"Branches of {row.name} on {backbone} can share weights only for images of one size. "
            f"Got {sizes['ground']} and {sizes['aerial']}.",
            hint="Use separate weights, equal sizes, or model_args dynamic_img_size=true for a "
            "vision transformer.",
        )
    return {BOTH: trunk}


def _known_options(row: Architecture, options: Options) -> Options:
    for key in options:
        if key not in row.options:
            known = ", ".join(row.options) or "none"
            near = _nearest(key, row.options) if row.options else None
            raise UsageError(
                f"The architecture {row.name} has no option {key!r}.",
                hint=f"{f'Did you mean {near!r}? ' if near else ''}Its options are: {known}.",
            )
    return options


def _nearest(word: str, known: Mapping[str, object]) -> str:
    return difflib.get_close_matches(word, list(known), n=1, cutoff=0.0)[0]
