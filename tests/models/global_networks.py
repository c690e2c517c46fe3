"""Small classifiers of places with random weights, and heads that were taught some pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from tests.geo.partition.places import crowded
from torch.nn import functional

from sightline.geo.partition import Partition, S2Settings, adaptive_s2_family
from sightline.models.bundle import GlobalBundle, GlobalSettings, ModelCard
from sightline.models.cell_heads import CellHead
from sightline.models.global_bundle import heads_of

FAMILY = tuple(adaptive_s2_family(crowded(600), [S2Settings(cells=n) for n in (8, 12, 16)]))


def cells_of(head: str, family: Sequence[Partition] = FAMILY) -> tuple[Partition, ...]:
    return tuple(family) if head in ("multi", "hierarchical") else tuple(family[-1:])


def settings(head: str = "single", **changes: object) -> GlobalSettings:
    values = {"backbone": "test_resnet", "size": (64, 64), "pooling": "average", **changes}
    return GlobalSettings(head=head, **values)  # type: ignore[arg-type]


def bundle(
    head: str = "single",
    seed: int = 0,
    partitions: Sequence[Partition] | None = None,
    **changes: object,
) -> GlobalBundle:
    found = settings(head, **changes)
    cells = cells_of(head) if partitions is None else tuple(partitions)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        classifier = found.build(cells).eval()
        residual = found.build_residual(classifier.dimension)
        for module in classifier.modules():
            # As trained ones have: with none, a batch norm hides what normalises its input.
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.normal_(module.running_mean, std=0.1)
                torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
    card = ModelCard("tiny", licence="Apache-2.0", provenance="here", intended_use="tests")
    return GlobalBundle(card, found, classifier, cells, residual)


def taught(made: GlobalBundle, images: Sequence[np.ndarray], places: np.ndarray) -> GlobalBundle:
    """The bundle, its heads trained to tell the cells of some pictures."""
    pixels = made.encoder()._prepared(images, "ground")[:, 0]
    with torch.no_grad():
        given = torch.from_numpy(pixels).permute(0, 3, 1, 2)
        vectors = made.classifier.vectors(given)
    for head, partition in zip(heads_of(made.classifier.head), made.partitions, strict=True):
        _teach(head, vectors, torch.from_numpy(partition.assign(places, outside="nearest")))
    return made


def _teach(head: CellHead, vectors: torch.Tensor, rows: torch.Tensor) -> None:
    optimiser = torch.optim.LBFGS(
        head.linear.parameters(), max_iter=60, line_search_fn="strong_wolfe"
    )

    def cost() -> torch.Tensor:
        optimiser.zero_grad()
        found = functional.cross_entropy(head(vectors), rows)
        found = found + 1e-8 * head.linear.weight.square().sum()
        found.backward()
        return found

    optimiser.step(cost)
