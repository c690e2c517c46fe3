"""The card of a trained classifier of places: what it is, what it saw, how well it does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sightline.models.card import ModelCard
from sightline.training.cells.recipe import GlobalRecipe
from sightline.training.photos.recipe import PhotoRecipe

INTENDED_USE = (
    "Estimating where in the world a photo was taken. Not for locating people without their "
    "consent."
)
_SHOWN = ("accuracy@1km", "accuracy@25km", "accuracy@200km", "accuracy@750km", "accuracy@2500km")


def bundle_card(recipe: GlobalRecipe, dataset: str, photos: int) -> ModelCard:
    """What stands in the bundle itself."""
    start = "random weights"
    if recipe.weights:
        start = f"a backbone from {Path(recipe.weights).name}"
    elif recipe.start:
        start = f"the bundle {Path(recipe.start).name}"
    return ModelCard(
        name=recipe.name,
        licence=recipe.licence,
        provenance=f"Trained with Sightline on {photos} photos of {dataset}, seed {recipe.seed}, "
        f"from {start}.",
        intended_use=INTENDED_USE,
    )


def card_text(recipe: GlobalRecipe, run: Mapping[str, Any], test: Mapping[str, Any] | None) -> str:
    """The card for people, Markdown.

    Args:
        recipe: Of the run.
        run: ``run.json``.
        test: ``test.json``, if there was a test split.
    """
    cells = ", ".join(f"{one['cells']:,}" for one in run["partitions"])
    lines = [
        f"# {recipe.name}",
        "",
        (
            f"{recipe.backbone} at {recipe.size[1]} x {recipe.size[0]} pixels with a {recipe.head} "
            f"head over {cells} cells, {run['dimension']:,} dimensions, {run['parameters']:,} "
            "parameters."
        ),
        "",
        "## Training",
        "",
        *trained(recipe, run),
        "",
        "## Test",
        "",
        *(["No test split was named."] if test is None else tested(test)),
    ]
    return "\n".join([*lines, "", "## Use", "", INTENDED_USE, ""])


def trained(recipe: PhotoRecipe, run: Mapping[str, Any]) -> list[str]:
    """The lines of how a model of photos was trained."""
    data = run["data"]
    return [
        f"- Data: {data['name']} ({data['version']}), {data['train']:,} photos.",
        (
            f"- Selected by accuracy at {recipe.select_km:g} km on {data['validation']:,} photos "
            f"that were not trained on: {run['best']['score']:.4f} after epoch "
            f"{run['best']['epoch']}."
        ),
        (
            f"- Seed {recipe.seed}; {run['seconds']:,.0f} s on "
            f"{run['machine']['gpu'] or 'a processor'}; all settings in `recipe.toml` of the run."
        ),
        *([f"- Settings from: {recipe.source}"] if recipe.source else []),
    ]


def tested(test: Mapping[str, Any]) -> list[str]:
    """The lines of a localization's evaluation, beside the constant guess."""
    prior = test["baselines"]["prior"]["metrics"]
    lines = [
        (
            f"{test['n_photos']:,} photos, read once; intervals of "
            f"{test['settings']['confidence']:.0%}. The constant guess is the most frequent place "
            "of the training photos."
        ),
        "",
        "| metric | value | interval | constant guess |",
        "| --- | --- | --- | --- |",
    ]
    for name in _SHOWN:
        found = test["metrics"][name]
        lines.append(
            f"| {name} | {found['value']:.4f} | {found['low']:.4f} to {found['high']:.4f} | "
            f"{prior[name]:.4f} |"
        )
    median = test["metrics"]["median_error_km"]["value"]
    said = "none: half have no answer" if median is None else f"{median:,.0f} km"
    return [*lines, "", f"Median error: {said}.", *(f"\n- {one}" for one in test["warnings"])]
