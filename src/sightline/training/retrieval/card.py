"""The card of a model whose vectors were trained for retrieval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sightline.models.card import ModelCard
from sightline.training.cells.card import INTENDED_USE, tested, trained
from sightline.training.photos.photo_data import PhotoData
from sightline.training.retrieval.recipe import RetrievalRecipe

_HEAD = (
    "The head is that of the start and was not trained with the backbone: use this model for "
    "retrieval, and the start for cells."
)


def bundle_card(
    recipe: RetrievalRecipe, start: ModelCard, dataset: str, data: PhotoData
) -> ModelCard:
    """What stands in the bundle itself."""
    what = "Its vectors were" if recipe.trained == "network" else f"{_module(recipe)} was"
    more = f" {_HEAD}" if recipe.trained == "network" else ""
    return ModelCard(
        name=recipe.name,
        licence=recipe.licence,
        provenance=f"{start.provenance} {what} trained for retrieval with Sightline on "
        f"{len(data.train)} photos of {dataset}, seed {recipe.seed}.{more}",
        intended_use=INTENDED_USE,
    )


def card_text(
    recipe: RetrievalRecipe, run: Mapping[str, Any], test: Mapping[str, Any] | None
) -> str:
    """The card for people, Markdown.

    Args:
        recipe: Of the run.
        run: ``run.json``.
        test: ``test.json``, if there was a test split.
    """
    what = "The whole network" if recipe.trained == "network" else _module(recipe)
    lines = [
        f"# {recipe.name}",
        "",
        (
            f"{what} on {run['start']!r}, {run['dimension']:,} dimensions, {run['parameters']:,} "
            "trained parameters. An answer is the place of the training photo with the nearest "
            "vector."
        ),
        *(["", _HEAD] if recipe.trained == "network" else []),
        "",
        "## Training",
        "",
        *trained(recipe, run),
        "",
        "## Test",
        "",
    ]
    if test is None:
        lines.append("No test split was named.")
    else:
        lines += [*tested(test), "", _beside(run["test_of_start"], recipe.select_km)]
    return "\n".join([*lines, "", "## Use", "", INTENDED_USE, ""])


def _module(recipe: RetrievalRecipe) -> str:
    without = "" if recipe.residual_skip else " without its residual connection"
    return f"A Residual Retrieval Module{without}"


def _beside(before: Mapping[str, float | None], select_km: float) -> str:
    shown = [
        f"{before[name]:.4f} within {name.removeprefix('accuracy@')}"
        for name in ("accuracy@1km", "accuracy@25km", "accuracy@750km")
        if before[name] is not None
    ]
    return f"With the vectors of the start: {', '.join(shown)} (selection was at {select_km:g} km)."
