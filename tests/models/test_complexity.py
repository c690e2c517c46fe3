"""Counts against arithmetic done by hand and against published counts."""

from __future__ import annotations

import pytest
import torch

from sightline.errors import UsageError
from sightline.models.architectures import build_network
from sightline.models.complexity import (
    Latency,
    count_multiply_adds,
    count_parameters,
    measure_complexity,
    measure_latency,
)
from sightline.models.trunk import Trunk


def test_counts_are_those_of_the_definition() -> None:
    convolution = torch.nn.Conv2d(3, 8, 3, padding=1, bias=False)
    network = torch.nn.Sequential(
        convolution, torch.nn.Flatten(), torch.nn.Linear(8 * 4 * 5, 7, bias=False)
    )
    assert count_parameters(network) == 3 * 8 * 9 + 8 * 4 * 5 * 7
    counted = count_multiply_adds(network, torch.zeros(1, 3, 4, 5))
    assert counted == 4 * 5 * 3 * 8 * 9 + 8 * 4 * 5 * 7


def test_shared_weights_halve_the_parameters_and_not_the_work() -> None:
    values = {
        "ground": "panorama",
        "ground_size": (64, 128),
        "aerial_size": (64, 64),
        "backbone": "test_resnet",
    }
    apart = measure_complexity(build_network("gem", **values))  # type: ignore[arg-type]
    network = build_network("gem", shared_weights=True, **values)  # type: ignore[arg-type]
    together = measure_complexity(network)
    assert network.training
    assert apart.parameters == 2 * together.parameters
    assert apart.ground_multiply_adds == together.ground_multiply_adds
    assert together.ground_multiply_adds == 2 * together.aerial_multiply_adds
    assert together.pair_gigaflops == 2 * together.pair_gigamultiply_adds
    total = together.ground_multiply_adds + together.aerial_multiply_adds
    assert together.pair_gigamultiply_adds == total / 1e9
    assert together.dimension == 96


@pytest.mark.parametrize("width", [64, 128])
def test_attention_is_counted(width: int) -> None:
    """On CPUs it is fused, and torch's counter alone would miss it."""
    trunk = Trunk("test_vit", (64, width)).eval()
    blocks = trunk.network.blocks
    tokens, dimension = 4 * width // 16 + 1, trunk.channels
    matrices = sum(
        p.numel() for n, p in blocks.named_parameters() if n.endswith("weight") and p.ndim == 2
    )
    expected = (tokens - 1) * 3 * 16 * 16 * dimension
    expected += tokens * matrices + len(blocks) * 2 * tokens**2 * dimension
    assert count_multiply_adds(trunk, torch.zeros(1, 3, 64, width)) == expected


def test_latency() -> None:
    network = build_network(
        "gem",
        ground="panorama",
        ground_size=(32, 64),
        aerial_size=(32, 32),
        backbone="test_resnet",
        shared_weights=True,
    )
    found = measure_latency(network, "ground", images=2, rounds=3, warm_ups=1)
    assert 0 < found.best_ms <= found.median_ms
    assert found.images == 2
    assert network.training
    assert Latency(median_ms=4.0, best_ms=3.0, images=2).images_per_second == 500
    assert measure_latency(network, "aerial", rounds=1).images == 1
    with pytest.raises(UsageError, match="Got 0 and 10"):
        measure_latency(network, "ground", images=0)
