"""The tasks that recipes name, and their recipes' classes, each loaded when it is asked for."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from sightline.errors import RecipeError
from sightline.training.recipe import read_recipe, recipe_text, toml_of

if TYPE_CHECKING:
    from sightline.training.run import TrainedRecipe

# Recipes of networks for pairs know their architectures, and with them torch.
_CLASSES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "cross-view": ("sightline.training.cross_view.recipe", "CrossViewRecipe"),
        "global": ("sightline.training.cells.recipe", "GlobalRecipe"),
        "retrieval": ("sightline.training.retrieval.recipe", "RetrievalRecipe"),
    }
)

TASKS = tuple(_CLASSES)
"""What ``task`` may be in a recipe."""

FOLDERS = ("cross-view", "global")
"""Those of the recipes that come with Sightline; retrieval lies with the classifiers."""


def recipe_class(task: str) -> type[TrainedRecipe]:
    """The class of a task's recipes.

    Raises:
        RecipeError: There is no such task.
    """
    if task not in _CLASSES:
        near = difflib.get_close_matches(str(task), TASKS, n=1, cutoff=0.0)[0]
        raise RecipeError(
            f"There is no task {task!r}.",
            hint=f"Did you mean {near!r}? There are {', '.join(TASKS)}.",
        )
    module, name = _CLASSES[task]
    return cast("type[TrainedRecipe]", getattr(import_module(module), name))


def open_recipe(path: str | Path, changes: Sequence[str] = ()) -> TrainedRecipe:
    """Read a recipe as that of the task that it names; ``cross-view`` where it names none.

    Args:
        path: The TOML file.
        changes: ``key=value``, as ``--set`` has them, in place of the file's.

    Raises:
        RecipeError: As :func:`sightline.training.read_recipe`, or no such task.
    """
    text = recipe_text(path)
    task = toml_of(text, str(path)).get("task", "cross-view")
    try:
        kind = recipe_class(task)
    except RecipeError as error:
        error.path = str(path)
        raise
    return read_recipe(kind, path, changes, text=text)
