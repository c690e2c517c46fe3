"""Does the viability filter tell photos of places from pictures that say nothing about one?

    python benchmarks/viability.py [--labelled N] [--new N] [--workers N]

On the synthetic planet, whose pictures are labelled when they are made: interiors, close-ups, food
and sky beside photos from the ground. As in the paper (Debnath et al., PSSR: 10,000 photos, half
viable, 87 %) the filter learns from a labelled half-and-half sample and is judged by
cross-validation, photographers left out together; then it is applied, at the threshold it chose, to
new photos of other photographers in the shares in which they are taken. Features are those of a
frozen MobileNetV2 (ImageNet) and, beside it, of a colour histogram.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from _histogram import HistogramEncoder
from _record import record
from sightline.datasets.viability import ViabilityFilter, train_viability
from sightline.models.bundle import load_model
from sightline.models.importing import import_model
from sightline.planet import RENDER_VERSION, WORLD_VERSION, Planet
from sightline.planet.geography import GlobeGeography
from sightline.planet.photographers import Photographers, PhotoPlan
from sightline.planet.sample import stand

DATA = Path(os.environ.get("SIGHTLINE_DATA", Path(__file__).parent / "../../shared/data"))
SIZE = (224, 224)
BATCH = 64
STEP = 500


@lru_cache(1)
def planet() -> Planet:
    return Planet(0)


def taken(plan: PhotoPlan) -> NDArray[np.uint8]:
    return stand(planet(), plan).take(planet(), SIZE)


def plans(collection: int) -> Iterator[PhotoPlan]:
    people = Photographers(0, GlobeGeography.of_seed(0), seed=collection)
    for first in count(0, STEP):
        yield from people.photos(first, STEP)


def half_and_half(size: int) -> list[PhotoPlan]:
    """The first photos of a collection, as many of places as of none."""
    chosen: list[PhotoPlan] = []
    room = {True: size // 2, False: size // 2}
    for plan in plans(1):
        viable = plan.subject is None
        if room[viable]:
            room[viable] -= 1
            chosen.append(plan)
        elif not room[not viable]:
            break
    return chosen


def features_of(
    chosen: list[PhotoPlan], encoders: dict[str, Any], workers: int
) -> dict[str, NDArray[np.float32]]:
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in encoders}
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        batch: list[NDArray[np.uint8]] = []
        for number, image in enumerate(pool.imap(taken, chosen, chunksize=16), 1):
            batch.append(image)
            if len(batch) == BATCH or number == len(chosen):
                for name, encoder in encoders.items():
                    parts[name].append(encoder.encode(batch))
                batch = []
    return {name: np.concatenate(vectors) for name, vectors in parts.items()}


def on_new(
    trained: ViabilityFilter, features: NDArray[np.float32], chosen: list[PhotoPlan]
) -> dict[str, Any]:
    viable = np.array([plan.subject is None for plan in chosen])
    found = trained.apply([str(plan.number) for plan in chosen], features)
    subjects = Counter(str(plan.subject) for plan in chosen if plan.subject)
    slipped = Counter(
        str(plan.subject)
        for plan, keep in zip(chosen, found.keep.tolist(), strict=True)
        if keep and plan.subject
    )
    return {
        "photos": len(chosen),
        "viable": int(viable.sum()),
        "accuracy_at_one_half": round(float(((found.probability >= 0.5) == viable).mean()), 4),
        "kept": len(found.kept),
        "dropped": len(found.dropped),
        "precision_of_kept": round(float(viable[found.keep].mean()), 4),
        "recall_of_viable": round(float(found.keep[viable].mean()), 4),
        "unlocatable_dropped_by_subject": {
            name: round(1 - slipped[name] / total, 4) for name, total in sorted(subjects.items())
        },
    }


def judged(
    features: NDArray[np.float32], chosen: list[PhotoPlan], labels: int
) -> tuple[ViabilityFilter, dict[str, Any]]:
    """Train on the first ``labels`` photos of either class's half."""
    viable = np.array([plan.subject is None for plan in chosen])
    rows = np.sort(
        np.concatenate(
            [np.flatnonzero(viable)[: labels // 2], np.flatnonzero(~viable)[: labels // 2]]
        )
    )
    begun = time.perf_counter()
    trained = train_viability(
        features[rows],
        viable[rows],
        precision=0.95,
        groups=[str(chosen[row].photographer) for row in rows],
    )
    report = trained.report
    return trained, {
        "labels": len(rows),
        "accuracy": round(report.accuracy, 4),
        "accuracy_interval_95": [round(end, 4) for end in report.accuracy_interval],
        "fold_accuracies": [round(one, 4) for one in report.fold_accuracies],
        "threshold_for_precision_0.95": round(report.threshold.value, 4),
        "precision": round(report.threshold.precision, 4),
        "recall": round(report.threshold.recall, 4),
        "took_s": round(time.perf_counter() - begun, 1),
    }


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labelled", type=int, default=2000)
    parser.add_argument("--new", type=int, default=1500)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    labelled = half_and_half(options.labelled)
    new = [plan for plan, _ in zip(plans(2), range(options.new), strict=False)]
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        weights = DATA / "weights" / "mobilenetv2_100"
        import_model(
            Path(folder) / "model",
            weights / "config.json",
            weights / "mobilenetv2_100.imagenet1k.safetensors",
        )
        encoders = {
            "MobileNetV2 (ImageNet)": load_model(Path(folder) / "model"),
            "colour histogram": HistogramEncoder(),
        }
        learnt = features_of(labelled, encoders, options.workers)
        unseen = features_of(new, encoders, options.workers)
    for name in encoders:
        curve = []
        for labels in sorted({options.labelled // 8, options.labelled // 2, options.labelled}):
            trained, report = judged(learnt[name], labelled, labels)
            curve.append(report)
        results[name] = {
            "cross_validated": curve,
            "new_photos": on_new(trained, unseen[name], new),
        }
        print(name, curve[-1], results[name]["new_photos"], sep="\n  ")
    paper = "10,000 real photos of CVUSA, VGG16 on Places365: 0.87"
    facts = {"world_version": WORLD_VERSION, "render_version": RENDER_VERSION, "seed": 0}
    print(record("viability", {**facts, "paper": paper, "results": results}))


if __name__ == "__main__":
    main()
