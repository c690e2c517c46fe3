"""Put the bundle of a finished run into the package, as a model that comes with Sightline.

    python tools/ship_model.py RUN

The weights are stored as float16; the card says what the model was trained on, what was measured on
the run's test split, and what it is for. The numbers go to ``benchmarks/results/NAME.json`` too.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from sightline.durable import write_json, write_text
from sightline.models.bundle import CrossViewBundle, read_bundle, save_bundle
from sightline.training.cross_view_recipe import CrossViewRecipe
from sightline.training.model_card import CARD, card_text
from sightline.training.run_folder import BUNDLE, TEST, RunFolder

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "src" / "sightline" / "models" / "shipped_bundles"
RESULTS = ROOT / "benchmarks" / "results"
LICENCE = "CC0-1.0"
LARGEST_BYTES = 12_000_000
INTENDED_USE = (
    "Trying, testing and teaching cross-view localization on Sightline's synthetic planet: 360° "
    "strips (four times as wide as high) of known heading, among aerial patches of 112 m. It has "
    "never seen a real photo and does not locate any."
)


def main() -> int:
    """Ship a run's bundle; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the folder of a finished run")
    run = RunFolder(parser.parse_args().run)
    if not run.finished:
        parser.error(f"{run.path} holds no run that came to its end")
    recipe, about = run.recipe(CrossViewRecipe), run.about()
    test = json.loads((run.path / TEST).read_text(encoding="utf-8"))
    bundle = read_bundle(run.path / BUNDLE)
    if not isinstance(bundle, CrossViewBundle):
        parser.error(f"{run.path / BUNDLE} holds no cross-view model")
    card = replace(
        bundle.card,
        licence=LICENCE,
        provenance=provenance(recipe, about, test),
        intended_use=INTENDED_USE,
    )
    target = SHIPPED / recipe.name
    save_bundle(target, replace(bundle, card=card), replace=True, weights="float16")
    text = card_text(recipe, about, test)
    head, _, _ = text.partition("## Use")
    write_text(target / CARD, f"{head}## Use\n\n{INTENDED_USE}\n\nWeights: {LICENCE}, float16.\n")
    write_json(RESULTS / f"{recipe.name}.json", results(about, test, recipe.name))
    size = sum(file.stat().st_size for file in target.iterdir())
    print(f"{target.relative_to(ROOT)}: {size / 1e6:.2f} MB. {card.provenance}")
    if size > LARGEST_BYTES:
        print(f"That is more than {LARGEST_BYTES / 1e6:g} MB.", file=sys.stderr)
        return 1
    return 0


def provenance(recipe: CrossViewRecipe, about: dict[str, Any], test: dict[str, Any]) -> str:
    """What the model was trained on, and what the one evaluation on the test split says."""
    start = recipe.weights or "random weights"
    first, ten = test["metrics"]["recall@1"], test["metrics"]["recall@10"]
    return (
        f"Trained with Sightline on {about['data']['train']:,} pairs of its synthetic planet "
        f"({recipe.data}) from {start}, recipe {recipe.name}, seed {recipe.seed}. Of "
        f"{test['n_queries']:,} test photos of other places among {test['n_references']:,} "
        f"patches, {first['value']:.1%} find theirs first (95 % interval {first['low']:.1%} to "
        f"{first['high']:.1%}), and {ten['value']:.1%} among the first ten."
    )


def results(about: dict[str, Any], test: dict[str, Any], name: str) -> dict[str, Any]:
    """The run's facts and test scores, without what names the machine's folders."""
    kept = (
        "sightline_version", "versions", "machine", "recipe", "data", "parameters", "dimension",
        "seconds", "steps", "best",
    )  # fmt: skip
    return {
        "command": f"sightline train {name} && python tools/ship_model.py RUN",
        "data": "synthetic: Sightline's planet",
        "run": {key: about[key] for key in kept if key in about},
        "test": {key: test[key] for key in ("n_queries", "n_references", "settings", "metrics")},
    }


if __name__ == "__main__":
    sys.exit(main())
