"""What the loop knows of what it trains: nothing but this."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from torch import Tensor, nn

Inputs = tuple[Tensor | None, ...]
Outputs = tuple[Tensor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A part of a run with its own optimiser and its own end.

    Args:
        name: For people and logs.
        epochs: At most.
        patience: Stop after so many validations without improvement; 0: never.
        learning_rate: At its highest.
        warmup_epochs: In which the rate rises from 0.
        schedule: How it falls.
        final_rate: Where ``cosine`` ends, as a share.
        step_epochs: Epochs between the steps of ``step``.
        step_factor: By which it is multiplied at each.
    """

    name: str
    epochs: int
    patience: int = 0
    learning_rate: float
    warmup_epochs: float = 0.0
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    final_rate: float = 0.0
    step_epochs: float = 10.0
    step_factor: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """How the loop runs, whatever it trains.

    Args:
        seed: Of everything random in a step.
        optimiser: ``adamw``, ``adam`` or ``sgd``.
        backbone_rate: Times the learning rate for parameters that the task calls a backbone's.
        weight_decay: Of matrices and filters.
        momentum: Of ``sgd``.
        clip_norm: Longest gradient; 0: no bound.
        sharpness: Rho of adaptive sharpness-aware minimisation; 0: off.
        average_decay: Of the moving average of the weights; 0: off.
        accumulate: Batches to a step.
        chunk_size: Rows that are in memory with their graphs at once; 0: all.
        precision: ``float32``, ``bfloat16`` or ``float16``.
        validate_every_epochs: How often.
        log_steps: Steps between two lines of the log.
        checkpoint_minutes: Between two checkpoints within an epoch.
    """

    seed: int = 0
    optimiser: Literal["adamw", "adam", "sgd"] = "adamw"
    backbone_rate: float = 1.0
    weight_decay: float = 0.0
    momentum: float = 0.9
    clip_norm: float = 0.0
    sharpness: float = 0.0
    average_decay: float = 0.0
    accumulate: int = 1
    chunk_size: int = 0
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    validate_every_epochs: int = 1
    log_steps: int = 20
    checkpoint_minutes: float = 10.0


@dataclass(frozen=True, slots=True)
class Validation:
    """What a validation found.

    Args:
        score: What decides; the larger the better.
        values: Every number, by name.
        warnings: What misleads or has gone wrong, in sentences.
    """

    score: float
    values: Mapping[str, float]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskBatch:
    """What one step of this process works on.

    Args:
        inputs: What the model takes: tensors with one row for each example, or None.
        rows: How many examples.
        about: What else the task's loss needs.
    """

    inputs: Inputs
    rows: int
    about: Any = None


class Task(Protocol):
    """Something that can be trained: networks, batches, a loss, a validation."""

    @property
    def model(self) -> nn.Module:
        """What is trained; called with a batch's inputs, returns tensors with a row for each."""
        ...

    @property
    def loss_module(self) -> nn.Module:
        """The loss's own parameters, if it has some; the same in every process."""
        ...

    @property
    def stages(self) -> tuple[Stage, ...]:
        """One stage, or one after another."""
        ...

    def backbone_parameters(self) -> list[nn.Parameter]:
        """The parameters of the model that were trained before."""
        ...

    def begin_stage(self, stage: int) -> None:
        """Use the stage's loss and batches from now on."""
        ...

    def begin_epoch(self, stage: int, epoch: int) -> None:
        """Choose the batches of an epoch, from what the model knows now.

        Called once for each epoch, and not when a run is resumed within it.
        """
        ...

    def batches_in_epoch(self) -> int:
        """How many batches the epoch has."""
        ...

    def batches(self, first: int) -> Iterator[TaskBatch]:
        """The batches of the epoch from a number on, this process's rows of each."""
        ...

    def loss(self, outputs: Outputs, batch: TaskBatch, step: int) -> Tensor:
        """The loss of the whole batch, the rows of all processes together, a scalar.

        Args:
            outputs: The model's, for this process's rows.
            batch: What they come from.
            step: Number of the step; decides what is random in the loss.
        """
        ...

    def after_step(self) -> None:
        """Keep what further steps need, such as rows for a memory."""
        ...

    def validate(self, model: nn.Module) -> Validation:
        """Score a model, the one that is trained or its average."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint must hold besides model and optimiser, tensors by name."""
        ...

    def state(self) -> dict[str, Any]:
        """The same, what JSON can hold."""
        ...

    def load(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Go on where :meth:`tensors` and :meth:`state` were taken."""
        ...
