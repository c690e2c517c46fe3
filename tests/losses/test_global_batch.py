"""Two real processes beside one that has the whole batch."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from sightline.losses import (
    CrossBatchMemory,
    InfoNCELoss,
    PairLoss,
    SoftMarginTripletLoss,
    gather_rows,
)

from .two_processes import found_by_two

STEPS, DIMENSION, CAPACITY = 4, 6, 10


def network() -> nn.Linear:
    layer = nn.Linear(5, DIMENSION, dtype=torch.float64)
    with torch.no_grad():
        values = torch.arange(5 * DIMENSION, dtype=torch.float64)
        layer.weight.copy_(torch.sin(values).reshape(DIMENSION, 5))
        layer.bias.copy_(torch.cos(values[:DIMENSION]))
    return layer


def losses() -> dict[str, PairLoss]:
    return {
        "soft": SoftMarginTripletLoss(1.0),
        "nce": InfoNCELoss(0.2, label_smoothing=0.1, views="both").double(),
    }


def batch(step: int, rows: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    first = torch.randn(rows, 5, generator=generator, dtype=torch.float64)
    second = first + torch.randn(rows, 5, generator=generator, dtype=torch.float64)
    # Places occur again, in the batch and in the memory.
    return first, second, torch.randint(0, 9, (rows,), generator=generator)


def train(
    name: str, model: nn.Module, loss: nn.Module, sizes: list[int], rank: int | None
) -> dict[str, torch.Tensor]:
    """Train for a few steps on one's own rows, or, without a rank, on all; return everything."""
    memory = CrossBatchMemory(CAPACITY, DIMENSION, dtype=torch.float64)
    parameters = [*model.parameters(), *loss.parameters()]
    optimiser = torch.optim.SGD(parameters, lr=0.05)
    found = {}
    for step in range(STEPS):
        first, second, labels = batch(step, sum(sizes))
        if rank is not None:
            own = slice(sum(sizes[:rank]), sum(sizes[: rank + 1]))
            first, second, labels = first[own], second[own], labels[own]
        queries, references = model(torch.cat([first, second])).chunk(2)
        queries, references = gather_rows(queries), gather_rows(references)
        labels = gather_rows(labels)
        value = loss(queries, references, labels=labels, memory=memory.rows())
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        memory.enqueue(queries, references, labels=labels)
        found[f"{name}/loss{step}"] = value.detach()
    held = memory.rows()
    found |= {f"{name}/memory{i}": view for i, view in enumerate(held.views)}
    found[f"{name}/labels"] = held.labels
    for number, parameter in enumerate(parameters):
        found[f"{name}/parameter{number}"] = parameter.detach()
    return found


# Rows of the two processes: as many each, and not.
SIZES = ([4, 4], [5, 2])


def worker(rank: int) -> dict[str, torch.Tensor]:
    found = {}
    for sizes in SIZES:
        for name, loss in losses().items():
            model = DistributedDataParallel(network())
            # One without parameters has nothing to be shared.
            shared = DistributedDataParallel(loss) if list(loss.parameters()) else loss
            found |= train(f"{sizes} {name}", model, shared, sizes, rank)
    return found


def test_two_processes_train_as_one_with_the_whole_batch(tmp_path: Path) -> None:
    both = found_by_two("tests.losses.test_global_batch", tmp_path)
    expected = {}
    for sizes in SIZES:
        for name, loss in losses().items():
            expected |= train(f"{sizes} {name}", network(), loss, sizes, None)
    for found in both:
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(
                found[name], value, rtol=1e-9, atol=1e-12, msg=lambda text, n=name: f"{n}: {text}"
            )


def test_alone_it_gives_back_what_it_got() -> None:
    rows = torch.zeros(3, 2)
    assert gather_rows(rows) is rows
