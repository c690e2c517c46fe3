"""What every recipe that trains on single photos fixes: data, splits, optimisation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from sightline.errors import RecipeError
from sightline.training.recipe import Recipe, setting

PLANET_PHOTOS = "planet:photos"
"""Photos of the planet as people take them, made where they are not there yet."""


@dataclass(frozen=True, kw_only=True)
class PhotoRecipe(Recipe):
    """Keys that recipes for photos with coordinates have in common.

    Args:
        name: What to call the run and its model.
        source: Where the numbers come from.
        licence: Of the trained weights, SPDX.
        data: A manifest, the folder of a public dataset, a folder of WebDataset shards, or
            ``planet:photos``.
        layout: Of the folder; recognised if empty.
        planet_photos: How many photos of the planet, all splits together.
        planet_seed: Which planet.
        planet_collection: Which data set of it.
        planet_px: Side of its photos in pixels.
        train_split: Name of the split to train on.
        validation_split: Name of the split that selects; empty: ``validation_share`` of training.
        validation_share: Share of the training photographers that is held out, where there is no
            such split.
        test_split: Name of the split that is read once, at the end; empty: none.
        train_share: Share of the training photos that is used, for few-shot curves.
        shared_users: What becomes of training photos by photographers who are in validation or
            test too: ``refuse`` the data, ``remove`` those photos, as the papers do, or ``allow``.
        leak_check: ``all``: no photo of one split may be in another, by id or content; ``off``.
        leak_radius_m: No photo of validation or test may be nearer than this to one of training;
            0 checks no places.
        locatable_only: Leave out of training what the data say shows no place.
        bad_images: Share of the training photos that may be skipped because they are broken.
        pixels: ``kept``: decoded once and kept on disk at network size; ``read``: decoded anew in
            every epoch.
        workers: Processes that read images; 0 reads in the training process.
        features: File of stored vectors that runs can share, for what is trained on them; empty: in
            the run's folder.
        crop_area: Smallest share of a photo's area that a random crop keeps; 1: no crops.
        crop_ratio: Widest proportion of a crop: from 1 / ratio to ratio.
        mirror: Mirror every second photo.
        colour_jitter: Strength of random brightness, contrast, saturation and tint, 0 to 1.
        noise: Largest standard deviation of random noise, in shares of the full scale.
        erase: Probability of a grey rectangle in a photo.
        seed: Of everything random.
        batch_size: Rows in a batch, of all processes together.
        epochs: At most.
        patience: Stop after so many validations without improvement; 0: never.
        optimiser: Which.
        learning_rate: At its highest.
        backbone_rate: Times this for the backbone.
        weight_decay: Of matrices and filters; not of biases, norms and concentrations.
        momentum: Of ``sgd``.
        warmup_epochs: In which the rate rises from 0.
        schedule: How it falls.
        final_rate: Where ``cosine`` ends, as a share.
        step_epochs: Epochs between the steps of ``step``.
        step_factor: By which it is multiplied at each.
        clip_norm: Longest gradient; 0: no bound.
        average_decay: Of the exponential moving average of the weights; 0: off.
        accumulate: Batches whose gradients are added up for one step.
        chunk_size: Rows of a batch that are in memory with their graphs at once; 0: all.
        precision: ``float32``, ``bfloat16`` or ``float16``, mixed.
        channels_last: Order of pixels in memory; faster for convolutions.
        select_km: The share of validation photos that is answered within this radius decides.
        validate_every_epochs: How often.
        log_steps: Steps between two lines of the log.
        checkpoint_minutes: Between two checkpoints within an epoch; each epoch ends with one.
    """

    name: str = "photos"
    source: str = ""
    licence: str = "unknown"

    data: str = PLANET_PHOTOS
    layout: str = ""
    planet_photos: int = setting(4_000, at_least=40)
    planet_seed: int = setting(0, at_least=0)
    planet_collection: int = setting(0, at_least=0)
    planet_px: int = setting(96, at_least=16, at_most=4_096)
    train_split: str = "train"
    validation_split: str = "val"
    validation_share: float = setting(0.05, above=0, below=1)
    test_split: str = "test"
    train_share: float = setting(1.0, above=0, at_most=1)
    shared_users: Literal["refuse", "remove", "allow"] = "refuse"
    leak_check: Literal["all", "off"] = "all"
    leak_radius_m: float = setting(0.0, at_least=0)
    locatable_only: bool = False
    bad_images: float = setting(0.001, at_least=0, below=1)
    pixels: Literal["kept", "read"] = "kept"
    workers: int = setting(0, at_least=0, at_most=256)
    features: str = ""

    crop_area: float = setting(1.0, above=0, at_most=1)
    crop_ratio: float = setting(4 / 3, at_least=1)
    mirror: bool = False
    colour_jitter: float = setting(0.0, at_least=0, at_most=1)
    noise: float = setting(0.0, at_least=0, at_most=1)
    erase: float = setting(0.0, at_least=0, at_most=1)

    seed: int = setting(0, at_least=0, at_most=2**31 - 1)
    batch_size: int = setting(64, at_least=2)
    epochs: int = setting(25, at_least=1)
    patience: int = setting(0, at_least=0)
    optimiser: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: float = setting(1e-3, above=0)
    backbone_rate: float = setting(1.0, at_least=0)
    weight_decay: float = setting(0.0, at_least=0)
    momentum: float = setting(0.9, at_least=0, below=1)
    warmup_epochs: float = setting(0.0, at_least=0)
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    final_rate: float = setting(0.0, at_least=0, at_most=1)
    step_epochs: float = setting(10.0, above=0)
    step_factor: float = setting(0.1, above=0, at_most=1)
    clip_norm: float = setting(0.0, at_least=0)
    average_decay: float = setting(0.0, at_least=0, below=1)
    accumulate: int = setting(1, at_least=1)
    chunk_size: int = setting(0, at_least=0)
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    channels_last: bool = True

    select_km: float = setting(25.0, above=0)
    validate_every_epochs: int = setting(1, at_least=1)
    log_steps: int = setting(20, at_least=1)
    checkpoint_minutes: float = setting(10.0, at_least=0)

    @property
    def stage_rates(self) -> dict[str, object]:
        """What a stage of the loop takes of a recipe: its length, and how its rate goes."""
        keys = ("epochs", "patience", "learning_rate", "warmup_epochs", "schedule", "final_rate")
        return {key: getattr(self, key) for key in (*keys, "step_epochs", "step_factor")}

    @property
    def augments(self) -> bool:
        """Whether photos to train on are changed at random."""
        return self.crop_area < 1 or any((self.mirror, self.colour_jitter, self.noise, self.erase))

    def stored_at(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) to decode photos at, so that crops of a size lose no detail."""
        enlarged = math.sqrt(1.0 / self.crop_area)
        return math.ceil(size[0] * enlarged), math.ceil(size[1] * enlarged)

    def check(self) -> None:
        """Refuse what cannot go together, of the keys that all of these recipes have.

        Raises:
            RecipeError: Naming the keys and what to change.
        """
        splits = [self.train_split, self.validation_split, self.test_split]
        names = [name for name in splits if name]
        refuse_wrong(
            (
                self.chunk_size >= self.batch_size,
                f"chunk_size = {self.chunk_size} must be below batch_size = {self.batch_size}",
                "0 keeps whole batches in memory.",
            ),
            (
                self.warmup_epochs >= self.epochs,
                f"warmup_epochs = {self.warmup_epochs:g} must be below epochs = {self.epochs}",
                "A tenth of the epochs is plenty.",
            ),
            (not self.train_split, "train_split must not be empty", "Write train."),
            (
                len(names) != len(set(names)),
                (
                    "train_split, validation_split and test_split must differ. Got "
                    f"{', '.join(map(repr, splits))}"
                ),
                "An empty validation_split holds out validation_share of training.",
            ),
        )


def refuse_wrong(*rules: tuple[bool, str, str]) -> None:
    """Refuse the first rule that is broken.

    Args:
        rules: Whether it is broken, what is wrong, and what to do.

    Raises:
        RecipeError: With its words.
    """
    for wrong, message, hint in rules:
        if wrong:
            raise RecipeError(f"{message}.", hint=hint)
