"""The memory beside a list, and what a loss makes of it."""

from __future__ import annotations

import math

import pytest
import torch

from sightline.errors import UsageError, VectorError
from sightline.losses import CrossBatchMemory, InfoNCELoss

from .examples import pairs
from .oracles import dot


def rows_of(numbers: range) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    first = torch.tensor([[float(i), 0.5] for i in numbers]).reshape(-1, 2)
    return first, -first, torch.tensor(list(numbers), dtype=torch.int64) * 10


@pytest.mark.parametrize("sizes", [[3, 3, 3, 3], [1, 7, 2, 5], [4, 9, 0, 3], [20], [8, 8]])
def test_it_is_a_ring(sizes: list[int]) -> None:
    capacity = 8
    memory = CrossBatchMemory(capacity, 2)
    slots: dict[int, int] = {}
    written = 0
    for size in sizes:
        numbers = range(written, written + size)
        first, second, labels = rows_of(numbers)
        memory.enqueue(first, second, labels=labels)
        for number in numbers:
            slots[number % capacity] = number
        written += size
        held = memory.rows()
        expected = [slots[slot] for slot in sorted(slots)]
        assert held.labels.tolist() == [10 * number for number in expected]
        assert held.views[0][:, 0].tolist() == expected
        assert torch.equal(held.views[1], -held.views[0])
        assert len(memory) == min(written, capacity)
        assert memory.next_row == written % capacity


def test_an_empty_one_holds_nothing_and_changes_nothing() -> None:
    queries, references = pairs()
    labels = torch.arange(8)
    memory = CrossBatchMemory(4, 5)
    assert len(memory) == 0
    assert memory.rows().views[0].shape == (0, 5)
    loss = InfoNCELoss()
    found = loss(queries, references, labels=labels, memory=memory.rows())
    torch.testing.assert_close(found, loss(queries, references), rtol=0, atol=0)


def test_rows_stay_what_they_were() -> None:
    memory = CrossBatchMemory(2, 2)
    first, second, labels = rows_of(range(2))
    memory.enqueue(first, second, labels=labels)
    before = memory.rows()
    memory.enqueue(first + 5, second, labels=labels + 1)
    assert torch.equal(before.views[0], first)
    assert torch.equal(before.labels, labels)
    held = memory.rows(copy=False)
    assert torch.equal(held.views[0], first + 5)
    memory.enqueue(first, second, labels=labels)
    assert torch.equal(held.views[0], first)
    assert torch.equal(held.labels, labels)


def test_it_keeps_no_graph() -> None:
    memory = CrossBatchMemory(4, 2)
    first, second, labels = rows_of(range(3))
    memory.enqueue(first.requires_grad_() * 2, second, labels=labels)
    assert not memory.rows().views[0].requires_grad


def test_rows_of_the_same_cell_are_no_negatives_one_by_one() -> None:
    queries, references = pairs(1, rows=3)
    old_queries, old_references = pairs(2, rows=4)
    labels, old_labels = torch.tensor([1, 2, 3]), torch.tensor([2, 9, 2, 1])
    memory = CrossBatchMemory(6, 5, dtype=torch.float64)
    memory.enqueue(old_queries, old_references, labels=old_labels)
    loss = InfoNCELoss(0.05, learned=False, views="both")
    found = loss(queries, references, labels=labels, memory=memory.rows())

    def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
        return dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))

    # Equation 3 of the paper: every other image of another cell, of either half of a pair.
    images = [*queries, *references, *old_queries, *old_references]
    cells = [*labels, *labels, *old_labels, *old_labels]
    terms = []
    for a in range(6):
        p = (a + 3) % 6
        others = [cosine(images[a], x) for x, c in zip(images, cells, strict=True) if c != cells[a]]
        positive = math.exp(cosine(images[a], images[p]) / 0.05)
        total = positive + math.fsum(math.exp(s / 0.05) for s in others)
        terms.append(-math.log(positive / total))
    assert found.item() == pytest.approx(sum(terms) / 6, rel=1e-9)


def test_it_is_saved_and_resumed() -> None:
    memory, other = CrossBatchMemory(5, 2), CrossBatchMemory(5, 2)
    for start in (0, 4):
        first, second, labels = rows_of(range(start, start + 4))
        memory.enqueue(first, second, labels=labels)
    other.load_state_dict(memory.state_dict())
    assert other.next_row == memory.next_row == 3
    for each in (memory, other):
        first, second, labels = rows_of(range(8, 11))
        each.enqueue(first, second, labels=labels)
    for mine, theirs in zip(memory.rows().views, other.rows().views, strict=True):
        assert torch.equal(mine, theirs)


def test_half_precision_rows() -> None:
    memory = CrossBatchMemory(4, 5)
    queries, references = (rows.bfloat16() for rows in pairs(rows=3))
    labels = torch.arange(3)
    memory.enqueue(queries, references, labels=labels)
    assert memory.rows().views[0].dtype == torch.float32
    found = InfoNCELoss()(queries, references, labels=labels, memory=memory.rows())
    # It holds the batch itself, none of which is a further negative but the other places'.
    assert found.isfinite()
    assert found.dtype == torch.float32


class TestBadInput:
    def test_settings(self) -> None:
        for capacity, dimension, views in ((0, 2, 2), (4, 0, 2), (4, 2, 0)):
            with pytest.raises(UsageError, match=r"whole number of at least 1\. Got 0"):
                CrossBatchMemory(capacity, dimension, views=views)

    def test_rows(self) -> None:
        memory = CrossBatchMemory(4, 2)
        first, second, labels = rows_of(range(3))
        with pytest.raises(VectorError, match=r"enqueue must be given 2 views. Got 1"):
            memory.enqueue(first, labels=labels)
        with pytest.raises(VectorError, match=r"view 1 must have the shape of view 0"):
            memory.enqueue(first, second[:2], labels=labels)
        with pytest.raises(VectorError, match=r"the memory's dimension 2. Got 3"):
            memory.enqueue(torch.zeros(3, 3), torch.zeros(3, 3), labels=labels)
        with pytest.raises(VectorError, match=r"labels must be one number for each of 3 rows"):
            memory.enqueue(first, second, labels=labels[:2])
        first[1, 1] = math.nan
        with pytest.raises(VectorError, match=r"view 0 must be finite. Got nan in row 1"):
            memory.enqueue(first, second, labels=labels)
        assert len(memory) == 0
