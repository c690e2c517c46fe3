"""The gradient of a whole batch, in memory for a part of it.

Losses that compare all rows of a batch with each other cannot be computed part by part. Their
gradient can: gradient caching (Gao, Zhang, Han and Callan, "Scaling deep contrastive learning batch
size under memory limited setup", 2021, section 3.2) embeds all parts without graphs, takes the
gradient of the loss with respect to the embeddings, and then runs each part again, backward from
that gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from sightline.training.loops.precision import MixedPrecision
from sightline.training.loops.processes import Processes
from sightline.training.loops.task import Inputs, Outputs

_BatchNorm = nn.modules.batchnorm._BatchNorm  # noqa: SLF001 - torch has no public name for all


def add_gradients(
    model: nn.Module,
    inputs: Inputs,
    loss_of: Callable[[Outputs], Tensor],
    *,
    rows: int,
    chunk_size: int = 0,
    share: float = 1.0,
    precision: MixedPrecision,
    processes: Processes,
    loss_parameters: Sequence[nn.Parameter] = (),
    sync: bool = True,
) -> Tensor:
    """Add the gradient of a batch's loss to the parameters' ``grad``.

    Args:
        model: Called with ``inputs``, returns a tuple of tensors.
        inputs: Tensors with a row for each example, or None.
        loss_of: From the outputs of all rows to a scalar.
        rows: How many rows.
        chunk_size: Rows that are in memory with their graphs at once, at most; 0: all.
        share: What the loss is multiplied with, 1 / n where n batches make a step.
        precision: Autocast and scale.
        processes: All that train together.
        loss_parameters: Parameters that ``loss_of`` uses besides the outputs.
        sync: Whether gradients are averaged over the processes now.

    Returns:
        The loss, without graph.
    """
    # Processes that have different numbers of rows must wait for each other in the same order: all
    # of them cut their rows, or none.
    if not chunk_size or (rows <= chunk_size and processes.count == 1):
        with _syncing(model, processes, now=sync):
            with precision.autocast():
                outputs = model(*inputs)
            loss = loss_of(_full(outputs))
            precision.backward(loss * share)
        return loss.detach()
    parts = equal_parts(rows, chunk_size)
    outputs, seeds = _embedded(model, inputs, parts, precision)
    loss = loss_of(outputs)
    wanted = [*outputs, *loss_parameters]
    found = torch.autograd.grad(loss * share, wanted, allow_unused=True)
    at_outputs, at_parameters = found[: len(outputs)], found[len(outputs) :]
    after = _random_state(inputs)
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        with _syncing(model, processes, now=sync and last):
            _set_random_state(seeds[number], inputs)
            with precision.autocast():
                again = _full(model(*_cut(inputs, part)))
            surrogate = sum(
                (
                    (output * gradient[part]).sum()
                    for output, gradient in zip(again, at_outputs, strict=True)
                    if gradient is not None
                ),
                start=again[0].new_zeros(()),
            )
            if last:
                # With the outputs, so that float16's scale reaches them too.
                for parameter, gradient in zip(loss_parameters, at_parameters, strict=True):
                    if gradient is not None:
                        surrogate = surrogate + (parameter * gradient).sum()
            # On a backbone that stays, outputs have no gradient to hand on.
            if surrogate.requires_grad:
                precision.backward(surrogate)
    _set_random_state(after, inputs)
    return loss.detach()


def equal_parts(rows: int, most: int) -> list[slice]:
    """Cut rows into the fewest parts of at most so many, alike in size.

    A short last part would be too little for a batch norm, which a single row stops.
    """
    count = -(-rows // most)
    edges = [rows * number // count for number in range(count + 1)]
    return [slice(start, stop) for start, stop in pairwise(edges)]


def _embedded(
    model: nn.Module, inputs: Inputs, parts: list[slice], precision: MixedPrecision
) -> tuple[Outputs, list[list[Tensor]]]:
    """All outputs as leaves that want a gradient, and the random state before each part."""
    made: list[Outputs] = []
    seeds = []
    with torch.no_grad(), _statistics_held(model):
        for part in parts:
            seeds.append(_random_state(inputs))
            with precision.autocast():
                made.append(_full(model(*_cut(inputs, part))))
    outputs = tuple(torch.cat(column).requires_grad_() for column in zip(*made, strict=True))
    return outputs, seeds


def _full(outputs: Outputs) -> Outputs:
    # Half-precision embeddings would round the gradient that is handed on.
    return tuple(one if one.dtype == torch.float64 else one.float() for one in outputs)


def _cut(inputs: Inputs, part: slice) -> Inputs:
    return tuple(None if one is None else one[part] for one in inputs)


def _syncing(model: nn.Module, processes: Processes, *, now: bool) -> AbstractContextManager[Any]:
    return nullcontext() if now else processes.without_sync(model)


@contextmanager
def _statistics_held(model: nn.Module) -> Iterator[None]:
    """Within it, batch norms do not move their running statistics: each batch counts once."""
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    counts = [norm.num_batches_tracked for norm in norms]
    kept = [
        (norm, norm.momentum, None if count is None else count.clone())
        for norm, count in zip(norms, counts, strict=True)
    ]
    try:
        for norm in norms:
            norm.momentum = 0.0
        yield
    finally:
        for norm, momentum, count in kept:
            norm.momentum = momentum
            if count is not None and norm.num_batches_tracked is not None:
                norm.num_batches_tracked.copy_(count)


def _random_state(inputs: Inputs) -> list[Tensor]:
    states = [torch.get_rng_state()]
    states += [torch.cuda.get_rng_state(device) for device in _gpus(inputs)]
    return states


def _set_random_state(states: list[Tensor], inputs: Inputs) -> None:
    torch.set_rng_state(states[0])
    # Of the inputs' own GPU, which need not be the current one.
    for state, device in zip(states[1:], _gpus(inputs), strict=True):  # pragma: no cover
        torch.cuda.set_rng_state(state, device)


def _gpus(inputs: Inputs) -> list[torch.device]:
    return list({one.device for one in inputs if one is not None and one.device.type == "cuda"})
