"""Losses over cells beside their definitions, one photo at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tests.geo.partition.places import crowded
from torch import Tensor

from sightline.errors import CoordinateError, PartitionError, UsageError, VectorError
from sightline.geo.distance import great_circle_m
from sightline.geo.partition import (
    Boxes,
    Centres,
    Partition,
    S2Settings,
    adaptive_s2_family,
)
from sightline.losses import (
    CellCrossEntropy,
    CellTargets,
    SampledClasses,
    SeveralCellCrossEntropies,
    ShardedCellCrossEntropy,
    label_photos,
    sample_classes,
    sampled_cross_entropy,
)

# Cells of few photos are dropped, at each granularity other ones.
FAMILY = adaptive_s2_family(
    crowded(1500), [S2Settings(cells=20), S2Settings(cells=60, min_members=6)]
)
FINE = FAMILY[1]
BOXES = Partition(
    Boxes([[0, 0, 1, 1], [0, 1, 1, 2], [0, 178, 1, 180], [80, 0, 90, 9]]),
    [[0.5, 0.5], [0.5, 1.5], [0.5, 179.5], [89.5, 4.0]],
)
CENTRES = Partition(Centres([[0, 0], [10, 10], [-60, 170]]), [[0, 0], [10, 10], [-60, 170]])


def photos(count: int, seed: int = 5) -> Tensor:
    return torch.from_numpy(crowded(count, seed))


def scores(count: int, classes: int, seed: int = 0, scale: float = 3.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(count, classes, generator=generator, dtype=torch.float64)


def label(partition: Partition, row: int, place: list[float], smoothing: float, km: float | None):
    """A label's probabilities, from the words of their sources."""
    cells = range(len(partition))
    if km is None:
        shares = [1.0 if cell == row else 0.0 for cell in cells]
    else:
        apart = [
            float(great_circle_m(place, partition.representatives[cell])) / 1000 for cell in cells
        ]
        pigeon = [math.exp(-(one - apart[row]) / km) for one in apart]
        shares = [one / math.fsum(pigeon) for one in pigeon]
    return [(1 - smoothing) * one + smoothing / len(partition) for one in shares]


def expected(logits: Tensor, labels: list[list[float] | None]) -> float:
    """The mean cross entropy of those photos that have a label."""
    found = []
    for beliefs, shares in zip(logits.tolist(), labels, strict=True):
        if shares is not None:
            total = math.fsum(math.exp(one) for one in beliefs)
            logs = [math.log(math.exp(one) / total) for one in beliefs]
            found.append(-math.fsum(a * b for a, b in zip(shares, logs, strict=True)))
    return math.fsum(found) / len(found)


