"""The collapse of the PSSR text's ResNet50 (figure 10), made on purpose, and who notices.

    python benchmarks/collapse.py                    about ten minutes on one core
    python benchmarks/collapse.py --figure plots    with a plot like figure 10

A ResNet50 with the text's head learns the planet's pairs three times, from one start, in one order
and with one optimiser: by max-margin triplets as the text's published code computes them, whose
distances to negatives carry no gradient (``sightline.losses.published``), so that one vector for
everything is their optimum; by the same loss with its gradient; and by InfoNCE. Then each is asked
for 2,000 photos of trained towns, and judged by the text's published code, by honest metrics, and
by the alarm. Everything is synthetic.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from _cross_view_pairs import make_pairs, pair_sets
from _cross_view_parts import base
from _cross_view_trials import Galleries
from _record import record
from sightline.evaluation import evaluate_retrieval
from sightline.losses import InfoNCELoss, MaxMarginTripletLoss
from sightline.losses.published import published_loss
from sightline.models.cross_view import CrossViewNetwork
from sightline.planet import RENDER_VERSION, WORLD_VERSION
from sightline.report.figures import write_figures
from sightline.report.figures.embedding_map import embedding_map_figure
from sightline.training import CrossViewRecipe, find_recipe, read_recipe
from sightline.training.cross_view.run import build, network_settings
from sightline.training.cross_view.views import Views

RUNS = Path("runs/cross-view-evidence")
GALLERY = "seen-centred"
MARGIN = 0.5
Loss = Callable[[Tensor, Tensor], Tensor]


def as_published(ground: Tensor, aerial: Tensor) -> Tensor:
    """image-locate's function; the negative of each photo is another photo's patch."""
    return published_loss("imagelocate_max_margin", ground, aerial, negatives=aerial.roll(1, 0))


LOSSES: dict[str, Callable[[], Loss]] = {
    "max-margin, as published": lambda: as_published,
    "max-margin, with its gradient": lambda: MaxMarginTripletLoss(MARGIN),
    "InfoNCE": InfoNCELoss,
}


def main() -> None:
    """Train, ask and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=RUNS, help="of the pairs")
    parser.add_argument("--train", type=int, default=2400, help="training pairs")
    parser.add_argument("--steps", type=int, default=240)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--figure", type=Path, help="folder for a plot like figure 10")
    parser.add_argument("--name", default="collapse", help="of the results")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sets = pair_sets(arguments.train, 300, 2000)
    out = arguments.out / f"world-{WORLD_VERSION}.{RENDER_VERSION}"
    manifest = make_pairs(out / f"pairs-{arguments.train}-2000", sets, 2)
    recipe = recipe_of(arguments.rate)
    galleries = Galleries(recipe, manifest, out / "pixels")
    found, vectors = {}, []
    for name, loss in LOSSES.items():
        begun = time.process_time()
        network, last = trained(galleries, recipe, loss(), arguments.steps)
        found[name], queries = judged(network, galleries, name)
        found[name] |= {"last_loss": last, "cpu_s": round(time.process_time() - begun)}
        vectors.append((name, queries))
        print(name, found[name], flush=True)
    if arguments.figure:
        write_figures([embedding_map_figure(vectors)], arguments.figure, "png")
    about = {
        "what": "a ResNet50-FC trained into the dense line of figure 10, and two that are not",
        "world_version": WORLD_VERSION,
        "render_version": RENDER_VERSION,
        "steps": arguments.steps,
        "batch_size": recipe.batch_size,
        "learning_rate": recipe.learning_rate,
        "gallery": GALLERY,
    }
    print(record(arguments.name, {**about, "losses": found}))


class Unscaled(nn.Module):
    """The text's two branches: their vectors are compared as they are, of any length.

    Ours are scaled to unit length, and a network that shrinks to nothing cannot hide in them.
    """

    def __init__(self, network: CrossViewNetwork) -> None:
        super().__init__()
        self.trunks, self.heads = network.trunks, network.heads

    def encode_ground(self, pixels: Tensor, _: Tensor | None = None) -> Tensor:
        """Photos (n, 3, height, width) -> (n, d)."""
        return self._encode("ground", pixels)

    def encode_aerial(self, pixels: Tensor) -> Tensor:
        """Patches (n, 3, height, width) -> (n, d)."""
        return self._encode("aerial", pixels)

    def _encode(self, view: str, pixels: Tensor) -> Tensor:
        features, _ = self.trunks[view](pixels)
        vectors: Tensor = self.heads[view](features)
        return vectors


