"""The collapse that hid in published tables, made on purpose: a ResNet-50 into a dense line.

    python benchmarks/collapse.py

Debnath, Briassouli and Popa (PSSR, figure 10) show a ResNet whose vectors fill a dense line, and
published code that gives such vectors a perfect score. Here a ResNet50-FC, as their text builds it,
is trained from random weights on pairs of the synthetic planet twice: as they say, and with the
hardest negatives at a hundred times the rate, which drives it there. Both are scored on 2,000
places by the published functions, by PSSR and by recalls that count ties, and our alarm is asked.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from _cross_view_pairs import TESTS, make_pairs, pair_sets
from _record import record
from sightline.training import CrossViewRecipe, find_recipe, read_recipe, train
from sightline.training.evaluating import evaluate_run

SIDE, EPOCHS = 64, 1
TEST = TESTS[0]
SYSTEMS: dict[str, dict[str, Any]] = {
    "as published": {},
    "hardest negatives, rate 1e-3": {"mining": "hardest", "learning_rate": 1e-3},
}


def recipe_of(name: str) -> CrossViewRecipe:
    """The published recipe at a size for processors, first stage only, and what is changed."""
    published = read_recipe(CrossViewRecipe, find_recipe("resnet50-fc"))
    return published.changed(
        name=f"resnet50-fc, {name}",
        data="manifest",
        layout="",
        validation_split="val",
        test_split=TEST,
        ground="crop:90",
        ground_size=(SIDE, SIDE),
        aerial_size=(SIDE, SIDE),
        epochs=EPOCHS,
        patience=0,
        second_epochs=0,
        second_patience=0,
        second_loss="same",
        second_mining="same",
        second_sampler="same",
        **SYSTEMS[name],
    )


def main() -> None:
    """Train both, score both, record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="of pairs and runs; a temporary folder if not set")
    parser.add_argument("--train", type=int, default=2400, help="training pairs")
    parser.add_argument("--test", type=int, default=2000, help="test pairs, in each gallery")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        out = arguments.out or Path(temporary)
        data = out / f"pairs-{arguments.train}-{arguments.test}"
        sets = pair_sets(arguments.train, 300, arguments.test)
        manifest = make_pairs(data, sets, os.cpu_count() or 1)
        rows = {name: measured(name, manifest, out) for name in SYSTEMS}
    print(
        record(
            "collapse",
            {
                "what": "ResNet50-FC from random weights on the synthetic planet, 90 degrees of a "
                "panorama, heading unknown, 64 px; scored on places of the towns trained in",
                "pairs": {"train": arguments.train, "test": arguments.test},
                "epochs": EPOCHS,
                "chance_recall@1": 1 / arguments.test,
                "systems": rows,
            },
        )
    )


def measured(name: str, manifest: Path, out: Path) -> dict[str, Any]:
    """Train one network, and all that is said of it."""
    begun = time.perf_counter()
    folder = out / "collapse" / name.replace(" ", "-").replace(",", "")
    with warnings.catch_warnings():
        # Ours, about the collapse that is wanted here; they are recorded below.
        warnings.simplefilter("ignore")
        train(recipe_of(name), folder, data=manifest, device="cpu", resume=folder.exists())
        result = evaluate_run(folder, data=manifest, device="cpu").to_json()
    found = {
        "metrics": {
            key: {part: result["metrics"][key][part] for part in ("value", "low", "high")}
            for key in ("recall@1", "recall@1%", "pssr", "mrr")
        },
        "published_functions": result["conventions"],
        "collapse": result["collapse"],
        "warnings": result["warnings"],
        "took_s": round(time.perf_counter() - begun),
    }
    print(name, {key: round(row["value"], 4) for key, row in found["metrics"].items()})
    for warning in found["warnings"]:
        print("  !", warning)
    return found


if __name__ == "__main__":
    main()
