"""Which methods place a photo on the synthetic planet? Does what papers found hold there?

    python benchmarks/global_methods.py classifiers    PlaNet, HC, MvMF, L, L2, M by every method
    python benchmarks/global_methods.py retrieval      raw features, R, RRM; triplets; no residual
    python benchmarks/global_methods.py ablations      neighbours, kernels, background, references

Each writes ``results/global-PART.json``. Photos are taken as people take them, split by
photographer, and made once. All classifiers are fine-tuned from the same ImageNet weights (those in
``SIGHTLINE_DATA``) and see the photos equally often; HC and MvMF are heads on PlaNet's, as
published, and beside them stands PlaNet's own head, trained as long. RRM and R start from PlaNet,
which is trained if it is not there: run ``classifiers`` first. Runs are kept in ``--out`` and not
trained again, nor asked again. One seed of all three takes about an hour on two cores, most of it
for photos and classifiers; ``--train 200 --epochs 1`` shows that everything runs. Everything is
synthetic.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from pathlib import Path

from _global_answers import Asked
from _global_claims import FIVE_KM
from _global_joined import WITH_RRM
from _global_parts import PARTS
from _global_photos import ceiling, make_photos, photographers
from _global_report import report
from _global_systems import EPOCHS, WEIGHTS
from _global_trials import Trials
from _record import record
from sightline.planet import RENDER_VERSION, WORLD_VERSION

RUNS = Path("runs/global-evidence")


def main() -> None:
    """Train, ask and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--out", type=Path, default=RUNS, help="of photos and runs")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="runs at once")
    parser.add_argument("--train", type=int, default=4000, help="about how many training photos")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of a classifier")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--precision", default="bfloat16", help="float32 where it is the faster")
    parser.add_argument("--name", help="of the results, in place of PART")
    arguments = parser.parse_args()
    if not WEIGHTS.is_file():
        parser.error(f"{WEIGHTS} is not there: name the folder of the data by SIGHTLINE_DATA.")
    begun = time.perf_counter()
    # Pictures of one world, and what was trained on them, are never taken for those of another.
    out = arguments.out / f"world-{WORLD_VERSION}.{RENDER_VERSION}"
    part = PARTS[arguments.part]
    photos = make_photos(out / f"photos-{arguments.train}", arguments.train, arguments.workers)
    made_s = time.perf_counter() - begun
    runs = out / f"runs-{arguments.train}-{arguments.epochs}"
    sizes = {key: getattr(arguments, key) for key in ("train", "epochs", "seeds", "precision")}
    with multiprocessing.get_context("spawn").Pool(arguments.workers) as pool:
        trials = Trials(photos, runs, pool, **sizes)
        trials.decode()
        joined = [f"{name}{WITH_RRM}" for name in trials.heads()] if part.joins else []
        asked = Asked(part.ablate, part.sets)
        scores = trials.scores([*part.systems, *joined], asked, arguments.part)
    payload = {
        "what": part.what,
        "world_version": WORLD_VERSION,
        "render_version": RENDER_VERSION,
        "photos": {**photos.counts, "photographers in test": len(set(photographers(photos)))},
        "within_reach_of_training": ceiling(photos, FIVE_KM),
        **report(part, scores, photographers(photos)),
        "photos_s": round(made_s),
        "took_s": round(time.perf_counter() - begun),
    }
    print(record(f"global-{arguments.name or arguments.part}", payload))


if __name__ == "__main__":
    main()
