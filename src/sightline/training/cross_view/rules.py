"""Which values of a cross-view recipe cannot go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.errors import RecipeError, UsageError
from sightline.models.architectures import architecture
from sightline.models.view_geometry import AerialGeometry, Panorama, read_geometry

if TYPE_CHECKING:
    from sightline.training.cross_view.recipe import CrossViewRecipe

RECOMBINING = ("frgeo", "transgeo-frm")
"""Architectures whose head knows the regions of the compass."""


def refuse_impossible(recipe: CrossViewRecipe) -> None:
    """Refuse values that cannot go together.

    Raises:
        RecipeError: Naming the keys and what to change.
    """
    try:
        architecture(recipe.architecture)
        geometry = read_geometry(recipe.ground)
    except UsageError as error:
        raise RecipeError(error.message, hint=error.hint) from error
    whole = isinstance(geometry, Panorama)
    square = recipe.aerial_size[0] == recipe.aerial_size[1]
    batches = {recipe.sampler, recipe.second_sampler}
    splits = (recipe.train_split, recipe.validation_split, recipe.test_split)
    names = [name for name in splits if name]
    for wrong, message, hint in (
        (
            isinstance(geometry, AerialGeometry),
            f"ground must not be {geometry}",
            "Write panorama.",
        ),
        (
            recipe.heading == "known" and not recipe.recombines,
            (
                f"heading = 'known' cannot go with architecture = {recipe.architecture!r}: only "
                "feature recombination can be told a heading"
            ),
            f"Use one of {', '.join(RECOMBINING)}, or heading = 'unknown'.",
        ),
        (
            recipe.heading == "known" and whole,
            (
                "heading = 'known' cannot go with ground = 'panorama': a panorama of known "
                "heading is turned to north"
            ),
            "Write heading = 'aligned'.",
        ),
        (
            recipe.heading == "aligned" and recipe.recombines and not whole,
            (
                f"heading = 'aligned' cannot go with architecture = {recipe.architecture!r} and "
                f"ground = {recipe.ground!r}: its regions are those of the compass"
            ),
            "Write heading = 'known', or 'unknown'.",
        ),
        (
            recipe.quarter_turns and not square,
            f"quarter_turns cannot go with aerial_size = {list(recipe.aerial_size)}",
            "Make patches square.",
        ),
        (
            recipe.quarter_turns and recipe.heading == "aligned" and not recipe.from_panoramas,
            (
                f"quarter_turns cannot go with ground = {recipe.ground!r} and heading = "
                "'aligned': a photo that is no panorama cannot be turned"
            ),
            "Leave quarter_turns out.",
        ),
        (
            recipe.chunk_size >= recipe.batch_size,
            f"chunk_size = {recipe.chunk_size} must be below batch_size = {recipe.batch_size}",
            "0 keeps whole batches in memory.",
        ),
        (
            recipe.warmup_epochs >= recipe.epochs,
            f"warmup_epochs = {recipe.warmup_epochs:g} must be below epochs = {recipe.epochs}",
            "A tenth of the epochs is plenty.",
        ),
        (
            recipe.near_cluster > recipe.batch_size and "near" in batches,
            (
                f"near_cluster = {recipe.near_cluster} must not exceed batch_size = "
                f"{recipe.batch_size}"
            ),
            "8 in a batch of 64 is a start.",
        ),
        (
            recipe.sharpness > 0 and recipe.precision == "float16",
            "sharpness cannot go with precision = 'float16'",
            "Write precision = 'bfloat16'.",
        ),
        (
            recipe.sampler == "super-batches",
            "sampler = 'super-batches' needs a network that is partly trained",
            "Write second_sampler = 'super-batches' and second_epochs.",
        ),
        (
            recipe.second_epochs == 0
            and (
                recipe.second_patience > 0
                or recipe.second_learning_rate > 0
                or {recipe.second_loss, recipe.second_mining, recipe.second_sampler} != {"same"}
            ),
            "second_* keys are given, and second_epochs is 0",
            "Give second_epochs, or leave the others out.",
        ),
        (not recipe.train_split, "train_split must not be empty", "Write train."),
        (
            len(names) != len(set(names)),
            (
                "train_split, validation_split and test_split must differ. Got "
                f"{recipe.train_split!r}, {recipe.validation_split!r} and {recipe.test_split!r}"
            ),
            "An empty validation_split holds out validation_share of training.",
        ),
    ):
        if wrong:
            raise RecipeError(f"{message}.", hint=hint)
