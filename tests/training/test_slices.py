"""Slices of a head: read from whole weights and whole averages, and as long as what they are of."""

from __future__ import annotations

import pytest
import torch
from tests.geo.partition.places import crowded
from torch import nn

from sightline.errors import CheckpointError, PartitionError, UsageError
from sightline.geo.partition import Partition, S2Settings, adaptive_s2
from sightline.models.cell_heads import CellHead
from sightline.models.sharded_head import ShardedCellHead
from sightline.training.loops.checkpoint import optimiser_tensors
from sightline.training.loops.optimisation import build_optimiser, gradient_norm
from sightline.training.loops.slices import (
    load_whole,
    load_whole_optimiser,
    slices_of,
    whole_gradient_norm,
    whole_optimiser_tensors,
    whole_state,
)
from sightline.training.loops.task import LoopSettings

CELLS = adaptive_s2(crowded(400), S2Settings(cells=9))
SETTINGS = LoopSettings(weight_decay=0.1)


class Network(nn.Module):
    """A backbone and a head, whole or in slices."""

    def __init__(self, shard: int | None, shards: int = 2, cells: Partition = CELLS) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0 if shard is None else 1)
            self.backbone, head = nn.Linear(3, 4), CellHead(4, cells)
        self.head = head if shard is None else ShardedCellHead(head, shard, shards)


def with_gradients(network: Network, scale: float = 1.0) -> torch.optim.Optimizer:
    """An optimiser, and gradients that hang on each weight's place in the whole network."""
    optimiser = build_optimiser(SETTINGS, network, nn.Identity())
    rows = slices_of(network)
    for name, parameter in network.named_parameters():
        shape = (len(CELLS), *parameter.shape[1:]) if name in rows else parameter.shape
        whole = scale * torch.sin(torch.arange(torch.Size(shape).numel())).reshape(shape)
        parameter.grad = whole[rows.get(name, slice(None))].clone()
    return optimiser


@pytest.mark.parametrize("shard", [0, 1])
def test_whole_weights_and_averages_are_read_in_slices_and_go_on_alike(shard: int) -> None:
    whole, part = Network(None), Network(shard)
    one = with_gradients(whole)
    one.step()
    load_whole(part, whole.state_dict(), "network")
    rows = slices_of(part)
    assert sorted(rows) == ["head.linear.bias", "head.linear.weight"]
    tensors, rest = optimiser_tensors(one)
    for network, steps in ((whole, tensors), (part, {k: t.clone() for k, t in tensors.items()})):
        optimiser = with_gradients(network, scale=2.0)
        load_whole_optimiser(optimiser, network, steps, rest)
        optimiser.step()
    for name, parameter in part.named_parameters():
        wanted = whole.get_parameter(name)[rows.get(name, slice(None))]
        assert torch.equal(parameter, wanted), name


def test_alone_a_slice_is_the_whole() -> None:
    whole, part = Network(None), Network(0, shards=1)
    one, other = with_gradients(whole), with_gradients(part)
    assert float(whole_gradient_norm(one, whole)) == float(gradient_norm(one))
    assert float(whole_gradient_norm(other, part)) == pytest.approx(float(gradient_norm(one)))
    for optimiser in (one, other):
        optimiser.step()
    state, steps = whole_state(part), whole_optimiser_tensors(other, part)[0]
    assert state.keys() == whole.state_dict().keys()
    for key, tensor in optimiser_tensors(one)[0].items():
        assert torch.equal(steps[key], tensor), key
    load_whole(whole, state, "network")
    for name, tensor in state.items():
        assert torch.equal(whole.state_dict()[name], tensor), name


def test_weights_of_other_cells_or_of_another_network_are_refused() -> None:
    part = Network(1)
    others = adaptive_s2(crowded(400), S2Settings(cells=20))
    assert len(others) > len(CELLS)
    with pytest.raises(PartitionError, match="this head is for"):
        load_whole(part, Network(None, cells=others).state_dict(), "network")
    state = Network(None).state_dict()
    state["backbone.weight"] = torch.zeros(2, 2)
    with pytest.raises(CheckpointError, match="The checkpoint's network does not fit"):
        load_whole(part, state, "network")
    with pytest.raises(UsageError, match="must be cut into"):
        Network(0, shards=len(CELLS) + 1)
