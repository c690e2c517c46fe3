"""What each part of the cross-view evidence compares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from _cross_view_trials import Trial
from sightline.training import CrossViewRecipe, find_recipe, read_recipe

Values = Mapping[str, Any]

# 252 columns: crops of 180, 90 and 70 degrees are 126, 63 and 49 of them, without a rest.
HEIGHT, WIDTH = 64, 252
FIELDS = (180, 90, 70)
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
_SOFT = {"loss": "soft-margin", "loss_distance": "squared_euclidean"}
_TUPLE = {"loss": "tuple", "loss_distance": "cosine"}

FRGEO = {
    "baseline": {**_POOLED, **_SOFT},
    "recombination": {**_FOUR, **_SOFT},
    "tuple loss": {**_POOLED, **_TUPLE},
    "FRGeo": {**_FOUR, **_TUPLE},
    "16 regions, InfoNCE": _SIXTEEN,
    "ours": OURS,
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

    def trials(self, settings: Sequence[str], seeds: int, changes: Values) -> list[Trial]:
        """All runs in some of the settings, those of one seed together."""
        found = []
        for seed in range(seeds):
            for setting in settings:
                for name, values in self.systems.items():
                    recipe = base().changed(**self.changes(), **changes)
                    view = view_of(setting, recombines=values["architecture"] == "frgeo")
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

PARTS = {
    "frgeo": Part(
        "FRGeo's ablation, and ours (16 regions of four rings, InfoNCE): does the paper's order "
        "hold (baseline < recombination, tuple loss < both), for panoramas and for crops of them, "
        "heading known and unknown?",
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
}
