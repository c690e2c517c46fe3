"""What of a network each process holds a slice of: gathered to be saved, cut when it is read.

A checkpoint holds whole layers under their ordinary names. A run may go on with another number of
processes than it was begun with, or with a head that is not cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sightline.losses import gather_rows
from sightline.models.sharded_head import ShardedCellHead
from sightline.training.loops.checkpoint import load_exactly, load_optimiser, optimiser_tensors
from sightline.training.loops.optimisation import gradient_norm, gradients_of


def slices_of(module: nn.Module) -> dict[str, slice]:
    """Which rows of a whole layer each sliced parameter of a network is, by its name."""
    return {
        ".".join(part for part in (prefix, name) if part): own.rows
        for prefix, own in module.named_modules()
        if isinstance(own, ShardedCellHead)
        for name, _ in own.named_parameters()
    }


def sliced_parameters(module: nn.Module) -> list[nn.Parameter]:
    """The parameters of a network of which this process has a slice; their gradients are whole."""
    return [module.get_parameter(name) for name in slices_of(module)]


@torch.no_grad()
def whole_state(module: nn.Module) -> dict[str, Tensor]:
    """A network's weights and buffers with whole layers; all processes must ask together."""
    sliced = slices_of(module)
    return {
        # On the processor, so that whole layers take no memory where slices just fit.
        name: gather_rows(tensor).cpu() if name in sliced else tensor
        for name, tensor in module.state_dict().items()
    }


def load_whole(module: nn.Module, tensors: Mapping[str, Tensor], what: str) -> None:
    """Load weights as :func:`whole_state` gives them, each process its slices.

    Raises:
        CheckpointError: Naming what does not fit.
    """
    sliced = slices_of(module)
    own = {name: one[sliced[name]] if name in sliced else one for name, one in tensors.items()}
    load_exactly(module, own, what)


@torch.no_grad()
def whole_optimiser_tensors(
    optimiser: Optimizer, module: nn.Module
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """As :func:`optimiser_tensors`, of whole layers; all processes must ask together."""
    tensors, rest = optimiser_tensors(optimiser)
    sliced = _numbers(optimiser, module)
    whole = {
        key: gather_rows(tensor).cpu() if _of(key) in sliced and tensor.ndim else tensor
        for key, tensor in tensors.items()
    }
    return whole, rest


def load_whole_optimiser(
    optimiser: Optimizer,
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    rest: Mapping[str, Any],
) -> None:
    """Put an optimiser where :func:`whole_optimiser_tensors` found one.

    Raises:
        CheckpointError: The parameters are others.
    """
    sliced = _numbers(optimiser, module)
    own = {
        key: tensor[sliced[_of(key)]] if _of(key) in sliced and tensor.ndim else tensor
        for key, tensor in tensors.items()
    }
    load_optimiser(optimiser, own, rest)


@torch.no_grad()
def whole_gradient_norm(optimiser: Optimizer, module: nn.Module) -> Tensor:
    """Length of the whole gradient, a scalar, the same in all processes, which must ask together.

    All slices count, and what every process has counts once.
    """
    sliced = {id(parameter) for parameter in sliced_parameters(module)}
    if not sliced:
        return gradient_norm(optimiser)
    lengths = []
    for parameter, gradient in gradients_of(optimiser):
        length = torch.linalg.vector_norm(gradient)[None]
        lengths.append(gather_rows(length) if id(parameter) in sliced else length)
    found: Tensor = torch.linalg.vector_norm(torch.cat(lengths))
    return found


def _numbers(optimiser: Optimizer, module: nn.Module) -> dict[int, slice]:
    """The rows of each sliced parameter, by the number that the optimiser's state knows it by."""
    rows = {id(module.get_parameter(name)): own for name, own in slices_of(module).items()}
    every = [one for group in optimiser.param_groups for one in group["params"]]
    return {number: rows[id(one)] for number, one in enumerate(every) if id(one) in rows}


def _of(key: str) -> int:
    """The number of the parameter that a tensor ``number/name`` of an optimiser is of."""
    return int(key.partition("/")[0])