def recipe_of(rate: float) -> CrossViewRecipe:
    """The text's network on pairs of the evidence: crops of 90 degrees that look north.

    The text's rate is 1e-5, for some 20,000 steps of a network that had seen ImageNet; few steps
    from random weights need a higher one.
    """
    row = read_recipe(CrossViewRecipe, find_recipe("resnet50-fc"))
    return base().changed(
        architecture=row.architecture,
        backbone=row.backbone,
        model_args={},
        head_options=row.head_options,
        branches=row.branches,
        ground="crop:90",
        heading="aligned",
        ground_size=(64, 63),
        aerial_size=(64, 64),
        batch_size=row.batch_size,
        learning_rate=rate,
        precision="float32",
        quarter_turns=False,
        mirror=False,
    )


def trained(
    galleries: Galleries, recipe: CrossViewRecipe, loss: Loss, steps: int
) -> tuple[Unscaled, float]:
    """Train by Adam, as the text does, the rate falling to 0; return network and last loss."""
    data, views = galleries.data, Views(recipe)
    network = Unscaled(build(recipe, network_settings(recipe, data.patch_m))).train()
    parameters = [*network.parameters(), *getattr(loss, "parameters", list)()]
    optimiser = torch.optim.Adam(parameters, lr=recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    pairs, random = data.train.pairs, np.random.default_rng(recipe.seed)
    value, order, epoch = torch.zeros(()), np.zeros(0, np.int64), 0
    for _ in range(steps):
        if len(order) < recipe.batch_size:
            order, epoch = random.permutation(len(pairs)), epoch + 1
        rows, order = pairs[order[: recipe.batch_size]], order[recipe.batch_size :]
        ids = [data.photos.ids[row] for row in rows[:, 0].tolist()]
        changes = views.draw(ids, data.photos.headings[rows[:, 0]], epoch=epoch)
        photos, patches = (
            galleries.photos.take(rows[:, 0])[0],
            galleries.patches.take(rows[:, 1])[0],
        )
        ground = network.encode_ground(views.ground(torch.from_numpy(photos), changes))
        aerial = network.encode_aerial(views.aerial(torch.from_numpy(patches), changes))
        value = loss(ground, aerial)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        schedule.step()
    return network.eval(), round(float(value.detach()), 4)


def judged(network: Unscaled, galleries: Galleries, name: str) -> tuple[dict[str, Any], np.ndarray]:
    """What the published code, honest metrics and the alarm say."""
    retrieval, _ = galleries.asked(network, GALLERY)
    asked = retrieval.queries, retrieval.references, retrieval.relevance
    result = evaluate_retrieval(*asked, name=name, peers=("image-locate",))
    honest = result.forward
    theirs = result.published["image-locate"]
    queries = retrieval.queries.astype(np.float64)
    centred = queries - queries.mean(axis=0)
    variance = np.linalg.svd(centred, compute_uv=False) ** 2
    kept = ("recall@1", "recall@10", "recall@1%", "pssr")
    return {
        "published_code": {function: _plain(value) for function, value in theirs.items()},
        "honest": {metric: honest.metrics[metric].to_json() for metric in kept},
        "ties": {p: {m: values[m] for m in kept} for p, values in honest.policies.items()},
        "alarm": list(result.warnings),
        "collapse": [side.to_json() for side in result.collapse],
        "variance_along_first_axis": float(variance[0] / max(variance.sum(), 1e-30)),
    }, retrieval.queries


def _plain(value: Any) -> Any:
    """Means of the long series, everything else as it is."""
    if isinstance(value, np.ndarray):
        return float(value.mean()) if value.size else None
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value.item() if isinstance(value, np.generic) else value


if __name__ == "__main__":
    main()
