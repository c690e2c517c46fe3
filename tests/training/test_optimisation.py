from __future__ import annotations

import math

import pytest
import timm
import torch
from torch import nn

from sightline.errors import UsageError
from sightline.losses import InfoNCELoss
from sightline.training.loops.optimisation import (
    build_optimiser,
    clip,
    gradient_norm,
    learning_rate,
    parameter_groups,
    set_learning_rate,
    sharpest_nearby,
)
from sightline.training.loops.precision import MixedPrecision
from sightline.training.loops.processes import find_device
from sightline.training.loops.task import LoopSettings, Stage
from sightline.training.loops.weight_average import WeightAverage


def stage(**changes: object) -> Stage:
    return Stage(**{"name": "one", "epochs": 10, "learning_rate": 2.0, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "rates"),
    [
        ({"schedule": "constant"}, {0: 2.0, 5: 2.0, 10: 2.0}),
        ({}, {0: 2.0, 2.5: 1 + math.sqrt(0.5), 5: 1.0, 10: 0.0, 11: 0.0}),
        ({"final_rate": 0.5}, {0: 2.0, 5: 1.5, 10: 1.0}),
        ({"warmup_epochs": 2.0}, {0: 0.0, 1: 1.0, 2: 2.0, 6: 1.0, 10: 0.0}),
        (
            {"schedule": "step", "step_epochs": 4.0, "step_factor": 0.5},
            {0: 2.0, 3.9: 2.0, 4: 1.0, 8: 0.5},
        ),
    ],
)
def test_the_learning_rate_hangs_on_the_place_alone(
    changes: dict[str, object], rates: dict[float, float]
) -> None:
    for epoch, rate in rates.items():
        assert learning_rate(stage(**changes), epoch) == pytest.approx(rate, abs=1e-12)


def test_biases_norms_temperatures_and_named_parameters_do_not_decay() -> None:
    model = timm.create_model("test_vit")
    loss = InfoNCELoss()
    head = nn.Linear(3, 2)
    whole = nn.ModuleDict({"trunk": model, "head": head})
    groups = parameter_groups(
        whole, loss, weight_decay=0.1, backbone=model.parameters(), backbone_rate=0.5
    )
    kind = {
        id(p): (group["weight_decay"], group["rate_factor"])
        for group in groups
        for p in group["params"]  # type: ignore[attr-defined]
    }
    assert len(kind) == len(list(whole.parameters())) + 1
    assert kind[id(model.blocks[0].mlp.fc1.weight)] == (0.1, 0.5)
    assert kind[id(model.blocks[0].mlp.fc1.bias)] == (0.0, 0.5)
    assert kind[id(model.pos_embed)] == (0.0, 0.5)
    assert kind[id(head.weight)] == (0.1, 1.0)
    assert kind[id(loss.log_scale)] == (0.0, 1.0)


def test_frozen_and_shared_parameters_stand_in_one_group_or_none() -> None:
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    second.weight = first.weight
    first.bias.requires_grad_(requires_grad=False)
    groups = parameter_groups(nn.ModuleList([first, second]), nn.Identity(), weight_decay=0.0)
    assert sum(len(group["params"]) for group in groups) == 2  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("adamw", torch.optim.AdamW),
        ("adam", torch.optim.Adam),
        ("sgd", torch.optim.SGD),
    ],
)
def test_optimisers_by_name(name: str, kind: type) -> None:
    model = nn.Linear(2, 1)
    settings = LoopSettings(optimiser=name, backbone_rate=0.1)  # type: ignore[arg-type]
    optimiser = build_optimiser(settings, model, nn.Identity(), model.parameters())
    assert type(optimiser) is kind
    set_learning_rate(optimiser, 3.0)
    assert [group["lr"] for group in optimiser.param_groups] == [pytest.approx(0.3)] * 2


def quadratic() -> tuple[nn.Linear, torch.optim.Optimizer]:
    model = nn.Linear(3, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, -2.0, 0.5]]))
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def test_gradients_are_shortened_to_a_length() -> None:
    model, optimiser = quadratic()
    model.weight.square().sum().backward()
    norm = gradient_norm(optimiser)
    assert float(norm) == pytest.approx(2 * math.sqrt(1 + 4 + 0.25))
    clip(optimiser, norm, 100.0)
    assert float(gradient_norm(optimiser)) == pytest.approx(float(norm))
    clip(optimiser, norm, 1.0)
    assert float(gradient_norm(optimiser)) == pytest.approx(1.0, rel=1e-5)


def test_sharpness_moves_by_its_equation_and_back() -> None:
    model, optimiser = quadratic()
    model.weight.square().sum().backward()
    before = model.weight.detach().clone()
    gradient = model.weight.grad.clone()  # type: ignore[union-attr]
    rho = 0.5
    wanted = before + rho * before**2 * gradient / (before * gradient).norm()
    with sharpest_nearby(optimiser, rho):
        torch.testing.assert_close(model.weight.detach(), wanted)
        assert model.weight.grad is None
        model.weight.square().sum().backward()
    torch.testing.assert_close(model.weight.detach(), before, rtol=0, atol=0)
    torch.testing.assert_close(model.weight.grad, 2 * wanted)


def test_an_average_follows_weights_and_copies_statistics() -> None:
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.BatchNorm1d(2))
    average = WeightAverage(model, 0.9)
    wanted = model[0].weight.detach().clone()
    for step in range(3):
        with torch.no_grad():
            model[0].weight += 1.0
        model(torch.randn(4, 2, generator=torch.Generator().manual_seed(step)))
        average.update(model)
        decay = min(0.9, (1 + step) / (10 + step))
        wanted = decay * wanted + (1 - decay) * model[0].weight.detach()
    torch.testing.assert_close(average.model[0].weight, wanted)
    torch.testing.assert_close(average.model[1].running_mean, model[1].running_mean)
    assert int(average.model[1].num_batches_tracked) == 3
    assert not average.model.training
    assert not any(p.requires_grad for p in average.model.parameters())
    average.restart(model)
    torch.testing.assert_close(average.state_dict()["0.weight"], model[0].weight)
    assert average.steps == 0


def test_float16_needs_a_gpu_and_devices_are_known() -> None:
    with pytest.raises(UsageError, match="needs a GPU"):
        MixedPrecision("float16", torch.device("cpu"))
    assert find_device("cpu").type == "cpu"
    assert find_device("auto").type in ("cpu", "cuda")
    with pytest.raises(UsageError, match="no device 'gpu'"):
        find_device("gpu")
    with pytest.raises(UsageError, match="runs on cpu or cuda"):
        find_device("meta")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="torch sees no GPU"):
            find_device("cuda")
