"""Training: recipes, one loop, and what is trained with it.

``train`` needs torch and loads it when it is called for; recipes need nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sightline.training.recipe import Recipe, read_recipe
from sightline.training.recipe_files import find_recipe, recipe_names

if TYPE_CHECKING:
    from sightline.training.cross_view_recipe import CrossViewRecipe
    from sightline.training.run import train

__all__ = [
    "CrossViewRecipe",
    "Recipe",
    "find_recipe",
    "read_recipe",
    "recipe_names",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "CrossViewRecipe":
        from sightline.training.cross_view_recipe import CrossViewRecipe

        return CrossViewRecipe
    if name == "train":
        from sightline.training.run import train

        return train
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
