"""Pooling, fully connected layers and tokens."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sightline.errors import UsageError
from sightline.models.heads import (
    FullyConnected,
    GlobalPooling,
    LocalTransform,
    Projection,
    TokenProjection,
    unit,
)
from sightline.models.pooling import GEM_FLOOR


def maps(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(size=shape))


def test_pooling_equals_its_definition() -> None:
    features = maps(2, 5, 3, 4)
    flat = features.flatten(2)
    torch.testing.assert_close(GlobalPooling(5)(features), flat.mean(dim=2))
    torch.testing.assert_close(GlobalPooling(5, "max")(features), flat.amax(dim=2))
    gem = GlobalPooling(5, "gem", exponent=2.5).double()
    expected = flat.clamp(min=GEM_FLOOR).pow(2.5).mean(dim=2).pow(1 / 2.5)
    torch.testing.assert_close(gem(features), expected)
    normalised = GlobalPooling(5, normalise=True).double()(features)
    torch.testing.assert_close(normalised.mean(dim=1), torch.zeros(2, dtype=torch.float64))


def test_gem_stays_finite_in_value_and_gradient() -> None:
    gem = GlobalPooling(3, "gem", exponent=80.0)
    features = torch.tensor([1e-9, 1.0, 1e5]).reshape(1, 3, 1, 1).expand(1, 3, 2, 2)
    features = features.clone().requires_grad_()
    found = gem(features)
    torch.testing.assert_close(found[0], torch.tensor([GEM_FLOOR, 1.0, 1e5]))
    found.sum().backward()
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()
    assert gem.exponent is not None
    assert gem.exponent.grad is not None
    assert torch.isfinite(gem.exponent.grad)


def test_half_precision_is_summed_in_float32() -> None:
    features = torch.full((1, 2, 64, 64), 1.001, dtype=torch.float16)
    assert GlobalPooling(2)(features).dtype == torch.float32
    assert unit(torch.ones(2, 3, dtype=torch.bfloat16)).dtype == torch.float32
    assert unit(torch.ones(2, 3, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize(
    ("method", "exponent"), [("mean", 3.0), ("gem", 0.5), ("gem", math.nan), ("gem", 1e3)]
)
def test_pooling_that_cannot_be(method: str, exponent: float) -> None:
    with pytest.raises(UsageError, match="must be"):
        GlobalPooling(5, method, exponent=exponent)  # type: ignore[arg-type]


def test_fully_connected_layers_are_those_of_the_text() -> None:
    head = FullyConnected(6, (2, 3))
    kinds = [type(layer).__name__ for layer in head.layers]
    assert kinds == [
        *("Linear", "ReLU", "BatchNorm1d"),
        *("Linear", "ReLU", "BatchNorm1d"),
        *("Linear", "ReLU"),
    ]
    linear = [layer for layer in head.layers if isinstance(layer, torch.nn.Linear)]
    assert [(x.in_features, x.out_features) for x in linear] == [(36, 512), (512, 256), (256, 256)]
    found = head(maps(4, 6, 2, 3).float())
    assert found.shape == (4, head.dimension)
    assert found.min() >= 0
    assert FullyConnected(6, (2, 3), last_relu=False)(maps(4, 6, 2, 3).float()).min() < 0


def test_fully_connected_refusals() -> None:
    head = FullyConnected(6, (2, 3))
    with pytest.raises(UsageError, match="Got 6 x 3 x 2"):
        head(torch.zeros(2, 6, 3, 2))
    with pytest.raises(UsageError, match="Got 1"):
        head(torch.zeros(1, 6, 2, 3))
    assert head.eval()(torch.zeros(1, 6, 2, 3)).shape == (1, 256)
    for widths in ((), (8, 0)):
        with pytest.raises(UsageError, match="widths"):
            FullyConnected(6, (2, 3), widths)


def test_tokens_are_projected_apart_and_averaged() -> None:
    head = TokenProjection(6, 2, dimension=4).double()
    tokens = maps(3, 2, 6)
    first, second = head.projections
    expected = (first(tokens[:, 0]) + second(tokens[:, 1])) / 2
    torch.testing.assert_close(head(tokens), expected)
    with pytest.raises(UsageError, match="class token"):
        TokenProjection(6, 0)


def test_transform_and_projection() -> None:
    transform = LocalTransform(4, (3, 1), dropout=0.0)
    found = transform(maps(2, 4, 3, 5).float())
    assert found.shape == (2, 4, 3, 5)
    assert found.min() >= 0
    projection = Projection(50, 20)
    assert projection.dimension == 20
    assert projection.weight.abs().max() <= 0.01
    torch.testing.assert_close(projection(torch.zeros(1, 50)), torch.full((1, 20), 0.1))


def test_unit_keeps_zeros() -> None:
    found = unit(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    torch.testing.assert_close(found, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))
