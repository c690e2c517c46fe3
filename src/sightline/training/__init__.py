"""Training: recipes, one loop, and what is trained with it.

``train`` needs torch and loads it when it is called for; recipes need nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sightline.training.recipe import Recipe, read_recipe
from sightline.training.recipe_files import find_recipe, recipe_names
from sightline.training.tasks import TASKS, open_recipe

if TYPE_CHECKING:
    from sightline.training.cells.recipe import GlobalRecipe
    from sightline.training.cross_view.recipe import CrossViewRecipe
    from sightline.training.retrieval.recipe import RetrievalRecipe
    from sightline.training.run import train

__all__ = [
    "TASKS",
    "CrossViewRecipe",
    "GlobalRecipe",
    "Recipe",
    "RetrievalRecipe",
    "find_recipe",
    "open_recipe",
    "read_recipe",
    "recipe_names",
    "train",
]


_LATER = {
    "CrossViewRecipe": "cross_view.recipe",
    "GlobalRecipe": "cells.recipe",
    "RetrievalRecipe": "retrieval.recipe",
    "train": "run",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
