"""Every loss on pairs beside its equation written out, at its limits and on bad input."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch

from sightline.errors import UsageError, VectorError
from sightline.losses import (
    ContrastiveLoss,
    HardestNegatives,
    InfoNCELoss,
    MaxMarginTripletLoss,
    MemoryRows,
    NPairLoss,
    PairLoss,
    SemiHardNegatives,
    SoftMarginTripletLoss,
    WeightedTupleLoss,
    mean_of_active,
    mean_of_anchors,
)
from sightline.losses.contrastive import LARGEST_SCALE

from . import oracles
from .examples import LOSSES, arguments, pairs, some_case

DISTANCES = ("squared_euclidean", "euclidean", "cosine", "dot")


def fixed(scale: float, **settings: Any) -> InfoNCELoss:
    return InfoNCELoss(1 / scale, learned=False, **settings)


@pytest.mark.parametrize("views", ["other", "both"])
@pytest.mark.parametrize("name", DISTANCES)
class TestAgainstTheEquations:
    """With places that occur twice, patches that overlap, and a memory that holds own places."""

    def test_max_margin(self, name: str, views: str) -> None:
        loss = MaxMarginTripletLoss(0.5, distance=name, views=views)
        expected = oracles.per_triplet(some_case(), lambda x: max(x + 0.5, 0.0), name, views)
        assert loss(**arguments(some_case())).item() == pytest.approx(expected, rel=1e-12)

    def test_soft_margin(self, name: str, views: str) -> None:
        loss = SoftMarginTripletLoss(3.0, distance=name, views=views)
        expected = oracles.per_triplet(
            some_case(), lambda x: math.log(1 + math.exp(3 * x)), name, views
        )
        assert loss(**arguments(some_case())).item() == pytest.approx(expected, rel=1e-12)

    def test_tuple(self, name: str, views: str) -> None:
        loss = WeightedTupleLoss(3.0, distance=name, views=views)
        expected = oracles.per_anchor(some_case(), 3.0, name, views)
        assert loss(**arguments(some_case())).item() == pytest.approx(expected, rel=1e-12)

    @pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
    def test_infonce(self, name: str, views: str, smoothing: float) -> None:
        loss = fixed(3.0, label_smoothing=smoothing, distance=name, views=views)
        expected = oracles.per_anchor(some_case(), 3.0, name, views, smoothing)
        assert loss(**arguments(some_case())).item() == pytest.approx(expected, rel=1e-12)


def test_n_pair_is_on_dot_products_and_lengths() -> None:
    case = some_case()
    expected = oracles.per_anchor(case, 0.5, "dot")
    assert NPairLoss()(**arguments(case)).item() == pytest.approx(expected, rel=1e-12)
    lengths = np.mean([oracles.dot(r, r) for r in [*case.queries, *case.references]])
    held = NPairLoss(0.02)(**arguments(case)).item()
    assert held == pytest.approx(expected + 0.02 * lengths, rel=1e-12)


def test_contrastive() -> None:
    expected = oracles.contrastive(some_case(), 2.0, "euclidean")
    found = ContrastiveLoss(2.0)(**arguments(some_case())).item()
    assert found == pytest.approx(expected, rel=1e-12)
    case = some_case()
    for rows in (case.queries, case.references, case.old_queries, case.old_references):
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    found = ContrastiveLoss(1.3, distance="cosine")(**arguments(some_case())).item()
    assert found == pytest.approx(oracles.contrastive(case, 1.3, "euclidean"), rel=1e-9)


def test_infonce_without_anything_hidden_is_torchs_cross_entropy() -> None:
    queries, references = pairs()
    loss = InfoNCELoss(0.05, label_smoothing=0.2)
    unit = [torch.nn.functional.normalize(rows) for rows in (queries, references)]
    logits = loss.log_scale.double().exp() * unit[0] @ unit[1].T
    target = torch.arange(len(queries))
    both = [
        torch.nn.functional.cross_entropy(side, target, label_smoothing=0.2)
        for side in (logits, logits.T)
    ]
    torch.testing.assert_close(loss(queries, references), sum(both) / 2, rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("views", ["other", "both"])
def test_gradients(name: str, views: str) -> None:
    loss = LOSSES[name](views=views).double()
    given = arguments(some_case(seed=3))

    def of(queries: torch.Tensor, references: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return loss(**given | {"queries": queries, "references": references})

    inputs = [given[view].requires_grad_() for view in ("queries", "references")]
    assert torch.autograd.gradcheck(of, (*inputs, *loss.parameters()))


@pytest.mark.parametrize("distance", DISTANCES)
def test_gradients_of_distances(distance: str) -> None:
    inputs = [rows.requires_grad_() for rows in pairs(1)]
    assert torch.autograd.gradcheck(SoftMarginTripletLoss(2.0, distance=distance), inputs)


def collapsed(rows: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.linspace(-0.3, 0.7, 8).to(dtype).expand(rows, -1).clone()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (MaxMarginTripletLoss(), 0.5),
        (MaxMarginTripletLoss(miner=SemiHardNegatives()), 0.5),
        (SoftMarginTripletLoss(), math.log(2)),
        (WeightedTupleLoss(), math.log(7)),
        (InfoNCELoss(), math.log(7)),
        (InfoNCELoss(label_smoothing=0.1), math.log(7)),
        (InfoNCELoss(views="both"), math.log(13)),
        (NPairLoss(), math.log(7)),
        (ContrastiveLoss(0.8), 0.32),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, torch.nn.Module) else "",
)
def test_what_a_collapsed_batch_costs(loss: PairLoss, expected: float, dtype: torch.dtype) -> None:
    rows = [collapsed(7, dtype).requires_grad_() for _ in range(2)]
    found = loss(*rows)
    assert found.item() == pytest.approx(expected, rel=2e-6)
    for gradient in torch.autograd.grad(found, rows):
        assert gradient.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
class TestProperties:
    def test_the_order_of_pairs_does_not_matter(self, name: str) -> None:
        case = some_case(seed=5)
        loss = LOSSES[name]()
        whole = loss(**arguments(case))
        order = np.random.default_rng(0).permutation(len(case.labels))
        case.queries, case.references = case.queries[order], case.references[order]
        case.labels, case.neither = case.labels[order], case.neither[np.ix_(order, order)]
        old = np.random.default_rng(1).permutation(len(case.old_labels))
        case.old_queries, case.old_references = case.old_queries[old], case.old_references[old]
        case.old_labels = case.old_labels[old]
        torch.testing.assert_close(loss(**arguments(case)), whole, rtol=1e-12, atol=1e-14)

    def test_both_directions_are_averaged(self, name: str) -> None:
        queries, references = pairs(2)
        one_way = LOSSES[name](bidirectional=False)
        both = (one_way(queries, references) + one_way(references, queries)) / 2
        torch.testing.assert_close(LOSSES[name]()(queries, references), both, rtol=1e-12, atol=0)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
    @pytest.mark.parametrize("size", [1e-30, 1e-4, 1.0, 1e4, 1e15])
    def test_finite_at_any_size(self, name: str, dtype: torch.dtype, size: float) -> None:
        size = min(max(size, 1e-4), 1e3) if dtype == torch.float16 else size
        rows = [(size * part).to(dtype).requires_grad_() for part in pairs(4)]
        found = LOSSES[name]()(*rows)
        assert found.dtype == torch.float32
        assert found.isfinite()
        for gradient in torch.autograd.grad(found, rows):
            assert gradient.dtype == dtype
            # A gradient may be too large for its type to hold, where what it is of is tiny.
            assert not gradient.isnan().any()

    def test_half_precision_costs_only_the_rounding_of_the_rows(self, name: str) -> None:
        rows = [part.bfloat16() for part in pairs(6)]
        loss = LOSSES[name]()
        exact = loss(*(part.double() for part in rows)).item()
        assert loss(*rows).item() == pytest.approx(exact, rel=1e-5, abs=1e-6)

    def test_views_of_two_types_meet_in_the_wider_one(self, name: str) -> None:
        queries, references = pairs(6)
        loss = LOSSES[name]()
        found = loss(queries.bfloat16(), references.float())
        expected = loss(queries.bfloat16().float(), references.float())
        torch.testing.assert_close(found, expected, rtol=0, atol=0)
        assert loss(queries.float(), references).dtype == torch.float64

    def test_autocast_does_not_reach_the_distances(self, name: str) -> None:
        rows = [part.float() for part in pairs(6)]
        loss = LOSSES[name]()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            within = loss(*rows)
        torch.testing.assert_close(within, loss(*rows), rtol=0, atol=0)

    def test_a_memory_of_own_places_adds_nothing(self, name: str) -> None:
        queries, references = pairs(7, rows=4)
        labels = torch.tensor([1, 2, 3, 4])
        loss = LOSSES[name]()
        alone = loss(queries[:3], references[:3], labels=labels[:3])
        # The same rows again, but one that no one but its own anchor may be set against.
        twice = MemoryRows((queries[:1], references[:1]), torch.tensor([1]))
        empty = MemoryRows((queries[:0], references[:0]), labels[:0])
        found = loss(queries[:3], references[:3], labels=labels[:3], memory=empty)
        torch.testing.assert_close(found, alone, rtol=0, atol=0)
        one = loss(queries[:1], references[:1], labels=labels[:1], memory=twice)
        lonely = {"contrastive": (queries[:1] - references[:1]).square().sum().item() / 2}
        assert one.item() == pytest.approx(lonely.get(name, 0.0))

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_numbers_that_are_none(self, name: str, value: float) -> None:
        queries, references = pairs()
        references[3, 2] = value
        with pytest.raises(VectorError, match=rf"references must be finite. Got {value} in row 3"):
            LOSSES[name]()(queries, references)

    def test_unchecked_nan_passes_on(self, name: str) -> None:
        queries, references = pairs()
        references[3, 2] = math.nan
        assert LOSSES[name](finite_check=False)(queries, references).isnan()


def test_extreme_distances_cost_what_they_are() -> None:
    near, far = torch.zeros(2, 1), torch.tensor([[1e9], [-1e9]])
    found = SoftMarginTripletLoss()(far, far.flip(0))
    # Each is 2e9 from its positive, squared, and at the place of its negative.
    assert found.item() == pytest.approx(10 * 4e18, rel=1e-6)
    assert SoftMarginTripletLoss()(near, near).item() == pytest.approx(math.log(2))


def test_far_from_the_origin_float32_keeps_what_is_near() -> None:
    queries, references = (part.float() for part in pairs(8))
    loss = SoftMarginTripletLoss(1.0)
    # A shift that float32 adds without rounding: 2^12 on multiples of 2^-10.
    queries, references = ((part * 1024).round() / 1024 for part in (queries, references))
    moved = loss(queries + 4096, references + 4096)
    torch.testing.assert_close(moved, loss(queries, references), rtol=1e-5, atol=0)


def test_a_row_of_zeros_gets_a_bounded_gradient_where_lengths_are_taken_away() -> None:
    queries, references = pairs()
    queries[2] = 0
    inputs = [queries.float().requires_grad_(), references.float().requires_grad_()]
    for gradient in torch.autograd.grad(WeightedTupleLoss(weight=10.0)(*inputs), inputs):
        # 10 for each of two directions that are averaged, over 8 anchors; as positive and negative.
        assert 0 < gradient[2].norm() <= 2 * 10


class TestTemperature:
    def test_it_is_learned(self) -> None:
        loss = InfoNCELoss(0.07)
        assert loss.log_scale.item() == pytest.approx(math.log(1 / 0.07))
        loss(*pairs()).backward()
        assert loss.log_scale.grad.item() != 0
        assert not list(InfoNCELoss(learned=False).parameters())

    def test_its_scale_is_held_and_comes_back(self) -> None:
        loss = InfoNCELoss()
        with torch.no_grad():
            loss.log_scale.fill_(9.0)
        assert loss.scale().item() == pytest.approx(LARGEST_SCALE)
        loss.scale().backward()
        assert loss.log_scale.grad.item() == pytest.approx(LARGEST_SCALE)


class TestReducers:
    def test_active_terms_alone(self) -> None:
        queries, references = pairs(3)
        margin = 0.5
        terms = []
        for a, b in ((queries, references), (references, queries)):
            found = [
                max(0.0, oracles.distance(a[i], b[i], "squared_euclidean")
                    - oracles.distance(a[i], b[j], "squared_euclidean") + margin)
                for i in range(8) for j in range(8) if i != j
            ]  # fmt: skip
            active = [term for term in found if term > 0]
            assert 0 < len(active) < len(found)
            terms.append(sum(active) / len(active))
        loss = MaxMarginTripletLoss(margin, reducer=mean_of_active)
        assert loss(queries, references).item() == pytest.approx(sum(terms) / 2, rel=1e-9)

    def test_anchors(self) -> None:
        queries, references = pairs(3)
        hardest = {"miner": HardestNegatives(2), "bidirectional": False}
        mean = SoftMarginTripletLoss(**hardest)(queries, references)
        total = SoftMarginTripletLoss(**hardest, reducer=mean_of_anchors)(queries, references)
        torch.testing.assert_close(total, 2 * mean)

    @pytest.mark.parametrize("name", LOSSES)
    def test_nothing_chosen_is_zero_with_a_gradient(self, name: str) -> None:
        rows = [part.requires_grad_() for part in pairs()]
        nothing = LOSSES[name](miner=lambda comparison: comparison.allowed & False)
        found = nothing(*rows)
        found.backward()
        if name != "contrastive":
            assert found.item() == 0
            assert (rows[0].grad == 0).all()
        assert rows[0].grad.isfinite().all()


class TestCandidatesOfTheirOwn:
    def test_they_get_gradients(self) -> None:
        queries, references = pairs()
        negatives = pairs(9, rows=3)[0].requires_grad_()
        found = SoftMarginTripletLoss(1.0).of_candidates(queries, references, negatives)
        terms = [
            math.log(1 + math.exp(oracles.distance(a, p, "squared_euclidean")
                                  - oracles.distance(a, n, "squared_euclidean")))
            for a, p in zip(queries, references, strict=True) for n in negatives.detach()
        ]  # fmt: skip
        assert found.item() == pytest.approx(sum(terms) / len(terms), rel=1e-9)
        assert (torch.autograd.grad(found, negatives)[0].abs().sum(dim=1) > 0).all()

    def test_shapes(self) -> None:
        queries, references = pairs()
        loss = SoftMarginTripletLoss()
        with pytest.raises(VectorError, match=r"candidates must have the shape of a row"):
            loss.of_candidates(queries, references, references[:, :2])
        with pytest.raises(VectorError, match=r"allowed must be truth values of shape \(8, 8\)"):
            loss.of_candidates(queries, references, references, torch.ones(8, 8))
        with pytest.raises(VectorError, match="candidates must be finite"):
            loss.of_candidates(queries, references, references / 0)


class TestBadInput:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"queries": torch.zeros(6)}, r"queries must be rows of shape \(n, d\). Got .*\(6,\)"),
            ({"queries": torch.zeros(6, 0)}, r"queries must be rows of shape"),
            ({"references": torch.zeros(6, 5)}, r"references must have the shape .*\(6, 5\)"),
            ({"references": torch.zeros(6, 4, dtype=torch.int64)}, r"floating-point .* int64"),
            ({"labels": torch.zeros(5, dtype=torch.int64)}, r"each of 6 rows. Got shape \(5,\)"),
            ({"labels": torch.zeros(6)}, r"labels must be whole numbers. Got float32"),
            ({"neither": torch.zeros(6, 6)}, r"neither must be truth values .* Got float32"),
            (
                {"memory": MemoryRows((torch.zeros(2, 4),), torch.zeros(2, dtype=torch.int64))},
                r"memory must hold 2 views of dimension 4. Got 1",
            ),
            (
                {
                    "memory": MemoryRows(
                        (torch.zeros(2, 3), torch.zeros(2, 3)), torch.zeros(2, dtype=torch.int64)
                    )
                },
                r"Got 2 of dimension 3",
            ),
        ],
    )
    def test_shapes_and_types(self, changes: dict[str, Any], message: str) -> None:
        with pytest.raises(VectorError, match=message):
            SoftMarginTripletLoss()(**arguments(some_case()) | changes)

    @pytest.mark.parametrize("rows", [0, 1])
    def test_a_batch_of_one(self, rows: int) -> None:
        batch = torch.ones(rows, 4)
        with pytest.raises(VectorError, match=rf"at least 2 pairs.* Got {rows}") as raised:
            InfoNCELoss()(batch, batch)
        assert "last, short batch" in raised.value.hint

    def test_a_memory_without_labels(self) -> None:
        given = arguments(some_case())
        del given["labels"], given["neither"]
        with pytest.raises(UsageError, match="labels must be given together with a memory"):
            InfoNCELoss()(**given)

    @pytest.mark.parametrize(
        ("build", "message"),
        [
            (lambda: MaxMarginTripletLoss(0.0), "margin must be a finite number above 0. Got 0.0"),
            (lambda: SoftMarginTripletLoss(math.nan), "weight must be .* Got nan"),
            (lambda: WeightedTupleLoss(-1.0), "weight must be .* Got -1.0"),
            (lambda: InfoNCELoss(0.0), "temperature must be .* Got 0.0"),
            (lambda: InfoNCELoss(label_smoothing=1.0), r"label_smoothing must be .* Got 1.0"),
            (lambda: NPairLoss(-0.1), "length_weight must be .* Got -0.1"),
            (lambda: ContrastiveLoss(math.inf), "margin must be .* Got inf"),
            (lambda: ContrastiveLoss(distance="manhattan"), "distance must be .* Got 'manhattan'"),
            (lambda: InfoNCELoss(views="all"), "views must be other or both. Got 'all'"),
        ],
    )
    def test_settings(self, build: Any, message: str) -> None:
        with pytest.raises(UsageError, match=message):
            build()


def test_a_loss_is_copied_and_saved_as_any_module() -> None:
    loss = InfoNCELoss(0.05)
    other = InfoNCELoss(0.2)
    other.load_state_dict(loss.state_dict())
    rows = pairs()
    torch.testing.assert_close(other(*rows), copy.deepcopy(loss)(*rows), rtol=0, atol=0)
