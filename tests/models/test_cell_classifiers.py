"""The published classifiers are what their papers say, and run over any partition."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
from tests.geo.partition.places import crowded
from torch import Tensor

from sightline.errors import PartitionError, UsageError
from sightline.geo.partition import S2Settings, adaptive_s2_family
from sightline.locating import classify
from sightline.losses import (
    CellCrossEntropy,
    SeveralCellCrossEntropies,
    sample_classes,
    sampled_cross_entropy,
)
from sightline.models.cell_classifiers import (
    PUBLISHED_CLASSIFIERS,
    CellClassifier,
    build_classifier,
    build_head,
)
from sightline.models.cell_heads import CellHead, HierarchicalHead, MultiHead
from sightline.models.heads import GlobalPooling
from sightline.models.mixture_head import MixtureHead
from sightline.models.trunk import Trunk

PLACES = crowded(600)
FAMILY = adaptive_s2_family(PLACES, [S2Settings(cells=n) for n in (8, 12, 16, 20, 24, 28)])


def pixels(count: int = 2, size: int = 64) -> Tensor:
    return torch.linspace(0, 1, count * 3 * size * size).sin().abs().reshape(count, 3, size, size)


def small(name: str) -> CellClassifier:
    count = len(PUBLISHED_CLASSIFIERS[name].cells)
    return build_classifier(name, FAMILY[-count:], backbone="test_resnet", size=64)


@pytest.mark.parametrize("name", list(PUBLISHED_CLASSIFIERS))
def test_every_row_runs(name: str) -> None:
    row = PUBLISHED_CLASSIFIERS[name]
    network = small(name)
    partitions = FAMILY[-len(row.cells) :]
    logits = network(pixels())
    several = row.head in ("multi", "hierarchical")
    parts = logits if several else (logits,)
    assert [part.shape for part in parts] == [(2, len(one)) for one in partitions]
    torch.stack([part.square().sum() for part in parts]).sum().backward()
    idle = [key for key, p in network.named_parameters() if p.grad is None]
    assert idle == (["head.log_concentrations"] if row.head == "mixture" else [])
    answers = network.eval().log_probabilities(pixels())
    answers = answers if row.head == "multi" else (answers,)
    for logs, partition in zip(answers, partitions[-len(answers) :], strict=True):
        assert classify(logs.numpy(force=True), partition).shape == (2, 2)
    assert network.vectors(pixels()).shape == (2, network.dimension)


def test_the_papers_numbers() -> None:
    """Revisiting IM2GPS, sections 3.1, 4 and 4.4; EfficientNet paper, sections 3.2 and 4.2."""
    rows = PUBLISHED_CLASSIFIERS
    assert rows["im2gps-l"].cells == (7011,)
    assert rows["im2gps-l2"].cells == (359,)
    assert rows["im2gps-m"].cells == (10, 80, 359, 1060, 1693, 7011)
    for name, row in rows.items():
        assert timm.is_model(row.backbone)
        assert list(row.cells) == sorted(row.cells)
        pooled = (row.pooling, row.dimension, row.size)
        vgg = name.startswith("im2gps")
        assert pooled == (("max", 512, 224) if vgg else ("average", 1792, 300))
        assert row.source


def test_vgg16_has_512_dimensions_and_the_maximum_of_its_last_convolutions() -> None:
    network = build_classifier("im2gps-m", FAMILY, size=64).eval()
    assert isinstance(network.head, MultiHead)
    assert network.dimension == PUBLISHED_CLASSIFIERS["im2gps-m"].dimension
    given = pixels(1)
    with torch.no_grad():
        features, _ = network.trunk(given)
        assert features.shape[1:] == (512, 4, 4)
        torch.testing.assert_close(network.vectors(given), features.amax(dim=(2, 3)))
        # Without the classifier's layers there are the 14.7 million parameters of 13 convolutions.
        assert sum(p.numel() for p in network.trunk.parameters()) == 14_714_688


def test_efficientnet_b4_at_300_pixels() -> None:
    network = build_classifier("efficientnet-b4-planet", FAMILY[0]).eval()
    assert network.trunk.input_size == (300, 300)
    assert network.dimension == PUBLISHED_CLASSIFIERS["efficientnet-b4-planet"].dimension
    with torch.no_grad():
        features, _ = network.trunk(pixels(1, 300))
        assert features.shape == (1, 1792, 10, 10)
        torch.testing.assert_close(network.pooling(features), features.mean(dim=(2, 3)))


def test_a_photo_is_learned() -> None:
    """Every loss of a classifier goes down on the photos it is trained with."""
    places = torch.from_numpy(PLACES[:4])
    given = pixels(4)
    generator = torch.Generator().manual_seed(0)
    for name in ("im2gps-l", "im2gps-m", "sampled"):
        torch.manual_seed(0)
        network = small("im2gps-l" if name == "sampled" else name).eval()
        partitions = FAMILY[-1:] if name != "im2gps-m" else FAMILY
        rows = torch.stack([torch.from_numpy(one.assign(PLACES[:4])) for one in partitions], dim=1)
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
        costs = []
        for _ in range(12):
            if name == "sampled":
                sampled = sample_classes(rows[:, 0], len(FAMILY[-1]), 9, generator=generator)
                found = sampled_cross_entropy(network(given, sampled.classes), sampled)
            elif name == "im2gps-m":
                found = SeveralCellCrossEntropies(partitions)(network(given), rows, places)
            else:
                found = CellCrossEntropy(FAMILY[-1], distance_km=75.0)(
                    network(given), rows[:, 0], places
                )
            optimiser.zero_grad()
            found.value.backward()
            optimiser.step()
            costs.append(found.value.item())
        assert np.mean(costs[-3:]) < np.mean(costs[:3]) - 0.1, name


def test_refusals() -> None:
    with pytest.raises(
        UsageError, match=r"no published classifier 'im2gps-n'.*Did you mean 'im2gps-"
    ):
        build_classifier("im2gps-n", FAMILY[0])
    with pytest.raises(
        PartitionError, match=r"has 6 partitions \(10, 80, 359, 1,060, 1,693, 7,011"
    ):
        build_classifier("im2gps-m", FAMILY[:3])
    with pytest.raises(PartitionError, match=r"im2gps-l has 1 partitions .* Got 2"):
        build_classifier("im2gps-l", FAMILY[:2])
    with pytest.raises(PartitionError, match="from coarse to fine"):
        build_classifier("efficientnet-b4-hc", FAMILY[2::-1], backbone="test_resnet", size=64)
    with pytest.raises(PartitionError, match=r"A mixture head must have one partition. Got 2"):
        build_head("mixture", 4, FAMILY[:2])
    with pytest.raises(UsageError, match="Got 'double'"):
        build_head("double", 4, FAMILY[:1])
    trunk = Trunk("test_resnet", (64, 64))
    with pytest.raises(UsageError, match="for vectors of 3 numbers"):
        CellClassifier(trunk, GlobalPooling(trunk.channels, "max"), CellHead(3, FAMILY[0]))
    with pytest.raises(UsageError, match="Got MultiHead"):
        small("im2gps-m")(pixels(), torch.tensor([0, 1]))


def test_heads_by_kind() -> None:
    assert isinstance(build_head("single", 4, FAMILY[:1]), CellHead)
    assert isinstance(build_head("multi", 4, FAMILY[:2]), MultiHead)
    assert isinstance(build_head("hierarchical", 4, FAMILY[:3]), HierarchicalHead)
    assert isinstance(build_head("mixture", 4, FAMILY[:1]), MixtureHead)
