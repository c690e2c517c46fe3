"""What is trained for the planet-scale evidence: one backbone with ImageNet's weights, one budget.

Cells, widths and rates are sized for four thousand photos. What the papers say beyond that holds:
heads on PlaNet's backbone, HC's cells coarser than PlaNet's, a module on stored vectors with one
pair of each cell in an epoch and, with triplets, the published margin and mining. R's margin and
rate are ours: its paper gives none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _global_claims import CONTROL
from sightline.training import GlobalRecipe, RetrievalRecipe

START = "PlaNet"
"""The classifier that heads, modules and R start from, as Kordopatis-Zilos et al. have it."""

EPOCHS = 6
"""Of a classifier."""

HEAD_EPOCHS = 60
"""Of a head on another classifier's vectors, where a classifier has :data:`EPOCHS`."""

MODULE_EPOCHS = 200
"""Of a Residual Retrieval Module, as published."""

_DATA = Path(os.environ.get("SIGHTLINE_DATA", Path(__file__).parent / "../../shared/data"))
_BACKBONE = "mobilenetv2_100"
WEIGHTS = (_DATA / "weights" / _BACKBONE / f"{_BACKBONE}.imagenet1k.safetensors").resolve()
"""That every classifier starts from."""

_PHOTOS = {
    "validation_split": "val",
    "test_split": "",
    "weight_decay": 0.05,
    "select_km": 750.0,
}
# No mirrors: which side people drive on tells countries apart.
_PIXELS = {"crop_area": 0.75, "colour_jitter": 0.15}
_NETWORK = {
    "backbone": _BACKBONE,
    "size": (96, 96),
    "learning_rate": 3e-3,
    "backbone_rate": 0.2,
    "average_decay": 0.98,
}
_MODULE = {"hidden": 1024, "memory": 1024, "temperature": 0.05, "learning_rate": 3e-4}
_RANKING = {
    **_PIXELS,
    "trained": "network",
    "positives": "place-and-vector",
    "positive_km": 25.0,
    "negative_km": 200.0,
    "loss": "triplet",
    "margin": 0.1,
    "mining": "hardest",
    "memory": 0,
    "learning_rate": 2e-4,
}


@dataclass(frozen=True)
class System:
    """What is trained and compared.

    Args:
        kind: Of its recipe.
        values: Of the recipe.
        share: Of the epochs that a classifier is trained for.
        on: The system whose bundle it starts from; empty: :data:`WEIGHTS`.
    """

    kind: type[GlobalRecipe | RetrievalRecipe]
    values: Mapping[str, Any]
    share: float = 1.0
    on: str = ""

    def recipe(
        self, name: str, seed: int, epochs: int, start: str
    ) -> GlobalRecipe | RetrievalRecipe:
        """The whole of it.

        Args:
            name: Of the system.
            seed: Of weights, order and augmentation.
            epochs: Of a classifier.
            start: The bundle that it starts from.
        """
        own = max(1, round(epochs * self.share))
        lengths = {
            "epochs": own,
            "warmup_epochs": own / 12,
            "validate_every_epochs": max(1, own // 6),
        }
        return self.kind(
            **{**_PHOTOS, **lengths, "name": name, "seed": seed, "start": start, **self.values}
        )


def systems(train: int, precision: str) -> dict[str, System]:
    """All systems by name, as the papers have them; L2 is L with coarse cells.

    Args:
        train: About how many photos there are to train on: cells hold equally many of them.
        precision: Of the networks that see pixels.
    """
    computed = {"precision": precision}

    def cells(count: int) -> int:
        # Of very few photos, still so many that partitions differ.
        return max(1 + count // 8, round(count * train / 4000))

    def over(head: str, method: str, *counts: int) -> Mapping[str, Any]:
        partitions = tuple(f"{method}:cells={cells(one)}" for one in counts)
        return {**_NETWORK, "head": head, "partitions": partitions}

    def classifier(head: str, method: str, *counts: int) -> System:
        values = {**_PIXELS, **computed, "weights": str(WEIGHTS), **over(head, method, *counts)}
        return System(GlobalRecipe, values)

    def head(name: str, *counts: int) -> System:
        values = {**over(name, "s2", *counts), "trained": "head-on-vectors"}
        return System(GlobalRecipe, values, share=HEAD_EPOCHS / EPOCHS, on=START)

    def module(**values: Any) -> System:
        own = {**_MODULE, "partition": f"s2:cells={cells(256)}", **values}
        own["batch_size"] = min(64, cells(256) // 4)
        return System(RetrievalRecipe, own, share=MODULE_EPOCHS / EPOCHS, on=START)

    return {
        START: classifier("single", "s2", 256),
        CONTROL: head("single", 256),
        "HC": head("hierarchical", 26, 56, 100),
        "MvMF": head("mixture", 256),
        "L": classifier("single", "boxes", 256),
        "L2": classifier("single", "boxes", 32),
        "M": classifier("multi", "boxes", 8, 32, 96, 256),
        "RRM": module(),
        "RRM, triplet": module(loss="triplet", margin=0.01, mining="semi-hard"),
        "RRM, no residual": module(residual_skip=False),
        "R": System(RetrievalRecipe, {**_RANKING, **computed}, share=1 / 4, on=START),
    }
