"""Which cross-view methods find the patch of a photo, on the synthetic planet, at equal budget?

    python benchmarks/cross_view.py frgeo "aligned 360"     FRGeo's ablation, and ours
    python benchmarks/cross_view.py frgeo "unknown 90"      the same for crops of 90°, no heading
    python benchmarks/cross_view.py losses "aligned 360"    losses, negatives and super-batches
    python benchmarks/cross_view.py architectures "aligned 360" --train 1200 --set epochs=4
    python benchmarks/cross_view.py pretrained "aligned 360" --train 1200 --set epochs=6

Each writes ``results/cross-view-PART-SETTING.json``, and is sized for two cores and an hour. All
networks of a part see the same pairs equally often, with the same augmentation, rate and batches;
the seeds change weights, order and augmentation. Tests are four galleries of 2,000 places without
overlap. Runs are kept in ``--out`` and not trained again. Everything is synthetic.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from _cross_view_pairs import make_pairs, pair_sets
from _cross_view_parts import PARTS
from _cross_view_report import report
from _cross_view_trials import all_trials, decode
from _record import record
from sightline.planet import RENDER_VERSION, WORLD_VERSION
from sightline.training import CrossViewRecipe
from sightline.training.recipe import value_of

RUNS = Path("runs/cross-view-evidence")


def main() -> None:
    """Train, test and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("setting", help="of the part's: what photos show, what is known of them")
    parser.add_argument("--out", type=Path, default=RUNS, help="of pairs and runs")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="runs at once")
    parser.add_argument("--train", type=int, default=2400, help="training pairs")
    parser.add_argument("--test", type=int, default=2000, help="test pairs, in each gallery")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="of every recipe")
    parser.add_argument("--only", nargs="*", metavar="SYSTEM", help="of the part's systems")
    parser.add_argument("--seeds", type=int, help="in place of the part's own")
    parser.add_argument("--name", help="of the results, in place of PART-SETTING")
    arguments = parser.parse_args()
    begun = time.perf_counter()
    # Pictures of one world, and what was trained on them, are never taken for those of another.
    out = arguments.out / f"world-{WORLD_VERSION}.{RENDER_VERSION}"
    part = PARTS[arguments.part]
    if arguments.only:
        strange = set(arguments.only) - set(part.systems)
        if strange:
            parser.error(f"--only names systems of {', '.join(part.systems)}")
        part = part.of(arguments.only)
    if arguments.setting not in part.settings:
        parser.error(f"setting must be one of {', '.join(part.settings)}")
    changes = {
        key: value_of(CrossViewRecipe, key, raw)
        for key, _, raw in (one.partition("=") for one in arguments.set)
    }
    sets = pair_sets(arguments.train, 300, arguments.test)
    data = out / f"pairs-{arguments.train}-{arguments.test}"
    manifest = make_pairs(data, sets, arguments.workers)
    made_s = time.perf_counter() - begun
    trials = part.trials([arguments.setting], arguments.seeds or part.seeds, changes)
    pixels = out / "pixels"
    decode(trials, manifest, pixels)
    scores = all_trials(trials, manifest, pixels, out / arguments.part, arguments.workers)
    found = report(part, arguments.setting, trials, scores)
    took = {"pairs_s": round(made_s), "took_s": round(time.perf_counter() - begun)}
    versions = {"world_version": WORLD_VERSION, "render_version": RENDER_VERSION}
    default = f"{arguments.part}-{arguments.setting.replace(' ', '-')}"
    name = f"cross-view-{arguments.name or default}"
    pairs = {"train": arguments.train, "validation": 300, "each test gallery": arguments.test}
    print(record(name, {"what": part.what, **versions, "pairs": pairs, **found, **took}))


if __name__ == "__main__":
    main()
