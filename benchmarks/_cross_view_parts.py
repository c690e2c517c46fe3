"""What each part of the cross-view evidence compares."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from _cross_view_trials import Trial
from sightline.training import CrossViewRecipe, find_recipe, read_recipe

Values = Mapping[str, Any]

# 252 columns: crops of 180, 90 and 70 degrees are 126, 63 and 49 of them, without a rest.
HEIGHT, WIDTH = 64, 252
FIELDS = (180, 90, 70)
_RECOMBINING = ("frgeo", "transgeo-frm")
ALIGNED, UNKNOWN = "aligned 360", "unknown 90"

_POOLED = {"architecture": "frgeo-baseline", "head_options": {}}
_FOUR = {"architecture": "frgeo", "head_options": {"regions": 4}}
_SIXTEEN = {
    "architecture": "frgeo",
    "head_options": {"regions": 16, "split": "area"},
    "loss": "infonce",
}
OURS = {
    **_SIXTEEN,
    "head_options": {"regions": 16, "split": "area", "rings": 4, "region_channels": 24},
}
UNROLLED = {**OURS, "aerial_view": "polar"}
_SOFT = {"loss": "soft-margin", "loss_distance": "squared_euclidean"}
_TUPLE = {"loss": "tuple", "loss_distance": "cosine"}

FRGEO = {
    "baseline": {**_POOLED, **_SOFT},
    "recombination": {**_FOUR, **_SOFT},
    "tuple loss": {**_POOLED, **_TUPLE},
    "FRGeo": {**_FOUR, **_TUPLE},
    "16 regions, InfoNCE": _SIXTEEN,
    "ours": OURS,
    "ours, unrolled": UNROLLED,
}


@dataclass(frozen=True)
class Part:
    """One question.

    Args:
        what: It, in a sentence or two.
        systems: What is compared, by name.
        settings: Under which circumstances.
        pairs: Which systems are tested against each other: the one that is there, and the one that
            may be better.
        seeds: How many.
        changes: What every recipe of the part has in place of the base's values.
    """

    what: str
    systems: Mapping[str, Values]
    settings: Sequence[str]
    pairs: Sequence[tuple[str, str]]
    seeds: int = 3
    changes: Callable[[], Values] = dict

    def of(self, names: Sequence[str]) -> Part:
        """The same of some systems."""
        systems = {name: values for name, values in self.systems.items() if name in names}
        pairs = [pair for pair in self.pairs if set(pair) <= set(systems)]
        return replace(self, systems=systems, pairs=pairs)

    def trials(self, settings: Sequence[str], seeds: int, changes: Values) -> list[Trial]:
        """All runs in some of the settings, those of one seed together."""
        found = []
        for seed in range(seeds):
            for setting in settings:
                for name, values in self.systems.items():
                    recipe = base().changed(**self.changes(), **changes)
                    view = view_of(setting, recombines=values["architecture"] in _RECOMBINING)
                    own = {**values, **view, "seed": seed, "name": f"{name}, {setting}"}
                    found.append(Trial(name, setting, seed, recipe.changed(**own)))
        return found


def base() -> CrossViewRecipe:
    """What all runs have in common: ``small-planet`` for ten epochs, in bfloat16.

    No test split: the four galleries are looked at afterwards.
    """
    recipe = read_recipe(CrossViewRecipe, find_recipe("small-planet"))
    return recipe.changed(
        epochs=10,
        warmup_epochs=1.0,
        validate_every_epochs=5,
        precision="bfloat16",
        test_split="",
    )


def view_of(setting: str, *, recombines: bool) -> dict[str, Any]:
    """What photos show, and what is known of their headings.

    A network that knows no regions cannot be told a heading. Where headings are known, its tiles
    are turned by them instead, which is the same as photos that all look north.
    """
    heading, degrees = setting.split()
    field = int(degrees)
    if field == 360:
        return {"ground": "panorama", "heading": heading, "ground_size": (HEIGHT, WIDTH)}
    told = heading if heading == "unknown" or recombines else "aligned"
    size = (HEIGHT, WIDTH * field // 360)
    return {"ground": f"crop:{field}", "heading": told, "ground_size": size}


_MAX_MARGIN = {**OURS, "loss": "max-margin"}
_TWO_STAGES = {**OURS, "epochs": 5, "second_epochs": 5}
LOSSES = {
    "max-margin": _MAX_MARGIN,
    "max-margin, semi-hard": {**_MAX_MARGIN, "mining": "semi-hard"},
    "soft-margin": {**OURS, "loss": "soft-margin"},
    "tuple": {**OURS, "loss": "tuple"},
    "InfoNCE": OURS,
    "InfoNCE, neighbours in a batch": {**OURS, "sampler": "near"},
    "InfoNCE, similar in a batch": {**OURS, "sampler": "similar"},
    "two stages": _TWO_STAGES,
    "two stages, super-batches": {**_TWO_STAGES, "second_sampler": "super-batches"},
}


_HEAD_AND_LOSS = (
    "architecture",
    "branches",
    "head_options",
    "loss",
    "loss_distance",
    "loss_weight",
    "margin",
    "mining",
    "mining_nearest",
    "reduce",
)


def _published(name: str, *more: str) -> Values:
    """A published row's head and loss; rates, batches and augmentation are the comparison's."""
    row = read_recipe(CrossViewRecipe, find_recipe(name))
    return {key: getattr(row, key) for key in (*_HEAD_AND_LOSS, *more)}


def _whole(name: str) -> Values:
    """The same with its backbone."""
    return {**_published(name, "backbone", "model_args"), **_RATE}


_RATE = {"learning_rate": 3e-4}
ARCHITECTURES = {
    "VGG16-FC": _whole("vgg16-fc"),
    "ResNet50-FC": _whole("resnet50-fc"),
    "CVM-Net-I": _whole("cvm-net-i"),
    "SAFA": _whole("safa"),
    "FRGeo": _whole("frgeo"),
    "TransGeo, recombination": _whole("transgeo-frm"),
    "ours": OURS,
}


_WEIGHTS = "mobilenetv2_100.imagenet1k.safetensors"


def _on_imagenet() -> Values:
    """One backbone with its weights, at a stride of 16: maps of 4 by 16 and 8 by 8 cells."""
    data = Path(os.environ.get("SIGHTLINE_DATA", Path(__file__).parent / "../../shared/data"))
    return {
        "backbone": "mobilenetv2_100",
        "model_args": {"output_stride": 16},
        "weights": str(data / "weights" / "mobilenetv2_100" / _WEIGHTS),
        "learning_rate": 5e-4,
    }


_FEW_CLUSTERS = {"clusters": 16, "projection": 512}
PRETRAINED = {
    "fully connected": _published("vgg16-fc"),
    "NetVLAD": {**_published("cvm-net-i"), "head_options": _FEW_CLUSTERS},
    "spatial attention": _published("safa"),
    "average pooling, InfoNCE": {**_POOLED, "loss": "infonce"},
    "FRGeo": FRGEO["FRGeo"],
    "ours": OURS,
}

PARTS = {
    "frgeo": Part(
        "FRGeo's ablation, and ours (16 regions of four rings, InfoNCE; unrolled: the patch too): "
        "does the paper's order hold (baseline < recombination, tuple loss < both), for panoramas "
        "and for crops of them, heading known and unknown?",
        FRGEO,
        [
            ALIGNED,
            *(f"{heading} {field}" for heading in ("known", "unknown") for field in FIELDS),
        ],
        [
            ("baseline", "recombination"),
            ("baseline", "tuple loss"),
            ("baseline", "FRGeo"),
            ("recombination", "FRGeo"),
            ("tuple loss", "FRGeo"),
            ("FRGeo", "16 regions, InfoNCE"),
            ("16 regions, InfoNCE", "ours"),
            ("FRGeo", "ours"),
            ("ours", "ours, unrolled"),
            ("FRGeo", "ours, unrolled"),
        ],
    ),
    "losses": Part(
        "Losses, negatives and batches, with the network of ours: max-margin, soft-margin, tuple "
        "and InfoNCE; semi-hard negatives against all; super-batches, neighbours on the ground "
        "and similar patches against plain shuffling.",
        LOSSES,
        [ALIGNED, UNKNOWN],
        [
            ("max-margin", "max-margin, semi-hard"),
            ("max-margin", "soft-margin"),
            ("soft-margin", "tuple"),
            ("tuple", "InfoNCE"),
            ("InfoNCE", "InfoNCE, neighbours in a batch"),
            ("InfoNCE", "InfoNCE, similar in a batch"),
            ("two stages", "two stages, super-batches"),
        ],
    ),
    "architectures": Part(
        "Published networks with their losses, all from random weights, and ours: what a pair "
        "costs, and what few pairs teach. Sized for --train 1200 --set epochs=4.",
        ARCHITECTURES,
        [ALIGNED],
        [(name, "ours") for name in ARCHITECTURES if name != "ours"],
        seeds=1,
    ),
    "pretrained": Part(
        "Heads and losses on one backbone with ImageNet's weights (MobileNetV2 in place of the "
        "published backbones). Sized for --train 1200 --set epochs=6.",
        PRETRAINED,
        [ALIGNED],
        [(name, "ours") for name in PRETRAINED if name != "ours"],
        seeds=1,
        changes=_on_imagenet,
    ),
}
