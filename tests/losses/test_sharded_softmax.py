"""Classes over two real processes beside one process that has them all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tests.geo.partition.places import crowded
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from sightline.geo.partition import Partition, S2Settings, adaptive_s2
from sightline.losses import (
    CellCrossEntropy,
    ShardedCellCrossEntropy,
    gather_for_slices,
    gather_rows,
)
from sightline.models.cell_heads import CellHead
from sightline.models.sharded_head import ShardedCellHead

from .two_processes import found_by_two

STEPS, FEATURES, DIMENSION = 3, 4, 5
# Photos of the two processes: as many each, and not.
SIZES = ([4, 4], [6, 1])
OPTIONS: tuple[dict[str, Any], ...] = ({}, {"label_smoothing": 0.1, "distance_km": 900.0})


def partition() -> Partition:
    # An odd number of cells, so that the slices differ; cells of few photos are dropped.
    return adaptive_s2(crowded(400), S2Settings(cells=25, min_members=2))


def linear(rows: int, columns: int) -> tuple[Tensor, Tensor]:
    values = torch.arange(rows * columns, dtype=torch.float64)
    return torch.sin(values).reshape(rows, columns), torch.cos(values[:rows])


def networks(cells: Partition) -> tuple[nn.Linear, CellHead]:
    backbone = nn.Linear(FEATURES, DIMENSION, dtype=torch.float64)
    head = CellHead(DIMENSION, cells).double()
    for layer in (backbone, head.linear):
        weight, bias = linear(*layer.weight.shape)
        layer.load_state_dict({"weight": weight, "bias": bias})
    return backbone, head


def batch(step: int, sizes: list[int], rank: int | None) -> tuple[Tensor, Tensor]:
    """Features and places, of all or of one process."""
    generator = torch.Generator().manual_seed(step)
    features = torch.randn(sum(sizes), FEATURES, generator=generator, dtype=torch.float64)
    places = torch.from_numpy(crowded(sum(sizes), seed=step + 10))
    own = slice(None) if rank is None else slice(sum(sizes[:rank]), sum(sizes[: rank + 1]))
    return features[own], places[own]


def train_whole(
    cells: Partition, sizes: list[int], options: dict[str, Any], rank: int | None
) -> dict[str, Tensor]:
    """Train backbone and head on one's own photos, or, without a rank, on all."""
    backbone, head = networks(cells)
    model: nn.Module = nn.Sequential(backbone, head)
    if rank is not None:
        model = DistributedDataParallel(model)
    loss = CellCrossEntropy(cells, **options)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    found = {}
    for step in range(STEPS):
        features, places = batch(step, sizes, rank)
        rows = torch.from_numpy(cells.assign(places.numpy()))
        value = loss(model(features), rows, places).value
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        found[f"loss{step}"] = gather_rows(value.detach()[None]).mean()
    weights = {"backbone": backbone.weight, "weight": head.linear.weight, "bias": head.linear.bias}
    return found | {name: weight.detach().clone() for name, weight in weights.items()}


def train_sharded(
    cells: Partition, sizes: list[int], options: dict[str, Any], rank: int
) -> dict[str, Tensor]:
    """Train with a slice of the head in each process."""
    backbone, head = networks(cells)
    model = DistributedDataParallel(backbone)
    own = ShardedCellHead(head, rank, 2)
    loss = ShardedCellCrossEntropy(cells, own.first, own.classes, **options)
    optimiser = torch.optim.SGD([*model.parameters(), *own.parameters()], lr=0.1)
    found = {}
    for step in range(STEPS):
        features, places = batch(step, sizes, rank)
        rows = gather_rows(torch.from_numpy(cells.assign(places.numpy())))
        logits = own(gather_for_slices(model(features)))
        value = loss(logits, rows, gather_rows(places)).value
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        found[f"loss{step}"] = value.detach()
    found["backbone"] = backbone.weight.detach().clone()
    found["weight"] = gather_rows(own.linear.weight.detach())
    found["bias"] = gather_rows(own.linear.bias.detach())
    # The slices are a whole head's weights again.
    state = {f"linear.{name}": found[name] for name in ("weight", "bias")}
    head.load_state_dict({**state, "digest": own.digest})
    return found


def worker(rank: int) -> dict[str, Tensor]:
    found, cells = {}, partition()
    for sizes in SIZES:
        for number, options in enumerate(OPTIONS):
            for train in (train_whole, train_sharded):
                result = train(cells, sizes, options, rank)
                found |= {f"{train.__name__}/{sizes}/{number}/{k}": v for k, v in result.items()}
    return found


def test_two_processes_train_as_one_that_has_all_classes(tmp_path: Path) -> None:
    found = found_by_two("tests.losses.test_sharded_softmax", tmp_path)
    cells = partition()
    assert len(cells) % 2
    count = 0
    for sizes in SIZES:
        rows = [cells.assign(batch(step, sizes, None)[1].numpy()) for step in range(STEPS)]
        # Some photos lie in no cell, not as many in both processes.
        outside = [((one < 0)[: sizes[0]].sum(), (one < 0)[sizes[0] :].sum()) for one in rows]
        assert any(first != second for first, second in outside)
        for number, options in enumerate(OPTIONS):
            expected = train_whole(cells, sizes, options, None)
            for name, value in expected.items():
                for train in ("train_whole", "train_sharded"):
                    for results in found:
                        key = f"{train}/{sizes}/{number}/{name}"
                        torch.testing.assert_close(
                            results[key],
                            value,
                            rtol=1e-9,
                            atol=1e-12,
                            msg=lambda text, n=key: f"{n}: {text}",
                        )
                        count += 1
    assert count == sum(map(len, found))


def test_alone_it_gives_back_what_it_got() -> None:
    vectors = torch.zeros(3, 2)
    assert gather_for_slices(vectors) is vectors
