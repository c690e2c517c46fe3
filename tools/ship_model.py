"""Put the bundle of a finished run into the package, as a model that comes with Sightline.

    python tools/ship_model.py RUN

A cross-view network, a classifier of places, or vectors for retrieval on one, which bring their
classifier along. The weights are stored as float16; the card says what the model was trained on,
what was measured on the test split, and what it is for. The numbers go to
``benchmarks/results/NAME.json`` too.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sightline.durable import write_json, write_text
from sightline.errors import SightlineError
from sightline.models.bundle import CrossViewBundle, GlobalBundle, read_bundle, save_bundle
from sightline.training.cells.recipe import GlobalRecipe
from sightline.training.cross_view.recipe import CrossViewRecipe
from sightline.training.recipe import Recipe
from sightline.training.retrieval.recipe import RetrievalRecipe
from sightline.training.run_folder import BUNDLE, CARD, RECIPE, TEST, RunFolder
from sightline.training.tasks import open_recipe

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "src" / "sightline" / "models" / "shipped_bundles"
RESULTS = ROOT / "benchmarks" / "results"
LARGEST_BYTES = 12_000_000
"""Of all shipped bundles together."""
CROSS_VIEW_USE = (
    "Trying, testing and teaching cross-view localization on Sightline's synthetic planet: 360° "
    "strips (four times as wide as high) of known heading, among aerial patches of 112 m. It has "
    "never seen a real photo and does not locate any."
)
GLOBAL_USE = (
    "Trying, testing and teaching planet-scale localization on Sightline's synthetic planet: "
    "photos from anywhere on it are placed in a cell by their looks, and refined by search within "
    "the cell. It was taught places on the planet alone, and does not locate any real photo."
)
_KEPT = (
    "sightline_version", "versions", "machine", "recipe", "data", "parameters", "dimension",
    "partitions", "seconds", "steps", "best", "test_of_start",
)  # fmt: skip
_TEST_KEPT = ("n_queries", "n_references", "n_photos", "settings", "metrics", "baselines")


def main() -> int:
    """Ship a run's bundle; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the folder of a finished run")
    try:
        said = ship(parser.parse_args().run)
    except SightlineError as error:
        parser.error(f"{error.message} {error.hint}")
    print(said)
    size = sum(file.stat().st_size for file in SHIPPED.glob("*/*"))
    if size > LARGEST_BYTES:
        print(
            f"All shipped bundles together are {size / 1e6:.2f} MB, and may be "
            f"{LARGEST_BYTES / 1e6:g} MB.",
            file=sys.stderr,
        )
        return 1
    return 0


def ship(path: Path) -> str:
    """Put a run's bundle into the package, and its test beside the benchmarks.

    Args:
        path: The run's folder.

    Returns:
        Where it lies, how large it is, and what it is.

    Raises:
        SightlineError: The run did not come to its end, is of a kind that is not shipped, or
            cannot be read.
    """
    run = RunFolder(path)
    recipe, about = open_recipe(path / RECIPE), run.about()
    if not run.finished:
        raise SightlineError(
            f"{str(path)!r} holds no run that came to its end.",
            hint="Go on with it by `sightline train --resume`.",
            path=path,
        )
    if recipe.licence == "unknown":
        raise SightlineError(
            f"The recipe of {str(path)!r} names no licence of its weights.",
            hint="Train it with licence = 'SPDX' in the recipe; what it starts from decides.",
            path=path,
        )
    test = json.loads((path / TEST).read_text(encoding="utf-8"))
    bundle = read_bundle(path / BUNDLE)
    if isinstance(recipe, CrossViewRecipe) and isinstance(bundle, CrossViewBundle):
        use, said = CROSS_VIEW_USE, pairs_said(recipe, about, test)
    elif isinstance(recipe, GlobalRecipe) and isinstance(bundle, GlobalBundle):
        use, said = GLOBAL_USE, photos_said(recipe, about, test)
    elif isinstance(recipe, RetrievalRecipe) and isinstance(bundle, GlobalBundle):
        classifier = photos_said(*start_of(recipe))
        use, said = GLOBAL_USE, f"{classifier} {vectors_said(recipe, about, test)}"
    else:
        raise SightlineError(
            f"The bundle of {str(path)!r} is not what its recipe trains.",
            hint="Train it again, or take the bundle back that belongs there.",
            path=path,
        )
    card = replace(bundle.card, licence=recipe.licence, provenance=said, intended_use=use)
    target = SHIPPED / recipe.name
    save_bundle(target, replace(bundle, card=card), replace=True, weights="float16")
    head, _, _ = (path / BUNDLE / CARD).read_text(encoding="utf-8").partition("## Use")
    write_text(target / CARD, f"{head}## Use\n\n{use}\n\nWeights: {recipe.licence}, float16.\n")
    found = results(about, test, recipe)
    if isinstance(recipe, RetrievalRecipe):
        started, of_start, test_of_start = start_of(recipe)
        found["classifier"] = results(of_start, test_of_start, started)
    write_json(RESULTS / f"{recipe.name}.json", found)
    size = sum(file.stat().st_size for file in target.iterdir())
    return f"{recipe.name}: {size / 1e6:.2f} MB. {said}"


