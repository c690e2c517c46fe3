"""The card of a trained cross-view network: what it is, what it saw, how well it does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sightline.models.card import ModelCard
from sightline.training.cross_view.recipe import CrossViewRecipe

_INTENDED_USE = (
    "Finding the aerial image of the place that a photo shows, among aerial imagery with known "
    "coordinates. Not for locating people without their consent."
)
_SHOWN = ("recall@1", "recall@5", "recall@10", "recall@1%", "hit_rate", "mrr", "pssr")


def bundle_card(recipe: CrossViewRecipe, dataset: str, pairs: int) -> ModelCard:
    """What stands in the bundle itself."""
    start = f"backbones from {Path(recipe.weights).name}" if recipe.weights else "random weights"
    return ModelCard(
        name=recipe.name,
        licence=recipe.licence,
        provenance=f"Trained with Sightline on {pairs} pairs of {dataset}, seed {recipe.seed}, "
        f"from {start}.",
        intended_use=_INTENDED_USE,
    )


def card_text(
    recipe: CrossViewRecipe, run: Mapping[str, Any], test: Mapping[str, Any] | None
) -> str:
    """The card for people, Markdown.

    Args:
        recipe: Of the run.
        run: ``run.json``.
        test: ``test.json``, if there was a test split.
    """
    data = run["data"]
    patch = "unknown" if data["patch_m"] is None else f"{data['patch_m']:g} m"
    lines = [
        f"# {recipe.name}",
        "",
        (
            f"{recipe.architecture} for {recipe.ground} of {recipe.heading} heading, "
            f"{run['dimension']:,} dimensions, {run['parameters']:,} parameters."
        ),
        "",
        "## Training",
        "",
        (
            f"- Data: {data['name']} ({data['version']}), {data['train']:,} pairs; patches {patch} "
            "wide."
        ),
        (
            f"- Selected by {recipe.select_by} on {data['validation']:,} pairs that were not "
            f"trained on: {run['best']['score']:.4f} after epoch {run['best']['epoch']}"
            f"{' of the second stage' if run['best']['stage'] else ''}."
        ),
        (
            f"- Seed {recipe.seed}; {run['seconds']:,.0f} s on "
            f"{run['machine']['gpu'] or 'a processor'}; all settings in `recipe.toml` of the run."
        ),
        *([f"- Settings from: {recipe.source}"] if recipe.source else []),
        "",
        "## Test",
        "",
    ]
    if test is None:
        lines.append("No test split was named.")
    else:
        lines += [
            (
                f"{test['n_queries']:,} photos among {test['n_references']:,} patches, read once; "
                f"intervals of {test['settings']['confidence']:.0%}."
            ),
            "",
            "| metric | value | interval |",
            "| --- | --- | --- |",
        ]
        for name in _SHOWN:
            if name in test["metrics"]:
                found = test["metrics"][name]
                lines.append(
                    f"| {name} | {found['value']:.4f} | {found['low']:.4f} to {found['high']:.4f} |"
                )
        lines += [f"\n- {warning}" for warning in test["warnings"]]
    return "\n".join([*lines, "", "## Use", "", _INTENDED_USE, ""])
