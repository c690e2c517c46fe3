"""Checkpoints: one safetensors file that holds all of a run, written whole or not at all.

Tensors are named by what they belong to, ``model/…``, ``average/…``, ``loss/…``, ``optimiser/…``
and ``task/…``; what is no tensor stands as JSON in the file's metadata. Randomness needs no state:
what is random in a step depends on the seed and the step's number alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.optim import Optimizer

from sightline.durable import write_bytes
from sightline.errors import CheckpointError

SCHEMA = "sightline.checkpoint/1"
_STATE = "state"


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """Tensors by ``part/name``, and what is no tensor.

    Args:
        tensors: Kept as they are, on whichever device.
        state: What JSON can hold.
    """

    tensors: Mapping[str, Tensor]
    state: Mapping[str, Any] = field(default_factory=dict)

    def part(self, name: str) -> dict[str, Tensor]:
        """The tensors of a part, without its name."""
        begin = f"{name}/"
        return {k.removeprefix(begin): v for k, v in self.tensors.items() if k.startswith(begin)}


def part_named(name: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors under the name of their part."""
    return {f"{name}/{key}": tensor for key, tensor in tensors.items()}


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint in place of the one that is there.

    Raises:
        OutputError: It cannot be written; the one that was there stays.
    """
    # Tied weights share memory, which safetensors refuses: each name gets its own copy.
    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in checkpoint.tensors.items()}
    text = json.dumps({"schema": SCHEMA, **checkpoint.state}, allow_nan=False)
    write_bytes(path, save(tensors, metadata={_STATE: text}))


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        CheckpointError: There is none, or it is damaged or of a newer version.
    """
    if not path.is_file():
        raise CheckpointError(
            f"There is no checkpoint {str(path)!r}.",
            hint="Leave out --resume to begin a run.",
            path=path,
        )
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads((file.metadata() or {})[_STATE])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, ValueError) as cause:
        raise CheckpointError(
            f"{str(path)!r} is no checkpoint, or damaged: {cause}.",
            hint="Begin the run again in another folder.",
            path=path,
        ) from cause
    if state.get("schema") != SCHEMA:
        raise CheckpointError(
            f"{str(path)!r} is written as {state.get('schema')!r}, and {SCHEMA!r} is known here.",
            hint="Go on with the Sightline that wrote it.",
            path=path,
        )
    return Checkpoint(tensors, state)


def optimiser_tensors(optimiser: Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimiser's state as tensors by ``number/name``, and the rest as JSON can hold it."""
    tensors: dict[str, Tensor] = {}
    rest: dict[str, Any] = {}
    for number, values in optimiser.state_dict()["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"{number}/{name}"] = value
            else:
                rest[f"{number}/{name}"] = value
    return tensors, rest


def load_optimiser(
    optimiser: Optimizer, tensors: Mapping[str, Tensor], rest: Mapping[str, Any]
) -> None:
    """Put an optimiser where :func:`optimiser_tensors` found one of the same parameters.

    Raises:
        CheckpointError: The parameters are others.
    """
    state: dict[int, dict[str, Any]] = {}
    for key, value in (*tensors.items(), *rest.items()):
        number, _, name = key.partition("/")
        state.setdefault(int(number), {})[name] = value
    own = optimiser.state_dict()
    count = sum(len(group["params"]) for group in own["param_groups"])
    if any(number >= count for number in state):
        raise CheckpointError(
            f"The checkpoint's optimiser has state for {max(state) + 1} parameters, this one has "
            f"{count}.",
            hint="Resume with the recipe that the run was begun with.",
        )
    optimiser.load_state_dict({"state": state, "param_groups": own["param_groups"]})
    for parameter, values in optimiser.state.items():
        for name, value in values.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                # Fused steps go through memory as it lies, and files do not keep how it lay.
                values[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def load_exactly(module: torch.nn.Module, tensors: Mapping[str, Tensor], what: str) -> None:
    """Load weights of which every name and shape must fit.

    Raises:
        CheckpointError: Naming what does not fit.
    """
    try:
        module.load_state_dict(dict(tensors))
    except RuntimeError as cause:
        first = str(cause).strip().splitlines()
        raise CheckpointError(
            f"The checkpoint's {what} does not fit: {' '.join(' '.join(first[:3]).split())[:300]}",
            hint="Resume with the recipe that the run was begun with.",
        ) from cause