def pairs_said(recipe: CrossViewRecipe, about: dict[str, Any], test: dict[str, Any]) -> str:
    """What a cross-view network was trained on, and what its test split says."""
    start = recipe.weights or "random weights"
    first, ten = test["metrics"]["recall@1"], test["metrics"]["recall@10"]
    return (
        f"Trained with Sightline on {about['data']['train']:,} pairs of its synthetic planet "
        f"({recipe.data}) from {start}, recipe {recipe.name}, seed {recipe.seed}. Of "
        f"{test['n_queries']:,} test photos of other places among {test['n_references']:,} "
        f"patches, {first['value']:.1%} find theirs first (95 % interval {first['low']:.1%} to "
        f"{first['high']:.1%}), and {ten['value']:.1%} among the first ten."
    )


def photos_said(recipe: GlobalRecipe, about: dict[str, Any], test: dict[str, Any]) -> str:
    """What a classifier of places was trained on, and what its test split says."""
    # A file's name alone: its folder says something of a machine, not of the model.
    start = Path(recipe.weights or recipe.start).name or "random weights"
    return (
        f"Trained with Sightline on {about['data']['train']:,} photos of its synthetic planet "
        f"({recipe.data}) from {start}, recipe {recipe.name}, seed {recipe.seed}. Of "
        f"{test['n_photos']:,} test photos by other photographers the classifier alone places "
        f"{shares_of(test, (200, 750, 2500))}."
    )


def start_of(recipe: RetrievalRecipe) -> tuple[GlobalRecipe, dict[str, Any], dict[str, Any]]:
    """Recipe, facts and test of the classifier that a run for retrieval started from."""
    run = RunFolder(Path(recipe.start).parent)
    started = open_recipe(run.path / RECIPE)
    if not isinstance(started, GlobalRecipe):
        raise SightlineError(
            f"start = {recipe.start!r} is not the bundle of a run of task 'global'.",
            hint="Ship a run whose start lies in the folder of the run that made it.",
            path=run.path,
        )
    return started, run.about(), json.loads((run.path / TEST).read_text(encoding="utf-8"))


def vectors_said(recipe: RetrievalRecipe, about: dict[str, Any], test: dict[str, Any]) -> str:
    """What vectors for retrieval were trained on, and what the test split says of them."""
    return (
        f"Its vectors were trained for retrieval on {about['data']['train']:,} of these photos, "
        f"recipe {recipe.name}, seed {recipe.seed}: the place of the nearest training photo is "
        f"right for {shares_of(test, (1, 25, 200))}."
    )


def shares_of(test: dict[str, Any], radii_km: Sequence[int]) -> str:
    """Shares of test photos within radii, each beside a guess that looks at no photo."""
    prior = test["baselines"]["prior"]["metrics"]
    return ", ".join(
        f"{found['value']:.1%} within {km:,} km (95 % interval {found['low']:.1%} to "
        f"{found['high']:.1%}; always the busiest place: {prior[name]:.1%})"
        for km in radii_km
        for name in (f"accuracy@{km}km",)
        for found in (test["metrics"][name],)
    )


def results(about: dict[str, Any], test: dict[str, Any], recipe: Recipe) -> dict[str, Any]:
    """The run's facts and test scores, without what names the machine's folders."""
    run = {key: about[key] for key in _KEPT if key in about}
    files = {
        key: "/".join(Path(run["recipe"].get(key, "")).parts[-2:]) for key in ("weights", "start")
    }
    run["recipe"] = {**run["recipe"], **{key: name for key, name in files.items() if name}}
    given = "".join(f" --set {key}={name}" for key, name in files.items() if name)
    return {
        "command": f"sightline train {recipe.name}{given} && python tools/ship_model.py RUN",
        "data": "synthetic: Sightline's planet",
        "run": run,
        "test": {key: test[key] for key in _TEST_KEPT if key in test},
    }


if __name__ == "__main__":
    sys.exit(main())
