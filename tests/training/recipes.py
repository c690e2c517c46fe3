"""Recipes that take seconds."""

from __future__ import annotations

from typing import Any

from sightline.training.cross_view.recipe import CrossViewRecipe

TINY: dict[str, Any] = {
    "name": "tiny",
    "planet_pairs": 80,
    "planet_tile_px": 48,
    "planet_metres_per_pixel": 1.0,
    "ground_size": (32, 64),
    "aerial_size": (32, 32),
    "architecture": "average",
    "backbone": "test_resnet",
    "model_args": {"channels": [8, 8, 8, 16], "stem_width": 8},
    "loss": "infonce",
    "batch_size": 8,
    "epochs": 2,
    "learning_rate": 1e-3,
    "log_steps": 1,
}


def tiny(**changes: Any) -> CrossViewRecipe:
    """Two epochs of seven steps on 56 pairs of the planet."""
    return CrossViewRecipe(**{**TINY, **changes})