@pytest.mark.parametrize("km", [None, 75.0, 2000.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("partition", [FINE, BOXES, CENTRES], ids=["s2", "boxes", "centres"])
def test_the_mean_over_photos_in_a_cell(partition: Partition, smoothing: float, km) -> None:
    places = photos(30)
    places[:3] = torch.tensor([[0.2, 0.3], [0.9, 1.9], [85.0, 8.0]])
    rows = torch.from_numpy(partition.assign(places.numpy()))
    assert (rows >= 0).sum() >= 3
    assert (rows < 0).any() == (partition is not CENTRES)
    logits = scores(30, len(partition)).requires_grad_()
    loss = CellCrossEntropy(partition, label_smoothing=smoothing, distance_km=km)
    found = loss(logits, rows, places)
    labels = [
        None if row < 0 else label(partition, row, place, smoothing, km)
        for row, place in zip(rows.tolist(), places.tolist(), strict=True)
    ]
    assert found.value.item() == pytest.approx(expected(logits, labels), rel=1e-8)
    assert found.outside.item() == sum(one is None for one in labels)
    (gradient,) = torch.autograd.grad(found.value, logits)
    assert not gradient[rows < 0].any()
    assert gradient[rows >= 0].abs().sum(dim=1).min() > 0
    # The slice that is the whole is the plain loss.
    whole = ShardedCellCrossEntropy(
        partition, 0, len(partition), label_smoothing=smoothing, distance_km=km
    )
    again = whole(logits, rows, places)
    torch.testing.assert_close(again.value, found.value, rtol=1e-12, atol=0)
    (other,) = torch.autograd.grad(again.value, logits)
    torch.testing.assert_close(other, gradient, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("km", [None, 2000.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_gradients(smoothing: float, km) -> None:
    options = {"label_smoothing": smoothing, "distance_km": km}
    places = torch.tensor([[0.2, 0.3], [0.9, 1.9], [50.0, 8.0]]).double()
    rows = torch.tensor([0, 1, -1])
    logits = scores(3, len(BOXES)).requires_grad_()
    for loss in (
        CellCrossEntropy(BOXES, **options),
        ShardedCellCrossEntropy(BOXES, 0, 4, **options),
    ):
        assert torch.autograd.gradcheck(lambda x, f=loss: f(x, rows, places).value, logits)


def test_labels_are_probabilities_and_near_cells_get_more() -> None:
    places = photos(40)
    rows = torch.from_numpy(FINE.assign(places.numpy()))
    labels = CellTargets(FINE, distance_km=65.0)(rows, places)
    sums = labels.sum(dim=1)
    torch.testing.assert_close(sums, (rows >= 0).double())
    inside = int((rows >= 0).nonzero()[0])
    apart = great_circle_m(places[inside].numpy(), FINE.representatives)
    assert labels[inside].argsort(descending=True)[0] == np.argmin(apart)
    # Hard labels are the limit of short distances, and equal shares that of long ones.
    long = CellTargets(FINE, distance_km=1e15)(rows, places)
    torch.testing.assert_close(long[inside], torch.full((len(FINE),), 1 / len(FINE)).double())
    own = torch.from_numpy(FINE.representatives)
    short = CellTargets(FINE, distance_km=1e-3)(torch.arange(len(FINE)), own)
    torch.testing.assert_close(short, torch.eye(len(FINE)).double())


def test_pigeons_loss_is_ours_times_the_sum_of_its_labels() -> None:
    """Their labels, exp(-(d - d_min) / 65 km) on 6378.137 km, do not sum to 1."""
    places = torch.from_numpy(FINE.representatives) + 0.01
    rows = torch.from_numpy(FINE.assign(places.numpy(), outside="nearest"))
    logits = scores(len(rows), len(FINE))
    ours = CellCrossEntropy(FINE, distance_km=65.0 * 6_371_008.8 / 6_378_137.0)
    for photo in range(5):
        apart = great_circle_m(places[photo].numpy(), FINE.representatives, radius_m=6_378_137.0)
        theirs = torch.from_numpy(np.exp(-(apart - apart.min()) / 65_000.0))
        published = torch.nn.functional.cross_entropy(logits[photo][None], theirs[None])
        some = slice(photo, photo + 1)
        found = ours(logits[some], rows[some], places[some]).value * theirs.sum()
        torch.testing.assert_close(found, published, rtol=1e-7, atol=0)


@pytest.mark.parametrize("km", [None, 100.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("scale", [1.0, 1e4, 1e30])
def test_large_logits_in_few_bits(dtype: torch.dtype, scale: float, km) -> None:
    places = photos(20)
    rows = torch.from_numpy(FINE.assign(places.numpy()))
    logits = scores(20, len(FINE), scale=scale).to(dtype).requires_grad_()
    for loss in (
        CellCrossEntropy(FINE, distance_km=km, label_smoothing=0.05),
        ShardedCellCrossEntropy(FINE, 0, len(FINE), distance_km=km, label_smoothing=0.05),
    ):
        # The module's own buffers keep their digits too.
        found = loss.bfloat16()(logits, rows, places)
        assert found.value.dtype == torch.float32
        raised = loss(logits.detach().double(), rows, places)
        torch.testing.assert_close(found.value.double(), raised.value, rtol=1e-5, atol=0)
        (gradient,) = torch.autograd.grad(found.value, logits)
        assert gradient.dtype == dtype
        assert gradient.isfinite().all()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(loss(logits, rows, places).value, found.value)


def test_a_batch_without_any_cell_costs_nothing() -> None:
    logits = scores(3, len(BOXES)).requires_grad_()
    nowhere = torch.full((3,), -1)
    sampled = sample_classes(torch.tensor([0, 1, 2]), 4, 1, generator=torch.Generator())
    for found in (
        CellCrossEntropy(BOXES)(logits, nowhere),
        CellCrossEntropy(BOXES, distance_km=9.0)(logits, nowhere, torch.zeros(3, 2)),
        ShardedCellCrossEntropy(BOXES, 0, 4)(logits, nowhere),
        sampled_cross_entropy(logits, sampled._replace(rows=nowhere)),
    ):
        assert found.value.item() == 0
        assert found.outside.item() == 3
        (gradient,) = torch.autograd.grad(found.value, logits)
        assert not gradient.any()


def test_several_partitions_are_averaged() -> None:
    places = photos(30)
    rows = torch.stack([torch.from_numpy(one.assign(places.numpy())) for one in FAMILY], dim=1)
    assert len({int((column < 0).sum()) for column in rows.T}) == 2
    logits = [scores(30, len(one), seed) for seed, one in enumerate(FAMILY)]
    found = SeveralCellCrossEntropies(FAMILY, label_smoothing=0.1)(logits, rows)
    alone = [
        CellCrossEntropy(one, label_smoothing=0.1)(part, column)
        for one, part, column in zip(FAMILY, logits, rows.T, strict=True)
    ]
    assert found.value.item() == pytest.approx(sum(one.value.item() for one in alone) / 2)
    assert found.outside.tolist() == [one.outside.item() for one in alone]
    loss = SeveralCellCrossEntropies(FAMILY)
    for wrong in ((logits[:1], rows), (logits, rows[:, :1]), (logits, rows[:, 0])):
        with pytest.raises(VectorError, match="for each of 2 partitions"):
            loss(*wrong)
    with pytest.raises(PartitionError, match="classes"):
        loss(logits[::-1], rows)
    with pytest.raises(PartitionError, match="at least one"):
        SeveralCellCrossEntropies([])


class TestSampledClasses:
    ROWS = torch.tensor([7, 3, 7, -1, 11])

    def sample(self, negatives: int, seed: int = 0, classes: int = 20) -> SampledClasses:
        generator = torch.Generator().manual_seed(seed)
        return sample_classes(self.ROWS, classes, negatives, generator=generator)

    def test_positives_are_always_in(self) -> None:
        seen = torch.zeros(20)
        for seed in range(400):
            found = self.sample(5, seed)
            assert len(found.classes) == 8
            assert found.classes.unique().tolist() == found.classes.tolist()
            assert found.rows[3] == -1
            given = torch.tensor([0, 1, 2, 4])
            assert found.classes[found.rows[given]].tolist() == [7, 3, 7, 11]
            positive = torch.isin(found.classes, torch.tensor([3, 7, 11]))
            assert (found.log_inclusion[positive] == 0).all()
            torch.testing.assert_close(
                found.log_inclusion[~positive], torch.full((5,), math.log(5 / 17))
            )
            seen[found.classes] += 1
        assert (seen[[3, 7, 11]] == 400).all()
        # 400 draws of probability 5/17: five deviations of 9.1 around 117.6.
        others = torch.tensor([row for row in range(20) if row not in (3, 7, 11)])
        assert ((seen[others] - 117.6).abs() < 46).all()

    def test_all_of_them_are_the_whole_softmax(self) -> None:
        logits = scores(5, 20).requires_grad_()
        sampled = self.sample(999)
        assert sampled.classes.tolist() == list(range(20))
        found = sampled_cross_entropy(logits, sampled)
        whole = torch.nn.functional.cross_entropy(logits, self.ROWS, ignore_index=-1)
        torch.testing.assert_close(found.value, whole)
        assert found.outside == 1
        torch.testing.assert_close(
            *(torch.autograd.grad(one, logits)[0] for one in (found.value, whole))
        )

    def test_the_denominator_is_right_on_average(self) -> None:
        logits = scores(1, 20, seed=3, scale=1.0)[0]
        whole = logits.exp().sum().item()
        sums = []
        for seed in range(2000):
            sampled = self.sample(6, seed)
            sums.append((logits[sampled.classes] - sampled.log_inclusion).exp().sum().item())
        error = np.std(sums) / math.sqrt(len(sums))
        assert abs(np.mean(sums) - whole) < 4 * error
        # Without the correction it is not: the test can fail.
        plain = np.mean([logits[self.sample(6, s).classes].exp().sum().item() for s in range(200)])
        assert abs(plain - whole) > 40 * error

    def test_its_definition(self) -> None:
        sampled = self.sample(4)
        logits = scores(5, 7).requires_grad_()
        terms = []
        for photo in (0, 1, 2, 4):
            corrected = [
                a - b
                for a, b in zip(logits[photo].tolist(), sampled.log_inclusion.tolist(), strict=True)
            ]
            own = corrected[int(sampled.rows[photo])]
            terms.append(math.log(math.fsum(math.exp(x) for x in corrected)) - own)
        found = sampled_cross_entropy(logits, sampled)
        assert found.value.item() == pytest.approx(math.fsum(terms) / 4, rel=1e-7)
        assert torch.autograd.gradcheck(lambda x: sampled_cross_entropy(x, sampled).value, logits)
        low = sampled_cross_entropy((1e4 * logits).bfloat16(), sampled)
        assert low.value.dtype == torch.float32
        assert low.value.isfinite()

    def test_every_class_may_be_in_the_batch(self) -> None:
        found = sample_classes(torch.arange(4), 4, 2, generator=torch.Generator())
        assert found.classes.tolist() == found.rows.tolist() == [0, 1, 2, 3]
        assert (found.log_inclusion == 0).all()

    def test_refusals(self) -> None:
        generator = torch.Generator()
        with pytest.raises(UsageError, match="negatives must be a whole number of at least 1"):
            self.sample(0)
        with pytest.raises(PartitionError, match=r"two classes or more apart. Got 1"):
            sample_classes(torch.tensor([0]), 1, 1, generator=generator)
        with pytest.raises(
            PartitionError, match=r"from 0 to 9, or -1 for none. Got 11 for photo 4"
        ):
            sample_classes(self.ROWS, 10, 1, generator=generator)
        with pytest.raises(PartitionError, match="20 classes and the loss 8"):
            sampled_cross_entropy(scores(5, 20), self.sample(5))


class TestLabels:
    def test_rows_outside_and_classes(self) -> None:
        places = torch.tensor([[0.5, 0.5], [0.1, 0.1], [50.0, 50.0], [0.5, 1.5]]).double()
        found = label_photos(BOXES, places)
        assert found.rows.tolist() == [0, 0, -1, 1]
        assert (found.outside, found.classes) == (1, 2)

    @pytest.mark.parametrize(
        ("places", "said"),
        [
            ([[50.0, 50.0]], "None of 1 training photos lies in a cell"),
            ([[0.5, 0.5], [0.4, 0.4], [50.0, 50.0]], "All 2 training photos .* lie in one, 0"),
        ],
    )
    def test_nothing_to_learn(self, places, said) -> None:
        with pytest.raises(PartitionError, match=said):
            label_photos(BOXES, torch.tensor(places))

    def test_no_places(self) -> None:
        with pytest.raises(CoordinateError, match="91"):
            label_photos(BOXES, torch.tensor([[91.0, 0.0]]))


class TestBadInput:
    @pytest.mark.parametrize(
        "loss",
        [CellCrossEntropy(BOXES), ShardedCellCrossEntropy(BOXES, 0, 4)],
        ids=["whole", "sharded"],
    )
    def test_logits_and_rows(self, loss) -> None:
        rows = torch.tensor([0, 3])
        with pytest.raises(PartitionError, match="5 classes and the loss 4"):
            loss(torch.zeros(2, 5), rows)
        for row in (4, -2):
            with pytest.raises(PartitionError, match=rf"-1 for none. Got {row} for photo 1"):
                loss(torch.zeros(2, 4), torch.tensor([0, row]))
        with pytest.raises(VectorError, match="one number for each of 2 rows"):
            loss(torch.zeros(2, 4), rows[:1])
        with pytest.raises(VectorError, match=r"whole numbers. Got float32"):
            loss(torch.zeros(2, 4), rows.float())
        with pytest.raises(VectorError, match="at least 1 photo"):
            loss(torch.zeros(0, 4), rows[:0])
        with pytest.raises(VectorError, match="Got nan in row 0"):
            loss(torch.full((2, 4), math.nan), rows)

    def test_distances(self) -> None:
        loss = CellCrossEntropy(BOXES, distance_km=75.0)
        rows = torch.tensor([0, 3])
        for places, count in ((None, "none"), (torch.zeros(1, 2), "1")):
            with pytest.raises(UsageError, match=f"each of 2 photos. Got {count}"):
                loss(torch.zeros(2, 4), rows, places)
        with pytest.raises(CoordinateError, match="in row 1"):
            loss(torch.zeros(2, 4), rows, torch.tensor([[0.0, 0.0], [91.0, 0.0]]))

    @pytest.mark.parametrize(
        "options",
        [{"label_smoothing": 1.0}, {"label_smoothing": -0.1}, {"distance_km": 0.0}],
    )
    def test_settings(self, options) -> None:
        with pytest.raises(UsageError, match=next(iter(options))):
            CellCrossEntropy(BOXES, **options)

    def test_slices(self) -> None:
        for first, classes in ((0, 0), (-1, 2), (3, 2)):
            with pytest.raises(PartitionError, match="rows from 0 to 3"):
                ShardedCellCrossEntropy(BOXES, first, classes)
        with pytest.raises(PartitionError, match=r"hold 3 classes together, .* has 4 cells"):
            ShardedCellCrossEntropy(BOXES, 1, 3)(torch.zeros(2, 3), torch.tensor([0, 1]))
