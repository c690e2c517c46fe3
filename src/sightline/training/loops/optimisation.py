"""Optimisers, which parameters decay, and how the learning rate goes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from sightline.training.loops.task import LoopSettings, Stage

RATE_FACTOR = "rate_factor"
"""In each group of parameters: what the stage's learning rate is multiplied with."""


def parameter_groups(
    model: nn.Module,
    loss: nn.Module,
    *,
    weight_decay: float,
    backbone: Iterable[nn.Parameter] = (),
    backbone_rate: float = 1.0,
) -> list[dict[str, object]]:
    """Groups for an optimiser: with and without weight decay, backbone and not.

    Biases, norms and other vectors, what a network names in ``no_weight_decay`` (position
    embeddings of timm's transformers) and the loss's own parameters do not decay.
    """
    kept = {id(p) for p in backbone}
    undecayed = {id(parameter) for parameter in _undecayed(model)} | {
        id(parameter) for parameter in loss.parameters()
    }
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    seen: set[int] = set()
    for parameter in (*model.parameters(), *loss.parameters()):
        if not parameter.requires_grad or id(parameter) in seen:
            continue
        seen.add(id(parameter))
        decays = parameter.ndim > 1 and id(parameter) not in undecayed
        groups.setdefault((id(parameter) in kept, decays), []).append(parameter)
    return [
        {
            "params": parameters,
            "weight_decay": weight_decay if decays else 0.0,
            RATE_FACTOR: backbone_rate if old else 1.0,
        }
        for (old, decays), parameters in sorted(groups.items(), key=lambda item: item[0])
    ]


def _undecayed(model: nn.Module) -> Iterator[nn.Parameter]:
    for module in model.modules():
        named = getattr(module, "no_weight_decay", None)
        if callable(named):
            known = dict(module.named_parameters())
            for name in named():
                if name in known:
                    yield known[name]


def build_optimiser(
    settings: LoopSettings,
    model: nn.Module,
    loss: nn.Module,
    backbone: Iterable[nn.Parameter] = (),
) -> Optimizer:
    """The optimiser that the settings name, over all parameters that want a gradient."""
    groups = parameter_groups(
        model,
        loss,
        weight_decay=settings.weight_decay,
        backbone=backbone,
        backbone_rate=settings.backbone_rate,
    )
    if settings.optimiser == "sgd":
        return SGD(groups, lr=1.0, momentum=settings.momentum)
    kind = AdamW if settings.optimiser == "adamw" else Adam
    # One pass over each layer in place of a dozen.
    return kind(groups, lr=1.0, fused=True)


def learning_rate(stage: Stage, epoch: float) -> float:
    """The rate at a place in a stage.

    Args:
        stage: How it goes.
        epoch: Epochs since the stage began; 2.5 is the middle of its third.

    It depends on nothing else, so that a run that is resumed needs no state for it.
    """
    if epoch < stage.warmup_epochs:
        return stage.learning_rate * epoch / stage.warmup_epochs
    if stage.schedule == "constant":
        return stage.learning_rate
    if stage.schedule == "step":
        return stage.learning_rate * stage.step_factor ** math.floor(epoch / stage.step_epochs)
    done = (epoch - stage.warmup_epochs) / max(stage.epochs - stage.warmup_epochs, 1e-9)
    share = 0.5 + 0.5 * math.cos(math.pi * min(done, 1.0))
    return stage.learning_rate * (stage.final_rate + (1.0 - stage.final_rate) * share)


def set_learning_rate(optimiser: Optimizer, rate: float) -> None:
    """Set the rate of every group, times the group's own factor."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group.get(RATE_FACTOR, 1.0)


def gradients_of(optimiser: Optimizer) -> list[tuple[nn.Parameter, Tensor]]:
    """Every parameter that has a gradient, with it."""
    return [
        (parameter, parameter.grad)
        for group in optimiser.param_groups
        for parameter in group["params"]
        if parameter.grad is not None
    ]


def gradient_norm(optimiser: Optimizer) -> Tensor:
    """Length of the whole gradient, a scalar."""
    return _length(gradient for _, gradient in gradients_of(optimiser))


@torch.no_grad()
def clip(optimiser: Optimizer, norm: Tensor, longest: float) -> None:
    """Shorten the whole gradient to a length, if it is longer."""
    factor = (longest / (norm + 1e-6)).clamp(max=1.0)
    for _, gradient in gradients_of(optimiser):
        gradient *= factor


@contextmanager
def sharpest_nearby(optimiser: Optimizer, rho: float) -> Iterator[None]:
    """Within it, weights stand where the loss is highest nearby; gradients are emptied.

    Adaptive sharpness-aware minimisation (Kwon, Kim, Park and Choi, "ASAM", 2021, equation 4): the
    step is ρ w² g / norm(w g) for each weight w and its gradient g, over all weights together.
    TransGeo and FRGeo train with it. The gradient is then taken there, and the step made from where
    it was.
    """
    moved = gradients_of(optimiser)
    with torch.no_grad():
        length = _length(weight.abs() * gradient for weight, gradient in moved) + 1e-12
        before = [weight.detach().clone() for weight, _ in moved]
        for weight, gradient in moved:
            weight.add_(weight.square() * gradient * (rho / length))
    optimiser.zero_grad(set_to_none=True)
    try:
        yield
    finally:
        _restore([weight for weight, _ in moved], before)


def _length(parts: Iterable[Tensor]) -> Tensor:
    """Length of several tensors as one vector, a scalar."""
    found: Tensor = torch.linalg.vector_norm(
        torch.stack([torch.linalg.vector_norm(part) for part in parts])
    )
    return found


@torch.no_grad()
def _restore(weights: Sequence[nn.Parameter], before: Sequence[Tensor]) -> None:
    for weight, old in zip(weights, before, strict=True):
        weight.copy_(old)
