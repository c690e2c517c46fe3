"""Heads over cells, and what becomes of their outputs."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from tests.geo.partition.places import crowded
from torch import Tensor

from sightline.errors import PartitionError, UsageError
from sightline.geo.distance import great_circle_m, spherical_mean
from sightline.geo.partition import (
    Boxes,
    Centres,
    Hierarchy,
    Partition,
    S2Settings,
    adaptive_s2_family,
)
from sightline.locating import answers_by_level, choose_cells, classify
from sightline.models.cell_heads import CellHead, HierarchicalHead, MultiHead
from sightline.models.sharded_head import ShardedCellHead

FAMILY = adaptive_s2_family(crowded(1500), [S2Settings(cells=n) for n in (10, 30, 90)])
TREE = Hierarchy(FAMILY)
BOXES = Partition(
    Boxes([[0, 0, 1, 1], [0, 1, 1, 2], [9, 9, 10, 10]]), [[0.5, 0.5], [0.5, 1.5], [9, 9]]
)
OTHER_BOXES = Partition(BOXES.cells, [[0.5, 0.5], [0.5, 1.5], [9.5, 9.5]])
CENTRES = Partition(Centres([[0, 0], [10, 10]]), [[0, 0], [10, 10]])
D = 6


def vectors(count: int = 4, seed: int = 0) -> Tensor:
    return torch.randn(count, D, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("partition", [FAMILY[1], BOXES, CENTRES], ids=["s2", "boxes", "centres"])
def test_one_head(partition: Partition) -> None:
    head = CellHead(D, partition)
    head.require_partition(partition)
    assert head.fingerprint == partition.fingerprint
    given = vectors()
    logits = head(given)
    weight, bias = head.linear.weight.detach().numpy(), head.linear.bias.detach().numpy()
    expected = given.numpy() @ weight.T + bias
    np.testing.assert_allclose(logits.detach(), expected, atol=1e-5)
    logs = head.log_probabilities(given)
    shares = np.exp(expected) / np.exp(expected).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(logs.exp().detach(), shares, rtol=1e-5)
    # Some classes alone are the same logits, and have the same gradients.
    some = torch.tensor([1, 0])
    torch.testing.assert_close(head(given, some), logits[:, some])
    for one in (head(given, some), logits[:, some]):
        head.zero_grad()
        one.square().sum().backward()
        assert head.linear.weight.grad[:2].abs().min() > 0
        assert not head.linear.weight.grad[2:].any()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_probabilities_are_at_least_float32(dtype: torch.dtype) -> None:
    heads = (CellHead(D, FAMILY[2]), HierarchicalHead(D, TREE), MultiHead(D, FAMILY))
    for head in heads:
        # Pooled vectors come in float32 whatever the weights are.
        found = head.to(dtype).log_probabilities(vectors())
        for logs in found if isinstance(found, tuple) else (found,):
            assert logs.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
            torch.testing.assert_close(logs.exp().sum(dim=1), torch.ones(4, dtype=logs.dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert heads[0].float().log_probabilities(vectors()).dtype == torch.float32


def test_from_logits_to_places() -> None:
    head = CellHead(D, FAMILY[2])
    logs = head.log_probabilities(10 * vectors(20))
    values = logs.numpy(force=True)
    points = classify(values, FAMILY[2])
    best = logs.argmax(dim=1).tolist()
    assert points.tolist() == FAMILY[2].representatives[best].tolist()
    # A representative is the mean of its cell's members.
    places = crowded(1500)
    members = places[FAMILY[2].assign(places) == best[0]]
    assert great_circle_m(points[0], spherical_mean(members)) < 1e-3
    chosen = choose_cells(values, FAMILY[2], cells=5)
    top = logs.exp().topk(5, dim=1)
    assert chosen.rows.tolist() == top.indices.tolist()
    assert chosen.mass == pytest.approx(top.values.sum(dim=1).tolist())
    assert answers_by_level(values, FAMILY[2]).points.shape == (20, 5, 2)


def test_several_partitions_each_alone() -> None:
    head = MultiHead(D, FAMILY)
    assert len(head) == 3
    head.require_partitions(FAMILY)
    given = vectors()
    together, logits = head.log_probabilities(given), head(given)
    for number, partition in enumerate(FAMILY):
        assert head[number].classes == len(partition)
        alone = head[number].log_probabilities(given)
        assert torch.equal(alone, together[number])
        torch.testing.assert_close(logits[number].log_softmax(dim=1), alone)
        assert classify(alone.numpy(force=True), partition).shape == (4, 2)
        with pytest.raises(PartitionError, match="classes"):
            classify(alone.numpy(force=True), FAMILY[number - 1])


def test_a_hierarchy_multiplies_along_the_tree() -> None:
    head = HierarchicalHead(D, TREE).double()
    given = vectors(5).double()
    found = head.log_probabilities(given)
    parts = [one.log_probabilities(given).numpy(force=True) for one in head]
    np.testing.assert_allclose(found.detach(), TREE.combine(parts), rtol=1e-12)
    for photo in range(5):
        slow = [
            np.exp(parts[2][photo, cell])
            * np.exp(parts[1][photo, TREE.ancestors[1][cell]])
            * np.exp(parts[0][photo, TREE.ancestors[0][cell]])
            for cell in range(len(TREE.finest))
        ]
        assert found[photo].exp().tolist() == pytest.approx(np.array(slow) / sum(slow))
    assert [one.shape[1] for one in head(given)] == [len(one) for one in FAMILY]
    head.require_partition(FAMILY[2])
    classify(found.numpy(force=True), FAMILY[2])
    found[:, 3].sum().backward()
    assert all(one.linear.weight.grad.abs().sum() > 0 for one in head)


def test_slices_are_the_whole() -> None:
    head = CellHead(D, FAMILY[1])
    slices = [ShardedCellHead(head, shard, 4) for shard in range(4)]
    given = vectors()
    torch.testing.assert_close(torch.cat([one(given) for one in slices], dim=1), head(given))
    assert [one.first for one in slices[1:]] == np.cumsum([one.classes for one in slices])[
        :-1
    ].tolist()
    sizes = [one.classes for one in slices]
    assert max(sizes) - min(sizes) <= 1
    assert not torch.equal(slices[0].linear.weight[:1], slices[1].linear.weight[:1])
    slices[0].require_partition(FAMILY[1])
    assert ShardedCellHead(head.double(), 0, 4).linear.weight.dtype == torch.float64
    for shard, shards in ((4, 4), (-1, 4), (0, 0), (0, 99)):
        with pytest.raises(UsageError, match=f"Got slice {shard} of {shards}"):
            ShardedCellHead(head, shard, shards)


class TestAnotherPartition:
    def test_of_as_many_cells(self) -> None:
        with pytest.raises(PartitionError, match="the same number of cells, but other ones"):
            CellHead(D, BOXES).require_partition(OTHER_BOXES)
        with pytest.raises(PartitionError, match="3 classes and the partition 2 cells"):
            CellHead(D, BOXES).require_partition(CENTRES)
        with pytest.raises(PartitionError, match="other ones"):
            ShardedCellHead(CellHead(D, BOXES), 0, 2).require_partition(OTHER_BOXES)
        with pytest.raises(PartitionError, match="classes"):
            HierarchicalHead(D, TREE).require_partition(FAMILY[1])

    def test_in_another_order(self) -> None:
        head = MultiHead(D, [BOXES, OTHER_BOXES])
        with pytest.raises(PartitionError, match="other ones"):
            head.require_partitions([OTHER_BOXES, BOXES])
        with pytest.raises(PartitionError, match=r"over 2 partitions. Got 1"):
            head.require_partitions([BOXES])

    def test_weights_know_their_partition(self) -> None:
        file = io.BytesIO()
        torch.save(CellHead(D, BOXES).state_dict(), file)
        file.seek(0)
        state = torch.load(file, weights_only=True)
        again = CellHead(D, BOXES)
        again.load_state_dict(state)
        assert torch.equal(again.linear.weight, state["linear.weight"])
        for other, cells in ((OTHER_BOXES, 3), (CENTRES, 2)):
            theirs, own = BOXES.fingerprint[:12], other.fingerprint[:12]
            with pytest.raises(PartitionError, match=rf"{theirs} of 3 cells, .* {own} of {cells}"):
                CellHead(D, other).load_state_dict(state)
        inner = {f"heads.0.{name}": tensor for name, tensor in state.items()}
        with pytest.raises(PartitionError, match="weights are of a classifier"):
            MultiHead(D, [CENTRES, BOXES]).load_state_dict(inner, strict=False)
        whole = CellHead(D, OTHER_BOXES)
        sharded = ShardedCellHead(CellHead(D, BOXES), 0, 2)
        with pytest.raises(PartitionError, match="weights are of a classifier"):
            ShardedCellHead(whole, 0, 2).load_state_dict(sharded.state_dict())

    def test_half_weights_keep_the_fingerprint(self) -> None:
        assert CellHead(D, BOXES).bfloat16().fingerprint == BOXES.fingerprint


def test_refusals() -> None:
    head = CellHead(D, BOXES)
    for wrong in (torch.zeros(2, 5), torch.zeros(D), torch.zeros(2, D, dtype=torch.int64)):
        for one in (head, ShardedCellHead(head, 0, 2), MultiHead(D, FAMILY)):
            with pytest.raises(UsageError, match=r"floating-point vectors of shape \(n, 6\)"):
                one(wrong)
    with pytest.raises(UsageError, match="Got a dimension of 0"):
        CellHead(0, BOXES)
    with pytest.raises(PartitionError, match=r"two or more. Got 1"):
        MultiHead(D, [BOXES])
    with pytest.raises(PartitionError, match="Partition 2 is the same as partition 0"):
        MultiHead(D, [BOXES, CENTRES, BOXES])
    with pytest.raises(PartitionError, match="from coarse to fine"):
        HierarchicalHead(D, Hierarchy(FAMILY[::-1]))
