"""Recipes by name: those that come with Sightline."""

from __future__ import annotations

import difflib
from pathlib import Path

from sightline.errors import RecipeError
from sightline.training.tasks import FOLDERS

_SUFFIX = ".toml"


def recipes_folder() -> Path:
    """The folder of the recipes that come with Sightline.

    In an installed package it lies beside the code, in a checkout at its root.
    """
    package = Path(__file__).resolve().parents[1]
    installed = package / "recipes"
    return installed if installed.is_dir() else package.parents[1] / "recipes"


def recipe_names(*folders: str) -> dict[str, Path]:
    """The recipes of ``cross-view``, ``global`` or, if none is named, both, by their names."""
    return {
        path.stem: path
        for folder in folders or FOLDERS
        for path in sorted((recipes_folder() / folder).glob(f"*{_SUFFIX}"))
    }


def find_recipe(name: str, *folders: str) -> Path:
    """The file of a recipe: a path, or a name such as ``frgeo`` in some folders or all.

    What exists as a file is taken as a path, whatever it is called.

    Raises:
        RecipeError: There is neither; the nearest name is named.
    """
    path = Path(name)
    if path.is_file():
        return path
    known = recipe_names(*folders)
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"There are {', '.join(known)}." if known else "Give the path of a TOML file."
    raise RecipeError(
        f"There is no recipe {name!r}, neither as a file nor by name.",
        hint=f"Did you mean {near[0]!r}? {hint}" if near else hint,
        path=name,
    )
